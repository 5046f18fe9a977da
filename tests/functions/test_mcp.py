"""What agents ask of the archive: the tools through the function, over documents that were really read."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from PIL import Image

from alma.access import rate_limits
from alma.access.keys import Role
from alma.datamodel.fields import Field, Reading
from alma.datamodel.geometry import Box, Region
from alma.documents import intake, listing, text_search
from alma.mcp import tools
from alma.settings import settings
from tests.cloud import Answer, Context, Tenant, client, function, proxy_event, seed_fields
from tests.reading import drop, ingest, read_to_the_end
from tests.unit.files.making_pdfs import pdf_of_pages, text

pytestmark = pytest.mark.usefixtures("aws")

LETTER = pdf_of_pages(
    text(72, 700, "Dear Mrs Greaves,") + text(72, 680, "the parcel at Foul Bay measures twelve acres"),
    text(72, 700, "and was surveyed in May by J. Mahon.") + text(72, 660, "Yours, R. Hinds"),
)


@pytest.fixture
def greaves() -> Tenant:
    """An organisation."""
    return Tenant.create("greaves")


def read(tenant: Tenant, name: str = "letter.pdf", body: bytes = LETTER) -> int:
    """Drop a file and return the number of the document that it became."""
    ingest(drop(f"inbox/{tenant.organisation}/{name}", body))
    read_to_the_end()
    newest = tenant.call("documents", "GET", "/v1/documents").json["documents"][0]
    assert (newest["fileName"], newest["status"]) == (name, "ready")
    return int(newest["documentId"])


def result(tenant: Tenant, name: str, **arguments: object) -> dict[str, Any]:
    """Call a tool and return its result."""
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name, "arguments": arguments},
    }
    answer = tenant.call("mcp", "POST", "/mcp", body=message, role=Role.READER)
    assert (answer.status, answer.encoded) == (200, True)
    found: dict[str, Any] = json.loads(base64.b64decode(answer.body))["result"]
    return found


def structured(tenant: Tenant, name: str, **arguments: object) -> Any:
    """Call a tool that works and return what it gives."""
    found = result(tenant, name, **arguments)
    assert "isError" not in found, found
    return found["structuredContent"]


def failure(tenant: Tenant, name: str, **arguments: object) -> Any:
    """Call a tool that cannot do it and return what it says."""
    found = result(tenant, name, **arguments)
    assert found["isError"] is True
    return json.loads(found["content"][0]["text"])


def hits(tenant: Tenant, wanted: str, **arguments: object) -> list[int]:
    """Return the numbers of the documents that a text stands in."""
    found = structured(tenant, "search_documents", text=wanted, **arguments)
    return [each["documentId"] for each in found["documents"]]


# --- the door --------------------------------------------------------------


def refusal_of(answer: Answer, status: int, code: int, slug: str) -> str:
    assert (answer.status, answer.json["id"], answer.json["error"]["code"]) == (status, 7, code)
    assert set(answer.refusal) == {"error", "detail", "request_id"}
    assert answer.refusal["error"] == slug
    assert "X-RateLimit-Limit" in answer.headers
    return str(answer.json["error"]["message"])


LIST: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 7,
    "method": "tools/call",
    "params": {"name": "list_documents"},
}


def test_what_is_refused_before_the_protocol_is_refused_in_its_words(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_scope = greaves.call("mcp", "POST", "/mcp", body=LIST, scopes=["documents:read"])
    assert "mcp:read" in refusal_of(no_scope, 403, -32600, "forbidden")

    slow = replace(settings(), limit_mcp="1/1")
    monkeypatch.setattr(rate_limits, "settings", lambda: slow)
    greaves.call("mcp", "POST", "/mcp", body=LIST)
    often = greaves.call("mcp", "POST", "/mcp", body=LIST)
    refusal_of(often, 429, -32600, "rate_limited")
    assert often.headers["Retry-After"] == "60"


@pytest.mark.parametrize(
    ("raised", "status", "slug"),
    [
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), 503, "unavailable"),
        (RuntimeError("secret detail"), 500, "internal_error"),
    ],
)
def test_what_fails_behind_the_protocol_is_told_in_its_words(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch, raised: Exception, status: int, slug: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(listing, "list_documents", fails)

    answer = greaves.call("mcp", "POST", "/mcp", body=LIST)

    assert "secret" not in refusal_of(answer, status, -32603, slug)


# --- search ----------------------------------------------------------------


def test_a_document_is_found_by_the_name_of_its_file(greaves: Tenant) -> None:
    letter = read(greaves, "Survey of May.pdf")
    read(greaves, "other.pdf", pdf_of_pages(text(72, 700, "nothing of the kind")))

    assert hits(greaves, "survey of may") == [letter]


def test_a_phrase_is_found_with_its_line_its_page_and_its_box(greaves: Tenant) -> None:
    letter = read(greaves)

    found = structured(greaves, "search_documents", text="surveyed in May")

    [hit] = found["documents"]
    [passage] = hit["passages"]
    assert (hit["documentId"], hit["fileName"], hit["places"]) == (letter, "letter.pdf", 1)
    assert passage["text"] == "and was surveyed in May by J. Mahon."
    assert passage["evidence"]["page"] == 2
    box = passage["evidence"]["bbox"]
    assert box["x"] == pytest.approx(0.194, abs=0.02)
    assert (box["w"], box["y"]) == (pytest.approx(0.15, abs=0.03), pytest.approx(0.1, abs=0.03))
    assert (found["searched"], found["nextCursor"]) == (1, None)


def test_capitals_and_line_ends_do_not_matter(greaves: Tenant) -> None:
    letter = read(greaves)

    assert hits(greaves, "GREAVES, THE   parcel") == [letter]
    found = structured(greaves, "search_documents", text="Greaves, the")["documents"][0]["passages"][0]
    assert found["text"] == "Dear Mrs Greaves, the parcel at Foul Bay measures twelve acres"
    assert len(found["evidence"]["regions"]) == 2


def test_a_value_is_found_with_its_confidence_status_and_place(greaves: Tenant) -> None:
    deed = greaves.seed_document(seed_fields())

    [hit] = structured(greaves, "search_documents", text="josiah")["documents"]

    assert (hit["documentId"], hit["passages"], hit["places"]) == (deed.id, [], 0)
    [field] = hit["fields"]
    assert (field["key"], field["value"], field["confidence"], field["status"]) == (
        "grantor_name",
        "Josiah A. Greaves",
        0.973,
        "accepted",
    )
    assert field["evidence"]["page"] == 1


def test_of_a_table_full_of_the_text_the_first_cells_are_shown(greaves: Tenant) -> None:
    reading = Reading("text", "twelve acres", "twelve acres", None, (Region(1, Box(0.1, 0.1, 0.1, 0.1)),))
    greaves.seed_document([Field("line_items.description", row, (reading,)) for row in range(30)])

    [hit] = structured(greaves, "search_documents", text="acres")["documents"]

    assert [field["row"] for field in hit["fields"]] == list(range(20))


def test_what_stands_nowhere_is_not_found(greaves: Tenant) -> None:
    read(greaves)

    assert hits(greaves, "Foul Bayou") == []
    assert hits(greaves, "twelve acres", docType="invoice") == []


def test_a_call_looks_at_so_many_documents_and_says_where_to_go_on(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    deeds = [greaves.seed_document(seed_fields()).id for _ in range(5)]
    monkeypatch.setattr(text_search, "MAX_DOCUMENTS", 2)

    seen: list[int] = []
    cursor, rounds = None, 0
    while rounds == 0 or cursor:
        found = structured(greaves, "search_documents", text="Josiah", cursor=cursor)
        seen += [hit["documentId"] for hit in found["documents"]]
        cursor, rounds = found["nextCursor"], rounds + 1

    assert (seen, rounds) == (deeds[::-1], 3)


def test_a_call_looks_at_so_many_pages_at_most_but_at_one_document_at_least(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = [read(greaves, f"{n}.pdf") for n in range(2)]
    monkeypatch.setattr(text_search, "MAX_PAGES", 1)

    first = structured(greaves, "search_documents", text="Foul Bay")
    second = structured(greaves, "search_documents", text="Foul Bay", cursor=first["nextCursor"])

    assert [each["documents"][0]["documentId"] for each in (first, second)] == letters[::-1]
    assert first["documents"][0]["unsearchedPages"] == 1
    assert second["nextCursor"] is None


def test_the_limit_ends_a_call_after_its_last_document(greaves: Tenant) -> None:
    deeds = [greaves.seed_document(seed_fields()).id for _ in range(3)]

    first = structured(greaves, "search_documents", text="Josiah", limit=2)
    second = structured(greaves, "search_documents", text="Josiah", limit=2, cursor=first["nextCursor"])

    assert [hit["documentId"] for hit in first["documents"] + second["documents"]] == deeds[::-1]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"text": "   "}, "bad_request"),
        ({"text": "x"}, "invalid_arguments"),
        ({"text": "Greaves", "cursor": "?"}, "bad_request"),
        ({"text": "Greaves", "limit": 51}, "invalid_arguments"),
    ],
)
def test_a_search_that_is_none_says_what_is_wrong(
    greaves: Tenant, arguments: dict[str, Any], error: str
) -> None:
    assert failure(greaves, "search_documents", **arguments)["error"] == error


# --- pages -----------------------------------------------------------------


def test_a_page_comes_as_its_lines_with_their_boxes(greaves: Tenant) -> None:
    page = structured(greaves, "get_page_text", documentId=read(greaves), page=2)

    assert [line["text"] for line in page["lines"]] == [
        "and was surveyed in May by J. Mahon.",
        "Yours, R. Hinds",
    ]
    assert (page["page"], page["pages"], page["track"], page["tracks"]) == (2, 2, "text", ["text"])
    assert "words" not in page["lines"][0]
    assert page["lines"][0]["bbox"]["y"] < page["lines"][1]["bbox"]["y"]
    assert page["nextCursor"] is None


def test_words_come_where_they_are_asked_for(greaves: Tenant) -> None:
    page = structured(greaves, "get_page_text", documentId=read(greaves), page=2, words=True)

    words = page["lines"][1]["words"]
    assert [word["text"] for word in words] == ["Yours,", "R.", "Hinds"]
    assert {word["confidence"] for word in words} == {None}
    assert words[0]["bbox"]["x"] < words[1]["bbox"]["x"]


def test_a_long_page_comes_in_parts(greaves: Tenant) -> None:
    letter = read(greaves)

    first = structured(greaves, "get_page_text", documentId=letter, limit=1)
    second = structured(greaves, "get_page_text", documentId=letter, limit=1, cursor=first["nextCursor"])

    assert [page["lines"][0]["text"] for page in (first, second)] == [
        "Dear Mrs Greaves,",
        "the parcel at Foul Bay measures twelve acres",
    ]
    assert second["nextCursor"] is None
    told = failure(greaves, "get_page_text", documentId=letter, cursor="two")
    assert told["error"] == "bad_request"


@pytest.mark.parametrize("name", ["get_page_text", "get_page_image"])
def test_a_page_that_is_not_there_is_told(greaves: Tenant, name: str) -> None:
    letter = read(greaves)

    assert failure(greaves, name, documentId=letter, page=3) == {
        "error": "not_found",
        "detail": f"Document {letter} has no page 3.",
    }
    assert failure(greaves, name, documentId=999)["error"] == "not_found"


@pytest.mark.parametrize("name", ["get_page_text", "get_page_image"])
def test_a_page_of_a_document_that_is_being_read_or_could_not_be_is_told_as_such(
    greaves: Tenant, name: str
) -> None:
    awaited = intake.announce("greaves", "deed.pdf")
    ingest(drop("inbox/greaves/notes.pdf", b"just words"))

    assert failure(greaves, name, documentId=awaited.id)["error"] == "still_processing"
    assert failure(greaves, name, documentId=awaited.id + 1)["error"] == "unsupported_type"


def test_text_that_nobody_recognised_is_told(greaves: Tenant) -> None:
    letter = read(greaves)

    told = failure(greaves, "get_page_text", documentId=letter, track="vision")

    assert told == {
        "error": "not_found",
        "detail": f"Page 1 of document {letter} has no text of the track vision.",
    }


def test_a_page_image_is_the_image_of_the_archive(greaves: Tenant) -> None:
    letter = read(greaves)
    stored = (
        client("s3")
        .get_object(Bucket=settings().archive_bucket, Key=f"greaves/pages/{letter}/p2.png")["Body"]
        .read()
    )

    found = result(greaves, "get_page_image", documentId=letter, page=2)

    assert found["structuredContent"] == {
        "documentId": letter,
        "page": 2,
        "mediaType": "image/png",
        "width": 1500,
        "height": 2000,
        "shown": {"x": 0.0, "y": 0.0, "w": 1.0, "h": 1.0},
    }
    assert found["content"][1] == {
        "type": "image",
        "data": base64.b64encode(stored).decode(),
        "mimeType": "image/png",
    }


def test_a_large_page_image_is_a_smaller_one_with_a_link_that_needs_no_key(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = read(greaves)
    monkeypatch.setattr(tools.documents, "MAX_IMAGE", 5000)

    found = result(greaves, "get_page_image", documentId=letter)

    shown, url = found["structuredContent"], found["structuredContent"]["url"]
    assert f"/greaves/pages/{letter}/p1.png" in url
    assert found["content"][2] == {
        "type": "resource_link",
        "uri": url,
        "name": f"document-{letter}-p1.png",
        "mimeType": "image/png",
    }
    seen = base64.b64decode(found["content"][1]["data"])
    assert len(seen) <= 5000
    with Image.open(io.BytesIO(seen), formats=["JPEG"]) as image:
        assert image.size == (shown["width"], shown["height"])
        assert image.height < 1568


def test_the_part_that_a_value_was_cut_from_can_be_looked_at(greaves: Tenant) -> None:
    letter = read(greaves)
    [line] = [
        each
        for each in structured(greaves, "get_page_text", documentId=letter)["lines"]
        if "Foul Bay" in each["text"]
    ]
    box = line["bbox"]

    found = result(greaves, "get_page_image", documentId=letter, bbox=box)

    shown = found["structuredContent"]["shown"]
    assert shown["x"] == pytest.approx(max(0, box["x"] - 0.15), abs=0.002)
    assert shown["x"] + shown["w"] == pytest.approx(box["x"] + box["w"] + 0.15, abs=0.002)
    assert shown["h"] == pytest.approx(box["h"] + 0.06, abs=0.002)
    with Image.open(io.BytesIO(base64.b64decode(found["content"][1]["data"]))) as image:
        assert image.width / image.height == pytest.approx(shown["w"] * 1500 / (shown["h"] * 2000), rel=0.02)
        grey = image.convert("L").tobytes()
    assert min(grey) < 60 < 240 < max(grey)  # there is ink on it


# --- what there is ---------------------------------------------------------


def test_types_are_those_of_the_api(greaves: Tenant) -> None:
    listed = greaves.call("schemas", "GET", "/v1/schemas").json

    assert structured(greaves, "list_schemas") == listed
    assert "invoice" in [each["docType"] for each in listed["schemas"]]


def test_models_are_those_of_the_api(greaves: Tenant) -> None:
    from alma.storage.items.models import ModelItem

    ModelItem(
        "greaves",
        "model#mdl_x",
        model_id="mdl_x",
        name="x",
        base_model="alma-base",
        status="ready",
        created_at="2026-05-14T09:21:00Z",
    ).save()

    listed = structured(greaves, "list_models")

    assert listed == greaves.call("models", "GET", "/v1/models").json
    assert [model["id"] for model in listed["models"]] == ["mdl_x"]


def test_a_request_of_the_latest_revision_goes_through_the_gateway_s_event(greaves: Tenant) -> None:
    prefix = "io.modelcontextprotocol/"
    meta = {f"{prefix}protocolVersion": "2026-07-28", f"{prefix}clientCapabilities": {}}
    message = {"jsonrpc": "2.0", "id": "a", "method": "tools/list", "params": {"_meta": meta}}
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}

    answer = greaves.call("mcp", "POST", "/mcp", body=message, headers=headers, role=Role.READER)

    body = json.loads(base64.b64decode(answer.body))
    assert (answer.status, body["id"], len(body["result"]["tools"])) == (200, "a", 9)


def test_a_header_that_came_twice_is_not_the_one_the_body_says(greaves: Tenant) -> None:
    prefix = "io.modelcontextprotocol/"
    meta = {f"{prefix}protocolVersion": "2026-07-28", f"{prefix}clientCapabilities": {}}
    event = proxy_event(
        "POST",
        "/mcp",
        body={"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}},
        headers={"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"},
    )
    event["multiValueHeaders"]["Mcp-Method"] = ["tools/call", "tools/list"]
    event["requestContext"]["authorizer"] = {
        "organisation": "greaves",
        "key_id": greaves.ids[Role.READER],
        "role": "reader",
    }

    answer = function("mcp").handler(event, Context())

    assert answer["statusCode"] == 400
    assert json.loads(base64.b64decode(answer["body"]))["error"]["code"] == -32020
