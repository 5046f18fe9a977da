"""The tools that one caller may use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope, listed
from alma.api.request_models import SENTENCE
from alma.errors import AlmaError
from alma.mcp.arguments import validated
from alma.mcp.tool import Tool, definition
from alma.text import validation_message

if TYPE_CHECKING:
    from alma.mcp.services import Services

#: Bytes of JSON of a result, the structured one and its text together: they travel as base64, within the 6 MB
#: that a Lambda function can answer.
MAX_RESULT = 4_400_000


class UnknownToolError(Exception):
    """There is no tool of that name."""


class ToolBox:
    """The tools over one organisation's services.

    Parameters
    ----------
    services : Services
        What the tools reach.
    scopes : set of Scope
        What the caller's key may be used for: other tools are not listed, and refused.
    admit : callable, optional
        Takes a token of a family's bucket, or raises RateLimitedError; without, every call is let in.
    tools : iterable of type, optional
        All tools there are.

    Attributes
    ----------
    called : dict
        Which tool was called last, on what document and why it could not do it, for the log.
    """

    def __init__(
        self,
        services: Services,
        scopes: Set[Scope],
        admit: Callable[[RateLimitClass], None] | None = None,
        tools: Iterable[type[Tool]] | None = None,
    ) -> None:
        self.called: dict[str, object] = {}
        self._admit = admit
        self._services = services
        self._scopes = scopes
        if tools is None:
            from alma.mcp.tools import TOOLS  # the protocol alone needs no storage

            tools = TOOLS
        self._tools = {tool.name: tool for tool in tools}

    def definitions(self) -> list[dict[str, Any]]:
        """Return the definitions for `tools/list`, always in the same order."""
        return [definition(tool) for tool in self._tools.values() if tool.scopes() <= self._scopes]

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the result of `tools/call`.

        What went wrong in a way that the model or its user can mend is a result with `isError`, with the
        error's code and sentence as JSON text; wrong arguments are (2025-11-25, Tools, "Error Handling").

        Raises
        ------
        UnknownToolError
            There is no such tool.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise UnknownToolError(name)
        self.called = {"tool": name}
        if lacking := listed(tool.scopes() - self._scopes):
            return self._failure(
                "forbidden",
                f"{name} needs a key with the scope {' and '.join(lacking)}; ask an administrator for one.",
            )
        try:
            call = validated(tool, arguments)
        except ValidationError as error:
            return self._failure("invalid_arguments", _what_is_wrong(error))
        if (document_id := getattr(call, "document_id", None)) is not None:
            self.called["document_id"] = document_id
        try:
            if tool.limited_as is not None and self._admit is not None:
                self._admit(tool.limited_as)
            outcome = call.run(self._services)
        except AlmaError as error:
            return self._failure(error.code, error.detail, error.more)
        text = json.dumps(outcome.structured, ensure_ascii=False)
        result = {
            "content": [{"type": "text", "text": text}, *outcome.content],
            "structuredContent": outcome.structured,
        }
        if len(json.dumps(result, ensure_ascii=False).encode(errors="backslashreplace")) > MAX_RESULT:
            return self._failure(
                "result_too_large", "That is too much for one answer; ask for less of it with limit."
            )
        return result

    def _failure(self, code: str, detail: str, more: Mapping[str, object] | None = None) -> dict[str, Any]:
        self.called["error"] = code
        text = json.dumps({"error": code, "detail": detail, **(more or {})}, ensure_ascii=False)
        return {"content": [{"type": "text", "text": text}], "isError": True}


def _what_is_wrong(error: ValidationError) -> str:
    wrong = error.errors(include_url=False, include_input=False, include_context=False)
    # The names come from the caller: a few of them, not a megabyte.
    return "; ".join(map(_told, wrong[:5]))


def _told(error: ErrorDetails) -> str:
    """Return what is wrong with an argument, or with all of them together, in words."""
    where, what = ".".join(map(str, error["loc"]))[:100], validation_message(error["msg"])
    # A sentence names the argument itself.
    return what if error["type"] == SENTENCE or not where else f"{where}: {what}"
