"""Odd, broken and hostile files through `alma.files`: each must end as pages or as a clean refusal.

    python benchmarks/torture.py --data FOLDER [--json FILE]

FOLDER holds a `manifest.jsonl` (`file`, `kind`, and what another reader `observed`), or just files. The exit
status is 1 where a file made the reader itself fail, took longer than 30 s or more than 1.2 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from alma.errors import UnreadableFileError
from alma.files.isolation import read_file
from alma.settings import Settings

MAX_SECONDS = 30.0
MAX_BYTES = 1_200_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    Attributes
    ----------
    file, kind, observed : str
        From the manifest; `observed` is another reader's finding.
    outcome : str
        `pages`, `pages_with_errors`, or the slug of the refusal; `FAILED` where the reader itself raised.
    pages, words, vision : int
        Pages read, words of their text layers, pages that need recognition.
    seconds : float
        Wall time.
    memory : int
        Bytes of the parser's process; 0 where the file was refused as a whole.
    detail : str
        The sentence the user gets.
    """

    file: str
    kind: str
    observed: str
    outcome: str
    pages: int = 0
    words: int = 0
    vision: int = 0
    seconds: float = 0.0
    memory: int = 0
    detail: str = ""


def read(path: Path, name: str, kind: str, observed: str) -> Outcome:
    """Put one file through the reader."""
    start = time.perf_counter()
    pages = words = vision = memory = 0
    detail = ""
    try:
        with read_file(path, Settings()) as file:
            outcome = "pages"
            for page in file:
                pages += page.error is None
                words += 0 if page.text is None else len(page.text.words)
                vision += page.needs_vision
                if page.error is not None:
                    outcome, detail = "pages_with_errors", page.error.detail
        memory = file.peak_memory
    except UnreadableFileError as error:
        outcome, detail = error.code, error.detail
    except Exception as error:
        outcome, detail = "FAILED", repr(error)
    seconds = time.perf_counter() - start
    return Outcome(name, kind, observed, outcome, pages, words, vision, seconds, memory, detail)


def _files(folder: Path) -> list[tuple[Path, str, str, str]]:
    manifest = folder / "manifest.jsonl"
    if not manifest.exists():
        return [(path, path.name, "", "") for path in sorted(folder.rglob("*")) if path.is_file()]
    found = []
    for line in manifest.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        observed = entry.get("observed") or {}
        found.append(
            (folder / entry["file"], Path(entry["file"]).name, entry["kind"], str(observed.get("status", "")))
        )
    return found


def _peak() -> int:
    """Return the most memory any child process took, those of refused files included."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit


def _print(outcomes: list[Outcome], console: Console) -> None:
    counts = Counter((o.outcome, o.observed) for o in outcomes)
    table = Table("outcome", "another reader", "files", title="Outcomes")
    for (outcome, observed), n in sorted(counts.items()):
        table.add_row(outcome, observed or "-", str(n))
    console.print(table)
    slow = Table("file", "seconds", "MB", "pages", "outcome", title="Slowest")
    for o in sorted(outcomes, key=lambda o: -o.seconds)[:10]:
        slow.add_row(o.file, f"{o.seconds:.2f}", f"{o.memory / 1e6:.0f}", str(o.pages), o.outcome)
    console.print(slow)
    console.print(f"{len(outcomes)} files, {sum(o.pages for o in outcomes)} pages, ", end="")
    console.print(f"{sum(o.seconds for o in outcomes):.0f} s; most memory {_peak() / 1e6:.0f} MB")
    for o in outcomes:
        if o.outcome == "FAILED":
            console.print(f"[red]{o.file}[/]: {o.detail}")


def main() -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the files")
    parser.add_argument("--json", type=Path, help="write every outcome here")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        parser.error(f"{arguments.data} is not a folder")
    console = Console()
    outcomes = [read(*each) for each in track(_files(arguments.data), "Reading", console=console)]
    if not outcomes:
        parser.error(f"{arguments.data} holds no files")
    _print(outcomes, console)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(o) for o in outcomes], indent=1), encoding="utf-8")
    bad = any(o.outcome == "FAILED" or o.seconds > MAX_SECONDS for o in outcomes)
    return 1 if bad or _peak() > MAX_BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
