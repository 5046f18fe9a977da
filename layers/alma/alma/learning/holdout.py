"""Measuring a model on documents it did not learn from, and fitting its confidence on the same readings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alma.datamodel.schemas import DocumentSchema
from alma.extraction.scoring.confidence import Calibration, Vector
from alma.extraction.scoring.scorer import Scorer
from alma.extraction.scoring.track_candidates import TrackCandidates
from alma.extraction.selection import choose
from alma.extraction.values.names import value_of
from alma.learning.calibration import Sample
from alma.learning.evaluation import canonical, tally
from alma.learning.lessons import Lesson
from alma.learning.metrics import Tally, rounded


@dataclass(frozen=True, slots=True)
class ChosenValue:
    """A value that a track read: what is left of a choice when its pages are forgotten."""

    key: str
    value: str
    """As `canonical` returns it."""
    probability: float
    vector: Vector
    """Its signals."""


@dataclass(frozen=True, slots=True)
class HoldoutReading:
    """How a model read a document: a row for each value, in it what each track makes of it."""

    lesson: Lesson
    rows: Sequence[Sequence[ChosenValue]]

    @classmethod
    def of(
        cls, lesson: Lesson, tracks: Mapping[str, TrackCandidates], schema: DocumentSchema, scorer: Scorer
    ) -> HoldoutReading:
        """Return what a model takes of each track's candidates."""
        return cls(
            lesson,
            [
                [
                    ChosenValue(
                        field.key,
                        canonical(value_of(field, choice.candidate.value)),
                        choice.signals.probability,
                        choice.signals.vector(),
                    )
                    for choice in row.values()
                ]
                for field, rows in choose(tracks, schema, scorer)
                for row in rows
            ],
        )


def samples_of(readings: Sequence[HoldoutReading], doc_type: str) -> Iterator[Sample]:
    """Yield every value of a field of which it is known what it should be, judged."""
    for reading in readings:
        for row in reading.rows:
            for chosen in row:
                if reading.lesson.known(chosen.key):
                    _, (right,) = tally([chosen.value], reading.lesson.labels.get(chosen.key, ()))
                    yield Sample(doc_type, chosen.key, chosen.vector, right, reading.lesson.fold)


def measure(
    readings: Sequence[HoldoutReading], schema: DocumentSchema, calibrations: Callable[[int], Calibration]
) -> tuple[dict[str, Tally], list[tuple[float, bool]]]:
    """Return the counts of each field, and the confidence of each value with whether it is right.

    Parameters
    ----------
    readings : sequence of HoldoutReading
        Of one model.
    schema : DocumentSchema
        The type.
    calibrations : callable
        The calibration for the documents of a part.
    """
    tallies = {each.key: Tally() for each in schema.fields}
    judged: list[tuple[float, bool]] = []
    for reading in readings:
        model = calibrations(reading.lesson.fold)
        shown: dict[str, list[tuple[float | None, ChosenValue]]] = {key: [] for key in tallies}
        for row in reading.rows:
            sure = [(model.unrounded(schema.doc_type, r.key, r.vector), r) for r in row]
            best = max(sure, key=lambda pair: (-1.0 if pair[0] is None else pair[0], pair[1].probability))
            shown[best[1].key].append(best)
        for key, each in shown.items():
            if reading.lesson.known(key):
                labels = reading.lesson.labels.get(key, ())
                counts, right = tally([chosen.value for _, chosen in each], labels)
                tallies[key].add(counts)
                judged += [(p, r) for (p, _), r in zip(each, right, strict=True) if p is not None]
    return tallies, judged


def total(tallies: Mapping[str, Tally]) -> Tally:
    """Return the counts of all fields together."""
    together = Tally()
    for each in tallies.values():
        together.add(each)
    return together


def scores_of(tallies: Mapping[str, Tally]) -> dict[str, Any]:
    """Return the counts as the card shows them; fields nobody verified are left out."""
    together = total(tallies)
    return {
        "micro_f1": rounded(together.f1),
        "precision": rounded(together.precision),
        "recall": rounded(together.recall),
        "fields": {
            key: {
                "f1": rounded(each.f1),
                "precision": rounded(each.precision),
                "recall": rounded(each.recall),
                "n": each.labelled,
            }
            for key, each in tallies.items()
            if each.labelled or each.predicted
        },
    }
