"""A request and a response as the handlers see them, free of the gateway's spelling."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from alma.access import scopes as access_scopes
from alma.access.authentication import Caller
from alma.access.scopes import Role, Scope
from alma.errors import BadRequestError, UnauthorizedError

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Request:
    """A request after the gateway has routed and authorized it.

    Attributes
    ----------
    method, resource : str
        `GET`, `/v1/documents/{id}`: what the gateway matched.
    path, query : mapping
        Path parameters and (last) query parameters, decoded.
    headers : mapping
        By lower-case name; the lines of a header that came more than once are one, with commas.
    body : bytes
        Decoded.
    request_id : str
        The gateway's id of the request.
    domain : str or None
        The name the API is deployed under.
    address : str
        Where it comes from, as the gateway sees it: no header can say otherwise.
    caller : Caller or None
        Who it comes from; None on public routes.
    deadline : float
        When the answer has to be there, as `time.monotonic` counts.
    named : dict
        What it turned out to name (`document_id`, `tool`, …), for the log; grows while it is served.
    """

    method: str
    resource: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    domain: str | None
    address: str
    caller: Caller | None
    deadline: float
    named: dict[str, object] = field(default_factory=dict)

    @classmethod
    def from_event(cls, event: Mapping[str, Any], seconds: float) -> Request:
        """Return the request of a REST API (v1) proxy event, to be answered within so many seconds."""
        context = event.get("requestContext") or {}
        authorizer = context.get("authorizer") or {}
        body = event.get("body") or ""
        headers: Mapping[str, list[str]] | None = event.get("multiValueHeaders")
        return cls(
            method=event["httpMethod"],
            resource=event["resource"],
            path=event.get("pathParameters") or {},
            query=event.get("queryStringParameters") or {},
            headers={name.lower(): ", ".join(lines) for name, lines in (headers or {}).items()},
            body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode(),
            request_id=context.get("requestId", ""),
            domain=context.get("domainName"),
            address=(context.get("identity") or {}).get("sourceIp") or "",
            caller=_caller(authorizer) if authorizer.get("organisation") else None,
            deadline=time.monotonic() + seconds,
        )

    @property
    def organisation(self) -> str:
        """Whose data this request may see.

        Raises
        ------
        UnauthorizedError
            No key came with it.
        """
        return self._known_caller().organisation

    @property
    def key_id(self) -> str:
        """With which key this request was made.

        Raises
        ------
        UnauthorizedError
            No key came with it.
        """
        return self._known_caller().key_id

    def _known_caller(self) -> Caller:
        if self.caller is None:
            raise UnauthorizedError("Send a key: Authorization: Bearer alma_… or X-API-Key: alma_…")
        return self.caller

    @property
    def scopes(self) -> frozenset[Scope]:
        """What its key may be used for."""
        return frozenset() if self.caller is None else self.caller.scopes

    def json(self, model: type[_M]) -> _M:
        """Return the body as `model`.

        Raises
        ------
        BadRequestError
            It is not JSON, or not of that shape; the sentence names the first thing wrong.
        """
        try:
            found = model.model_validate_json(self.body or b"{}")
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            what = first["msg"].removeprefix("Value error, ")
            raise BadRequestError(
                f"The body is not what this route takes: {f'{where}: ' if where else ''}{what}."
            ) from None
        if isinstance(document_id := getattr(found, "documentId", None), int):
            self.named["document_id"] = document_id
        return found

    def limit(self, most: int) -> int:
        """Return the query parameter `limit`, 50 without it; who lists checks that it is 1 at least.

        Raises
        ------
        BadRequestError
            It is not a whole number up to `most`.
        """
        raw = self.query.get("limit", "50")
        if not (raw.isascii() and raw.isdigit()) or len(raw) > 6 or int(raw) > most:
            raise BadRequestError(f"limit is a whole number from 1 to {most}.")
        return int(raw)

    def document_id(self, name: str) -> int:
        """Return the path parameter `name` as a document id.

        Raises
        ------
        BadRequestError
            It is not a positive whole number.
        """
        raw = self.path.get(name, "")
        if not (raw.isascii() and raw.isdigit()) or len(raw) > 12 or int(raw) < 1:
            raise BadRequestError("A documentId is a positive whole number, such as 4012.")
        self.named["document_id"] = int(raw)
        return int(raw)


def _caller(authorizer: Mapping[str, Any]) -> Caller:
    role = Role(authorizer["role"])
    # An authorizer of a version before scopes and users, while a new one is deployed, sends neither.
    given = authorizer.get("scopes")
    allowed = access_scopes.parse(None if given is None else given.split(), role)
    key_id = authorizer["key_id"]
    # `user` is the id of the root key: its name on the wire stays, for the same reason.
    return Caller(authorizer["organisation"], key_id, authorizer.get("user") or key_id, role, allowed)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer before it is spelled for the gateway."""

    status: int
    body: bytes | str | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def elsewhere(cls, url: str) -> Response:
        """Return the redirect to what is too large for an answer; followed with a plain GET."""
        return cls(303, headers={"Location": url})

    def with_headers(self, headers: Mapping[str, str]) -> Response:
        """Return the answer with further headers."""
        return replace(self, headers={**self.headers, **headers})

    def to_event(self) -> dict[str, Any]:
        """Return the REST API (v1) proxy form; bytes travel as base64."""
        headers = dict(self.headers)
        match self.body:
            case None:
                text, encoded = "", False
            case bytes():
                text, encoded = base64.b64encode(self.body).decode(), True
            case str():
                text, encoded = self.body, False
            case _:
                headers.setdefault("Content-Type", "application/json")
                text, encoded = json.dumps(self.body, ensure_ascii=False), False
        return {
            "statusCode": self.status,
            "headers": headers,
            "body": text,
            "isBase64Encoded": encoded,
        }
