"""The bodies of the API besides the document itself (see projection.py), each written once.

Validation, OpenAPI and the MCP tools' schemas all come from these models.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt

from alma.catalogue import DocumentType, Origin
from alma.documents import Document, DocumentStatus, Listing
from alma.evidence import Box, Word, enclosing
from alma.fields import evidence_of
from alma.keys import Key, Role
from alma.pages import PageText, Track
from alma.projection import BoxView, EvidenceView, FieldView, PageRangeView, Unit, project, rounded
from alma.schemas import KEY, SchemaDefinition

if TYPE_CHECKING:
    from alma.models import Model
    from alma.search import Found


class Body(BaseModel):
    """A request body: unknown names are refused, so that a typo is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


class DigitizeBody(Body):
    """Which document to resolve."""

    documentId: Annotated[StrictInt, Field(ge=1, lt=10**12, description="Number of the document.")]


def _check_file_name(name: str) -> str:
    if len(name.encode()) > 255 or name in (".", ".."):
        raise ValueError("a name has at most 255 bytes and is not . or ..")
    if any(c in "/\\" or unicodedata.category(c).startswith("C") for c in name):
        raise ValueError("a name has no slashes and no control or formatting characters")
    return name


class AnnounceBody(Body):
    """A file that is about to be uploaded."""

    fileName: Annotated[
        str,
        Field(min_length=1, max_length=255, description="The file's own name, without folders."),
        AfterValidator(_check_file_name),
    ]
    docType: Annotated[
        str | None,
        Field(pattern=KEY, description="Its type, if you know it."),
    ] = None
    split: Annotated[
        bool,
        Field(strict=True, description="false if the file is one document, whatever its pages look like."),
    ] = True


class CreateKeyBody(Body):
    """A key to mint."""

    name: Annotated[str, Field(min_length=1, max_length=100, description="What people call it.")]
    role: Role = Role.READER


def _is_none(value: object) -> bool:
    return value is None


class DocumentSummary(BaseModel):
    """A document in a list."""

    documentId: int
    docType: str | None = Field(description="null until it is known, or if no type fits.")
    status: DocumentStatus
    fileName: str
    pageRange: PageRangeView | None = Field(
        default=None,
        exclude_if=_is_none,
        description="Its pages in the file; only given if the file holds several documents.",
    )
    instanceOf: int | None = Field(
        default=None,
        exclude_if=_is_none,
        description="The first document of that file; only given on the others.",
    )
    pages: int | None = Field(description="null until it is known.")
    pagesRead: int
    unreadLines: int = Field(
        description="Lines of text that were seen and could not be read: another script, a smear."
    )
    createdAt: str
    finishedAt: str | None = None
    error: str | None = Field(default=None, description="Slug of what went wrong, if status is failed.")
    detail: str | None = Field(default=None, description="The same as a sentence.")

    @classmethod
    def of(cls, document: Document) -> DocumentSummary:
        """Return the summary of a document."""
        return cls(
            documentId=document.id,
            docType=document.doc_type,
            status=document.status,
            fileName=document.file_name,
            pageRange=None
            if document.page_range is None
            else PageRangeView(first=document.page_range[0], last=document.page_range[1]),
            instanceOf=document.instance_of,
            pages=document.pages,
            pagesRead=document.pages_read,
            unreadLines=document.unread_lines,
            createdAt=document.created_at,
            finishedAt=document.finished_at,
            error=document.error,
            detail=document.detail,
        )


class DocumentList(BaseModel):
    """Documents, newest first."""

    documents: list[DocumentSummary]
    nextCursor: str | None = Field(description="Send it as cursor for the next page; null on the last.")

    @classmethod
    def of(cls, listing: Listing) -> DocumentList:
        """Return the view of a listing."""
        return cls(
            documents=[DocumentSummary.of(document) for document in listing.documents],
            nextCursor=listing.next_cursor,
        )


class PassageView(BaseModel):
    """A place that a text stands in."""

    text: str = Field(description="The lines that it touches.")
    evidence: EvidenceView = Field(description="Where the text itself stands.")


