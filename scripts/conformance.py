"""Drive alma's MCP endpoint with what others wrote to test such endpoints.

An alma on this machine with two documents is asked by the conformance suite of the Model Context Protocol, in
every revision alma speaks, then by the Inspector's command line and by the Python client, which list and call
every tool. What the suite expects and alma does not offer stands in `mcp-expected-failures.yaml`.

The suite sends no key and calls tools of its own, so it talks to a proxy here that adds a key and puts a tool
of alma's in the place of the suite's where one answers in the same way.

Usage: make conformance
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from alma.mcp.versions import Version
from infra.local.demo import HIGH_LIMITS
from infra.local.runtime import Runtime
from tests.scorers import scorer

ROOT = Path(__file__).parents[1]
PACKAGES = ROOT / ".venv-mcp" / "node_modules"
CONFORMANCE = PACKAGES / "@modelcontextprotocol/conformance/dist/index.js"
INSPECTOR = PACKAGES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
EXPECTED_FAILURES = ROOT / "scripts" / "mcp-expected-failures.yaml"
ORGANISATION = "conformance"
#: The image of the first one's page is small enough to be part of a result.
SAMPLES = ("invoice.pdf", "deed.pdf")
#: What the organisation's own model reads of an invoice.
MODEL_FIELDS = [
    "invoice.invoice_number",
    "invoice.seller_name",
    "invoice.invoice_date",
    "invoice.total_gross",
]
#: Seconds the samples may take.
READING = 120


def main() -> int:
    """Run everything; return 0 if nothing failed but what is expected to."""
    # Not for every kind of machine is there a package of it.
    node = next(PACKAGES.glob("node-*/bin/node"), Path(shutil.which("node") or "node"))
    failed = []
    with (
        Runtime(ROOT / "template.yaml", parameters=HIGH_LIMITS) as runtime,
        tempfile.TemporaryDirectory() as folder,
    ):
        token = _token()
        document_id = _read_samples(runtime, token)
        model = _ready_model(runtime, token, document_id, Path(folder))
        url = f"{runtime.api_url}/api/mcp"
        with _proxy(url, token, _stand_ins(document_id)) as open_url:
            for version in Version:
                print(f"\n== conformance suite, {version.value}", flush=True)
                print(f"(what is expected to fail, and why: {EXPECTED_FAILURES.relative_to(ROOT)})")
                if not _suite(node, open_url, version.value, Path(folder)):
                    failed.append(f"conformance suite, {version.value}")
        for era in ("legacy", "modern"):
            print(f"\n== Inspector, {era}", flush=True)
            calls = _calls(runtime, token, document_id, model)
            failed += [f"Inspector, {era}: {what}" for what in _inspect(node, url, token, era, calls, folder)]
        for mode in ("legacy", "auto"):
            print(f"\n== Python client, {mode}", flush=True)
            calls = _calls(runtime, token, document_id, model)
            failed += [
                f"Python client, {mode}: {what}" for what in asyncio.run(_ask(url, token, mode, calls))
            ]
    print("\n" + ("\n".join(["Failed:", *failed]) if failed else "All as expected."))
    return bool(failed)


def _token() -> str:
    from alma.access import keys, organisations

    organisations.create(ORGANISATION)
    return keys.create(ORGANISATION, "conformance", keys.Role.ADMIN)[1]


def _read_samples(runtime: Runtime, token: str) -> int:
    """Drop the samples, wait until they are read, and return the number of the first."""
    from alma.cli.client import Client as ApiClient
    from alma.cli.target import Api
    from alma.storage import objects

    for name in SAMPLES:
        objects.drop(ORGANISATION, name, ROOT / "samples" / name)
    client = ApiClient(Api(runtime.api_url, token))
    until = time.monotonic() + READING
    while time.monotonic() < until:
        documents: list[dict[str, Any]] = client.call("GET", "/documents", status="ready")["documents"]
        if len(documents) == len(SAMPLES):
            return next(int(each["documentId"]) for each in documents if each["fileName"] == SAMPLES[0])
        time.sleep(0.2)
    raise SystemExit(f"The samples were not read within {READING} s.")


def _ready_model(runtime: Runtime, token: str, document_id: int, folder: Path) -> str:
    """Register a model that believes the rules, and return its id once it has read the document."""
    from alma.cli.client import Client as ApiClient
    from alma.cli.target import Api

    client = ApiClient(Api(runtime.api_url, token))
    body = {"name": "Invoices", "docType": "invoice", "baseModel": "alma-base", "source": "upload"}
    file = folder / "invoices.onnx"
    file.write_bytes(scorer(about={"doc_type": "invoice", "fields": MODEL_FIELDS}))
    model = client.upload_model(file, body, lambda _: None)
    client.wait_for_model(model["id"], READING)
    # What it reads is a change of the fields; reading again is none.
    client.call("POST", f"/models/{model['id']}/digitize", {"documentId": document_id})
    return str(model["id"])


def _calls(runtime: Runtime, token: str, document_id: int, model: str) -> dict[str, dict[str, Any]]:
    """Return arguments with which each tool has something to answer, as things are now."""
    from alma.cli.client import Client as ApiClient
    from alma.cli.target import Api

    client = ApiClient(Api(runtime.api_url, token))
    field = client.call("GET", f"/documents/{document_id}", tracks="all")["fields"][0]
    return {
        "list_documents": {"limit": 10},
        "get_document_fields": {"documentId": document_id},
        "export_document": {"documentId": document_id, "format": "xlsx"},
        "search_documents": {"text": "the"},
        "get_page_text": {"documentId": document_id, "page": 1, "words": True},
        "get_page_image": {"documentId": document_id},
        "list_schemas": {},
        "list_models": {},
        "review_queue": {"limit": 5},
        "digitize_with_model": {"modelId": model, "documentId": document_id},
        "propose_correction": {
            "documentId": document_id,
            "field": field["id"],
            "version": field["version"],
            "value": field["value"],
            "evidence": {name: field["evidence"][name] for name in ("page", "bbox")},
            "comment": "It is what the page says.",
        },
    }


def _stand_ins(document_id: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return, for tools of the suite, a call of alma's that has to be answered alike."""
    return {
        "test_simple_text": ("get_document_fields", {"documentId": document_id}),
        "test_image_content": ("get_page_image", {"documentId": document_id}),
        "test_error_handling": ("get_document_fields", {"documentId": 10**11}),
    }


