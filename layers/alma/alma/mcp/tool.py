"""What a tool is, and what it reaches.

A tool is a pydantic model of its arguments: `inputSchema`, validation and the call itself come from the same
class. What it reaches is an `Archive`: one organisation's documents, and nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import GenerateJsonSchema

from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope
from alma.presentation.exports import Exported, ExportLink

if TYPE_CHECKING:
    from alma.datamodel.geometry import Box
    from alma.presentation.page_images import PageImage
    from alma.review.decisions import Proposal


class Archive(Protocol):
    """One organisation's documents, as the caller's key may see them and write to them.

    Every method raises an `AlmaError` for what the caller can be told: NotFoundError for an absent document,
    ConflictError for one that is still being read, UnreadableFileError for one that could not be read.
    """

    def list_documents(
        self, *, cursor: str | None, limit: int, doc_type: str | None, status: str | None
    ) -> dict[str, Any]:
        """Return a `DocumentList` as JSON."""

    def search(self, text: str, *, cursor: str | None, limit: int, doc_type: str | None) -> dict[str, Any]:
        """Return a `SearchResult` as JSON."""

    def document(self, document_id: int, *, tracks: bool) -> dict[str, Any]:
        """Return the body of a document (`presentation.document`), with `tracks` all there is there is."""

    def export(self, document_id: int, format: str, *, max_inline: int) -> Exported | ExportLink:  # noqa: A002
        """Return a document as a file, or where to get it if it has more than `max_inline` bytes."""

    def page_text(
        self, document_id: int, page: int, *, track: str | None, words: bool, cursor: str | None, limit: int
    ) -> dict[str, Any]:
        """Return a `PageTextView` as JSON."""

    def page_image(self, document_id: int, page: int, *, part: Box | None, max_bytes: int) -> PageImage:
        """Return a page, or a part of it, as a picture of at most so many bytes."""

    def schemas(self) -> dict[str, Any]:
        """Return a `SchemaList` as JSON."""

    def models(self) -> dict[str, Any]:
        """Return a `ModelList` as JSON."""

    def review_queue(
        self,
        *,
        doc_type: str | None,
        key: str | None,
        max_confidence: float | None,
        status: str | None,
        cursor: str | None,
        limit: int,
    ) -> dict[str, Any]:
        """Return a `ReviewQueue` as JSON."""

    def propose(self, document_id: int, proposal: Proposal) -> dict[str, Any]:
        """Propose what a field is, for people to decide, and return it as JSON (`FieldView`)."""

    def digitize(self, model_id: str, document_id: int) -> dict[str, Any]:
        """Have a model read a document, and return the body of the document as it reads it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gives.

    Attributes
    ----------
    structured : dict
        As the tool's output schema says.
    content : sequence of dict
        What is not JSON: images and links, as content blocks of the protocol.
    """

    structured: dict[str, Any]
    content: Sequence[dict[str, Any]] = ()


class Tool(BaseModel):
    """A tool; its fields are its arguments."""

    model_config = ConfigDict(extra="forbid")

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    #: What a key needs to see and call it. Every tool says it: none is open by mistake.
    scope: ClassVar[Scope]
    #: What it needs beside, where it uses something that has a scope of its own.
    uses: ClassVar[frozenset[Scope]] = frozenset()
    #: Whose bucket it takes from, too, where the API limits the same more than messages to this endpoint.
    family: ClassVar[RateLimitClass | None] = None
    #: Whether it may take something away, and whether calling it twice is as calling it once. Both are told
    #: to clients as hints; nothing in alma relies on them.
    destructive: ClassVar[bool] = False
    idempotent: ClassVar[bool] = True

    @abstractmethod
    def run(self, archive: Archive) -> Outcome:
        """Do it."""

    @classmethod
    def scopes(cls) -> frozenset[Scope]:
        """Return all that a key needs to see and call it."""
        return cls.uses | {cls.scope}

    @classmethod
    @abstractmethod
    def result(cls) -> type[BaseModel]:
        """Return the model of the structured result; imported late where it stands above the storage."""


class _SchemaOfTool(GenerateJsonSchema):
    """JSON Schema without a title for every property, which only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@lru_cache
def definition(tool: type[Tool]) -> dict[str, Any]:
    """Return what `tools/list` says of a tool."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.model_json_schema(schema_generator=_SchemaOfTool),
        "outputSchema": tool.result().model_json_schema(mode="serialization", schema_generator=_SchemaOfTool),
        "annotations": {
            "title": tool.title,
            "readOnlyHint": tool.scope is Scope.MCP_READ,
            "destructiveHint": tool.destructive,
            "idempotentHint": tool.idempotent,
            "openWorldHint": False,
        },
    }
