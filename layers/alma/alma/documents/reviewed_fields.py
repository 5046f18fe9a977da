"""Reviewed fields that move to another document together with the page they stand on.

What people decided, proposed or asked about goes on as it was: value, status, reviewer, time and comment.
Fields of a document that nobody touched are read anew instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from alma.datamodel.fields import Field, Reading
from alma.documents import audit, field_rows, records
from alma.documents.records import Document
from alma.errors import NotFoundError
from alma.storage.items.documents import AuditItem, FieldItem, audit_prefix, field_key
from alma.storage.table import Item

#: Bytes of decisions from before that an entry of a trail takes along, the newest first; a row has 400 KB.
_HISTORY = 100_000


def touched(organisation: str, document_id: int) -> list[Field]:
    """Return the fields of a document that people or agents said something of; none where it is gone."""
    try:
        return [field for field in records.read(organisation, document_id)[1] if field.touched]
    except NotFoundError:
        return []


def on_document(document: Document, pages: int) -> list[Field]:
    """Return the touched fields of a document that stand on its first pages, or nowhere."""
    fields = touched(document.organisation, document.id)
    return [field for field in fields if (page_of(field) or 0) <= pages]


def without(fields: Iterable[Field], others: Iterable[Field]) -> list[Field]:
    """Return fields without those that stand nowhere and say what one of the others does, decided with it."""
    known = [_decision(field) for field in others if page_of(field) is None]
    return [field for field in fields if page_of(field) is not None or _decision(field) not in known]


def _decision(field: Field) -> tuple[object, ...]:
    """Return what a field says, and what was decided of it, by whom and when."""
    value = None if field.missing else field.best.value
    return field.key, value, field.status, field.reviewed, field.reviewed_by, field.reviewed_at, field.comment


def on_pages(fields: Iterable[Field], first: int, last: int) -> list[Field]:
    """Return the fields that stand on a range of pages; the cells of a row stay together."""
    rows: dict[tuple[str, int], list[Field]] = defaultdict(list)
    for field in fields:
        rows[field.group or field.key, field.occurrence].append(field)
    return [
        field
        for row in rows.values()
        for page in [next((page for page in map(page_of, row) if page is not None), None)]
        if page is not None and first <= page <= last
        for field in row
    ]


def page_of(field: Field) -> int | None:
    """Return the page that a field stands on; None where it has no place."""
    said = field.reviewed or (None if field.missing else field.best)
    return said.regions[0].page if said is not None and said.regions else None


def moved(fields: Sequence[Field], by: int, beside: Sequence[Field] = ()) -> list[tuple[Field, Field]]:
    """Return fields as they were and as they are in a document in which their pages have other numbers.

    Occurrences are counted anew, after those of `beside`, which that document has already; what says the same
    as one of these is left out.
    """
    known = {(field.key, field.best.value) for field in beside if not field.missing}
    following: dict[str, int] = defaultdict(int)
    for field in beside:
        name = field.group or field.key
        following[name] = max(following[name], field.occurrence + 1)
    numbers: dict[tuple[str, int], int] = {}
    found = []
    for field in sorted(fields, key=lambda each: (each.order, each.occurrence)):
        name = field.group or field.key
        if field.group is None and not field.missing and (field.key, field.best.value) in known:
            continue
        if (name, field.occurrence) not in numbers:
            numbers[name, field.occurrence] = following[name]
            following[name] += 1
        there = replace(
            field,
            occurrence=numbers[name, field.occurrence],
            readings=tuple(_shifted(reading, by) for reading in field.readings),
            reviewed=None if field.reviewed is None else _shifted(field.reviewed, by),
        )
        found.append((field, there))
    return found


def _shifted(reading: Reading, by: int) -> Reading:
    regions = tuple(replace(region, page=region.page + by) for region in reading.regions)
    return replace(reading, regions=regions)


def put(organisation: str, document_id: int, fields: Iterable[Field]) -> None:
    """Write fields of a document that is being read, which are none of the queue until it is. Idempotent."""
    with Item.batch_write() as batch:
        for field in fields:
            row = field_rows.to_item(organisation, document_id, None, field)
            row.review_key = row.review_rank = None
            batch.save(row)


def remove(organisation: str, document_id: int, fields: Iterable[Field]) -> None:
    """Remove fields of a document that is being split, after they moved. Idempotent."""
    with Item.batch_write() as batch:
        for field in fields:
            batch.delete(FieldItem(organisation, field_key(document_id, field.key, field.occurrence)))


def decisions(organisation: str, document_id: int, subjects: Collection[str]) -> list[dict[str, Any]]:
    """Return what a document's trail says of some of its fields, oldest first, as JSON."""
    items = AuditItem.query(
        organisation, AuditItem.sk.startswith(audit_prefix(document_id)), consistent_read=True
    )
    found = [audit.as_json(item) for item in items if item.subject in subjects]
    kept, size = 0, 0
    for entry in reversed(found):
        size += len(audit.canonical(entry))
        if size > _HISTORY:
            break
        kept += 1
    return found[len(found) - kept :]