class HitView(BaseModel):
    """A document that a text stands in."""

    documentId: int
    docType: str | None = Field(description="null if no type fits.")
    fileName: str
    fields: list[FieldView] = Field(description="The fields whose value holds the text, at most twenty.")
    passages: list[PassageView] = Field(description="The first places on its pages.")
    places: int = Field(description="How many places there are; at most five are in passages.")
    unsearchedPages: int = Field(
        default=0,
        exclude_if=lambda pages: pages == 0,
        description="Pages at its end that were not looked at, because it has very many.",
    )


class SearchResult(BaseModel):
    """Documents that a text stands in, newest first."""

    documents: list[HitView]
    searched: int = Field(description="Documents that this call looked at.")
    nextCursor: str | None = Field(
        description="Send it as cursor to look at older documents; null when all have been looked at."
    )

    @classmethod
    def of(cls, found: Found) -> SearchResult:
        """Return the view of what was found."""
        return cls(
            documents=[
                HitView(
                    documentId=hit.document.id,
                    docType=hit.document.doc_type,
                    fileName=hit.document.file_name,
                    fields=project(hit.document.id, hit.document.doc_type, hit.fields)["fields"],
                    passages=[
                        PassageView.model_validate(
                            {"text": passage.text, "evidence": evidence_of(passage.regions)}
                        )
                        for passage in hit.passages
                    ],
                    places=hit.places,
                    unsearchedPages=hit.unsearched_pages,
                )
                for hit in found.hits
            ],
            searched=found.documents,
            nextCursor=found.next_cursor,
        )


class WordView(BaseModel):
    """A word where it stands."""

    text: str
    bbox: BoxView
    confidence: Unit | None = Field(
        description="How sure recognition is of it; null where the file itself says it."
    )


class LineView(BaseModel):
    """A line of text where it stands."""

    text: str
    bbox: BoxView
    words: list[WordView] = Field(
        default=[], exclude_if=lambda words: not words, description="Only given if they are asked for."
    )

    @classmethod
    def of(cls, line: Sequence[Word], *, with_words: bool) -> LineView:
        """Return the view of a line, which has a word at least."""
        words = [
            WordView(text=word.text, bbox=_box(word.box), confidence=rounded(word.confidence))
            for word in line
            if with_words
        ]
        text = " ".join(word.text for word in line)
        return cls(text=text, bbox=_box(enclosing(word.box for word in line)), words=words)


def _box(box: Box) -> BoxView:
    return BoxView(**box.to_dict())


class PageTextView(BaseModel):
    """The text of a page, in reading order."""

    documentId: int
    page: int = Field(description="1-based page of the document.")
    pages: int = Field(description="How many pages the document has.")
    track: Track = Field(
        description="Who read it. text: the file's own text; vision: recognition on the page image."
    )
    tracks: list[Track] = Field(description="Everyone who read something on the page.")
    turned: int = Field(description="Degrees clockwise that make the page upright; boxes are not turned.")
    unreadLines: int = Field(description="Lines that were seen and could not be read.")
    lines: list[LineView]
    nextCursor: str | None = Field(
        description="Send it as cursor for the lines after these; null at the end."
    )

    @classmethod
    def of(
        cls,
        document: Document,
        text: PageText,
        tracks: list[Track],
        *,
        start: int,
        limit: int,
        with_words: bool,
    ) -> PageTextView:
        """Return the view of what one track read on a page, from line `start` on."""
        lines = text.lines()
        return cls(
            documentId=document.id,
            page=text.page,
            pages=document.pages or text.page,
            track=text.track,
            tracks=tracks,
            turned=text.turned,
            unreadLines=text.unreadable,
            lines=[LineView.of(line, with_words=with_words) for line in lines[start : start + limit]],
            nextCursor=str(start + limit) if start + limit < len(lines) else None,
        )


