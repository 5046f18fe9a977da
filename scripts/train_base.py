"""Train `alma-base`, the model that scores candidates, and fit the confidence of what it chooses.

    python -m scripts.train_base --data DIR [--words DIR] [--folds DIR] [--out DIR]

DIR holds `labels.jsonl` and the documents (format: the README of such a folder). Only documents whose
`licence_class` is `open` or `public-record` are used. The words of every document are read once, with the
text layer and, where a page needs it, character recognition, and kept under `--words`.

What is learnt, and from what: docs/extraction.md. Everything is drawn from seeds, so that the same documents
give the same model. Figures are out of fold: five folds over `group`, so that no template is both fitted and
judged; the models of the folds are kept under `--folds` for `benchmarks.accuracy --cross-validated`. The
model that ships is trained on all documents, its confidence is fitted on the choices of the fold models.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track as progress

from alma.confidence import SIGNALS, Calibration, load
from alma.errors import AlmaError
from alma.evidence import Box, enclosing
from alma.extraction.candidates import Candidate
from alma.extraction.features import matrix
from alma.extraction.patterns import last_name_last
from alma.extraction.resolve import choices, layouts_by_track, offers, value_of
from alma.extraction.scorer import BASE, Scorer, write_model
from alma.extraction.training import Group, train_member
from alma.fields import evidence_of
from alma.pages import PageText
from alma.schemas import FieldSchema, shipped_schemas
from benchmarks import metrics
from benchmarks.labels import FOLDS, fold_of, read_labels, words_of

USABLE = frozenset({"open", "public-record"})
OUT = Path(__file__).parent.parent / "layers/alma/alma/data"
#: Members of the ensemble.
MEMBERS = 4
#: A span at the labelled place whose text is this like the label is what was meant: a recogniser's slip.
ALIKE = 0.75
#: Groups of documents (templates, senders) a type needs before it is trained on and its confidence stated.
MIN_GROUPS = 5
#: Penalties: on weights, on the bias of a type, on the bias of a field.
RIDGE = (0.5, 0.5, 1.0)

Array = NDArray[np.float64]


# --- what is learnt from --------------------------------------------------------------------------------


def _judge(
    field: FieldSchema,
    found: Sequence[Candidate],
    wanted: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    holding: bool,
) -> NDArray[np.int8]:
    right = np.zeros(len(found), np.int8)
    written = [last_name_last(c.value) if field.name_order == "last_first" else c.value for c in found]
    read = [metrics.canonical(v) for v in written]
    for n, candidate in enumerate(found):
        for value, label in wanted:
            if value != read[n]:
                continue
            place = evidence_of(candidate.regions)
            there = not label["bbox"] or metrics.evidence_hits(place, label, holding=holding)
            right[n] = max(right[n], 2 if there else 1)
    if right.any():
        return right
    for value, label in wanted:
        if not label["bbox"] or field.type.value not in ("name", "address", "text"):
            continue
        box, best, at = Box.from_dict(label["bbox"]), ALIKE, None
        for n, candidate in enumerate(found):
            if candidate.layout.page == label["page"]:
                around = enclosing(region.box for region in candidate.regions)
                if around.iou(box) >= metrics.HIT_IOU:
                    alike = difflib.SequenceMatcher(None, read[n], value).ratio()
                    if alike > best:
                        best, at = alike, n
        if at is not None:
            right[at] = 2
    return right


def groups_of(document: Mapping[str, Any], pages: list[PageText]) -> Iterator[Group]:
    """Yield what a labelled document teaches."""
    named = str(document["doc_type"])
    schema = shipped_schemas()[metrics.TYPE_NAMES.get(named, named)]
    complete = metrics.complete_keys(document)
    for found, context, others in offers(layouts_by_track(pages), schema).values():
        for field in schema.fields:
            labels = [
                label
                for label in document["fields"]
                if metrics.KEY_NAMES.get((named, label["key"]), label["key"]) == field.key
            ]
            if any(label.get("weak") or label.get("field_type") == "checkbox" for label in labels):
                continue
            # Without a label nobody looked, unless the type's labels are complete.
            if not labels and field.key not in complete:
                continue
            own = found.by_field[field.key]
            if not own:
                continue
            wanted = [(metrics.expected(named, label, field.type), label) for label in labels]
            dense, tokens = matrix(field, own, context, others[field.key], found.in_label)
            yield Group(
                f"{schema.doc_type}.{field.key}",
                field.repeated,
                fold_of(document),
                dense,
                tokens,
                np.array([bool(c.votes) for c in own]),
                _judge(field, own, wanted, holding=document.get("bbox_origin") == metrics.HOLDING),
            )


def _groups(task: tuple[dict[str, Any], Path, Path]) -> list[Group]:
    document, data, words = task
    try:
        return list(groups_of(document, words_of(document, data, words)))
    except AlmaError as error:
        print(f"{document['id']}: {error.detail}", file=sys.stderr)
        return []


def train(groups: Sequence[Group], about: Mapping[str, Any]) -> bytes:
    """Return the ONNX file of an ensemble trained on groups."""
    fields = sorted({g.name for g in groups})
    with ProcessPoolExecutor() as pool:
        members = list(
            pool.map(train_member, *zip(*((groups, fields, n) for n in range(MEMBERS)), strict=True))
        )
    return write_model(members, {**about, "fields": fields})


# --- confidence -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """One value that was chosen, and whether it is right."""

    doc_type: str
    key: str
    vector: tuple[float, ...]
    right: bool
    fold: int


def samples_of(document: Mapping[str, Any], pages: list[PageText], scorer: Scorer) -> Iterator[Sample]:
    """Yield the judged readings of a document, its type given."""
    named = document["doc_type"]
    schema = shipped_schemas()[metrics.TYPE_NAMES.get(named, named)]
    for field, rows in choices(layouts_by_track(pages), schema, scorer):
        for row in rows:
            for choice in row.values():
                item = {"key": field.key, "value": value_of(field, choice)}
                score = metrics.score_document(document, {"docType": schema.doc_type, "fields": [item]})
                for _, right in score.judged:
                    yield Sample(
                        schema.doc_type, field.key, choice.signals.vector(), right, fold_of(document)
                    )


class Model:
    """The logistic regression over samples: design matrix and Newton's method.

    A bias for each type and field is drawn to zero where there is little data (ridge penalty).
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.types = sorted({s.doc_type for s in samples})
        self.keys = sorted({(s.doc_type, s.key) for s in samples})
        self.shared = 1 + len(SIGNALS)
        penalty = [1e-6, *[RIDGE[0]] * (self.shared - 1)]
        self.penalty = np.array(penalty + [RIDGE[1]] * len(self.types) + [RIDGE[2]] * len(self.keys))

    def matrix(self, samples: Sequence[Sample]) -> Array:
        """Return one row a sample: constant, signals, type, field."""
        x = np.zeros((len(samples), len(self.penalty)))
        for row, s in zip(x, samples, strict=True):
            row[0] = 1.0
            row[1 : self.shared] = s.vector
            row[self.shared + self.types.index(s.doc_type)] = 1.0
            row[self.shared + len(self.types) + self.keys.index((s.doc_type, s.key))] = 1.0
        return x

    def fit(self, samples: Sequence[Sample]) -> Array:
        """Return the coefficients of the penalised maximum likelihood."""
        x, y = self.matrix(samples), np.array([float(s.right) for s in samples])
        w: Array = np.zeros(x.shape[1])
        for _ in range(50):
            p = 1 / (1 + np.exp(-x @ w))
            gradient = x.T @ (p - y) + self.penalty * w
            hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(self.penalty)
            step = np.linalg.solve(hessian, gradient)
            w -= step
            if np.abs(step).max() < 1e-8:
                break
        return w

    def as_json(self, w: Array) -> dict[str, Any]:
        """Return the coefficients in the form `alma.confidence.load` reads."""
        own = dict(zip(self.types, w[self.shared : self.shared + len(self.types)], strict=True))
        of_key = dict(zip(self.keys, w[self.shared + len(self.types) :], strict=True))
        biases = {t: round(float(w[0] + b), 4) for t, b in own.items()}
        biases |= {f"{t}.{k}": round(float(w[0] + own[t] + b), 4) for (t, k), b in of_key.items()}
        return {
            "signals": list(SIGNALS),
            "weights": [round(float(v), 4) for v in w[1 : self.shared]],
            "biases": dict(sorted(biases.items())),
        }


