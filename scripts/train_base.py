"""Train `alma-base`, the model that scores candidates, and fit the confidence of what it chooses.

    python -m scripts.train_base --data DIR [--words DIR] [--folds DIR] [--out DIR]

DIR holds `labels.jsonl` and the documents (format: the README of such a folder). Only documents whose
`licence_class` is `open` or `public-record` are used. The words of every document are read once, with the
text layer and, where a page needs it, character recognition, and cached under `--words`.

What is learnt, and from what: docs/extraction.md. Everything is drawn from seeds, so that the same documents
give the same model. Figures are out of fold: five folds over `group`, so that no template is both fitted and
judged; the models of the folds are saved under `--folds` for `benchmarks.accuracy --cross-validated`. The
model that ships is trained on all documents, its confidence is fitted on the choices of the fold models.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from rich.progress import track as progress

from alma.datamodel.pages import PageText
from alma.datamodel.schemas import shipped_schemas
from alma.errors import AlmaError
from alma.extraction.resolve import layouts_by_track
from alma.extraction.scoring.confidence import UNNAMED
from alma.extraction.scoring.scorer import BASE, Scorer
from alma.extraction.scoring.track_candidates import candidates_by_track
from alma.extraction.selection import choose
from alma.extraction.values.names import value_of
from alma.learning import evaluation
from alma.learning.calibration import Sample, cross_fitted
from alma.learning.evaluation import LabelledValue
from alma.learning.metrics import confidence_measures
from alma.learning.model_file import write_model
from alma.learning.scorer_training import Group, train_member
from scripts.labelled import metrics
from scripts.labelled.labels import FOLDS, fold_of, read_labels, words_of

USABLE = frozenset({"open", "public-record"})
OUT = Path(__file__).parent.parent / "layers/alma/alma/data"
#: Members of the ensemble.
MEMBERS = 4
#: Groups of documents (templates, senders) a type needs before it is trained on and its confidence stated.
MIN_GROUPS = 5


# --- training examples --------------------------------------------------------------------------------


def groups_of(document: Mapping[str, Any], pages: list[PageText]) -> Iterator[Group]:
    """Yield the training groups of a labelled document."""
    named = str(document["doc_type"])
    schema = shipped_schemas()[metrics.TYPE_NAMES.get(named, named)]
    holding = document.get("bbox_origin") == metrics.HOLDING
    labels: dict[str, list[LabelledValue]] = {}
    not_scored: set[str] = set()
    for row in document["fields"]:
        field = schema.field(metrics.KEY_NAMES.get((named, row["key"]), row["key"]))
        if field is None:
            continue
        if row.get("weak") or row.get("field_type") == "checkbox":
            not_scored.add(field.key)
        value = metrics.expected(named, row, field.type)
        labels.setdefault(field.key, []).append(metrics.label_of(value, row, holding=holding))
    return evaluation.groups_of(
        candidates_by_track(layouts_by_track(pages), schema),
        schema,
        {key: each for key, each in labels.items() if key not in not_scored},
        metrics.complete_keys(document) - not_scored,
        fold_of(document),
    )


def groups_of_file(task: tuple[dict[str, Any], Path, Path]) -> list[Group]:
    """Return the training groups of a task: a labelled document, its folder and the cache of words."""
    document, data, words = task
    try:
        return list(groups_of(document, words_of(document, data, words)))
    except AlmaError as error:
        print(f"{document['id']}: {error.detail}", file=sys.stderr)
        return []


def usable(labels: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the labelled documents a base may be trained on.

    Documents of one or two templates say how those are read, and nothing of the type.
    """
    labels = [d for d in labels if d["licence_class"] in USABLE and d["doc_type"] not in metrics.NO_TYPE]
    senders: dict[str, set[str]] = {}
    for d in labels:
        senders.setdefault(d["doc_type"], set()).add(str(d["group"]))
    return [d for d in labels if len(senders[d["doc_type"]]) >= MIN_GROUPS]


