"""Document instances: the several documents of one file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from alma.access import organisations
from alma.documents import audit, intake, lookups, records, reviewed_fields
from alma.documents.records import Document, DocumentStatus, Instance
from alma.storage import objects, queue
from alma.storage.items.documents import AuditItem, DocumentItem, FileItem, PageItem, document_key, page_key
from alma.storage.table import Item
from alma.storage.transactions import (
    ConditionFailedError,
    Transaction,
    conditional_write,
    write_transaction,
)

#: Longest name of an attached file with that of the file it is attached to.
MAX_NAME = 255


def divide(document: Document, ranges: Sequence[tuple[int, int]]) -> Document:
    """Record which documents a file holds, and return the first of them after that. Idempotent.

    The numbers of the others are given here, before any of them is made, so that doing it again makes the
    same ones. What was recorded before stays, and nothing is recorded for a document that is on its way
    out.

    Parameters
    ----------
    document : Document
        The document the file became; it stays the first.
    ranges : sequence of (int, int)
        First and last page of every document in the file, in order; at least two.

    Raises
    ------
    NotFoundError
        The document was deleted in the meantime.
    """
    second = organisations.next_document_id(document.organisation, len(ranges) - 1)
    ids = [document.id, *range(second, second + len(ranges) - 1)]
    (first, last), *_ = ranges

    def write(transact: Transaction) -> None:
        transact.update(
            DocumentItem(document.organisation, document_key(document.id)),
            actions=[
                DocumentItem.instances.set(
                    [[number, *pages] for number, pages in zip(ids, ranges, strict=True)]
                ),
                DocumentItem.pending_parts.set(set(ids[1:])),
                DocumentItem.first_page.set(first),
                DocumentItem.last_page.set(last),
                DocumentItem.pages.set(last - first + 1),
                # Telling the documents apart is done; resolving the fields has its own attempts.
                DocumentItem.resolutions.set(0),
            ],
            condition=(DocumentItem.status == DocumentStatus.PROCESSING.value)
            & DocumentItem.instances.does_not_exist(),
        )
        transact.update(
            FileItem(document.organisation, document.file_key),
            actions=[FileItem.instances.set(set(ids))],
            condition=(FileItem.document_id == document.id) & FileItem.instances.does_not_exist(),
        )

    with suppress(ConditionFailedError):
        write_transaction(write)
    return records.get(document.organisation, document.id)


def put_instance(first: Document, instance: Instance) -> None:
    """Conditional write: make the row of an instance of a file, unless it is there or was removed."""
    name = _name(first, instance)
    item = records.new_item(first.organisation, instance.document_id, name, first.object_key)
    item.requested_type, item.media_type = first.requested_type, first.media_type
    item.file_key, item.etag = first.file_key, first.etag
    item.announced_by = first.announced_by
    if first.parts:
        _take_from(item, first, instance)
    else:
        item.instance_of, item.first_page, item.last_page = first.id, instance.first, instance.last
    entry = None if item.taken_from is None else _first_entry(item, first, instance)
    expected: Any = DocumentItem.pending_parts.contains(instance.document_id)

    def write(transact: Transaction) -> None:
        transact.condition_check(DocumentItem, first.organisation, document_key(first.id), condition=expected)
        transact.save(item, condition=DocumentItem.pk.does_not_exist())
        lookups.save(transact, item)
        if entry is not None:
            transact.save(entry)
        if first.parts and first.file_key is not None:
            # The file is also this one's from now on.
            transact.update(
                FileItem(first.organisation, first.file_key),
                actions=[FileItem.instances.add({first.id, instance.document_id})],
                condition=FileItem.pk.exists(),
            )

    with suppress(ConditionFailedError):
        write_transaction(write)


def _name(first: Document, instance: Instance) -> str:
    """Return the name of an instance: that of its file, or both where its pages are an attached file's."""
    own = (each.name for each in first.attached_files if each.first <= instance.first <= each.last)
    attached = None if first.parts else next(own, None)
    return first.file_name if attached is None else f"{first.file_name} - {attached}"[:MAX_NAME]


