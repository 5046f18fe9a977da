"""Count the character n-grams that rescore uncertain lines (`alma.ocr.language_model`).

    python -m scripts.train_language_model --lines FILE [--words DIR --documents PREFIX] [--leave-out IDS]

Each FILE has a document a line, `{"id", "lines": [{"text"}]}`: what people transcribed of a labelled folder
(`ocr_lines.jsonl`). `--documents` names documents with a text layer among the cached words of
`scripts.train_base`, by the beginning of their ids. Give only what may be shipped, and say so in
`data/characters-LICENSE.md`.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from alma.datamodel.pages import PageText, Track
from alma.ocr.language_model import counted

TARGET = Path(__file__).parents[1] / "layers/alma/alma/data/characters.txt.gz"


def transcribed(path: Path, prefix: str, without: frozenset[str]) -> Iterator[str]:
    """Yield the lines of the transcribed documents of a file whose ids begin with a prefix."""
    for row in map(json.loads, path.read_text("utf-8").splitlines()):
        if row["id"].startswith(prefix) and row["id"] not in without:
            yield from (line["text"] for line in row["lines"])


def printed(words: Path, prefix: str) -> Iterator[str]:
    """Yield the lines of the text layers of documents whose ids begin with a prefix."""
    for path in sorted(words.glob(f"{prefix}*.json")):
        for page in json.loads(path.read_text()):
            text = PageText.from_json(json.dumps(page))
            if text.track is Track.TEXT:
                yield from (" ".join(word.text for word in line) for line in text.lines())


def main() -> int:
    """Count and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=Path, nargs="+", required=True, help="files of transcriptions")
    parser.add_argument("--prefix", default="sroie-", help="of the ids that are taken from them")
    parser.add_argument("--leave-out", type=Path, help="file of ids, one a line, to measure on")
    parser.add_argument("--words", type=Path, help="cached words")
    parser.add_argument("--documents", nargs="*", default=[], help="beginnings of ids among them")
    parser.add_argument("--to", type=Path, default=TARGET)
    asked = parser.parse_args()
    without = frozenset(asked.leave_out.read_text().split() if asked.leave_out else ())
    texts = [text for path in asked.lines for text in transcribed(path, asked.prefix, without)]
    texts += [text for prefix in asked.documents for text in printed(asked.words, prefix)]
    counts = counted(texts)
    # A record separator: the n-grams themselves hold line ends.
    packed = "\x1e".join(f"{gram}\t{n}" for gram, n in sorted(counts.items())).encode()
    asked.to.write_bytes(gzip.compress(packed, 9, mtime=0))
    print(f"{len(texts)} lines, {len(counts)} n-grams, {asked.to.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
