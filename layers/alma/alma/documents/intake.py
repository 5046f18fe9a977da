"""Intake: a file is announced or dropped, and becomes a document exactly once."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from alma import clock
from alma.access import organisations
from alma.document_types import catalogue
from alma.documents import lookups, records
from alma.documents.records import Document, DocumentStatus
from alma.errors import NotFoundError, PassingConflictError
from alma.settings import settings
from alma.storage import objects
from alma.storage.items.documents import DocumentItem, FileItem, document_key
from alma.storage.transactions import (
    ConditionFailedError,
    Transaction,
    conditional_write,
    write_transaction,
)

#: Times a file may be begun: the last of the three invocations an S3 event gets only records the failure.
MAX_ATTEMPTS = 2


def announce(
    organisation: str,
    file_name: str,
    requested_type: str | None = None,
    *,
    whole: bool = False,
    announced_by: str | None = None,
) -> Document:
    """Make a document for a file that will be uploaded to its `object_key` within `upload_seconds`.

    Parameters
    ----------
    organisation, file_name : str
        Whose file, and its name.
    requested_type : str, optional
        The type the sender says it is.
    whole : bool
        The file is one document, whatever its pages look like.
    announced_by : str, optional
        Id of the key for which reading it is counted.

    Raises
    ------
    BadRequestError
        The organisation has no such type.
    """
    catalogue.check(organisation, requested_type, optional=True)
    document_id = organisations.next_document_id(organisation)
    item = records.new_item(
        organisation,
        document_id,
        file_name,
        objects.upload_key(organisation, document_id, file_name),
    )
    item.requested_type = requested_type
    item.whole = whole or None
    item.announced_by = announced_by
    # One that never comes is no document: the row goes by itself a day after the URL has expired.
    item.expires_at = clock.now() + timedelta(seconds=settings().upload_seconds, days=1)

    def write(transact: Transaction) -> None:
        transact.save(item, condition=DocumentItem.pk.does_not_exist())
        lookups.save(transact, item)

    write_transaction(write)
    return records.from_item(item)


def is_known(organisation: str, object_key: str, etag: str) -> bool:
    """Tell whether a file has become a document already."""
    return known_file(_file_item(organisation, object_key, etag, "")) is not None


def arrive(organisation: str, object_key: str, etag: str, sequencer: str) -> Document | None:
    """Return the document a dropped file is, creating it on its first arrival; None if nothing is to do.

    The same object delivered twice, or read again after a crash, is the same document; `attempts` counts how
    often it was begun. Dropped once more after it failed, it is a new document: limits may have been raised.

    Parameters
    ----------
    object_key, etag : str
        Name and content of the object.
    sequencer : str
        Tells one upload of that content from the next.
    """
    file_item = _file_item(organisation, object_key, etag, sequencer)
    known = known_file(file_item)
    if known is not None and known.sequencer != sequencer and _failed(known):
        _release(known)
        known = None
    document_id = int(known.document_id) if known is not None else _claim(organisation, file_item, etag)
    item = DocumentItem(organisation, document_key(document_id))
    begun = conditional_write(
        lambda: item.update(
            actions=[DocumentItem.attempts.add(1)],
            condition=DocumentItem.status == DocumentStatus.PROCESSING.value,
        )
    )
    return records.from_item(item) if begun else None


def _file_item(organisation: str, object_key: str, etag: str, sequencer: str) -> FileItem:
    digest = hashlib.sha256(f"{object_key}\0{etag}".encode()).hexdigest()[:40]
    return FileItem(organisation, f"file#{digest}", object_key=object_key, sequencer=sequencer)


def _release(file_item: FileItem) -> None:
    """Let go of a claim, unless another delivery has renewed it."""
    same: Any = FileItem.sequencer == file_item.sequencer
    conditional_write(lambda: file_item.delete(same))


def known_file(file_item: FileItem) -> FileItem | None:
    """Return the row of a file as the table has it; None where the file has become no document."""
    return FileItem.find(file_item.pk, file_item.sk)


def _failed(file_item: FileItem) -> bool:
    """Tell whether nothing came of a file: its document failed, or is gone and left no other behind."""
    try:
        return records.get(file_item.pk, int(file_item.document_id)).status is DocumentStatus.FAILED
    except NotFoundError:
        return not file_item.instances


def _claim(organisation: str, file_item: FileItem, etag: str) -> int:
    """Bind a file to its announced document or a new one, and return its number; that of whoever was faster.

    Raises
    ------
    ConflictError
        Another delivery was faster, and its document is gone again.
    """
    announced = _announced_id(organisation, file_item.object_key)
    if announced is not None and _bind(announced, file_item, etag):
        return announced
    # Used or deleted in the meantime, nothing is lost: the file becomes a document of its own.
    known = known_file(file_item)
    if known is not None:
        return int(known.document_id)
    document_id = organisations.next_document_id(organisation)
    file_item.document_id = document_id
    name = file_item.object_key.rsplit("/", 1)[-1]
    item = records.new_item(organisation, document_id, name, file_item.object_key)
    item.file_key, item.etag = file_item.sk, etag
    first = None if announced is None else DocumentItem.find(organisation, document_key(announced))
    if first is not None:
        # Whoever was given the URL goes on using it, and it is theirs that it is used for.
        item.requested_type, item.whole = first.requested_type, first.whole
        item.announced_by = first.announced_by

    def write(transact: Transaction) -> None:
        transact.save(file_item, condition=FileItem.pk.does_not_exist())
        transact.save(item, condition=DocumentItem.pk.does_not_exist())
        lookups.save(transact, item)

    try:
        write_transaction(write)
    except ConditionFailedError:
        known = known_file(file_item)
        if known is None:
            raise PassingConflictError(
                "The file was claimed and released at the same time; deliver it again."
            ) from None
        return int(known.document_id)
    return document_id


def _bind(announced: int, file_item: FileItem, etag: str) -> bool:
    """Conditional write: bind a file to its announced document; tell whether that still waited for it."""
    row = DocumentItem.find(file_item.pk, document_key(announced))
    if row is None:
        return False
    file_item.document_id = announced
    row.expires_at = None

    def write(transact: Transaction) -> None:
        transact.save(file_item, condition=FileItem.pk.does_not_exist())
        transact.update(
            DocumentItem(file_item.pk, document_key(announced)),
            actions=[
                DocumentItem.expires_at.remove(),
                DocumentItem.file_key.set(file_item.sk),
                DocumentItem.etag.set(etag),
            ],
            condition=(DocumentItem.object_key == file_item.object_key) & DocumentItem.expires_at.exists(),
        )
        lookups.save(transact, row)  # which expire no longer

    try:
        write_transaction(write)
    except ConditionFailedError:
        return False
    return True


def _announced_id(organisation: str, object_key: str) -> int | None:
    uploads = objects.inbox_prefix(organisation) + objects.UPLOADS
    number = object_key.removeprefix(uploads).split("/", 1)[0] if object_key.startswith(uploads) else ""
    return int(number) if number.isdecimal() and len(number) <= 12 else None
