"""Streamable HTTP without streams: one JSON-RPC 2.0 message in a POST, one answer in its response.

Nothing is kept between requests: no session, and `initialize` is a question like any other, so that any
Lambda process can answer any request. Followed here: MCP 2025-06-18, "Transports", "Lifecycle" and "Tools".
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from alma import __version__
from alma.mcp import versions
from alma.mcp.tools import InvalidArgumentsError, ToolBox, UnknownToolError

INSTRUCTIONS = (
    "alma reads documents into structured fields. Find a document with list_documents, read it with "
    "get_document_fields. Every value comes with a confidence, a review status and the page and box that it "
    "stands in: cite them, and do not present an unreviewed or escalated value as a settled fact."
)

# JSON-RPC 2.0, section 5.1.
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def handle(
    method: str, headers: Mapping[str, str], body: bytes, tools: ToolBox, *, host: str | None = None
) -> Response:
    """Answer one HTTP request to the MCP endpoint.

    Parameters
    ----------
    method : str
        HTTP method.
    headers : mapping
        HTTP request headers; names in any case.
    body : bytes
        Of the request.
    tools : ToolBox
        What the caller may use.
    host : str, optional
        The name the endpoint is deployed under, from the gateway's own configuration. Never the `Host`
        header: a page that rebinds its name to this address (DNS rebinding) chooses that one.

    Returns
    -------
    Response
        200 with a JSON-RPC response, 202 without a body for a message that asks nothing, or an HTTP error
        with a JSON-RPC error.
    """
    given = {name.lower(): value for name, value in headers.items()}
    request_id = None
    try:
        _check_origin(given.get("origin"), host)
        if method != "POST":
            raise _RpcError(INVALID_REQUEST, "This endpoint takes POST only: no streams, no sessions.", 405)
        _check_media_types(given)
        message = _parsed(body)
        request_id = message.get("id")
        if message.get("method") != "initialize":
            _check_version(given.get("mcp-protocol-version"))
        if "method" not in message or "id" not in message:
            return Response(202)
        result = _result(message["method"], _params(message), tools)
    except _RpcError as error:
        return error.response(request_id)
    return _json(200, {"jsonrpc": "2.0", "id": request_id, "result": result})


def internal_error(body: bytes) -> Response:
    """Return the answer to a request whose handling raised what nobody expected."""
    try:
        request_id = _parsed(body).get("id")
    except _RpcError as error:
        return error.response(None)
    return _RpcError(INTERNAL_ERROR, "Something went wrong on our side; try again.", 500).response(request_id)


class _RpcError(Exception):
    """A JSON-RPC error and the HTTP status it goes out with.

    The status is 200 where HTTP has done its part: a well-formed request that asks for the wrong thing.
    """

    def __init__(self, code: int, message: str, status: int = 200, data: object = None) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.data = code, message, status, data

    def response(self, request_id: str | int | None) -> Response:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        headers = {"Allow": "POST"} if self.status == 405 else {}
        return _json(self.status, {"jsonrpc": "2.0", "id": request_id, "error": error}, headers)


def _json(status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    # A lone surrogate, which JSON can smuggle in and we echo, has no UTF-8 form; its escape is valid JSON.
    encoded = json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace")
    return Response(status, {"Content-Type": "application/json", **(headers or {})}, encoded)


# --- HTTP ------------------------------------------------------------------


def _check_origin(origin: str | None, host: str | None) -> None:
    """Refuse what a page from elsewhere sends from a visitor's browser; other clients have no origin."""
    if origin is None:
        return
    try:
        name = urlsplit(origin).hostname
    except ValueError:
        name = None
    if name is None or not (_is_loopback(name) or (host and name == urlsplit(f"//{host}").hostname)):
        raise _RpcError(INVALID_REQUEST, "Pages of that origin may not call this endpoint.", 403)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _check_media_types(headers: Mapping[str, str]) -> None:
    if _media_types(headers.get("content-type", "")) != ["application/json"]:
        raise _RpcError(INVALID_REQUEST, "Send the message as Content-Type: application/json.", 415)
    # Clients must list application/json and text/event-stream; curl and simple ones send */* or nothing.
    accepted = _media_types(headers.get("accept") or "*/*")
    if not {"application/json", "application/*", "*/*"}.intersection(accepted):
        raise _RpcError(INVALID_REQUEST, "Answers are application/json; let Accept include it.", 406)


