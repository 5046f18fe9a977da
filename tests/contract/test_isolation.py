"""Another organisation's data is absent on every door."""

import base64
import json
from typing import Any

import pytest

from alma.access.keys import Role
from alma.api.operation import Route
from alma.api.routes import ROUTES
from alma.mcp.tools import TOOLS
from alma.metering import usage
from tests.cloud import Tenant, seed_fields
from tests.reading import FIVE_RECEIPTS, archive, drop, ingest, read_to_the_end
from tests.unit.files.making_pdfs import pdf_of_pages, text

pytestmark = pytest.mark.usefixtures("aws")

#: Routes that name nothing of an organisation's: they answer about the caller alone, or about nobody.
_ABOUT_THE_CALLER = {
    "list_documents", "announce_document", "list_models", "create_model", "list_keys", "create_key",
    "list_schemas", "put_schema", "list_datasets", "review_queue", "get_usage",
    "mcp", "mcp_stream", "mcp_session", "health", "openapi",
}  # fmt: skip


_BODIES: dict[str, dict[str, Any]] = {
    "decide_field": {"action": "accept", "version": 1},
    "add_field": {"key": "grantee_name", "value": "x"},
    "claim_document": {},
    "extract_again": {},
    "split_document": {"at": [2]},
    "merge_documents": {"documents": [999]},
    "rotate_key": {},
}


def _requests(row: Route, document_id: int, key_id: str) -> dict[str, Any]:
    names = {
        "{id}": key_id
        if row.function == "keys"
        else "mdl_x"
        if row.function in ("models", "infer")
        else str(document_id),
        "{documentId}": str(document_id),
        "{docType}": "delivery_note",
        "{file}": "p1.png",
        "{field}": "grantor_name",
    }
    path = {name.strip("{}"): value for name, value in names.items() if name in row.resource}
    return {
        "path": path,
        "body": _BODIES.get(row.operation, {"documentId": document_id}) if row.body else None,
    }


def put_schema(tenant: Tenant, doc_type: str, description: str) -> None:
    """Give an organisation a document type of its own."""
    definition = {"description": description, "fields": [{"key": "number", "aliases": ["number"]}]}
    answer = tenant.call(
        "schemas", "PUT", "/v1/schemas/{docType}", path={"docType": doc_type}, body=definition
    )
    assert answer.status == 201


@pytest.mark.parametrize(
    "row", [row for row in ROUTES if row.operation not in _ABOUT_THE_CALLER], ids=lambda row: row.operation
)
def test_another_organisations_document_key_model_and_type_are_404(row: Route) -> None:
    from alma.storage.items.models import ModelItem

    owner, stranger = Tenant.create("owner"), Tenant.create("stranger")
    put_schema(owner, "delivery_note", "fields of the owner")
    document = owner.seed_document(seed_fields())
    ModelItem(
        "owner", "model#mdl_x", model_id="mdl_x", name="x", base_model="b", status="ready", created_at="x"
    ).save()
    request = _requests(row, document.id, owner.ids[Role.READER])

    answer = stranger.call(row.function, row.method, row.resource, **request)

    assert (answer.status, answer.json["error"]) == (404, "not_found")
    assert owner.call("documents", "GET", "/v1/documents/{id}", path={"id": str(document.id)}).status == 200


@pytest.mark.parametrize("export_format", ["csv", "xlsx", "xml", "json", "jsonl"])
def test_another_organisations_export_is_404_in_every_format(export_format: str) -> None:
    owner, stranger = Tenant.create("owner"), Tenant.create("stranger")
    document = owner.seed_document(seed_fields())

    answer = stranger.call(
        "export",
        "GET",
        "/v1/export/{documentId}",
        path={"documentId": str(document.id)},
        query={"format": export_format},
    )

    assert answer.status == 404


def test_documents_of_one_file_are_absent_for_another_organisation() -> None:
    owner, stranger = Tenant.create("owner"), Tenant.create("stranger")
    ingest(drop("inbox/owner/receipts.pdf", FIVE_RECEIPTS))
    read_to_the_end()

    assert len(owner.call("documents", "GET", "/v1/documents").json["documents"]) == 5
    assert stranger.call("documents", "GET", "/v1/documents").json["documents"] == []
    for number in ("1", "2", "5"):
        for method in ("GET", "DELETE"):
            answer = stranger.call("documents", method, "/v1/documents/{id}", path={"id": number})
            assert (answer.status, answer.json["error"]) == (404, "not_found")
    assert all(key.startswith("owner/") for key in archive())


def test_lists_hold_only_the_callers_own() -> None:
    owner, stranger = Tenant.create("owner"), Tenant.create("stranger")
    owner.seed_document(seed_fields())

    assert stranger.call("documents", "GET", "/v1/documents").json["documents"] == []
    assert owner.call("reviews", "GET", "/v1/review-queue").json["items"] != []
    assert stranger.call("reviews", "GET", "/v1/review-queue").json["items"] == []
    assert stranger.call("models", "GET", "/v1/models").json["models"] == []
    names = {key["id"] for key in stranger.call("keys", "GET", "/v1/keys").json["keys"]}
    assert names == set(stranger.ids.values())


