"""MCP over standard input and output, for agents on a desktop: each message goes to the endpoint and back."""

from __future__ import annotations

import base64
import json
import sys
from typing import IO, Any

from alma.cli.client import ApiError, Client
from alma.mcp.envelope import METHOD_HEADER, NAME_HEADER, PROTOCOL_VERSION, VERSION_HEADER
from alma.mcp.jsonrpc import INTERNAL_ERROR


def run(client: Client, source: IO[bytes], sink: IO[bytes]) -> None:
    """Post each line to the endpoint and write its answer as a line, until the input ends.

    Parameters
    ----------
    client : Client
        Has the address and the key.
    source, sink : binary files
        Newline-delimited JSON-RPC; nothing but answers is written.
    """
    agreed: str | None = None
    for line in source:
        if not line.strip():
            continue
        message = _message(line)
        answer = _ask(client, line, message, agreed)
        if message.get("method") == "initialize" and answer is not None:
            result = answer.get("result")
            agreed = result.get("protocolVersion") if isinstance(result, dict) else None
        if answer is not None:
            sink.write(json.dumps(answer).encode() + b"\n")
            sink.flush()


def _ask(client: Client, line: bytes, message: dict[str, Any], agreed: str | None) -> dict[str, Any] | None:
    """Return the answer to a message; None where it asks nothing."""
    try:
        status, body = client.post_mcp(line.strip(), _headers(message, agreed))
    except ApiError as error:
        return _failure(message, error.detail)
    if status == 202:
        return None
    try:
        found = json.loads(body)
    except ValueError:
        return _failure(message, f"An unexpected answer, status {status}.")
    if isinstance(found, dict) and "jsonrpc" in found:
        return found
    detail = found.get("detail") if isinstance(found, dict) else None
    return _failure(message, str(detail or f"An unexpected answer, status {status}."))


def _failure(message: dict[str, Any], detail: str) -> dict[str, Any] | None:
    if message and "id" not in message:
        print(f"alma: {detail}", file=sys.stderr)  # who asked nothing is answered nothing
        return None
    error = {"code": INTERNAL_ERROR, "message": detail}
    return {"jsonrpc": "2.0", "id": message.get("id"), "error": error}


def _message(line: bytes) -> dict[str, Any]:
    """Return a message, empty where it is none: the endpoint says what is wrong with it."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _headers(message: dict[str, Any], agreed: str | None) -> dict[str, str]:
    """Return what HTTP has to say beside a message: since 2026-07-28 what it is, before what was agreed."""
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    meta = params.get("_meta")
    version = meta.get(PROTOCOL_VERSION) if isinstance(meta, dict) else None
    if not isinstance(version, str):
        return {} if agreed is None or message.get("method") == "initialize" else {VERSION_HEADER: agreed}
    headers = {VERSION_HEADER: _safe(version), METHOD_HEADER: _safe(str(message.get("method", "")))}
    name = params.get("name", params.get("uri"))
    return headers | ({NAME_HEADER: _safe(name)} if isinstance(name, str) else {})


def _safe(text: str) -> str:
    """Return a text as a header can have it."""
    plain = text.isascii() and text.isprintable() and text == text.strip() and not text.startswith("=?")
    if plain:
        return text
    return f"=?base64?{base64.b64encode(text.encode(errors='replace')).decode()}?="
