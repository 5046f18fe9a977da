"""The tools an agent can call, each written once.

A tool is a pydantic model of its arguments: `inputSchema`, validation and the call itself come from the same
class. What a tool reaches is an `Archive`: one organisation's documents, and nothing else.
"""

from __future__ import annotations

import base64
import json
from abc import abstractmethod
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from alma.errors import AlmaError
from alma.exports import Exported, ExportLink
from alma.projection import DocumentView

#: Bytes of JSON in a result. It goes out twice (structured and as text, where its quotes are escaped) and may
#: then travel as base64, all within the 6 MB that a Lambda function can answer.
MAX_RESULT = 1_800_000
#: An export up to this many bytes is part of the result, a larger one is a link.
MAX_INLINE_EXPORT = 1_000_000


class Archive(Protocol):
    """One organisation's documents, as the caller's key may see them.

    Every method raises an `AlmaError` for what the caller can be told: NotFoundError for an absent document,
    ConflictError for one that is still being read, UnreadableFileError for one that could not be read.
    """

    def list_documents(
        self, *, cursor: str | None, limit: int, doc_type: str | None, status: str | None
    ) -> dict[str, Any]:
        """Return `{"documents": [...], "nextCursor": ...}`, newest first."""

    def document(self, document_id: int) -> dict[str, Any]:
        """Return the body of a document (`alma.projection`)."""

    def export(self, document_id: int, format: str, *, max_inline: int) -> Exported | ExportLink:  # noqa: A002
        """Return a document as a file, or where to get it if it has more than `max_inline` bytes."""


class UnknownToolError(Exception):
    """There is no tool of that name."""


class InvalidArgumentsError(Exception):
    """The arguments do not fit the tool's schema; the message says which and why."""


class Tool(BaseModel):
    """A tool; its fields are its arguments."""

    model_config = ConfigDict(extra="forbid")

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]

    @abstractmethod
    def run(self, archive: Archive) -> dict[str, Any]:
        """Return the structured result."""

    @classmethod
    @abstractmethod
    def result(cls) -> type[BaseModel]:
        """Return the model of the structured result."""


DocumentId = Annotated[
    StrictInt, Field(ge=1, lt=10**12, description="Number of the document, as list_documents gives it.")
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

    cursor: StrictStr | None = Field(default=None, description="nextCursor of the result before.")
    limit: StrictInt = Field(default=50, ge=1, le=200, description="At most this many documents.")
    docType: StrictStr | None = Field(
        default=None, description="Only documents of this type, such as invoice or deed_of_conveyance."
    )
    status: Literal["processing", "ready", "failed"] | None = Field(
        default=None, description="Only documents in this reading status."
    )

    def run(self, archive: Archive) -> dict[str, Any]:
        return archive.list_documents(
            cursor=self.cursor, limit=self.limit, doc_type=self.docType, status=self.status
        )

    @classmethod
    def result(cls) -> type[BaseModel]:
        # Stands above the storage; only tools/list needs it.
        from alma.views import DocumentList

        return DocumentList


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

    def run(self, archive: Archive) -> dict[str, Any]:
        return archive.document(self.documentId)

    @classmethod
    def result(cls) -> type[BaseModel]:
        return DocumentView


class ExportResult(BaseModel):
    """A document as a file: its content, or a link to it if it is large."""

    documentId: int
    format: str
    fileName: str
    mediaType: str
    encoding: Literal["utf-8", "base64"] | None = Field(
        default=None, description="How data stands for the file's bytes; absent with url."
    )
    data: str | None = Field(default=None, description="The file's content; absent with url.")
    url: str | None = Field(
        default=None, description="Where to download the file (plain GET, no key); only given if it is large."
    )
    expiresIn: int | None = Field(default=None, description="Seconds the url holds.")


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

    def run(self, archive: Archive) -> dict[str, Any]:
        exported = archive.export(self.documentId, self.format, max_inline=MAX_INLINE_EXPORT)
        head = {
            "documentId": self.documentId,
            "format": self.format,
            "fileName": exported.file_name,
            "mediaType": exported.media_type,
        }
        if isinstance(exported, ExportLink):
            return head | {"url": exported.url, "expiresIn": exported.expires_in}
        if self.format == "xlsx":
            return head | {"encoding": "base64", "data": base64.b64encode(exported.body).decode()}
        return head | {"encoding": "utf-8", "data": exported.body.decode()}

    @classmethod
    def result(cls) -> type[BaseModel]:
        return ExportResult


TOOLS: dict[str, type[Tool]] = {
    tool.name: tool for tool in (ListDocuments, GetDocumentFields, ExportDocument)
}


class ToolBox:
    """The tools over one archive.

    Parameters
    ----------
    archive : Archive
        What the tools reach.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def definitions(self) -> list[dict[str, Any]]:
        """Return the definitions for `tools/list`."""
        return [definition(tool) for tool in TOOLS.values()]

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the result of `tools/call`.

        What went wrong in a way that the model can mend is a result with `isError`, with the error's slug and
        sentence as JSON text.

        Raises
        ------
        UnknownToolError, InvalidArgumentsError
            The call itself is wrong.
        """
        tool = TOOLS.get(name)
        if tool is None:
            raise UnknownToolError(name)
        try:
            call = tool.model_validate(arguments)
        except ValidationError as error:
            raise InvalidArgumentsError(_what_is_wrong(error)) from None
        try:
            result = call.run(self._archive)
        except AlmaError as error:
            return _failure(error.slug, error.detail)
        text = json.dumps(result, ensure_ascii=False)
        if len(text.encode(errors="backslashreplace")) > MAX_RESULT:
            return _failure(
                "result_too_large",
                "That is too much for one answer; ask for less, or use export_document, which gives a link.",
            )
        return {"content": [{"type": "text", "text": text}], "structuredContent": result}


def _failure(slug: str, detail: str) -> dict[str, Any]:
    text = json.dumps({"error": slug, "detail": detail}, ensure_ascii=False)
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _what_is_wrong(error: ValidationError) -> str:
    wrong = error.errors(include_url=False, include_input=False, include_context=False)
    # The names come from the caller: a few of them, not a megabyte.
    return "; ".join(f"{'.'.join(map(str, one['loc']))[:100]}: {one['msg']}" for one in wrong[:5])


class _SchemaOfTool(GenerateJsonSchema):
    """JSON Schema without a title for every property, which only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@lru_cache
def definition(tool: type[Tool]) -> dict[str, Any]:
    """Return what `tools/list` says of a tool.

    The annotations are hints to the client (2025-06-18, `ToolAnnotations`); nothing in alma relies on them.
    """
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.model_json_schema(schema_generator=_SchemaOfTool),
        "outputSchema": tool.result().model_json_schema(mode="serialization", schema_generator=_SchemaOfTool),
        "annotations": {
            "title": tool.title,
            "readOnlyHint": True,
            "openWorldHint": False,
        },
    }
