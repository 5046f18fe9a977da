"""Document instances: the several documents of one file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from alma.access import organisations
from alma.documents import intake, lookups, records
from alma.documents.records import Document, DocumentStatus, Instance
from alma.storage import objects, queue
from alma.storage.items.documents import DocumentItem, FileItem, PageItem, document_key, page_key
from alma.storage.table import Item
from alma.storage.transactions import (
    ConditionFailedError,
    Transaction,
    conditional_write,
    write_transaction,
)


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
    item = records.new_item(first.organisation, instance.document_id, first.file_name, first.object_key)
    item.requested_type, item.media_type = first.requested_type, first.media_type
    item.file_key, item.etag = first.file_key, first.etag
    item.announced_by = first.announced_by
    item.instance_of, item.first_page, item.last_page = first.id, instance.first, instance.last
    expected: Any = DocumentItem.pending_parts.contains(instance.document_id)

    def write(transact: Transaction) -> None:
        transact.condition_check(DocumentItem, first.organisation, document_key(first.id), condition=expected)
        transact.save(item, condition=DocumentItem.pk.does_not_exist())
        lookups.save(transact, item)

    with suppress(ConditionFailedError):
        write_transaction(write)


def release_source(document: Document) -> None:
    """Remove from the first document of a file the pages of another instance. Idempotent.

    Who does it for the last of them has the first one resolved.
    """
    if document.instance_of is None or document.page_range is None:
        return
    numbers = range(document.page_range[0], document.page_range[1] + 1)
    remove_pages(document.organisation, document.instance_of, numbers)
    if take_off_pending_parts(document):
        queue.send_pages(document.organisation, document.instance_of, [0])


def remove_pages(organisation: str, document_id: int, numbers: Sequence[int]) -> None:
    """Remove pages of a document: images, words and rows. Idempotent."""
    objects.delete_pages(organisation, document_id, numbers)
    with Item.batch_write() as batch:
        for number in numbers:
            batch.delete(PageItem(organisation, page_key(document_id, number)))


def take_off_pending_parts(document: Document) -> bool:
    """Take an instance off the pending parts of the first document; tell whether none is left pending."""
    first = DocumentItem(document.organisation, document_key(document.instance_of or document.id))
    waiting = conditional_write(
        lambda: first.update(
            actions=[DocumentItem.pending_parts.delete({document.id})],
            condition=DocumentItem.status == DocumentStatus.PROCESSING.value,
        )
    )
    return waiting and not first.pending_parts


def siblings(document: Document) -> list[int]:
    """Return the other instances of a file that are still there, given its first document."""
    if not document.instances or document.file_key is None:
        return []
    known = intake.known_file(FileItem(document.organisation, document.file_key))
    alive = set() if known is None else {int(number) for number in known.instances or ()}
    return sorted(alive & {instance.document_id for instance in document.instances[1:]})
