"""The field that a decision or a proposal is about: found and up to date, or the vacant place of a new one.

What is decided or proposed is written together with its entry in the document's audit trail (`change_of`).
"""

from __future__ import annotations

from typing import Any

from alma import clock
from alma.datamodel.fields import MAX_OCCURRENCES, Field, Reading, parse_id
from alma.datamodel.schemas import ColumnSchema, DocumentSchema, FieldSchema
from alma.document_types import catalogue
from alma.documents import audit, changes, field_rows, records
from alma.documents.audit import Action
from alma.documents.records import Document, DocumentStatus
from alma.errors import BadRequestError, ConflictError, NotFoundError
from alma.presentation.document import project_field
from alma.review import claims
from alma.storage.items.documents import DocumentItem, FieldItem, field_key


def open_document(row: DocumentItem, actor: str) -> Document:
    """Return the document of a row if its fields can be decided with a key.

    Raises
    ------
    ConflictError
        It is not ready, or another key's claim holds.
    """
    document = records.ready(row)
    claims.refuse_others(document, actor)
    return document


def find_field(document: Document, field_id: str) -> Field:
    """Return a field of a document by its id.

    Raises
    ------
    NotFoundError
        The document has no such field.
    """
    named = parse_id(field_id)
    item = None if named is None else FieldItem.find(document.organisation, field_key(document.id, *named))
    if item is None:
        raise NotFoundError(
            f"There is no such field in document {document.id}; its fields with tracks say the id of each."
        )
    return field_rows.from_item(item)


def check_version(field: Field, version: int | None) -> None:
    """Optimistic locking: refuse what is said of another version of a field than it has now.

    Raises
    ------
    ConflictError
        With the field as it is now (`stale_version`).
    """
    if field.version != version:
        raise ConflictError(
            f"This field was changed since version {version}; look at what it is now.",
            code="stale_version",
            more={"current": project_field(field)},
        )


def next_version(row: DocumentItem, there: Field | None) -> int:
    """Return the version of a field after a change; a new one's is one no field of the document has had."""
    return int(row.audit_count or 0) + 1 if there is None else there.version + 1


def vacant_field(
    document: Document, key: str, column: ColumnSchema, row_number: int | None
) -> tuple[Field | None, Field]:
    """Return the field to fill in where one was not found: as it is stored, if it is, and as it begins.

    Raises
    ------
    ConflictError
        There is something of it already (`field_exists`).
    """
    _, fields = records.read(document.organisation, document.id)
    occurrence, order = _vacant_position(fields, key, column, row_number)
    there = next((f for f in fields if (f.key, f.occurrence) == (key, occurrence)), None)
    if there is not None and _settled(there):
        raise ConflictError(
            f"There is {there.id} already; decide that one.",
            code="field_exists",
            more={"current": project_field(there)},
        )
    return there, there or Field(key, occurrence, (), order=order)


def known_column(document: Document, key: str) -> ColumnSchema:
    """Return what a document's type says of a field that is to be added.

    Raises
    ------
    BadRequestError
        The document is of no known type, or its type has no such field.
    """
    schema = _schema(document)
    if schema is None:
        raise BadRequestError(
            "This document is of no known type, so it has no fields to add; "
            "have it read again as the docType that it is of."
        )
    column = _columns(schema).get(key)
    if column is None:
        raise BadRequestError(f"key is one of {', '.join(_columns(schema))}.")
    return column


def column_of(document: Document, key: str) -> ColumnSchema | None:
    """Return what a document's type says of a field; None where it is of no type that has such a field."""
    schema = _schema(document)
    return None if schema is None else _columns(schema).get(key)


def change_of(
    row: DocumentItem,
    action: Action,
    before: Field | None,
    after: Field,
    actor: str,
    *,
    proposal: Reading | None = None,
) -> changes.Change[Field]:
    """Return the change of one field, with its entry in the audit trail; its result is the field."""
    condition: Any = (DocumentItem.status == DocumentStatus.READY.value) & claims.free_for(actor)
    became = audit.state_of(after) or {}
    comment, at = after.comment, after.reviewed_at
    if proposal is not None:
        became["proposal"] = audit.state_of_reading(proposal)
        became["said"] = [after.reviewed_by, after.reviewed_at, after.comment]
        comment, at = proposal.comment, None
    event = audit.Event(action, after.id, audit.state_of(before), became, comment, at=at or clock.timestamp())
    steps = [changes.FieldChange(before, after)]
    return changes.Change(event, steps, row.doc_type, after, condition=condition)


def _schema(document: Document) -> DocumentSchema | None:
    try:
        return catalogue.get(document.organisation, document.doc_type or "").schema
    except NotFoundError:
        return None  # the organisation has removed the type since, or the document is of none


def _columns(schema: DocumentSchema) -> dict[str, ColumnSchema]:
    cells = {group.key_of(column): column for group in schema.groups for column in group.fields}
    return {field.key: field for field in schema.fields} | cells


def _settled(field: Field) -> bool:
    """Tell whether there is anything of a field already: a value, or a decision that there is none."""
    return not field.missing or field.status.decided


def _vacant_position(
    fields: list[Field], key: str, column: ColumnSchema, row_number: int | None
) -> tuple[int, int]:
    """Return the occurrence and the order of a field that is added; one that is missing is filled in."""
    own = [field for field in fields if field.key == key]
    group = key.partition(".")[0] if "." in key else None
    if group is None and row_number is not None:
        raise BadRequestError(f"{key} is no column of a group, so it has no row; leave row out.")
    last = max((field.order for field in fields), default=-1)
    if group is not None:
        cells = [field for field in fields if field.group == group]
        following = max((cell.occurrence for cell in cells), default=-1) + 1
        number = following if row_number is None else row_number
        if number > following:
            raise BadRequestError(
                f"{group} has {following} rows; row is 0 to {following}, {following} a new one."
            )
        beside = [cell.order for cell in cells if cell.occurrence <= number]
        order = max(beside, default=last + 1)
    else:
        filled = [field for field in own if _settled(field)]
        repeated = isinstance(column, FieldSchema) and column.repeated
        number = max((field.occurrence for field in filled), default=-1) + 1 if repeated else 0
        order = own[0].order if own else last + 1
    if number >= MAX_OCCURRENCES:
        raise ConflictError(
            f"{key} is there {MAX_OCCURRENCES} times, which is the most.", code="too_many_fields"
        )
    return number, order
