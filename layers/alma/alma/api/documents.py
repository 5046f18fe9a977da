"""Documents over the API: what is sent, what is answered, and the routes."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr, field_validator

from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope
from alma.api.document_filters import DocumentsNamed
from alma.api.errors import ErrorView, FailedDocument, Processing
from alma.api.geometry import Share
from alma.api.operation import Answer, Route
from alma.api.request_models import (
    Body,
    Cursor,
    DocumentId,
    DocumentPath,
    OfType,
    Path,
    PathDocumentId,
    Query,
    limit,
    sentence,
)
from alma.datamodel.fields import evidence_of
from alma.datamodel.schemas import KEY
from alma.documents.listing import MAX_LIMIT, Criteria, Listing
from alma.documents.records import Document, DocumentStatus
from alma.documents.review_state import ReviewState
from alma.documents.service import Announcement
from alma.presentation.document import (
    RE_EXTRACTION_DESCRIPTION,
    RE_EXTRACTION_DETAIL_DESCRIPTION,
    DocumentContent,
    DocumentView,
    EvidenceView,
    FieldView,
    PageRangeView,
    project,
)
from alma.presentation.view import View, is_none

if TYPE_CHECKING:
    from alma.documents.text_search import SearchHit, SearchPage


# --- what is sent ----------------------------------------------------------


class DigitizeBody(Body):
    """Which document to resolve."""

    document_id: DocumentId


def _tracks(given: str | None) -> str | None:
    if given not in (None, "all"):
        raise sentence("tracks is all, for what every track reads; or leave it out.")
    return given


class TracksQuery(Query):
    """How much to say of each field."""

    tracks: Annotated[
        Annotated[str, Field(json_schema_extra={"enum": ["all"]})] | None,
        Field(description="What every track reads for each field, and why it is escalated."),
        AfterValidator(_tracks),
    ] = None


class DocumentFilter(DocumentsNamed):
    """Which documents to list: those of which all that is given holds."""

    cursor: Cursor = None
    limit: StrictInt = limit(MAX_LIMIT, 50)
    doc_type: OfType = None
    status: Literal["processing", "ready", "failed"] | None = Field(
        default=None, description="Only documents in this reading status."
    )
    review: Literal["waiting", "escalated", "unreviewed", "missing", "done"] | None = Field(
        default=None,
        description="Only documents that are ready and of which review counts some: waiting (escalated or "
        "unreviewed), escalated, unreviewed, missing; or done, of which nothing waits.",
    )
    confidence_below: Share | None = Field(
        default=None,
        description="Only documents with a field that waits for review and is less sure than this; fields of "
        "unknown confidence do not count.",
    )

    @property
    def criteria(self) -> Criteria:
        """The same as the code has it."""
        return Criteria(
            doc_type=self.doc_type,
            status=None if self.status is None else DocumentStatus(self.status),
            name=self.folded_name,
            arrived_from=self.first_second,
            arrived_to=self.last_second,
            review=None if self.review is None else ReviewState(self.review),
            confidence_below=self.confidence_below,
        )


def _check_file_name(name: str) -> str:
    if len(name.encode()) > 255 or name in (".", ".."):
        raise ValueError("a name has at most 255 bytes and is not . or ..")
    if any(c in "/\\" or unicodedata.category(c).startswith("C") for c in name):
        raise ValueError("a name has no slashes and no control or formatting characters")
    return name


class AnnounceBody(Body):
    """A file that is about to be uploaded."""

    file_name: Annotated[
        str,
        Field(min_length=1, max_length=255, description="The file's own name, without folders."),
        AfterValidator(_check_file_name),
    ]
    doc_type: Annotated[str | None, Field(pattern=KEY, description="Its type, if you know it.")] = None
    split: StrictBool = Field(
        default=True, description="false if the file is one document, whatever its pages look like."
    )


class SearchFilter(Query):
    """What to search for, and where."""

    text: StrictStr = Field(min_length=2, max_length=200, description="The word or phrase.")
    cursor: Cursor = None
    limit: StrictInt = limit(50, 10)
    doc_type: OfType = None


class ExportPath(Path):
    """`/v1/export/{documentId}`."""

    document_id: PathDocumentId


def _columns(given: str | None) -> str | None:
    if given not in (None, "all"):
        raise sentence("columns is all, for status, reasons, content and version as well; or leave it out.")
    return given


class ExportQuery(Query):
    """What the file is."""

    format: Literal["csv", "xlsx", "xml", "json", "jsonl"] = Field(
        default="json", description="What the file is."
    )
    columns: Annotated[
        Annotated[str, Field(json_schema_extra={"enum": ["all"]})] | None,
        Field(
            description="all: status, reasons, content (as it stands on the page) and version of each field, "
            "after the six columns; for csv, xlsx and xml."
        ),
        AfterValidator(_columns),
    ] = None
    bom: Literal["0", "1"] = Field(
        default="0", description="1: a byte order mark first, by which Excel sees UTF-8; for csv."
    )


# --- what is answered ------------------------------------------------------


class ReviewCountsView(View):
    """How many fields of a document wait for a person."""

    escalated: int = Field(description="A person must look, missing ones included.")
    unreviewed: int = Field(description="Nobody has looked.")
    missing: int = Field(description="Required, and not found.")


class DocumentSummary(View):
    """A document in a list."""

    document_id: int = Field(validation_alias="id")
    doc_type: str | None = Field(description="null until it is known, or if no type fits.")
    status: DocumentStatus
    file_name: str
    page_range: PageRangeView | None = Field(
        default=None,
        exclude_if=is_none,
        description="Its pages in the file; only given if the file holds several documents.",
    )
    instance_of: int | None = Field(
        default=None,
        exclude_if=is_none,
        description="The first document of that file; only given on the others.",
    )
    pages: int | None = Field(description="null until it is known.")
    pages_read: int
    unread_lines: int = Field(
        description="Lines of text that were seen and could not be read: another script, a smear."
    )
    created_at: str
    finished_at: str | None = None
    error: str | None = Field(
        default=None,
        validation_alias="error_code",
        description="Code of what went wrong, if status is failed.",
    )
    detail: str | None = Field(default=None, description="The same as a sentence.")
    re_extraction: Literal["queued", "failed"] | None = Field(
        default=None, exclude_if=is_none, description=RE_EXTRACTION_DESCRIPTION
    )
    re_extraction_detail: str | None = Field(
        default=None, exclude_if=is_none, description=RE_EXTRACTION_DETAIL_DESCRIPTION
    )
    upload_until: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="Until when its file can be sent; only given as long as it is announced and has none.",
    )
    claimed_by: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="Id of the key that works on it now; only given if one does.",
    )
    claimed_by_name: str | None = Field(default=None, exclude_if=is_none, description="Name of that key.")
    claimed_until: str | None = Field(
        default=None, exclude_if=is_none, description="When that ends by itself."
    )

    review: ReviewCountsView | None = Field(
        default=None,
        exclude_if=is_none,
        description="What is left to review; only given on documents that are ready, if it was counted.",
    )

    @field_validator("page_range", mode="before")
    @classmethod
    def _first_and_last(cls, given: object) -> object:
        return {"first": given[0], "last": given[1]} if isinstance(given, tuple) else given


class DocumentList(View):
    """Documents, newest first; with filters a page may be short and have a cursor."""

    documents: list[DocumentSummary]
    next_cursor: str | None = Field(
        description="Send it as cursor, with the same filters, for the next page; null on the last."
    )

    @classmethod
    def of(cls, listing: Listing) -> DocumentList:
        """Return the view of a listing."""
        return cls.model_validate(listing)


class PassageView(View):
    """A place that a text stands in."""

    text: str = Field(description="The lines that it touches.")
    evidence: EvidenceView = Field(description="Where the text itself stands.")


class HitView(View):
    """A document that a text stands in."""

    document_id: int
    doc_type: str | None = Field(description="null if no type fits.")
    file_name: str
    fields: list[FieldView] = Field(description="The fields whose value holds the text, at most twenty.")
    passages: list[PassageView] = Field(description="The first places on its pages.")
    places: int = Field(description="How many places there are; at most five are in passages.")
    unsearched_pages: int = Field(
        default=0,
        exclude_if=lambda pages: pages == 0,
        description="Pages at its end that were not looked at, because it has very many.",
    )

    @classmethod
    def of(cls, hit: SearchHit) -> HitView:
        """Return the view of a hit."""
        document = hit.document
        content = DocumentContent(document.id, document.doc_type, hit.fields)
        return cls.model_validate(
            {
                **project(content),
                "fileName": document.file_name,
                "passages": [
                    {"text": passage.text, "evidence": evidence_of(passage.regions)}
                    for passage in hit.passages
                ],
                "places": hit.places,
                "unsearchedPages": hit.unsearched_pages,
            }
        )


class SearchResult(View):
    """Documents that a text stands in, newest first."""

    documents: list[HitView]
    searched: int = Field(description="Documents that this call looked at.")
    next_cursor: str | None = Field(
        description="Send it as cursor to look at older documents; null when all have been looked at."
    )

    @classmethod
    def of(cls, found: SearchPage) -> SearchResult:
        """Return the view of what was found."""
        return cls(
            documents=[HitView.of(hit) for hit in found.hits],
            searched=found.documents,
            next_cursor=found.next_cursor,
        )


class Upload(View):
    """How to send the file: one HTTP request, no key."""

    method: Literal["PUT"] = "PUT"
    url: str
    expires_in: int = Field(description="Seconds the URL holds.")


class Announced(View):
    """The document a file will become, and where to send the file."""

    document_id: int
    status: DocumentStatus
    upload: Upload | None = Field(
        default=None, exclude_if=is_none, description="Not given where the file came with the request."
    )

    @classmethod
    def of(cls, announced: Announcement) -> Announced:
        """Return the view of an announced document."""
        document: Document = announced.document
        upload = Upload(url=announced.upload_url, expires_in=announced.expires_in)
        return cls(document_id=document.id, status=document.status, upload=upload)


# --- the routes ------------------------------------------------------------

_READ: dict[int, Answer] = {200: DocumentView, 202: Processing, 404: ErrorView, 422: FailedDocument}
#: What reading a document's fields may answer.
READ_OR_REDIRECT: dict[int, Answer] = {303: None, 400: ErrorView, **_READ}

ROUTES = (
    Route(
        "POST",
        "/v1/digitize",
        "digitize",
        "digitize",
        "Resolve a document into its structured fields; a large answer is a redirect, so follow it.",
        Scope.DOCUMENTS_READ,
        READ_OR_REDIRECT,
        query=TracksQuery,
        body=DigitizeBody,
        limited_as=RateLimitClass.READING,
    ),
    Route(
        "GET",
        "/v1/documents",
        "documents",
        "list_documents",
        "List documents, newest first. A page may be short, or empty, where filters leave out most of what "
        "was looked at: there are more as long as nextCursor is not null.",
        Scope.DOCUMENTS_READ,
        {200: DocumentList, 400: ErrorView},
        query=DocumentFilter,
    ),
    Route(
        "POST",
        "/v1/documents",
        "documents",
        "announce_document",
        "Announce a file and get a URL to upload it to; or send it at once as a form, up to about 4.4 MB.",
        Scope.DOCUMENTS_WRITE,
        {201: Announced, 400: ErrorView},
        body=AnnounceBody,
        takes_file=True,
        shown_once="upload",
        makes="documentId",
    ),
    Route(
        "GET",
        "/v1/documents/{id}",
        "documents",
        "get_document",
        "Fetch a document's fields; a large answer is a redirect, so follow it (curl -L).",
        Scope.DOCUMENTS_READ,
        READ_OR_REDIRECT | {304: None},
        path=DocumentPath,
        query=TracksQuery,
    ),
    Route(
        "GET",
        "/v1/documents/{id}/file",
        "documents",
        "get_document_file",
        "Download the file that a document was sent as; a redirect, so follow it (curl -L).",
        Scope.DOCUMENTS_READ,
        {303: None, 400: ErrorView, 404: ErrorView},
        path=DocumentPath,
    ),
    Route(
        "DELETE",
        "/v1/documents/{id}",
        "documents",
        "delete_document",
        "Remove a document with everything that was made of it, and the file with the last document of it.",
        Scope.DOCUMENTS_WRITE,
        {204: None, 400: ErrorView, 404: ErrorView},
        path=DocumentPath,
    ),
    Route(
        "GET",
        "/v1/export/{documentId}",
        "export",
        "export_document",
        "Download a document's fields as a file; a large one is a redirect, so follow it (curl -L).",
        Scope.EXPORT_READ,
        {
            200: (
                "text/csv",
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                "application/xml",
                "application/json",
                "application/x-ndjson",
            ),
            202: Processing,
            303: None,
            400: ErrorView,
            404: ErrorView,
            422: FailedDocument,
        },
        path=ExportPath,
        query=ExportQuery,
    ),
)
