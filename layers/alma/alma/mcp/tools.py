"""The tools an agent can call, each written once."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr

from alma.exports import ExportLink
from alma.mcp.tool import Archive, Outcome, Tool
from alma.projection import DocumentView

#: An export up to this many bytes is part of the result, a larger one is a link.
MAX_INLINE_EXPORT = 1_000_000
#: The same for a page image, which is 1 MB as base64.
MAX_INLINE_IMAGE = 750_000

DocumentId = Annotated[
    StrictInt, Field(ge=1, lt=10**12, description="Number of the document, as list_documents gives it.")
]
Page = Annotated[StrictInt, Field(ge=1, le=100_000, description="1-based page of the document.")]
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

    cursor: Cursor = None
    limit: StrictInt = Field(default=50, ge=1, le=200, description="At most this many documents.")
    docType: OfType = None
    status: Literal["processing", "ready", "failed"] | None = Field(
        default=None, description="Only documents in this reading status."
    )

    def run(self, archive: Archive) -> Outcome:
        return Outcome(
            archive.list_documents(
                cursor=self.cursor, limit=self.limit, doc_type=self.docType, status=self.status
            )
        )

    @classmethod
    def result(cls) -> type[BaseModel]:
        from alma.views import DocumentList

        return DocumentList


class SearchDocuments(Tool):
    """Find text in documents."""

    name = "search_documents"
    title = "Search documents"
    description = (
        "Find a word or phrase in the field values and on the pages of documents, newest first; each place "
        "comes with its page and box. There is no index: one call looks at the newest 50 documents or 200 "
        "pages, so a result without documents means not found there. While nextCursor is not null, call "
        "again with it as cursor to look at older ones. Capitals, accents and line breaks do not matter; "
        "several words are one phrase, so search for one telling word rather than a sentence. Pages may be "
        "misread: try another word of the same thing before you say that it is not there."
    )

    text: StrictStr = Field(min_length=2, max_length=200, description="The word or phrase.")
    cursor: Cursor = None
    limit: StrictInt = Field(default=10, ge=1, le=50, description="At most this many documents.")
    docType: OfType = None

    def run(self, archive: Archive) -> Outcome:
        return Outcome(archive.search(self.text, cursor=self.cursor, limit=self.limit, doc_type=self.docType))

    @classmethod
    def result(cls) -> type[BaseModel]:
        from alma.views import SearchResult

        return SearchResult


class GetDocumentFields(Tool):
    """Read a document's fields."""

    name = "get_document_fields"
    title = "Get a document's fields"
    description = (
        "Get the structured fields of one document. Each has the best available value, confidence (the "
        "probability that it is right, null if unknown), review status and evidence: the page and the box "
        "that the value stands in, as shares of the page's width and height from its top left corner. Cite "
        "page and box with the value. Trust accepted and edited values; say so when one is escalated or "
        "rejected."
    )

    documentId: DocumentId

    def run(self, archive: Archive) -> Outcome:
        return Outcome(archive.document(self.documentId))

    @classmethod
    def result(cls) -> type[BaseModel]:
        return DocumentView


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
        "for each field, rejected ones left out). json and csv come as text, xlsx as base64; a large file "
        "comes as a url instead. To read values yourself, use get_document_fields."
    )

    documentId: DocumentId
    format: Literal["json", "csv", "xlsx"] = Field(default="json", description="What the file is.")

    def run(self, archive: Archive) -> Outcome:
        exported = archive.export(self.documentId, self.format, max_inline=MAX_INLINE_EXPORT)
        head = {
            "documentId": self.documentId,
            "format": self.format,
            "fileName": exported.file_name,
            "mediaType": exported.media_type,
        }
        if isinstance(exported, ExportLink):
            return _linked(head, exported)
        if self.format == "xlsx":
            return Outcome(head | {"encoding": "base64", "data": _base64(exported.body)})
        return Outcome(head | {"encoding": "utf-8", "data": exported.body.decode()})

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

    documentId: DocumentId
    page: Page = 1
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
        from alma.views import PageTextView

        return PageTextView


class PageImageResult(_Link):
    """Which page an image shows; the image itself is beside this, or behind the link if it is large."""

    documentId: int
    page: int
    mediaType: str


class GetPageImage(Tool):
    """See a page."""

    name = "get_page_image"
    title = "Get the image of a page"
    description = (
        "Get one page as an image (PNG), as displayed: the boxes of values and lines are shares of its width "
        "and height from the top left corner. Use it to check a value against the paper, or for what text "
        "does not tell: tables, stamps, signatures, handwriting. An image of more than 750 kB comes as a "
        "url instead."
    )

    documentId: DocumentId
    page: Page = 1

    def run(self, archive: Archive) -> Outcome:
        image = archive.page_image(self.documentId, self.page, max_inline=MAX_INLINE_IMAGE)
        head = {"documentId": self.documentId, "page": self.page, "mediaType": image.media_type}
        if isinstance(image, ExportLink):
            return _linked(head, image)
        return Outcome(head, [{"type": "image", "data": _base64(image.body), "mimeType": image.media_type}])

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

    def run(self, archive: Archive) -> Outcome:
        return Outcome(archive.schemas())

    @classmethod
    def result(cls) -> type[BaseModel]:
        from alma.views import SchemaList

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

    def run(self, archive: Archive) -> Outcome:
        return Outcome(archive.models())

    @classmethod
    def result(cls) -> type[BaseModel]:
        from alma.views import ModelList

        return ModelList


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def _linked(head: dict[str, Any], link: ExportLink) -> Outcome:
    """Return a file that is too large for a result: as a link in it, and as one that clients know."""
    return Outcome(
        head | {"url": link.url, "expiresIn": link.expires_in},
        [
            {
                "type": "resource_link",
                "uri": link.url,
                "name": link.file_name,
                "mimeType": link.media_type,
            }
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
)