def _media_types(header: str) -> list[str]:
    return [one.partition(";")[0].strip().lower() for one in header.split(",")]


def _check_version(version: str | None) -> None:
    # Absent means a client older than the header, which the same answers serve.
    if version is not None and versions.supported(version.strip()) is None:
        raise _RpcError(
            INVALID_REQUEST,
            "Unsupported MCP-Protocol-Version.",
            400,
            {"supported": list(versions.Version), "requested": version},
        )


# --- JSON-RPC --------------------------------------------------------------


def _parsed(body: bytes) -> dict[str, Any]:
    """Return the one message of a body: a request, a notification (no `id`) or a response (no `method`)."""
    try:
        message = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _RpcError(PARSE_ERROR, "Parse error: the body is not JSON in UTF-8.", 400) from None
    if isinstance(message, list):
        raise _RpcError(INVALID_REQUEST, "Invalid request: send one message, not a batch.", 400)
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise _RpcError(INVALID_REQUEST, 'Invalid request: not an object with "jsonrpc": "2.0".', 400)
    if "id" in message and (not isinstance(message["id"], str | int) or isinstance(message["id"], bool)):
        raise _RpcError(INVALID_REQUEST, "Invalid request: id is a string or a whole number.", 400)
    if "method" in message:
        if not isinstance(message["method"], str):
            raise _RpcError(INVALID_REQUEST, "Invalid request: method is a string.", 400)
    elif "id" not in message or not ("result" in message) ^ ("error" in message):
        raise _RpcError(INVALID_REQUEST, "Invalid request: neither a request nor a response.", 400)
    return message


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _params(message: dict[str, Any]) -> dict[str, Any]:
    params = message.get("params")
    if params is None:
        return {}
    if not isinstance(params, dict):
        raise _RpcError(INVALID_PARAMS, "Invalid params: not an object.")
    return params


# --- MCP -------------------------------------------------------------------


def _result(method: str, params: dict[str, Any], tools: ToolBox) -> dict[str, Any]:
    match method:
        case "initialize":
            return _initialize(params)
        case "ping":
            return {}
        case "tools/list":
            # All tools fit one page, so no cursor is one of ours.
            if params.get("cursor") is not None:
                raise _RpcError(INVALID_PARAMS, "Invalid params: unknown cursor.")
            return {"tools": tools.definitions()}
        case "tools/call":
            return _call(params, tools)
        case _:
            raise _RpcError(METHOD_NOT_FOUND, f"Method not found: {method[:100]}")


def _initialize(params: dict[str, Any]) -> dict[str, Any]:
    requested = params.get("protocolVersion")
    if not isinstance(requested, str):
        raise _RpcError(INVALID_PARAMS, "Invalid params: protocolVersion is a string.")
    return {
        "protocolVersion": versions.negotiate(requested).value,
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "alma", "title": "alma document intelligence", "version": __version__},
        "instructions": INSTRUCTIONS,
    }


def _call(params: dict[str, Any], tools: ToolBox) -> dict[str, Any]:
    name, arguments = params.get("name"), params.get("arguments")
    if not isinstance(name, str):
        raise _RpcError(INVALID_PARAMS, "Invalid params: name is a string.")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise _RpcError(INVALID_PARAMS, "Invalid params: arguments is an object.")
    try:
        return tools.call(name, arguments)
    except UnknownToolError:
        raise _RpcError(INVALID_PARAMS, f"Unknown tool: {name[:100]}") from None
    except InvalidArgumentsError as error:
        raise _RpcError(INVALID_PARAMS, f"Invalid arguments for {name}: {error}") from None
