"""The flywheel: how much better an organisation's own model reads, by the number of documents it corrected.

`python -m benchmarks.flywheel --data DIR [--types a,b] [--steps 0,10,25,50,80] [--json FILE] [--figure FILE]`

For each type, alma is started with a base model that never saw the type: trained on the other types of DIR
alone. The base's confidence knows nothing of the type either, but for the weights of its signals, which are
the shipped ones. An organisation that has such documents then does what it would do,
through the public API only:

1. It describes the type (`PUT /v1/schemas/TYPE`) in a few lines, as somebody who has seen three of the
   documents (`benchmarks/flywheel_types`; `--schemas shipped` takes the definition that comes with alma,
   whose labels and rules were tuned on documents like these), and uploads its documents.
2. A clerk corrects the first 10, 25, 50, 80 of them, drawn at random: accepts what is right, edits what is
   wrong or stands elsewhere, adds what is missing with a box, rejects what is not there; the labels of DIR
   are what the clerk knows.
3. It trains (`POST /v1/models`) and has the documents nobody corrected read by the model
   (`POST /v1/models/ID/digitize`). Every step is judged on the same documents: those not among the 80.

Step 0 is what the base reads. A model that is rejected leaves the base's reading in place. Values are
compared as in scripts/labelled/metrics.py. Coverage at 99 % counts values without a confidence as not
covered.

Training of the bases and the first reading of all words takes a while; both are kept under `--cache`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track as progress
from rich.table import Table

from alma.cli.client import ApiError, Client
from alma.cli.correct import Truth, correct
from alma.datamodel.schemas import shipped_schemas
from alma.extraction.scoring.confidence import CALIBRATION
from alma.extraction.scoring.features import BUCKETS, DENSE
from alma.extraction.scoring.scorer import BASE
from alma.learning.evaluation import canonical
from alma.learning.metrics import coverage_at
from benchmarks.installation import Installation, InstallationError, start_local
from scripts import train_base
from scripts.labelled import metrics
from scripts.labelled.labels import LabelledFolder, read_labels

TYPES = ("ad_buy_form", "registration_form", "receipt")
STEPS = (0, 10, 25, 50, 80)
PLAIN = Path(__file__).parent / "flywheel_types"
#: Seconds a training may take before the run is given up, and documents read at the same time.
PATIENCE, PARALLEL = 900, 2

console = Console()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="labelled folder")
    parser.add_argument("--types", default=",".join(TYPES), help="document types, separated by commas")
    parser.add_argument("--steps", default=",".join(map(str, STEPS)), help="corrected documents")
    parser.add_argument("--limit", type=int, help="judge at most this many documents of each type")
    parser.add_argument("--seed", type=int, default=0, help="of the order in which documents are corrected")
    parser.add_argument("--schemas", choices=("plain", "shipped"), default="plain")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "alma-flywheel")
    parser.add_argument("--words", type=Path, help="words recognised before (default: below --cache)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--figure", type=Path, help="draw the curves into this file")
    options = parser.parse_args()
    steps = sorted({int(step) for step in options.steps.split(",")} | {0})
    rows = read_labels(options.data)
    results = {}
    for doc_type in options.types.split(","):
        own = [row for row in rows if _type_of(row) == doc_type]
        if len(own) <= steps[-1]:
            parser.error(f"{doc_type}: {len(own)} documents are too few for {steps[-1]} corrected ones")
        others = [row for row in rows if _type_of(row) != doc_type]
        base = base_without(doc_type, others, options.data, options.cache, options.words)
        random.Random(options.seed).shuffle(own)
        own = own[: steps[-1] + options.limit] if options.limit else own
        with start_local(options.cache / "logs", parameters={"BaseDir": str(base)}) as (_, installation):
            run = Organisation(
                installation, doc_type, options.data, own, definition(doc_type, options.schemas)
            )
            results[doc_type] = run.turn(steps)
        print_type(doc_type, results[doc_type])
    figures = summary(results)
    if options.figure:
        from benchmarks.figures import draw_flywheel

        draw_flywheel(figures["types"], options.figure)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def _type_of(row: Mapping[str, Any]) -> str:
    named = str(row["doc_type"])
    return metrics.TYPE_NAMES.get(named, named)


def definition(doc_type: str, which: str) -> dict[str, Any]:
    """Return what the organisation sends as the type's definition."""
    if which == "plain":
        return dict(json.loads((PLAIN / f"{doc_type}.json").read_text(encoding="utf-8")))
    return shipped_schemas()[doc_type].definition.model_dump(mode="json", exclude_defaults=True)


