"""Review over the API: what is sent, what is answered, and the routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import BeforeValidator, Field, StrictInt, StrictStr, model_validator

from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope
from alma.api.document_filters import DocumentsNamed
from alma.api.errors import ErrorView
from alma.api.geometry import EvidenceInput, Share
from alma.api.operation import Answer, Route
from alma.api.request_models import Body, Comment, Cursor, DocumentPath, OfType, Query, Value, limit
from alma.datamodel.fields import MAX_OCCURRENCES, Status, Verb
from alma.datamodel.schemas import KEY
from alma.documents.audit import MAX_LIMIT as MAX_ENTRIES
from alma.documents.audit import Action, Entry, History
from alma.documents.listing import Criteria
from alma.documents.records import DocumentStatus
from alma.presentation.document import Claim, FieldView, project_field
from alma.presentation.view import View, is_none
from alma.review.queue import MAX_LIMIT
from alma.review.split_merge import MAX_MERGED, MAX_PARTS

if TYPE_CHECKING:
    from alma.documents.records import Document
    from alma.review.corrections import Place
    from alma.review.queue import Queue


# --- what is sent ----------------------------------------------------------


class FieldPath(DocumentPath):
    """`/v1/documents/{id}/fields/{field}`."""

    field: Annotated[
        str,
        # The gateway hands brackets on as they were sent, encoded or not; an id holds no percent sign.
        BeforeValidator(unquote),
        Field(description="Id of the field, such as party[1] or line_items[3].amount."),
    ]


class Correction(Body):
    """What a field is: a value, a place, or both."""

    value: Value | None = None
    evidence: EvidenceInput | None = None
    comment: Comment | None = None

    @property
    def place(self) -> Place | None:
        """Where it stands, as review has it."""
        return None if self.evidence is None else place_of(self.evidence)


def place_of(evidence: EvidenceInput) -> Place:
    """Return a place that a client drew, as review has it."""
    from alma.review.corrections import Place  # what parses values takes long to import

    return Place(evidence.page, evidence.bbox.box())


class DecideBody(Correction):
    """What a person says of a field."""

    action: Verb = Field(
        description="accept: the value shown is right. edit: it is value, or stands at evidence. reject: "
        "nobody should use the value, or there is none. escalate: a person must look."
    )
    version: StrictInt = Field(ge=1, lt=10**9, description="The version of the field that the person saw.")
    track: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="Only with accept: whose reading is right, as tracks=all names it; without it, the value "
        "shown is.",
    )


class AddFieldBody(Correction):
    """A field that was not found."""

    key: str = Field(
        max_length=129, description="Key of the field in the document's type; GROUP.COLUMN for a column."
    )
    row: StrictInt | None = Field(
        default=None,
        ge=0,
        lt=MAX_OCCURRENCES,
        description="Row of the group, 0 for the first; a new one without it.",
    )


class ClaimBody(Body):
    """For how long to work on a document."""

    seconds: StrictInt = Field(default=600, ge=60, le=3600)


class ExtractBody(Body):
    """How to read a document again."""

    doc_type: str | None = Field(
        default=None, pattern=KEY, description="The type it is; the one it has now without it."
    )


class PageRangeBody(Body):
    """Pages of a document, both included."""

    first: StrictInt = Field(ge=1, le=10**5)
    last: StrictInt = Field(ge=1, le=10**5)


class SplitBody(Body):
    """Where to split a document: one of both."""

    at: list[StrictInt] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_PARTS - 1,
        description="Pages of it on which the second and further documents begin, ascending.",
    )
    parts: list[PageRangeBody] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_PARTS,
        description="First and last page of every document, in order; the first begins on page 1. Pages of "
        "none, such as separator sheets, go.",
    )

    @model_validator(mode="after")
    def _one(self) -> SplitBody:
        if (self.at is None) == (self.parts is None):
            raise ValueError("either at or parts")
        return self

    @property
    def ranges(self) -> list[tuple[int, int]] | None:
        """The parts as review has them."""
        return None if self.parts is None else [(part.first, part.last) for part in self.parts]


class MergeBody(Body):
    """What to merge into a document."""

    documents: list[StrictInt] = Field(
        min_length=1,
        max_length=MAX_MERGED,
        description="Numbers of documents, of the same file or others, in the order in which their pages "
        "follow; they are removed.",
    )


class HistoryQuery(Query):
    """Which part of a history."""

    limit: StrictInt = limit(MAX_ENTRIES, 50)
    cursor: Cursor = None


class ReviewFilter(DocumentsNamed):
    """Which fields that wait."""

    doc_type: OfType = None
    field: Annotated[
        Annotated[StrictStr, Field(max_length=129)] | None,
        Field(description="Only fields of this key, such as total."),
    ] = None
    max_confidence: Share | None = Field(
        default=None, description="Only fields at most this sure, and those of unknown confidence."
    )
    status: Literal["escalated", "unreviewed"] | None = Field(
        default=None, description="Only fields of this status."
    )
    limit: StrictInt = limit(MAX_LIMIT, 50)
    cursor: Annotated[
        # Longer than others: it holds an organisation's and a field's name.
        Annotated[StrictStr, Field(max_length=400)] | None,
        Field(description="nextCursor of the result before."),
    ] = None

    @property
    def wanted_status(self) -> Status | None:
        """The status as the code has it."""
        return None if self.status is None else Status(self.status)

    @property
    def of(self) -> Criteria:
        """The documents that are meant, as the code has them."""
        return Criteria(name=self.folded_name, arrived_from=self.first_second, arrived_to=self.last_second)


# --- what is answered ------------------------------------------------------


class ReviewConflict(ErrorView):
    """The field or the document is not as it was when the person looked."""

    current: FieldView | None = Field(
        default=None, description="What the field is now; with stale_version and field_exists."
    )
    claimed_by: str | None = Field(default=None, description="Who works on the document; with claimed.")
    claimed_by_name: str | None = Field(default=None, description="Name of that key; with claimed.")
    expires_at: str | None = Field(default=None, description="When that ends by itself; with claimed.")


class Claimed(View):
    """A document that the caller works on."""

    document_id: int
    claimed_by: str
    claimed_by_name: str | None = Field(default=None, exclude_if=is_none, description="Name of that key.")
    expires_at: str

    @classmethod
    def of(cls, document_id: int, claim: Claim) -> Claimed:
        """Return the view of a claim."""
        return cls(
            document_id=document_id,
            claimed_by=claim.by,
            claimed_by_name=claim.name,
            expires_at=claim.until,
        )


class Queued(View):
    """A document that will be read again; it stays as it is until then."""

    document_id: int
    status: DocumentStatus
    re_extraction: Literal["queued"]


class PartPages(View):
    """A document and pages: of one that is split those it takes, of a merged one those it becomes."""

    document_id: int
    first: int
    last: int


class Rearranged(View):
    """A document that is being split or merged; its fields and those of its parts are read anew."""

    document_id: int
    status: DocumentStatus
    documents: list[PartPages] = Field(
        description="After a split what it becomes, itself first, with the pages of it that each has; after "
        "a merge what it is made of, with the pages of it that each becomes."
    )

    @classmethod
    def of(cls, document: Document) -> Rearranged:
        """Return the view of a document that is being split or merged."""
        parts = [(part.document_id, part.first, part.last) for part in document.parts]
        if document.joining:
            parts = [(document.id, 1, document.joining[0].first - 1)]
            parts += [
                (each.document_id, each.first, each.first + each.pages - 1) for each in document.joining
            ]
        return cls(
            document_id=document.id,
            status=document.status,
            documents=[
                PartPages(document_id=number, first=first, last=last) for number, first, last in parts
            ],
        )


class WaitingField(View):
    """A field that waits for a person."""

    document_id: int
    doc_type: str | None
    file_name: str
    claimed_by: str | None = Field(default=None, description="Only given if a key works on the document.")
    claimed_by_name: str | None = Field(default=None, description="Name of that key.")
    field: FieldView


class ReviewQueueView(View):
    """Fields that wait: escalated ones first, then by confidence, unknown before low before high."""

    items: list[WaitingField]
    next_cursor: str | None = Field(
        description="Send it as cursor for the next page, also after an empty one; null on the last."
    )


def project_queue(found: Queue) -> dict[str, Any]:
    """Serialise a page of the review queue (`ReviewQueueView`)."""
    return {
        "items": [
            {
                "documentId": each.document.id,
                "docType": each.document.doc_type,
                "fileName": each.document.file_name,
                **_claimant(each.document),
                "field": project_field(each.field),
            }
            for each in found.items
        ],
        "nextCursor": found.next_cursor,
    }


def _claimant(document: Document) -> dict[str, str]:
    """Return who works on a document, if anybody does."""
    shown = {"claimedBy": document.claimed_by, "claimedByName": document.claimed_by_name}
    return {key: value for key, value in shown.items() if value is not None}


class HistoryEntry(View):
    """A change to a document."""

    sequence: int = Field(description="1 for the first.")
    at: str
    by: str = Field(description="Id of the key; alma for what nobody asked for.")
    by_name: str | None = Field(
        description="Name of the key as it is now, no part of the chain; null for alma and for a key that "
        "is gone."
    )
    action: Action
    field: str | None = Field(description="Id of the field; null for the document as a whole.")
    before: dict[str, Any] | None = Field(description="What it was; null where there was nothing.")
    after: dict[str, Any] | None = Field(description="What it became.")
    comment: str | None
    digest: str = Field(description="SHA-256 over the entry and the digest before it.")
    previous: str = Field(description="The digest of the entry before; 64 zeros for the first.")

    @classmethod
    def of(cls, entry: Entry, names: Mapping[str, str]) -> HistoryEntry:
        """Return the view of an entry."""
        event = entry.event
        return cls(
            sequence=entry.sequence,
            at=event.at,
            by=entry.actor,
            by_name=names.get(entry.actor),
            action=event.action,
            field=event.subject,
            before=event.before,
            after=event.after,
            comment=event.comment,
            digest=entry.digest,
            previous=entry.previous,
        )


class HistoryView(View):
    """What happened to a document, oldest first."""

    document_id: int
    entries: list[HistoryEntry]
    next_cursor: str | None = Field(description="Send it as cursor for the next page; null on the last.")

    @classmethod
    def of(cls, document_id: int, found: History, names: Mapping[str, str]) -> HistoryView:
        """Return the view of a page of a trail, with the names of keys by their ids."""
        entries = [HistoryEntry.of(entry, names) for entry in found.entries]
        return cls(document_id=document_id, entries=entries, next_cursor=found.next_cursor)


# --- the routes ------------------------------------------------------------

_DECIDED: dict[int, Answer] = {400: ErrorView, 404: ErrorView, 409: ReviewConflict}

ROUTES = (
    Route(
        "PATCH",
        "/v1/documents/{id}/fields/{field}",
        "reviews",
        "decide_field",
        "Accept, edit, reject or escalate a field.",
        Scope.REVIEW_WRITE,
        _DECIDED | {200: FieldView},
        path=FieldPath,
        body=DecideBody,
    ),
    Route(
        "POST",
        "/v1/documents/{id}/fields",
        "reviews",
        "add_field",
        "Add a field that was not found.",
        Scope.REVIEW_WRITE,
        _DECIDED | {201: FieldView},
        path=DocumentPath,
        body=AddFieldBody,
    ),
    Route(
        "POST",
        "/v1/documents/{id}/claim",
        "reviews",
        "claim_document",
        "Claim a document for a while, or go on with a claim: nobody else can decide its fields meanwhile.",
        Scope.REVIEW_WRITE,
        _DECIDED | {200: Claimed},
        path=DocumentPath,
        body=ClaimBody,
    ),
    Route(
        "POST",
        "/v1/documents/{id}/release",
        "reviews",
        "release_document",
        "End a claim: your own, or with the scope review:admin anybody's.",
        Scope.REVIEW_WRITE,
        _DECIDED | {204: None},
        path=DocumentPath,
    ),
    Route(
        "POST",
        "/v1/documents/{id}/extract",
        "reviews",
        "extract_again",
        "Read a document again, as one of another type if you say so; what people decided stays.",
        Scope.DOCUMENTS_WRITE,
        {202: Queued, 400: ErrorView, 404: ErrorView, 409: ErrorView},
        path=DocumentPath,
        body=ExtractBody,
        limited_as=RateLimitClass.MODELS,
    ),
    Route(
        "POST",
        "/v1/documents/{id}/split",
        "reviews",
        "split_document",
        "Split a document by pages: it stays the first, further ones are made. What people decided goes with "
        "its page; all else is read anew.",
        Scope.REVIEW_WRITE,
        _DECIDED | {202: Rearranged},
        path=DocumentPath,
        body=SplitBody,
    ),
    Route(
        "POST",
        "/v1/documents/{id}/merge",
        "reviews",
        "merge_documents",
        "Merge documents into one: their pages follow its own, and they are removed. What people decided "
        "stays; all else is read anew.",
        Scope.REVIEW_WRITE,
        _DECIDED | {202: Rearranged},
        path=DocumentPath,
        body=MergeBody,
    ),
    Route(
        "GET",
        "/v1/documents/{id}/history",
        "reviews",
        "document_history",
        "What happened to a document and its fields, oldest first; of a removed one the bare chain.",
        Scope.DOCUMENTS_READ,
        {200: HistoryView, 400: ErrorView, 404: ErrorView},
        path=DocumentPath,
        query=HistoryQuery,
    ),
    Route(
        "GET",
        "/v1/review-queue",
        "reviews",
        "review_queue",
        "Fields that wait for a person: escalated ones first, then by confidence, unknown before low.",
        Scope.DOCUMENTS_READ,
        {200: ReviewQueueView, 400: ErrorView},
        query=ReviewFilter,
    ),
)
