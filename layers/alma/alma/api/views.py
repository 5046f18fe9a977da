"""The bodies of the API besides the document itself (see projection.py), each written once.

Validation, OpenAPI and the MCP tools' schemas all come from these models.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictInt

from alma.access.keys import Key
from alma.access.scopes import Role, Scope, listed
from alma.api.geometry import EvidenceBody
from alma.datamodel.fields import MAX_OCCURRENCES, Verb, evidence_of
from alma.datamodel.geometry import Box, Word, enclosing
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import KEY, SchemaDefinition
from alma.document_types.catalogue import DocumentType, Origin
from alma.documents.audit import Action, Entry, History
from alma.documents.listing import Listing
from alma.documents.records import Document, DocumentStatus
from alma.metering.quotas import Quota
from alma.metering.usage import Amounts, KeyUsage, total
from alma.models import registry
from alma.models.registry import Model, ModelStatus
from alma.presentation.document import (
    BoxView,
    Claim,
    EvidenceView,
    FieldView,
    PageRangeView,
    Unit,
    project,
    rounded,
)
from alma.text import reject_control_characters

if TYPE_CHECKING:
    from alma.documents.text_search import Found


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


_Value = Annotated[
    str,
    Field(max_length=4000, description="As a person writes it; kept in the form of its type."),
    AfterValidator(reject_control_characters),
]
_Comment = Annotated[
    str,
    Field(max_length=2000, description="For the document's history."),
    AfterValidator(reject_control_characters),
]


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
    claimedBy: str | None = Field(
        default=None,
        exclude_if=_is_none,
        description="Id of the key that works on it now; only given if one does.",
    )
    claimedUntil: str | None = Field(
        default=None, exclude_if=_is_none, description="When that ends by itself."
    )

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
            error=document.error_code,
            detail=document.detail,
            claimedBy=document.claimed_by,
            claimedUntil=document.claimed_until,
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
    owner: str | None = Field(description="Who answers for it.")
    role: Role
    scopes: list[Scope] = Field(description="What it may do.")
    hint: str = Field(description="How the token begins.")
    createdAt: str
    createdBy: str | None = Field(description="Id of the key that minted it; null for the operator.")
    expiresAt: str | None = Field(description="When it stops working.")
    lastUsedAt: str | None = Field(description="When it was last used, exact to some minutes.")
    revokedAt: str | None
    revokedBy: str | None = Field(description="Id of the key that revoked it; null for the operator.")
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
            revokedBy=key.revoked_by,
            replacedBy=key.replaced_by,
        )


class DecideBody(Body):
    """What a person says of a field."""

    action: Verb = Field(
        description="accept: the value shown is right. edit: it is value, or stands at evidence. reject: "
        "nobody should use the value, or there is none. escalate: a person must look."
    )
    version: Annotated[
        StrictInt, Field(ge=1, lt=10**9, description="The version of the field that the person saw.")
    ]
    value: _Value | None = None
    evidence: EvidenceBody | None = None
    track: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=128,
            description="Only with accept: whose reading is right, as tracks=all names it; without it, the "
            "value shown is.",
        ),
    ] = None
    comment: _Comment | None = None


class AddFieldBody(Body):
    """A field that was not found."""

    key: Annotated[
        str,
        Field(
            max_length=129, description="Key of the field in the document's type; GROUP.COLUMN for a column."
        ),
    ]
    row: Annotated[
        StrictInt | None,
        Field(
            ge=0, lt=MAX_OCCURRENCES, description="Row of the group, 0 for the first; a new one without it."
        ),
    ] = None
    value: _Value | None = None
    evidence: EvidenceBody | None = None
    comment: _Comment | None = None


class ClaimBody(Body):
    """For how long to work on a document."""

    seconds: Annotated[StrictInt, Field(ge=60, le=3600)] = 600


class Claimed(BaseModel):
    """A document that the caller works on."""

    documentId: int
    claimedBy: str
    expiresAt: str

    @classmethod
    def of(cls, document_id: int, claim: Claim) -> Claimed:
        """Return the view of a claim."""
        return cls(documentId=document_id, claimedBy=claim.by, expiresAt=claim.until)


class ExtractBody(Body):
    """How to read a document again."""

    docType: Annotated[
        str | None,
        Field(pattern=KEY, description="The type it is; the one it has now without it."),
    ] = None


class Queued(BaseModel):
    """A document that will be read again; it stays as it is until then."""

    documentId: int
    status: DocumentStatus


class WaitingField(BaseModel):
    """A field that waits for a person."""

    documentId: int
    docType: str | None
    fileName: str
    claimedBy: str | None = Field(default=None, description="Only given if a key works on the document.")
    field: FieldView


class ReviewQueue(BaseModel):
    """Fields that wait: escalated ones first, then by confidence, unknown before low before high."""

    items: list[WaitingField]
    nextCursor: str | None = Field(
        description="Send it as cursor for the next page, also after an empty one; null on the last."
    )


class HistoryEntry(BaseModel):
    """A change to a document."""

    sequence: int = Field(description="1 for the first.")
    at: str
    by: str = Field(description="Id of the key; alma for what nobody asked for.")
    action: Action
    field: str | None = Field(description="Id of the field; null for the document as a whole.")
    before: dict[str, Any] | None = Field(description="What it was; null where there was nothing.")
    after: dict[str, Any] | None = Field(description="What it became.")
    comment: str | None
    digest: str = Field(description="SHA-256 over the entry and the digest before it.")
    previous: str = Field(description="The digest of the entry before; 64 zeros for the first.")

    @classmethod
    def of(cls, entry: Entry) -> HistoryEntry:
        """Return the view of an entry."""
        event = entry.event
        return cls(
            sequence=entry.sequence,
            at=event.at,
            by=entry.actor,
            action=event.action,
            field=event.subject,
            before=event.before,
            after=event.after,
            comment=event.comment,
            digest=entry.digest,
            previous=entry.previous,
        )


class HistoryView(BaseModel):
    """What happened to a document, oldest first."""

    documentId: int
    entries: list[HistoryEntry]
    nextCursor: str | None = Field(description="Send it as cursor for the next page; null on the last.")

    @classmethod
    def of(cls, document_id: int, found: History) -> HistoryView:
        """Return the view of a page of a trail."""
        entries = [HistoryEntry.of(entry) for entry in found.entries]
        return cls(documentId=document_id, entries=entries, nextCursor=found.next_cursor)


class MintedKey(KeyView):
    """A new key with its token, which is shown this once."""

    token: str


class KeyList(BaseModel):
    """The organisation's keys, oldest first."""

    keys: list[KeyView]


