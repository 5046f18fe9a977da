"""Streamable HTTP without streams: one JSON-RPC 2.0 message in a POST, one answer in its response.

Nothing is kept between requests: no session, and `initialize` is a question like any other, so that any
Lambda process can answer any request. Followed here: MCP 2025-06-18 and 2025-11-25, "Transports" and
"Lifecycle", and 2026-07-28, "Streamable HTTP" and "Versioning". A request says which of them it is: the last
one names its version in every request, the others shake hands first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from alma.mcp import envelope, methods, versions
from alma.mcp.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    STATELESS_STATUS,
    HttpAnswer,
    RpcError,
    answer,
    params_of,
    parsed,
)
from alma.mcp.toolbox import ToolBox


def handle(
    method: str, headers: Mapping[str, str], body: bytes, tools: ToolBox, *, host: str | None = None
) -> HttpAnswer:
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
    HttpAnswer
        200 with a JSON-RPC response, 202 without a body for a message that asks nothing, or an HTTP error
        with a JSON-RPC error.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    request_id = None
    stateless = False
    try:
        _check_origin(given.get("origin"), host)
        if method != "POST":
            raise RpcError(INVALID_REQUEST, "This endpoint takes POST only: no streams, no sessions.", 405)
        _check_media_types(given)
        message = parsed(body)
        request_id = message.get("id")
        stateless = envelope.is_stateless(given, message)
        if "method" not in message and stateless:
            raise RpcError(
                INVALID_REQUEST, "Invalid request: this endpoint asks nothing to be answered.", 400
            )
        if not stateless and message.get("method") != "initialize":
            _check_version(given.get(envelope.VERSION_HEADER))
        if "method" not in message or "id" not in message:
            return HttpAnswer(202)
        if stateless:
            envelope.check(given, message)
            result = methods.stateless(message["method"], params_of(message), tools)
        else:
            result = methods.after_handshake(message["method"], params_of(message), tools)
    except RpcError as error:
        if stateless and error.status == 200:
            error.status = STATELESS_STATUS.get(error.code, error.status)
        return error.response(request_id)
    return answer(200, {"jsonrpc": "2.0", "id": request_id, "result": result})


def refusal(body: bytes, status: int, detail: str, data: Mapping[str, object]) -> HttpAnswer:
    """Return the answer to a request that was refused before, or failed behind, the protocol.

    Parameters
    ----------
    body : bytes
        Of the request; its id is the answer's.
    status : int
        HTTP status.
    detail : str
        What to do.
    data : mapping
        What else there is to say, for programs.
    """
    try:
        request_id = parsed(body).get("id")
    except RpcError:
        request_id = None
    code = INTERNAL_ERROR if status >= 500 else INVALID_REQUEST
    return RpcError(code, detail, status, dict(data)).response(request_id)


def _check_origin(origin: str | None, host: str | None) -> None:
    """Refuse what a page from elsewhere sends from a visitor's browser; other clients have no origin."""
    if origin is None:
        return
    try:
        name = urlsplit(origin).hostname
    except ValueError:
        name = None
    if name is None or not (_is_loopback(name) or (host and name == urlsplit(f"//{host}").hostname)):
        raise RpcError(INVALID_REQUEST, "Pages of that origin may not call this endpoint.", 403)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _check_media_types(headers: Mapping[str, str]) -> None:
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RpcError(INVALID_REQUEST, "Send the message as it is, without Content-Encoding.", 415)
    if _media_types(headers.get("content-type", "")) != ["application/json"]:
        raise RpcError(INVALID_REQUEST, "Send the message as Content-Type: application/json.", 415)
    # Clients must list application/json and text/event-stream; curl and simple ones send */* or nothing.
    accepted = _media_types(headers.get("accept") or "*/*")
    if not {"application/json", "application/*", "*/*"}.intersection(accepted):
        raise RpcError(INVALID_REQUEST, "Answers are application/json; let Accept include it.", 406)


def _media_types(header: str) -> list[str]:
    return [one.partition(";")[0].strip().lower() for one in header.split(",")]


def _check_version(version: str | None) -> None:
    # Absent means a client older than the header, which the same answers serve.
    if version is not None and versions.handshake(version) is None:
        raise envelope.unsupported(version)
