"""The tools an agent can call, each written once."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
)

from alma import pagination
from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope
from alma.api.geometry import BoxBody, EvidenceBody, PageNumber, Share
from alma.datamodel.fields import MAX_OCCURRENCES
from alma.errors import BadRequestError
from alma.mcp.tool import Archive, Outcome, Tool
from alma.presentation.document import BoxView, DocumentView, FieldView
from alma.presentation.exports import ExportLink
from alma.text import reject_control_characters

#: An export up to this many bytes is part of the result, a larger one is a link.
MAX_INLINE_EXPORT = 1_000_000
#: A picture of a page has at most this many bytes, which is 1 MB as base64.
MAX_IMAGE = 750_000


DocumentId = Annotated[
    StrictInt, Field(ge=1, le=10**12 - 1, description="Number of the document, as list_documents gives it.")
]
Cursor = Annotated[
    Annotated[StrictStr, Field(max_length=200)] | None,
    Field(description="nextCursor of the result before."),
]
OfType = Annotated[
    StrictStr | None,
    Field(
        max_length=64, description="Only documents of this type, such as invoice; list_schemas names them."
    ),
]


class ListDocuments(Tool):
    """Browse documents."""

    name = "list_documents"
    title = "List documents"
    description = (
        "List the documents of the archive, newest first, with type and reading status. Use it to find the "
        "documentId that the other tools take. If nextCursor is not null there are more: call again with it "
        "as cursor and the same filters. Only documents with status ready have fields."
    )
    scope = Scope.MCP_READ

    cursor: Cursor = None
    limit: StrictInt = Field(default=50, ge=1, le=200, description="At most this many documents.")
    docType: OfType = None
    status: Literal["processing", "ready", "failed"] | None = Field(
        default=None, description="Only documents in this reading status."
    )

    def run(self, archive: Archive) -> Outcome:
        found = archive.list_documents(
            cursor=self.cursor, limit=self.limit, doc_type=self.docType, status=self.status
        )
        return _of_a_known_type(archive, self.docType, found, "documents")

    @classmethod
    def result(cls) -> type[BaseModel]:
        from alma.api.views import DocumentList

        return DocumentList


class SearchDocuments(Tool):
    """Find text in documents."""

    name = "search_documents"
    title = "Search documents"
    description = (
        "Find a word or phrase in the file names, the field values and on the pages of documents, newest "
        "first; each place comes with its page and box. There is no index: one call looks at the newest 50 "
        "documents or 200 pages, so a result without documents means not found there. While nextCursor is "
        "not null, call again with it as cursor to look at older ones. Capitals, accents and line breaks do "
        "not matter; several words are one phrase, so search for one telling word rather than a sentence. "
        "Pages may be misread: try another word of the same thing before you say that it is not there."
    )
    scope = Scope.MCP_READ

    text: StrictStr = Field(min_length=2, max_length=200, description="The word or phrase.")
    cursor: Cursor = None
    limit: StrictInt = Field(default=10, ge=1, le=50, description="At most this many documents.")
    docType: OfType = None

    def run(self, archive: Archive) -> Outcome:
        found = archive.search(self.text, cursor=self.cursor, limit=self.limit, doc_type=self.docType)
        return _of_a_known_type(archive, self.docType, found, "documents")

    @classmethod
    def result(cls) -> type[BaseModel]:
        from alma.api.views import SearchResult

        return SearchResult


class DocumentFields(DocumentView):
    """A document with its fields, or some of them."""

    nextCursor: str | None = Field(
        default=None, description="Send it as cursor for the next fields; only given if there are more."
    )


class GetDocumentFields(Tool):
    """Read a document's fields."""

    name = "get_document_fields"
    title = "Get a document's fields"
    description = (
        "Get the structured fields of one document. Each has the best available value, confidence (the "
        "probability that it is right, null if unknown), review status and evidence: the page and the box "
        "that the value stands in, as shares of the page's width and height from its top left corner. Cite "
        "page and box with the value. Trust accepted and edited values; say so when one is escalated or "
        "rejected. With tracks, each field also has the id and version that propose_correction takes, and "
        "fields that were not found are there too. If nextCursor is given there are more fields: call again "
        "with it as cursor."
    )
    scope = Scope.MCP_READ

    documentId: DocumentId
    tracks: StrictBool = Field(
        default=False,
        description="Whether each field comes with its id and version, why it waits, and what each track "
        "reads.",
    )
    cursor: Cursor = None
    limit: StrictInt = Field(default=500, ge=1, le=1000, description="At most this many fields.")

    def run(self, archive: Archive) -> Outcome:
        start = pagination.offset(self.cursor, "fields")
        body = archive.document(self.documentId, tracks=self.tracks)
        end = start + self.limit
        more = {"nextCursor": str(end)} if end < len(body["fields"]) else {}
        return Outcome(body | {"fields": body["fields"][start:end]} | more)

    @classmethod
    def result(cls) -> type[BaseModel]:
        return DocumentFields


