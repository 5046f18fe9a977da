"""Documents: what arrived, how far it is, and what it says.

A document's life: *announced* (an upload is expected) or *dropped*, then `processing` until every page is
read and the fields are resolved, then `ready`; or `failed` with a reason. Every step can be done twice:
conditions on the row decide which of two does it, and the other changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

from alma import clock
from alma.access import keys
from alma.clock import timestamp
from alma.datamodel.fields import Field, ReadingWarning, WarningReason
from alma.documents import field_rows, names
from alma.errors import ConflictError, NotFoundError, PassingConflictError
from alma.storage.items.documents import DocumentItem, FieldItem, document_key, field_prefix, listed_key
from alma.storage.table import Item

#: How long a re-extraction is waited for: one of which nothing is heard is not shown as waiting for ever.
RE_EXTRACTION_SECONDS: Final = 3600


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
class AttachedFile:
    """A file that is attached to another and is read with it: where its pages stand behind that one's own."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A document that is being merged into another: where its pages go there, and how many it has."""

    document_id: int
    first: int
    pages: int


@dataclass(frozen=True, slots=True)
class ReviewCounts:
    """How many fields of a document wait for a person."""

    escalated: int
    """Missing ones included."""
    unreviewed: int
    missing: int
    """Required fields that were not found, and of which nobody said that there is none."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document instance: one logical record out of an uploaded file."""

    organisation: str
    id: int
    status: DocumentStatus
    doc_type: str | None
    """Key of its schema, once known."""
    requested_type: str | None
    """The type the sender said it is."""
    file_name: str
    object_key: str
    """Where in the inbox the file is."""
    etag: str | None
    """Identifies the content it was read from."""
    file_key: str | None
    """Sort key of the row of the file it came from."""
    media_type: str | None
    """Media type of that file."""
    whole: bool
    """The sender said that the file is one document: it is not split."""
    page_range: tuple[int, int] | None
    """First and last page in the file, where that holds several documents."""
    instance_of: int | None
    """The first document of the file, where this is another instance."""
    instances: tuple[Instance, ...]
    """On the first document of a split file: all of its documents, itself included."""
    pending_parts: frozenset[int]
    """On the first document of a split file: the instances that have not taken their pages yet."""
    pages: int | None
    """Number of pages, once known."""
    pending: frozenset[int]
    """Pages that wait for recognition."""
    attempts: int
    """Times the file was begun."""
    unread_lines: int
    """Lines of text that could not be read: another script, a smear."""
    error_code: str | None
    """Why it failed, for programs."""
    detail: str | None
    """Why it failed, as a sentence."""
    created_at: str
    """ISO 8601, as are all times."""
    finished_at: str | None
    announced_by: str | None = None
    """Id of the key that announced it; None where it was dropped."""
    claimed_by: str | None = None
    """Id of the key that works on it; None while nobody does."""
    claimed_until: str | None = None
    claimed_by_name: str | None = None
    """Name of that key, where it was asked for."""
    review: ReviewCounts | None = None
    """How much is left to review; None until it is ready, and where its row is older than the counters."""
    re_extraction: Literal["queued", "failed"] | None = None
    """Set while it waits to be re-extracted, and after that failed; its fields stay usable."""
    re_extraction_detail: str | None = None
    """Why that failed, as a sentence."""
    attachments: tuple[str, ...] = ()
    """Names of files that are attached to its file and were not read."""
    attached_files: tuple[AttachedFile, ...] = ()
    """On the first document of a file: the attached ones that are read, in the order of their pages."""
    taken_from: int | None = None
    """The document that this part was split off by hand; it takes its pages there."""
    taken_range: tuple[int, int] | None = None
    """First and last of these, as that document counts them."""
    parts: tuple[Instance, ...] = ()
    """While it is split by hand: all that it becomes, itself included, with their pages in it."""
    joining: tuple[Joined, ...] = ()
    """While other documents are merged into it: these."""
    merged_into: int | None = None
    """The document that it is being merged into."""
    divided_by: str | None = None
    """Id of the key that asked for the split or the merge."""
    scattered: bool = False
    """Its pages are not one range of its file: others were merged into it."""
    further_files: tuple[tuple[str, str, str | None, int], ...] = ()
    """Files of documents that were merged into it: row, key in the inbox, content, first document."""
    upload_until: str | None = None
    """Until when its file can be sent, where it was announced and none has arrived yet."""
    warning: ReadingWarning | None = None
    """What could not be read of it, or why nothing was."""

    @property
    def source(self) -> tuple[int, tuple[int, int]] | None:
        """Where one of several documents takes its pages: the document, first and last page there."""
        if self.taken_from is not None and self.taken_range is not None:
            return self.taken_from, self.taken_range
        if self.instance_of is not None and self.page_range is not None:
            return self.instance_of, self.page_range
        return None

    @property
    def pages_read(self) -> int:
        """Number of pages read so far."""
        return 0 if self.pages is None else self.pages - len(self.pending)


def get(organisation: str, document_id: int) -> Document:
    """Return a document without its fields.

    Raises
    ------
    NotFoundError
        The organisation has no such document.
    """
    return from_item(row_of(organisation, document_id))


