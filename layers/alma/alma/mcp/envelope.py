"""What every request says of itself since 2026-07-28: version and client in `_meta`, mirrored in headers.

Followed here: 2026-07-28, "Versioning", "Overview, _meta" and "Streamable HTTP, Request Metadata".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from alma.mcp import versions
from alma.mcp.jsonrpc import HEADER_MISMATCH, INVALID_PARAMS, UNSUPPORTED_VERSION, RpcError

PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"
CLIENT_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
SERVER_INFO = "io.modelcontextprotocol/serverInfo"

VERSION_HEADER = "mcp-protocol-version"
METHOD_HEADER = "mcp-method"
NAME_HEADER = "mcp-name"

#: Requests whose name is mirrored too, and the parameter that holds it.
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_BASE64, _END = "=?base64?", "?="


def is_stateless(headers: Mapping[str, str], message: Mapping[str, Any]) -> bool:
    """Tell whether a message is meant for a revision without a handshake.

    Its `_meta` names a version, or the header names such a revision: who means to speak it and has forgotten
    the `_meta` is told so, instead of being served as something else. `initialize` opens a handshake,
    whatever the header wishes.
    """
    if PROTOCOL_VERSION in _meta(message):
        return True
    return message.get("method") != "initialize" and bool(versions.stateless(headers.get(VERSION_HEADER, "")))


def check(headers: Mapping[str, str], message: Mapping[str, Any]) -> None:
    """Check the metadata of a request of a stateless revision.

    Parameters
    ----------
    headers : mapping
        By lower-case name.
    message : mapping
        The request.

    Raises
    ------
    RpcError
        Required metadata is missing, headers and body disagree, or alma does not speak the version.
    """
    meta = _meta(message)
    version = meta.get(PROTOCOL_VERSION)
    if not isinstance(version, str):
        raise _missing(f"params._meta.{PROTOCOL_VERSION}, a string")
    # Who routes on the headers and who reads the body must not see two different requests.
    _check_header("MCP-Protocol-Version", headers.get(VERSION_HEADER), version)
    if not versions.stateless(version):
        raise unsupported(version)  # what else that version asks for is not known
    if not isinstance(meta.get(CLIENT_CAPABILITIES), dict):
        raise _missing(f"params._meta.{CLIENT_CAPABILITIES}, an object")
    _check_header("Mcp-Method", headers.get(METHOD_HEADER), message["method"])
    name = message["params"].get(_NAMED.get(message["method"], ""))
    if isinstance(name, str):
        _check_header("Mcp-Name", _decoded(headers.get(NAME_HEADER)), name)


def unsupported(requested: str) -> RpcError:
    """Return the error for a version that alma does not speak."""
    return RpcError(
        UNSUPPORTED_VERSION,
        "Unsupported protocol version.",
        400,
        {"supported": versions.offered(), "requested": requested},
    )


def _meta(message: Mapping[str, Any]) -> dict[str, Any]:
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


def _missing(what: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"Invalid params: send {what}.", 400)


def _check_header(name: str, header: str | None, expected: str) -> None:
    if header is None:
        raise RpcError(HEADER_MISMATCH, f"Header mismatch: {name} is missing or cannot be decoded.", 400)
    if header != expected:
        raise RpcError(HEADER_MISMATCH, f"Header mismatch: {name} is not what the body says.", 400)


def _decoded(value: str | None) -> str | None:
    """Decode a header, which is in base64 where its text does not fit one; None if it is malformed."""
    if value is None or not (value.startswith(_BASE64) and value.endswith(_END)):
        return value
    try:
        return base64.b64decode(value[len(_BASE64) : -len(_END)], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
