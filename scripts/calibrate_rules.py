"""Fit and simulate the confidence of types of one's own: `layers/alma/alma/data/rules.json`.

    python -m scripts.calibrate_rules --data DIR... [--words DIR] [--out FILE]

Each DIR holds `labels.jsonl` and the documents. Every labelled type is read as if it were somebody's own: by
rules alone, in the plain definition of `benchmarks/flywheel_types` where there is one, else in the shipped
one. The logistic model of the signals, its slope and the strengths of both priors are fitted leaving one type
out each time: what is said of a type was learnt from the others.

The simulation: people decide 1, 5, 20, 50 values of a type, document by document in an order that is drawn;
the confidence of the values of all other documents is judged. Types weigh the same, whatever their size.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.progress import track as progress

from alma.datamodel.fields import DecisionCount
from alma.datamodel.schemas import DocumentSchema, SchemaDefinition, shipped_schemas
from alma.errors import AlmaError
from alma.extraction.resolve import layouts_by_track
from alma.extraction.scoring.confidence import Calibration, SignalVector, sigmoid
from alma.extraction.scoring.rule_confidence import ANY, CALIBRATION, RuleCalibration
from alma.extraction.scoring.scorer import Scores
from alma.extraction.scoring.track_candidates import candidates_by_track
from alma.extraction.selection import choose
from alma.extraction.values.names import value_of
from alma.learning.calibration import Logistic, Sample
from alma.learning.metrics import auroc, calibration_error, rounded
from scripts.labelled import metrics
from scripts.labelled.labels import read_labels, words_of

OUT = Path(__file__).parent.parent / "layers/alma/alma/data" / CALIBRATION
PLAIN = Path(__file__).parent.parent / "benchmarks/flywheel_types"
#: Signals that mean the same in every type that rules read: the others are constant there, or tell the types
#: of the labelled documents apart (scans from texts) rather than right values from wrong ones.
OF_RULES = (
    "logit", "probability", "margin", "support", "unclear", "least_clear", "seconded", "company",
    "rule_holds", "rule_broken", "tracks_differ",
)  # fmt: skip
#: What is tried as slope of the signals and as strengths of the priors, in decisions.
SLOPES, STRENGTHS_OF_TYPES, STRENGTHS_OF_FIELDS = (0.5, 0.75, 1.0), (10, 20, 40, 80), (2, 3, 5, 8)
DECISIONS, DRAWS = (1, 5, 20, 50), 5
#: Judged values and documents of a type that tell something.
LEAST = 20


@dataclass(frozen=True, slots=True)
class ReadValue:
    """A value that rules alone chose, and whether it is right."""

    doc_type: str
    document: str
    key: str
    vector: SignalVector
    right: bool


class NoScorer:
    """A scorer that knows no field."""

    def knows(self, doc_type: str, key: str) -> bool:
        """Return that it does not."""
        return False

    def score(self, doc_type: str, found: Mapping[str, Any]) -> dict[str, Scores]:
        """Return no scores."""
        return {}


def definition(doc_type: str) -> DocumentSchema:
    """Return a type as somebody new to alma writes it, where there is such a definition."""
    path = PLAIN / f"{doc_type}.json"
    if not path.is_file():
        return shipped_schemas()[doc_type]
    return SchemaDefinition.model_validate_json(path.read_text(encoding="utf-8")).named(doc_type)


def values_of(document: dict[str, Any], data: Path, words: Path) -> Iterator[ReadValue]:
    """Yield the judged values of a document, the most probable track's of each."""
    doc_type = metrics.TYPE_NAMES.get(document["doc_type"], document["doc_type"])
    schema = definition(doc_type)
    tracks = candidates_by_track(layouts_by_track(words_of(document, data, words)), schema)
    for field, rows in choose(tracks, schema, NoScorer()):  # type: ignore[arg-type]
        for row in rows:
            choice = max(row.values(), key=lambda each: each.signals.probability)
            item = {"key": field.key, "value": value_of(field, choice.candidate.value)}
            score = metrics.score_document(document, {"docType": doc_type, "fields": [item]})
            for _, right in score.judged:
                yield ReadValue(doc_type, document["id"], field.key, choice.signals.vector(), right)


def fitted(values: Sequence[ReadValue]) -> RuleCalibration:
    """Return the calibration fitted to values of several types, with the full slope and no strengths yet.

    Fields differ in how often they are right and not in what a signal says of it: each has a bias while the
    weights are fitted. The one bias of the result gives every type, whatever its size, the same weight.
    """
    samples = [Sample(v.doc_type, v.key, v.vector, v.right, 0) for v in values]
    logistic = Logistic(samples, signals=OF_RULES)
    weights = tuple(float(w) for w in logistic.fit(samples)[1 : logistic.shared])
    model = Calibration(weights, {ANY: 0.0}, OF_RULES)
    types = sorted({v.doc_type for v in values})
    rate = fmean(fmean(v.right for v in values if v.doc_type == t) for t in types)
    weighed = [[model.weighed(v.vector) for v in values if v.doc_type == t] for t in types]
    low, high = -20.0, 20.0
    for _ in range(60):  # bisection: the mean of what is said is the rate
        bias = (low + high) / 2
        said = fmean(fmean(sigmoid(bias + w) for w in each) for each in weighed)
        low, high = (bias, high) if said < rate else (low, bias)
    return RuleCalibration(replace(model, biases={ANY: low}), rate, 1.0, 1.0)


