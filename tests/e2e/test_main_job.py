"""A file goes in, fields come out, through every door, as users use them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from alma.datamodel.examples import read_folder
from infra.local.runtime import Runtime
from infra.local.template import REGION
from tests import scorers
from tests.e2e.office import Office, open_office, run_alma
from tests.patience import HANGS
from tests.reading import FIVE_RECEIPTS

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"


@pytest.fixture(scope="module")
def offices(
    runtime: Runtime, tmp_path_factory: pytest.TempPathFactory, models_dir: Path
) -> Iterator[tuple[Office, Office]]:
    """Two organisations, created as an operator does."""
    with ExitStack() as clients:
        made = []
        for name in ("greaves", "rival"):
            folder = tmp_path_factory.mktemp(name)
            made.append(clients.enter_context(open_office(runtime, folder, name)))
        yield made[0], made[1]


@pytest.fixture(scope="module")
def deed(offices: tuple[Office, Office]) -> int:
    """The deed of the samples, dropped into the folder with plain boto3 and read."""
    office, _ = offices
    s3 = boto3.client(
        "s3",
        endpoint_url=office.runtime.aws_endpoint_url,
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    key = "inbox/greaves/old deeds/deed no. 1+2.pdf"
    s3.upload_file(str(SAMPLES / "deed.pdf"), office.runtime.resource("InboxBucket"), key)
    s3.close()
    until = time.monotonic() + HANGS
    while time.monotonic() < until:
        for document in office.http.get("/api/v1/documents").json()["documents"]:
            if document["fileName"] == "deed no. 1+2.pdf":
                assert office.wait(document["documentId"]).status_code == 200
                return int(document["documentId"])
        time.sleep(0.1)
    raise AssertionError("the drop folder brought no document")


def test_a_dropped_deed_gives_the_grantor_and_where_it_stands(
    offices: tuple[Office, Office], deed: int
) -> None:
    answer = offices[0].http.post("/api/v1/digitize", json={"documentId": deed})

    assert answer.status_code == 200
    assert list(answer.json()) == ["documentId", "docType", "fields"]
    assert answer.json()["docType"] == "deed_of_conveyance"
    fields = {field["key"]: field for field in answer.json()["fields"]}
    assert fields["grantor_name"]["value"] == "Josiah A. Greaves"
    assert fields["parcel_acreage"]["value"] == "12.5"
    assert fields["parcel_acreage"]["evidence"]["page"] == 2
    box = fields["grantor_name"]["evidence"]["bbox"]
    assert box == {
        "x": pytest.approx(0.142, abs=0.02),
        "y": pytest.approx(0.338, abs=0.02),
        "w": pytest.approx(0.268, abs=0.03),
        "h": pytest.approx(0.025, abs=0.01),  # the name itself; the portal shows its whole line
    }


def test_an_export_saves_under_a_sensible_name(offices: tuple[Office, Office], deed: int) -> None:
    answer = offices[0].http.get(f"/api/v1/export/{deed}?format=csv")

    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="document-{deed}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[0]["field_key"] == "grantor_name"
    assert rows[0]["source"] == "vision"


def test_an_xlsx_comes_back_as_bytes(offices: tuple[Office, Office], deed: int) -> None:
    answer = offices[0].http.get(f"/api/v1/export/{deed}?format=xlsx")

    assert answer.content.startswith(b"PK\x03\x04")


def test_a_scan_lying_on_its_side_is_sent_with_the_command_line_tool(
    offices: tuple[Office, Office],
) -> None:
    sent = offices[0].alma("drop", str(SAMPLES / "registration-turned.jpg"), "--wait")["documents"][0]

    assert sent["docType"] == "registration_form"
    assert offices[0].alma("get", str(sent["documentId"]))["fields"] == sent["fields"]
    tracked = offices[0].alma("get", str(sent["documentId"]), "--tracks")["fields"]
    assert {reading["track"] for field in tracked for reading in field["tracks"]} == {"vision"}
    assert [field["tracks"][0]["value"] for field in tracked] == [field["value"] for field in sent["fields"]]


def test_the_command_line_tool_exports_to_a_file(offices: tuple[Office, Office], deed: int) -> None:
    written = offices[0].alma("export", str(deed), "--format", "jsonl", "-o", "deed.jsonl")

    assert written["file"] == "deed.jsonl"
    assert (offices[0].folder / "deed.jsonl").read_bytes() == b""  # nobody has verified a field yet


def test_a_verified_field_is_pulled_with_its_page(offices: tuple[Office, Office], deed: int) -> None:
    office, _ = offices
    decided = office.http.patch(
        f"/api/v1/documents/{deed}/fields/grantor_name", json={"action": "accept", "version": 1}
    )
    assert decided.status_code == 200

    pulled = office.alma("dataset", "pull", "deeds/")["datasets"]

    assert pulled == [
        {
            "docType": "deed_of_conveyance",
            "file": "deeds/deed_of_conveyance.jsonl",
            "documents": 1,
            "examples": 1,
            "pages": 2,
            "images": 1,
        }
    ]
    line = json.loads((office.folder / "deeds" / "deed_of_conveyance.jsonl").read_text())
    assert (line["text"], line["status"]) == ("Josiah A. Greaves", "accepted")
    assert line["image_key"] == f"pages/{deed}/p1.png"
    image = (office.folder / "deeds" / line["image_key"]).read_bytes()
    assert image.startswith(b"\x89PNG")
    # The image of a line is found at its key below /v1/ with the same key: curl -L.
    answer = office.http.get(f"/api/v1/{line['image_key']}")
    assert answer.status_code == 303
    assert httpx.get(answer.headers["Location"]).content == image
    schema, (document,) = read_folder(office.folder / "deeds" / "deed_of_conveyance.jsonl")
    assert schema.doc_type == "deed_of_conveyance"
    assert [text.page for text in document.pages] == [1, 2]


def test_an_unreadable_upload_is_told_in_one_line(offices: tuple[Office, Office]) -> None:
    path = offices[0].folder / "notes.pdf"
    path.write_text("just words")

    done = run_alma(offices[0].folder, "drop", str(path), "--wait")

    assert done.returncode == 1
    assert "unsupported_type" in done.stdout


def test_the_official_mcp_client_lists_and_calls_the_tools(offices: tuple[Office, Office], deed: int) -> None:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    office = offices[0]

    async def session() -> tuple[list[str], Any, Any]:
        headers = {"Authorization": f"Bearer {office.token}"}
        async with httpx2.AsyncClient(headers=headers) as http:
            transport = streamable_http_client(f"{office.runtime.api_url}/api/mcp", http_client=http)
            async with Client(transport, mode="legacy") as client:
                tools = [tool.name for tool in (await client.list_tools()).tools]
                fields = await client.call_tool("get_document_fields", {"documentId": deed})
                listed = await client.call_tool("list_documents", {"docType": "deed_of_conveyance"})
                return tools, fields, listed

    tools, fields, listed = asyncio.run(session())

    assert tools[:3] == ["list_documents", "get_document_fields", "export_document"]
    assert fields.structured_content["fields"][0]["value"] == "Josiah A. Greaves"
    assert [d["documentId"] for d in listed.structured_content["documents"]] == [deed]


def test_a_model_of_ones_own_is_registered_asked_fetched_and_removed(
    offices: tuple[Office, Office], deed: int
) -> None:
    office, rival = offices
    fields = [f"deed_of_conveyance.{key}" for key in ("grantor_name", "parcel_acreage")]
    about = {"doc_type": "deed_of_conveyance", "fields": fields}
    file = office.folder / "deeds.onnx"
    file.write_bytes(scorers.scorer(about=about))
    documents = office.http.get("/api/v1/documents").json()["documents"]

    given = ("--name", "Barbados deeds", "--type", "deed_of_conveyance", "--wait")
    made = office.alma("model", "register", str(file), *given)
    loop = office.folder / "loop.onnx"
    loop.write_bytes(scorers.loop())
    refused = run_alma(office.folder, "model", "register", str(loop), *given, "--json")
    found = office.alma("model", "digitize", made["id"], str(deed))
    office.alma("model", "download", made["id"], "--output", str(office.folder / "fetched.onnx"))

    assert (made["id"], made["status"]) == ("mdl_barbados_deeds_v1", "ready")
    assert (refused.returncode, json.loads(refused.stdout)["error"]) == (1, "unsupported_operator")
    assert (found["documentId"], found["model"]) == (deed, made["id"])
    values = {field["key"]: field["value"] for field in found["fields"]}
    assert values["grantor_name"] == "Josiah A. Greaves"
    assert values["parcel_acreage"] == "12.5"
    assert (office.folder / "fetched.onnx").read_bytes() == file.read_bytes()
    assert [each["status"] for each in office.alma("model", "list")["models"]] == ["ready", "failed"]
    assert rival.http.get(f"/api/v1/models/{made['id']}").status_code == 404
    # A model is no document: what reads files has not seen it.
    assert office.http.get("/api/v1/documents").json()["documents"] == documents
    assert office.alma("model", "delete", made["id"]) == {"id": made["id"], "deleted": True}
    assert office.http.get(f"/api/v1/models/{made['id']}").status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer alma_x"}, {"Authorization": "alma"}])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/models"),
        ("POST", "/api/v1/digitize"),
        ("GET", "/api/v1/export/1?format=csv"),
        ("POST", "/api/mcp"),
    ],
)
def test_without_a_good_key_every_door_answers_exactly_unauthorized(
    runtime: Runtime, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = httpx.request(method, runtime.api_url + path, headers=headers)

    assert (answer.status_code, answer.text) == (401, '{"error":"unauthorized"}')


def test_another_organisation_finds_nothing(offices: tuple[Office, Office], deed: int) -> None:
    _, rival = offices

    assert rival.http.get(f"/api/v1/documents/{deed}").status_code == 404
    assert rival.http.post("/api/v1/digitize", json={"documentId": deed}).status_code == 404
    assert rival.http.get(f"/api/v1/export/{deed}?format=csv").status_code == 404
    assert rival.http.delete(f"/api/v1/documents/{deed}").status_code == 404
    assert rival.http.get("/api/v1/documents").json() == {"documents": [], "nextCursor": None}


def test_mcp_takes_posts_only(offices: tuple[Office, Office]) -> None:
    answer = offices[0].http.get("/api/mcp")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_mcp_refuses_a_page_that_gave_its_own_name_to_this_machine(offices: tuple[Office, Office]) -> None:
    headers = {"Host": "evil.test", "Origin": "http://evil.test"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

    assert offices[0].http.post("/api/mcp", json=message, headers=headers).status_code == 403
    assert offices[0].http.post("/api/mcp", json=message).status_code == 200


def test_health_and_description_need_no_key(runtime: Runtime) -> None:
    assert httpx.get(f"{runtime.api_url}/api/v1/health").json()["status"] == "ok"
    assert httpx.get(f"{runtime.api_url}/api/v1/openapi.json").json()["openapi"] == "3.1.0"


def test_an_unknown_path_has_the_one_error_shape(runtime: Runtime) -> None:
    answer = httpx.get(f"{runtime.api_url}/api/v1/nothing")

    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "detail", "request_id"}
    [named] = re.findall(r"/\S+json", answer.json()["detail"])
    assert httpx.get(runtime.api_url + named).json()["openapi"] == "3.1.0"


def test_a_file_that_is_sent_as_a_form_is_read_as_any_other(offices: tuple[Office, Office]) -> None:
    http, invoice = offices[0].http, (SAMPLES / "invoice.pdf").read_bytes()
    sent = http.post(
        "/api/v1/documents",
        files={"file": ("föhn.pdf", invoice)},
        data={"docType": "invoice", "split": "false"},
    )

    assert (sent.status_code, set(sent.json())) == (201, {"documentId", "status"})
    assert sent.json()["status"] == "processing"
    path = f"/api/v1/documents/{sent.json()['documentId']}"
    until = time.monotonic() + HANGS
    while (answer := http.get(path)).status_code == 202 and time.monotonic() < until:
        time.sleep(0.2)
    assert (answer.status_code, answer.json()["docType"]) == (200, "invoice")
    assert http.get(f"{path}/file", follow_redirects=True).content == invoice


def test_what_is_sent_twice_with_one_idempotency_key_is_done_once(offices: tuple[Office, Office]) -> None:
    http, invoice = offices[0].http, (SAMPLES / "invoice.pdf").read_bytes()

    def sent(key: str, name: str = "once.pdf") -> httpx.Response:
        file = {"file": (name, invoice)}
        return http.post("/api/v1/documents", files=file, headers={"Idempotency-Key": key})

    first, again, quoted = sent("order 7"), sent("order 7"), sent('"order 7"')
    assert (first.status_code, "Idempotency-Replayed" in first.headers) == (201, False)
    for repeat in (again, quoted):  # each with a boundary of its own
        assert (repeat.status_code, repeat.json()) == (201, first.json())
        assert repeat.headers["Idempotency-Replayed"] == "true"
    other = sent("order 7", "other.pdf")
    assert (other.status_code, other.json()["error"]) == (422, "idempotency_key_reused")
    listed = http.get("/api/v1/documents").json()["documents"]
    assert [each["documentId"] for each in listed if each["fileName"] == "once.pdf"] == [
        first.json()["documentId"]
    ]


def test_a_form_that_is_too_large_or_has_no_file_says_what_to_do(offices: tuple[Office, Office]) -> None:
    http = offices[0].http
    large = http.post("/api/v1/documents", files={"file": ("large.pdf", bytes(5 * 2**20))})
    none = http.post("/api/v1/documents", files={"other": ("a.pdf", b"x")})

    assert (large.status_code, "PUT" in large.json()["detail"]) == (413, True)
    assert (none.status_code, none.json()["error"]) == (400, "bad_request")


@pytest.mark.parametrize("path", ["", "/", "/api", "/api/"])
def test_the_bare_address_tells_a_program_where_things_are(runtime: Runtime, path: str) -> None:
    for accept in ("*/*", "application/json"):
        answer = httpx.get(runtime.api_url + path, headers={"Accept": accept})

        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        for place in ("/api/v1/", "/api/v1/openapi.json", "/api/mcp"):
            assert runtime.api_url + place in answer.text
        assert "alma list" in answer.text
        assert "README.md" in answer.text


def test_the_bare_address_shows_a_browser_a_page_that_loads_nothing(runtime: Runtime) -> None:
    headers = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    rebound = httpx.get(f"{runtime.api_url}/", headers=headers | {"Host": "evil.test"})
    answer = httpx.get(f"{runtime.api_url}/", headers=headers)
    head = httpx.head(f"{runtime.api_url}/", headers=headers)

    assert (rebound.status_code, "evil" in rebound.text) == (403, False)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert f'href="{runtime.api_url}/api/v1/openapi.json"' in answer.text
    assert '<meta name="viewport" content="width=device-width,initial-scale=1">' in answer.text
    assert ".venv/bin/alma drop FILE --wait" in answer.text
    assert re.findall(r"<(?:script|img|link|iframe)|src=|evil", answer.text) == []
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]


def test_the_bare_address_takes_nothing(runtime: Runtime) -> None:
    assert httpx.post(f"{runtime.api_url}/", json={}).status_code == 404


def test_a_document_is_reviewed_read_again_and_its_trail_is_whole(offices: tuple[Office, Office]) -> None:
    office = offices[0]
    number = office.alma("drop", str(SAMPLES / "invoice.pdf"), "--wait")["documents"][0]["documentId"]
    path = f"/api/v1/documents/{number}"

    def waiting(*filters: str) -> list[str]:
        found = office.alma("review", *filters)["items"]
        return [item["field"]["id"] for item in found if item["documentId"] == number]

    waits = waiting("--type", "invoice")
    cell = "line_items[1].amount"
    seen = {each["id"]: each for each in office.http.get(path, params={"tracks": "all"}).json()["fields"]}

    assert office.http.post(f"{path}/claim", json={}).status_code == 200
    office.alma("accept", str(number), waits[0])
    for name in (cell, "line_items%5B0%5D.amount"):
        edited = office.http.patch(
            f"{path}/fields/{name}", json={"action": "edit", "version": 1, "value": "17.5"}
        )
        assert (edited.status_code, edited.json()["value"]) == (200, "17.50")
    again = office.http.patch(f"{path}/fields/{cell}", json={"action": "accept", "version": 1})
    assert (again.status_code, again.json()["error"]) == (409, "stale_version")
    assert office.http.post(f"{path}/extract", json={"docType": "contract"}).status_code == 202
    until = time.monotonic() + HANGS
    while office.http.get(path).json()["docType"] == "invoice" and time.monotonic() < until:
        time.sleep(0.1)

    shown = {each["id"]: each for each in office.http.get(path, params={"tracks": "all"}).json()["fields"]}
    assert (shown[cell]["value"], shown[cell]["status"]) == ("17.50", "edited")
    assert shown[waits[0]]["value"] == seen[waits[0]]["value"]
    assert waits[0] not in waiting()
    actions = [entry["action"] for entry in office.alma("history", str(number))["entries"]]
    assert actions == ["extracted", "accepted", "edited", "edited", "extracted"]
    assert office.alma("audit", "verify")["problems"] == []


def test_a_file_is_split_and_merged_by_hand_and_its_parts_are_documents_like_others(
    offices: tuple[Office, Office],
) -> None:
    office = offices[0]
    (office.folder / "till.pdf").write_bytes(FIVE_RECEIPTS)
    first = office.alma("drop", "till.pdf", "--whole", "--wait")["documents"][0]["documentId"]

    def total(number: int) -> tuple[str, int]:
        assert office.wait(number).status_code == 200
        fields = office.alma("get", str(number))["fields"]
        (found,) = [field for field in fields if field["key"] == "total"]
        return found["value"], found["evidence"]["page"]

    parts = office.alma("split", str(first), "--pages", "1-1", "--pages", "2-2", "--pages", "4-5")[
        "documents"
    ]
    second, third = parts[1]["documentId"], parts[2]["documentId"]
    assert [total(number) for number in (first, second)] == [("17.35", 1), ("243.10", 1)]
    assert office.wait(third).status_code == 200
    office.alma("accept", str(second), "total")
    line = json.loads(office.alma_text("export", str(second), "--format", "jsonl", "-o", "-"))
    assert (line["image_key"], line["text"]) == (f"pages/{second}/p1.png", "243.10")
    table = office.alma_text("export", str(second), "--format", "csv", "-o", "-")
    assert "243.10" in table
    assert "17.35" not in table

    office.alma("merge", str(first), str(second))
    assert office.wait(first).status_code == 200
    until = time.monotonic() + HANGS
    while office.http.get(f"/api/v1/documents/{second}").status_code != 404 and time.monotonic() < until:
        time.sleep(0.1)
    kept = [each for each in office.alma("get", str(first))["fields"] if each["status"] == "accepted"]
    assert [(each["key"], each["value"], each["evidence"]["page"]) for each in kept] == [
        ("total", "243.10", 2)
    ]
    office.alma("dataset", "pull", "tills/")
    text = (office.folder / "tills" / "receipt.jsonl").read_text()
    assert [json.loads(each)["image_key"] for each in text.splitlines()] == [f"pages/{first}/p2.png"]
    assert office.alma("audit", "verify")["problems"] == []


def test_a_removed_document_is_gone(offices: tuple[Office, Office]) -> None:
    sent = offices[0].alma("drop", str(SAMPLES / "invoice.pdf"), "--wait")["documents"][0]
    path = f"/api/v1/documents/{sent['documentId']}"

    assert offices[0].http.delete(path).status_code == 204
    assert offices[0].http.get(path).status_code == 404


def test_the_key_goes_in_either_header_and_what_it_used_is_told(
    offices: tuple[Office, Office], deed: int
) -> None:
    office, rival = offices
    url = f"{office.runtime.api_url}/api/v1/documents/{deed}"

    answer = httpx.get(url, headers={"X-API-Key": office.token})
    assert answer.status_code == 200
    assert int(answer.headers["X-RateLimit-Remaining"]) <= int(answer.headers["X-RateLimit-Limit"])
    both = {"X-API-Key": office.token, "Authorization": f"Bearer {rival.token}"}
    refused = httpx.get(url, headers=both)
    assert (refused.status_code, refused.text) == (401, '{"error":"unauthorized"}')
    told = office.alma("usage")
    assert told["quota"]["used"] >= 2
    assert told["total"]["requests"] > 0
    assert {key["keyId"] for key in told["keys"]} >= {None}
    assert run_alma(office.folder, "usage").returncode == 0
