"""The parser's own process: `python -m alma.files.worker`.

A hostile file can crash, hang or bloat a native parser; here it takes nothing else with it. The protocol is
JSON lines. In: the order (what to open, limits), then one page number a line. Out: one answer a line, the
first `{"pages": n, "attachments": [names]}`, then `{"width", "height", "text", "needs_vision"}` for each
page; `{"error": {"code", "detail", "cause"}}` in place of either. Where the order says `unpack`, the files
attached to the file are numbered instead of its pages, and saved: `{"names", "unread"}`, then `{"size"}` or,
for one that says in data what the file says, `{"data"}`. The process ends with its input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alma import sandbox
from alma.errors import UnreadableFileError
from alma.files.content import Parser
from alma.files.kinds import Kind

if TYPE_CHECKING:
    from alma.files.unpacking import Container

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
    containers: list[Container] = []

    def opened() -> Answer:
        if order.get("unpack"):
            from alma.files.unpacking import open_container

            path, kind = Path(order["path"]), Kind(order["kind"])
            containers.append(open_container(path, kind, max_bytes=order["max_bytes"]))
            return {"names": containers[0].names, "unread": containers[0].unread}
        parsers.append(_open(order))
        return {"pages": parsers[0].pages, "attachments": parsers[0].attachments}

    def next_one(number: int) -> Answer:
        folder = Path(order["folder"])
        return _unpacked(containers[0], number, folder) if containers else _saved(parsers[0], number, folder)

    answer(_recorded(opened))
    for line in sys.stdin:
        sandbox.end_after(2 * order["seconds"])
        answer(_recorded(partial(next_one, int(line))))
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


def _unpacked(container: Container, number: int, folder: Path) -> Answer:
    """Write an attached file, or return what it says where it is an invoice's data."""
    from alma.files.invoice_xml import invoice_data

    content = container.content(number)
    data = invoice_data(content)
    if data is not None:
        return {"data": data}
    (folder / str(number)).write_bytes(content)
    return {"size": len(content)}


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
