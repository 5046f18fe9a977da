"""MCP over standard input and output, for agents on a desktop: each message goes to the endpoint and back.

Messages are under way side by side, so that none waits for a slow one, and answers come as they are there;
only the handshake is waited for, since what it agrees on goes along with the messages after it.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from typing import IO, Any

from alma.cli.client import PARALLEL, ApiError, Client
from alma.mcp.envelope import METHOD_HEADER, NAME_HEADER, PROTOCOL_VERSION, VERSION_HEADER
from alma.mcp.jsonrpc import INTERNAL_ERROR

#: Seconds for answers that are still to come when the input has ended.
LAST_SECONDS = 5


def run(client: Client, source: IO[bytes], sink: IO[bytes]) -> None:
    """Post each line to the endpoint and write its answer as a line, until the input ends.

    Parameters
    ----------
    client : Client
        Has the address and the key.
    source, sink : binary files
        Newline-delimited JSON-RPC; nothing but answers is written.
    """
    bridge = _Bridge(client, sink)
    for line in source:
        if line.strip():
            bridge.take(line.strip())
    bridge.end()


class _Bridge:
    def __init__(self, client: Client, sink: IO[bytes]) -> None:
        self._client, self._sink = client, sink
        self._agreed: str | None = None
        self._free = threading.BoundedSemaphore(PARALLEL)
        self._writing = threading.Lock()
        self._ended = False
        self._cancelled: set[str | int] = set()
        self._running: list[threading.Thread] = []

    def take(self, line: bytes) -> None:
        """Send a message on its way; return once there is room for another."""
        message = _message(line)
        if message.get("method") == "initialize":
            self._exchange(line, message)
            return
        if message.get("method") == "notifications/cancelled":
            self._cancel(message)
        self._free.acquire()
        # Not of a pool, which would be waited for at the end, however long.
        thread = threading.Thread(target=self._work, args=(line, message), daemon=True)
        self._running = [*(each for each in self._running if each.is_alive()), thread]
        thread.start()

    def end(self) -> None:
        """Wait a little for answers that are still to come; later ones are not written."""
        until = time.monotonic() + LAST_SECONDS
        for thread in self._running:
            thread.join(max(until - time.monotonic(), 0))
        with self._writing:
            self._ended = True

    def _work(self, line: bytes, message: dict[str, Any]) -> None:
        try:
            self._exchange(line, message)
        finally:
            self._free.release()

    def _exchange(self, line: bytes, message: dict[str, Any]) -> None:
        answer = self._ask(line, message)
        if message and "id" not in message:
            # Who asked nothing is answered nothing.
            if answer is not None:
                print(f"alma: {answer['error']['message']}", file=sys.stderr)
            return
        if answer is None:
            return
        if message.get("method") == "initialize":
            result = answer.get("result")
            self._agreed = result.get("protocolVersion") if isinstance(result, dict) else None
        with self._writing:
            asked = message.get("id")
            if isinstance(asked, str | int) and asked in self._cancelled:
                self._cancelled.discard(asked)
            elif not self._ended:
                try:
                    self._sink.write(json.dumps(answer).encode() + b"\n")
                    self._sink.flush()
                except OSError:
                    self._ended = True  # nobody listens any more

    def _ask(self, line: bytes, message: dict[str, Any]) -> dict[str, Any] | None:
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
        asked = params.get("requestId") if isinstance(params, dict) else None
        if isinstance(asked, str | int):
            with self._writing:
                self._cancelled.add(asked)


def _failure(message: dict[str, Any], detail: str) -> dict[str, Any]:
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
    method, name = message.get("method"), params.get("name", params.get("uri"))
    said = {VERSION_HEADER: version, METHOD_HEADER: method if isinstance(method, str) else ""}
    # Of these a header can hold any there is; where it cannot, the endpoint says what is missing.
    headers = {header: text for header, text in said.items() if _fits(text)}
    return headers | ({NAME_HEADER: _encoded(name)} if isinstance(name, str) else {})


def _fits(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()


def _encoded(name: str) -> str:
    """Return a name as its header can have it (2026-07-28, "Value Encoding")."""
    if _fits(name) and not name.startswith("=?"):
        return name
    return f"=?base64?{base64.b64encode(name.encode(errors='replace')).decode()}?="
