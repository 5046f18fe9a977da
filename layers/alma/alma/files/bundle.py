"""A file together with the files attached to it: a PDF portfolio, an e-mail, an invoice with its data.

The pages of attached files count on behind the file's own, so that everything behind reads one file of many
pages, of which is known where each part begins. What a hostile file can do is bounded: how many files are
attached, how large they are together, how deep they are in each other, how many pages they have.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from alma.datamodel.pages import PageText, Track
from alma.errors import UnreadableFileError
from alma.files.content import MAX_ATTACHMENTS
from alma.files.isolation import (
    MAX_LOST,
    FilePage,
    LostError,
    PageSource,
    ParserProcess,
    check_size,
    order_for,
    read_file,
)
from alma.files.kinds import ACCEPTED, Kind, kind_of
from alma.settings import Settings

#: How deep files may be attached to each other: a PDF in a mail in a mail.
MAX_DEPTH = 3


@dataclass(frozen=True, slots=True)
class FileOfBundle:
    """A file with pages: the one that was sent, or one attached to it."""

    name: str | None
    """None for the one that was sent."""
    first: int
    """Its first page, counted over all parts."""
    last: int


@dataclass(frozen=True, slots=True)
class _Source:
    """A part as it lies on disk, or why it cannot be read."""

    name: str | None
    path: Path
    pages: int
    error: UnreadableFileError | None = None
    data: tuple[tuple[str, str], ...] = ()


@dataclass
class _Unpacked:
    """What attached files came to so far."""

    sources: list[_Source] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Names of those that are no documents."""
    seen: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class _Attached:
    """One attached file: where it lies, what it says as data, or why there is nothing of it."""

    name: str
    path: Path
    data: tuple[tuple[str, str], ...] | None = None
    error: UnreadableFileError | None = None


class Bundle(PageSource):
    """The pages of a file and of what is attached to it, as `OpenedFile` has those of one.

    An attached file that alma would read and cannot has one page, which says why.

    Parameters
    ----------
    path : Path
        The file; its name says nothing.
    settings : Settings
        Limits; those of bytes and pages are for all parts together.
    first_page : int
        Where to begin, for a reader that resumes.

    Raises
    ------
    UnreadableFileError
        As `read_file`, of the file itself; an e-mail without a file that can be read is `unsupported_type`.
    """

    def __init__(self, path: Path, settings: Settings, *, first_page: int = 1) -> None:
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="alma-attached-")
        try:
            found = _Unpacked()
            self.kind = kind_of(path)
            """What the file is."""
            if self.kind is Kind.MAIL:
                check_size(path, settings)
            self._add(found, None, path, self.kind, depth=0)
            if not found.sources:
                raise _nothing_attached(found.unread)
            # A mail has no pages of its own and becomes the first attached file: one that can be read.
            sources = sorted(found.sources, key=lambda source: source.error is not None)
            self._sources = sources
            self.parts = _parts(sources)
            """Where the pages of each part stand."""
            self.pages = self.parts[-1].last
            self.attachments = tuple(found.unread[:MAX_ATTACHMENTS])
            """Names of the attached files that are not read."""
            self._pages = self._read(first_page)
        except BaseException:
            self._folder.cleanup()
            raise

    def __iter__(self) -> Iterator[FilePage]:
        return self._pages

    def close(self) -> None:
        """End what reads it and remove its files; safe to call twice."""
        self._pages.close()
        self._folder.cleanup()

    def _add(self, found: _Unpacked, name: str | None, path: Path, kind: Kind, *, depth: int) -> None:
        """Add a file and what is attached to it."""
        attached: Sequence[str] = ()
        at = len(found.sources)
        if kind is not Kind.MAIL:
            left = self._settings.max_pages - sum(source.pages for source in found.sources)
            try:
                with read_file(path, replace(self._settings, max_pages=left)) as file:
                    attached = file.attachments
                    found.sources.append(_Source(name, path, file.pages))
            except UnreadableFileError as error:
                if name is None:
                    raise
                too_many = error.code == "too_many_pages" and left < self._settings.max_pages
                found.sources.append(_Source(name, path, 1, _too_many(self._settings) if too_many else error))
                return
        elif depth >= MAX_DEPTH:
            found.sources.append(_Source(name, path, 1, _too_deep()))
            return
        if not attached and kind is not Kind.MAIL:
            return
        if depth >= MAX_DEPTH:
            found.unread += attached
            return
        for each in self._unpack(path, kind, found):
            if each.data is not None:
                # It says what the PDF says that it is embedded in; attached to a mail it belongs to none.
                if kind is Kind.PDF and not found.sources[at].data:
                    found.sources[at] = replace(found.sources[at], data=each.data)
                else:
                    found.unread.append(each.name)
            elif each.error is not None:
                found.sources.append(_Source(each.name, each.path, 1, each.error))
            else:
                self._add_attached(found, each, depth)

    def _add_attached(self, found: _Unpacked, attached: _Attached, depth: int) -> None:
        try:
            kind = kind_of(attached.path)
        except UnreadableFileError:
            found.unread.append(attached.name)
            return
        self._add(found, attached.name, attached.path, kind, depth=depth + 1)

    def _unpack(self, path: Path, kind: Kind, found: _Unpacked) -> Iterator[_Attached]:
        """Yield what is attached to a file; the parser that unpacks it may die of each."""
        folder = Path(tempfile.mkdtemp(dir=self._folder.name))
        order = {
            **order_for(path, kind, folder, self._settings),
            "unpack": 1,
            "max_bytes": self._settings.max_file_bytes,
        }
        parser = ParserProcess(order)
        lost = 0
        try:
            opened = parser.take("The file")
            names: list[str] = opened["names"]
            found.unread += opened["unread"]
            for number, name in enumerate(names):
                if found.seen >= MAX_ATTACHMENTS or lost >= MAX_LOST:
                    found.unread += names[number:]
                    return
                found.seen += 1
                target = folder / str(number)
                try:
                    parser.ask(number)
                    answer = parser.take("The attached file")
                except UnreadableFileError as error:
                    yield _Attached(name, target, error=error)
                    if isinstance(error, LostError):
                        lost += 1
                        parser.end()
                        parser = ParserProcess(order)
                        parser.take("The file")
                    continue
                if "data" in answer:
                    yield _Attached(name, target, data=tuple((key, value) for key, value in answer["data"]))
                    continue
                found.size += answer["size"]
                full = found.size > self._settings.max_file_bytes
                yield _Attached(name, target, error=_too_large(self._settings) if full else None)
        finally:
            parser.end()

    def _read(self, first_page: int) -> Generator[FilePage, None, None]:
        for source, part in zip(self._sources, self.parts, strict=True):
            if part.last >= first_page:
                begin = max(first_page - part.first + 1, 1)
                for page in _pages_of(source, self._settings, begin):
                    data = _data_page(source, page) if page.number == 1 and source.data else None
                    yield replace(page, number=part.first + page.number - 1, data=data)


