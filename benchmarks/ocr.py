"""Recognition beside others': word F1, character error rate, seconds and memory, in one run.

    python -m benchmarks.ocr --data DIR [--types receipt] [--limit N] [--engines alma,rapidocr,tesseract]
                             [--rapidocr-python PATH] [--json FILE]

DIR holds `labels.jsonl` and, for the documents that have a human transcription, `ocr_lines.jsonl`. Engines
that are not installed are left out with a line. RapidOCR may live in an interpreter of its own
(`--rapidocr-python`), since it brings OpenCV. Each engine is a process of its own; they take turns on each
image, so that a machine that slows down slows all of them, and read one image before anything counts.

Word F1: words are what white space separates, NFKC and case-folded; a document's words are compared as
multisets, and the counts of all documents are added up (micro average). It says nothing about order.

CER: every word read belongs to the line of the transcription whose box its centre lies in or is nearest to.
A line's words, left to right, are compared with it, case-folded and without white space (Levenshtein
distance); the distances of all lines over the lengths of all lines.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from scripts.labelled.labels import read_labels

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "layers" / "vision" / "models"

#: A word: text, centre x and y in the unit square.
Read = tuple[str, float, float]

# What runs in the other interpreter: nothing of ours can be imported there.
_RAPIDOCR = """
import json, resource, sys, time
from PIL import Image
from rapidocr import RapidOCR
engine = RapidOCR()
for line in sys.stdin:
    path = line.rstrip("\\n")
    with Image.open(path) as image:
        width, height = image.size
    start = time.perf_counter()
    found = engine(path, return_word_box=False)
    seconds = time.perf_counter() - start
    words = []
    for box, text in zip(found.boxes if found.boxes is not None else (), found.txts or ()):
        xs, ys = [float(p[0]) for p in box], [float(p[1]) for p in box]
        left, right, y = min(xs), max(xs), sum(ys) / len(ys)
        at = 0
        for part in text.split():
            at = text.index(part, at)
            x = left + (right - left) * (at + len(part) / 2) / max(1, len(text))
            words.append([part, x / width, y / height])
            at += len(part)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"words": words, "seconds": seconds, "memory": memory}), flush=True)
"""

_ALMA = """
import json, resource, sys, time
from pathlib import Path
from PIL import Image, ImageOps
from alma.ocr import Recognizer
engine = Recognizer(Path(sys.argv[1]))
for line in sys.stdin:
    start = time.perf_counter()
    with Image.open(line.rstrip("\\n")) as image:
        read = engine.read(ImageOps.exif_transpose(image), 1)
    seconds = time.perf_counter() - start
    words = [[word.text, *word.box.centre] for word in read.words]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"words": words, "seconds": seconds, "memory": memory}), flush=True)
"""


@dataclass
class Score:
    """What an engine has shown so far."""

    shared: int = 0
    found: int = 0
    wanted: int = 0
    edits: int = 0
    characters: int = 0
    seconds: list[float] = field(default_factory=list)
    memory: int = 0

    def add(
        self, words: Sequence[Read], lines: Sequence[dict[str, Any]], seconds: float, memory: int
    ) -> None:
        """Count one document."""
        found = Counter(folded(text) for text, _, _ in words)
        wanted = Counter(folded(word) for line in lines for word in line["text"].split())
        self.shared += (found & wanted).total()
        self.found += found.total()
        self.wanted += wanted.total()
        for line, text in zip(lines, by_line(words, lines), strict=True):
            expected = folded("".join(line["text"].split()))
            self.edits += distance(folded(text), expected)
            self.characters += len(expected)
        self.seconds.append(seconds)
        self.memory = max(self.memory, memory)

    def summary(self) -> dict[str, float]:
        """Return the figures."""
        precision = self.shared / self.found if self.found else 0.0
        recall = self.shared / self.wanted if self.wanted else 0.0
        return {
            "word_precision": round(precision, 4),
            "word_recall": round(recall, 4),
            "word_f1": round(2 * self.shared / (self.found + self.wanted or 1), 4),
            "cer": round(self.edits / (self.characters or 1), 4),
            "seconds_per_page": round(sum(self.seconds) / (len(self.seconds) or 1), 3),
            "peak_mb": round(self.memory / 2**20, 1),
        }


def folded(word: str) -> str:
    """Return a word as it is compared."""
    return unicodedata.normalize("NFKC", word).casefold()


def by_line(words: Sequence[Read], lines: Sequence[dict[str, Any]]) -> list[str]:
    """Return what was read of each line, left to right, without white space."""
    boxes = [line["bbox"] for line in lines]
    texts: list[list[tuple[float, str]]] = [[] for _ in lines]
    for text, x, y in words:
        nearest = min(range(len(boxes)), key=[away(box, x, y) for box in boxes].__getitem__)
        texts[nearest].append((x, text))
    return ["".join(text for _, text in sorted(part)) for part in texts]


def away(box: dict[str, float], x: float, y: float) -> float:
    """Return the squared distance of a point from a box, 0 inside."""
    aside = max(box["x"] - x, 0.0, x - box["x"] - box["w"])
    above = max(box["y"] - y, 0.0, y - box["y"] - box["h"])
    return aside * aside + above * above


def distance(one: str, other: str) -> int:
    """Return the Levenshtein distance (Wagner and Fischer, 1974)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


