"""Tools about documents: find, read, see and export them."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, Field, StrictBool, StrictInt

from alma import pagination
from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope
from alma.api.documents import (
    DocumentFilter,
    DocumentList,
    SearchFilter,
    SearchResult,
)
from alma.api.geometry import BoxInput
from alma.api.pages import PageOfDocument, PageTextView
from alma.api.request_models import Cursor, DocumentId
from alma.datamodel.pages import Track
from alma.errors import BadRequestError
from alma.mcp.services import Services
from alma.mcp.tool import Outcome, Tool, check_known_type
from alma.presentation.document import BoxView, DocumentView, project
from alma.presentation.files import FileLink
from alma.presentation.view import View

#: An export up to this many bytes is part of the result, a larger one is a link.
MAX_INLINE_EXPORT = 1_000_000
#: A picture of a page has at most this many bytes, which is 1 MB as base64.
MAX_IMAGE = 750_000


class ListDocuments(DocumentFilter, Tool):
    """Browse documents."""

    name = "list_documents"
    title = "List documents"
    description = (
        "List the documents of the archive, newest first, with type and reading status. Use it to find the "
        "documentId that the other tools take: by the file's name, when it arrived, what is left to review. "
        "If nextCursor is not null there are more, even where a page is short or empty: call again with it "
        "as cursor and the same filters. Only documents with status ready have fields."
    )
    scope = Scope.MCP_READ

    def run(self, services: Services) -> Outcome:
        found = services.documents.list_documents(self.criteria, cursor=self.cursor, limit=self.limit)
        if not found.documents:
            check_known_type(services, self.doc_type)
        return Outcome(DocumentList.of(found).to_json())

    @classmethod
    def result(cls) -> type[BaseModel]:
        return DocumentList


class SearchDocuments(SearchFilter, Tool):
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

    def run(self, services: Services) -> Outcome:
        found = services.documents.search(
            self.text, cursor=self.cursor, limit=self.limit, doc_type=self.doc_type
        )
        if not found.hits:
            check_known_type(services, self.doc_type)
        return Outcome(SearchResult.of(found).to_json())

    @classmethod
    def result(cls) -> type[BaseModel]:
        return SearchResult


class DocumentFields(DocumentView):
    """A document with its fields, or some of them."""

    next_cursor: str | None = Field(
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

    document_id: DocumentId
    tracks: StrictBool = Field(
        default=False,
        description="Whether each field comes with its id and version, why it waits, and what each track "
        "reads.",
    )
    cursor: Cursor = None
    limit: StrictInt = Field(default=500, ge=1, le=1000, description="At most this many fields.")

    def run(self, services: Services) -> Outcome:
        start = pagination.offset(self.cursor, "fields")
        content = services.documents.content(self.document_id, missing=self.tracks)
        end = start + self.limit
        more = {"nextCursor": str(end)} if end < len(content.fields) else {}
        part = replace(content, fields=content.fields[start:end])
        return Outcome(project(part, tracks=self.tracks) | more)

    @classmethod
    def result(cls) -> type[BaseModel]:
        return DocumentFields


class _Link(View):
    """Where a file is that is too large for a result."""

    url: str | None = Field(
        default=None, description="Where to download the file (plain GET, no key); only given if it is large."
    )
    expires_in: int | None = Field(default=None, description="Seconds the url holds.")


class ExportResult(_Link):
    """A document as a file: its content, or a link to it if it is large."""

    document_id: int
    format: str
    file_name: str
    media_type: str
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
    limited_as = RateLimitClass.EXPORT

    document_id: DocumentId
    format: Literal["json", "csv", "xlsx"] = Field(default="json", description="What the file is.")
    encoding: Literal["base64", "utf-8"] = Field(
        default="base64", description="How to give its bytes; utf-8 for json and csv only."
    )

    def run(self, services: Services) -> Outcome:
        if self.encoding == "utf-8" and self.format == "xlsx":
            raise BadRequestError("xlsx is no text; leave encoding out, or ask for csv.")
        file = services.documents.export(self.document_id, self.format)
        head = {
            "documentId": self.document_id,
            "format": self.format,
            "fileName": file.file_name,
            "mediaType": file.media_type,
        }
        if len(file.body) > MAX_INLINE_EXPORT:
            return _linked(head, services.documents.publish(self.document_id, file))
        data = file.body.decode() if self.encoding == "utf-8" else _base64(file.body)
        return Outcome(head | {"encoding": self.encoding, "data": data})

    @classmethod
    def result(cls) -> type[BaseModel]:
        return ExportResult


class GetPageText(PageOfDocument, Tool):
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

    track: Literal["text", "vision"] | None = Field(
        default=None,
        description="Who is to have read it: the file's own text, or recognition on the page image. Leave "
        "it out for whoever read most.",
    )
    words: StrictBool = Field(default=False, description="Whether each line comes with its words.")
    cursor: Cursor = None
    limit: StrictInt = Field(default=200, ge=1, le=500, description="At most this many lines.")

    def run(self, services: Services) -> Outcome:
        start = pagination.offset(self.cursor, "lines")
        track = None if self.track is None else Track(self.track)
        page = services.documents.page_lines(self.document_id, self.page, track=track)
        view = PageTextView.of(page, start=start, limit=self.limit, with_words=self.words)
        return Outcome(view.to_json())

    @classmethod
    def result(cls) -> type[BaseModel]:
        return PageTextView


class PageImageResult(_Link):
    """What an image shows; the image itself is beside this."""

    document_id: int
    page: int
    media_type: str
    width: int = Field(description="Pixels of the image beside this.")
    height: int
    shown: BoxView = Field(description="What of the page it shows.")


class GetPageImage(PageOfDocument, Tool):
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

    bbox: BoxInput | None = Field(default=None, description="The part to look at; the whole page without it.")

    def run(self, services: Services) -> Outcome:
        part = None if self.bbox is None else self.bbox.box()
        image = services.documents.page_image(self.document_id, self.page, part=part, max_bytes=MAX_IMAGE)
        shown = {
            "documentId": self.document_id,
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


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def _linked(head: dict[str, Any], link: FileLink, *content: dict[str, Any]) -> Outcome:
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