class _Link(BaseModel):
    """Where a file is that is too large for a result."""

    url: str | None = Field(
        default=None, description="Where to download the file (plain GET, no key); only given if it is large."
    )
    expiresIn: int | None = Field(default=None, description="Seconds the url holds.")


class ExportResult(_Link):
    """A document as a file: its content, or a link to it if it is large."""

    documentId: int
    format: str
    fileName: str
    mediaType: str
    encoding: Literal["utf-8", "base64"] | None = Field(
        default=None, description="How data stands for the file's bytes; absent with url."
    )
    data: str | None = Field(default=None, description="The file's content; absent with url.")


class ExportDocument(Tool):
    """Export a document."""

    name = "export_document"
    title = "Export a document"
    description = (
        "Get one document as a file to hand on: json (the same as get_document_fields), csv or xlsx (a row "
        "for each field, rejected ones left out). Its bytes come as base64; json and csv also come as plain "
        "text if you ask for the encoding utf-8. A large file comes as a url instead. To read values "
        "yourself, use get_document_fields."
    )
    scope = Scope.MCP_READ
    family = RateLimitClass.EXPORT

    documentId: DocumentId
    format: Literal["json", "csv", "xlsx"] = Field(default="json", description="What the file is.")
    encoding: Literal["base64", "utf-8"] = Field(
        default="base64", description="How to give its bytes; utf-8 for json and csv only."
    )

    def run(self, archive: Archive) -> Outcome:
        if self.encoding == "utf-8" and self.format == "xlsx":
            raise BadRequestError("xlsx is no text; leave encoding out, or ask for csv.")
        exported = archive.export(self.documentId, self.format, max_inline=MAX_INLINE_EXPORT)
        head = {
            "documentId": self.documentId,
            "format": self.format,
            "fileName": exported.file_name,
            "mediaType": exported.media_type,
        }
        if isinstance(exported, ExportLink):
            return _linked(head, exported)
        data = exported.body.decode() if self.encoding == "utf-8" else _base64(exported.body)
        return Outcome(head | {"encoding": self.encoding, "data": data})

    @classmethod
    def result(cls) -> type[BaseModel]:
        return ExportResult


class GetPageText(Tool):
    """Read a page."""

    name = "get_page_text"
    title = "Get the text of a page"
    description = (
        "Get the lines of one page in reading order, each with its box as shares of the page's width and "
        "height from the top left corner. Use it to read around a value, or for what no field holds. Ask for "
        "words only if you need the place or the confidence of single words: the result is many times "
        "larger. Recognised text (track vision) can hold misread letters; get_page_image shows the page "
        "itself."
    )
    scope = Scope.MCP_READ

    documentId: DocumentId
    page: PageNumber = 1
    track: Literal["text", "vision"] | None = Field(
        default=None,
        description="Who is to have read it: the file's own text, or recognition on the page image. Leave "
        "it out for whoever read most.",
    )
    words: StrictBool = Field(default=False, description="Whether each line comes with its words.")
    cursor: Cursor = None
    limit: StrictInt = Field(default=200, ge=1, le=500, description="At most this many lines.")

    def run(self, archive: Archive) -> Outcome:
        return Outcome(
            archive.page_text(
                self.documentId,
                self.page,
                track=self.track,
                words=self.words,
                cursor=self.cursor,
                limit=self.limit,
            )
        )

    @classmethod
    def result(cls) -> type[BaseModel]:
        from alma.api.views import PageTextView

        return PageTextView


class PageImageResult(_Link):
    """What an image shows; the image itself is beside this."""

    documentId: int
    page: int
    mediaType: str
    width: int = Field(description="Pixels of the image beside this.")
    height: int
    shown: BoxView = Field(description="What of the page it shows.")


