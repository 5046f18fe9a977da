"""The MCP endpoint, message by message."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from alma import __version__
from alma.mcp.jsonrpc import HttpAnswer
from alma.mcp.methods import INSTRUCTIONS
from alma.mcp.transport import handle, refusal
from tests.unit.mcp.archive import DEED_BODY, toolbox

JSON = {"Content-Type": "application/json"}


def post(
    message: object, headers: Mapping[str, str] = JSON, *, host: str | None = None, method: str = "POST"
) -> HttpAnswer:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return handle(method, headers, body, toolbox(), host=host)


def answer(message: object, headers: Mapping[str, str] = JSON) -> Any:
    response = post(message, headers)
    assert response.status == 200
    assert response.headers == {"Content-Type": "application/json"}
    return json.loads(response.body)


def error(message: object, status: int = 200, headers: Mapping[str, str] = JSON) -> tuple[Any, int, str]:
    response = post(message, headers)
    assert response.status == status
    body = json.loads(response.body)
    assert body["jsonrpc"] == "2.0"
    return body["id"], body["error"]["code"], body["error"]["message"]


def request(method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def test_the_documented_tools_call_is_answered_as_documented() -> None:
    body = b"""{
      "jsonrpc": "2.0",
      "id": 1,
      "method": "tools/call",
      "params": {
        "name": "get_document_fields",
        "arguments": { "documentId": 4012 }
      }
    }"""
    # The headers curl sends with the documented command.
    reply = answer(body, {"accept": "*/*", "content-type": "application/json", "user-agent": "curl/8.5.0"})
    [content] = reply["result"].pop("content")
    assert (content["type"], json.loads(content["text"])) == ("text", DEED_BODY)
    assert reply == {"jsonrpc": "2.0", "id": 1, "result": {"structuredContent": DEED_BODY}}


@pytest.mark.parametrize(
    ("requested", "answered"),
    [
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2024-11-05", "2025-11-25"),
        ("2025-03-26", "2025-11-25"),
        # It has no handshake, so who shakes hands is answered with the latest that has.
        ("2026-07-28", "2025-11-25"),
        ("9999-12-31", "2025-11-25"),
        ("", "2025-11-25"),
    ],
)
def test_initialize_reports_the_requested_revision_or_the_latest_with_a_handshake(
    requested: str, answered: str
) -> None:
    message = request(
        "initialize",
        protocolVersion=requested,
        capabilities={},
        clientInfo={"name": "client", "version": "1"},
    )
    # A header on the first request is the client's wish, not yet an agreement.
    assert answer(message, {**JSON, "MCP-Protocol-Version": requested}) == {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "protocolVersion": answered,
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": {
                "name": "alma",
                "title": "alma document intelligence",
                "version": __version__,
            },
            "instructions": INSTRUCTIONS,
        },
    }


def test_initialize_without_a_revision_is_refused() -> None:
    assert error(request("initialize", capabilities={}))[:2] == (1, -32602)


def test_ping_is_answered_with_an_empty_result_and_the_same_id() -> None:
    assert answer({"jsonrpc": "2.0", "id": "a-7", "method": "ping"}) == {
        "jsonrpc": "2.0",
        "id": "a-7",
        "result": {},
    }


def test_tools_list_has_all_tools_on_one_page() -> None:
    result = answer({"jsonrpc": "2.0", "id": 0, "method": "tools/list"})["result"]
    assert [tool["name"] for tool in result["tools"]] == [
        "list_documents",
        "get_document_fields",
        "export_document",
        "search_documents",
        "get_page_text",
        "get_page_image",
        "list_schemas",
        "list_models",
        "review_queue",
        "digitize_with_model",
        "propose_correction",
    ]
    assert "nextCursor" not in result


def test_tools_list_refuses_a_cursor_since_it_never_gives_one() -> None:
    assert error(request("tools/list", cursor="abc")) == (1, -32602, "Invalid params: unknown cursor.")


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "get_document_fields"}},
        {"jsonrpc": "2.0", "id": 3, "result": {}},
        {"jsonrpc": "2.0", "id": 3, "error": {"code": -1, "message": "no"}},
    ],
)
def test_what_asks_nothing_is_accepted_without_a_body(message: object) -> None:
    assert post(message) == HttpAnswer(202, {}, b"")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe{}", b'{"jsonrpc": NaN}', b"[" * 100_000, b"\xef\xbb\xbf{}", b"1" * 5000],
)
def test_what_is_not_json_in_utf8_is_a_parse_error(body: bytes) -> None:
    assert error(body, 400) == (None, -32700, "Parse error: the body is not JSON in UTF-8.")


@pytest.mark.parametrize(
    "message",
    [
        "ping",
        None,
        {},
        {"id": 1, "method": "ping"},
        {"jsonrpc": "1.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"jsonrpc": "2.0", "id": True, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1.5, "method": "ping"},
        {"jsonrpc": "2.0", "id": [1], "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "method": 7},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "result": {}},
        {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}},
    ],
)
def test_json_that_is_no_message_is_an_invalid_request(message: object) -> None:
    assert error(message, 400)[:2] == (None, -32600)


@pytest.mark.parametrize("batch", [[], [{"jsonrpc": "2.0", "id": 1, "method": "ping"}]])
def test_a_batch_is_refused(batch: object) -> None:
    assert error(batch, 400) == (None, -32600, "Invalid request: send one message, not a batch.")


@pytest.mark.parametrize("method", ["resources/list", "prompts/list", "server/discover", "tools/List", ""])
def test_an_unknown_method_is_not_found(method: str) -> None:
    assert error(request(method)) == (1, -32601, f"Method not found: {method}")


@pytest.mark.parametrize("params", [[], "x", 1, False])
def test_params_that_are_no_object_are_refused(params: object) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}
    assert error(message) == (1, -32602, "Invalid params: not an object.")


def test_params_may_be_null_and_may_carry_meta() -> None:
    assert answer({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": None})["result"] == {}
    assert answer(request("ping", _meta={"progressToken": 1}))["result"] == {}


def test_an_unknown_tool_is_a_protocol_error() -> None:
    assert error(request("tools/call", name="drop_table", arguments={})) == (
        1,
        -32602,
        "Unknown tool: drop_table",
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "Invalid params: name is a string."),
        ({"name": ["x"]}, "Invalid params: name is a string."),
        ({"name": "get_document_fields", "arguments": [4012]}, "Invalid params: arguments is an object."),
    ],
)
def test_a_call_that_is_none_is_a_protocol_error(params: dict[str, object], message: str) -> None:
    assert error(request("tools/call", **params)) == (1, -32602, message)


@pytest.mark.parametrize(
    ("name", "arguments", "detail"),
    [
        ("get_document_fields", None, "documentId: Field required"),
        ("get_document_fields", {"documentId": "4012a"}, "documentId: Input should be a valid integer"),
        ("get_document_fields", {"documentId": True}, "documentId: Input should be a valid integer"),
        (
            "get_document_fields",
            {"documentId": 0},
            "documentId: Input should be greater than or equal to 1",
        ),
        (
            "get_document_fields",
            {"documentId": 4012, "organisation": "x"},
            "organisation: Extra inputs are not permitted",
        ),
        (
            "export_document",
            {"documentId": 4012, "format": "pdf"},
            "format: Input should be 'json', 'csv' or 'xlsx'",
        ),
        ("list_documents", {"limit": 1000}, "limit: Input should be less than or equal to 200"),
    ],
)
def test_wrong_arguments_are_a_result_that_says_which_and_why(
    name: str, arguments: object, detail: str
) -> None:
    result = answer(request("tools/call", name=name, arguments=arguments))["result"]
    assert result["isError"] is True
    [content] = result["content"]
    assert json.loads(content["text"]) == {"error": "invalid_arguments", "detail": detail}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS", "HEAD"])
def test_only_post_is_allowed(method: str) -> None:
    response = post(b"", {"Accept": "text/event-stream"}, method=method)
    assert (response.status, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("version", ["2025-06-18", " 2025-06-18 ", "2025-11-25"])
def test_the_negotiated_revision_may_be_named_in_the_header(version: str) -> None:
    assert answer(request("ping"), {**JSON, "mcp-protocol-version": version})["result"] == {}


@pytest.mark.parametrize("version", ["2025-03-26", "1900-01-01", "latest", ""])
def test_another_revision_in_the_header_is_refused_with_those_there_are(version: str) -> None:
    response = post(request("ping"), {**JSON, "MCP-Protocol-Version": version})
    assert response.status == 400
    assert json.loads(response.body) == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {
            "code": -32022,
            "message": "Unsupported protocol version.",
            "data": {"supported": ["2026-07-28", "2025-11-25", "2025-06-18"], "requested": version},
        },
    }


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.test",
        "http://evil.test:8000",
        "http://localhost.evil.test",
        "http://127.0.0.1.evil.test",
        "https://api.alma.test.evil.test",
        "http://10.0.0.1",
        "http://[::1",
        "null",
        "",
    ],
)
def test_a_page_from_elsewhere_is_forbidden(origin: str) -> None:
    # The Host header is no defence: after DNS rebinding it is the page's own name.
    headers = {**JSON, "Origin": origin, "Host": "evil.test"}
    assert post(request("ping"), headers, host="api.alma.test").status == 403
    assert post(request("ping"), headers).status == 403


@pytest.mark.parametrize(
    "origin",
    [
        "https://api.alma.test",
        "https://API.alma.test:443",
        "http://localhost:6274",
        "http://127.0.0.1:8000",
        "http://[::1]:3000",
    ],
)
def test_a_page_of_this_machine_or_of_the_endpoint_itself_may_call(origin: str) -> None:
    assert post(request("ping"), {**JSON, "Origin": origin}, host="api.alma.test:443").status == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"]
)
def test_a_body_that_is_not_declared_as_json_is_an_unsupported_media_type(content_type: str) -> None:
    assert error(request("ping"), 415, {"Content-Type": content_type})[:2] == (None, -32600)


def test_a_body_without_a_content_type_is_an_unsupported_media_type() -> None:
    assert post(request("ping"), {}).status == 415


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON;charset=utf-8"]
)
def test_json_may_come_with_parameters(content_type: str) -> None:
    assert answer(request("ping"), {"CONTENT-TYPE": content_type})["result"] == {}


@pytest.mark.parametrize(
    "accept",
    [
        "application/json, text/event-stream",
        "application/json",
        "text/event-stream;q=0.5, application/json;q=0.9",
        "application/*",
        "*/*",
        "",
    ],
)
def test_clients_that_take_json_are_served(accept: str) -> None:
    assert answer(request("ping"), {**JSON, "Accept": accept})["result"] == {}


@pytest.mark.parametrize("accept", ["text/event-stream", "text/html"])
def test_clients_that_do_not_take_json_are_not_acceptable(accept: str) -> None:
    assert post(request("ping"), {**JSON, "Accept": accept}).status == 406


def test_text_that_has_no_utf8_form_is_echoed_as_its_escape() -> None:
    assert answer(b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}')["id"] == "\ud800"


@pytest.mark.parametrize(("status", "code"), [(500, -32603), (503, -32603), (429, -32600), (403, -32600)])
def test_a_refusal_is_an_error_with_the_id_of_the_request(status: int, code: int) -> None:
    body = json.dumps(request("tools/list")).encode()
    response = refusal(body, status, "Try again.", {"error": "slug"})
    assert response.status == status
    assert json.loads(response.body) == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": code, "message": "Try again.", "data": {"error": "slug"}},
    }
    assert json.loads(refusal(b"{", status, "Try again.", {}).body)["id"] is None


def test_an_id_that_would_not_fit_into_an_answer_is_refused() -> None:
    assert error({"jsonrpc": "2.0", "id": "x" * 1001, "method": "ping"}, 400) == (
        None,
        -32600,
        "Invalid request: id has at most 1000 characters.",
    )
    assert answer({"jsonrpc": "2.0", "id": "x" * 1000, "method": "ping"})["result"] == {}


def test_a_body_that_is_compressed_is_an_unsupported_media_type() -> None:
    assert post(request("ping"), {**JSON, "Content-Encoding": "gzip"}).status == 415
    assert post(request("ping"), {**JSON, "Content-Encoding": "identity"}).status == 200


def test_the_endpoint_starts_without_the_storage_and_the_spreadsheets() -> None:
    code = (
        "import sys; import alma.mcp.transport; "
        "sys.exit(' '.join({'boto3', 'botocore', 'pynamodb', 'openpyxl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == ""
