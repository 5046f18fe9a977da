"""Accuracy over the public path: files into the inbox, answers from the API, scored against labels.

`python -m benchmarks.accuracy --data DIR [--types a,b] [--limit N] [--json FILE] [--keep FOLDER]`

DIR holds `labels.jsonl` and the files it names (samples/ is one such folder); with `--cross-validated` or
`--held-out` several are measured together. An alma of its own is started for the run and thrown away; with
`--url`, `--key` and `--inbox` a running one is used instead. Documents are dropped type by type, all of a
type at once. How values and evidence are compared: scripts/labelled/metrics.py.

Every document counts: one that failed, was lost or became two is scored as one without any field, and
listed. Seconds per page are wall-clock time from the first file dropped to the last document finished, by the
pages of the documents that were read: the throughput of the machine, recognition of all pages included.

`--cross-validated FOLDS` measures on the very documents alma was trained on, and still on none it has seen:
every document is read with the models of its fold (`scripts.train_base` and `scripts.train_doctype` keep
them), which learnt from the others. That happens in this process, from the file to the fields, without the
API around it; `--words DIR` keeps the words that were recognised for the next time, in a folder named as that
of the data.

`--held-out WORDS` measures on the documents that are set aside (`scripts.labelled.labels.held_out`) with the
models that ship, which learnt from none of them; the type is found by the page model. WORDS keeps their
words.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from alma.cli.client import ApiError
from alma.datamodel.fields import Extraction, evidence_of
from alma.datamodel.pages import PageText
from alma.datamodel.schemas import shipped_schemas
from alma.errors import AlmaError
from alma.extraction.resolve import extract
from alma.extraction.scoring.confidence import load
from alma.extraction.scoring.scorer import Scorer
from benchmarks.installation import Connection, Installation, InstallationError, start_local
from scripts.labelled.labels import FOLDS, LabelledFolder, fold_of, labelled_folders, words_of
from scripts.labelled.metrics import TYPE_NAMES, DocumentScore, score_document, summarise

#: What a document that came to nothing is scored as; its type is wrong whatever is right.
NOTHING: dict[str, Any] = {"docType": "", "fields": []}

console = Console()


def main() -> int:
    """Measure and print; return 1 where a document was lost, doubled or failed by alma's own fault."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        action="append",
        help="labelled folder; may be given several times",
    )
    parser.add_argument("--types", help="only these document types, separated by commas")
    parser.add_argument("--limit", type=int, help="at most this many documents of each type, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of that draw (default 0)")
    parser.add_argument("--json", type=Path, help="write the summary to this file")
    parser.add_argument("--keep", type=Path, help="write every answer and all logs to this folder")
    parser.add_argument("--patience", type=float, default=300.0, help="seconds without progress to wait")
    parser.add_argument("--figures", type=Path, help="draw diagrams into this folder")
    folds = parser.add_argument_group("cross-validation")
    folds.add_argument("--cross-validated", type=Path, metavar="FOLDS", help="models of the folds")
    folds.add_argument("--words", type=Path, help="words recognised before, or to be kept")
    folds.add_argument(
        "--held-out", type=Path, metavar="WORDS", help="the documents set aside, with what ships"
    )
    running = parser.add_argument_group("use a running alma")
    running.add_argument("--url", help="of its API")
    running.add_argument("--key", help="API key of the organisation")
    running.add_argument("--inbox", help="s3://BUCKET/inbox/ORGANISATION/")
    running.add_argument("--endpoint-url", help="of AWS, for an alma on one machine")
    running.add_argument("--region", help="AWS region, if the environment does not say")
    options = parser.parse_args()
    if 0 < sum(bool(each) for each in (options.url, options.key, options.inbox)) < 3:
        parser.error("a running alma needs --url, --key and --inbox, all three")

    if len(options.data) > 1 and not (options.cross_validated or options.held_out):
        parser.error("several --data go with --cross-validated or --held-out")
    with contextlib.ExitStack() as stack:
        data, words = options.data[0], options.held_out or options.words
        words = words or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rows, folder_of = measured(options, words)
        if not rows:
            parser.error(f"no document of these types in {', '.join(map(str, options.data))}")
        if options.held_out:
            run = read_in_process([(d, folder_of[d["id"]]) for d in rows], read_as_shipped)
        elif options.cross_validated:
            run = cross_validate([(d, folder_of[d["id"]]) for d in rows], options.cross_validated)
        elif options.url:
            installation = Installation(
                Connection(options.url, options.key, options.inbox, options.endpoint_url, options.region)
            )
            run = measure(installation, data, rows, keep=options.keep, patience=options.patience)
        else:
            logs = options.keep / "logs" if options.keep else None
            _, installation = stack.enter_context(start_local(logs))
            run = measure(installation, data, rows, keep=options.keep, patience=options.patience)
    summary = run.summary()
    if options.figures:
        from benchmarks.figures import draw

        draw(run.scores, options.figures)
    print_summary(summary)
    for problem in run.problems:
        console.print(f"[red]✗[/] {problem}", highlight=False, soft_wrap=True)
    if options.json:
        options.json.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return 1 if run.faults else 0