def measures(judged: Sequence[tuple[float, bool]]) -> dict[str, float | int | None]:
    """Return what is reported of judged confidences."""
    found = {
        "values": len(judged),
        "errors": sum(not right for _, right in judged),
        "ece": metrics.calibration_error(judged),
        "auroc": metrics.auroc(judged),
        "coverage_at_99": metrics.coverage_at(judged, 0.99),
        "coverage_at_95": metrics.coverage_at(judged, 0.95),
    }
    return {k: v if v is None else round(v, 4) for k, v in found.items()}


def calibrate(samples: Sequence[Sample]) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Return the calibration on all samples, one for each fold from the others, and measures out of fold."""
    model = Model(samples)
    judged: list[tuple[float, bool]] = []
    of_fold = []
    for fold in range(FOLDS):
        coefficients = model.as_json(model.fit([s for s in samples if s.fold != fold]))
        of_fold.append(coefficients)
        fitted: Calibration = load(json.dumps(coefficients))
        for s in samples:
            if s.fold == fold:
                logit = fitted.biases[f"{s.doc_type}.{s.key}"] + float(np.dot(fitted.weights, s.vector))
                judged.append((float(1 / (1 + np.exp(-logit))), s.right))
    return model.as_json(model.fit(samples)), of_fold, measures(judged)


def main() -> int:
    """Read, train, calibrate, report and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--words", type=Path, default=Path(tempfile.gettempdir()) / "alma-words")
    parser.add_argument("--folds", type=Path, default=Path(tempfile.gettempdir()) / "alma-folds")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only-calibrate", action="store_true", help="keep the models that are there")
    asked = parser.parse_args()

    labels = [
        d
        for d in read_labels(asked.data)
        if d["licence_class"] in USABLE and d["doc_type"] not in metrics.NO_TYPE
    ]
    # Documents of one or two templates say how those are read, and nothing of the type.
    senders: dict[str, set[str]] = {}
    for d in labels:
        senders.setdefault(d["doc_type"], set()).add(str(d["group"]))
    labels = [d for d in labels if len(senders[d["doc_type"]]) >= MIN_GROUPS]
    trained_on = {
        name: {
            "documents": sum(d["doc_type"] == name for d in labels),
            "licence_class": sorted({d["licence_class"] for d in labels if d["doc_type"] == name}),
        }
        for name in sorted({d["doc_type"] for d in labels})
    }
    about = {"name": "alma-base", "trained_on": trained_on}
    asked.folds.mkdir(parents=True, exist_ok=True)
    if not asked.only_calibrate:
        groups: list[Group] = []
        with ProcessPoolExecutor() as pool:
            tasks = [(d, asked.data, asked.words) for d in labels]
            for each in progress(pool.map(_groups, tasks, chunksize=4), "Reading", total=len(tasks)):
                groups += each
        for fold in progress(range(FOLDS), "Training"):
            model = train([g for g in groups if g.fold != fold], about)
            (asked.folds / f"fold{fold}.onnx").write_bytes(model)
        (asked.out / BASE).write_bytes(train(groups, about))

    scorers = [Scorer((asked.folds / f"fold{fold}.onnx").read_bytes()) for fold in range(FOLDS)]
    samples: list[Sample] = []
    for document in progress(labels, "Choosing"):
        pages = words_of(document, asked.data, asked.words)
        samples += samples_of(document, pages, scorers[fold_of(document)])
    if len(samples) < 100:
        print("Fewer than 100 judged values: nothing to fit.", file=sys.stderr)
        return 1
    fitted, of_fold, found = calibrate(samples)
    print(json.dumps(found, indent=2))
    for fold, coefficients in enumerate(of_fold):
        (asked.folds / f"fold{fold}.json").write_text(json.dumps(coefficients, indent=1) + "\n")
    (asked.out / "calibration.json").write_text(
        json.dumps({"fitted_on": trained_on, "out_of_fold": found, **fitted}, indent=1) + "\n"
    )
    print(f"wrote {asked.out / BASE} and {asked.out / 'calibration.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