def _take_from(item: DocumentItem, first: Document, instance: Instance) -> None:
    """Make the row of a part that was split off by hand say where it is from."""
    item.instance_of = first.instance_of or first.id
    item.taken_from, item.taken_first, item.taken_last = first.id, instance.first, instance.last
    item.divided_by = first.divided_by
    item.scattered = first.scattered or None
    if not first.scattered:
        before = first.page_range[0] - 1 if first.page_range else 0
        item.first_page, item.last_page = before + instance.first, before + instance.last
    # Its pages and what was read on them were counted with the document that it is from.
    item.metered = True


def _first_entry(item: DocumentItem, first: Document, instance: Instance) -> AuditItem:
    """Return the entry that begins the trail of a part that was split off by hand."""
    fields = reviewed_fields.touched(first.organisation, first.id)
    names = {field.id for field in reviewed_fields.on_pages(fields, instance.first, instance.last)}
    event = audit.Event(
        audit.Action.SPLIT,
        after={
            "from": first.id,
            "pages": [instance.first, instance.last],
            "history": reviewed_fields.decisions(first.organisation, first.id, names),
        },
    )
    entry = audit.next_item(item, first.divided_by or audit.ALMA, event)
    item.audit_count, item.audit_head = entry.sequence, entry.digest
    return entry


def take_fields(document: Document) -> None:
    """Write what people decided of the pages of a part onto it. Idempotent."""
    if document.source is None or document.taken_from is None:
        return
    source, (first, last) = document.source
    fields = reviewed_fields.on_pages(reviewed_fields.touched(document.organisation, source), first, last)
    there = [after for _, after in reviewed_fields.moved(fields, 1 - first)]
    reviewed_fields.put(document.organisation, document.id, there)


def release_source(document: Document) -> None:
    """Remove from a document the pages that another instance of its file has taken. Idempotent.

    Who does it for the last of them has that document resolved.
    """
    if document.source is None:
        return
    source, (first, last) = document.source
    row = DocumentItem.find(document.organisation, document_key(source))
    # Not twice: the numbers of these pages may be those of others since.
    if row is not None and document.id in (row.pending_parts or ()):
        remove_pages(document.organisation, source, range(first, last + 1))
        if document.taken_from is not None:
            fields = reviewed_fields.touched(document.organisation, source)
            moved = reviewed_fields.on_pages(fields, first, last)
            reviewed_fields.remove(document.organisation, source, moved)
    if take_off_pending_parts(document):
        queue.send_pages(document.organisation, source, [0])


def remove_pages(organisation: str, document_id: int, numbers: Sequence[int]) -> None:
    """Remove pages of a document: images, words and rows. Idempotent."""
    objects.delete_pages(organisation, document_id, numbers)
    with Item.batch_write() as batch:
        for number in numbers:
            batch.delete(PageItem(organisation, page_key(document_id, number)))


def take_off_pending_parts(document: Document) -> bool:
    """Take an instance off the pending parts of its source; tell whether none is left pending."""
    source = document.id if document.source is None else document.source[0]
    first = DocumentItem(document.organisation, document_key(source))
    waiting = conditional_write(
        lambda: first.update(
            actions=[DocumentItem.pending_parts.delete({document.id})],
            condition=DocumentItem.status == DocumentStatus.PROCESSING.value,
        )
    )
    return waiting and not first.pending_parts


def siblings(document: Document) -> list[int]:
    """Return the other instances of a file that are still there, given its first document."""
    if document.instance_of is not None or document.file_key is None:
        return []
    known = intake.known_file(FileItem(document.organisation, document.file_key))
    alive = set() if known is None else {int(number) for number in known.instances or ()}
    return sorted(alive - {document.id})