def measured(
    options: argparse.Namespace, words: Path
) -> tuple[list[dict[str, Any]], dict[str, LabelledFolder]]:
    """Return the rows to measure, and by id the folder of each: those held out, those trained on, or all."""
    inside = options.cross_validated or options.held_out
    aside = options.held_out is not None
    folder_of: dict[str, LabelledFolder] = {}
    rows = []
    for folder in labelled_folders(options.data, words):
        for d in folder.documents:
            if not inside or (d["id"] in folder.held_out) is aside:
                rows.append(d)
                folder_of[d["id"]] = folder
    types = options.types.split(",") if options.types else None
    return chosen(rows, types, options.limit, options.seed), folder_of


def chosen(
    rows: Sequence[dict[str, Any]], types: Sequence[str] | None, limit: int | None, seed: int
) -> list[dict[str, Any]]:
    """Return the rows to measure, grouped by type; labelled names and alma's names of types both do."""
    by_type: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        named = row["doc_type"]
        if types is None or named in types or TYPE_NAMES.get(named, named) in types:
            by_type.setdefault(named, []).append(row)
    for name in sorted(by_type):
        if limit is not None and len(by_type[name]) > limit:
            by_type[name] = random.Random(seed).sample(by_type[name], limit)
    return [row for name in sorted(by_type) for row in by_type[name]]


@dataclass
class Run:
    """What was measured.

    Attributes
    ----------
    scores : list of DocumentScore
        One a document, whatever became of it.
    seconds, pages : dict of str to float, int
        Wall-clock time and pages read, by alma's name of the type.
    problems : list of str
        Documents that did not become ready, with the reason.
    faults : int
        How many of these are lost, doubled, or failures of alma's own.
    """

    scores: list[DocumentScore] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    faults: int = 0

    def summary(self) -> dict[str, Any]:
        """Return the summary as it is written to JSON."""
        pages = sum(self.pages.values())
        per_type = {name: self.seconds[name] / count for name, count in self.pages.items() if count}
        return summarise(self.scores, sum(self.seconds.values()) / pages if pages else None, per_type)


def measure(
    installation: Installation,
    data: Path,
    rows: Sequence[dict[str, Any]],
    *,
    keep: Path | None = None,
    patience: float = 300.0,
) -> Run:
    """Put documents through an alma, type by type, and score what it answers."""
    run = Run()
    stamp = f"{time.time_ns():x}"  # a running alma may have read these files before
    with _progress() as advance_of:
        for named in dict.fromkeys(row["doc_type"] for row in rows):
            batch = {
                f"{stamp}-{row['id']}{Path(row['file']).suffix}": row
                for row in rows
                if row["doc_type"] == named
            }
            advance = advance_of(named, len(batch))
            began = time.monotonic()
            for name, row in batch.items():
                installation.drop(data / row["file"], name)
            found = installation.wait(batch, patience=patience, progress=advance)
            doc_type = TYPE_NAMES.get(named, named)
            run.seconds[doc_type] = time.monotonic() - began
            run.pages[doc_type] = 0
            for name, row in batch.items():
                answer = _answer(installation, row["id"], found.get(name, []), run)
                if answer is not NOTHING:
                    run.pages[doc_type] += found[name][0]["pages"]
                run.scores.append(score_document(row, answer))
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{row['id']}.json").write_text(
                        json.dumps(answer, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
                    )
    return run


def cross_validate(rows: Sequence[tuple[dict[str, Any], LabelledFolder]], folds: Path) -> Run:
    """Read every document with the models that did not learn from its group, and score what they find."""
    readers = [FoldReader(folds, fold) for fold in range(FOLDS)]
    types = json.loads((folds / "types.json").read_text())
    return read_in_process(rows, lambda row, pages: readers[fold_of(row)].read(pages, types[row["id"]][0]))


def read_as_shipped(row: dict[str, Any], pages: list[PageText]) -> dict[str, Any]:
    """Return what the models that ship make of a document."""
    return _as_answered(extract(pages, shipped_schemas()))


