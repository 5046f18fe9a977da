"""Re-extraction: a document read anew as a whole, or by one more track. What people decided stays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from alma.datamodel.fields import Extraction, Field
from alma.datamodel.schemas import DocumentSchema
from alma.document_types import catalogue
from alma.documents import audit, changes, field_rows, progress, records
from alma.documents.records import Document, DocumentStatus
from alma.storage import queue
from alma.storage.items.documents import DocumentItem, document_key
from alma.storage.transactions import conditional_write, retry

_READY: Any = DocumentItem.status == DocumentStatus.READY.value


def request(organisation: str, document_id: int, doc_type: str | None, actor: str) -> Document:
    """Ask for a document to be re-extracted, as of a type if one is given, and return it as it is now.

    Idempotent while it waits; asked for as another type, the last one counts.

    Raises
    ------
    NotFoundError
        The organisation has no such document.
    ConflictError
        It is not ready.
    BadRequestError
        The organisation has no such type.
    """
    records.ready(records.row_of(organisation, document_id))
    catalogue.check(organisation, doc_type, optional=True)
    document, asked = retry(lambda: _record(organisation, document_id, doc_type))
    if asked is not None:
        try:
            queue.send_re_extraction(organisation, document_id, doc_type, actor, asked)
        except Exception:
            end(organisation, document_id, asked)  # nothing comes that would
            raise
    return document


def _record(organisation: str, document_id: int, doc_type: str | None) -> tuple[Document, int | None]:
    """Conditional write: record that a re-extraction waits, and since when; None if one waited before."""
    row = records.row_of(organisation, document_id)
    document = records.ready(row)
    before = row.re_extraction
    if document.re_extraction == "queued" and row.re_extraction_type == doc_type:
        return document, None
    # Not the same twice: by it a message knows whether another one took its place.
    asked = max(time.time_ns() // 10**6, int(before or 0) + 1)
    same: Any = DocumentItem.re_extraction.does_not_exist()
    if before is not None:
        same = DocumentItem.re_extraction == before
    row.update(
        actions=[
            DocumentItem.re_extraction.set(asked),
            DocumentItem.re_extraction_attempts.remove(),
            DocumentItem.re_extraction_failure.remove(),
            DocumentItem.re_extraction_type.remove()
            if doc_type is None
            else DocumentItem.re_extraction_type.set(doc_type),
        ],
        condition=_READY & same,
    )
    return records.from_item(row), asked


def begin(organisation: str, document_id: int, asked: int | None) -> int | None:
    """Count that what was asked for then begins, and return how often it has.

    None where the document does not wait for it (any more). What no row waits for (`asked` is None) is begun
    for the first time each time.
    """
    if asked is None:
        return 1
    row = DocumentItem(organisation, document_key(document_id))
    begun = conditional_write(
        lambda: row.update(
            actions=[DocumentItem.re_extraction_attempts.add(1)],
            condition=DocumentItem.re_extraction == asked,
        )
    )
    return int(row.re_extraction_attempts) if begun else None


def end(organisation: str, document_id: int, asked: int | None, *, failure: str | None = None) -> None:
    """Conditional write: the document no longer waits for what was asked for then. Idempotent.

    With `failure`, a sentence, it says from then on that it was not read again, and why.
    """
    if asked is None:
        return
    row = DocumentItem(organisation, document_key(document_id))
    said = [] if failure is None else [DocumentItem.re_extraction_failure.set(failure)]
    conditional_write(
        lambda: row.update(
            actions=[
                DocumentItem.re_extraction.remove(),
                DocumentItem.re_extraction_type.remove(),
                DocumentItem.re_extraction_attempts.remove(),
                *said,
            ],
            condition=DocumentItem.re_extraction == asked,
        )
    )


def merged(organisation: str, kept: Sequence[Field], extraction: Extraction) -> Extraction:
    """Return an extraction merged with fields that people had decided; these stay."""
    from alma.review import merging

    schema = _schema(organisation, extraction.doc_type)
    return replace(extraction, fields=merging.merge_re_extraction(kept, extraction.fields, schema))


def keep(organisation: str, document_id: int, extraction: Extraction, actor: str) -> None:
    """Merge what reading a document anew gave into its fields. Idempotent.

    Written only onto what it was merged with: where a reviewer was faster, it is merged again. Nothing is
    written for a document that is not ready.

    Parameters
    ----------
    organisation, document_id : str, int
        The document.
    extraction : Extraction
        Its fields, missing ones included, and its type.
    actor : str
        Id of the key that asked for it.

    Raises
    ------
    NotFoundError
        The document is gone.
    """
    from alma.review import (
        merging,  # what compares values takes long to import, and `request` needs none of it
    )

    schema = _schema(organisation, extraction.doc_type)

    def plan(row: DocumentItem) -> changes.Change[None] | changes.Unchanged[None]:
        if row.status != DocumentStatus.READY.value:
            return changes.Unchanged(None)
        _, existing = records.read(organisation, document_id)
        merged = field_rows.as_stored(merging.merge_re_extraction(existing, extraction.fields, schema))
        retyped = extraction.doc_type != row.doc_type
        steps = changes.steps(existing, merged, row, rewrite=retyped)
        if not steps and not retyped:
            return changes.Unchanged(None)
        after = _after(existing, steps)
        event = audit.extracted(after, extraction.doc_type, before={"docType": row.doc_type})
        actions = progress.type_actions(organisation, extraction)
        return changes.Change(event, steps, extraction.doc_type, None, actions, _READY)

    changes.change(organisation, document_id, actor, plan)


def merge_readings(
    organisation: str,
    document_id: int,
    found: Sequence[Field],
    track: str,
    *,
    actor: str,
    review_below: float,
) -> list[Field]:
    """Merge the readings of one more track into a document's fields, and return them as they are then.

    Other tracks' readings stay, and so does what people decided. A field nobody decided is no longer
    escalated for doubts that a reading of the track, at least `review_below` sure, has settled.

    Parameters
    ----------
    organisation, document_id : str, int
        A document that is ready.
    found : sequence of Field
        What the track reads; their readings are of this track alone.
    track : str
        Its name: the id of a model.
    actor : str
        Id of the key that asked for it.
    review_below : float
        A field less sure than this goes to a person.

    Raises
    ------
    NotFoundError
        The organisation has no such document.
    ConflictError
        It is not ready (any more).
    """
    from alma.review import merging

    def plan(row: DocumentItem) -> changes.Change[list[Field]] | changes.Unchanged[list[Field]]:
        records.ready(row)
        _, existing = records.read(organisation, document_id)
        schema = _schema(organisation, row.doc_type)
        merged = merging.merge_track(existing, found, track, schema, review_below)
        steps = changes.steps(existing, field_rows.as_stored(merged), row)
        fields = _after(existing, steps)
        if not steps:
            return changes.Unchanged(fields)
        event = audit.extracted(fields, row.doc_type, track=track)
        return changes.Change(event, steps, row.doc_type, fields, condition=_READY)

    return changes.change(organisation, document_id, actor, plan)


def _after(existing: Sequence[Field], steps: Sequence[changes.FieldChange]) -> list[Field]:
    """Return the fields of a document after a change, in order."""
    by_id = {field.id: field for field in existing}
    for step in steps:
        if step.before is not None:
            del by_id[step.before.id]
        if step.after is not None:
            by_id[step.after.id] = step.after
    return sorted(by_id.values(), key=lambda field: (field.order, field.occurrence))


def _schema(organisation: str, doc_type: str | None) -> DocumentSchema | None:
    return None if doc_type is None else catalogue.schemas_of(organisation).get(doc_type)