# --- a base that never saw the type ---------------------------------------------------------------------


def base_without(
    doc_type: str, others: Sequence[dict[str, Any]], data: Path, cache: Path, words: Path | None
) -> Path:
    """Return a folder with a base model and a calibration that know nothing of a type."""
    kept = cache / "offered"
    folder_of = LabelledFolder(data, words or cache / "words", list(others), frozenset())
    tasks = train_base.usable([folder_of], kept)
    usable = [task.document for task in tasks]
    told = zlib.crc32(json.dumps([sorted(row["id"] for row in usable), DENSE, BUCKETS]).encode())
    folder = cache / f"without-{doc_type}-{told:08x}"
    if (folder / CALIBRATION).is_file():
        return folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    kept.mkdir(exist_ok=True)
    groups = []
    with ProcessPoolExecutor() as pool:
        read = pool.map(train_base.groups_of, tasks, chunksize=4)
        for each in progress(read, f"Base without {doc_type}", total=len(tasks), console=console):
            groups += each
    about = {"name": "alma-base", "trained_on": sorted({_type_of(row) for row in usable})}
    (folder / BASE).write_bytes(train_base.train(groups, about))
    calibration = json.loads((train_base.OUT / CALIBRATION).read_text())
    calibration["biases"] = {
        name: bias for name, bias in calibration["biases"].items() if name.partition(".")[0] != doc_type
    }
    (folder / CALIBRATION).write_text(json.dumps(calibration))
    return folder.resolve()


# --- the organisation -----------------------------------------------------------------------------------


Answers = list[tuple[dict[str, Any], dict[str, Any]]]


@dataclass
class Step:
    """What was measured after some documents were corrected.

    Attributes
    ----------
    corrected : int
        Number of documents.
    answers : list of (dict, dict)
        Labels and answer of each document that is judged.
    status : str
        Of the model; `base` for step 0.
    seconds : float
        From asking for the training to its end.
    actions : Counter
        What the clerk did since the step before.
    card : dict
        The model's.
    """

    corrected: int
    answers: Answers
    status: str = "base"
    seconds: float = 0.0
    actions: Counter[str] = field(default_factory=Counter)
    card: dict[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, Any]:
        """Micro F1, and the share of values above a threshold of 99 % precision."""
        scores = [metrics.score_document(*pair) for pair in self.answers]
        judged = [pair for score in scores for pair in score.judged]
        known = [(c, right) for c, right in judged if c is not None]
        covered = (coverage_at(known, 0.99) or 0.0) * len(known)
        return {
            "corrected": self.corrected,
            "micro_f1": metrics.summarise(scores)["micro_f1"] or 0.0,
            "coverage_at_99": round(covered / len(judged), 4) if judged else 0.0,
        }

    @property
    def on_page(self) -> float:
        """Micro F1 without the values that were found nowhere on the page when they were labelled."""
        scores = []
        for labels, answer in self.answers:
            fields = [label if label.get("bbox") else label | {"weak": True} for label in labels["fields"]]
            scores.append(metrics.score_document(labels | {"fields": fields}, answer))
        return float(metrics.summarise(scores)["micro_f1"] or 0.0)


