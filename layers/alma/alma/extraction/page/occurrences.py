"""Where a value stands on a page: the words that read as it.

Typed values are compared as what the words parse to, everything else by its letters and digits; over line
ends and down a column too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alma.datamodel.geometry import Region
from alma.datamodel.schemas import FieldType
from alma.extraction.page.layout import Layout
from alma.extraction.values.locales import Locale
from alma.extraction.values.parsers import TYPED, parse, spans
from alma.extraction.values.text import comparison_key, fold, squeeze

#: Words of one page that are looked at for one value: many times what a page needs, so that a page made to be
#: slow is not.
MOST_STEPS = 100_000
#: Rows in which a value may go on below its cell.
ROWS_BELOW = 2
_WRAPPING = frozenset({FieldType.DATE, FieldType.DURATION})
_EDGE = " \t:;,|*_=\"'“”‘’"


@dataclass(frozen=True, slots=True)
class Match:
    """Words of a page that read as a value."""

    layout: Layout
    indices: tuple[int, ...]
    value: str
    content: str

    @property
    def order(self) -> tuple[int, int]:
        """Page and first word."""
        return self.layout.page, self.indices[0]

    @property
    def regions(self) -> tuple[Region, ...]:
        """Where they stand on the page as displayed: one region per line."""
        return self.layout.regions(list(self.indices))


def letters(text: str) -> str:
    """Return the letters and digits of a text, without case and accents."""
    return re.sub(r"[\W_]", "", fold(text))


def occurrences(
    layout: Layout, kind: FieldType, value: str, locale: Locale, *, keys: Sequence[str] | None = None
) -> Iterator[Match]:
    """Yield where words read as a value.

    Parameters
    ----------
    layout : Layout
        The page.
    kind : FieldType
        What the value is read as.
    value : str
        The value, as anybody writes it.
    locale : Locale
        How the page's words, and the value, are read.
    keys : sequence of str, optional
        `letters` of every word, where they are known already.
    """
    if kind not in TYPED or kind is FieldType.IDENTIFIER:
        spelt = [letters(word.text) for word in layout.words] if keys is None else keys
        yield from _by_letters(layout, spelt, kind, letters(value), locale)
    if kind in TYPED:
        wanted = parse(value, kind, locale)
        if wanted is not None:
            yield from by_value(layout, kind, wanted, locale)


def by_value(layout: Layout, kind: FieldType, wanted: str, locale: Locale) -> Iterator[Match]:
    """Yield where something stands that parses to a normalised value."""
    for segment in _segments(layout, wrapping=kind in _WRAPPING):
        starts, joined = [], ""
        for index in segment:
            starts.append(len(joined))
            joined += layout.words[index].text + " "
        for span in spans(joined, kind, locale):
            if comparison_key(span.value) != comparison_key(wanted):
                continue
            indices = tuple(
                index
                for index, start in zip(segment, starts, strict=True)
                if start < span.end and start + len(layout.words[index].text) > span.start
            )
            if indices:
                yield Match(layout, indices, span.value, joined[span.start : span.end].strip())


def _segments(layout: Layout, *, wrapping: bool) -> Iterator[list[int]]:
    """Yield the stretches in which one typed value can stand: a cell, or what goes on below or after it."""
    for cell in layout.cells:
        yield list(range(cell.start, cell.end))
    if not wrapping:
        return
    for cell in layout.cells:
        below = _below(layout, cell.end - 1)
        if below is not None:
            under = layout.cells[layout.cell_of[below]]
            yield [*range(cell.start, cell.end), *range(under.start, under.end)]
    for (start, _), (_, end) in zip(layout.rows, layout.rows[1:], strict=False):
        yield list(range(start, end))


def _by_letters(
    layout: Layout, keys: Sequence[str], kind: FieldType, wanted: str, locale: Locale
) -> Iterator[Match]:
    """Yield where words stand that have exactly the letters and digits `wanted`."""
    if not wanted:
        return
    steps = MOST_STEPS
    for start, key in enumerate(keys):
        if not key or not wanted.startswith(key):
            continue
        indices, taken = _walk(layout, keys, start, wanted, steps)
        steps -= taken
        if indices is None:
            continue
        content = " ".join(layout.words[index].text for index in indices)
        value = parse(content, kind, locale)
        if kind is FieldType.IDENTIFIER and (value is None or letters(value) != wanted):
            value = squeeze(content).strip(_EDGE)  # a code in groups that the parser does not know
        if value:
            yield Match(layout, indices, value, content)


def _walk(
    layout: Layout, keys: Sequence[str], start: int, wanted: str, most: int
) -> tuple[tuple[int, ...] | None, int]:
    """Return the words from `start` on that spell `wanted`, or None, and how many words that took to see.

    The way goes along the row, into the next, and down a column.
    """
    came_from: dict[tuple[int, int], tuple[int, int] | None] = {}
    waiting: list[tuple[int, int, tuple[int, int] | None]] = [(start, 0, None)]
    while waiting and len(came_from) < most:
        index, spelt, before = waiting.pop()
        here = (index, spelt)
        if here in came_from or not wanted.startswith(keys[index], spelt):
            continue
        came_from[here] = before
        spelt += len(keys[index])
        if spelt == len(wanted):
            return _way(came_from, here), len(came_from)
        if index + 1 < len(keys):
            waiting.append((index + 1, spelt, here))
        below = _below(layout, index)
        if below is not None:
            waiting.append((below, spelt, here))
    return None, len(came_from)


def _way(
    came_from: Mapping[tuple[int, int], tuple[int, int] | None], last: tuple[int, int]
) -> tuple[int, ...]:
    """Return the words that led to the last one, in order."""
    way, at = [], last
    while True:
        way.append(at[0])
        before = came_from[at]
        if before is None:
            return tuple(reversed(way))
        at = before


def _below(layout: Layout, index: int) -> int | None:
    """Return the first word of the cell under that which ends with `index`, or None."""
    cell = layout.cells[layout.cell_of[index]]
    if cell.end != index + 1:
        return None
    for row in range(cell.row + 1, min(len(layout.rows), cell.row + 1 + ROWS_BELOW)):
        at, end = layout.rows[row]
        while at < end:
            other = layout.cells[layout.cell_of[at]]
            if other.box.x < cell.box.right and cell.box.x < other.box.right:
                return at
            at = other.end
    return None
