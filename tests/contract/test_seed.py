"""The documented requests and answers, as they are printed in the developer portal.

Document ids are the organisation's own here; everything else is the portal's text.
"""

import json
from typing import Any

import pytest

from alma.access.keys import Role
from alma.datamodel.examples import image_key
from alma.storage import objects
from alma.storage.items.models import ModelItem
from tests.cloud import Answer, Tenant, seed_fields

pytestmark = pytest.mark.usefixtures("aws")

DOCUMENT = """
{
  "documentId": 4012,
  "docType": "deed_of_conveyance",
  "fields": [
    {
      "key": "grantor_name",
      "value": "Josiah A. Greaves",
      "confidence": 0.973,
      "status": "accepted",
      "evidence": {
        "page": 1,
        "bbox": { "x": 0.142, "y": 0.331, "w": 0.268, "h": 0.041 }
      }
    },
    {
      "key": "parcel_acreage",
      "value": "12.5",
      "confidence": 0.61,
      "status": "escalated",
      "evidence": {
        "page": 2,
        "bbox": { "x": 0.557, "y": 0.214, "w": 0.083, "h": 0.029 }
      }
    }
  ]
}
"""
CSV = """\
field_key,value,confidence,page_number,bbox,source
grantor_name,Josiah A. Greaves,0.973,1,"{""x"":0.142,""y"":0.331,""w"":0.268,""h"":0.041}",accepted
parcel_acreage,12.5,0.61,2,"{""x"":0.557,""y"":0.214,""w"":0.083,""h"":0.029}",vision
"""
JSONL = (
    '{"text":"Josiah A. Greaves","field_key":"grantor_name","doc_type":"deed_of_conveyance",'
    '"page_number":1,"bbox":{"x":0.142,"y":0.331,"w":0.268,"h":0.041},'
    '"image_key":"pages/4012/p1.png","status":"accepted"}\n'
)
MODELS = """
{
  "models": [
    {
      "id": "mdl_barbados_deeds_v3",
      "name": "Barbados deeds — handwriting v3",
      "baseModel": "alma-htr-base",
      "status": "ready",
      "trainedExamples": 4820,
      "createdAt": "2026-05-14T09:21:00Z"
    },
    {
      "id": "mdl_survey_plans_v1",
      "name": "Survey plans — tables v1",
      "baseModel": "alma-vlm-base",
      "status": "training",
      "trainedExamples": 1190,
      "createdAt": "2026-06-20T16:02:00Z"
    }
  ]
}
"""


@pytest.fixture
def greaves() -> Tenant:
    """An organisation whose document 4012 is the portal's deed."""
    from alma.storage.items.access import OrganisationItem

    tenant = Tenant.create("greaves")
    OrganisationItem("greaves", "organisation").update(actions=[OrganisationItem.last_document_id.set(4011)])
    assert tenant.seed_document(seed_fields()).id == 4012
    return tenant


def _export(tenant: Tenant, export_format: str) -> Answer:
    return tenant.call(
        "export",
        "GET",
        "/v1/export/{documentId}",
        path={"documentId": "4012"},
        query={"format": export_format},
    )


def _text(answer: Answer) -> str:
    import base64

    return base64.b64decode(answer.body).decode() if answer.encoded else answer.body


def test_post_digitize(greaves: Tenant) -> None:
    answer = greaves.call("digitize", "POST", "/v1/digitize", raw='{ "documentId": 4012 }')

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == json.loads(DOCUMENT)
    assert list(answer.json) == ["documentId", "docType", "fields"]
    assert list(answer.json["fields"][0]) == ["key", "value", "confidence", "status", "evidence"]


def test_get_document_has_the_shape_of_digitize(greaves: Tenant) -> None:
    answer = greaves.call("documents", "GET", "/v1/documents/{id}", path={"id": "4012"})

    assert answer.status == 200
    assert answer.json == json.loads(DOCUMENT)