def test_nothing_in_a_request_names_another_organisation() -> None:
    owner, stranger = Tenant.create("owner"), Tenant.create("stranger")
    document = owner.seed_document(seed_fields())
    usage.count_document("owner", document.id)
    named = {"organisation": "owner", "org": "owner", "tenant": "owner"}
    headers = {"X-Organisation": "owner", "X-Alma-Organisation": "owner", "X-API-Key": "alma_x"}

    for function_name, resource, name in (
        ("documents", "/v1/documents", "documents"),
        ("keys", "/v1/usage", "quota"),
        ("keys", "/v1/keys", "keys"),
    ):
        plain = stranger.call(function_name, "GET", resource).json[name]
        assert plain == stranger.call(function_name, "GET", resource, headers=headers).json[name]
        assert stranger.call(function_name, "GET", resource, query=named, headers=headers).status == 400
    assert {each["keyId"] for each in stranger.call("keys", "GET", "/v1/usage").json["keys"]} == {
        stranger.ids[Role.ADMIN]
    }
    for body in ({"name": "x", "organisation": "owner"}, {"name": "x", "role": "admin", "org": "owner"}):
        assert stranger.call("keys", "POST", "/v1/keys", body=body).status == 400


def test_a_type_of_ones_own_is_nobody_elses() -> None:
    owner, stranger = Tenant.create("owner"), Tenant.create("stranger")
    put_schema(owner, "invoice", "the owner's invoice")
    put_schema(owner, "delivery_note", "the owner's note")
    put_schema(stranger, "delivery_note", "the stranger's note")

    listed = stranger.call("schemas", "GET", "/v1/schemas").json["schemas"]
    own = {each["docType"]: each["description"] for each in listed if each["origin"] == "own"}
    assert own == {"delivery_note": "the stranger's note"}
    stranger.call("schemas", "DELETE", "/v1/schemas/{docType}", path={"docType": "delivery_note"})
    kept = owner.call("schemas", "GET", "/v1/schemas/{docType}", path={"docType": "delivery_note"})
    assert kept.json["definition"]["description"] == "the owner's note"


def test_an_organisation_whose_id_begins_like_anothers_sees_nothing_of_it() -> None:
    owner, stranger = Tenant.create("deeds-archive"), Tenant.create("deeds")
    owner.seed_document(seed_fields())

    assert stranger.call("documents", "GET", "/v1/documents").json["documents"] == []
    assert (
        stranger.call("documents", "GET", "/v1/documents", query={"status": "ready"}).json["documents"] == []
    )


#: Arguments with which each tool would reach the owner's document, if it could.
_MCP_CALLS: dict[str, dict[str, Any]] = {
    "list_documents": {},
    "get_document_fields": {"documentId": 1},
    "export_document": {"documentId": 1, "format": "csv"},
    "search_documents": {"text": "Greaves"},
    "get_page_text": {"documentId": 1, "page": 1},
    "get_page_image": {"documentId": 1, "page": 1},
    "list_schemas": {},
    "list_models": {},
    "review_queue": {},
    "digitize_with_model": {"documentId": 1, "modelId": "mdl_g"},
    "propose_correction": {
        "documentId": 1,
        "field": "grantor_name",
        "version": 1,
        "value": "x",
        "comment": "x",
        "evidence": {"page": 1, "bbox": {"x": 0.1, "y": 0.1, "w": 0.1, "h": 0.1}},
    },
}


@pytest.mark.parametrize("tool", [tool.name for tool in TOOLS])
def test_over_mcp_another_organisations_document_is_absent_and_in_no_list(tool: str) -> None:
    from alma.storage.items.models import ModelItem

    owner, stranger = Tenant.create("owner"), Tenant.create("stranger")
    put_schema(owner, "delivery_note", "fields of Greaves")
    document = owner.seed_document(seed_fields())
    assert document.id == 1
    ModelItem(
        "owner",
        "model#mdl_g",
        model_id="mdl_g",
        name="Greaves",
        base_model="b",
        status="ready",
        created_at="x",
    ).save()
    letter = pdf_of_pages(text(72, 700, "Dear Mrs Greaves"))
    ingest(drop("inbox/owner/greaves.pdf", letter))
    read_to_the_end()
    arguments = _MCP_CALLS[tool]
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }

    answer = stranger.call("mcp", "POST", "/mcp", body=message)

    said = base64.b64decode(answer.body).decode()
    result = json.loads(said)["result"]
    if "documentId" in arguments:
        assert result["isError"] is True
        assert json.loads(result["content"][0]["text"])["error"] == "not_found"
    else:
        assert "isError" not in result
    assert "greaves" not in said.lower()
