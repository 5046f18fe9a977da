"""An operation of the API: one row of the route table, with the models of all it takes and answers."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope
from alma.api.request_models import Nothing

#: Instead of a scope: nobody needs a key.
PUBLIC = None
#: Model of a JSON body, media types of another, or None for no body.
Answer = type[BaseModel] | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Route:
    """A route, who may use it, and what it takes and answers."""

    method: str
    resource: str
    """As the gateway names it: `/v1/documents/{id}`."""
    function: str
    """Folder below functions/ that serves it."""
    operation: str
    """Its name in the code and in OpenAPI."""
    summary: str
    """One line for the reader of the API's description."""
    scope: Scope | None
    """What a key needs; None for a route without authentication."""
    answers: dict[int, Answer]
    """What may come back, by status."""
    path: type[BaseModel] = Nothing
    query: type[BaseModel] | None = Nothing
    """None for query parameters that are not looked at."""
    body: type[BaseModel] | None = None
    """None for a request whose body, if any, is not looked at."""
    takes_file: bool = False
    """The body may also be a form, with a part `file` for its `fileName`."""
    limited_as: RateLimitClass | None = None
    """The bucket it shares, where scope and method do not tell."""
    shown_once: str | None = None
    """Member of its answer that is a secret: it is kept for no repeat."""
    makes: str | None = None
    """Member of its answer that names the document or the model it makes: what is kept goes with that."""

    @property
    def takes_idempotency_key(self) -> bool:
        """A repeat of it can say that it is one; the agents' messages have no such header."""
        return self.method == "POST" and self.scope not in (Scope.MCP_READ, Scope.MCP_WRITE)

    @property
    def conditional(self) -> bool:
        """Its answers have an `ETag`, and may be 304: it names that among them."""
        return 304 in self.answers

    @property
    def rate_limit_class(self) -> RateLimitClass:
        """The bucket that its requests share."""
        if self.limited_as is not None:
            return self.limited_as
        if self.scope is Scope.EXPORT_READ:
            return RateLimitClass.EXPORT
        if self.scope in (Scope.MCP_READ, Scope.MCP_WRITE):
            return RateLimitClass.MCP
        return RateLimitClass.READING if self.method == "GET" else RateLimitClass.WRITING