def ready(row: DocumentItem) -> Document:
    """Return the document of a row.

    Raises
    ------
    ConflictError
        It is still being read, or could not be.
    """
    document = from_item(row)
    if document.status is not DocumentStatus.READY:
        passing = document.status is DocumentStatus.PROCESSING
        raise (PassingConflictError if passing else ConflictError)(
            f"Document {document.id} is {document.status.value}; only one that is ready has fields to review "
            "or to add readings to.",
            code="not_ready",
        )
    return document


def with_claimants(organisation: str, documents: Sequence[Document]) -> list[Document]:
    """Return documents with the names of the keys that work on them, in one Query at most."""
    holders = keys.names(organisation, (each.claimed_by for each in documents))
    return [replace(each, claimed_by_name=holders.get(each.claimed_by or "")) for each in documents]


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
        raise absent(document_id)
    fields.sort(key=lambda item: (item.order, item.occurrence))
    return document, [field_rows.from_item(item) for item in fields]


def new_item(organisation: str, document_id: int, file_name: str, object_key: str) -> DocumentItem:
    """Return the row of a document that is about to be read."""
    return DocumentItem(
        organisation,
        document_key(document_id),
        document_id=document_id,
        listed=listed_key(document_id),
        status=DocumentStatus.PROCESSING.value,
        status_key=f"{organisation}#{DocumentStatus.PROCESSING.value}",
        file_name=file_name,
        folded_name=names.folded(file_name) or None,
        object_key=object_key,
        created_at=timestamp(),
        escalated=0,
        unreviewed=0,
        missing=0,
    )


def from_item(item: DocumentItem) -> Document:
    """Return the document of a row."""
    status, code, detail = status_of(item), item.error_code, item.detail
    expires = item.expires_at
    until_sent = None if expires is None or item.pages is not None else expires - timedelta(days=1)
    if status.value != item.status:
        code = "upload_missing"
        detail = "The upload URL expired before a file came; announce it again with POST /api/v1/documents."
    until = None if item.claimed_until is None else datetime.fromtimestamp(int(item.claimed_until), UTC)
    claimed = until is not None and clock.now() < until
    re_extraction, re_extraction_detail = _re_extraction(item)
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
        pending_parts=frozenset(int(number) for number in item.pending_parts or ()),
        taken_from=None if item.taken_from is None else int(item.taken_from),
        taken_range=None if item.taken_from is None else (int(item.taken_first), int(item.taken_last)),
        parts=tuple(Instance(*each) for each in item.parts or ()),
        joining=tuple(Joined(*each) for each in item.joining or ()),
        merged_into=None if item.merged_into is None else int(item.merged_into),
        divided_by=item.divided_by,
        scattered=bool(item.scattered),
        further_files=tuple((each[0], each[1], each[2], each[3]) for each in item.further_files or ()),
        pages=None if item.pages is None else int(item.pages),
        pending=frozenset(int(page) for page in item.pending or ()),
        attempts=int(item.attempts or 0),
        unread_lines=int(item.unread_lines or 0),
        error_code=code,
        detail=detail,
        created_at=item.created_at,
        finished_at=item.finished_at,
        announced_by=item.announced_by,
        claimed_by=item.claimed_by if claimed else None,
        claimed_until=timestamp(until) if claimed else None,
        review=_review_counts(item) if status is DocumentStatus.READY else None,
        re_extraction=re_extraction,
        re_extraction_detail=re_extraction_detail,
        warning=None if item.warning is None else _warning(*item.warning),
        attachments=tuple(item.attachments or ()),
        attached_files=tuple(AttachedFile(*each) for each in item.attached_files or ()),
        upload_until=timestamp(until_sent) if until_sent and status is DocumentStatus.PROCESSING else None,
    )


def status_of(item: DocumentItem) -> DocumentStatus:
    """Return the status of a row: one whose file did not come says that it is processing, and has failed."""
    status, expires = DocumentStatus(item.status), item.expires_at
    waits = status is DocumentStatus.PROCESSING and expires is not None
    return DocumentStatus.FAILED if waits and clock.now() > expires - timedelta(days=1) else status


def _re_extraction(item: DocumentItem) -> tuple[Literal["queued", "failed"] | None, str | None]:
    """Return whether a re-extraction waits or has failed, and why."""
    asked = item.re_extraction
    if asked is None:
        failure = item.re_extraction_failure
        return (None, None) if failure is None else ("failed", failure)
    if clock.now().timestamp() < int(asked) / 1000 + RE_EXTRACTION_SECONDS:
        return "queued", None
    return "failed", "It was not read again within an hour; ask once more."


def _warning(reason: str, detail: str) -> ReadingWarning:
    return ReadingWarning(WarningReason(reason), detail)


def _review_counts(item: DocumentItem) -> ReviewCounts | None:
    if item.escalated is None:
        return None
    return ReviewCounts(int(item.escalated), int(item.unreviewed or 0), int(item.missing or 0))


def row_of(organisation: str, document_id: int) -> DocumentItem:
    """Return a document's row.

    Raises
    ------
    NotFoundError
        The organisation has no such document.
    """
    item = DocumentItem.find(organisation, document_key(document_id))
    if item is None:
        raise absent(document_id)
    return item


def absent(document_id: int) -> NotFoundError:
    """Return the error to raise for a document the organisation does not have."""
    return NotFoundError(
        f"There is no document {document_id} in your organisation; list documents to see those there are."
    )
