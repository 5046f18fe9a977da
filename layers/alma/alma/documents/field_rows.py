"""Fields as rows of the table, and their place in the review queue.

A row is in the `review` index as long as its field waits for a person, and sorted by how urgent that is:
escalated before unreviewed, then by confidence, unknown before low before high. Every write makes both
attributes anew, so they cannot disagree with the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from alma.datamodel.fields import Field, Reading, Reason, Status
from alma.datamodel.geometry import Box, Region
from alma.storage.items.documents import FieldItem, field_key, listed_key

#: What ranks begin with, the most urgent first.
RANKS = {Status.ESCALATED: "0#", Status.UNREVIEWED: "1#"}
#: Stand for an unknown confidence of a field and of a cell; they sort before every digit.
UNKNOWN, UNKNOWN_CELL = "-", "."
#: What of a field's row tells where it stands in review; `from_item` makes a field of these.
IN_REVIEW = ["kind", "key", "occurrence", "order", "status", "readings", "reviewed", "version"]


def to_item(organisation: str, document_id: int, doc_type: str | None, field: Field) -> FieldItem:
    """Return the row of a field."""
    rank = review_rank(document_id, field)
    return FieldItem(
        organisation,
        field_key(document_id, field.key, field.occurrence),
        document_id=document_id,
        order=field.order,
        key=field.key,
        occurrence=field.occurrence,
        status=field.status.value,
        readings=[_reading_to_json(reading) for reading in field.readings],
        reviewed=None if field.reviewed is None else _reading_to_json(field.reviewed),
        reasons=list(field.reasons) or None,
        version=field.version,
        reviewed_by=field.reviewed_by,
        reviewed_at=field.reviewed_at,
        comment=field.comment,
        review_key=None if rank is None else organisation,
        review_rank=rank,
        doc_type=doc_type,
    )


def from_item(item: FieldItem) -> Field:
    """Return the field of a row."""
    return Field(
        key=item.key,
        occurrence=int(item.occurrence),
        readings=tuple(_reading_from_json(raw) for raw in item.readings),
        status=Status(item.status),
        reviewed=None if item.reviewed is None else _reading_from_json(item.reviewed),
        reasons=tuple(item.reasons or ()),
        version=int(item.version),
        reviewed_by=item.reviewed_by,
        reviewed_at=item.reviewed_at,
        comment=item.comment,
        order=int(item.order),
    )


def as_stored(fields: Sequence[Field]) -> list[Field]:
    """Return the fields of a document as they come back from the table, with their order.

    Values of one field stay together; those of a group stay in rows.
    """
    first: dict[str, int] = {}
    return [
        replace(
            field,
            readings=tuple(reading_as_stored(reading) for reading in field.readings),
            reviewed=None if field.reviewed is None else reading_as_stored(field.reviewed),
            order=first.setdefault(field.key, at) if field.group is None else at,
        )
        for at, field in enumerate(fields)
    ]


def reading_as_stored(reading: Reading) -> Reading:
    """Return a reading as it comes back from the table: coordinates are rounded."""
    return _reading_from_json(_reading_to_json(reading))


def review_rank(document_id: int, field: Field) -> str | None:
    """Return where a field stands in the review queue; None if it does not wait.

    The cells of a group wait only where they are escalated: a table has hundreds of them. Those that are so
    for an unknown confidence alone come after the fields of unknown confidence.
    """
    if not _waits(field):
        return None
    confidence = waiting_confidence(field)
    asked_for = field.touched or Reason.CONFIDENCE_UNKNOWN not in field.reasons
    unknown = UNKNOWN if field.group is None or asked_for else UNKNOWN_CELL
    certainty = unknown if confidence is None else f"{confidence:.6f}"
    return f"{RANKS[field.status]}{certainty}#{listed_key(document_id)}#{field.key}#{field.occurrence:05d}"


def waiting_confidence(field: Field) -> float | None:
    """Return how sure a field in the review queue is, rounded as in its rank; None for all others."""
    if not _waits(field) or field.missing or field.best.confidence is None:
        return None
    return round(field.best.confidence, 6)


def _waits(field: Field) -> bool:
    return field.status in RANKS and (field.group is None or field.status is Status.ESCALATED)


def _reading_to_json(reading: Reading) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "track": reading.track,
        "value": reading.value,
        "content": reading.content,
        "confidence": reading.confidence,
        "regions": [region.to_dict() for region in reading.regions],
    }
    return raw if reading.comment is None else raw | {"comment": reading.comment}


def _reading_from_json(raw: dict[str, Any]) -> Reading:
    regions = tuple(Region(region["page"], Box.from_dict(region["bbox"])) for region in raw["regions"])
    return Reading(raw["track"], raw["value"], raw["content"], raw["confidence"], regions, raw.get("comment"))