class Organisation:
    """An organisation with documents of one type, doing what its people do over HTTP."""

    def __init__(
        self,
        installation: Installation,
        doc_type: str,
        data: Path,
        rows: Sequence[dict[str, Any]],
        schema: dict[str, Any],
    ) -> None:
        self._client: Client = installation.client
        self._doc_type, self._rows = doc_type, rows
        self._client.call("PUT", f"/schemas/{doc_type}", schema)
        self._ids: dict[str, int] = {}
        for row in progress(rows, f"Uploading {doc_type}", console=console):
            self._ids[row["id"]] = self._client.upload(
                data / row["file"], lambda _: None, split=False, doc_type=doc_type
            )

    def turn(self, steps: Sequence[int]) -> list[Step]:
        """Return what each step gave."""
        for row in progress(self._rows, f"Reading {self._doc_type}", console=console):
            self._client.wait(self._ids[row["id"]])
        judged = self._rows[steps[-1] :]
        base = self._read(judged, lambda number: self._client.call("GET", f"/documents/{number}"))
        found = [Step(0, base)]
        done = 0
        for count in steps[1:]:
            actions: Counter[str] = Counter()
            for row in progress(self._rows[done:count], f"Correcting to {count}", console=console):
                actions += correct_by_labels(self._client, self._ids[row["id"]], row)
            done = count
            step = self._train(count, judged)
            step.actions = actions
            if step.status != "ready":
                step.answers = base
            found.append(step)
        return found

    def _train(self, corrected: int, judged: Sequence[dict[str, Any]]) -> Step:
        began = time.monotonic()
        body = {"name": f"{self._doc_type} after {corrected}", "docType": self._doc_type}
        model = self._client.call("POST", "/models", body)
        while model["status"] == "training":
            if time.monotonic() - began > PATIENCE:
                raise InstallationError(f"the training of {model['id']} does not end")
            time.sleep(0.5)
            model = self._client.call("GET", f"/models/{model['id']}")
        step = Step(corrected, [], model["status"], time.monotonic() - began, card=model.get("card") or {})
        if model["status"] == "failed":
            console.print(f"[red]{model['id']} failed:[/] {model['detail']}")
        if model["status"] == "ready":
            path = f"/models/{model['id']}/digitize"
            step.answers = self._read(
                judged, lambda number: self._client.call("POST", path, {"documentId": number})
            )
        return step

    def _read(self, rows: Sequence[dict[str, Any]], read: Callable[[int], dict[str, Any]]) -> Answers:
        with ThreadPoolExecutor(PARALLEL) as pool:
            answers = list(pool.map(lambda row: read(self._ids[row["id"]]), rows))
        return list(zip(rows, answers, strict=True))


def correct_by_labels(client: Client, document_id: int, labels: dict[str, Any]) -> Counter[str]:
    """Do what a clerk does who knows a document's labels; return what was done how often."""
    named, holding = str(labels["doc_type"]), labels.get("bbox_origin") == metrics.HOLDING
    schema = shipped_schemas()[_type_of(labels)]
    unsure = {
        label["key"]
        for label in labels["fields"]
        if label.get("weak") or label.get("field_type") == "checkbox"
    }
    label_of = {Truth.of(label): label for label in labels["fields"] if label["key"] not in unsure}

    def same(shown: Mapping[str, Any], truth: Truth) -> bool:
        kind = schema.field(truth.key)
        wanted = metrics.expected(named, label_of[truth], kind.type if kind else None)
        return shown["value"] is not None and canonical(shown["value"]) == wanted

    def there(shown: Mapping[str, Any], truth: Truth) -> bool:
        return truth.box is None or metrics.evidence_hits(shown["evidence"], label_of[truth], holding=holding)

    return correct(
        client,
        document_id,
        list(label_of),
        complete=metrics.complete_keys(labels),
        left_out=frozenset(unsure),
        same=same,
        there=there,
    )


# --- results --------------------------------------------------------------------------------------------


def summary(results: Mapping[str, Sequence[Step]]) -> dict[str, Any]:
    """Return the figures as they are written to JSON; `train_seconds_80` is that of the slowest type."""
    seconds = [step.seconds for steps in results.values() for step in steps if step.corrected == STEPS[-1]]
    return {
        "train_seconds_80": round(max(seconds), 1) if seconds else None,
        "types": {name: [step.figures for step in steps] for name, steps in results.items()},
    }


def print_type(doc_type: str, steps: Sequence[Step]) -> None:
    """Print the table of one type."""
    table = Table(
        doc_type,
        "F1",
        "errors gone",
        "F1, values on the page",
        "coverage at 99 %",
        "model",
        "seconds",
        "F1 on holdout",
        "clerk",
        box=None,
    )
    start = 1 - steps[0].figures["micro_f1"]
    for step in steps:
        figures = step.figures
        gone = 1 - (1 - figures["micro_f1"]) / start if start else 0.0
        table.add_row(
            str(step.corrected),
            f"{figures['micro_f1']:.3f}",
            f"{gone:.0%}",
            f"{step.on_page:.3f}",
            f"{figures['coverage_at_99']:.3f}",
            step.status,
            f"{step.seconds:.0f}" if step.seconds else "",
            f"{step.card['before']['micro_f1']:.3f} → {step.card['after']['micro_f1']:.3f}"
            if step.card
            else "",
            ", ".join(f"{count} {action}" for action, count in sorted(step.actions.items())),
        )
    console.print(table)
    console.print(f"{len(steps[0].answers)} documents judged")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (InstallationError, ApiError) as refusal:
        sys.exit(f"flywheel: {refusal}")
