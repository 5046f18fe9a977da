"""The official client against the endpoint, over HTTP on loopback."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import TextContent

from alma.mcp.tools import ToolBox
from alma.mcp.transport import handle
from tests.unit.mcp_archive import DEED_BODY, SUMMARY, MemoryArchive


class _Endpoint(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = handle(self.command, dict(self.headers), body, ToolBox(MemoryArchive()))
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


# "auto" first asks for a later revision and must find its way to the one there is.
@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_client_shakes_hands_lists_the_tools_and_calls_each(url: str, mode: str) -> None:
    async def session() -> dict[str, Any]:
        async with Client(url, mode=mode) as client:
            return {
                "version": client.protocol_version,
                "tools": [tool.name for tool in (await client.list_tools()).tools],
                "listed": await client.call_tool("list_documents", {"limit": 10}),
                "fields": await client.call_tool("get_document_fields", {"documentId": 4012}),
                "csv": await client.call_tool("export_document", {"documentId": 4012, "format": "csv"}),
            }

    seen = asyncio.run(session())
    assert seen["version"] == "2025-06-18"
    assert seen["tools"] == ["list_documents", "get_document_fields", "export_document"]
    assert seen["listed"].structured_content == {"documents": [SUMMARY], "nextCursor": None}
    assert seen["fields"].structured_content == DEED_BODY
    assert seen["csv"].structured_content["data"].startswith("field_key,value,")


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