def _suite(node: Path, url: str, version: str, folder: Path) -> bool:
    command: list[str | Path] = [node, CONFORMANCE, "server", "--url", url, "--suite", "all"]
    command += ["--spec-version", version, "--expected-failures", EXPECTED_FAILURES]
    command += ["--output-dir", folder / version]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    _, found, summary = done.stdout.partition("=== SUMMARY ===")
    print(summary.strip() if found else done.stdout, done.stderr, sep="\n", end="", flush=True)
    return done.returncode == 0


def _inspect(
    node: Path, url: str, token: str, era: str, calls: dict[str, dict[str, Any]], folder: str
) -> Iterator[str]:
    """List and call every tool with the Inspector; yield what went wrong."""
    head: list[str | Path] = [node, INSPECTOR, "--cli", "--server-url", url, "--transport", "http"]
    head += [
        "--protocol-era",
        era,
        "--header",
        f"Authorization: Bearer {token}",
        "--format",
        "json",
        "--quiet",
    ]

    def ask(*more: str) -> Any:
        # Its own home: it keeps files there.
        environ = {**os.environ, "HOME": folder}
        done = subprocess.run([*head, *more], capture_output=True, text=True, check=False, env=environ)
        try:
            return json.loads(done.stdout)["result"] if done.returncode == 0 else done.stderr.strip()
        except (ValueError, KeyError):
            return done.stdout

    listed = ask("--method", "tools/list", "--strict")
    names = [tool["name"] for tool in listed["tools"]] if isinstance(listed, dict) else []
    print("tools/list:", ", ".join(names) or listed)
    if sorted(names) != sorted(calls):
        yield "tools/list"
    for name, arguments in calls.items():
        result = ask("--method", "tools/call", "--tool-name", name, "--tool-args-json", json.dumps(arguments))
        good = isinstance(result, dict) and "structuredContent" in result
        print(f"{name}: {'ok' if good else result}", flush=True)
        if not good:
            yield name


async def _ask(url: str, token: str, mode: str, calls: dict[str, dict[str, Any]]) -> list[str]:
    """List and call every tool with the Python client; return what went wrong."""
    wrong = []
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http_client:
        transport = streamable_http_client(url, http_client=http_client)
        async with Client(transport, mode=mode) as client:
            print(f"revision {client.protocol_version}")
            names = [tool.name for tool in (await client.list_tools()).tools]
            if sorted(names) != sorted(calls):
                wrong.append("tools/list")
            for name, arguments in calls.items():
                result = await client.call_tool(name, arguments)
                print(f"{name}: {'failed' if result.is_error else 'ok'}", flush=True)
                if result.is_error:
                    wrong.append(name)
    return wrong


def _replaced(body: bytes, stand_ins: dict[str, tuple[str, dict[str, Any]]]) -> tuple[str | None, bytes]:
    """Return the tool that a call is of now, None if it is as it came, and the body."""
    try:
        message = json.loads(body)
        name, arguments = stand_ins[message["params"]["name"]]
    except (ValueError, LookupError, TypeError):
        return None, body
    message["params"] |= {"name": name, "arguments": arguments}
    return name, json.dumps(message).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where the suite hangs up, which it does on purpose."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def _proxy(url: str, token: str, stand_ins: dict[str, tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """Serve a proxy to `url` that adds a key and replaces calls, and yield its address."""
    target = urlsplit(url)

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            called, body = _replaced(body, stand_ins)
            headers = [pair for pair in self.headers.items() if pair[0].lower() != "content-length"]
            if called:
                headers = [(k, called if k.lower() == "mcp-name" else v) for k, v in headers]
            connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=35)
            connection.putrequest(self.command, target.path, skip_host=True, skip_accept_encoding=True)
            headers += [("Content-Length", str(len(body))), ("Authorization", f"Bearer {token}")]
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_DELETE = do_POST

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    with _Server(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/mcp"
        server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