class GetPageImage(Tool):
    """See a page."""

    name = "get_page_image"
    title = "Get the image of a page"
    description = (
        "See one page, as displayed, or with bbox a part of it with a little around it: give the bbox of a "
        "value's evidence to look at what it was cut from. Use it to check a value against the paper, or for "
        "what text does not tell: tables, stamps, signatures, handwriting. Boxes of values and lines are "
        "shares of the page's width and height from the top left corner; shown is the part that you see. A "
        "large page comes scaled down, with a url of the full image for people: ask for a bbox to see "
        "details."
    )
    scope = Scope.MCP_READ

    documentId: DocumentId
    page: PageNumber = 1
    bbox: BoxBody | None = Field(default=None, description="The part to look at; the whole page without it.")

    def run(self, archive: Archive) -> Outcome:
        part = None if self.bbox is None else self.bbox.box()
        image = archive.page_image(self.documentId, self.page, part=part, max_bytes=MAX_IMAGE)
        shown = {
            "documentId": self.documentId,
            "page": self.page,
            "mediaType": image.media_type,
            "width": image.width,
            "height": image.height,
            "shown": image.shown.to_dict(),
        }
        seen = {"type": "image", "data": _base64(image.body), "mimeType": image.media_type}
        return Outcome(shown, [seen]) if image.original is None else _linked(shown, image.original, seen)

    @classmethod
    def result(cls) -> type[BaseModel]:
        return PageImageResult


class ListSchemas(Tool):
    """See which document types there are."""

    name = "list_schemas"
    title = "List document types"
    description = (
        "List the document types that the archive knows, with what each is and the keys of the fields that "
        "are read from it. Use it to learn what docType and field keys mean before you filter or answer; "
        "line_items.amount is a column of a table. The list is complete."
    )
    scope = Scope.MCP_READ

    def run(self, archive: Archive) -> Outcome:
        return Outcome(archive.schemas())

    @classmethod
    def result(cls) -> type[BaseModel]:
        from alma.api.views import SchemaList

        return SchemaList


class ListModels(Tool):
    """See which models the organisation has."""

    name = "list_models"
    title = "List models"
    description = (
        "List the models that were tuned on this organisation's verified fields, with their status and the "
        "number of examples behind each. Only a model with status ready can read documents; alma's own "
        "model, which reads them otherwise, is not in the list. The list is complete."
    )
    scope = Scope.MCP_READ

    def run(self, archive: Archive) -> Outcome:
        return Outcome(archive.models())

    @classmethod
    def result(cls) -> type[BaseModel]:
        from alma.api.views import ModelList

        return ModelList


class ReviewQueue(Tool):
    """See what waits for a person."""

    name = "review_queue"
    title = "List fields that wait for review"
    description = (
        "List the fields that wait for a person, the most urgent first: escalated ones, then unreviewed ones "
        "by confidence, unknown before low before high. Each comes with its document, id, version, value, "
        "confidence, status, the reasons why it waits, evidence and what each track reads. Use it to find "
        "values worth checking against the page (get_page_text, get_page_image); id and version are what "
        "propose_correction takes. A page may be empty and have a nextCursor: call again with it as cursor "
        "and the same filters."
    )
    scope = Scope.MCP_READ

    docType: OfType = None
    field: Annotated[
        StrictStr | None, Field(max_length=129, description="Only fields of this key, such as total.")
    ] = None
    maxConfidence: Share | None = Field(
        default=None, description="Only fields at most this sure, and those of unknown confidence."
    )
    status: Literal["escalated", "unreviewed"] | None = Field(
        default=None, description="Only fields of this status."
    )
    limit: StrictInt = Field(default=20, ge=1, le=100, description="At most this many fields.")
    cursor: Cursor = None

    def run(self, archive: Archive) -> Outcome:
        found = archive.review_queue(
            doc_type=self.docType,
            key=self.field,
            max_confidence=self.maxConfidence,
            status=self.status,
            cursor=self.cursor,
            limit=self.limit,
        )
        return _of_a_known_type(archive, self.docType, found, "items")

    @classmethod
    def result(cls) -> type[BaseModel]:
        from alma.api import views

        return views.ReviewQueue


