"""The bodies of the API besides the document itself (see projection.py), each written once.

Validation, OpenAPI and the MCP tools' schemas all come from these models.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictInt

from alma.catalogue import DocumentType, Origin
from alma.documents import Document, DocumentStatus, Listing
from alma.keys import Key
from alma.projection import PageRangeView
from alma.quotas import Quota
from alma.schemas import KEY, SchemaDefinition
from alma.scopes import Role, Scope, listed
from alma.usage import Amounts, KeyUsage, total


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
    scopes: Annotated[
        list[Scope] | None,
        Field(min_length=1, description="Fewer than those of the role; without, all of them."),
    ] = None
    owner: Annotated[
        str | None, Field(min_length=1, max_length=200, description="Who answers for it; an address, say.")
    ] = None
    expiresAt: Annotated[
        AwareDatetime | None, Field(description="When it stops working; without, not by itself.")
    ] = None


class RotateKeyBody(Body):
    """How to replace a key by one with the same rights."""

    overlapSeconds: Annotated[
        StrictInt,
        Field(ge=0, le=604800, description="How long the old key goes on working beside the new one."),
    ] = 86400


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
    owner: str | None = Field(description="Who answers for it.")
    role: Role
    scopes: list[Scope] = Field(description="What it may do.")
    hint: str = Field(description="How the token begins.")
    createdAt: str
    createdBy: str | None = Field(description="Id of the key that minted it; null for the operator.")
    expiresAt: str | None = Field(description="When it stops working.")
    lastUsedAt: str | None = Field(description="When it was last used, exact to some minutes.")
    revokedAt: str | None
    replacedBy: str | None = Field(description="Id of the key it was rotated into.")

    @classmethod
    def of(cls, key: Key) -> KeyView:
        """Return the view of a key."""
        return cls(
            id=key.id,
            name=key.name,
            owner=key.owner,
            role=key.role,
            scopes=[Scope(name) for name in listed(key.scopes)],
            hint=key.hint,
            createdAt=key.created_at,
            createdBy=key.created_by,
            expiresAt=key.valid_until,
            lastUsedAt=key.last_used_at,
            revokedAt=key.revoked_at,
            replacedBy=key.replaced_by,
        )


class MintedKey(KeyView):
    """A new key with its token, which is shown this once."""

    token: str


class KeyList(BaseModel):
    """The organisation's keys, oldest first."""

    keys: list[KeyView]


class AmountsView(BaseModel):
    """What was used."""

    requests: int = Field(description="Requests that were let in.")
    pages: int = Field(description="Pages of documents that came to their end.")
    fields: int = Field(description="Fields that were found in them.")
    modelRuns: int = Field(description="Documents digitized with a model of your own.")
    bytes: int = Field(description="Size of the files.")

    @classmethod
    def of(cls, amounts: Amounts) -> AmountsView:
        """Return the view of amounts."""
        return cls(
            requests=amounts.requests,
            pages=amounts.pages,
            fields=amounts.fields,
            modelRuns=amounts.model_runs,
            bytes=amounts.bytes,
        )


class KeyUsageView(AmountsView):
    """What one key used."""

    keyId: str | None = Field(description="null for files that were dropped into the inbox.")
    name: str | None


class QuotaView(BaseModel):
    """Pages of the month: they count when a file arrives."""

    used: int
    limit: int | None = Field(description="null for any number.")


class UsageView(BaseModel):
    """What the organisation used in a month (UTC)."""

    month: str = Field(description="2026-11")
    quota: QuotaView
    total: AmountsView
    keys: list[KeyUsageView]

    @classmethod
    def of(cls, month: str, quota: Quota, used: list[KeyUsage]) -> UsageView:
        """Return the view of a month's usage."""
        return cls(
            month=month,
            quota=QuotaView(used=quota.used, limit=quota.limit),
            total=AmountsView.of(total(used)),
            keys=[
                KeyUsageView(**AmountsView.of(each.amounts).model_dump(), keyId=each.key_id, name=each.name)
                for each in used
            ],
        )


class ModelView(BaseModel):
    """A fine-tuned model of the organisation."""

    id: str
    name: str
    baseModel: str
    status: str
    trainedExamples: int
    createdAt: str


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
