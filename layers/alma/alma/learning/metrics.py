"""How good readings are, and how honest their confidence: figures over judged values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Counts of one field, or of many."""

    right: int = 0
    predicted: int = 0
    labelled: int = 0
    located: int = 0
    hits: int = 0

    def add(self, other: Tally) -> None:
        """Add another tally's counts to this one."""
        self.right += other.right
        self.predicted += other.predicted
        self.labelled += other.labelled
        self.located += other.located
        self.hits += other.hits

    @property
    def precision(self) -> float | None:
        """Share of the predicted values that are right."""
        return self.right / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Share of the labelled values that were found."""
        return self.right / self.labelled if self.labelled else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        total = self.predicted + self.labelled
        return 2 * self.right / total if total else None

    @property
    def evidence(self) -> float | None:
        """Share of the right values with a labelled place whose evidence points there."""
        return self.hits / self.located if self.located else None


def rounded(value: float | None) -> float | None:
    """Return a figure as it is reported."""
    return None if value is None else round(value, 4)


def calibration_error(judged: Iterable[tuple[float, bool]], bins: int = 10) -> float | None:
    """Return the expected calibration error over equally wide bins (Guo et al. 2017); None without values."""
    each = list(judged)
    if not each:
        return None
    grouped: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in each:
        grouped.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, right))
    return sum(
        abs(sum(c for c, _ in group) - sum(r for _, r in group)) / len(each) for group in grouped.values()
    )


def auroc(judged: Iterable[tuple[float, bool]]) -> float | None:
    """Return the probability that a right value is more confident than a wrong one, ties as one half.

    None where there are only right or only wrong values.
    """
    each = sorted(judged)
    right = sum(r for _, r in each)
    wrong = len(each) - right
    if not right or not wrong:
        return None
    ranks = 0.0
    at = 0
    while at < len(each):
        end = at
        while end < len(each) and each[end][0] == each[at][0]:
            end += 1
        ranks += (at + end + 1) / 2 * sum(r for _, r in each[at:end])
        at = end
    return (ranks - right * (right + 1) / 2) / (right * wrong)


def coverage_at(judged: Iterable[tuple[float, bool]], precision: float) -> float | None:
    """Return the largest share of values, most confident first, among which `precision` is right.

    Values of equal confidence are taken together: a threshold cannot part them.
    """
    each = sorted(judged, key=lambda j: -j[0])
    if not each:
        return None
    covered, right, at = 0, 0, 0
    while at < len(each):
        end = at
        while end < len(each) and each[end][0] == each[at][0]:
            right += each[end][1]
            end += 1
        if right >= precision * end:
            covered = end
        at = end
    return covered / len(each)


def confidence_measures(judged: Sequence[tuple[float, bool]]) -> dict[str, float | int | None]:
    """Return what is reported of judged confidences."""
    return {
        "values": len(judged),
        "errors": sum(not right for _, right in judged),
        "ece": rounded(calibration_error(judged)),
        "auroc": rounded(auroc(judged)),
        "coverage_at_99": rounded(coverage_at(judged, 0.99)),
        "coverage_at_95": rounded(coverage_at(judged, 0.95)),
    }
