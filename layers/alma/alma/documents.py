"""Documents: what arrived, how far it is, and what it says.

A document's life: *announced* (an upload is expected) or *dropped*, then `processing` until every page is
read and the fields are resolved, then `ready`; or `failed` with a reason. Every step can be done twice:
conditions on the row decide which of two does it, and the other changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from pynamodb.exceptions import TransactWriteError

from alma import audit, changes, clock, cursors, fieldrows, organisations
from alma.clock import timestamp
from alma.errors import BadRequestError, ConflictError, NotFoundError
from alma.fields import Extraction, Field
from alma.pages import Track
from alma.settings import settings
from alma.storage import objects, queue
from alma.storage.table import (
    DocumentItem,
    FieldItem,
    FileItem,
    Item,
    PageItem,
    document_key,
    field_prefix,
    listed_key,
    page_key,
    page_prefix,
    refused,
    transaction,
    unless_refused,
)

MAX_LIMIT = 200
#: Times a file may be begun: the last of the three invocations an S3 event gets only records the failure.
MAX_ATTEMPTS = 2
#: Times the fields of a document may be begun to be resolved.
MAX_RESOLUTIONS = 3


class DocumentStatus(StrEnum):
    """How far a document is."""

    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Instance:
    """One of several documents in a file: its number, and its first and last page in the file."""

    document_id: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document instance: one logical record out of an uploaded file.

    Attributes
    ----------
    organisation, id : str, int
        Whose, and its number there.
    status : DocumentStatus
        How far it is.
    doc_type : str or None
        Key of its schema once known.
    requested_type : str or None
        The type the sender said it is.
    file_name, object_key : str
        The file's own name, and where in the inbox it is.
    etag : str or None
        Tells the content it was read from.
    file_key : str or None
        Row of the file it came from.
    media_type : str or None
        What that file is.
    whole : bool
        The sender said that the file is one document.
    page_range : (int, int) or None
        Its first and last page in the file; only where the file holds several documents.
    instance_of : int or None
        The first document of that file, where this is a further one.
    instances : tuple of Instance
        On the first document: all documents of the file as it was divided, itself included.
    unmoved : frozenset of int
        On the first document: the further ones that have not taken their pages over yet.
    pages : int or None
        Number of pages once known.
    pending : frozenset of int
        The pages that wait for recognition.
    attempts : int
        How often the file was begun.
    unread_lines : int
        Lines of text that are there and could not be read: another script, a smear.
    error, detail : str or None
        Slug and sentence of a failure.
    created_at, finished_at : str
        ISO 8601.
    announced_by : str or None
        Id of the key that announced it; None where it was dropped.
    claimed_by, claimed_until : str or None
        Id of the key that works on it, and until when (ISO 8601); None while nobody does.
    """

    organisation: str
    id: int
    status: DocumentStatus
    doc_type: str | None
    requested_type: str | None
    file_name: str
    object_key: str
    etag: str | None
    file_key: str | None
    media_type: str | None
    whole: bool
    page_range: tuple[int, int] | None
    instance_of: int | None
    instances: tuple[Instance, ...]
    unmoved: frozenset[int]
    pages: int | None
    pending: frozenset[int]
    attempts: int
    unread_lines: int
    error: str | None
    detail: str | None
    created_at: str
    finished_at: str | None
    announced_by: str | None = None
    claimed_by: str | None = None
    claimed_until: str | None = None

    @property
    def pages_read(self) -> int:
        """Number of pages read so far."""
        return 0 if self.pages is None else self.pages - len(self.pending)


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a listing and the cursor of the next."""

    documents: list[Document]
    next_cursor: str | None


# --- reading ---------------------------------------------------------------


def get(organisation: str, document_id: int) -> Document:
    """Return a document without its fields.

    Raises
    ------
    NotFoundError
        The organisation has no such document.
    """
    return from_item(changes.row_of(organisation, document_id))


def ready(row: DocumentItem) -> Document:
    """Return the document of a row.

    Raises
    ------
    ConflictError
        It is still being read, or could not be.
    """
    document = from_item(row)
    if document.status is not DocumentStatus.READY:
        raise ConflictError(
            f"Document {document.id} is {document.status.value}; only one that is ready has fields to review "
            "or to add readings to.",
            code="not_ready",
        )
    return document


def exists(organisation: str, document_id: int) -> bool:
    """Tell whether the organisation has such a document."""
    try:
        get(organisation, document_id)
    except NotFoundError:
        return False
    return True


def read(organisation: str, document_id: int) -> tuple[Document, list[Field]]:
    """Return a document and its fields, in one Query.

    Raises
    ------
    NotFoundError
        The organisation has no such document.
    """
    key = document_key(document_id)
    document: Document | None = None
    fields: list[FieldItem] = []
    between = Item.sk.between(key, field_prefix(document_id) + "~")
    for item in Item.query(organisation, between, consistent_read=True):
        if isinstance(item, DocumentItem):
            document = from_item(item)
        elif isinstance(item, FieldItem):
            fields.append(item)
    if document is None:
        raise changes.absent(document_id)
    fields.sort(key=lambda item: (item.order, item.occurrence))
    return document, [fieldrows.from_item(item) for item in fields]


def list_documents(
    organisation: str,
    *,
    cursor: str | None = None,
    limit: int = 50,
    doc_type: str | None = None,
    status: DocumentStatus | None = None,
) -> Listing:
    """Return documents, newest first.

    Parameters
    ----------
    cursor : str, optional
        `next_cursor` of the listing before.
    limit : int
        At most this many, 1 to 200.
    doc_type, status : optional
        Only documents of this type, in this status.

    Raises
    ------
    BadRequestError
        The cursor or the limit is not one.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequestError(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    before = cursors.number(cursor)
    condition = None if before is None else DocumentItem.listed < listed_key(before)
    # Each filter has its index; with both, the type is queried and the status is a filter on top, which may
    # need several rounds to fill a page.
    if doc_type is not None:
        index, partition = DocumentItem.documents_by_type, f"{organisation}#{doc_type}"
    elif status is not None:
        index, partition = DocumentItem.documents_by_status, f"{organisation}#{status.value}"  # type: ignore[assignment]
    else:
        index, partition = DocumentItem.documents, organisation  # type: ignore[assignment]
    filtered = DocumentItem.status == status.value if doc_type and status else None
    found = [
        from_item(item)
        for item in index.query(
            partition,
            range_key_condition=condition,
            filter_condition=filtered,
            scan_index_forward=False,
            limit=limit + 1,
            page_size=limit + 1 if filtered is None else 1000,
        )
    ]
    more = len(found) > limit
    found = found[:limit]
    return Listing(found, cursors.encode(str(found[-1].id)) if more else None)


def list_verified(
    organisation: str, doc_type: str, *, cursor: str | None = None, limit: int | None = None
) -> tuple[list[int], str | None]:
    """Return the numbers of a type's documents with verified fields, oldest first, and a cursor of the rest.

    Parameters
    ----------
    cursor : str, optional
        The cursor of the call before.
    limit : int, optional
        At most this many; None for all.

    Raises
    ------
    BadRequestError
        The cursor is not one.
    """
    after = cursors.number(cursor)
    found = [
        int(item.document_id)
        for item in DocumentItem.documents_by_type.query(
            f"{organisation}#{doc_type}",
            range_key_condition=None if after is None else DocumentItem.listed > listed_key(after),
            filter_condition=DocumentItem.verified > 0,
            limit=None if limit is None else limit + 1,
            page_size=None if limit is None else 1000,
            attributes_to_get=["kind", "document_id"],
        )
    ]
    if limit is None or len(found) <= limit:
        return found, None
    return found[:limit], cursors.encode(str(found[limit - 1]))


def count_verified(organisation: str) -> dict[str, tuple[int, int]]:
    """Return, by document type, the number of documents with verified fields and of these fields."""
    counts: dict[str, tuple[int, int]] = {}
    for item in DocumentItem.documents.query(
        organisation,
        filter_condition=(DocumentItem.verified > 0) & DocumentItem.doc_type.exists(),
        attributes_to_get=["kind", "doc_type", "verified"],
    ):
        documents, fields = counts.get(item.doc_type, (0, 0))
        counts[item.doc_type] = documents + 1, fields + int(item.verified)
    return counts


def cursor_after(document: Document) -> str:
    """Return the cursor with which a listing goes on after a document."""
    return cursors.encode(str(document.id))


# --- arriving --------------------------------------------------------------


def announce(
    organisation: str,
    file_name: str,
    requested_type: str | None = None,
    *,
    whole: bool = False,
    announced_by: str | None = None,
) -> Document:
    """Make room for a file that will be uploaded to `object_key` within `settings().upload_seconds`.

    A file that is `whole` is one document, whatever its pages look like. What it takes to read it is counted
    for the key `announced_by`.
    """
    document_id = organisations.next_document_id(organisation)
    item = _new_item(
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
    item.save(DocumentItem.pk.does_not_exist())
    return from_item(item)


def is_known(organisation: str, object_key: str, etag: str) -> bool:
    """Tell whether a file has become a document already."""
    return _known_file(_file_item(organisation, object_key, etag, "")) is not None


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
    known = _known_file(file_item)
    if known is not None and known.sequencer != sequencer and _failed(known):
        _release(known)
        known = None
    if known is None:
        document_id = _claim(organisation, file_item, etag)
        if document_id is None and (known := _known_file(file_item)) is None:
            raise ConflictError("The file was claimed and released at the same time; deliver it again.")
    if known is not None:
        document_id = int(known.document_id)
    item = DocumentItem(organisation, document_key(document_id or 0))
    begun = unless_refused(
        lambda: item.update(
            actions=[DocumentItem.attempts.add(1)],
            condition=DocumentItem.status == DocumentStatus.PROCESSING.value,
        )
    )
    return None if begun is None else from_item(item)


def _file_item(organisation: str, object_key: str, etag: str, sequencer: str) -> FileItem:
    digest = hashlib.sha256(f"{object_key}\0{etag}".encode()).hexdigest()[:40]
    return FileItem(organisation, f"file#{digest}", object_key=object_key, sequencer=sequencer)


def _release(file_item: FileItem) -> None:
    """Let go of a claim, unless another delivery has renewed it."""
    same: Any = FileItem.sequencer == file_item.sequencer
    unless_refused(lambda: file_item.delete(same))


def _known_file(file_item: FileItem) -> FileItem | None:
    try:
        return FileItem.get(file_item.pk, file_item.sk, consistent_read=True)
    except FileItem.DoesNotExist:
        return None


def _failed(file_item: FileItem) -> bool:
    """Tell whether nothing came of a file: its document failed, or is gone and left no other behind."""
    try:
        return get(file_item.pk, int(file_item.document_id)).status is DocumentStatus.FAILED
    except NotFoundError:
        return not file_item.instances


def _claim(organisation: str, file_item: FileItem, etag: str) -> int | None:
    """Bind a file to its announced document or to a new one; None when another delivery was faster."""
    announced = _announced_id(organisation, file_item.object_key)
    if announced is not None:
        file_item.document_id = announced
        item = DocumentItem(organisation, document_key(announced))
        try:
            with transaction() as write:
                write.save(file_item, condition=FileItem.pk.does_not_exist())
                write.update(
                    item,
                    actions=[
                        DocumentItem.expires_at.remove(),
                        DocumentItem.file_key.set(file_item.sk),
                        DocumentItem.etag.set(etag),
                    ],
                    condition=(DocumentItem.object_key == file_item.object_key)
                    & DocumentItem.expires_at.exists(),
                )
            return announced
        except TransactWriteError as error:
            if not refused(error):
                raise
            # Used or deleted in the meantime: nothing is lost, the file becomes a document of its own.
    if _known_file(file_item) is not None:
        return None
    document_id = organisations.next_document_id(organisation)
    file_item.document_id = document_id
    name = file_item.object_key.rsplit("/", 1)[-1]
    item = _new_item(organisation, document_id, name, file_item.object_key)
    item.file_key, item.etag = file_item.sk, etag
    if announced is not None and (first := _announcement(organisation, announced)) is not None:
        # Whoever was given the URL goes on using it, and it is theirs that it is used for.
        item.requested_type, item.whole = first.requested_type, first.whole
        item.announced_by = first.announced_by
    try:
        with transaction() as write:
            write.save(file_item, condition=FileItem.pk.does_not_exist())
            write.save(item, condition=DocumentItem.pk.does_not_exist())
        return document_id
    except TransactWriteError as error:
        if refused(error):
            return None
        raise


def _announcement(organisation: str, document_id: int) -> DocumentItem | None:
    try:
        return DocumentItem.get(organisation, document_key(document_id), consistent_read=True)
    except DocumentItem.DoesNotExist:
        return None


def _announced_id(organisation: str, object_key: str) -> int | None:
    uploads = objects.inbox_prefix(organisation) + objects.UPLOADS
    number = object_key.removeprefix(uploads).split("/", 1)[0] if object_key.startswith(uploads) else ""
    return int(number) if number.isdecimal() and len(number) <= 12 else None


# --- progress --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PageRecord:
    """What is known of a page: who has read it, or why nobody could.

    Attributes
    ----------
    number : int
        1-based.
    tracks : frozenset of str
        The tracks whose words are in the archive.
    waiting : bool
        Something on it can be read from its image only.
    has_image : bool
        Its image is in the archive.
    error, detail : str or None
        Slug and sentence of a failure.
    """

    number: int
    tracks: frozenset[str]
    waiting: bool
    has_image: bool
    error: str | None
    detail: str | None


def put_page(
    document: Document, number: int, *, width: int, height: int, has_text: bool, waiting: bool
) -> None:
    """Record a page's image and whether the file's own words of it are kept; what others read stays."""
    actions: list[Any] = [
        PageItem.width.set(width),
        PageItem.height.set(height),
        PageItem.waiting.set(waiting),
        PageItem.error.remove(),
        PageItem.detail.remove(),
    ]
    if has_text:
        actions.append(PageItem.tracks.add({Track.TEXT.value}))
    _update_page(document, number, actions)


def begin_page(document: Document, number: int) -> int:
    """Count that recognition of a page begins, and return how often it has."""
    return int(_update_page(document, number, [PageItem.begun.add(1)]).begun)


def page_recognised(document: Document, number: int, turned: int) -> None:
    """Record that a page's words were recognised, and the degrees clockwise that make it upright."""
    _update_page(document, number, [PageItem.turned.set(turned), PageItem.tracks.add({Track.VISION.value})])


def page_failed(document: Document, number: int, error: str, detail: str) -> None:
    """Record why a page could not be read, keeping what is known of it."""
    _update_page(document, number, [PageItem.error.set(error), PageItem.detail.set(detail)])


def _update_page(document: Document, number: int, actions: list[Any]) -> PageItem:
    """Change a page's row, making it if it is not there: several may write it, and none first."""
    item = PageItem(document.organisation, page_key(document.id, number))
    always = [
        PageItem.kind.set(PageItem),
        PageItem.document_id.set(document.id),
        PageItem.number.set(number),
    ]
    item.update(actions=[*always, *actions])
    return item


def list_pages(document: Document) -> list[PageRecord]:
    """Return what is known of the document's pages, in order."""
    items = PageItem.query(
        document.organisation, PageItem.sk.startswith(page_prefix(document.id)), consistent_read=True
    )
    return [_page_from_item(item) for item in items]


def get_page(document: Document, number: int) -> PageRecord:
    """Return what is known of one page.

    Raises
    ------
    NotFoundError
        The document has no such page, or nothing of it is known yet.
    """
    try:
        item = PageItem.get(document.organisation, page_key(document.id, number), consistent_read=True)
    except PageItem.DoesNotExist:
        raise NotFoundError(f"Document {document.id} has no page {number}.") from None
    return _page_from_item(item)


def _page_from_item(item: PageItem) -> PageRecord:
    return PageRecord(
        int(item.number),
        frozenset(item.tracks or ()),
        bool(item.waiting),
        item.width is not None,
        item.error,
        item.detail,
    )


def tracks_of_page(document: Document, number: int) -> frozenset[str]:
    """Return the tracks whose words of a page are in the archive; none for a page there is not."""
    try:
        item = PageItem.get(document.organisation, page_key(document.id, number), consistent_read=True)
    except PageItem.DoesNotExist:
        return frozenset()
    return frozenset(item.tracks or ())


def pages_known(document: Document, pages: int, pending: Iterable[int], media_type: str) -> Document:
    """Record the number of pages and which of them wait for recognition; what was recorded before stays."""
    item = DocumentItem(document.organisation, document_key(document.id))
    actions: list[Any] = [DocumentItem.pages.set(pages), DocumentItem.media_type.set(media_type)]
    # Integers, though pynamodb calls them floats: written as 1.0, another store may not find them again as 1.
    waiting: set[float] = {int(page) for page in pending}
    if waiting:  # a set in DynamoDB cannot be empty
        actions.append(DocumentItem.pending.set(waiting))
    known = unless_refused(
        lambda: item.update(
            actions=actions,
            condition=(DocumentItem.status == DocumentStatus.PROCESSING.value)
            & DocumentItem.pages.does_not_exist(),
        )
    )
    return get(document.organisation, document.id) if known is None else from_item(item)


def page_read(document: Document, number: int) -> Document:
    """Take a page off the pending ones (twice is fine) and return the document after that.

    Raises
    ------
    NotFoundError
        The document was deleted in the meantime.
    """
    item = DocumentItem(document.organisation, document_key(document.id))
    done = unless_refused(
        lambda: item.update(
            actions=[DocumentItem.pending.delete({number})],
            condition=DocumentItem.pk.exists(),
        )
    )
    if done is None:
        raise changes.absent(document.id)
    return from_item(item)


def begin_resolution(document: Document) -> int:
    """Count that resolving the fields begins, and return how often it has.

    Raises
    ------
    NotFoundError
        The document was deleted in the meantime.
    """
    item = DocumentItem(document.organisation, document_key(document.id))
    begun = unless_refused(
        lambda: item.update(actions=[DocumentItem.resolutions.add(1)], condition=DocumentItem.pk.exists())
    )
    if begun is None:
        raise changes.absent(document.id)
    return int(item.resolutions)


def finish(document: Document, extraction: Extraction, *, unread_lines: int = 0) -> None:
    """Keep the fields and make the document ready, unless it is finished or gone already.

    Fields are written only while the document is being read: whoever comes late cannot touch what people have
    reviewed since.
    """
    fields = fieldrows.placed(extraction.fields)
    actions: list[Any] = [
        DocumentItem.status.set(DocumentStatus.READY.value),
        DocumentItem.status_key.set(f"{document.organisation}#{DocumentStatus.READY.value}"),
        DocumentItem.finished_at.set(timestamp()),
        DocumentItem.unread_lines.set(unread_lines),
        DocumentItem.pending.remove(),
        *type_actions(document.organisation, extraction),
    ]

    def plan(row: DocumentItem) -> changes.Change:
        kept = {field.id for field in fields}
        # An attempt that was cut off may have left other fields.
        left = read(document.organisation, document.id)[1] if int(row.resolutions or 0) > 1 else []
        return changes.Change(
            audit.extracted(fields, extraction.doc_type),
            [
                *(changes.FieldChange(None, field) for field in fields),
                *(changes.FieldChange(field, None) for field in left if field.id not in kept),
            ],
            extraction.doc_type,
            actions,
            _IN_PROGRESS,
            overwrite=True,
        )

    _finish(document, plan)


def type_actions(organisation: str, extraction: Extraction) -> list[Any]:
    """Return what makes a document's row say the type that was found, and nothing of one it had before."""
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
    ]


def fail(document: Document, error: str, detail: str) -> None:
    """Record that a document cannot be read, and why, unless it is finished or gone already."""
    actions: list[Any] = [
        DocumentItem.status.set(DocumentStatus.FAILED.value),
        DocumentItem.status_key.set(f"{document.organisation}#{DocumentStatus.FAILED.value}"),
        DocumentItem.error.set(error),
        DocumentItem.detail.set(detail),
        DocumentItem.finished_at.set(timestamp()),
        DocumentItem.pending.remove(),
    ]
    event = audit.Event(audit.Action.FAILED, after={"error": error})
    _finish(document, lambda row: changes.Change(event, [], row.doc_type, actions, _IN_PROGRESS))


_IN_PROGRESS: Any = DocumentItem.status == DocumentStatus.PROCESSING.value


def _finish(document: Document, plan: Callable[[DocumentItem], changes.Change]) -> None:
    """Change a document for the last time before it can be used, unless that is done or it is gone."""

    def once(row: DocumentItem) -> changes.Change | None:
        return plan(row) if row.status == DocumentStatus.PROCESSING.value else None

    with suppress(NotFoundError):  # removed meanwhile
        changes.change(document.organisation, document.id, audit.ALMA, once)


# --- several in one file ---------------------------------------------------


def divide(document: Document, ranges: Sequence[tuple[int, int]]) -> Document:
    """Record which documents a file holds, and return the first of them after that.

    The numbers of the further ones are given here, before any of them is made, so that doing it again makes
    the same ones. What was recorded before stays, and nothing is recorded for a document that is on its way
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
    further = organisations.next_document_id(document.organisation, len(ranges) - 1)
    ids = [document.id, *range(further, further + len(ranges) - 1)]
    (first, last), *_ = ranges
    row = DocumentItem(document.organisation, document_key(document.id))
    try:
        with transaction() as write:
            write.update(
                row,
                actions=[
                    DocumentItem.instances.set(
                        [[number, *pages] for number, pages in zip(ids, ranges, strict=True)]
                    ),
                    DocumentItem.unmoved.set(set(ids[1:])),
                    DocumentItem.first_page.set(first),
                    DocumentItem.last_page.set(last),
                    DocumentItem.pages.set(last - first + 1),
                    # Telling the documents apart is done; resolving the fields has its own attempts.
                    DocumentItem.resolutions.set(0),
                ],
                condition=(DocumentItem.status == DocumentStatus.PROCESSING.value)
                & DocumentItem.instances.does_not_exist(),
            )
            write.update(
                FileItem(document.organisation, document.file_key),
                actions=[FileItem.instances.set(set(ids))],
                condition=(FileItem.document_id == document.id) & FileItem.instances.does_not_exist(),
            )
    except TransactWriteError as error:
        if not refused(error):
            raise
    return get(document.organisation, document.id)


def put_instance(first: Document, instance: Instance) -> None:
    """Make the row of a further document of a file, unless it is there, or was there and is gone."""
    item = _new_item(first.organisation, instance.document_id, first.file_name, first.object_key)
    item.requested_type, item.media_type = first.requested_type, first.media_type
    item.file_key, item.etag = first.file_key, first.etag
    item.announced_by = first.announced_by
    item.instance_of, item.first_page, item.last_page = first.id, instance.first, instance.last
    expected: Any = DocumentItem.unmoved.contains(instance.document_id)
    try:
        with transaction() as write:
            write.condition_check(
                DocumentItem, first.organisation, document_key(first.id), condition=expected
            )
            write.save(item, condition=DocumentItem.pk.does_not_exist())
    except TransactWriteError as error:
        if not refused(error):
            raise


def copy_page(source: int, number: int, document: Document, to: int) -> None:
    """Record what is known of page `number` of document `source` as page `to` of another one."""
    page = PageItem.get(document.organisation, page_key(source, number), consistent_read=True)
    page.sk, page.document_id, page.number = page_key(document.id, to), document.id, to
    page.save()


def release_source(document: Document) -> None:
    """Remove what the first document of a file still keeps of a further one's pages. Twice is fine.

    Who does it for the last of them has the first one resolved.
    """
    if document.instance_of is None or document.page_range is None:
        return
    numbers = range(document.page_range[0], document.page_range[1] + 1)
    objects.delete_pages(document.organisation, document.instance_of, numbers)
    with Item.batch_write() as batch:
        for number in numbers:
            batch.delete(PageItem(document.organisation, page_key(document.instance_of, number)))
    if _take_off_unmoved(document):
        queue.send_pages(document.organisation, document.instance_of, [0])


def _take_off_unmoved(document: Document) -> bool:
    """Note that a further document needs nothing of the first; tell whether the first waits for none now."""
    first = DocumentItem(document.organisation, document_key(document.instance_of or document.id))
    waiting = unless_refused(
        lambda: first.update(
            actions=[DocumentItem.unmoved.delete({document.id})],
            condition=DocumentItem.status == DocumentStatus.PROCESSING.value,
        )
    )
    return waiting is not None and not first.unmoved


def siblings(document: Document) -> list[int]:
    """Return the further documents of a file that are still there; of its first document."""
    if not document.instances or document.file_key is None:
        return []
    known = _known_file(FileItem(document.organisation, document.file_key))
    alive = set() if known is None else {int(number) for number in known.instances or ()}
    return sorted(alive & {instance.document_id for instance in document.instances[1:]})


# --- leaving ---------------------------------------------------------------


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
    document = get(organisation, document_id)
    if document.instance_of is not None:
        release_source(document)
    _leave_file(document)
    if document.instance_of is None and document.status is DocumentStatus.PROCESSING:
        # Read again: it may have been divided since. From now on it cannot be, being off its file.
        for instance in get(organisation, document_id).instances[1:]:
            further = replace(document, id=instance.document_id, instance_of=document.id)
            # Its row may not have been made yet, and must not be any more.
            _take_off_unmoved(further)
            _leave_file(further)
            _remove(further, actor)
    _remove(document, actor)


def _remove(document: Document, actor: str) -> None:
    """Remove a document's row and what was made of it."""
    row = DocumentItem(document.organisation, document_key(document.id))
    # Who checks trails can tell a removal that was cut off from tampering by this.
    unless_refused(lambda: row.update([DocumentItem.leaving.set(True)], DocumentItem.pk.exists()))
    purge(document.organisation, document.id)
    changes.end(document.organisation, document.id, actor)
    # What was being written meanwhile; whoever finds the row gone from now on purges too.
    purge(document.organisation, document.id)


def _leave_file(document: Document) -> None:
    """Take a document off the file it came from; the last one takes the file along. Twice is fine."""
    if document.file_key is None:
        objects.delete_inbox(document.object_key, document.etag)
        return
    item = FileItem(document.organisation, document.file_key)
    known = _known_file(item)
    root = document.instance_of or document.id
    if known is not None and int(known.document_id) != root:
        return  # dropped once more after it failed: the file is another document's now
    divided: Any = FileItem.instances.exists()
    left = unless_refused(
        lambda: item.update(actions=[FileItem.instances.delete({document.id})], condition=divided)
    )
    if left is not None and item.instances:
        return
    objects.delete_inbox(document.object_key, document.etag)
    gone = unless_refused(lambda: item.delete(FileItem.instances.does_not_exist()) or True)
    if gone is None:  # it was divided in this moment
        _leave_file(document)


def purge(organisation: str, document_id: int) -> None:
    """Remove what was made of a document: objects of the archive, fields, pages. Twice is fine.

    Not its audit trail: that outlives it.
    """
    objects.delete_document(organisation, document_id)
    with Item.batch_write() as batch:
        for prefix in (field_prefix(document_id), page_prefix(document_id)):
            for item in Item.query(organisation, Item.sk.startswith(prefix), consistent_read=True):
                batch.delete(item)


# --- rows ------------------------------------------------------------------


def _new_item(organisation: str, document_id: int, file_name: str, object_key: str) -> DocumentItem:
    return DocumentItem(
        organisation,
        document_key(document_id),
        document_id=document_id,
        listed=listed_key(document_id),
        status=DocumentStatus.PROCESSING.value,
        status_key=f"{organisation}#{DocumentStatus.PROCESSING.value}",
        file_name=file_name,
        object_key=object_key,
        created_at=timestamp(),
    )


def from_item(item: DocumentItem) -> Document:
    """Return the document of a row."""
    status, error, detail = DocumentStatus(item.status), item.error, item.detail
    expires = item.expires_at
    if expires is not None and clock.now() > expires - timedelta(days=1):
        status, error = DocumentStatus.FAILED, "upload_missing"
        detail = "The upload URL expired before a file came; announce it again with POST /api/v1/documents."
    until = None if item.claimed_until is None else datetime.fromtimestamp(int(item.claimed_until), UTC)
    claimed = until is not None and clock.now() < until
    return Document(
        organisation=item.pk,
        id=int(item.document_id),
        status=status,
        doc_type=item.doc_type,
        requested_type=item.requested_type,
        file_name=item.file_name,
        object_key=item.object_key,
        etag=item.etag,
        file_key=item.file_key,
        media_type=item.media_type,
        whole=bool(item.whole),
        page_range=None if item.first_page is None else (int(item.first_page), int(item.last_page)),
        instance_of=None if item.instance_of is None else int(item.instance_of),
        instances=tuple(Instance(*each) for each in item.instances or ()),
        unmoved=frozenset(int(number) for number in item.unmoved or ()),
        pages=None if item.pages is None else int(item.pages),
        pending=frozenset(int(page) for page in item.pending or ()),
        attempts=int(item.attempts or 0),
        unread_lines=int(item.unread_lines or 0),
        error=error,
        detail=detail,
        created_at=item.created_at,
        finished_at=item.finished_at,
        announced_by=item.announced_by,
        claimed_by=item.claimed_by if claimed else None,
        claimed_until=timestamp(until) if claimed else None,
    )
