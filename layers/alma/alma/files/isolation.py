"""A file becomes pages in a process of its own, so that no file can take the reader down.

Parsers of PDF and images are native code with a long history of crashes. They run in a child process with a
memory limit, without this process's credentials, and under a deadline for each page; what they make of a
page comes back as a PNG file and a line of JSON (`alma.files.worker` is the other side).
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from alma.datamodel.pages import PageText
from alma.errors import UnreadableFileError
from alma.files.kinds import Kind, kind_of
from alma.sandbox import Child, ChildDiedError, ChildLateError
from alma.settings import Settings

_log = logging.getLogger(__name__)

#: Parsers that a file may bring down before its remaining pages are given up.
MAX_LOST = 3

# Longest answer: a page of `glyphs.MAX_CHARACTERS` words of one letter takes some 12 MB.
_MAX_ANSWER = 64 * 2**20

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FilePage:
    """One page of a file."""

    number: int
    """From 1."""
    width: int
    height: int
    """Pixels of the stored image; 0 where `error` is set."""
    image: Path
    """The page as displayed, as PNG. It is there until the next page is taken; where `error` is set there is
    none."""
    text: PageText | None
    """The words of the file's own text layer; None where there are none, or only garbage."""
    needs_vision: bool
    """Something on the page can be read from the image only. False together with no text: a blank page."""
    error: UnreadableFileError | None = None
    """Why this page could not be read."""
    data: PageText | None = None
    """What the file says of itself as data, on its first page (`Track.XML`)."""


def read_file(path: Path, settings: Settings, *, first_page: int = 1) -> OpenedFile:
    """Open a file and return its pages.

    Parameters
    ----------
    path : Path
        The file; its name says nothing.
    settings : Settings
        Limits (bytes, pages, pixels, seconds and memory) and the size of page images.
    first_page : int
        Where to begin, for a reader that resumes.

    Returns
    -------
    OpenedFile
        An iterator over `FilePage`, to be used in a `with` statement.

    Raises
    ------
    UnreadableFileError
        The file as a whole cannot be read: `empty_file`, `unsupported_type`, `file_too_large`,
        `password_protected`, `damaged_file`, `no_pages`, `too_many_pages`, `too_complex`. Also while
        iterating, where no page at all can be read; then `image_too_large` too.

    Examples
    --------
    >>> with read_file(Path("deed.pdf"), Settings()) as file:  # doctest: +SKIP
    ...     for page in file:
    ...         print(page.number, "of", file.pages, page.image)
    """
    check_size(path, settings)
    kind = kind_of(path)
    if kind is Kind.MAIL:
        raise UnreadableFileError("An e-mail has no pages of its own.", code="unsupported_type")
    return OpenedFile(path, kind, settings, first_page)


def check_size(path: Path, settings: Settings) -> None:
    """Raise `file_too_large` for a file beyond the limit."""
    size = path.stat().st_size
    if size > settings.max_file_bytes:
        raise UnreadableFileError(
            f"The file has {size / 2**20:.1f} MiB and the limit is {settings.max_file_bytes / 2**20:.1f}; "
            "split it, or scan it at a lower resolution.",
            code="file_too_large",
        )


def order_for(path: Path, kind: Kind, folder: Path, settings: Settings) -> dict[str, str | int]:
    """Return what a parser is told: which file, where its results go, and its limits."""
    return {
        "path": str(path.absolute()),
        "kind": kind.value,
        "folder": str(folder),
        "side": settings.page_image_side,
        "max_pixels": settings.max_pixels,
        "memory": settings.parser_memory_mb * 2**20,
        "seconds": settings.page_seconds,
    }


