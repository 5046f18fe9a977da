"""What the row of a document says while others are merged into it, and of their files after it."""

from __future__ import annotations

from typing import Any

from alma.documents import records
from alma.documents.records import Document
from alma.storage.items.documents import DocumentItem, FileItem, document_key
from alma.storage.transactions import ConditionFailedError, Transaction, conditional_write, write_transaction


def pages_taken(document: Document) -> Document:
    """Record that all pages of the others are there, and return the document after that. Idempotent."""
    last = document.joining[-1]
    item = DocumentItem(document.organisation, document_key(document.id))
    conditional_write(
        lambda: item.update(
            actions=[DocumentItem.pages.set(last.first + last.pages - 1)],
            condition=DocumentItem.joining.exists(),
        )
    )
    return records.get(document.organisation, document.id)


def keep_file(document: Document, source: Document) -> None:
    """Make the files of a document that is merged into another the other's, too. Idempotent."""
    root = source.instance_of or source.id
    own = () if source.file_key is None else ((source.file_key, source.object_key, source.etag, root),)
    for key, object_key, etag, first in (*own, *source.further_files):
        known = records.get(document.organisation, document.id)
        if key in (known.file_key, *(each[0] for each in known.further_files)):
            continue
        files = [*(list(each) for each in known.further_files), [key, object_key, etag, first]]
        ids: set[float] = {document.id, source.id}

        def write(transact: Transaction, key: str = key, files: Any = files, ids: Any = ids) -> None:
            transact.update(
                DocumentItem(document.organisation, document_key(document.id)),
                actions=[DocumentItem.further_files.set(files)],
                condition=DocumentItem.pk.exists(),
            )
            transact.update(
                FileItem(document.organisation, key),
                actions=[FileItem.instances.add(ids)],
                condition=FileItem.pk.exists(),
            )

        try:
            write_transaction(write)
        except ConditionFailedError:
            continue  # the file is gone, or the document


def end(document: Document) -> Document:
    """Record that the others are merged into a document, and return it after that. Idempotent."""
    item = DocumentItem(document.organisation, document_key(document.id))
    conditional_write(
        lambda: item.update(actions=[DocumentItem.joining.remove()], condition=DocumentItem.pk.exists())
    )
    return records.get(document.organisation, document.id)
