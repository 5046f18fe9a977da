"""The data that an electronic invoice carries beside its pages, compared with what is printed.

It is a track of its own (`xml`) and no evidence: people pay and file what stands on the page, and who wants
to deceive needs only to say one thing to a program and print another. So it never is the value of a field
that the pages say something of; agreement changes nothing, since how much it tells has not been measured; a
difference escalates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from alma.datamodel.fields import Extraction, Field, Reading, Reason, Status, doubt
from alma.datamodel.geometry import Region
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType
from alma.extraction.page.layout import Layout
from alma.extraction.page.occurrences import by_value, occurrences
from alma.extraction.resolve import layouts_by_track
from alma.extraction.values.locales import Locale, locale_of
from alma.extraction.values.parsers import TYPED
from alma.extraction.values.text import comparison_key, squeeze

#: Letters of a name that is part of another and says the same: that of a company behind a customer number.
SHORTEST_NAME = 4
#: Pages that are searched for a value that only the data says.
MAX_PAGES = 20


def data_of(pages: Sequence[PageText]) -> dict[str, list[str]]:
    """Return what the data of a document's file says: key of a field to its values as written."""
    values: dict[str, list[str]] = {}
    for page in pages:
        if page.track is Track.XML:
            for key, value in page.data:
                values.setdefault(key, []).append(value)
    return values


def with_data(extraction: Extraction, pages: Sequence[PageText], schema: DocumentSchema) -> Extraction:
    """Return an extraction with the readings of the data beside those of the pages.

    Parameters
    ----------
    extraction : Extraction
        What the other tracks read.
    pages : sequence of PageText
        The document's words, and its data.
    schema : DocumentSchema
        Its type; what the data says of other fields is left out.
    """
    said = data_of(pages)
    if not said:
        return extraction
    places = _Places(pages)
    fields = {
        field.key: field for field in extraction.fields if field.occurrence == 0 and field.group is None
    }
    found: dict[str, Field] = {}
    for field in schema.fields:
        values = [_normalised(field.type, value) for value in said.get(field.key, ())]
        if not values:
            continue
        known = fields.get(field.key)
        if known is not None and known.readings:
            found[field.key] = _compared(known, said[field.key], values)
        elif field.type is not FieldType.AMOUNT or not _said_elsewhere(field.key, values[0], fields, said):
            found[field.key] = _alone(field, said[field.key][0], values[0], places, schema.review_below)
    order = {field.key: position for position, field in enumerate(schema.fields)}
    rest = [field for field in extraction.fields if found.get(field.key) is None or field.occurrence > 0]
    merged = sorted([*rest, *found.values()], key=lambda f: (order.get(f.key, len(order)), f.occurrence))
    return replace(extraction, fields=merged)


def differs(readings: Sequence[Reading]) -> bool | None:
    """Tell whether the data says something else than the best other reading; None where one is missing."""
    data = [reading for reading in readings if reading.track == Track.XML]
    others = [reading for reading in readings if reading.track != Track.XML]
    return not _agree(data[0].value, others[0].value) if data and others else None


def _compared(field: Field, contents: Sequence[str], values: Sequence[str]) -> Field:
    """Return a field with the data's reading last, and the reason to look where that says something else."""
    best = field.best.value
    at = next((n for n, value in enumerate(values) if _agree(value, best)), None)
    if at is not None:
        # Nothing is known of it: shown with a place it would look read there.
        same = Reading(Track.XML.value, values[at], contents[at], None, ())
        return replace(field, readings=(*field.readings, same))
    comment = f"The invoice's XML says {values[0]}, the page {best}."
    other = Reading(Track.XML.value, values[0], contents[0], None, (), comment)
    return replace(
        field,
        readings=(*field.readings, other),
        status=Status.ESCALATED,
        reasons=tuple(dict.fromkeys((*field.reasons, Reason.XML_DIFFERS))),
    )


def _alone(field: FieldSchema, content: str, value: str, places: _Places, review_below: float) -> Field:
    unsure = doubt(None, review_below)
    reasons = (Reason.ONLY_XML,) if unsure is None else (unsure, Reason.ONLY_XML)
    reading = Reading(Track.XML.value, value, content, None, places.of(field, value))
    return Field(field.key, 0, (reading,), Status.ESCALATED, reasons=reasons)


def _said_elsewhere(
    key: str, value: str, fields: Mapping[str, Field], said: Mapping[str, Sequence[str]]
) -> bool:
    """Tell whether an amount that no page calls so is another field's: what is due where all of it is."""
    others = [each for other, values in said.items() if other != key and other in fields for each in values]
    return any(_agree(value, each) for each in others)


def _normalised(kind: FieldType, value: str) -> str:
    if kind is FieldType.AMOUNT:
        try:
            number = Decimal(value)
        except InvalidOperation:
            return squeeze(value)
        places = max(2, -int(number.normalize().as_tuple().exponent))
        return f"{number:.{places}f}"
    return squeeze(value)


def _agree(one: str, other: str) -> bool:
    a, b = comparison_key(one), comparison_key(other)
    if a == b:
        return True
    shorter, longer = sorted((a, b), key=len)
    name = len(shorter) >= SHORTEST_NAME and not any(c.isdigit() for c in shorter)
    return name and shorter in longer


class _Places:
    """Where the pages say a value."""

    def __init__(self, pages: Sequence[PageText]) -> None:
        tracks = layouts_by_track(pages)
        self._layouts: list[Layout] = [each for own in tracks.values() for each in own[:MAX_PAGES]]
        self._locale: Locale = locale_of(layout.running_text()[0] for layout in self._layouts)

    def of(self, field: FieldSchema, value: str) -> tuple[Region, ...]:
        """Return the first words that say it; none where none do."""
        typed = field.type in TYPED and field.type is not FieldType.IDENTIFIER
        for layout in self._layouts:
            matches = (
                by_value(layout, field.type, value, self._locale)
                if typed
                else occurrences(layout, field.type, value, self._locale)
            )
            match = next(iter(matches), None)
            if match is not None:
                return match.regions
        return ()
