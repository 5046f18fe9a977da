"""Train `alma-base`, the model that scores candidates, and fit the confidence of what it chooses.

    python -m scripts.train_base --data DIR [--data DIR …] [--words DIR] [--folds DIR] [--out DIR] [--resume]

DIR holds `labels.jsonl` and the documents (format: the README of such a folder). Only documents whose
`licence_class` is `open` or `public-record` are used, and none that is held out
(`scripts.labelled.labels.held_out`). The words of every document are read once, with the text layer and,
where a page needs it, character recognition, and cached under `--words`, in a folder named as that of the
data. Deeds composed at random (`scripts.made_deeds`) teach, too, and are never judged.

What is learnt, and from what: docs/extraction.md. Everything is drawn from seeds, so that the same documents
give the same model. Figures are out of fold: five folds over `group`, so that no template is both fitted and
judged; the models of the folds are saved under `--folds` for `benchmarks.accuracy --cross-validated`, and
beside them what each document offers, so that `--resume` goes on where a run was interrupted. The model that
ships is trained on all documents, its confidence is fitted on the choices of the fold models.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rich.progress import track as progress

from alma.datamodel.schemas import DocumentSchema, shipped_schemas
from alma.errors import AlmaError
from alma.extraction.resolve import layouts_by_track
from alma.extraction.scoring.confidence import UNNAMED
from alma.extraction.scoring.scorer import BASE, Scorer
from alma.extraction.scoring.track_candidates import TrackCandidates, candidates_by_track
from alma.extraction.selection import choose
from alma.extraction.values.names import value_of
from alma.learning import evaluation
from alma.learning.calibration import Sample, cross_fitted
from alma.learning.evaluation import LabelledValue
from alma.learning.metrics import confidence_measures
from alma.learning.model_file import Weights, write_model
from alma.learning.scorer_training import Group, train_member
from scripts import made_deeds
from scripts.labelled import metrics
from scripts.labelled.labels import FOLDS, MIN_GROUPS, LabelledFolder, fold_of, labelled_folders, words_of

USABLE = frozenset({"open", "public-record"})
OUT = Path(__file__).parent.parent / "layers/alma/alma/data"
#: Deeds composed at random, and what they are drawn from; they are in the training of every fold.
COMPOSED, SEED, NO_FOLD = 300, 11, -1
#: Members of the ensemble.
MEMBERS = 4


# --- training examples --------------------------------------------------------------------------------


class Offered(TrackCandidates):
    """The candidates of a track with all their features, without its pages: what is kept of them."""

    def __init__(self, found: TrackCandidates, schema: DocumentSchema) -> None:
        self.by_field, self.vision, self.locale = found.by_field, found.vision, found.locale
        self._features = {field.key: found.features(field) for field in schema.fields}


@dataclass(frozen=True, slots=True)
class Task:
    """A labelled document, where it and its words are, and where what it offers is kept."""

    document: dict[str, Any]
    data: Path
    words: Path
    kept: Path

    def offered(self) -> dict[str, TrackCandidates]:
        """Return what each track of the document offers, read once."""
        path = self.kept / f"{self.document['id']}.pickle"
        if path.exists():
            found: dict[str, TrackCandidates] = pickle.loads(path.read_bytes())
            return found
        schema = schema_of(self.document)
        tracks = candidates_by_track(layouts_by_track(words_of(self.document, self.data, self.words)), schema)
        found = {track: Offered(each, schema) for track, each in tracks.items()}
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(pickle.dumps(found))
        unfinished.replace(path)
        return found


def schema_of(document: Mapping[str, Any]) -> DocumentSchema:
    """Return the type of a labelled document."""
    named = str(document["doc_type"])
    return shipped_schemas()[metrics.TYPE_NAMES.get(named, named)]


def groups_of(task: Task) -> list[Group]:
    """Return the training groups of a labelled document; none where its file cannot be read."""
    document = task.document
    named, schema = str(document["doc_type"]), schema_of(document)
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
    try:
        tracks = task.offered()
    except AlmaError as error:
        print(f"{document['id']}: {error.detail}", file=sys.stderr)
        return []
    return list(
        evaluation.groups_of(
            tracks,
            schema,
            {key: each for key, each in labels.items() if key not in not_scored},
            metrics.complete_keys(document) - not_scored,
            NO_FOLD if document["group"] == made_deeds.GROUP else fold_of(document),
        )
    )


def composed(folder: Path, kept: Path) -> list[Task]:
    """Return deeds composed at random, their words put into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks = []
    for row, pages in made_deeds.documents(COMPOSED, SEED):
        (folder / f"{row['id']}.json").write_text(json.dumps([json.loads(page.to_json()) for page in pages]))
        tasks.append(Task(row, folder, folder, kept))
    return tasks


