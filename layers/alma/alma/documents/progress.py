"""Progress: from known pages to a document that is ready or failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from alma.clock import timestamp
from alma.datamodel.fields import Extraction, Field, ReadingWarning
from alma.documents import audit, changes, field_rows, records
from alma.documents.records import AttachedFile, Document, DocumentStatus
from alma.errors import NotFoundError
from alma.storage.items.documents import DocumentItem, document_key
from alma.storage.transactions import conditional_write

#: Times the fields of a document may be begun to be resolved.
MAX_RESOLUTIONS = 3


def pages_known(
    document: Document,
    pages: int,
    pending: Iterable[int],
    media_type: str,
    attachments: Sequence[str] = (),
    attached: Sequence[AttachedFile] = (),
) -> Document:
    """Record the number of pages and which of them wait for recognition. What was recorded before stays.

    Parameters
    ----------
    document : Document
        Whose pages.
    pages, pending, media_type : int, iterable of int, str
        Their number, those that wait, and what the file is.
    attachments : sequence of str
        Names of files that are attached to it and are not read.
    attached : sequence of AttachedFile
        Those that are, whose pages count on behind its own.
    """
    item = DocumentItem(document.organisation, document_key(document.id))
    actions: list[Any] = [DocumentItem.pages.set(pages), DocumentItem.media_type.set(media_type)]
    if attachments:
        actions.append(DocumentItem.attachments.set(list(attachments)))
    if attached:
        parts = [[each.name, each.first, each.last] for each in attached]
        actions.append(DocumentItem.attached_files.set(parts))
    # Integers, though pynamodb calls them floats: written as 1.0, another store may not find them again as 1.
    waiting: set[float] = {int(page) for page in pending}
    if waiting:  # a set in DynamoDB cannot be empty
        actions.append(DocumentItem.pending.set(waiting))
    known = conditional_write(
        lambda: item.update(
            actions=actions,
            condition=(DocumentItem.status == DocumentStatus.PROCESSING.value)
            & DocumentItem.pages.does_not_exist(),
        )
    )
    return records.from_item(item) if known else records.get(document.organisation, document.id)


def page_read(document: Document, number: int) -> Document:
    """Take a page off the pending ones, and return the document after that. Idempotent.

    Raises
    ------
    NotFoundError
        The document was deleted in the meantime.
    """
    item = DocumentItem(document.organisation, document_key(document.id))
    done = conditional_write(
        lambda: item.update(
            actions=[DocumentItem.pending.delete({number})],
            condition=DocumentItem.pk.exists(),
        )
    )
    if not done:
        raise records.absent(document.id)
    return records.from_item(item)


def begin_resolution(document: Document) -> int:
    """Count that resolving the fields begins, and return how often it has.

    Raises
    ------
    NotFoundError
        The document was deleted in the meantime.
    """
    item = DocumentItem(document.organisation, document_key(document.id))
    begun = conditional_write(
        lambda: item.update(actions=[DocumentItem.resolutions.add(1)], condition=DocumentItem.pk.exists())
    )
    if not begun:
        raise records.absent(document.id)
    return int(item.resolutions)


def finish(
    document: Document, extraction: Extraction, *, kept: Sequence[Field] = (), unread_lines: int = 0
) -> None:
    """Keep the fields and make the document ready, unless it is finished or gone already.

    Fields are written only while the document is being read: whoever comes late cannot touch what people have
    reviewed since. `kept` are those of them that people had decided before a split or a merge.
    """
    fields = field_rows.as_stored(extraction.fields)
    decided = {field.id for field in kept}
    actions: list[Any] = [
        DocumentItem.status.set(DocumentStatus.READY.value),
        DocumentItem.status_key.set(f"{document.organisation}#{DocumentStatus.READY.value}"),
        DocumentItem.finished_at.set(timestamp()),
        DocumentItem.unread_lines.set(unread_lines),
        DocumentItem.pending.remove(),
        DocumentItem.parts.remove(),
        *type_actions(document.organisation, extraction),
    ]

    def plan(row: DocumentItem) -> changes.Change[None]:
        # An attempt that was cut off may have left other fields; one that was ready before has some.
        again = int(row.resolutions or 0) > 1 or row.divided_by is not None
        left = records.read(document.organisation, document.id)[1] if again else []
        if row.divided_by is None:
            names = {field.id for field in fields}
            steps = [
                *(changes.FieldChange(None, field) for field in fields),
                *(changes.FieldChange(field, None) for field in left if field.id not in names),
            ]
        else:
            steps = changes.steps(left, fields, row, rewrite=True)
        after = [each.after for each in steps if each.after is not None]
        return changes.Change(
            audit.extracted(
                after, extraction.doc_type, kept=[field for field in after if field.id in decided]
            ),
            steps,
            extraction.doc_type,
            result=None,
            actions=actions,
            condition=_IN_PROGRESS,
            overwrite=True,
        )

    _finish(document, plan)


def stored_warning(warning: ReadingWarning | None) -> list[str] | None:
    """Return a warning as a document's row has it."""
    return None if warning is None else [warning.reason.value, warning.detail]


def type_actions(organisation: str, extraction: Extraction) -> list[Any]:
    """Return what makes a document's row say the type and the warning found, and nothing it said before."""
    doc_type, sure = extraction.doc_type, extraction.doc_type_confidence
    return [
        *(
            [DocumentItem.doc_type.remove(), DocumentItem.type_key.remove()]
            if doc_type is None
            else [
                DocumentItem.doc_type.set(doc_type),
                DocumentItem.type_key.set(f"{organisation}#{doc_type}"),
            ]
        ),
        DocumentItem.doc_type_confidence.remove()
        if sure is None
        else DocumentItem.doc_type_confidence.set(sure),
        DocumentItem.warning.remove()
        if extraction.warning is None
        else DocumentItem.warning.set(stored_warning(extraction.warning)),
    ]


def fail(document: Document, code: str, detail: str) -> None:
    """Record that a document cannot be read, and why, unless it is finished or gone already."""
    actions: list[Any] = [
        DocumentItem.status.set(DocumentStatus.FAILED.value),
        DocumentItem.status_key.set(f"{document.organisation}#{DocumentStatus.FAILED.value}"),
        DocumentItem.error_code.set(code),
        DocumentItem.detail.set(detail),
        DocumentItem.finished_at.set(timestamp()),
        DocumentItem.pending.remove(),
    ]
    event = audit.Event(audit.Action.FAILED, after={"error": code})

    def plan(row: DocumentItem) -> changes.Change[None]:
        return changes.Change(event, [], row.doc_type, None, actions, _IN_PROGRESS)

    _finish(document, plan)


_IN_PROGRESS: Any = DocumentItem.status == DocumentStatus.PROCESSING.value


def _finish(document: Document, plan: Callable[[DocumentItem], changes.Change[None]]) -> None:
    """Change a document for the last time before it can be used, unless that is done or it is gone."""

    def once(row: DocumentItem) -> changes.Change[None] | changes.Unchanged[None]:
        return plan(row) if row.status == DocumentStatus.PROCESSING.value else changes.Unchanged(None)

    with suppress(NotFoundError):  # removed meanwhile
        changes.change(document.organisation, document.id, audit.ALMA, once)
