"""Typed spans: every span of words on a page that looks like a value of some type, whatever stands beside it.

Rules about labels (`alma.extraction.candidates.label_search`) find what they were written for; these find
the rest, so that the scorer has the right span to choose. What is not proposed cannot be read:
`benchmarks/candidates.py` prints the share of labelled values that are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from alma.datamodel.schemas import FieldType
from alma.extraction.page.layout import Cell, Layout
from alma.extraction.values.account_numbers import account_numbers, begins_account, checks
from alma.extraction.values.companies import is_company
from alma.extraction.values.locales import Locale
from alma.extraction.values.parsers import TYPED, spans

#: Spans of one type on one page: more than a full page has, so that a page made to be slow is not.
MOST = 1500
#: Words of a cell that is still a name, and of one line of an address.
NAME_WORDS = 14
ADDRESS_WORDS = 16
#: Lines of a name and of an address.
NAME_LINES = 3
ADDRESS_LINES = 6
#: White space between two lines of one value, in line heights.
LINE_GAP = 1.6

_CLOSES = re.compile(r"^[(\[]|^(?:tel|fax|phone|ph|hp|email|e-mail|gst|reg|roc|no)\b", re.IGNORECASE)
_LEGAL_END = re.compile(
    r"^(?:inc|ltd|limited|llc|llp|l\.?l\.?c|l\.?l\.?p|gmbh|ag|bhd|s/b|corp|corporation|co|company|plc|b\.?v|n\.?v)\.?,?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class TypedSpan:
    """A span of words and the value it stands for."""

    words: tuple[int, ...]
    """Indices into the page's words, in reading order."""
    value: str
    """Normalised."""
    content: str
    """As on the page."""
    quality: float
    """0..1, how much it looks like its type."""


def typed_spans(layout: Layout, kind: FieldType, locale: Locale, ends: frozenset[int]) -> list[TypedSpan]:
    """Return the spans of a page that may be values of a type, each once.

    Parameters
    ----------
    layout : Layout
        The page.
    kind : FieldType
        Type of value.
    locale : Locale
        How ambiguous dates and amounts are read.
    ends : frozenset of int
        Words behind which a label ends: a value can begin after them inside a cell.
    """
    if kind is FieldType.CURRENCY:
        return []  # every amount has one; rules say which is the document's
    if kind in TYPED:
        found: Iterable[TypedSpan] = _typed(layout, kind, locale)
    elif kind is FieldType.ADDRESS:
        found = _blocks(layout, ends)
    else:
        found = _names(layout, kind, locale, ends)
    return distinct(found)


def distinct(found: Iterable[TypedSpan]) -> list[TypedSpan]:
    """Return spans, each once, `MOST` at most."""
    unique: dict[tuple[tuple[int, ...], str], TypedSpan] = {}
    for span in found:
        unique.setdefault((span.words, span.value), span)
        if len(unique) == MOST:
            break
    return list(unique.values())


def _typed(layout: Layout, kind: FieldType, locale: Locale) -> Iterator[TypedSpan]:
    # A cell is read on its own before its row: "12 345,00" is one number, "12   345,00" may be two.
    pieces = [(cell.start, cell.end) for cell in layout.cells]
    pieces += [row for row in layout.rows if layout.cell_of[row[0]] != layout.cell_of[row[1] - 1]]
    if kind in (FieldType.DATE, FieldType.DURATION):  # these go on in the next line of a sentence
        pieces += [(layout.rows[n][0], layout.rows[n + 1][1]) for n in range(len(layout.rows) - 1)]
    for start, stop in pieces:
        piece = range(start, min(stop, start + 80))
        text = layout.text(piece.start, piece.stop)
        if kind is not FieldType.DURATION and not any(c.isdigit() for c in text) and " " not in text:
            continue
        for span in spans(text, kind, locale):
            words = layout.touched(piece, span.start, span.end)
            if words:
                yield TypedSpan(words, span.value, text[span.start : span.end].strip(), span.quality)
    if kind is FieldType.IDENTIFIER:
        yield from _accounts_over_lines(layout)


def _accounts_over_lines(layout: Layout) -> Iterator[TypedSpan]:
    """Yield the account numbers that go on in the cell below."""
    for cell in layout.cells:
        text = layout.text(cell.start, cell.end)
        opening = begins_account(text)
        below = _cell_below(layout, cell) if opening is not None else None
        if opening is None or below is None:
            continue
        words = [
            *layout.touched(range(cell.start, cell.end), opening, len(text)),
            *range(below.start, below.end),
        ]
        content = " ".join(layout.words[i].text for i in words)
        for span in account_numbers(content):
            if checks(span.value):
                yield TypedSpan(
                    layout.touched(words, span.start, span.end),
                    span.value,
                    content[span.start : span.end],
                    1.0,
                )


def _cuts(layout: Layout, cell: Cell, ends: frozenset[int]) -> tuple[list[int], list[int]]:
    """Return where a value may begin and end within a cell."""
    words = layout.words
    starts, stops = [cell.start], [cell.end]
    for index in range(cell.start + 1, cell.end):
        before, text = words[index - 1].text, words[index].text
        if index in ends or before.endswith((":", "=")):
            starts.append(index)
        if (
            _CLOSES.match(text)
            or text in ("-", "–", "|", "•", "/")
            or _LEGAL_END.match(before)
            or is_company(before)
        ):
            stops.append(index)
        if before in ("-", "–", "|", "•") or before.endswith((",", ";")):
            stops.append(index)
    for start in tuple(starts):  # a name may be wanted without its article
        speck = len(words[start].text) == 1 and words[start].text not in "AaI0123456789"
        if start + 1 < cell.end and (speck or words[start].text in ("The", "THE")):
            starts.append(start + 1)
    digits = [i for i in range(cell.start + 1, cell.end) if sum(c.isdigit() for c in words[i].text) >= 4]
    stops.extend(digits[-1:])
    return sorted(set(starts))[:4], sorted(set(stops))[-6:]