def train(groups: Sequence[Group], about: Mapping[str, Any]) -> bytes:
    """Return the ONNX file of an ensemble trained on groups."""
    fields = sorted({g.name for g in groups})
    with ProcessPoolExecutor() as pool:
        members = list(
            pool.map(train_member, *zip(*((groups, fields, n) for n in range(MEMBERS)), strict=True))
        )
    return write_model(members, {**about, "fields": fields})


# --- confidence -----------------------------------------------------------------------------------------


def samples_of(document: Mapping[str, Any], pages: list[PageText], scorer: Scorer) -> Iterator[Sample]:
    """Yield the judged readings of a document, its type given."""
    named = document["doc_type"]
    schema = shipped_schemas()[metrics.TYPE_NAMES.get(named, named)]
    tracks = candidates_by_track(layouts_by_track(pages), schema)
    for field, rows in choose(tracks, schema, scorer):
        for row in rows:
            for choice in row.values():
                item = {"key": field.key, "value": value_of(field, choice.candidate.value)}
                score = metrics.score_document(document, {"docType": schema.doc_type, "fields": [item]})
                for _, right in score.judged:
                    yield Sample(
                        schema.doc_type, field.key, choice.signals.vector(), right, fold_of(document)
                    )


def main() -> int:
    """Read, train, calibrate, report and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--words", type=Path, default=Path(tempfile.gettempdir()) / "alma-words")
    parser.add_argument("--folds", type=Path, default=Path(tempfile.gettempdir()) / "alma-folds")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only-calibrate", action="store_true", help="keep the models that are there")
    options = parser.parse_args()

    labels = usable(read_labels(options.data))
    trained_on = {
        name: {
            "documents": sum(d["doc_type"] == name for d in labels),
            "licence_class": sorted({d["licence_class"] for d in labels if d["doc_type"] == name}),
        }
        for name in sorted({d["doc_type"] for d in labels})
    }
    about = {"name": "alma-base", "trained_on": trained_on}
    options.folds.mkdir(parents=True, exist_ok=True)
    if not options.only_calibrate:
        groups: list[Group] = []
        with ProcessPoolExecutor() as pool:
            tasks = [(d, options.data, options.words) for d in labels]
            for each in progress(pool.map(groups_of_file, tasks, chunksize=4), "Reading", total=len(tasks)):
                groups += each
        for fold in progress(range(FOLDS), "Training"):
            model = train([g for g in groups if g.fold != fold], about)
            (options.folds / f"fold{fold}.onnx").write_bytes(model)
        (options.out / BASE).write_bytes(train(groups, about))

    scorers = [Scorer((options.folds / f"fold{fold}.onnx").read_bytes()) for fold in range(FOLDS)]
    samples: list[Sample] = []
    for document in progress(labels, "Choosing"):
        pages = words_of(document, options.data, options.words)
        samples += samples_of(document, pages, scorers[fold_of(document)])
    if len(samples) < 100:
        print("Fewer than 100 judged values: nothing to fit.", file=sys.stderr)
        return 1
    fitted, of_fold, judged = cross_fitted(samples)
    found = confidence_measures(judged)
    of_type = [s.doc_type for s in sorted(samples, key=lambda s: s.fold)]  # the order of what is judged
    by_type = {
        name: confidence_measures([j for t, j in zip(of_type, judged, strict=True) if t == name])
        for name in sorted({*of_type})
    }
    _, _, before = cross_fitted(samples, signals=UNNAMED)
    print(
        json.dumps(
            {"all": found, **by_type, "all, by the first 16 signals": confidence_measures(before)}, indent=2
        )
    )
    for fold, coefficients in of_fold.items():
        (options.folds / f"fold{fold}.json").write_text(json.dumps(coefficients, indent=1) + "\n")
    (options.out / "calibration.json").write_text(
        json.dumps({"fitted_on": trained_on, "out_of_fold": found, **fitted}, indent=1) + "\n"
    )
    print(f"wrote {options.out / BASE} and {options.out / 'calibration.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