class PageSource(ABC):
    """Pages to go through once, whose reader ends with the `with` block."""

    pages: int
    """How many there are."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """End what reads them and remove its files; safe to call twice."""


class OpenedFile(PageSource):
    """The pages of a file, from `read_file`.

    A page that cannot be read comes with its `error` as long as others can be; where not one can, the first
    page's error is raised. The next page is made while the caller works on this one.
    """

    def __init__(self, path: Path, kind: Kind, settings: Settings, first_page: int) -> None:
        self.kind = kind
        """What the file is."""
        self.peak_memory = 0
        """Bytes the largest parser process took, of those that have ended."""
        self._folder = tempfile.TemporaryDirectory(prefix="alma-pages-")
        self._order = order_for(path, kind, Path(self._folder.name), settings)
        self._parser: ParserProcess | None = None
        self._lost = 0
        self._pages = self._read(first_page)
        try:
            opened = self._started().take("The file")
            self.pages = int(opened["pages"])
            self.attachments: tuple[str, ...] = tuple(opened.get("attachments", ()))
            """Names of the files that are embedded in it; `alma.files.bundle` reads them."""
            if self.pages > settings.max_pages:
                raise UnreadableFileError(
                    f"The file has {self.pages} pages and the limit is {settings.max_pages}; split it.",
                    code="too_many_pages",
                )
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[FilePage]:
        return self

    def __next__(self) -> FilePage:
        return next(self._pages)

    def close(self) -> None:
        """End the parser and remove its files; safe to call twice."""
        self._pages.close()
        self._end_parser()
        self._folder.cleanup()

    def _read(self, first_page: int) -> Generator[FilePage, None, None]:
        # Pages with errors wait until it is known that the file is not lost as a whole.
        held: list[FilePage] = []
        any_read = first_page > 1
        for number in range(first_page, self.pages + 1):
            page = self._page(number)
            any_read |= page.error is None
            held.append(page)
            if any_read:
                yield from held
                held.clear()
                page.image.unlink(missing_ok=True)
        self._end_parser()
        self._folder.cleanup()
        if held and held[0].error is not None:
            raise held[0].error

    def _page(self, number: int) -> FilePage:
        image = Path(self._folder.name, f"{number}.png")
        what = f"Page {number}" if self.pages > 1 else "The file"
        try:
            parser = self._parser or self._restarted(what)
            parser.ask(number)
            answer = parser.take(what)
        except UnreadableFileError as error:
            if isinstance(error, LostError):
                self._lost += 1
                self._end_parser()
            return FilePage(number, 0, 0, image, None, needs_vision=False, error=error)
        finally:
            if self._parser is not None and number < self.pages:
                self._parser.ask(number + 1)
        text = None if answer["text"] is None else PageText.from_json(answer["text"])
        return FilePage(number, answer["width"], answer["height"], image, text, answer["needs_vision"])

    def _started(self) -> ParserProcess:
        self._parser = ParserProcess(self._order)
        return self._parser

    def _restarted(self, what: str) -> ParserProcess:
        if self._lost >= MAX_LOST:
            raise LostError(
                f"{what} was not tried, because {MAX_LOST} pages before it brought the parser down; "
                "print the document to a new PDF and send that.",
                code="too_complex",
            )
        parser = self._started()
        try:
            parser.take(what)
        except UnreadableFileError as error:
            raise LostError(error.detail, code=error.code) from error
        return parser

    def _end_parser(self) -> None:
        if self._parser is not None:
            self._parser.end()
            self.peak_memory = max(self.peak_memory, self._parser.peak_memory)
            self._parser = None


class LostError(UnreadableFileError):
    """The parser died or must be ended."""


def _damaged(what: str) -> str:
    return f"{what} is damaged and cannot be read; print or scan the document anew and send that."


def _too_complex(what: str, why: str) -> str:
    return f"{what} {why}; print the document to a new PDF, or scan it, and send that."


class ParserProcess:
    """The parser's process, as `alma.files.worker` speaks."""

    def __init__(self, order: dict[str, str | int]) -> None:
        self._seconds = int(order["seconds"])
        self._child = Child("alma.files.worker", memory=int(order["memory"]))
        self._asked: int | None = None
        self._send(json.dumps(order))

    @property
    def peak_memory(self) -> int:
        """Bytes it took; known once it has ended."""
        return self._child.peak_memory

    def ask(self, number: int) -> None:
        """Have the parser make a page, unless it is at it already."""
        if self._asked != number:
            self._asked = number
            self._send(str(number))

    def take(self, what: str) -> Answer:
        """Return the answer to what was asked last.

        Raises
        ------
        LostError
            There is none; the parser is of no more use.
        UnreadableFileError
            The answer says that the file or the page cannot be read.
        """
        try:
            answer: Answer = json.loads(self._child.line(self._deadline, _MAX_ANSWER))
        except ChildLateError:
            why = f"takes longer than {self._seconds} s to read"
            raise LostError(_too_complex(what, why), code="too_complex") from None
        except ChildDiedError as death:
            _log.warning(
                "the parser ended with status %d and %d MiB", death.status, self.peak_memory // 2**20
            )
            if death.bloated:
                raise LostError(_too_complex(what, "needs too much memory"), code="too_complex") from None
            raise LostError(_damaged(what)) from None
        error = answer.get("error")
        if error is None:
            return answer
        if error["cause"]:
            _log.warning("the parser failed on a file with %s", error["cause"])
        raise UnreadableFileError(error["detail"] or _damaged(what), code=error["code"])

    def end(self) -> None:
        """End the process; safe to call twice."""
        self._child.end()

    def _send(self, line: str) -> None:
        self._deadline = time.monotonic() + self._seconds
        self._child.send(line.encode() + b"\n", self._deadline)
