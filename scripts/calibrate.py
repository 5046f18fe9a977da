"""Fit the confidence of extracted values on labelled documents.

    python -m scripts.calibrate --data DIR [--words DIR] [--out FILE]

DIR holds `labels.jsonl` and the documents (format: the README of such a folder). Only documents whose
`licence_class` is `open` or `public-record` are used. The words of every document are read once, with the
text layer and, where a page needs it, character recognition, and kept under `--words`.

The model is a logistic regression on `Signals.vector` and on the agreement of two tracks, with a bias for
each type and field that is drawn to zero where there is little data (ridge penalty). The figures printed and
stored are out of fold: five folds over `group`, so that no template is both fitted and judged.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track as progress

from alma.errors import AlmaError
from alma.extraction.resolve import agreement, choices, layouts_by_track, value_of
from alma.files.isolation import read_file
from alma.pages import PageText
from alma.schemas import shipped_schemas
from alma.settings import Settings
from benchmarks import metrics

USABLE = frozenset({"open", "public-record"})
OUT = Path(__file__).parent.parent / "layers/alma/alma/data/calibration.json"
MODELS = Path(__file__).parent.parent / "layers/vision/models"
FOLDS = 5
#: Groups of documents (templates, senders) a type needs before its confidence is stated at all.
MIN_GROUPS = 5
#: Penalties: on weights, on the bias of a type, on the bias of a field.
RIDGE = (0.5, 0.5, 1.0)
SIGNALS = ("score", "margin", "support", "quality")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """One value that was read, and whether it is right."""

    doc_type: str
    key: str
    vector: tuple[float, ...]
    agrees: bool | None
    right: bool
    fold: int


def words_of(document: Mapping[str, Any], data: Path, kept: Path, pages: int) -> list[PageText]:
    """Return the words of a document's first pages, read now or before."""
    path = kept / f"{document['id']}.json"
    if path.exists():
        return [PageText.from_json(json.dumps(page)) for page in json.loads(path.read_text())]
    from alma.extraction.ocr import Recognizer

    found: list[PageText] = []
    recognizer: Recognizer | None = None
    with read_file(data / document["file"], Settings()) as file:
        for page in file:
            if page.number > pages or page.error is not None:
                continue
            if page.text is not None:
                found.append(page.text)
            if page.needs_vision:
                recognizer = recognizer or Recognizer(MODELS)
                with Image.open(page.image) as image:
                    found.append(recognizer.read(image, page.number))
    kept.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([json.loads(page.to_json()) for page in found]))
    return found


def samples_of(document: Mapping[str, Any], pages: list[PageText]) -> Iterator[Sample]:
    """Yield the judged readings of a document, its type given."""
    named = document["doc_type"]
    schema = shipped_schemas().get(metrics.TYPE_NAMES.get(named, named))
    if schema is None:
        return
    fold = zlib.crc32(str(document["group"]).encode()) % FOLDS
    for field, rows in choices(layouts_by_track(pages), schema):
        for row in rows:
            for choice in row.values():
                item = {"key": field.key, "value": value_of(field, choice)}
                score = metrics.score_document(document, {"docType": schema.doc_type, "fields": [item]})
                for _, right in score.judged:
                    yield Sample(
                        schema.doc_type, field.key, choice.signals.vector(), agreement(row), right, fold
                    )


