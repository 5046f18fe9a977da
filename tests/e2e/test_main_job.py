"""A file goes in, fields come out, through every door, as users use them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from infra.local.runtime import Runtime
from infra.local.template import REGION

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"


@dataclass
class Office:
    """An organisation on the running alma, and the folder its people work in."""

    runtime: Runtime
    folder: Path
    http: httpx.Client

    @property
    def token(self) -> str:
        """The organisation's key."""
        return self.http.headers["Authorization"].removeprefix("Bearer ")

    def alma(self, *argv: str) -> Any:
        """Run the command line tool and return its JSON."""
        done = run_alma(self.folder, *argv, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def wait(self, document_id: int) -> httpx.Response:
        """Poll a document as the portal says: until it is no longer 202."""
        until = time.monotonic() + 60
        while True:
            answer = self.http.get(f"/api/v1/documents/{document_id}")
            if answer.status_code != 202 or time.monotonic() > until:
                return answer
            assert answer.headers["Retry-After"] == "2"
            time.sleep(0.1)


def run_alma(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run the command line tool in a folder, with nothing of alma in the environment."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ALMA_", "AWS_"))}
    return subprocess.run(
        [sys.executable, "-m", "alma.cli", *argv],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def offices(
    runtime: Runtime, tmp_path_factory: pytest.TempPathFactory, models_dir: Path
) -> Iterator[tuple[Office, Office]]:
    """Two organisations, created as an operator does."""
    with ExitStack() as clients:
        made = []
        for name in ("greaves", "rival"):
            folder = tmp_path_factory.mktemp(name)
            http = clients.enter_context(httpx.Client(base_url=runtime.api_url, timeout=35))
            office = Office(runtime, folder, http)
            state = folder / ".alma" / "local.json"
            state.parent.mkdir()
            described = {
                "api_url": runtime.api_url,
                "aws_endpoint_url": runtime.aws_endpoint_url,
                "table": runtime.resource("Table"),
                "region": REGION,
                "api_key": "",
            }
            state.write_text(json.dumps(described))
            office.alma("org", "create", name)
            minted = office.alma("key", "create", "--org", name, "--name", "k", "--role", "admin")
            http.headers["Authorization"] = f"Bearer {minted['token']}"
            state.write_text(json.dumps({**described, "api_key": minted["token"]}))
            made.append(office)
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
    until = time.monotonic() + 60
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


def test_an_unreadable_upload_is_told_in_one_line(offices: tuple[Office, Office]) -> None:
    path = offices[0].folder / "notes.pdf"
    path.write_text("just words")

    done = run_alma(offices[0].folder, "drop", str(path), "--wait")

    assert done.returncode == 0
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


def test_a_removed_document_is_gone(offices: tuple[Office, Office]) -> None:
    sent = offices[0].alma("drop", str(SAMPLES / "invoice.pdf"), "--wait")["documents"][0]
    path = f"/api/v1/documents/{sent['documentId']}"

    assert offices[0].http.delete(path).status_code == 204
    assert offices[0].http.get(path).status_code == 404