def read_in_process(
    rows: Sequence[tuple[dict[str, Any], LabelledFolder]],
    read: Callable[[dict[str, Any], list[PageText]], dict[str, Any]],
) -> Run:
    """Read documents without the API around it, and score what is found."""
    run = Run()
    with _progress() as advance_of:
        for named in dict.fromkeys(row["doc_type"] for row, _ in rows):
            batch = [(row, folder) for row, folder in rows if row["doc_type"] == named]
            advance = advance_of(named, len(batch))
            for done, (row, folder) in enumerate(batch, start=1):
                try:
                    answer = read(row, words_of(row, folder.data, folder.words))
                except AlmaError as error:
                    run.problems.append(f"{row['id']} failed: {error.detail}")
                    answer = NOTHING
                run.scores.append(score_document(row, answer))
                advance(done)
    return run


class FoldReader:
    """alma with the models of one fold."""

    def __init__(self, folder: Path, fold: int) -> None:
        self.scorer = Scorer((folder / f"fold{fold}.onnx").read_bytes())
        self.calibration = load((folder / f"fold{fold}.json").read_text())

    def read(self, pages: list[PageText], doc_type: str) -> dict[str, Any]:
        """Return what the API would answer for a document told to be of a type, as far as it is scored."""
        schemas = shipped_schemas()
        if doc_type not in schemas:
            return {"docType": None, "fields": []}
        return _as_answered(
            extract(pages, schemas, doc_type, scorer=self.scorer, calibration=self.calibration)
        )


def _as_answered(found: Extraction) -> dict[str, Any]:
    """Return what the API would answer, as far as it is scored."""
    return {
        "docType": found.doc_type,
        "fields": [
            {
                "key": f.key,
                "value": f.best.value,
                "confidence": f.best.confidence,
                "evidence": evidence_of(f.best.regions),
            }
            for f in found.fields
        ],
    }


def _answer(
    installation: Installation, name: str, summaries: Sequence[dict[str, Any]], run: Run
) -> dict[str, Any]:
    """Return what alma says of a document, or NOTHING with the problem noted."""
    problem, fault = None, True
    if not summaries:
        problem = "lost: no document came of it"
    elif len(summaries) > 1:
        problem = f"became {len(summaries)} documents"
    elif summaries[0]["status"] == "processing":
        problem = "was still being read when patience ended"
    elif summaries[0]["status"] == "failed":
        fault = summaries[0]["error"] == "internal_error"
        problem = f"failed: {summaries[0]['error']}: {summaries[0]['detail']}"
    else:
        try:
            return installation.document(summaries[0]["documentId"])
        except ApiError as error:
            problem = f"its fields could not be fetched: {error.detail}"
    run.problems.append(f"{name} {problem}")
    run.faults += fault
    return NOTHING


def print_summary(summary: dict[str, Any]) -> None:
    """Print the summary as tables."""
    fields = Table("type", "field", "precision", "recall", "F1", "n", box=None)
    for doc_type, block in summary["types"].items():
        for number, (key, scores) in enumerate(block["fields"].items()):
            figures = [_share(scores[name]) for name in ("precision", "recall", "f1")]
            fields.add_row("" if number else doc_type, key, *figures, str(scores["n"]))
    console.print(fields)
    quality = Table("type", "documents", "type right", "F1", "evidence", "s/page", box=None)
    trust = Table("type", "wrong values", "ECE", "AUROC", "coverage at 99 %", "at 95 %", box=None)
    for doc_type, block in [*summary["types"].items(), ("[bold]all[/]", summary)]:
        shares = [_share(block[name]) for name in ("doctype_accuracy", "micro_f1", "evidence")]
        seconds = "–" if block["seconds_per_page"] is None else f"{block['seconds_per_page']:.2f}"
        quality.add_row(doc_type, str(block["documents"]), *shares, seconds)
        wrong = "–" if block["errors"] is None else str(block["errors"])
        figures = [_share(block[name]) for name in ("ece", "auroc", "coverage_at_99", "coverage_at_95")]
        trust.add_row(doc_type, wrong, *figures)
    console.print(quality)
    console.print(trust)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Show a bar per type; yields a function that begins one and returns how to advance it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:

        def begin(name: str, total: int) -> Callable[[int], None]:
            task = bar.add_task(name, total=total)
            return lambda done: bar.update(task, completed=done)

        yield begin


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (InstallationError, ApiError) as refusal:
        sys.exit(f"accuracy: {refusal}")
