"""Merging: the hosted track's readings beside those of the other tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from alma.datamodel.fields import Extraction, Field, Reading, Reason, Status, best_reading, doubt, ranked
from alma.datamodel.geometry import same_place
from alma.datamodel.schemas import DocumentSchema, FieldSchema
from alma.extraction.llm import TRACK
from alma.extraction.values.text import comparison_key


def merge(
    extraction: Extraction, readings: Mapping[str, Sequence[Reading]], schema: DocumentSchema
) -> Extraction:
    """Return an extraction with the hosted track's readings beside those of the others.

    A reading that says the same as the best one shares its confidence, since it is the same value; any other
    has none. The best reading stays the best. Where the hosted track says something else, or is the only one
    that says anything, the field is escalated.

    Parameters
    ----------
    extraction : Extraction
        What the other tracks read.
    readings : mapping
        Key to hosted readings.
    schema : DocumentSchema
        Order of the fields, and which are repeated.
    """
    fields = list(extraction.fields)
    order = {field.key: position for position, field in enumerate(schema.fields)}
    for field in schema.fields:
        for reading in readings.get(field.key, ()):
            at = _partner(fields, field, reading)
            if at is None:
                _insert(fields, order, reading, field.key, schema.review_below)
            else:
                fields[at] = _joined(fields[at], reading)
    return replace(extraction, fields=fields)


def _partner(fields: Sequence[Field], field: FieldSchema, reading: Reading) -> int | None:
    """Return the position of the field that a reading belongs to."""
    own = [at for at, known in enumerate(fields) if known.key == field.key and not _has_hosted(known)]
    if not field.repeated:
        return own[0] if own else None
    for at in own:
        if any(comparison_key(known.value) == comparison_key(reading.value) for known in fields[at].readings):
            return at
    return next(
        (at for at in own if same_place(best_reading(fields[at].readings).regions, reading.regions)), None
    )


def _has_hosted(field: Field) -> bool:
    return any(reading.track == TRACK for reading in field.readings)


def _joined(field: Field, reading: Reading) -> Field:
    best = best_reading(field.readings)
    if comparison_key(best.value) == comparison_key(reading.value):
        agreeing = replace(reading, confidence=best.confidence)
        return replace(field, readings=ranked([*field.readings, agreeing]))
    reasons = tuple(dict.fromkeys((*field.reasons, Reason.TRACKS_DISAGREE)))
    return replace(
        field, readings=ranked([*field.readings, reading]), status=Status.ESCALATED, reasons=reasons
    )


def _insert(
    fields: list[Field], order: Mapping[str, int], reading: Reading, key: str, review_below: float
) -> None:
    """Add a field that no other track reads, where the schema has it."""
    occurrence = max((known.occurrence + 1 for known in fields if known.key == key), default=0)
    unsure = doubt(reading.confidence, review_below)
    reasons = (Reason.ONLY_HOSTED,) if unsure is None else (unsure, Reason.ONLY_HOSTED)
    added = Field(key, occurrence, (reading,), Status.ESCALATED, reasons=reasons)
    later = (at for at, known in enumerate(fields) if order.get(known.key, -1) > order[key])
    fields.insert(next(later, len(fields)), added)