class Process:
    """An engine in a process of its own that answers a line of JSON for each path."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )

    def __call__(self, path: Path) -> dict[str, Any]:
        """Return `words`, `seconds` and `memory` for an image."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args!r} ended on {path}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def tesseract(path: Path) -> dict[str, Any]:
    """Return what the tesseract program reads; its start is part of the time, as for every use of it."""
    start = time.perf_counter()
    done = subprocess.run(
        ["tesseract", str(path), "-", "--psm", "4", "tsv"], capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - start
    rows = list(csv.DictReader(io.StringIO(done.stdout), delimiter="\t", quoting=csv.QUOTE_NONE))
    width, height = float(rows[0]["width"]), float(rows[0]["height"])
    words = [
        (
            row["text"].strip(),
            (float(row["left"]) + float(row["width"]) / 2) / width,
            (float(row["top"]) + float(row["height"]) / 2) / height,
        )
        for row in rows
        if row["level"] == "5" and row["text"].strip()
    ]
    return {"words": words, "seconds": seconds, "memory": 0}


def engines(wanted: Sequence[str], rapidocr_python: str) -> dict[str, Callable[[Path], dict[str, Any]]]:
    """Return the engines that are installed, saying which are not."""
    found: dict[str, Callable[[Path], dict[str, Any]]] = {}
    for name in wanted:
        if name == "alma":
            found[name] = Process([sys.executable, "-c", _ALMA, str(MODELS)])
        elif name == "rapidocr":
            here = subprocess.run(
                [rapidocr_python, "-c", "import rapidocr"], capture_output=True, check=False
            )
            if here.returncode:
                print("rapidocr is not installed (see --rapidocr-python): left out", file=sys.stderr)
            else:
                found[name] = Process([rapidocr_python, "-c", _RAPIDOCR])
        elif name == "tesseract":
            if shutil.which("tesseract") is None:
                print("tesseract is not installed: left out", file=sys.stderr)
            else:
                found[name] = tesseract
        else:
            raise SystemExit(f"{name} is not an engine: alma, rapidocr, tesseract")
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--types", default="receipt")
    parser.add_argument("--limit", type=int, help="documents of each type")
    parser.add_argument("--engines", default="alma,rapidocr,tesseract")
    parser.add_argument("--rapidocr-python", default=sys.executable)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()

    lines = {
        row["id"]: row["lines"]
        for row in map(json.loads, (asked.data / "ocr_lines.jsonl").read_text("utf-8").splitlines())
    }
    rows: list[dict[str, Any]] = []
    for kind in asked.types.split(","):
        rows += [row for row in read_labels(asked.data) if row["doc_type"] == kind and row["id"] in lines][
            : asked.limit
        ]
    if not rows:
        raise SystemExit("No document of these types has a transcription.")
    running = engines(asked.engines.split(","), asked.rapidocr_python)
    scores = {name: Score() for name in running}
    for engine in running.values():
        engine((asked.data / rows[0]["file"]).absolute())
    for row in track(rows, "reading", console=Console(stderr=True)):
        for name, engine in running.items():
            answer = engine((asked.data / row["file"]).absolute())
            scores[name].add(answer["words"], lines[row["id"]], answer["seconds"], answer["memory"])
    for engine in running.values():
        if isinstance(engine, Process):
            engine.close()

    summary = {name: score.summary() for name, score in scores.items()}
    table = Table(title=f"{len(rows)} documents", title_justify="left")
    table.add_column("engine")
    for column in ("word F1", "precision", "recall", "CER", "s/page", "relative", "peak MB"):
        table.add_column(column, justify="right")
    slowest = summary.get("rapidocr", {}).get("seconds_per_page")
    for name, s in summary.items():
        relative = "" if not slowest else f"{s['seconds_per_page'] / slowest:.2f}"
        table.add_row(
            name, f"{s['word_f1']:.3f}", f"{s['word_precision']:.3f}", f"{s['word_recall']:.3f}",
            f"{s['cer']:.3f}", f"{s['seconds_per_page']:.2f}", relative,
            f"{s['peak_mb']:.0f}" if s["peak_mb"] else "",
        )  # fmt: skip
    Console(width=100).print(table)
    if asked.json:
        asked.json.write_text(json.dumps({"documents": len(rows), "engines": summary}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