class DigitizeWithModel(Tool):
    """Have a document read by a model."""

    name = "digitize_with_model"
    title = "Read a document with a model"
    description = (
        "Have one of the organisation's own models (list_models, status ready) read a document of the type "
        "it was trained on, and get the fields as it reads them. Its readings are kept beside those of the "
        "other tracks, where people see them; what people decided stays and is shown as they decided it. "
        "Calling it again gives the same. Use it if a document of such a type was read poorly."
    )
    scope = Scope.MCP_WRITE
    uses = frozenset({Scope.MODELS_READ})
    family = RateLimitClass.MODELS

    modelId: StrictStr = Field(
        min_length=1, max_length=128, description="id of the model, as list_models gives it."
    )
    documentId: DocumentId

    def run(self, archive: Archive) -> Outcome:
        return Outcome(archive.digitize(self.modelId, self.documentId))

    @classmethod
    def result(cls) -> type[BaseModel]:
        return DocumentView


_Said = Annotated[StrictStr, AfterValidator(reject_control_characters)]


class ProposeCorrection(Tool):
    """Propose what a field is."""

    name = "propose_correction"
    title = "Propose a correction"
    description = (
        "Propose what a field of a document is, for a person to decide: the place it stands at (evidence, "
        "with a box from get_page_text), and the value, which is read there if you leave it out. It never "
        "accepts anything: the field becomes escalated and keeps its value, and your proposal stands beside "
        "it with your comment. Give field and version as review_queue, or get_document_fields with tracks, "
        "has them; for a field that was not found and is not listed, key (list_schemas) instead. Dates as "
        "2026-05-14, amounts as 1234.50. Refused if a person has decided the field, or if it has changed "
        "since (stale_version: look at current, and propose again if it still holds). Your next proposal for "
        "a field replaces the one before. What stands nowhere in the document cannot be proposed: tell the "
        "user instead, as you do where a field has a value and should have none."
    )
    scope = Scope.MCP_WRITE
    idempotent = False

    documentId: DocumentId
    field: StrictStr | None = Field(
        default=None, max_length=200, description="id of the field, such as total or line_items[3].amount."
    )
    version: StrictInt | None = Field(
        default=None, ge=1, le=10**9, description="version of the field that you saw; needed with field."
    )
    key: StrictStr | None = Field(
        default=None,
        max_length=129,
        description="Instead of field and version: key of a field that was not found, GROUP.COLUMN for a "
        "column of a group.",
    )
    row: StrictInt | None = Field(
        default=None,
        ge=0,
        le=MAX_OCCURRENCES - 1,
        description="With the key of a column: row of the group, 0 for the first; a new row without it.",
    )
    value: Annotated[_Said, Field(max_length=4000)] | None = Field(
        default=None, description="What the field is; without it, what stands at the place."
    )
    evidence: EvidenceBody = Field(description="Where it stands.")
    comment: _Said = Field(
        max_length=2000,
        pattern=r"\S",
        description="Why, for the person who decides: what you compared, and where.",
    )

    def run(self, archive: Archive) -> Outcome:
        from alma.review.corrections import Place  # what parses values takes long to import
        from alma.review.decisions import Proposal

        place = Place(self.evidence.page, self.evidence.bbox.box())
        proposal = Proposal(self.comment, place, self.field, self.version, self.key, self.row, self.value)
        return Outcome(archive.propose(self.documentId, proposal))

    @classmethod
    def result(cls) -> type[BaseModel]:
        return FieldView


def _of_a_known_type(archive: Archive, doc_type: str | None, found: dict[str, Any], what: str) -> Outcome:
    """Return what was found of a type, or raise where nothing was because there is no such type."""
    if doc_type is not None and not found[what]:
        known = [each["docType"] for each in archive.schemas()["schemas"]]
        if doc_type not in known:
            raise BadRequestError(f"There is no document type of that name; those known: {', '.join(known)}.")
    return Outcome(found)


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def _linked(head: dict[str, Any], link: ExportLink, *content: dict[str, Any]) -> Outcome:
    """Return a file that is too large for a result: as a link in it, and as one that clients know."""
    return Outcome(
        head | {"url": link.url, "expiresIn": link.expires_in},
        [
            *content,
            {
                "type": "resource_link",
                "uri": link.url,
                "name": link.file_name,
                "mimeType": link.media_type,
            },
        ],
    )


#: In the order in which they are listed.
TOOLS: tuple[type[Tool], ...] = (
    ListDocuments,
    GetDocumentFields,
    ExportDocument,
    SearchDocuments,
    GetPageText,
    GetPageImage,
    ListSchemas,
    ListModels,
    ReviewQueue,
    DigitizeWithModel,
    ProposeCorrection,
)
