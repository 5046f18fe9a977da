"""The deployed stack does what the source does: files, fields, exports, models, agents, keys.

The tests share one stack and one document, which the last ones remove.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from samtranslator.yaml_helper import yaml_parse

from alma.cli.client import Client
from alma.cli.correct import correct, read_list
from alma.cli.target import Api
from tests.deploy.stack import NAME, ROOT, Caller, wait_for


def test_sam_deploy_creates_the_stack(outputs: dict[str, str]) -> None:
    (found,) = boto3.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]

    assert found["StackStatus"] == "CREATE_COMPLETE"
    assert outputs.keys() == yaml_parse((ROOT / "template.yaml").read_text())["Outputs"].keys()


def test_the_operator_creates_two_organisations_and_their_keys(tokens: dict[str, str]) -> None:
    assert all(token.startswith("alma_") for token in tokens.values())


def test_what_needs_no_key_answers(caller: Callable[[str | None], Caller]) -> None:
    anonymous = caller(None)

    def healthy() -> httpx.Response | None:
        answer = anonymous.get("/api/v1/health")
        return answer if answer.status_code == 200 else None

    assert wait_for("health", healthy, 60).json()["status"] == "ok"
    assert anonymous.get("/api/v1/openapi.json").json()["openapi"].startswith("3.1")


@pytest.mark.parametrize("token", [None, "alma_" + "0" * 33, "nonsense"])
def test_a_request_without_a_good_key_is_refused(
    caller: Callable[[str | None], Caller], token: str | None
) -> None:
    # 401 by the template's gateway responses, which the emulator leaves out.
    assert caller(token).get("/api/v1/models").status_code in (401, 403)


def test_a_file_dropped_into_the_inbox_is_read(deed: dict[str, Any]) -> None:
    assert (deed["status"], deed["docType"]) == ("ready", "deed_of_conveyance")


def test_digitize_answers_with_fields_and_their_evidence(demo: Caller, deed: dict[str, Any]) -> None:
    answer = demo.post("/api/v1/digitize", {"documentId": deed["documentId"]})

    assert answer.status_code == 200, answer.text
    fields = {field["key"]: field for field in answer.json()["fields"]}
    box = fields["grantor_name"]["evidence"]["bbox"]
    assert 0 < box["w"] < 1
    assert 0 < box["h"] < 1
    assert demo.get(f"/api/v1/documents/{deed['documentId']}").json() == answer.json()


@pytest.mark.parametrize("kind", ["csv", "xlsx", "xml", "json", "jsonl"])
def test_every_export_format_arrives_and_binary_ones_whole(
    demo: Caller, deed: dict[str, Any], kind: str
) -> None:
    answer = demo.get(f"/api/v1/export/{deed['documentId']}?format={kind}")

    assert answer.status_code == 200, answer.text
    assert "attachment" in answer.headers["content-disposition"]
    if kind == "csv":
        assert answer.text.startswith("field_key,value,confidence,")
    if kind == "xlsx":
        assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None


def test_an_announced_file_is_uploaded_to_its_presigned_url_and_read(demo: Caller) -> None:
    announced = demo.post("/api/v1/documents", {"fileName": "receipt.jpg"})
    assert announced.status_code == 201, announced.text
    receipt = (ROOT / "samples/receipt.jpg").read_bytes()
    put = httpx.put(announced.json()["upload"]["url"], content=receipt, timeout=60)
    assert put.is_success, put.text

    document = demo.document_of("receipt.jpg", 180)
    assert (document["status"], document["docType"]) == ("ready", "receipt")


def test_a_file_that_cannot_be_read_becomes_a_failed_document_with_its_reason(
    demo: Caller, outputs: dict[str, str]
) -> None:
    boto3.client("s3").put_object(
        Bucket=outputs["InboxBucket"], Key="inbox/demo/notes.txt", Body=b"just text\n"
    )

    document = demo.document_of("notes.txt", 60)
    assert (document["status"], document["error"]) == ("failed", "unsupported_type")


def test_corrected_notes_train_a_model_and_a_note_is_read_by_it(
    base: str, tokens: dict[str, str], tmp_path: Path
) -> None:
    client = Client(Api(base, tokens["demo"]))
    notes = ROOT / "samples/delivery-notes"
    client.call("PUT", "/schemas/delivery_note", json.loads((notes / "schema.json").read_text()))
    for name, truths in read_list(notes / "corrections.jsonl")[:6]:
        number = client.upload(notes / name, lambda _: None, split=False, doc_type="delivery_note")
        client.wait(number, 120)
        correct(client, number, truths)
    assert len(client.call("GET", f"/documents/{number}/history")["entries"]) >= 4

    model = client.call("POST", "/models", {"name": "notes", "docType": "delivery_note"})["id"]
    assert client.wait_for_model(model)["status"] == "ready"
    unknown = client.upload(notes / "note-13.pdf", lambda _: None, split=False, doc_type="delivery_note")
    client.wait(unknown, 120)
    read = client.call("POST", f"/models/{model}/digitize", {"documentId": unknown})
    values = {field["key"]: field["value"] for field in read["fields"]}
    assert (read["model"], values.get("note_number")) == (model, "NG/20481")

    path = tmp_path / "model.onnx"
    client.fetch(f"/models/{model}/file", path)
    body = {"name": "uploaded", "docType": "delivery_note", "source": "upload"}
    uploaded = client.upload_model(path, body, lambda _: None)["id"]
    assert client.wait_for_model(uploaded)["status"] == "ready"
    client.call("DELETE", f"/models/{uploaded}")


def test_an_agent_lists_the_tools_and_calls_one(demo: Caller, deed: dict[str, Any]) -> None:
    listed = demo.post("/api/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    names = {tool["name"] for tool in listed.json()["result"]["tools"]}
    assert {"list_documents", "get_document_fields", "export_document"} <= names

    call = {"name": "get_document_fields", "arguments": {"documentId": deed["documentId"]}}
    called = demo.post("/api/mcp", {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call})
    assert not called.json()["result"].get("isError"), called.text


def test_another_organisation_finds_nothing_and_a_reader_mints_no_key(
    other: Caller, deed: dict[str, Any]
) -> None:
    number = deed["documentId"]
    for answer in (
        other.get(f"/api/v1/documents/{number}"),
        other.post("/api/v1/digitize", {"documentId": number}),
        other.get(f"/api/v1/export/{number}?format=csv"),
    ):
        assert answer.status_code == 404, answer.text
    assert other.get("/api/v1/documents").json()["documents"] == []
    assert other.post("/api/v1/keys", {"name": "x", "role": "admin"}).status_code == 403


def test_a_key_is_minted_used_listed_and_revoked(
    caller: Callable[[str | None], Caller], demo: Caller
) -> None:
    minted = demo.post("/api/v1/keys", {"name": "second", "role": "reader"})
    assert minted.status_code == 201, minted.text
    second = caller(minted.json()["token"])

    assert second.get("/api/v1/models").status_code == 200
    assert len(demo.get("/api/v1/keys").json()["keys"]) == 2
    assert demo.delete(f"/api/v1/keys/{minted.json()['id']}").status_code == 204
    assert second.get("/api/v1/models").status_code in (401, 403)


def test_a_deleted_document_is_gone_with_its_objects(
    demo: Caller, deed: dict[str, Any], outputs: dict[str, str]
) -> None:
    number = deed["documentId"]

    def page_images() -> int:
        return boto3.client("s3").list_objects_v2(
            Bucket=outputs["ArchiveBucket"], Prefix=f"demo/pages/{number}/"
        )["KeyCount"]

    assert page_images() == 2
    assert demo.delete(f"/api/v1/documents/{number}").status_code == 204
    assert demo.get(f"/api/v1/documents/{number}").status_code == 404
    assert page_images() == 0


@pytest.mark.parametrize("queue", ["PageDeadLettersUrl", "EventDeadLettersUrl", "ModelDeadLettersUrl"])
def test_nothing_was_given_up(outputs: dict[str, str], queue: str) -> None:
    attributes = boto3.client("sqs").get_queue_attributes(
        QueueUrl=outputs[queue], AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]

    assert attributes["ApproximateNumberOfMessages"] == "0"
