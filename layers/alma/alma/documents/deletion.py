"""Deletion: a document with everything that was made of it, and its file with the last document of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alma.documents import audit, changes, instances, intake, records
from alma.documents.records import Document, DocumentStatus
from alma.errors import ConflictError
from alma.storage import objects
from alma.storage.items.documents import DocumentItem, FileItem, document_key, field_prefix, page_prefix
from alma.storage.items.idempotency import answer_prefix, idempotency_partition
from alma.storage.table import Item
from alma.storage.transactions import conditional_write


def delete(organisation: str, document_id: int, *, actor: str = audit.ALMA) -> None:
    """Remove a document, its fields, pages, words, exports and the file it came from.

    A file of several documents stays until the last of them is removed. The first of them stands for the
    whole file as long as it is being read: removed then, it takes the others along. The row goes last, so a
    deletion that is cut off can be done again. Of the audit trail the digests stay, closed by an entry that
    says who (`actor`) removed it.

    Raises
    ------
    NotFoundError
        The organisation has no such document.
    """
    document = records.get(organisation, document_id)
    _refuse_divided(document)
    if document.source is not None:
        instances.release_source(document)
    _leave_file(document)
    if document.instance_of is None and document.status is DocumentStatus.PROCESSING:
        # Read again: it may have been divided since. From now on it cannot be, being off its file.
        for instance in records.get(organisation, document_id).instances[1:]:
            other = replace(document, id=instance.document_id, instance_of=document.id)
            # Its row may not have been made yet, and must not be any more.
            instances.take_off_pending_parts(other)
            _leave_file(other)
            _remove(other, actor)
    _remove(document, actor)


def _refuse_divided(document: Document) -> None:
    """Raise the error for a document whose pages are on their way to or from another one."""
    if document.status is not DocumentStatus.PROCESSING:
        return
    target = document.merged_into
    if target is not None and records.exists(document.organisation, target):
        target_status = records.get(document.organisation, target).status
        if target_status is not DocumentStatus.PROCESSING:
            target = None  # it could not be read, and takes nothing any more
    if document.parts or document.joining or target is not None:
        raise ConflictError(
            f"Document {document.id} is being split or merged; remove what comes of it in a moment.",
            code="not_ready",
        )


def _remove(document: Document, actor: str) -> None:
    """Remove a document's row and what was made of it."""
    row = DocumentItem(document.organisation, document_key(document.id))
    # Who checks trails can tell a removal that was cut off from tampering by this.
    conditional_write(lambda: row.update([DocumentItem.deleting.set(True)], DocumentItem.pk.exists()))
    purge(document.organisation, document.id)
    changes.end(document.organisation, document.id, actor)
    # What was being written meanwhile; whoever finds the row gone from now on purges too.
    purge(document.organisation, document.id)


def remove_merged(document: Document, actor: str | None) -> None:
    """Remove a document whose pages another one has taken in, and its part in its file. Idempotent."""
    if document.file_key is not None:
        _leave_file(document)
    _remove(document, actor or audit.ALMA)


def _leave_file(document: Document) -> None:
    """Take a document off the files it came from; the last one takes a file along. Idempotent."""
    for key, object_key, etag, first in document.further_files:
        _leave_file(
            replace(
                document,
                file_key=key,
                object_key=object_key,
                etag=etag,
                instance_of=first,
                further_files=(),
            )
        )
    if document.file_key is None:
        objects.delete_inbox(document.object_key, document.etag)
        return
    item = FileItem(document.organisation, document.file_key)
    known = intake.known_file(item)
    root = document.instance_of or document.id
    if known is not None and int(known.document_id) != root:
        return  # dropped once more after it failed: the file is another document's now
    divided: Any = FileItem.instances.exists()
    left = conditional_write(
        lambda: item.update(actions=[FileItem.instances.delete({document.id})], condition=divided)
    )
    if left and item.instances:
        return
    objects.delete_inbox(document.object_key, document.etag)
    if not conditional_write(lambda: item.delete(FileItem.instances.does_not_exist())):
        _leave_file(document)  # it was divided in this moment


def purge(organisation: str, document_id: int) -> None:
    """Remove what was made of a document: objects of the archive, fields, pages, kept answers. Idempotent.

    Not its audit trail: that outlives it.
    """
    objects.delete_document(organisation, document_id)
    with Item.batch_write() as batch:
        for partition, prefix in (
            (organisation, field_prefix(document_id)),
            (organisation, page_prefix(document_id)),
            (idempotency_partition(organisation), answer_prefix(str(document_id))),
        ):
            for item in Item.query(
                partition,
                Item.sk.startswith(prefix),
                consistent_read=True,
                attributes_to_get=["pk", "sk", "kind"],  # kept answers are large
            ):
                batch.delete(item)