class Processing(BaseModel):
    """A document that is still being read: ask again after `Retry-After` seconds."""

    documentId: int
    docType: str | None
    status: Literal["processing"] = "processing"
    pages: int | None
    pagesRead: int


class Upload(BaseModel):
    """How to send the file: one HTTP request, no key."""

    method: Literal["PUT"] = "PUT"
    url: str
    expiresIn: int = Field(description="Seconds the URL holds.")


class Announced(BaseModel):
    """The document a file will become, and where to send the file."""

    documentId: int
    status: DocumentStatus
    upload: Upload


class KeyView(BaseModel):
    """A key, without its token."""

    id: str
    name: str
    role: Role
    hint: str = Field(description="How the token begins.")
    createdAt: str
    createdBy: str | None = Field(description="Id of the key that minted it; null for the operator.")
    revokedAt: str | None

    @classmethod
    def of(cls, key: Key) -> KeyView:
        """Return the view of a key."""
        return cls(
            id=key.id,
            name=key.name,
            role=key.role,
            hint=key.hint,
            createdAt=key.created_at,
            createdBy=key.created_by,
            revokedAt=key.revoked_at,
        )


class MintedKey(KeyView):
    """A new key with its token, which is shown this once."""

    token: str


class KeyList(BaseModel):
    """The organisation's keys, oldest first."""

    keys: list[KeyView]


class ModelView(BaseModel):
    """A fine-tuned model of the organisation."""

    id: str
    name: str
    baseModel: str
    status: str
    trainedExamples: int
    createdAt: str

    @classmethod
    def of(cls, model: Model) -> ModelView:
        """Return the view of a model."""
        return cls(
            id=model.id,
            name=model.name,
            baseModel=model.base_model,
            status=model.status,
            trainedExamples=model.trained_examples,
            createdAt=model.created_at,
        )


class ModelList(BaseModel):
    """The organisation's models."""

    models: list[ModelView]


class SchemaSummary(BaseModel):
    """A document type in a list."""

    docType: str
    origin: Origin = Field(description="own: made by your organisation, in place of a shipped one or beside.")
    description: str
    fields: list[str] = Field(description="Keys of its fields; those of a group as GROUP.KEY.")
    updatedAt: str | None = Field(description="null for a shipped type.")

    @classmethod
    def of(cls, each: DocumentType) -> SchemaSummary:
        """Return the summary of a document type."""
        schema = each.schema
        return cls(
            docType=schema.doc_type,
            origin=each.origin,
            description=schema.description,
            fields=[
                *(field.key for field in schema.fields),
                *(group.key_of(column) for group in schema.groups for column in group.fields),
            ],
            updatedAt=each.updated_at,
        )


class SchemaList(BaseModel):
    """The organisation's document types by name."""

    schemas: list[SchemaSummary]


class SchemaView(BaseModel):
    """A document type."""

    docType: str
    origin: Origin
    updatedAt: str | None = Field(description="null for a shipped type.")
    definition: SchemaDefinition = Field(description="What to PUT to make the same type again.")

    @classmethod
    def of(cls, each: DocumentType) -> SchemaView:
        """Return the view of a document type."""
        own = {name: getattr(each.schema, name) for name in SchemaDefinition.model_fields}
        return cls(
            docType=each.schema.doc_type,
            origin=each.origin,
            updatedAt=each.updated_at,
            definition=SchemaDefinition.model_construct(**own),
        )


class Health(BaseModel):
    """alma answers."""

    status: Literal["ok"] = "ok"
    version: str


class ErrorView(BaseModel):
    """The one shape of every error but 401, which is exactly `{"error": "unauthorized"}`."""

    error: str = Field(description="Slug for programs.")
    detail: str = Field(description="One sentence for people: what to do.")
    request_id: str


class FailedDocument(ErrorView):
    """A document that could not be read."""

    documentId: int
    status: Literal["failed"] = "failed"


class Unauthorized(BaseModel):
    """The token is missing, malformed or revoked."""

    error: Literal["unauthorized"] = "unauthorized"
