"""The official client against the endpoint, over HTTP on loopback."""

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, ImageContent, TextContent

from alma.mcp.transport import handle
from tests.unit.mcp.archive import DEED_BODY, HIT, MODELS, PAGE_TEXT, PNG, QUEUE, SCHEMAS, SUMMARY, toolbox


class _Endpoint(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = handle(self.command, dict(self.headers), body, toolbox())
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_DELETE = do_POST

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@contextmanager
def _serving() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/api/mcp"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with _serving() as address:
        yield address


# "auto" asks for the latest revision and finds it; "legacy" shakes hands.
@pytest.mark.parametrize(
    ("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28"), ("2026-07-28", "2026-07-28")]
)
def test_the_client_lists_the_tools_and_calls_each(url: str, mode: str, version: str) -> None:
    calls: dict[str, dict[str, Any]] = {
        "list_documents": {"limit": 10},
        "get_document_fields": {"documentId": 4012},
        "export_document": {"documentId": 4012, "format": "csv"},
        "search_documents": {"text": "Greaves"},
        "get_page_text": {"documentId": 4012, "page": 1},
        "get_page_image": {"documentId": 4012},
        "list_schemas": {},
        "list_models": {},
        "review_queue": {"status": "escalated"},
        "digitize_with_model": {"modelId": "mdl_barbados_deeds_v3", "documentId": 4012},
        "propose_correction": {
            "documentId": 4012,
            "field": "parcel_acreage",
            "version": 1,
            "value": "13.5",
            "evidence": {"page": 2, "bbox": {"x": 0.5, "y": 0.2, "w": 0.1, "h": 0.03}},
            "comment": "The plan on page 2 says so.",
        },
    }

    async def session() -> tuple[str | None, list[str], dict[str, CallToolResult]]:
        async with Client(url, mode=mode) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            answers = {name: await client.call_tool(name, calls[name]) for name in names}
            return client.protocol_version, names, answers

    spoken, names, seen = asyncio.run(session())
    assert spoken == version
    assert names == list(calls)
    assert seen["list_documents"].structured_content == {"documents": [SUMMARY], "nextCursor": None}
    assert seen["get_document_fields"].structured_content == DEED_BODY
    csv = seen["export_document"].structured_content
    assert csv is not None
    assert base64.b64decode(csv["data"]).startswith(b"field_key,value,")
    assert seen["search_documents"].structured_content == {
        "documents": [HIT],
        "searched": 1,
        "nextCursor": None,
    }
    assert seen["get_page_text"].structured_content == PAGE_TEXT
    image = seen["get_page_image"].content[1]
    assert isinstance(image, ImageContent)
    assert (image.mime_type, base64.b64decode(image.data)) == ("image/png", PNG)
    assert seen["list_schemas"].structured_content == SCHEMAS
    assert seen["list_models"].structured_content == MODELS
    assert seen["review_queue"].structured_content == QUEUE
    assert seen["digitize_with_model"].structured_content == {"model": "mdl_barbados_deeds_v3"} | DEED_BODY
    assert seen["propose_correction"].structured_content == QUEUE["items"][0]["field"]


def test_the_client_sees_what_the_model_can_mend_as_a_result_and_an_unknown_tool_as_an_error(
    url: str,
) -> None:
    async def session() -> TextContent:
        async with Client(url) as client:
            with pytest.raises(MCPError, match="Unknown tool: nonsense"):
                await client.call_tool("nonsense", {})
            result = await client.call_tool("get_document_fields", {"documentId": 1})
            assert result.is_error
            [content] = result.content
            assert isinstance(content, TextContent)
            return content

    assert json.loads(asyncio.run(session()).text)["error"] == "not_found"
