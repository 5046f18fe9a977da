"""The HTTP/1.1 server of the API and of the AWS endpoint: whole requests in, whole responses out.

Both listen on loopback, where every web page that a person opens can send requests, too. So a request has to
name this machine, or a page could have its own name resolved here (DNS rebinding).
"""

from __future__ import annotations

import errno
import json
import logging
import socket
import sys
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from werkzeug.wrappers import Response as WerkzeugResponse

from infra.local.errors import LocalRuntimeError

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came over the wire."""

    method: str
    target: str
    """Path and query, percent-encoded."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    """In order, names as the client spelt them."""
    body: bytes | None = b""
    """None when it is over the server's limit."""
    client: str = "127.0.0.1"
    """IP address."""

    def header(self, name: str) -> str:
        """Return the last value of a header, or an empty string."""
        return next((value for key, value in reversed(self.headers) if key.lower() == name.lower()), "")

    @property
    def names_this_machine(self) -> bool:
        """Whether its Host is a name of loopback; a client that sends none is no browser."""
        return all(_is_loopback(value) for key, value in self.headers if key.lower() == "host")


def _is_loopback(host: str) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return False
    # RFC 6761: names below localhost are loopback, whoever resolves them.
    return name in ("127.0.0.1", "::1", "localhost") or name.endswith(".localhost")


class Response(WerkzeugResponse):
    """A response without a default content type; the server adds `Content-Length` and `Date`."""

    default_mimetype = None


def bind(port: int, purpose: str) -> socket.socket:
    """Return a socket that listens on loopback.

    Parameters
    ----------
    port : int
        0 for any free one.
    purpose : str
        What the port is for; part of the error's message.

    Raises
    ------
    LocalRuntimeError
        The port is taken or may not be used.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        why = "is taken by another program" if error.errno == errno.EADDRINUSE else "cannot be used"
        raise LocalRuntimeError(f"Port {port} for {purpose} {why}; choose another one.") from None
    except OverflowError:
        listener.close()
        raise LocalRuntimeError(
            f"Port {port} for {purpose} does not exist; choose one up to 65535."
        ) from None
    listener.listen(128)
    return listener


Answer: TypeAlias = Callable[[Request], Response]
#: From a request without its body to the refusal, or to what answers the whole request.
Admit: TypeAlias = Callable[[Request], "Response | Answer"]


class Server:
    """Threaded server: each connection in a thread of its own; an exception becomes a 500 and a log line.

    Parameters
    ----------
    listener : socket
        From `bind`.
    admit : callable
        Asked before the body is read, which nobody has to hold who is refused.
    limit : int
        Largest body in bytes.
    """

    def __init__(self, listener: socket.socket, admit: Admit, limit: int) -> None:
        handler = type("Handler", (_Handler,), {"admit": staticmethod(admit), "limit": limit})
        self._server = _Threads(listener.getsockname(), handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listener
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting connections."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an exception, unless the client closed the connection."""
        if not isinstance(sys.exc_info()[1], OSError):
            _LOG.exception("A connection failed")


class _MalformedBodyError(Exception):
    """A length is not a number."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120  # seconds until an idle connection is closed
    disable_nagle_algorithm = True
    wbufsize = -1
    admit: Admit
    limit: int

    def serve(self) -> None:
        head = Request(
            self.command, self.path, list(self.headers.items()), client=str(self.client_address[0])
        )
        admitted = self._guarded(self.admit, head)
        try:
            if isinstance(admitted, Response):
                self._discard()
                self._send(admitted)
                return
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(HTTPStatus.CONTINUE)
                self.end_headers()
                self.wfile.flush()
            body = self._body()
        except _MalformedBodyError:
            self.send_error(400, "Content-Length or a chunk's size is not a number")
            return
        if body is None:
            self.close_connection = True
        self._send(self._guarded(admitted, replace(head, body=body)))

    def _guarded(self, work: Callable[[Request], _T], request: Request) -> _T | Response:
        """Return what work makes of a request, or a 500: the top level of a request."""
        try:
            return work(request)
        except Exception:
            _LOG.exception("%s %s failed", self.command, self.path.partition("?")[0])
            return Response(b'{"message":"internal error"}', 500, content_type="application/json")

    def _send(self, response: Response) -> None:
        parts, _, headers = response.get_wsgi_response({"REQUEST_METHOD": self.command})
        self.send_response_only(response.status_code)
        for name, value in headers:
            self.send_header(name, value)
        if "Date" not in response.headers:
            self.send_header("Date", self.date_time_string())
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.writelines(parts)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request that is served here, in the API's error shape."""
        status = HTTPStatus(code)
        detail = f"{message or status.phrase}."
        if status is HTTPStatus.NOT_IMPLEMENTED:
            detail = f"This server knows no method {self.command}."
        error = {"error": status.name.lower(), "detail": detail, "request_id": str(uuid.uuid4())}
        self.close_connection = True
        self._send(Response(json.dumps(error), code, content_type="application/json"))

    def handle_expect_100(self) -> bool:
        """Go on without a word: whether the body is wanted is known once the request is admitted."""
        return True

    def _length(self) -> int:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            raise _MalformedBodyError from None
        if length < 0:
            raise _MalformedBodyError
        return length

    def _is_chunked(self) -> bool:
        return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    def _discard(self) -> None:
        """Take a body that is not wanted, or the client would miss the response; a long one ends with it."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.close_connection = True  # it is not sent, or it is: only the client knows
        elif self._is_chunked():
            self._chunks(most=0)
        else:
            self._drain(self._length())

    def _drain(self, remaining: int) -> None:
        while remaining and (part := self.rfile.read(min(remaining, 1 << 16))):
            remaining -= len(part)

    def _body(self) -> bytes | None:
        if self._is_chunked():
            return self._chunks(self.limit)
        length = self._length()
        if length <= self.limit:
            return self.rfile.read(length)
        self._drain(length)
        return None

    def _chunks(self, most: int) -> bytes | None:
        parts, total = [], 0
        while size := self._chunk_size():
            left = size
            while left and (part := self.rfile.read(min(left, 1 << 16))):
                left -= len(part)
                if total + size <= most:
                    parts.append(part)
            self.rfile.readline()
            total += size
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(parts) if total <= most else None

    def _chunk_size(self) -> int:
        line = self.rfile.readline()
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise _MalformedBodyError from None
        if size < 0:
            raise _MalformedBodyError
        return size

    def log_message(self, *_: object) -> None:
        return
