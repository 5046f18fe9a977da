"""What commands print: JSON for programs, or tables and sentences for people.

Text of documents, keys and files is printed literally: neither markup in it nor control characters have an
effect.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn
    from rich.table import Table
    from rich.text import Text

    Printable: TypeAlias = str | Text | Table

# C0, DEL and C1, all but tab and line feed: a terminal would obey escape sequences in a document's text.
_CONTROL_CHARACTERS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)])


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
        """Return a progress bar on standard error; it is disabled with JSON and without a terminal."""
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
    print(json.dumps(data, ensure_ascii=False, indent=2), flush=True)


def visible(text: str) -> str:
    """Return a text without control characters."""
    return text.translate(_CONTROL_CHARACTERS)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            # The command ends with the status of a closed pipe, not with rich's 1.
            raise BrokenPipeError

    return _Console(stderr=stderr)
