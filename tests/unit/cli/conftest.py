"""An API that answers what a test says, however hostile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

Answer = tuple[int, dict[str, str], bytes]
KEY = "alma_" + "k" * 33


@dataclass(frozen=True)
class Seen:
    """A request."""

    method: str
    path: str
    """Below /api/v1, without the query."""
    query: str
    key: str | None
    """`Authorization`."""
    body: Any


@dataclass
class FakeApi:
    """What the API answers, by method and path below /api/v1; 404 where a test says nothing."""

    url: str = ""
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def say(
        self, method: str, path: str, body: Any, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Answer a route with bytes, or with JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[method, path] = (status, headers or {}, raw)

    def asked(self) -> list[tuple[str, str, Any]]:
        """Return method, path and body of every request."""
        return [(each.method, each.path, each.body) for each in self.seen]


@pytest.fixture
def server() -> Iterator[FakeApi]:
    """A running API, which nothing points at."""
    api = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            path = parts.path.removeprefix("/api/v1")
            is_json = self.headers.get("Content-Type") == "application/json"
            body = json.loads(raw) if is_json and raw else raw
            key = self.headers["Authorization"]
            api.seen.append(Seen(self.command, path, parts.query, key, body))
            missing: Answer = 404, {}, b'{"error": "not_found", "detail": "No such thing."}'
            status, headers, answer = api.answers.get((self.command, path), missing)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        api.url = f"http://127.0.0.1:{running.server_port}"
        yield api
        running.shutdown()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, of somebody who has set and stored nothing."""
    for name in ("ALMA_API_URL", "ALMA_API_KEY", "ALMA_TABLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def api(server: FakeApi, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The API that commands in an empty folder talk to."""
    monkeypatch.setenv("ALMA_API_URL", server.url)
    monkeypatch.setenv("ALMA_API_KEY", KEY)
    return server