def with_slope(rules: RuleCalibration, slope: float, of_type: float, of_field: float) -> RuleCalibration:
    """Return a calibration whose signals say a part of what they do, with strengths of the priors."""
    even = math.log(rules.rate / (1 - rules.rate))
    model = replace(
        rules.model,
        weights=tuple(slope * weight for weight in rules.model.weights),
        biases={ANY: even + slope * (rules.model.biases[ANY] - even)},
    )
    return RuleCalibration(model, rules.rate, of_type, of_field)


def simulated(
    values: Sequence[ReadValue], rules: RuleCalibration, decisions: int
) -> list[tuple[float, bool]]:
    """Return the confidence of the values of a type after some decisions, with whether they are right."""
    judged: list[tuple[float, bool]] = []
    for draw in range(DRAWS):
        documents = sorted({v.document for v in values})
        random.Random(draw).shuffle(documents)
        place = {document: n for n, document in enumerate(documents)}
        order = sorted(values, key=lambda v: place[v.document])
        counts: dict[str, DecisionCount] = {}
        for v in order[:decisions]:
            own = counts.get(v.key, DecisionCount())
            counts[v.key] = DecisionCount(own.right + v.right, own.wrong + (not v.right))
        seen = {v.document for v in order[:decisions]}
        for v in order:
            if v.document not in seen:
                found = rules.unrounded(v.key, v.vector, counts)
                assert found is not None
                judged.append((found, v.right))
    return judged


def log_likelihood(judged: Sequence[tuple[float, bool]]) -> float:
    """Return the mean logarithm of the probability of what came out."""
    return fmean(math.log(max(p if right else 1 - p, 1e-6)) for p, right in judged) if judged else 0.0


def main() -> int:
    """Read by rules, fit, simulate, report and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--words", type=Path, default=Path(tempfile.gettempdir()) / "alma-words")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    values: list[ReadValue] = []
    for data in options.data:
        labels = [d for d in read_labels(data) if d["doc_type"] not in metrics.NO_TYPE]
        for document in progress(labels, f"Reading {data.name}"):
            try:
                values += values_of(document, data, options.words)
            except AlmaError as error:
                print(f"{document['id']}: {error.detail}", file=sys.stderr)
    by_type: dict[str, list[ReadValue]] = {}
    for value in values:
        by_type.setdefault(value.doc_type, []).append(value)
    by_type = {t: each for t, each in by_type.items() if len(each) >= LEAST}
    if len(by_type) < 3:
        print("Fewer than three labelled types: nothing to fit.", file=sys.stderr)
        return 1
    without = {t: fitted([v for o, each in by_type.items() if o != t for v in each]) for t in by_type}

    def says(tried: tuple[float, float, float], t: str, decisions: int) -> list[tuple[float, bool]]:
        return simulated(by_type[t], with_slope(without[t], *tried), decisions)

    grid = list(product(SLOPES, STRENGTHS_OF_TYPES, STRENGTHS_OF_FIELDS))
    best = max(
        progress(grid, "Fitting"),
        key=lambda tried: fmean(log_likelihood(says(tried, t, n)) for t in by_type for n in DECISIONS),
    )
    about = {
        "fitted_on": {
            t: {
                "documents": len({v.document for v in each}),
                "values": len(each),
                "right": rounded(fmean(v.right for v in each)),
            }
            for t, each in sorted(by_type.items())
        },
        "after_decisions": {
            str(n): _measures([says(best, t, n) for t in sorted(by_type)]) for n in DECISIONS
        },
    }
    print(json.dumps(about, indent=2))
    rules = with_slope(fitted([v for each in by_type.values() for v in each]), *best)
    content = about | {
        "signals": list(rules.model.signals),
        "weights": [round(w, 4) for w in rules.model.weights],
        "biases": {ANY: round(rules.model.biases[ANY], 4)},
        "rate": round(rules.rate, 4),
        "strengths": {"type": rules.of_type, "field": rules.of_field},
    }
    options.out.write_text(json.dumps(content, indent=1) + "\n")
    print(f"wrote {options.out}")
    return 0


def _measures(by_type: Sequence[Sequence[tuple[float, bool]]]) -> dict[str, float | None]:
    """Return the means over types, each judged alone."""
    curves = [a for a in map(auroc, by_type) if a is not None]
    errors = [e for e in map(calibration_error, by_type) if e is not None]
    return {"ece": rounded(fmean(errors)), "auroc": rounded(fmean(curves)), "types": len(curves)}


if __name__ == "__main__":
    sys.exit(main())
