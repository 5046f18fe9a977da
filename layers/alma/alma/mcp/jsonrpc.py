"""JSON-RPC 2.0 over HTTP: one message in, one answer out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# JSON-RPC 2.0, section 5.1.
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
#: Characters of a request's id; clients count, or use UUIDs.
MAX_ID = 1000
# MCP 2026-07-28, "Error Codes".
HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers and body of an HTTP response."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class RpcError(Exception):
    """A JSON-RPC error and the HTTP status it goes out with.

    The status is 200 where HTTP has done its part: a well-formed request that asks for the wrong thing. The
    stateless revision wants HTTP to tell that too; `STATELESS_STATUS` says how.
    """

    def __init__(self, code: int, message: str, status: int = 200, data: object = None) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.data = code, message, status, data

    def response(self, request_id: str | int | None) -> HttpAnswer:
        """Return the answer to the request of that id; None where none could be read."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        headers = {"Allow": "POST"} if self.status == 405 else {}
        return answer(self.status, {"jsonrpc": "2.0", "id": request_id, "error": error}, headers)


#: HTTP status of an error that says nothing of HTTP, from 2026-07-28 on.
STATELESS_STATUS = {INVALID_REQUEST: 400, METHOD_NOT_FOUND: 404, INVALID_PARAMS: 400}


def answer(status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """Return a message as an HTTP answer."""
    # A lone surrogate, which JSON can smuggle in and we echo, has no UTF-8 form; its escape is valid JSON.
    encoded = json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace")
    return HttpAnswer(status, {"Content-Type": "application/json", **(headers or {})}, encoded)


def parsed(body: bytes) -> dict[str, Any]:
    """Parse the one message of a body: a request, a notification (no `id`) or a response (no `method`).

    Raises
    ------
    RpcError
        The body is not one JSON-RPC 2.0 message.
    """
    try:
        message = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise RpcError(PARSE_ERROR, "Parse error: the body is not JSON in UTF-8.", 400) from None
    if isinstance(message, list):
        raise RpcError(INVALID_REQUEST, "Invalid request: send one message, not a batch.", 400)
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, 'Invalid request: not an object with "jsonrpc": "2.0".', 400)
    if "id" in message and (not isinstance(message["id"], str | int) or isinstance(message["id"], bool)):
        raise RpcError(INVALID_REQUEST, "Invalid request: id is a string or a whole number.", 400)
    if isinstance(message.get("id"), str) and len(message["id"]) > MAX_ID:
        # It comes back with the answer, which has to fit.
        raise RpcError(INVALID_REQUEST, f"Invalid request: id has at most {MAX_ID} characters.", 400)
    if "method" in message:
        if not isinstance(message["method"], str):
            raise RpcError(INVALID_REQUEST, "Invalid request: method is a string.", 400)
    elif "id" not in message or not ("result" in message) ^ ("error" in message):
        raise RpcError(INVALID_REQUEST, "Invalid request: neither a request nor a response.", 400)
    return message


def params_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a request; an empty object where there are none.

    Raises
    ------
    RpcError
        The parameters are not an object.
    """
    params = message.get("params")
    if params is None:
        return {}
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "Invalid params: not an object.")
    return params


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
