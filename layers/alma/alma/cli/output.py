"""What commands print: JSON for programs, or tables and sentences for people.

Text of documents, keys and files is printed literally: neither markup in it nor characters that a terminal
obeys have an effect. Nothing else in this package prints.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn
    from rich.table import Table
    from rich.text import Text

    Printable: TypeAlias = str | Text | Table

_OBEYED = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f"  # C0, DEL and C1, all but tab and line feed: escape sequences
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls: fdp.exe shown as exe.pdf
    "\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # nothing to see
    "\ud800-\udfff]"  # halves of a character, which no encoding has
)
"""Characters that change what a person sees of the text around them, or break the output."""


class Output:
    """Prints what a command found: the one place that decides between JSON and text."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def show(self, data: object, plain: str | Callable[[], Iterable[Printable]]) -> None:
        """Print data as JSON, or what people read instead: a sentence, or several tables and sentences."""
        if self._as_json:
            print_json(data)
            return
        for each in [plain] if isinstance(plain, str) else plain():
            _print(each)

    def remark(self, text: str) -> None:
        """Print a sentence for people on standard error, beside the answer."""
        if not self._as_json:
            print(visible(text), file=sys.stderr)

    def warn(self, text: str) -> None:
        """Print a sentence on standard error, with JSON too."""
        from rich.text import Text

        _console(stderr=True).print(Text.assemble(("alma:", "red"), " ", visible(text)), soft_wrap=True)

    def fail(self, code: str, detail: str) -> None:
        """Print an error: JSON on standard output, or a sentence on standard error."""
        if self._as_json:
            print(json.dumps({"error": code, "detail": detail}), flush=True)
        else:
            self.warn(detail)

    def progress(self, *count: ProgressColumn) -> Progress:
        """Return a progress bar on standard error; it is disabled with JSON and without a terminal.

        Descriptions are printed as they are: give them through `visible`.
        """
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = _console(stderr=True)
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            *count,
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=self._as_json or not console.is_terminal,
        )


def _print(printable: Printable) -> None:
    if isinstance(printable, str):
        print(visible(printable), flush=True)
        return
    from rich.text import Text

    # Sentences are wrapped by the terminal, tables by rich.
    _console().print(printable, soft_wrap=isinstance(printable, Text))


def print_json(data: object) -> None:
    """Print JSON, indented."""
    print(_OBEYED.sub(_escape, json.dumps(data, ensure_ascii=False, indent=2)), flush=True)


def _escape(found: re.Match[str]) -> str:
    """Return a character as JSON spells it without having it."""
    return json.dumps(found[0])[1:-1]


def visible(text: str) -> str:
    """Return a text without the characters that a terminal obeys instead of showing them."""
    return _OBEYED.sub("", text)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            # The command ends with the status of a closed pipe, not with rich's 1.
            raise BrokenPipeError

    return _Console(stderr=stderr)
