"""Corrections: a value that a person typed, a box that they drew, or both, as a reading.

A value alone stands where words read as it, or nowhere; a place alone is read by the words that stand in it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from alma.datamodel.fields import Field, Reading
from alma.datamodel.geometry import PLACES, Box, Region, Word, regions_of
from alma.datamodel.pages import PageText, Track, plain_text
from alma.datamodel.schemas import ColumnSchema, FieldSchema, FieldType
from alma.documents import page_records, page_words
from alma.documents.records import Document
from alma.errors import BadRequestError
from alma.extraction.values.currencies import CURRENCY
from alma.extraction.values.locales import Locale, locale_of
from alma.extraction.values.names import last_name_last
from alma.extraction.values.parsed_spans import Span
from alma.extraction.values.parsers import parse, spans
from alma.extraction.values.text import comparison_key, squeeze
from alma.review.locating import locate, same_numbers

#: The track of what people say.
TRACK = "review"
#: How to write a value of a type that is kept in one form.
_FORMS = {
    FieldType.DATE: "a date as 2026-05-14",
    FieldType.AMOUNT: "an amount as 1234.50",
    FieldType.NUMBER: "a number as 12.5",
}
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
#: What may stand beside an amount that a person types.
_CURRENCIES = re.compile(CURRENCY, re.IGNORECASE)
#: What a value may be that is read in a box: as long as one that is typed.
LONGEST_VALUE, MOST_LINES = 4000, 200
#: Characters of a date, an amount or a number: more are no such thing, and no sum can be made of them.
_MOST = 30


@dataclass(frozen=True, slots=True)
class Place:
    """Box input: a rectangle on a page (1-based)."""

    page: int
    box: Box


def correction(
    document: Document,
    column: ColumnSchema | None,
    *,
    value: str | None,
    place: Place | None,
    former: Field | None = None,
) -> Reading:
    """Return what a person enters, validated and normalised, as a reading.

    Parameters
    ----------
    document : Document
        The field's document.
    column : ColumnSchema or None
        What the organisation's document type says of the field; without it, a value is kept as it is.
    value, place : optional
        What the person gave; one of them at least.
    former : Field, optional
        The field as it was: a value alone is looked for near its place.

    Raises
    ------
    BadRequestError
        Nothing is given; the value is not of the field's type; the box is not on a page of the document, or
        nothing that can be read stands in it.
    """
    if place is not None:
        _check(document, place)
    if value is not None:
        if not squeeze(value):
            raise BadRequestError("value is empty; where the document has none, a person rejects the field.")
        if (length := len(squeeze(value))) > LONGEST_VALUE:
            raise BadRequestError(
                f"The value has {length} characters as it is kept, and may have {LONGEST_VALUE}."
            )
        if place is not None:
            typed = _typed(document, column, value, place.page)
            return Reading(TRACK, typed, squeeze(value), None, (Region(place.page, place.box),))
        return _placed(document, column, value, former)
    if place is None:
        raise BadRequestError("Say the value, or the place it stands at (evidence), or both.")
    return _read(document, column, place)


def _placed(document: Document, column: ColumnSchema | None, value: str, former: Field | None) -> Reading:
    """Return a value that came without a place, with its own: where it was read, or words that say it.

    The place of another value is not its own; what stands nowhere has none.
    """
    known = [] if former is None or former.missing else [former.best, *former.readings]
    near = known[0].regions if known else ()
    typed = _typed(document, column, value, near[0].page if near else 1)
    kind = FieldType.TEXT if column is None else column.type
    for reading in known:
        trusted = reading is known[0] or not reading.proposed
        if trusted and reading.regions and _same(kind, reading.value, typed):
            return Reading(TRACK, typed, squeeze(value), None, reading.regions)
    found = locate(document, column, typed, near)
    if found is None:
        return Reading(TRACK, typed, squeeze(value), None, ())
    return Reading(TRACK, typed, found.content, None, found.regions)


def _same(kind: FieldType, one: str, other: str) -> bool:
    return comparison_key(one) == comparison_key(other) and same_numbers(kind, one, other)


def _check(document: Document, place: Place) -> None:
    box = place.box
    if document.pages is not None and place.page > document.pages:
        raise BadRequestError(f"The document has {document.pages} pages; there is no page {place.page}.")
    slack = 10**-PLACES
    if box.right > 1 + slack or box.bottom > 1 + slack or not (box.w >= slack and box.h >= slack):
        raise BadRequestError(
            "A bbox has an area and lies on the page: x, y, w and h are shares of its width and height, "
            "from 0 to 1, and so are x + w and y + h."
        )


def _typed(document: Document, column: ColumnSchema | None, value: str, page: int) -> str:
    """Return a value that a person wrote in the form of its type."""
    text = squeeze(value)
    kind = FieldType.TEXT if column is None else column.type
    if kind not in _FORMS:
        return _as_text(text, kind)
    # What is in the form already does not depend on the document's ways of writing.
    plain = (_ISO_DATE if kind is FieldType.DATE else _PLAIN_NUMBER).fullmatch(text)
    locale = Locale() if plain else locale_of(plain_text([read]) for read in _words(document, page))
    found = max(spans(text, kind, locale), key=lambda s: (s.quality, -s.start), default=None)
    # Digits are looked at as they were sent: a raised one is an ordinary one once normalised.
    if (
        found is None
        or not _keepable(found.value)
        or _beside(text, found, kind)
        or not _is_written_plainly(value)
    ):
        raise BadRequestError(f"This field holds {kind.value}s, and the value is none; write {_FORMS[kind]}.")
    return found.value


def _beside(text: str, found: Span, kind: FieldType) -> str:
    """Return what of a typed text is no part of its value."""
    rest = text[: found.start].strip(), text[found.end :].strip()
    return "".join(each for each in rest if kind is not FieldType.AMOUNT or not _is_currency(each))


def _is_currency(text: str) -> bool:
    signs = all(unicodedata.category(c) == "Sc" for c in text)
    return signs or _CURRENCIES.fullmatch(text) is not None


def _is_written_plainly(text: str) -> bool:
    return all(c.isascii() or not c.isnumeric() for c in text)


def _keepable(value: str) -> bool:
    return value.isascii() and len(value) <= _MOST


def _as_text(text: str, kind: FieldType) -> str:
    return (parse(text, kind) or text) if kind is FieldType.DURATION else text


def _read(document: Document, column: ColumnSchema | None, place: Place) -> Reading:
    """Return what stands in a box, by the words of the first track that has any there."""
    for read in _words(document, place.page):
        inside = [word for word in read.words if _inside(word, place.box)]
        if not inside:
            continue
        content = squeeze(" ".join(word.text for word in inside))
        if len(content) > LONGEST_VALUE or len({word.line for word in inside}) > MOST_LINES:
            raise BadRequestError(
                f"More stands in this box than a value holds, {LONGEST_VALUE} characters in {MOST_LINES} "
                "lines; draw a smaller one, or say the value too."
            )
        value = _value(content, column, locale_of([plain_text([read])]))
        if value:
            return Reading(TRACK, value, content, None, regions_of(place.page, inside))
    wanted = f"no {column.type.value}" if column is not None and column.type in _FORMS else "nothing"
    raise BadRequestError(f"There is {wanted} to be read in this box; say the value too.")


def _value(content: str, column: ColumnSchema | None, locale: Locale) -> str | None:
    if column is None:
        return content
    if column.type in _FORMS:
        value = parse(content, column.type, locale)
        return value if value is not None and _keepable(value) else None
    turned = isinstance(column, FieldSchema) and column.name_order == "last_first"
    return last_name_last(content) if turned else _as_text(content, column.type)


def _inside(word: Word, box: Box) -> bool:
    return word.box.overlap(box) > 0.5 * word.box.area


def _words(document: Document, page: int) -> list[PageText]:
    """Return the words of a page by track, the file's own text first."""
    tracks = page_records.tracks_of_page(document, page)
    return [
        PageText.from_json(page_words.stored_words(document, page, track))
        for track in Track
        if track in tracks
    ]
