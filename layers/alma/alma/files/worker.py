"""The parser's own process: `python -m alma.files.worker`.

A hostile file can crash, hang or bloat a native parser; here it takes nothing else with it. The protocol is
JSON lines. In: the order (what to open, limits), then one page number a line. Out: one answer a line, the
first `{"pages": n, "attachments": [names]}`, then `{"width", "height", "text", "needs_vision"}` for each
page; `{"error": {"code", "detail", "cause"}}` in place of either. The process ends with its input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from alma import sandbox
from alma.errors import UnreadableFileError
from alma.files.content import Parser
from alma.files.kinds import Kind

Answer = dict[str, Any]


def main() -> None:
    """Serve one file until the input ends."""
    answers = sandbox.answers()

    def answer(content: Answer) -> None:
        answers.write(json.dumps(content, ensure_ascii=False).encode() + b"\n")
        answers.flush()

    order = json.loads(sys.stdin.readline())
    sandbox.confine(order["memory"])
    sandbox.end_after(2 * order["seconds"])

    parsers: list[Parser] = []

    def opened() -> Answer:
        parsers.append(_open(order))
        return {"pages": parsers[0].pages, "attachments": parsers[0].attachments}

    answer(_recorded(opened))
    for line in sys.stdin:
        sandbox.end_after(2 * order["seconds"])
        answer(_recorded(partial(_saved, parsers[0], int(line), Path(order["folder"]))))
        sandbox.end_after(0)
    for parser in parsers:
        parser.close()


def _open(order: Answer) -> Parser:
    path, kind = Path(order["path"]), Kind(order["kind"])
    if kind is Kind.PDF:
        from alma.files.pdf import PdfParser

        return PdfParser(path, side=order["side"])
    from alma.files.images import ImageParser

    limits = {name: order[name] for name in ("side", "max_pixels", "memory")}
    return ImageParser(path, kind, **limits)


def _saved(parser: Parser, number: int, folder: Path) -> Answer:
    """Write the page image (fast compression: it is read once or twice) and return the page's answer."""
    content = parser.read(number)
    content.image.save(folder / f"{number}.png", "PNG", compress_level=1)
    return {
        "width": content.image.width,
        "height": content.image.height,
        "text": None if content.text is None else content.text.to_json(),
        "needs_vision": content.needs_vision,
    }


def _recorded(work: Callable[[], Answer]) -> Answer:
    """Return the work's answer, or its failure as one: this is the top level of the process."""
    try:
        return work()
    except UnreadableFileError as error:
        return _failure(error.code, error.detail)
    except MemoryError:
        return _failure(
            "too_complex",
            "Reading the file needs too much memory; print the document to a new PDF and send that.",
        )
    except Exception as error:
        # Whatever a parser raises on a file is the file's fault. The type goes to the log, the message, which
        # may hold content, does not.
        return _failure("damaged_file", None, cause=type(error).__name__)


def _failure(code: str, detail: str | None, cause: str | None = None) -> Answer:
    return {"error": {"code": code, "detail": detail, "cause": cause}}


if __name__ == "__main__":
    main()