class AmountsView(BaseModel):
    """What was used."""

    requests: int = Field(description="Requests that were let in.")
    pages: int = Field(description="Pages of files that were begun.")
    fields: int = Field(description="Fields that were found in documents that came to their end.")
    modelRuns: int = Field(description="Runs of a model of your own, or of a hosted one, over a document.")
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


class DatasetSummary(BaseModel):
    """How much of a document type is verified."""

    docType: str
    documents: int = Field(description="Documents with verified fields.")
    examples: int = Field(
        description="Verified fields. The lines can be fewer: a value without a place on a page is none."
    )


class DatasetList(BaseModel):
    """The document types that have a data set, by name."""

    datasets: list[DatasetSummary]


#: What a page of a document is asked for by.
PAGE_FILE = r"^p([1-9][0-9]{0,4})\.(png|json)$"


class TrackWords(BaseModel):
    """The words of a page as one track reads them."""

    page: int
    width: float
    height: float = Field(description="Of the page as displayed; the unit does not matter, the ratio does.")
    track: Track
    turned: int = Field(description="Degrees clockwise that make the page upright; boxes are not turned.")
    unreadable: int = Field(description="Lines that were seen and could not be read.")
    words: list[tuple[str, float, float, float, float, int, float | None]] = Field(
        description="[text, x, y, w, h, line, confidence]: boxes in the unit square of the page."
    )


class PageWords(BaseModel):
    """The words of a page."""

    page: int
    tracks: list[TrackWords]


class ModelBody(Body):
    """A model to train from what people verified, or to register."""

    name: Annotated[str, Field(min_length=1, max_length=100, description="What people call it.")]
    docType: Annotated[str, Field(pattern=KEY, description="The type of document it reads.")]
    baseModel: Annotated[
        str,
        Field(
            max_length=100,
            description="What it is tuned from: alma-base, or a ready model of yours for that type.",
        ),
    ] = registry.BASE
    source: Annotated[
        Literal["verified_fields", "upload"],
        Field(description="upload: you trained it elsewhere and send an ONNX file; see docs/models.md."),
    ] = "verified_fields"


class ModelSummary(BaseModel):
    """A model of the organisation in a list."""

    id: str
    name: str
    baseModel: str
    docType: str | None = Field(
        default=None, exclude_if=_is_none, description="The type of document it reads."
    )
    status: ModelStatus
    trainedExamples: int
    createdAt: str

    @classmethod
    def of(cls, model: Model) -> Self:
        """Return the view of a model."""
        return cls(**cls._values(model))

    @staticmethod
    def _values(model: Model) -> dict[str, Any]:
        return {
            "id": model.id,
            "name": model.name,
            "baseModel": model.base_model,
            "docType": model.doc_type,
            "status": model.status,
            "trainedExamples": model.trained_examples,
            "createdAt": model.created_at,
        }


class ModelView(ModelSummary):
    """A model of the organisation."""

    origin: registry.Origin
    createdBy: str | None = Field(description="Id of the key that made it.")
    finishedAt: str | None
    error: str | None = Field(description="Slug of why it failed or was rejected.")
    detail: str | None = Field(description="The same as a sentence.")
    card: dict[str, Any] | None = Field(
        description="What it was made of and how good it is, once it is ready; see docs/models.md."
    )

    @staticmethod
    def _values(model: Model) -> dict[str, Any]:
        return ModelSummary._values(model) | {
            "origin": model.origin,
            "createdBy": model.created_by,
            "finishedAt": model.finished_at,
            "error": model.error_code,
            "detail": model.detail,
            "card": model.card,
        }


class AnnouncedModel(ModelView):
    """A model whose file is expected, and where to send it."""

    upload: Upload


class ModelList(BaseModel):
    """The organisation's models."""

    models: list[ModelSummary]


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
        return cls(
            docType=each.schema.doc_type,
            origin=each.origin,
            updatedAt=each.updated_at,
            definition=each.schema.definition,
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


class ReviewConflict(ErrorView):
    """The field or the document is not as it was when the person looked."""

    current: FieldView | None = Field(
        default=None, description="What the field is now; with stale_version and field_exists."
    )
    claimedBy: str | None = Field(default=None, description="Who works on the document; with claimed.")
    expiresAt: str | None = Field(default=None, description="When that ends by itself; with claimed.")


class Unauthorized(BaseModel):
    """The token is missing, malformed or revoked."""

    error: Literal["unauthorized"] = "unauthorized"
