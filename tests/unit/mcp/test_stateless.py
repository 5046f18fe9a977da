"""The MCP endpoint for 2026-07-28, whose requests say everything themselves."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from alma import __version__
from alma.mcp.methods import INSTRUCTIONS
from alma.mcp.transport import handle
from tests.unit.mcp.archive import DEED_BODY, toolbox

VERSION = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
META: dict[str, Any] = {
    f"{PREFIX}protocolVersion": VERSION,
    f"{PREFIX}clientInfo": {"name": "client", "version": "1"},
    f"{PREFIX}clientCapabilities": {},
}
SERVER = {
    f"{PREFIX}serverInfo": {"name": "alma", "title": "alma document intelligence", "version": __version__}
}


def headers_for(method: str, name: str | None = None) -> dict[str, str]:
    """Return the headers that mirror a request."""
    headers = {"Content-Type": "application/json", "MCP-Protocol-Version": VERSION, "Mcp-Method": method}
    return headers if name is None else headers | {"Mcp-Name": name}


def post(message: object, headers: Mapping[str, str]) -> tuple[int, Any]:
    response = handle("POST", headers, json.dumps(message).encode(), toolbox())
    return response.status, json.loads(response.body) if response.body else None


def request(method: str, meta: object = META, **params: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}


def call(name: str, **arguments: object) -> tuple[int, Any]:
    return post(request("tools/call", name=name, arguments=arguments), headers_for("tools/call", name))


def code(answer: tuple[int, Any]) -> tuple[int, int]:
    """Return the HTTP status and the code of an error that names its request."""
    status, body = answer
    assert body["id"] == 1
    return status, body["error"]["code"]


def test_discover_tells_versions_capabilities_and_who_answers() -> None:
    assert post(request("server/discover"), headers_for("server/discover")) == (
        200,
        {
            "jsonrpc": "2.0",
            "id": 1,
            "result": {
                "resultType": "complete",
                "supportedVersions": ["2026-07-28", "2025-11-25", "2025-06-18"],
                "capabilities": {"tools": {"listChanged": False}},
                "instructions": INSTRUCTIONS,
                "ttlMs": 300000,
                "cacheScope": "public",
                "_meta": SERVER,
            },
        },
    )


def test_the_list_of_tools_may_be_kept_for_a_while_but_not_shared() -> None:
    status, body = post(request("tools/list"), headers_for("tools/list"))
    tools = body["result"].pop("tools")
    assert (status, len(tools)) == (200, 11)
    assert body["result"] == {
        "resultType": "complete",
        "ttlMs": 300000,
        "cacheScope": "private",
        "_meta": SERVER,
    }


def test_a_call_is_answered_with_a_complete_result() -> None:
    status, body = call("get_document_fields", documentId=4012)
    assert status == 200
    assert body["result"]["structuredContent"] == DEED_BODY
    assert (body["result"]["resultType"], body["result"]["_meta"]) == ("complete", SERVER)
    assert "ttlMs" not in body["result"]


def test_a_failure_the_model_can_mend_is_a_complete_result_too() -> None:
    status, body = call("get_document_fields", documentId=9)
    assert (status, body["result"]["isError"], body["result"]["resultType"]) == (200, True, "complete")


def test_who_the_client_is_need_not_be_said() -> None:
    meta = {key: value for key, value in META.items() if not key.endswith("clientInfo")}
    assert post(request("tools/list", meta), headers_for("tools/list"))[0] == 200


@pytest.mark.parametrize(
    "params",
    [
        None,
        {},
        {"_meta": None},
        {"_meta": []},
        {"_meta": {}},
        {"_meta": {f"{PREFIX}protocolVersion": VERSION}},
        {"_meta": {f"{PREFIX}clientCapabilities": {}}},
        {"_meta": META | {f"{PREFIX}protocolVersion": 20260728}},
        {"_meta": META | {f"{PREFIX}clientCapabilities": None}},
    ],
)
def test_a_request_without_its_metadata_is_malformed(params: object) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}
    assert code(post(message, headers_for("tools/list"))) == (400, -32602)


@pytest.mark.parametrize(
    "headers",
    [
        {"MCP-Protocol-Version": "2025-11-25"},
        {"MCP-Protocol-Version": "2026-07-28, 2026-07-28"},
        {"Mcp-Method": "tools/call"},
        {"Mcp-Method": "TOOLS/LIST"},
    ],
)
def test_headers_that_say_something_else_than_the_body_are_refused(headers: dict[str, str]) -> None:
    assert code(post(request("tools/list"), headers_for("tools/list") | headers)) == (400, -32020)


@pytest.mark.parametrize("absent", ["MCP-Protocol-Version", "Mcp-Method"])
def test_headers_that_are_missing_are_refused(absent: str) -> None:
    headers = headers_for("tools/list")
    del headers[absent]
    assert code(post(request("tools/list"), headers)) == (400, -32020)


@pytest.mark.parametrize(
    "name",
    [None, "export_document", "=?base64?!?=", "=?base64?//8=?=", "=?base64?ZXhwb3J0?=", "List_Documents"],
)
def test_the_name_of_the_tool_has_to_stand_in_its_header(name: str | None) -> None:
    message = request("tools/call", name="list_documents", arguments={})
    assert code(post(message, headers_for("tools/call", name))) == (400, -32020)


@pytest.mark.parametrize(
    "name",
    [
        "list_documents",
        "  list_documents ",
        f"=?base64?{base64.b64encode(b'list_documents').decode()}?=",
    ],
)
def test_the_header_of_the_name_may_be_padded_or_in_base64(name: str) -> None:
    message = request("tools/call", name="list_documents", arguments={})
    assert post(message, headers_for("tools/call", name))[0] == 200


def test_an_unknown_version_is_refused_with_those_there_are() -> None:
    meta = META | {f"{PREFIX}protocolVersion": "2099-01-01"}
    headers = headers_for("tools/list") | {"MCP-Protocol-Version": "2099-01-01"}
    assert post(request("tools/list", meta), headers) == (
        400,
        {
            "jsonrpc": "2.0",
            "id": 1,
            "error": {
                "code": -32022,
                "message": "Unsupported protocol version.",
                "data": {
                    "supported": ["2026-07-28", "2025-11-25", "2025-06-18"],
                    "requested": "2099-01-01",
                },
            },
        },
    )


def test_of_an_unknown_version_nothing_else_is_asked() -> None:
    meta = {f"{PREFIX}protocolVersion": "2099-01-01"}
    headers = {"Content-Type": "application/json", "MCP-Protocol-Version": "2099-01-01"}
    assert code(post(request("server/discover", meta), headers)) == (400, -32022)


def test_a_handshake_revision_in_the_metadata_is_refused() -> None:
    meta = META | {f"{PREFIX}protocolVersion": "2025-11-25"}
    headers = headers_for("tools/list") | {"MCP-Protocol-Version": "2025-11-25"}
    assert code(post(request("tools/list", meta), headers)) == (400, -32022)


@pytest.mark.parametrize(
    "method",
    ["initialize", "ping", "logging/setLevel", "resources/list", "subscriptions/listen", "nothing", ""],
)
def test_a_method_that_is_not_there_is_not_found(method: str) -> None:
    assert code(post(request(method), headers_for(method))) == (404, -32601)


def test_an_unknown_tool_is_a_protocol_error() -> None:
    assert code(call("drop_table")) == (400, -32602)


def test_a_notification_is_accepted() -> None:
    message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert post(message, headers_for("notifications/cancelled")) == (202, None)


def test_an_answer_to_a_question_nobody_asked_is_refused() -> None:
    assert code(post({"jsonrpc": "2.0", "id": 1, "result": {}}, headers_for("x"))) == (400, -32600)


def test_sessions_and_resumed_streams_of_older_revisions_are_ignored() -> None:
    headers = headers_for("tools/list") | {"Mcp-Session-Id": "abc", "Last-Event-ID": "7"}
    assert post(request("tools/list"), headers)[0] == 200
