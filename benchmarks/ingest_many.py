"""Nothing lost, nothing twice, nothing left hanging: many files through the drop folder of one machine.

Two runs, both on an alma of their own that is started for them and thrown away:

`python -m benchmarks.ingest_many --data DIR --count 200 [--kill]`
    Drops documents of a labelled folder in one go. With `--kill` the runtime is killed (SIGKILL) half-way and
    started again. Every file must become exactly one document that is ready, or failed with a slug.

`python -m benchmarks.ingest_many --torture DIR`
    Drops every file of a folder of odd files, one after the other, and measures time and memory. Where the
    folder has a MANIFEST.json with expected outcomes, they are compared.

The exit status is 1 where that does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from alma.cli.client import ApiError
from benchmarks.installation import (
    Installation,
    InstallationError,
    LocalProcess,
    functions_below,
    resident_bytes,
    start_local,
)
from scripts.labelled.labels import read_labels

#: Without any page read for so long, an odd file hangs; many files at once may wait longer for their turn.
HANG_SECONDS, MANY_SECONDS = 30.0, 300.0
MEMORY_BYTES = 1.5e9

console = Console()


def main() -> int:
    """Run what the options ask for; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, help="labelled folder (labels.jsonl) to take documents from")
    what.add_argument("--torture", type=Path, help="folder of odd files")
    parser.add_argument("--count", type=int, default=200, help="number of documents (default 200)")
    parser.add_argument("--kill", action="store_true", help="kill the runtime half-way and start it again")
    parser.add_argument(
        "--patience", type=float, help="seconds without any page read to wait (default 300; odd files 30)"
    )
    parser.add_argument("--json", type=Path, help="write the outcome of every file here")
    parser.add_argument("--logs", type=Path, help="folder for the runtime's log files")
    options = parser.parse_args()
    with start_local(options.logs) as (process, installation):
        if options.torture:
            report = torture(process, installation, options.torture, options.patience or HANG_SECONDS)
        else:
            files = spread(options.data, options.count)
            patience = options.patience or MANY_SECONDS
            report = many(process, installation, files, kill=options.kill, patience=patience)
    if options.json:
        options.json.write_text(json.dumps(report.outcomes, indent=1) + "\n")
    for problem in report.problems:
        console.print(f"[red]✗[/] {problem}", highlight=False, soft_wrap=True)
    if not report.problems:
        console.print("[green]✓[/] none lost, none twice, every one ready or failed with a reason")
    return 1 if report.problems else 0


@dataclass
class Report:
    """What came of the files."""

    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def spread(data: Path, count: int) -> dict[str, Path]:
    """Return `count` documents of a labelled folder, all types in turn, by the name to drop them under."""
    by_type: dict[str, list[tuple[str, Path]]] = {}
    for row in read_labels(data):
        path = data / row["file"]
        by_type.setdefault(row["doc_type"], []).append((f"{row['id']}{path.suffix}", path))
    chosen: dict[str, Path] = {}
    lists = list(by_type.values())
    while lists and len(chosen) < count:
        for each in lists:
            if len(chosen) < count:
                name, path = each.pop(0)
                chosen[name] = path
        lists = [each for each in lists if each]
    return chosen


def many(
    process: LocalProcess,
    installation: Installation,
    files: dict[str, Path],
    *,
    kill: bool,
    patience: float,
) -> Report:
    """Drop all files at once and see what they become, with a kill in between if asked for."""
    started = time.monotonic()
    for name, path in files.items():
        installation.drop(path, name)
    console.print(f"{len(files)} files dropped in {time.monotonic() - started:.1f} s")
    with _memory(process) as memory, _progress() as bar:
        task = bar.add_task("read", total=len(files))
        half = len(files) // 2
        reached = [0]

        def advance(done: int) -> None:
            reached[0] = done
            bar.update(task, completed=done)

        if kill:
            installation.wait(files, patience=patience, progress=advance, alive=lambda: reached[0] < half)
            process.kill()
            bar.console.print(f"killed with {reached[0]} of {len(files)} finished; starting again")
            again = time.monotonic()
            installation = process.start()
            bar.console.print(f"started again in {time.monotonic() - again:.1f} s")
        found = installation.wait(files, patience=patience, progress=advance, alive=process.alive)
    wall = time.monotonic() - started
    report = Report()
    for name in files:
        summaries = found.get(name, [])
        if not summaries:
            report.problems.append(f"{name}: lost")
            continue
        if len(summaries) > 1:
            report.problems.append(f"{name}: became {len(summaries)} documents")
        _judge(installation, name, summaries[0], report)
    strangers = [s["fileName"] for s in installation.documents() if s["fileName"] not in files]
    report.problems += [f"{name}: nobody dropped it" for name in strangers]
    if not process.alive():
        report.problems.append("the runtime ended")
    pages = sum(outcome["pages"] or 0 for outcome in report.outcomes.values())
    _print_outcomes(report)
    console.print(
        f"{len(files)} files, {pages} pages in {wall:.0f} s ({wall / max(pages, 1):.2f} s a page); "
        f"largest function {memory.peak / 1e6:.0f} MB"
    )
    return report


