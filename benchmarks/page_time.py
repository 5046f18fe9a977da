"""Time per page against another checkout of alma: from a file to its fields, document by document in turns.

    python -m benchmarks.page_time --data DIR --against CHECKOUT [--types T,T] [--limit N] [--seed N]

DIR holds `labels.jsonl` and the files it names; CHECKOUT is another working tree that was set up (`make
setup`). Each document is read by one process of either tree, which of them begins alternates; counted is
processor time, that of the parser's process included, so that other work on the machine does not decide.
Models are loaded before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def work(checkout: Path, data: Path) -> Iterator[dict[str, float]]:
    """Read the documents whose rows come in, and yield the seconds and pages of each."""
    sys.path[:0] = [str(checkout), str(checkout / "layers/alma")]
    import alma.ocr
    from alma.datamodel.schemas import shipped_schemas
    from alma.errors import AlmaError
    from alma.extraction.resolve import extract
    from scripts.labelled.labels import MODELS, words_of

    recognizer = alma.ocr.Recognizer(MODELS, 1)
    alma.ocr.Recognizer = lambda *_, **__: recognizer  # type: ignore[assignment,misc]
    with tempfile.TemporaryDirectory() as words:
        for line in sys.stdin:
            begun, read, pages = seconds(), 0.0, []
            try:
                pages = words_of(json.loads(line), data, Path(words))
                read = seconds()
                extract(pages, shipped_schemas())
            except AlmaError:
                pages = []
            done = seconds()
            yield {
                "read": read - begun,
                "extract": done - read,
                "pages": len({page.page for page in pages}),
            }


def seconds() -> float:
    """Return the processor time of this process and of those it ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def ask(worker: subprocess.Popen[str], row: dict[str, Any]) -> dict[str, float]:
    """Have a worker read a document, and return what it took."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps(row) + "\n")
    worker.stdin.flush()
    line = worker.stdout.readline()
    if not line:
        sys.exit("A worker ended; its message is above.")
    answer: dict[str, float] = json.loads(line)
    return answer


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--against", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument("--types", help="only these document types, separated by commas")
    parser.add_argument("--limit", type=int, default=15, help="documents of each type (default 15)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    data, against = options.data.resolve(), options.against.resolve()
    if options.worker:
        for answer in work(against, data):
            print(json.dumps(answer), flush=True)
        return 0
    from benchmarks.accuracy import chosen  # a worker of another tree has another of these
    from scripts.labelled.labels import read_labels

    types = options.types.split(",") if options.types else None
    rows = chosen(read_labels(data), types, options.limit, options.seed)
    report(measure(rows, (ROOT, against), data))
    return 0


def measure(
    rows: list[dict[str, Any]], checkouts: tuple[Path, Path], data: Path
) -> dict[str, dict[str, list[float]]]:
    """Return by type the pages and, of both checkouts, the seconds of reading and of extraction."""
    spent: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    with ExitStack() as ended:
        workers = []
        for checkout in checkouts:
            command = [
                checkout / ".venv/bin/python",
                __file__,
                "--worker",
                "--data",
                data,
                "--against",
                checkout,
            ]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            worker = subprocess.Popen(list(map(str, command)), text=True, cwd=checkout, **pipes)
            workers.append(ended.enter_context(worker))
        for number, row in enumerate(rows):
            for at in (0, 1) if number % 2 else (1, 0):
                for name, value in ask(workers[at], row).items():
                    spent[row["doc_type"]][name][at] += value
    return spent


def report(spent: dict[str, dict[str, list[float]]]) -> None:
    """Print seconds a page and ratios, by type and in all."""
    print(f"{'type':20} {'pages':>5} {'s/page':>8} {'against':>8} {'ratio':>6} {'extraction':>22}")
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for name, parts in [*spent.items(), ("all", totals)]:
        pages = parts["pages"][0] or 1.0
        own, other = (parts["read"][at] + parts["extract"][at] for at in (0, 1))
        extraction = " ".join(f"{1000 * parts['extract'][at] / pages:7.0f} ms" for at in (0, 1))
        times = f"{own / pages:8.3f} {other / pages:8.3f} {own / other:6.2f}"
        print(f"{name:20} {pages:5.0f} {times} {extraction:>22}")
        if parts is not totals:
            for key, values in parts.items():
                totals[key] = [a + b for a, b in zip(totals[key], values, strict=True)]


if __name__ == "__main__":
    sys.exit(main())
