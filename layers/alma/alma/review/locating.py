"""Where a value that a person typed stands: the words of the document that read as it.

A citation has to say the value. So a value that stands nowhere has no place, rather than the place of the
value that it replaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from math import dist

from alma.datamodel.geometry import Box, Region, enclosing, same_place
from alma.datamodel.pages import PageText, plain_text
from alma.datamodel.schemas import ColumnSchema, FieldSchema, FieldType
from alma.documents import page_records
from alma.documents.page_words import read_words
from alma.documents.records import Document
from alma.errors import NotFoundError
from alma.extraction.page.layout import Layout, arrange
from alma.extraction.page.occurrences import Match, by_value, letters, occurrences
from alma.extraction.values.locales import Locale, locale_of
from alma.extraction.values.parsers import TYPED

#: Pages that are looked at, the nearest to the former place first.
MAX_PAGES = 20
#: Letters and digits of a value that is looked for: a single one stands everywhere and says nothing. Without
#: a former place, what is short may well be something else that happens to look the same.
SHORTEST, SHORTEST_ALONE = 2, 4
#: Longer values are not looked for.
LONGEST = 1000
_NUMBERS = re.compile(r"\d+")
#: Types whose values are kept in one form, whatever the page's is.
_ONE_FORM = frozenset({FieldType.DATE, FieldType.AMOUNT, FieldType.NUMBER})


def locate(
    document: Document, column: ColumnSchema | None, value: str, near: Sequence[Region]
) -> Match | None:
    """Return the words that read as a value, or None where there are none or it is not known which.

    Of several places the one nearest to the former is taken; without a former one, only the only one. How
    the page writes dates and amounts decides what its words read as; the other ways of reading them count
    where nothing is found so, since a value read in the wrong way is what people correct.

    Parameters
    ----------
    document : Document
        Whose words, of all tracks.
    column : ColumnSchema or None
        What the field is; None for text.
    value : str
        The value, in the form of its type.
    near : sequence of Region
        Where the field's value stood before; empty where it had no place.
    """
    if len(value) > LONGEST or len(letters(value)) < (SHORTEST if near else SHORTEST_ALONE):
        return None
    home = near[0].page if near else 1
    records = sorted(page_records.list_pages(document), key=lambda record: abs(record.number - home))
    if not near and len(records) > MAX_PAGES:
        return None  # what is not looked at may hold it, too
    first = [record for record in records if record.number == home] if near else []
    others = [record for record in records[:MAX_PAGES] if record not in first]
    read: list[PageText] = []
    for part in (first, others):
        try:
            pages = read_words(document, part)
        except NotFoundError:
            return None  # words that are lost say nothing, and a person's value is kept all the same
        read += pages
        if found := _choose(_matches(pages, column, value, others=False), near):
            return found
    return _choose(_matches(read, column, value, others=True), near)


def same_numbers(kind: FieldType, one: str, other: str) -> bool:
    """Tell whether two texts of the same letters and digits have the same numbers: 1/12 is not 11/2."""
    return kind in TYPED or _NUMBERS.findall(one) == _NUMBERS.findall(other)


def _matches(
    pages: Iterable[PageText], column: ColumnSchema | None, value: str, *, others: bool
) -> list[Match]:
    """Return where a value stands as a page's own locale reads it, or as `others` do; each place once."""
    kind = FieldType.TEXT if column is None else column.type
    if others and kind not in _ONE_FORM:
        return []
    found: list[Match] = []
    for page in pages:
        layout = arrange(page)
        own = locale_of([plain_text([page])])
        for locale in _other_locales(own) if others else (own,):
            for match in _on_page(layout, column, kind, value, locale):
                fits = len(letters(match.content)) >= SHORTEST and same_numbers(kind, match.content, value)
                if fits and not any(same_place(match.regions, other.regions) for other in found):
                    found.append(match)
    return found


def _other_locales(own: Locale) -> list[Locale]:
    every = [Locale(day_first=day, decimal_comma=comma) for day in (True, False) for comma in (True, False)]
    return [locale for locale in every if locale != own]


def _on_page(
    layout: Layout, column: ColumnSchema | None, kind: FieldType, value: str, locale: Locale
) -> Iterator[Match]:
    if kind in _ONE_FORM:
        yield from by_value(layout, kind, value, locale)
        return
    for written in _ways_to_write(column, value):
        yield from occurrences(layout, kind, written, locale)


def _ways_to_write(column: ColumnSchema | None, value: str) -> list[str]:
    """Return a value as it may stand on the page: a name on some forms with the last name first."""
    words = value.split()
    if not isinstance(column, FieldSchema) or column.name_order != "last_first":
        return [value]
    return [value, *(" ".join([*words[-n:], *words[:-n]]) for n in (1, 2) if n < len(words))]


def _choose(matches: list[Match], near: Sequence[Region]) -> Match | None:
    if near:
        return min(matches, key=lambda match: _distance(match.regions, near), default=None)
    return matches[0] if len(matches) == 1 else None


def _distance(place: Sequence[Region], near: Sequence[Region]) -> tuple[int, float, float]:
    """Return how far a place is from another: in pages, then by the gap, then from middle to middle."""
    page = near[0].page
    there, here = _box(place), _box(near)
    across = max(there.x - here.right, here.x - there.right, 0.0)
    down = max(there.y - here.bottom, here.y - there.bottom, 0.0)
    return abs(place[0].page - page), across**2 + down**2, dist(there.centre, here.centre)


def _box(place: Sequence[Region]) -> Box:
    return enclosing(region.box for region in place if region.page == place[0].page)