def _names(layout: Layout, kind: FieldType, locale: Locale, ends: frozenset[int]) -> Iterator[TypedSpan]:
    for cell in layout.cells:
        starts, stops = _cuts(layout, cell, ends)
        for start in starts:
            for stop in stops:
                if 0 < stop - start <= NAME_WORDS:
                    yield from _text(layout, kind, locale, tuple(range(start, stop)))
            lines = list(range(start, cell.end))
            last = cell
            for _ in range(NAME_LINES - 1):
                below = _cell_below(layout, last)
                if below is None or len(lines) + below.end - below.start > NAME_WORDS:
                    break
                for stop in _cuts(layout, below, frozenset())[1]:
                    if stop > below.start:
                        yield from _text(layout, kind, locale, (*lines, *range(below.start, stop)))
                lines.extend(range(below.start, below.end))
                last = below
    for first, last_word in layout.rows:
        if last_word - first <= 8 and layout.cell_of[first] != layout.cell_of[last_word - 1]:
            yield from _text(layout, kind, locale, tuple(range(first, last_word)))


def _text(layout: Layout, kind: FieldType, locale: Locale, words: tuple[int, ...]) -> Iterator[TypedSpan]:
    content = " ".join(layout.words[i].text for i in words)
    if len(content) > 160:
        return
    for span in spans(content, kind, locale):
        # Where the parser cuts, the words are those of the part that is left.
        own = words
        if span.end < len(content.rstrip(" :;,.|*_=-")) or span.start > 0:
            own = layout.touched(words, span.start, span.end)
        yield TypedSpan(own, span.value, content[span.start : span.end].strip(), span.quality)


def _blocks(layout: Layout, ends: frozenset[int]) -> Iterator[TypedSpan]:
    for cell in layout.cells:
        if cell.end - cell.start > ADDRESS_WORDS:
            continue
        for start in _cuts(layout, cell, ends)[0]:
            lines = list(range(start, cell.end))
            yield from _block(layout, lines)
            last = cell
            for _ in range(ADDRESS_LINES - 1):
                below = _cell_below(layout, last)
                if below is None or below.end - below.start > ADDRESS_WORDS:
                    break
                stops = [s for s in _cuts(layout, below, frozenset())[1] if below.start < s < below.end]
                for stop in stops[-2:]:
                    yield from _block(layout, [*lines, *range(below.start, stop)])
                lines.extend(range(below.start, below.end))
                yield from _block(layout, lines)
                last = below


_SOME_PLACE = re.compile(r"\d|,")


def _block(layout: Layout, words: Sequence[int]) -> Iterator[TypedSpan]:
    content = " ".join(layout.words[i].text for i in words)
    if len(words) < 2 or not _SOME_PLACE.search(content) or len(content) > 300:
        return
    for span in spans(content, FieldType.ADDRESS, Locale()):
        yield TypedSpan(tuple(words), span.value, content, 1.0)


def lines_below(layout: Layout, index: int) -> Iterator[range]:
    """Yield the words of each line that goes on under a word without a gap: the block of an address."""
    cell = layout.cells[layout.cell_of[index]]
    for _ in range(ADDRESS_LINES + 1):
        below = _cell_below(layout, cell)
        if below is None or abs(below.box.x - cell.box.x) * layout.ratio > layout.line_height:
            return
        yield range(below.start, below.end)
        cell = below


def _cell_below(layout: Layout, cell: Cell) -> Cell | None:
    """Return the cell that continues `cell` in the next row: close below, sharing some of its width."""
    row = cell.row + 1
    while row < len(layout.rows) and row <= cell.row + 2:
        first, last = layout.rows[row]
        index = first
        while index < last:
            below = layout.cells[layout.cell_of[index]]
            gap = below.box.y - cell.box.bottom
            if gap > LINE_GAP * max(layout.line_height, min(cell.box.h, below.box.h)):
                return None
            shared = min(cell.box.right, below.box.right) - max(cell.box.x, below.box.x)
            if shared > 0.3 * min(cell.box.w, below.box.w):
                return below
            index = below.end
        row += 1
    return None


_RUN = re.compile(r"(.)\1+")
#: Characters of a shape.
SHAPE = 12


class _Kinds(dict[int, str]):
    """`9` for a digit, `A` for a capital, `a` for another letter; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        c = chr(code)
        self[code] = kind = "9" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c
        return kind


_KINDS = _Kinds()


def kinds(text: str) -> str:
    """Return a text with each character replaced by its kind: `INV-0042` as `AAA-9999`."""
    return text.translate(_KINDS)


def shape(text: str) -> str:
    """Return what kind of characters a text is made of, runs shortened: `INV-0042` as `A-9`.

    >>> shape("INV-0042"), shape("Total:"), shape("12.50")
    ('A-9', 'Aa:', '9.9')
    """
    of_text = kinds(text)
    short = _RUN.sub(r"\1", of_text[:60])
    if len(short) < SHAPE < len(of_text):
        short = _RUN.sub(r"\1", of_text)
    return short[:SHAPE]
