"""What a tool is: a model of its arguments, from which `inputSchema`, validation and the call itself come.

What it reaches are the `Services` of one organisation, and nothing else. Where the HTTP API takes the same,
the tool's arguments are that model.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope
from alma.api.request_models import RequestModel
from alma.errors import BadRequestError

if TYPE_CHECKING:
    from alma.mcp.services import Services


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gives."""

    structured: dict[str, Any]
    """As the tool's output schema says."""
    content: Sequence[dict[str, Any]] = ()
    """What is not JSON: images and links, as content blocks of the protocol."""


class Tool(RequestModel):
    """A tool; its fields are its arguments."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    #: What a key needs to see and call it. Every tool says it: none is open by mistake.
    scope: ClassVar[Scope]
    #: What it needs beside, where it uses something that has a scope of its own.
    uses: ClassVar[frozenset[Scope]] = frozenset()
    #: Whose bucket it takes from, too, where the API limits the same more than messages to this endpoint.
    limited_as: ClassVar[RateLimitClass | None] = None
    #: Whether it may take something away, and whether calling it twice is as calling it once. Both are told
    #: to clients as hints; nothing in alma relies on them.
    destructive: ClassVar[bool] = False
    idempotent: ClassVar[bool] = True

    @abstractmethod
    def run(self, services: Services) -> Outcome:
        """Call it; raises an `AlmaError` for what the caller can be told."""

    @classmethod
    def scopes(cls) -> frozenset[Scope]:
        """Return all that a key needs to see and call it."""
        return cls.uses | {cls.scope}

    @classmethod
    @abstractmethod
    def result(cls) -> type[BaseModel]:
        """Return the model of the structured result, from which `outputSchema` comes."""


def check_known_type(services: Services, doc_type: str | None) -> None:
    """Check that a type that nothing was found of exists.

    Raises
    ------
    BadRequestError
        There is no such document type.
    """
    if doc_type is not None:
        known = [each.schema.doc_type for each in services.document_types()]
        if doc_type not in known:
            raise BadRequestError(f"There is no document type of that name; those known: {', '.join(known)}.")


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
