"""The HTTP/1.1 server of the API and of the AWS endpoint: whole requests in, whole responses out."""

from __future__ import annotations

import errno
import logging
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from werkzeug.wrappers import Response as WerkzeugResponse

from infra.local.errors import LocalRuntimeError

_LOG = logging.getLogger(__name__)


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


class Server:
    """Threaded server: calls `answer` for every request, each connection in a thread of its own.

    Parameters
    ----------
    listener : socket
        From `bind`.
    answer : callable
        Request to response; an exception becomes a 500 and a log line.
    limit : int
        Largest body in bytes.
    """

    def __init__(self, listener: socket.socket, answer: Callable[[Request], Response], limit: int) -> None:
        handler = type("Handler", (_Handler,), {"answer": staticmethod(answer), "limit": limit})
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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120  # seconds until an idle connection is closed
    disable_nagle_algorithm = True
    wbufsize = -1
    answer: Callable[[Request], Response]
    limit: int

    def serve(self) -> None:
        try:
            body = self._body()
        except ValueError:
            self.send_error(400, "Content-Length or a chunk's size is not a number")
            return
        request = Request(
            self.command, self.path, list(self.headers.items()), body, str(self.client_address[0])
        )
        try:
            response = self.answer(request)
        except Exception:  # the top of a request: logged, and answered with 500
            _LOG.exception("%s %s failed", self.command, self.path.partition("?")[0])
            response = Response(b'{"message":"internal error"}', 500, content_type="application/json")
        parts, _, headers = response.get_wsgi_response({"REQUEST_METHOD": self.command})
        self.send_response_only(response.status_code)
        for name, value in headers:
            self.send_header(name, value)
        if "Date" not in response.headers:
            self.send_header("Date", self.date_time_string())
        if body is None:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.writelines(parts)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _body(self) -> bytes | None:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = int(self.headers.get("Content-Length") or 0)
        if length <= self.limit:
            return self.rfile.read(length)
        remaining = length
        while remaining and (part := self.rfile.read(min(remaining, 1 << 16))):
            remaining -= len(part)  # drain it, or the client would miss the response
        return None

    def _chunks(self) -> bytes | None:
        parts, total = [], 0
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            part = self.rfile.read(size)
            self.rfile.readline()
            total += size
            if total <= self.limit:
                parts.append(part)
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(parts) if total <= self.limit else None

    def log_message(self, *_: object) -> None:
        return
