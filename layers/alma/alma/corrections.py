"""What a person says a field is: a value, a place on a page, or both; as a reading to keep.

A value alone keeps the place of what was read; a place alone is read by the words that stand in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from alma import documents
from alma.documents import Document
from alma.errors import BadRequestError
from alma.evidence import PLACES, Box, Region, Word, regions_of
from alma.extraction.parsers import Locale, locale_of, parse, spans, squeeze
from alma.extraction.patterns import last_name_last
from alma.fields import Field, Reading
from alma.pages import PageText, Track, plain_text
from alma.schemas import ColumnSchema, FieldSchema, FieldType
from alma.storage import objects

#: The track of what people say.
TRACK = "review"
#: How to write a value of a type that is kept in one form.
_FORMS = {
    FieldType.DATE: "a date as 2026-05-14",
    FieldType.AMOUNT: "an amount as 1234.50",
    FieldType.NUMBER: "a number as 12.5",
}
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Place:
    """A box drawn on a page (1-based)."""

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
    """Return what a person says, as a reading.

    Parameters
    ----------
    document : Document
        The field's document.
    column : ColumnSchema or None
        What the organisation's document type says of the field; without it, a value is kept as it is.
    value, place : optional
        What the person gave; one of them at least.
    former : Field, optional
        The field as it was, which keeps its place where only a value is given.

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
            raise BadRequestError("value is empty; reject the field if there is none.")
        if place is not None:
            regions: tuple[Region, ...] = (Region(place.page, place.box),)
        else:
            regions = former.best.regions if former is not None and not former.missing else ()
        page = regions[0].page if regions else 1
        return Reading(TRACK, _typed(document, column, value, page), squeeze(value), None, regions)
    if place is None:
        raise BadRequestError("Say the value, or the place it stands at (evidence), or both.")
    return _read(document, column, place)


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
    plain = _ISO_DATE.fullmatch(text) if kind is FieldType.DATE else re.fullmatch(r"-?\d+(\.\d+)?", text)
    locale = Locale() if plain else locale_of(plain_text([words]) for words in _words(document, page))
    found = max(spans(text, kind, locale), key=lambda s: (s.quality, -s.start), default=None)
    if found is None or re.search(r"\d", text[: found.start] + text[found.end :]):
        raise BadRequestError(f"This field holds {kind.value}s, and the value is none; write {_FORMS[kind]}.")
    return found.value


def _as_text(text: str, kind: FieldType) -> str:
    return (parse(text, kind) or text) if kind is FieldType.DURATION else text


def _read(document: Document, column: ColumnSchema | None, place: Place) -> Reading:
    """Return what stands in a box, by the words of the first track that has any there."""
    for words in _words(document, place.page):
        inside = [word for word in words.words if _inside(word, place.box)]
        if not inside:
            continue
        content = squeeze(" ".join(word.text for word in inside))
        value = _value(content, column, locale_of([plain_text([words])]))
        if value:
            return Reading(TRACK, value, content, None, regions_of(place.page, inside))
    wanted = f"no {column.type.value}" if column is not None and column.type in _FORMS else "nothing"
    raise BadRequestError(f"There is {wanted} to be read in this box; say the value too.")


def _value(content: str, column: ColumnSchema | None, locale: Locale) -> str | None:
    if column is None:
        return content
    if column.type in _FORMS:
        return parse(content, column.type, locale)
    turned = isinstance(column, FieldSchema) and column.name_order == "last_first"
    return last_name_last(content) if turned else _as_text(content, column.type)


def _inside(word: Word, box: Box) -> bool:
    return word.box.overlap(box) > 0.5 * word.box.area


def _words(document: Document, page: int) -> list[PageText]:
    """Return the words of a page by track, the file's own text first."""
    tracks = documents.tracks_of_page(document, page)
    return [
        PageText.from_json(objects.get(document.organisation, objects.words_key(document.id, page, track)))
        for track in Track
        if track in tracks
    ]
