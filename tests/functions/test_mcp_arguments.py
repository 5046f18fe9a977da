"""Arguments as the clients of agents really send them: taken where they can be meant in one way only."""

from __future__ import annotations

import base64
import json
from typing import Any

import jsonschema
import pytest

from alma.access.keys import Role
from tests.cloud import Tenant, seed_fields

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def greaves() -> Tenant:
    """An organisation with one deed."""
    tenant = Tenant.create("greaves")
    tenant.seed_document(seed_fields())
    return tenant


def ask(tenant: Tenant, method: str, params: dict[str, Any]) -> Any:
    """Send a message and return its result or its error."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = tenant.call("mcp", "POST", "/mcp", body=message, role=Role.ADMIN)
    body = base64.b64decode(answer.body) if answer.encoded else answer.body
    found = json.loads(body)
    return found.get("result", found.get("error"))


def call(tenant: Tenant, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a tool and return its result."""
    result: dict[str, Any] = ask(tenant, "tools/call", {"name": name, "arguments": arguments})
    return result


def given(tenant: Tenant, name: str, arguments: dict[str, Any]) -> Any:
    """Call a tool that takes the arguments, and return what it gives."""
    result = call(tenant, name, arguments)
    assert "isError" not in result, result
    return result["structuredContent"]


def refusal(tenant: Tenant, name: str, arguments: dict[str, Any]) -> str:
    """Call a tool that does not take the arguments, and return what it says."""
    result = call(tenant, name, arguments)
    assert result.get("isError") is True, result
    told = json.loads(result["content"][0]["text"])
    assert told["error"] in ("invalid_arguments", "bad_request")
    return str(told["detail"])


BOX = {"x": 0.142, "y": 0.331, "w": 0.268, "h": 0.041}


@pytest.mark.parametrize(
    ("name", "sent", "meant"),
    [
        # null for what may be left out
        (
            "list_documents",
            {"limit": None, "cursor": None, "docType": None, "status": None},
            {},
        ),
        ("get_document_fields", {"documentId": 1, "tracks": None, "limit": None}, {"documentId": 1}),
        (
            "export_document",
            {"documentId": 1, "format": None, "encoding": None},
            {"documentId": 1},
        ),
        # empty text for it
        ("list_documents", {"cursor": "", "docType": "", "status": "", "limit": ""}, {}),
        ("search_documents", {"text": "Greaves", "cursor": ""}, {"text": "Greaves"}),
        ("review_queue", {"cursor": "", "field": "", "maxConfidence": ""}, {}),
        ("get_document_fields", {"documentId": 1, "tracks": "", "cursor": ""}, {"documentId": 1}),
        # numbers as text
        ("get_document_fields", {"documentId": "1", "limit": "1"}, {"documentId": 1, "limit": 1}),
        ("export_document", {"documentId": "1"}, {"documentId": 1}),
        ("review_queue", {"maxConfidence": "0.7", "limit": "5"}, {"maxConfidence": 0.7, "limit": 5}),
        ("list_documents", {"limit": 7.0}, {"limit": 7}),
        # truth values as text
        ("get_document_fields", {"documentId": 1, "tracks": "true"}, {"documentId": 1, "tracks": True}),
        ("get_document_fields", {"documentId": 1, "tracks": "False"}, {"documentId": 1, "tracks": False}),
        # an argument that stands for none
        ("list_schemas", {"random_string": "dummy"}, {}),
        ("list_models", {"dummy": ""}, {}),
        ("list_documents", {"random_string": ""}, {}),
        ("review_queue", {"random_string": "x"}, {}),
    ],
)
def test_what_clients_send_is_taken_as_it_is_meant(
    greaves: Tenant, name: str, sent: dict[str, Any], meant: dict[str, Any]
) -> None:
    assert given(greaves, name, sent) == given(greaves, name, meant)


def test_objects_may_come_as_text_and_their_numbers_too(greaves: Tenant) -> None:
    field = {"documentId": 1, "field": "parcel_acreage", "comment": "The other acreage."}
    in_parts = {"page": "2", "bbox": {name: str(side) for name, side in BOX.items()}}
    for evidence in (in_parts, json.dumps({"page": "2", "bbox": json.dumps(in_parts["bbox"])})):
        version = given(greaves, "get_document_fields", {"documentId": 1, "tracks": True})["fields"][1][
            "version"
        ]
        sent = {**field, "version": str(version), "value": "13", "row": "", "evidence": evidence}
        proposed = given(greaves, "propose_correction", sent)
        assert proposed["tracks"][-1]["evidence"] == {"page": 2, "bbox": BOX}


@pytest.mark.parametrize(
    ("name", "sent", "detail"),
    [
        ("get_document_fields", {"documentId": None}, "documentId: Input should be a valid integer"),
        ("get_document_fields", {"documentId": ""}, "documentId: Input should be a valid integer"),
        ("get_document_fields", {"documentId": "0x1"}, "documentId: Input should be a valid integer"),
        ("get_document_fields", {"documentId": "1e0"}, "documentId: Input should be a valid integer"),
        ("get_document_fields", {"documentId": " 1"}, "documentId: Input should be a valid integer"),
        (
            "get_document_fields",
            {"documentId": "0"},
            "documentId: Input should be greater than or equal to 1",
        ),
        (
            "get_document_fields",
            {"documentId": 1, "tracks": "yes"},
            "tracks: Input should be a valid boolean",
        ),
        ("get_document_fields", {"documentId": 1, "tracks": 1}, "tracks: Input should be a valid boolean"),
        (
            "get_document_fields",
            {"documentId": 1, "random_string": "x"},
            "random_string: Extra inputs are not permitted",
        ),
        ("list_schemas", {"docType": "invoice"}, "docType: Extra inputs are not permitted"),
        ("list_schemas", {"docType": None}, "docType: Extra inputs are not permitted"),
        ("review_queue", {"maxConfidence": "7"}, "maxConfidence: Input should be less than or equal to 1"),
        ("list_documents", {"limit": "1,000"}, "limit: Input should be a valid integer"),
    ],
)
def test_what_could_be_meant_otherwise_is_refused_as_ever(
    greaves: Tenant, name: str, sent: dict[str, Any], detail: str
) -> None:
    assert refusal(greaves, name, sent) == detail


def test_an_empty_value_is_not_taken_for_none(greaves: Tenant) -> None:
    fields = given(greaves, "get_document_fields", {"documentId": 1, "tracks": True})["fields"]
    sent = {
        "documentId": 1,
        "field": "parcel_acreage",
        "version": fields[1]["version"],
        "value": "",
        "evidence": {"page": 2, "bbox": BOX},
        "comment": "There is none.",
    }

    assert "value is empty" in refusal(greaves, "propose_correction", sent)


def test_an_empty_cursor_of_the_list_of_tools_is_its_beginning(greaves: Tenant) -> None:
    first = ask(greaves, "tools/list", {})
    assert ask(greaves, "tools/list", {"cursor": ""}) == first
    assert ask(greaves, "tools/list", {"cursor": None}) == first
    assert ask(greaves, "tools/list", {"cursor": "2"})["code"] == -32602


def test_what_is_published_stays_strict(greaves: Tenant) -> None:
    schemas = {tool["name"]: tool["inputSchema"] for tool in ask(greaves, "tools/list", {})["tools"]}
    for name, sent in (
        ("get_document_fields", {"documentId": "1"}),
        ("get_document_fields", {"documentId": 1, "tracks": "true"}),
        ("get_document_fields", {"documentId": 1, "limit": None}),
        ("list_schemas", {"random_string": "x"}),
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(sent, schemas[name])
