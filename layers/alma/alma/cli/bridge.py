"""MCP stdio transport, for agents on a desktop: a proxy that posts each message to the endpoint.

Messages are sent concurrently and answered in the order of completion; only the handshake is waited for,
since the version it agrees on is a header of the messages after it.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import IO, Any

from alma.cli.client import LONGEST_MESSAGE_SECONDS, PARALLEL, ApiError, Client
from alma.cli.output import Output
from alma.mcp.envelope import METHOD_HEADER, NAME_HEADER, PROTOCOL_VERSION, VERSION_HEADER
from alma.mcp.jsonrpc import INTERNAL_ERROR

LAST_SECONDS: float = LONGEST_MESSAGE_SECONDS
"""How long pending answers are waited for when the input has ended."""


def run(client: Client, source: IO[bytes], sink: IO[bytes]) -> int:
    """Post each line to the endpoint and write its answer as a line, until the input ends.

    Parameters
    ----------
    client : Client
        Has the address and the key.
    source, sink : binary files
        Newline-delimited JSON-RPC; nothing but answers is written.

    Returns
    -------
    int
        How many requests got no answer; those that were cancelled want none.
    """
    bridge = _Bridge(client, sink)
    for line in source:
        if line.strip():
            bridge.take(line.strip())
    return bridge.end()


class _Bridge:
    def __init__(self, client: Client, sink: IO[bytes]) -> None:
        self._client, self._sink = client, sink
        self._agreed: str | None = None
        self._slots = threading.BoundedSemaphore(PARALLEL)
        self._writing = threading.Lock()
        self._ended = False
        self._cancelled: set[str | int] = set()
        #: What is under way, and the id that its answer will have; None for what has no answer.
        self._running: dict[threading.Thread, str | int | None] = {}
        self._unanswered: set[threading.Thread] = set()

    def take(self, line: bytes) -> None:
        """Start handling a message; return once another may be taken."""
        message = _message(line)
        if message.get("method") == "initialize":
            self._handle(line, message)
            return
        if message.get("method") == "notifications/cancelled":
            self._cancel(message)
        self._slots.acquire()
        # Daemon threads rather than a pool: the interpreter waits for a pool's threads, however long.
        thread = threading.Thread(target=self._work, args=(line, message), daemon=True)
        request_id = message.get("id")
        self._running = {each: its for each, its in self._running.items() if each.is_alive()}
        self._running[thread] = request_id if isinstance(request_id, str | int) else None
        if not message or "id" in message:
            with self._writing:
                self._unanswered.add(thread)
        thread.start()

    def end(self) -> int:
        """Wait for pending answers, later ones are not written; return how many that are."""
        until = time.monotonic() + LAST_SECONDS
        for thread, request_id in self._running.items():
            if request_id is None or request_id not in self._cancelled:
                thread.join(max(until - time.monotonic(), 0))
        with self._writing:
            self._ended = True
            return sum(self._running.get(thread) not in self._cancelled for thread in self._unanswered)

    def _work(self, line: bytes, message: dict[str, Any]) -> None:
        try:
            self._handle(line, message)
        finally:
            self._slots.release()

    def _handle(self, line: bytes, message: dict[str, Any]) -> None:
        answer = self._post(line, message)
        if message and "id" not in message:
            # Notifications have no answer.
            if answer is not None:
                Output(as_json=False).remark(f"alma: {answer['error']['message']}")
            return
        if answer is None:
            with self._writing:
                self._unanswered.discard(threading.current_thread())
            return
        if message.get("method") == "initialize":
            result = answer.get("result")
            self._agreed = result.get("protocolVersion") if isinstance(result, dict) else None
        with self._writing:
            request_id = message.get("id")
            if isinstance(request_id, str | int) and request_id in self._cancelled:
                self._cancelled.discard(request_id)
                self._unanswered.discard(threading.current_thread())
            elif not self._ended:
                self._unanswered.discard(threading.current_thread())
                try:
                    self._sink.write(json.dumps(answer).encode() + b"\n")
                    self._sink.flush()
                except OSError:
                    self._ended = True  # the client has closed its end

    def _post(self, line: bytes, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a message; None where there is none."""
        try:
            status, body = self._client.post_mcp(line, _headers(message, self._agreed))
        except ApiError as error:
            return _failure(message, error.detail)
        if status == 202:
            return None
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            return _failure(message, f"An unexpected answer, status {status}.")
        if isinstance(found, dict) and "jsonrpc" in found:
            return found
        detail = found.get("detail") if isinstance(found, dict) else None
        return _failure(message, str(detail or f"An unexpected answer, status {status}."))

    def _cancel(self, message: dict[str, Any]) -> None:
        params = message.get("params")
        request_id = params.get("requestId") if isinstance(params, dict) else None
        if isinstance(request_id, str | int):
            with self._writing:
                self._cancelled.add(request_id)


def _failure(message: dict[str, Any], detail: str) -> dict[str, Any]:
    error = {"code": INTERNAL_ERROR, "message": detail}
    return {"jsonrpc": "2.0", "id": message.get("id"), "error": error}


def _message(line: bytes) -> dict[str, Any]:
    """Return a parsed message; an empty one if it is malformed, since the endpoint says what is wrong."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _headers(message: dict[str, Any], agreed: str | None) -> dict[str, str]:
    """Return a message's headers: version, method and name since 2026-07-28, the agreed version before."""
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    meta = params.get("_meta")
    version = meta.get(PROTOCOL_VERSION) if isinstance(meta, dict) else None
    if not isinstance(version, str):
        return {} if agreed is None or message.get("method") == "initialize" else {VERSION_HEADER: agreed}
    method, name = message.get("method"), params.get("name", params.get("uri"))
    values = {VERSION_HEADER: version, METHOD_HEADER: method if isinstance(method, str) else ""}
    # A value that no header can hold is left out, and the endpoint says what is missing.
    headers = {header: text for header, text in values.items() if _is_header_value(text)}
    return headers | ({NAME_HEADER: _encoded(name)} if isinstance(name, str) else {})


def _is_header_value(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()


def _encoded(name: str) -> str:
    """Return a name as a header value (2026-07-28, "Value Encoding")."""
    if _is_header_value(name) and not name.startswith("=?"):
        return name
    return f"=?base64?{base64.b64encode(name.encode(errors='replace')).decode()}?="