def test_export_csv(greaves: Tenant) -> None:
    answer = _export(greaves, "csv")

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="document-4012.csv"'
    assert _text(answer).replace("\r\n", "\n") == CSV


def test_export_jsonl(greaves: Tenant) -> None:
    answer = _export(greaves, "jsonl")

    assert answer.status == 200
    assert _text(answer) == JSONL


def test_the_image_a_line_names_is_the_one_in_the_archive() -> None:
    assert json.loads(JSONL)["image_key"] == image_key(4012, 1) == objects.page_image_key(4012, 1)


@pytest.mark.parametrize(
    ("export_format", "media_type"),
    [
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("xml", "application/xml"),
        ("json", "application/json"),
    ],
)
def test_the_other_exports_name_their_type(greaves: Tenant, export_format: str, media_type: str) -> None:
    answer = _export(greaves, export_format)

    assert answer.status == 200
    assert answer.headers["Content-Type"].split(";")[0] == media_type
    assert f"document-4012.{export_format}" in answer.headers["Content-Disposition"]


def test_the_json_export_is_the_documents_body(greaves: Tenant) -> None:
    assert json.loads(_text(_export(greaves, "json"))) == json.loads(DOCUMENT)


def test_get_models(greaves: Tenant) -> None:
    for model in json.loads(MODELS)["models"]:
        ModelItem(
            "greaves",
            f"model#{model['id']}",
            model_id=model["id"],
            name=model["name"],
            base_model=model["baseModel"],
            status=model["status"],
            trained_examples=model["trainedExamples"],
            created_at=model["createdAt"],
        ).save()

    answer = greaves.call("models", "GET", "/v1/models", role=Role.READER)

    assert (answer.status, answer.json) == (200, json.loads(MODELS))


def test_models_of_an_organisation_without_any(greaves: Tenant) -> None:
    assert greaves.call("models", "GET", "/v1/models").json == {"models": []}


def test_only_ready_models_can_be_invoked(greaves: Tenant) -> None:
    ModelItem(
        "greaves",
        "model#mdl_survey_plans_v1",
        model_id="mdl_survey_plans_v1",
        name="Survey plans",
        base_model="alma-vlm-base",
        status="training",
        created_at="2026-06-20T16:02:00Z",
    ).save()

    def digitize(model: str) -> Answer:
        return greaves.call(
            "infer",
            "POST",
            "/v1/models/{id}/digitize",
            path={"id": model},
            body={"documentId": 4012},
        )

    assert digitize("mdl_barbados_deeds_v3").status == 404
    training = digitize("mdl_survey_plans_v1")
    assert (training.status, training.json["error"]) == (409, "model_not_ready")


def _mcp(tenant: Tenant, message: dict[str, Any]) -> Any:
    answer = tenant.call("mcp", "POST", "/mcp", body=message)
    assert answer.status == 200
    return json.loads(_text(answer))


def test_mcp_tools_call(greaves: Tenant) -> None:
    answer = _mcp(
        greaves,
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "get_document_fields", "arguments": {"documentId": 4012}},
        },
    )

    assert (answer["jsonrpc"], answer["id"]) == ("2.0", 1)
    assert answer["result"]["content"][0]["type"] == "text"
    assert json.loads(answer["result"]["content"][0]["text"]) == json.loads(DOCUMENT)


def test_mcp_handshake_reports_2025_06_18_and_the_three_tools(greaves: Tenant) -> None:
    hello = _mcp(
        greaves,
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        },
    )
    ping = _mcp(greaves, {"jsonrpc": "2.0", "id": 2, "method": "ping"})
    tools = _mcp(greaves, {"jsonrpc": "2.0", "id": 3, "method": "tools/list"})

    assert hello["result"]["protocolVersion"] == "2025-06-18"
    assert ping["result"] == {}
    assert [tool["name"] for tool in tools["result"]["tools"]][:3] == [
        "list_documents",
        "get_document_fields",
        "export_document",
    ]