def usable(folders: Sequence[LabelledFolder], kept: Path) -> list[Task]:
    """Return the labelled documents a base may be trained on.

    Documents of one or two templates say how those are read, and nothing of the type.
    """
    tasks = [
        Task(d, folder.data, folder.words, kept)
        for folder in folders
        for d in folder.documents
        if d["licence_class"] in USABLE
        and d["doc_type"] not in metrics.NO_TYPE
        and d["id"] not in folder.held_out
    ]
    senders: dict[str, set[str]] = {}
    for task in tasks:
        senders.setdefault(task.document["doc_type"], set()).add(str(task.document["group"]))
    return [task for task in tasks if len(senders[task.document["doc_type"]]) >= MIN_GROUPS]


#: What processes that train inherit: it is too large to be sent to each.
_taught: list[Group] = []


def train(groups: Sequence[Group], about: Mapping[str, Any]) -> bytes:
    """Return the ONNX file of an ensemble trained on groups."""
    fields = sorted({g.name for g in groups})
    _taught[:] = groups
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("fork")) as pool:
        members = list(pool.map(_member, [fields] * MEMBERS, range(MEMBERS)))
    _taught.clear()
    return write_model(members, {**about, "fields": fields})


def _member(fields: Sequence[str], seed: int) -> Weights:
    return train_member(_taught, fields, seed)


# --- confidence -----------------------------------------------------------------------------------------


def samples_of(task: Task, model: Path) -> list[Sample]:
    """Return the judged readings of a document by a model, its type given."""
    document, schema = task.document, schema_of(task.document)
    samples = []
    for field, rows in choose(task.offered(), schema, _scorer(model)):
        for row in rows:
            for choice in row.values():
                item = {"key": field.key, "value": value_of(field, choice.candidate.value)}
                score = metrics.score_document(document, {"docType": schema.doc_type, "fields": [item]})
                for _, right in score.judged:
                    vector = choice.signals.vector()
                    samples.append(Sample(schema.doc_type, field.key, vector, right, fold_of(document)))
    return samples


@lru_cache(maxsize=FOLDS)
def _scorer(model: Path) -> Scorer:
    return Scorer(model.read_bytes())


def main() -> int:
    """Read, train, calibrate, report and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, action="append", help="may be given several times"
    )
    parser.add_argument("--words", type=Path, default=Path(tempfile.gettempdir()) / "alma-words")
    parser.add_argument("--folds", type=Path, default=Path(tempfile.gettempdir()) / "alma-folds")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--resume", action="store_true", help="keep what an interrupted run left in --folds")
    options = parser.parse_args()

    kept = options.folds / "offered"
    if not options.resume:
        shutil.rmtree(kept, ignore_errors=True)
        for path in options.folds.glob("fold*.onnx"):
            path.unlink()
    kept.mkdir(parents=True, exist_ok=True)
    tasks = usable(labelled_folders(options.data, options.words), kept)
    labels = [task.document for task in tasks]
    trained_on = {
        name: {
            "documents": sum(d["doc_type"] == name for d in labels),
            "licence_class": sorted({d["licence_class"] for d in labels if d["doc_type"] == name}),
        }
        for name in sorted({d["doc_type"] for d in labels})
    }
    about = {"name": "alma-base", "trained_on": trained_on}
    models = [options.folds / f"fold{fold}.onnx" for fold in range(FOLDS)]
    whole = options.folds / "fold-none.onnx"
    groups: list[Group] = []
    with ProcessPoolExecutor() as pool:
        teaching = [*tasks, *composed(options.folds / "composed", kept)]
        for each in progress(pool.map(groups_of, teaching, chunksize=4), "Reading", total=len(teaching)):
            groups += each
    for fold, path in progress([*enumerate(models), (None, whole)], "Training"):
        if not path.exists():
            path.write_bytes(train([g for g in groups if g.fold != fold], about))
    samples: list[Sample] = []
    with ProcessPoolExecutor() as pool:
        of_task = [models[fold_of(task.document)] for task in tasks]
        for found in progress(
            pool.map(samples_of, tasks, of_task, chunksize=4), "Choosing", total=len(tasks)
        ):
            samples += found
    if len(samples) < 100:
        print("Fewer than 100 judged values: nothing to fit.", file=sys.stderr)
        return 1
    fitted, of_fold, judged = cross_fitted(samples)
    measured = confidence_measures(judged)
    of_type = [s.doc_type for s in sorted(samples, key=lambda s: s.fold)]  # the order of what is judged
    by_type = {
        name: confidence_measures([j for t, j in zip(of_type, judged, strict=True) if t == name])
        for name in sorted({*of_type})
    }
    _, _, before = cross_fitted(samples, signals=UNNAMED)
    print(
        json.dumps(
            {"all": measured, **by_type, "all, by the first 16 signals": confidence_measures(before)},
            indent=2,
        )
    )
    for fold, coefficients in of_fold.items():
        (options.folds / f"fold{fold}.json").write_text(json.dumps(coefficients, indent=1) + "\n")
    (options.out / BASE).write_bytes(whole.read_bytes())
    (options.out / "calibration.json").write_text(
        json.dumps({"fitted_on": trained_on, "out_of_fold": measured, **fitted}, indent=1) + "\n"
    )
    print(f"wrote {options.out / BASE} and {options.out / 'calibration.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
