"""The bridge between an agent's standard input and output and the endpoint."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from alma.cli import bridge, main
from alma.cli.client import Client
from alma.cli.target import Api


class Endpoint(BaseHTTPRequestHandler):
    """An endpoint that answers with what it was sent, as late as the message says."""

    protocol_version = "HTTP/1.1"
    headers_seen: dict[Any, dict[str, str]]
    refusals: list[tuple[int, dict[str, str], Any]]

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).headers_seen[message.get("id")] = {k.lower(): v for k, v in self.headers.items()}
        time.sleep(message.get("params", {}).get("seconds", 0))
        body: Any = {"jsonrpc": "2.0", "id": message.get("id"), "result": {}}
        status, headers = 200, dict[str, str]()
        if message.get("method") == "initialize":
            body["result"] = {"protocolVersion": "2025-11-25"}
        if self.refusals:
            status, headers, body = self.refusals.pop(0)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        if "id" not in message and status == 200:
            status, raw = 202, b""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def client() -> Iterator[Client]:
    Endpoint.headers_seen, Endpoint.refusals = {}, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield Client(Api(f"http://127.0.0.1:{server.server_port}", "alma_x"))
        server.shutdown()


def request(number: int, method: str = "ping", **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def exchange(client: Client, *messages: Any) -> list[Any]:
    lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages]
    sink = io.BytesIO()
    bridge.run(client, io.BytesIO(b"\n".join(lines)), sink)
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def ids(answers: list[Any]) -> list[Any]:
    return [answer["id"] for answer in answers]


def test_no_message_waits_for_a_slow_one(client: Client) -> None:
    started = time.monotonic()

    answers = exchange(client, *(request(number, seconds=0.5) for number in range(6)), request(6))

    assert (ids(answers)[0], sorted(ids(answers))) == (6, list(range(7)))
    assert time.monotonic() - started < 2.5  # one after the other it would be 3


def test_the_handshake_is_waited_for_and_what_it_agrees_on_goes_along(client: Client) -> None:
    answers = exchange(client, request(1, "initialize", seconds=0.2), request(2))

    assert ids(answers) == [1, 2]
    assert "mcp-protocol-version" not in Endpoint.headers_seen[1]
    assert Endpoint.headers_seen[2]["mcp-protocol-version"] == "2025-11-25"


def test_a_request_that_was_cancelled_is_not_answered(client: Client) -> None:
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}

    assert ids(exchange(client, request(1, seconds=0.3), cancel, request(2))) == [2]


def test_an_input_that_ends_waits_for_the_answers_as_long_as_they_may_take(client: Client) -> None:
    assert ids(exchange(client, request(1, seconds=6), request(2))) == [2, 1]


def test_what_was_cancelled_is_not_waited_for_when_the_input_ends(client: Client) -> None:
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    started = time.monotonic()

    assert exchange(client, request(1, seconds=20), cancel) == []
    assert time.monotonic() - started < 10


def test_answers_that_are_not_waited_for_are_counted_and_the_command_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bridge, "LAST_SECONDS", 0.3)
    lines = [json.dumps(each).encode() for each in (request(1, seconds=20), request(2))]
    monkeypatch.setenv("ALMA_API_URL", client.url)
    monkeypatch.setenv("ALMA_API_KEY", "alma_x")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n".join(lines))))

    status = main(["mcp", "--stdio"])

    said = capsys.readouterr()
    assert (status, ids([json.loads(said.out)])) == (1, [2])
    assert said.err == "alma: the input has ended, and 1 of its requests got no answer in time\n"


def test_who_asked_nothing_is_answered_nothing(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    refused = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "Not so."}}
    Endpoint.refusals = [(400, {}, refused)]

    assert exchange(client, {"jsonrpc": "2.0", "method": "notifications/initialized"}) == []
    assert "alma: Not so." in capsys.readouterr().err


def test_over_the_limit_a_message_waits_for_its_turn(client: Client) -> None:
    Endpoint.refusals = [(429, {"Retry-After": "0"}, {})]

    assert exchange(client, request(1)) == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (200, b"<html>", "An unexpected answer, status 200."),
        (200, b"[" * 100_000, "An unexpected answer, status 200."),
        (502, b"", "An unexpected answer, status 502."),
        (403, {"error": "forbidden", "detail": "No.", "request_id": "x"}, "No."),
        (
            401,
            {"error": "unauthorized"},
            "The key is malformed, expired or revoked; check ALMA_API_KEY, or log in with another.",
        ),
    ],
)
def test_what_is_no_answer_of_the_protocol_becomes_an_error(
    client: Client, status: int, body: Any, sentence: str
) -> None:
    Endpoint.refusals = [(status, {}, body)]

    assert exchange(client, request(7)) == [
        {"jsonrpc": "2.0", "id": 7, "error": {"code": -32603, "message": sentence}}
    ]


def test_an_endpoint_that_is_not_there_is_told(client: Client) -> None:
    (answer,) = exchange(Client(Api("http://127.0.0.1:9", "alma_x")), request(7))

    assert answer["error"]["message"] == "http://127.0.0.1:9 does not answer: connection refused"


def test_what_a_request_says_of_itself_goes_along_as_headers(client: Client) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    exchange(
        client,
        request(1, "tools/call", name="list_documents", _meta=meta),
        request(2, "tools/call", name="größe", _meta=meta),
        request(3, "tölls", _meta=meta),
    )

    seen = Endpoint.headers_seen
    assert [seen[1][f"mcp-{each}"] for each in ("protocol-version", "method", "name")] == [
        "2026-07-28",
        "tools/call",
        "list_documents",
    ]
    assert seen[2]["mcp-name"] == "=?base64?Z3LDtsOfZQ==?="
    assert "mcp-method" not in seen[3]