class Model:
    """The logistic regression over samples: design matrix and Newton's method."""

    def __init__(self, samples: list[Sample]) -> None:
        self.types = sorted({s.doc_type for s in samples})
        self.keys = sorted({(s.doc_type, s.key) for s in samples})
        self.shared = 1 + len(SIGNALS) + 2
        penalty = [1e-6, *[RIDGE[0]] * (self.shared - 1)]
        self.penalty = np.array(penalty + [RIDGE[1]] * len(self.types) + [RIDGE[2]] * len(self.keys))

    def matrix(self, samples: list[Sample]) -> Array:
        """Return one row a sample: constant, signals, agreement, type, field."""
        x = np.zeros((len(samples), len(self.penalty)))
        for row, s in zip(x, samples, strict=True):
            row[0] = 1.0
            row[1 : 1 + len(SIGNALS)] = s.vector
            if s.agrees is not None:
                row[1 + len(SIGNALS) + (not s.agrees)] = 1.0
            row[self.shared + self.types.index(s.doc_type)] = 1.0
            row[self.shared + len(self.types) + self.keys.index((s.doc_type, s.key))] = 1.0
        return x

    def fit(self, x: Array, y: Array) -> Array:
        """Return the coefficients of the penalised maximum likelihood."""
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
        signals = w[1 : 1 + len(SIGNALS)]
        same, other = w[1 + len(SIGNALS) : self.shared]
        return {
            "signals": list(SIGNALS),
            "weights": [round(float(v), 4) for v in signals],
            "agreement": {"same": round(float(same), 4), "other": round(float(other), 4)},
            "biases": dict(sorted(biases.items())),
        }


def out_of_fold(model: Model, samples: list[Sample]) -> list[tuple[float, bool]]:
    """Return each sample's probability from a model fitted on the other folds, and whether it is right."""
    x = model.matrix(samples)
    y = np.array([float(s.right) for s in samples])
    folds = np.array([s.fold for s in samples])
    judged: Array = np.zeros(len(samples))
    for fold in range(FOLDS):
        test = folds == fold
        judged[test] = 1 / (1 + np.exp(-x[test] @ model.fit(x[~test], y[~test])))
    return [(float(p), s.right) for p, s in zip(judged, samples, strict=True)]


def main() -> int:
    """Read, fit, report and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--words", type=Path, default=Path(tempfile.gettempdir()) / "alma-words")
    parser.add_argument("--pages", type=int, default=40, help="pages read of each document")
    parser.add_argument("--only-kept", action="store_true", help="use the words under --words, read no more")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()

    labels = [json.loads(line) for line in (asked.data / "labels.jsonl").read_text().splitlines()]
    labels = [d for d in labels if d["licence_class"] in USABLE and d["doc_type"] not in metrics.NO_TYPE]
    groups: dict[str, set[str]] = {}
    for d in labels:
        groups.setdefault(d["doc_type"], set()).add(str(d["group"]))
    # Documents of one or two templates say how those are read, and nothing of the type.
    labels = [d for d in labels if len(groups[d["doc_type"]]) >= MIN_GROUPS]
    if asked.only_kept:
        labels = [d for d in labels if (asked.words / f"{d['id']}.json").exists()]
    samples: list[Sample] = []
    for document in progress(labels, "Reading"):
        try:
            pages = words_of(document, asked.data, asked.words, asked.pages)
        except AlmaError as error:
            print(f"{document['id']}: {error.detail}", file=sys.stderr)
            continue
        samples += samples_of(document, pages)
    if len(samples) < 100:
        print("Fewer than 100 judged values: nothing to fit.", file=sys.stderr)
        return 1

    model = Model(samples)
    judged = out_of_fold(model, samples)
    measures = {
        "values": len(judged),
        "errors": sum(not right for _, right in judged),
        "ece": metrics.calibration_error(judged),
        "auroc": metrics.auroc(judged),
        "coverage_at_99": metrics.coverage_at(judged, 0.99),
        "coverage_at_95": metrics.coverage_at(judged, 0.95),
    }
    measures = {k: v if v is None else round(v, 4) for k, v in measures.items()}
    print(json.dumps(measures, indent=2))
    fitted = model.as_json(model.fit(model.matrix(samples), np.array([float(s.right) for s in samples])))
    fitted_on = {
        name: {
            "documents": sum(d["doc_type"] == name for d in labels),
            "licence_class": sorted({d["licence_class"] for d in labels if d["doc_type"] == name}),
        }
        for name in sorted({d["doc_type"] for d in labels})
    }
    asked.out.write_text(
        json.dumps(
            {"fitted_on": fitted_on, "out_of_fold": measures, **fitted},
            indent=1,
        )
        + "\n"
    )
    print(f"wrote {asked.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