def torture(process: LocalProcess, installation: Installation, folder: Path, patience: float) -> Report:
    """Send every file of a folder through, one at a time, and measure."""
    expected = _expected(folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "MANIFEST.json")
    report = Report()
    with _memory(process) as memory, _progress() as bar:
        task = bar.add_task("read", total=len(files))
        for number, path in enumerate(files):
            name = f"{number:04}-{path.name}"
            memory.here = 0
            began = time.monotonic()
            installation.drop(path, name)
            found = installation.wait([name], patience=patience, alive=process.alive, pause=0.2)
            seconds = time.monotonic() - began
            bar.update(task, completed=number + 1)
            label = str(path.relative_to(folder))
            if not process.alive():
                report.problems.append(f"{label}: the runtime ended")
                break
            if len(found.get(name, [])) != 1:
                report.problems.append(f"{label}: became {len(found.get(name, []))} documents")
                continue
            _judge(installation, label, found[name][0], report)
            outcome = report.outcomes.setdefault(label, {})
            outcome |= {"seconds": round(seconds, 2), "peak_mb": round(memory.here / 1e6)}
            if memory.here > MEMORY_BYTES:
                report.problems.append(f"{label}: {memory.here / 1e6:.0f} MB")
            wanted = expected.get(label)
            got = {"error": outcome["error"]} if outcome.get("error") else {"pages": outcome.get("pages")}
            if wanted is not None and wanted != got:
                report.problems.append(f"{label}: expected {wanted}, got {got}")
    _print_outcomes(report)
    slowest = Table("slowest", "seconds", "peak MB", box=None)
    for label, outcome in sorted(report.outcomes.items(), key=lambda o: -o[1].get("seconds", 0))[:8]:
        slowest.add_row(label, f"{outcome.get('seconds', 0):.1f}", str(outcome.get("peak_mb", "")))
    console.print(slowest)
    console.print(f"{len(report.outcomes)} files; largest function {memory.peak / 1e6:.0f} MB")
    return report


def _judge(installation: Installation, label: str, summary: dict[str, Any], report: Report) -> None:
    """Record what a file became; a document that is neither ready nor failed with a reason is a problem."""
    outcome = {key: summary.get(key) for key in ("documentId", "status", "docType", "pages", "error")}
    report.outcomes[label] = outcome
    if summary["status"] == "ready":
        outcome["fields"] = len(installation.document(summary["documentId"])["fields"])
    elif summary["status"] == "failed":
        if not summary.get("error") or not summary.get("detail"):
            report.problems.append(f"{label}: failed without a reason")
        elif summary["error"] == "internal_error":
            report.problems.append(f"{label}: failed by a fault of alma: {summary['detail']}")
    else:
        report.problems.append(f"{label}: still {summary['status']}")


def _expected(folder: Path) -> dict[str, dict[str, Any]]:
    manifest = folder / "MANIFEST.json"
    if not manifest.exists():
        return {}
    return {entry["file"]: entry["expected"] for entry in json.loads(manifest.read_text())}


def _print_outcomes(report: Report) -> None:
    counts = Counter(
        str(outcome.get("error") or f"{outcome['status']}, {outcome.get('docType') or 'no type'}")
        for outcome in report.outcomes.values()
    )
    table = Table("outcome", "files", box=None)
    for outcome, count in counts.most_common():
        table.add_row(outcome, str(count))
    console.print(table)


@dataclass
class _Memory:
    """Largest memory of one function: its process and all below it, at one moment.

    Attributes
    ----------
    peak : int
        Bytes, since the start.
    here : int
        Bytes, since it was last set to zero.
    """

    peak: int = 0
    here: int = 0


@contextlib.contextmanager
def _memory(process: LocalProcess) -> Iterator[_Memory]:
    """Watch the functions' memory in a thread."""
    memory, done = _Memory(), threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            functions: Counter[int] = Counter()
            for pid, function in functions_below(process.pid).items():
                functions[function] += resident_bytes(pid)
            most = max(functions.values(), default=0)
            memory.peak, memory.here = max(memory.peak, most), max(memory.here, most)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        done.set()
        thread.join()


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (InstallationError, ApiError) as refusal:
        sys.exit(f"ingest_many: {refusal}")