def _pages_of(source: _Source, settings: Settings, first_page: int) -> Iterator[FilePage]:
    """Yield the pages of a part; where not one can be read, each says why."""
    number = first_page
    error = source.error
    if error is None:
        try:
            with closing(read_file(source.path, settings, first_page=first_page)) as file:
                for page in file:
                    number = page.number + 1
                    yield page
            return
        except UnreadableFileError as raised:
            error = raised
    for left in range(number, source.pages + 1):
        yield FilePage(left, 0, 0, source.path, None, needs_vision=False, error=error)


def _data_page(source: _Source, page: FilePage) -> PageText:
    return PageText(page.number, page.width or 1, page.height or 1, Track.XML, (), data=source.data)


def _parts(sources: Sequence[_Source]) -> tuple[FileOfBundle, ...]:
    parts, before = [], 0
    for source in sources:
        parts.append(FileOfBundle(source.name, before + 1, before + source.pages))
        before += source.pages
    return tuple(parts)


def _nothing_attached(unread: Sequence[str]) -> UnreadableFileError:
    named = ", ".join(f"{name!r}" for name in unread[:5] if not name.startswith("("))
    what = (
        f"Of what is attached to the e-mail alma reads nothing ({named})"
        if named
        else ("Nothing is attached to the e-mail, and its own text is not read")
    )
    return UnreadableFileError(
        f"{what}. Print the e-mail or the files to PDF and send that: {ACCEPTED}.", code="unsupported_type"
    )


def _too_deep() -> UnreadableFileError:
    return UnreadableFileError(
        f"It is attached to a file that is attached to a file, more than {MAX_DEPTH} deep; send it alone.",
        code="too_complex",
    )


def _too_many(settings: Settings) -> UnreadableFileError:
    return UnreadableFileError(
        f"With what is attached before it, it has more than {settings.max_pages} pages; send it by itself.",
        code="too_many_pages",
    )


def _too_large(settings: Settings) -> UnreadableFileError:
    return UnreadableFileError(
        f"The files attached before it and this one have more than {settings.max_file_bytes / 2**20:.1f} MiB "
        "together; send it by itself.",
        code="file_too_large",
    )
