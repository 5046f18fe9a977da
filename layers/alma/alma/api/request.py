"""A request and a response as the handlers see them, free of the gateway's spelling."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from alma.access import scopes
from alma.access.authentication import Caller
from alma.access.scopes import Role, Scope
from alma.errors import UnauthorizedError
from alma.presentation.view import View

PathT = TypeVar("PathT", covariant=True)
QueryT = TypeVar("QueryT", covariant=True)
BodyT = TypeVar("BodyT", covariant=True)


class LogFields:
    """What a request turned out to be about (`document_id`, `tool`, …): gathered while it is served."""

    def __init__(self) -> None:
        self._fields: dict[str, object] = {}

    def add(self, **fields: object) -> None:
        """Add fields to the log line of the answer."""
        self._fields.update(fields)

    def to_dict(self) -> dict[str, object]:
        """Return all fields."""
        return dict(self._fields)


@dataclass(frozen=True, slots=True)
class Request:
    """A request after the gateway has routed and authorized it."""

    method: str
    """`GET`, `POST`, …"""
    resource: str
    """What the gateway matched: `/v1/documents/{id}`."""
    path: Mapping[str, str]
    """Path parameters, decoded."""
    query: Mapping[str, str]
    """Query parameters, decoded."""
    repeated: frozenset[str]
    """Those of them that came more than once; `query` has the last."""
    headers: Mapping[str, str]
    """By lower-case name; the lines of a header that came more than once are one, with commas."""
    body: bytes
    request_id: str
    """The gateway's id of the request."""
    domain: str | None
    """The name the API is deployed under."""
    address: str
    """Where it comes from, as the gateway sees it: no header can say otherwise."""
    caller: Caller | None
    """Who it comes from; None on public routes."""
    deadline: float
    """When the answer has to be there, as `time.monotonic` counts."""
    log: LogFields = field(default_factory=LogFields, compare=False)

    @classmethod
    def from_event(cls, event: Mapping[str, Any], seconds: float) -> Request:
        """Return the request of a REST API (v1) proxy event, to be answered within so many seconds."""
        context = event.get("requestContext") or {}
        authorizer = context.get("authorizer") or {}
        body = event.get("body") or ""
        headers: Mapping[str, list[str]] | None = event.get("multiValueHeaders")
        several: Mapping[str, list[str]] | None = event.get("multiValueQueryStringParameters")
        return cls(
            method=event["httpMethod"],
            resource=event["resource"],
            path=event.get("pathParameters") or {},
            query=event.get("queryStringParameters") or {},
            repeated=frozenset(name for name, values in (several or {}).items() if len(values) > 1),
            headers={name.lower(): ", ".join(lines) for name, lines in (headers or {}).items()},
            body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode(),
            request_id=context.get("requestId", ""),
            domain=context.get("domainName"),
            address=(context.get("identity") or {}).get("sourceIp") or "",
            caller=_caller(authorizer) if authorizer.get("organisation") else None,
            deadline=time.monotonic() + seconds,
        )

    @property
    def media_type(self) -> str:
        """What its body is said to be, in lower case and without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def scopes(self) -> frozenset[Scope]:
        """What its key may be used for."""
        return frozenset() if self.caller is None else self.caller.scopes


@dataclass(frozen=True, slots=True)
class Call(Generic[PathT, QueryT, BodyT]):
    """A request with its parameters and body validated, as the models of its row say."""

    request: Request
    path: PathT
    query: QueryT
    body: BodyT
    file: bytes | None = None
    """The file of a form."""

    @property
    def caller(self) -> Caller:
        """Who it comes from.

        Raises
        ------
        UnauthorizedError
            No key came with it.
        """
        if self.request.caller is None:
            raise no_key()
        return self.request.caller

    @property
    def organisation(self) -> str:
        """Whose data it may see; raises as `caller`."""
        return self.caller.organisation

    @property
    def key_id(self) -> str:
        """Id of the key it was made with; raises as `caller`."""
        return self.caller.key_id

    @property
    def document_id(self) -> int | None:
        """The document that its path or body names."""
        named = (getattr(given, "document_id", None) for given in (self.path, self.body))
        return next((document_id for document_id in named if document_id is not None), None)

    @property
    def log(self) -> LogFields:
        """What is logged of it."""
        return self.request.log


def no_key() -> UnauthorizedError:
    """Return the error of a request without a key."""
    return UnauthorizedError("Send a key: Authorization: Bearer alma_… or X-API-Key: alma_…")


def _caller(authorizer: Mapping[str, Any]) -> Caller:
    role = Role(authorizer["role"])
    # An authorizer of a version before scopes and users, while a new one is deployed, sends neither.
    given = authorizer.get("scopes")
    allowed = scopes.parse(None if given is None else given.split(), role)
    key_id = authorizer["key_id"]
    # `user` is the id of the root key: its name on the wire stays, for the same reason.
    return Caller(authorizer["organisation"], key_id, authorizer.get("user") or key_id, role, allowed)


#: An entity tag, weak or strong; the group is what the weak comparison compares.
_ENTITY_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def _as_json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer before it is spelled for the gateway."""

    status: int
    body: bytes | str | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, view: View, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Return the answer that is a view's JSON."""
        return cls(status, view.to_json(), headers or {})

    @classmethod
    def redirect(cls, url: str) -> Response:
        """Return the redirect to what is too large for an answer; followed with a plain GET."""
        return cls(303, headers={"Location": url})

    def conditional(self, wanted: str | None) -> Response:
        """Return a 200 with its strong `ETag`, or 304 where `If-None-Match` names it (RFC 9110, 13.1.2).

        Parameters
        ----------
        wanted : str, optional
            The header as it came: `*`, or tags with commas, which are compared weakly.
        """
        if self.status != 200:
            return self
        tag = hashlib.sha256(self.content).hexdigest()[:32]
        headers = {"ETag": f'"{tag}"'}
        if wanted is not None and (wanted.strip() == "*" or tag in _ENTITY_TAG.findall(wanted)):
            return Response(304, headers=headers)
        return self.with_headers(headers)

    @property
    def content(self) -> bytes:
        """The body as bytes."""
        match self.body:
            case None:
                return b""
            case bytes():
                return self.body
            case str():
                return self.body.encode()
            case _:
                return _as_json(self.body).encode(errors="backslashreplace")

    def without(self, member: str | None) -> Response:
        """Return the answer without a member of its JSON object."""
        if member is None or not isinstance(self.body, Mapping):
            return self
        return replace(self, body={name: value for name, value in self.body.items() if name != member})

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
                text, encoded = _as_json(self.body), False
        return {
            "statusCode": self.status,
            "headers": headers,
            "body": text,
            "isBase64Encoded": encoded,
        }
