"""Fields decided, added and claimed over HTTP, and read again."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from alma import clock
from alma.access import keys
from alma.access.keys import Role
from alma.access.scopes import Scope
from alma.cli import main
from alma.cli.client import ApiError, Client
from alma.datamodel.fields import Extraction, Field, Reading, Status
from alma.datamodel.geometry import Box, Region, Word
from alma.datamodel.pages import PageText, Track
from alma.documents import audit, deletion, intake, page_records, progress, records
from alma.documents.audit import Event
from alma.documents.records import Document
from alma.errors import ConflictError, UnavailableError
from alma.models import datasets
from alma.pipeline import extract as pipeline_extract
from alma.review import merging, proposals, re_extraction
from alma.review import queue as review_queue
from alma.review.corrections import Place
from alma.review.proposals import Proposal
from alma.storage import objects
from alma.storage import queue as page_queue
from alma.storage.items.access import KeyItem, key_key
from alma.storage.items.documents import AuditItem, DocumentItem, document_key
from tests.cloud import Answer, Tenant
from tests.reading import extract, messages

pytestmark = pytest.mark.usefixtures("aws")

#: Page 1: line, top edge, words from left to right, each .08 wide and .02 high.
LINES = [
    (0.10, "Grantor: Josiah A. Greaves"),
    (0.20, "Dated 14/05/1952"),
    (0.30, "Consideration $ 1,250.00"),
]


def words(lines: Sequence[tuple[float, str]] = tuple(LINES)) -> tuple[Word, ...]:
    return tuple(
        Word(word, Box(0.1 + 0.1 * n, top, 0.08, 0.02), line)
        for line, (top, text) in enumerate(lines)
        for n, word in enumerate(text.split())
    )


def read_as(
    value: str, y: float = 0.1, confidence: float | None = 0.9, track: str = "text", page: int = 1
) -> Reading:
    return Reading(track, value, value, confidence, (Region(page, Box(0.2, y, 0.28, 0.02)),))


def deed() -> list[Field]:
    return [
        Field("grantor_name", 0, (read_as("Josiah Greaves"),)),
        Field(
            "deed_date", 0, (read_as("1952-05-14", 0.2, 0.3),), Status.ESCALATED, reasons=("low_confidence",)
        ),
        Field("consideration", 0, (), Status.ESCALATED, reasons=("required_missing",)),
    ]


SCHEMA: dict[str, Any] = {
    "description": "A deed.",
    "fields": [
        {"key": "grantor_name", "type": "name"},
        {"key": "deed_date", "type": "date"},
        {"key": "consideration", "type": "amount", "required": True},
        {"key": "witness", "type": "name", "repeated": True},
    ],
    "groups": [{"key": "parcels", "fields": [{"key": "name"}, {"key": "acres", "type": "number"}]}],
}


class Desk:
    """An organisation with one document to review, page 1 of which can be read."""

    def __init__(self, fields: list[Field] | None = None) -> None:
        self.tenant = Tenant.create("greaves")
        self.put_schema(SCHEMA)
        announced = intake.announce("greaves", "deed.pdf")
        self.document: Document = progress.pages_known(announced, 2, [], "application/pdf")
        page_records.put_page(self.document, 1, width=10, height=10, has_text=True, waiting=False)
        page = PageText(1, 100, 100, Track.TEXT, words())
        key = objects.words_key(self.document.id, 1, Track.TEXT)
        objects.put("greaves", key, page.to_json(), "application/json")
        progress.finish(self.document, Extraction("deed", None, deed() if fields is None else fields))

    def put_schema(self, schema: dict[str, Any]) -> None:
        path = {"docType": "deed"}
        answer = self.tenant.call("schemas", "PUT", "/v1/schemas/{docType}", path=path, body=schema)
        assert answer.status in (200, 201), answer.body

    def call(self, method: str, resource: str, body: object = None, **options: Any) -> Answer:
        path = {"id": str(self.document.id), **options.pop("path", {})}
        return self.tenant.call("reviews", method, resource, path=path, body=body, **options)

    def patch(self, field: str, action: str, version: int = 1, **body: Any) -> Answer:
        role = body.pop("role", Role.REVIEWER)
        sent = {"action": action, "version": version, **body}
        resource = "/v1/documents/{id}/fields/{field}"
        return self.call("PATCH", resource, sent, path={"field": field}, role=role)

    def add(self, key: str, **body: Any) -> Answer:
        return self.call("POST", "/v1/documents/{id}/fields", {"key": key, **body}, role=Role.REVIEWER)

    def claim(self, role: Role = Role.REVIEWER, **body: Any) -> Answer:
        return self.call("POST", "/v1/documents/{id}/claim", body, role=role)

    def release(self, role: Role = Role.REVIEWER) -> Answer:
        return self.call("POST", "/v1/documents/{id}/release", role=role)

    def shown(self) -> dict[str, Any]:
        path, query = {"id": str(self.document.id)}, {"tracks": "all"}
        answer = self.tenant.call("documents", "GET", "/v1/documents/{id}", path=path, query=query)
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.json
        return body

    def fields(self) -> dict[str, dict[str, Any]]:
        return {field["id"]: field for field in self.shown()["fields"]}

    def history(self) -> list[dict[str, Any]]:
        answer = self.call("GET", "/v1/documents/{id}/history", role=Role.READER)
        assert answer.status == 200, answer.body
        entries: list[dict[str, Any]] = answer.json["entries"]
        return entries

    def put_words(self, track: Track, page: int, lines: list[tuple[float, str]]) -> None:
        """Have a page read as these lines."""
        page_records.put_page(
            self.document, page, width=10, height=10, has_text=track is Track.TEXT, waiting=False
        )
        if track is Track.VISION:
            page_records.page_recognised(self.document, page, 0)
        read = PageText(page, 100, 100, track, words(lines))
        key = objects.words_key(self.document.id, page, track)
        objects.put("greaves", key, read.to_json(), "application/json")

    def examples(self) -> list[tuple[str, str, float]]:
        """Key, text and top edge of each line of the document's jsonl."""
        answer = self.tenant.call(
            "export",
            "GET",
            "/v1/export/{documentId}",
            path={"documentId": str(self.document.id)},
            query={"format": "jsonl"},
        )
        lines = map(json.loads, base64.b64decode(answer.body).splitlines())
        return [(line["field_key"], line["text"], line["bbox"]["y"]) for line in lines]

    def verified(self) -> int:
        return int(DocumentItem.get("greaves", document_key(self.document.id)).verified)


def box(x: float, y: float, w: float, h: float, page: int = 1) -> dict[str, Any]:
    return {"page": page, "bbox": {"x": x, "y": y, "w": w, "h": h}}


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- what is left to review --------------------------------------------------


def left(desk: Desk) -> dict[str, int] | None:
    answer = desk.tenant.call("documents", "GET", "/v1/documents")
    [document] = answer.json["documents"]
    counts: dict[str, int] | None = document.get("review")
    return counts


def test_lists_count_what_is_left_to_review_of_a_document(desk: Desk) -> None:
    counted = [left(desk)]
    desk.patch("grantor_name", "accept")
    counted.append(left(desk))
    desk.patch("consideration", "reject")
    counted.append(left(desk))
    desk.patch("deed_date", "edit", value="1952-05-15")
    desk.add("witness", value="Ann Greaves")
    counted.append(left(desk))
    desk.patch("grantor_name", "escalate", version=2)
    counted.append(left(desk))

    assert counted == [
        {"escalated": 2, "unreviewed": 1, "missing": 1},
        {"escalated": 2, "unreviewed": 0, "missing": 1},
        {"escalated": 1, "unreviewed": 0, "missing": 0},
        {"escalated": 0, "unreviewed": 0, "missing": 0},
        {"escalated": 1, "unreviewed": 0, "missing": 0},
    ]


def test_a_document_of_before_the_counters_shows_none_until_it_changes_and_then_all(desk: Desk) -> None:
    counters = (DocumentItem.escalated, DocumentItem.unreviewed, DocumentItem.missing)
    row = DocumentItem.get("greaves", document_key(desk.document.id))
    row.update(actions=[each.remove() for each in (*counters, DocumentItem.review_key)])
    counted = [left(desk)]

    assert desk.patch("grantor_name", "accept").status == 200

    assert [*counted, left(desk)] == [None, {"escalated": 2, "unreviewed": 0, "missing": 1}]


def test_alma_get_names_required_fields_that_were_not_found(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    from alma.cli import tables
    from alma.cli.output import Output

    path = {"id": str(desk.document.id)}
    body = desk.tenant.call("documents", "GET", "/v1/documents/{id}", path=path).json
    Output(as_json=False).show(body, lambda: tables.fields(body, desk.document.id))

    assert "not found, though the type requires it: consideration" in capsys.readouterr().out


# --- deciding ----------------------------------------------------------------


def test_an_accepted_field_says_by_whom_and_keeps_its_reading(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now().replace(year=2026, month=5, day=14, hour=9, minute=21, second=0)
    monkeypatch.setattr(clock, "now", lambda: now)

    answer = desk.patch("grantor_name", "accept", comment="clear")

    place = {"page": 1, "bbox": {"x": 0.2, "y": 0.1, "w": 0.28, "h": 0.02}}
    assert answer.status == 200
    assert answer.json == {
        "id": "grantor_name",
        "key": "grantor_name",
        "value": "Josiah Greaves",
        "confidence": 0.9,
        "status": "accepted",
        "evidence": place,
        "tracks": [
            {
                "track": "text",
                "value": "Josiah Greaves",
                "content": "Josiah Greaves",
                "confidence": 0.9,
                "evidence": place,
            }
        ],
        "reasons": [],
        "version": 2,
        "reviewedBy": desk.tenant.ids[Role.REVIEWER],
        "reviewedAt": "2026-05-14T09:21:00Z",
        "comment": "clear",
    }
    assert desk.fields()["grantor_name"] == answer.json
    assert desk.verified() == 1


def test_an_edited_value_is_in_the_form_of_its_type(desk: Desk) -> None:
    answer = desk.patch("deed_date", "edit", value="15 May 1952")

    assert (answer.status, answer.json["value"], answer.json["status"]) == (200, "1952-05-15", "edited")
    assert answer.json["reasons"] == []


# --- the place of a value that came without one ------------------------------


def test_a_value_that_stands_nowhere_has_no_place_and_is_no_example(desk: Desk) -> None:
    desk.patch("grantor_name", "accept")
    answer = desk.patch("deed_date", "edit", value="1952-05-15")

    assert (answer.status, answer.json["evidence"]) == (200, None)
    assert desk.examples() == [("grantor_name", "Josiah Greaves", 0.1)]
    (labelled,) = datasets.documents_of("greaves", "deed")
    assert [example.field_key for example in labelled.examples] == ["grantor_name"]
    assert labelled.unplaced == {"deed_date"}


def test_a_value_finds_its_own_place_among_the_words(desk: Desk) -> None:
    name = desk.patch("grantor_name", "edit", value="josiah a greaves")
    amount = desk.add("consideration", value="1250")
    date = desk.patch("deed_date", "edit", value="14 May 1952")

    assert name.json["evidence"]["bbox"] == {"x": 0.2, "y": 0.1, "w": 0.28, "h": 0.02}
    assert amount.json["evidence"]["bbox"]["y"] == 0.3
    assert amount.json["evidence"]["bbox"]["w"] < 0.2
    # The value that was read, written in another way, stands where it was read.
    assert date.json["evidence"]["bbox"] == {"x": 0.2, "y": 0.2, "w": 0.28, "h": 0.02}
    assert sorted(desk.examples()) == [
        ("consideration", "1250.00", 0.3),
        ("deed_date", "1952-05-14", 0.2),
        ("grantor_name", "josiah a greaves", 0.1),
    ]


def test_of_several_places_the_nearest_to_the_former_one_is_taken_on_all_tracks_and_pages() -> None:
    desk = Desk()
    desk.put_words(Track.VISION, 2, [(0.5, "Ellen Greaves"), (0.8, "Ellen Marsh")])
    desk.put_words(Track.VISION, 1, [(0.10, "Ellen Marsh"), (0.85, "Ellen Marsh")])

    there = desk.patch("grantor_name", "edit", value="Ellen Marsh").json
    elsewhere = desk.patch("grantor_name", "edit", version=2, value="Ellen Greaves").json

    assert (there["evidence"]["page"], there["evidence"]["bbox"]["y"]) == (1, 0.1)
    assert (elsewhere["evidence"]["page"], elsewhere["evidence"]["bbox"]["y"]) == (2, 0.5)


def test_a_value_that_was_read_in_the_wrong_way_stands_where_it_was_read(desk: Desk) -> None:
    desk.put_words(Track.TEXT, 1, [(0.2, "Signed 03/04/1952"), (0.3, "for 5,000")])

    date = desk.patch("deed_date", "edit", value="1952-03-04").json
    amount = desk.add("consideration", value="5000").json

    assert (date["evidence"]["bbox"]["x"], date["evidence"]["bbox"]["y"]) == (0.2, 0.2)
    assert (amount["value"], amount["evidence"]["bbox"]["y"]) == ("5000.00", 0.3)


def test_without_a_former_place_several_are_none(desk: Desk) -> None:
    desk.put_words(Track.VISION, 1, [(0.6, "$ 1,250.00")])

    assert desk.add("consideration", value="1250.00").json["evidence"] is None
    assert desk.add("parcels.acres", value="9").json["evidence"] is None


def test_other_numbers_of_the_same_digits_are_another_value(desk: Desk) -> None:
    desk.put_words(Track.TEXT, 1, [(0.2, "Lot 1/12")])

    assert desk.add("parcels.name", value="Lot 11/2").json["evidence"] is None
    assert desk.add("parcels.name", value="lot 1/12").json["evidence"]["bbox"]["y"] == 0.2


def test_what_a_person_types_is_kept_though_the_words_are_lost(desk: Desk) -> None:
    objects.delete_pages("greaves", desk.document.id, [1])

    answer = desk.patch("grantor_name", "edit", value="Ann")

    assert (answer.status, answer.json["evidence"]) == (200, None)


def test_a_box_that_moves_says_so_in_the_history(
    desk: Desk, command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.patch("deed_date", "edit", evidence=box(0.19, 0.19, 0.12, 0.04))

    moved = desk.history()[-1]
    monkeypatch.setenv("COLUMNS", "300")
    printed = command("history", "1")[1]

    assert moved["before"]["value"] == moved["after"]["value"] == "1952-05-14"
    assert moved["before"]["evidence"] == box(0.2, 0.2, 0.28, 0.02)
    assert moved["after"]["evidence"] == box(0.2, 0.2, 0.08, 0.02)
    assert "1952-05-14 (page 1, 0.2,0.2,0.28,0.02)" in printed
    assert "1952-05-14 (page 1, 0.2,0.2,0.08,0.02)" in printed


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("deed_date", "1952-05-15", "1952-05-15"),
        ("deed_date", "03/04/1952", "1952-04-03"),
        ("consideration", "$ 1,250", "1250.00"),
        ("consideration", "1250.5", "1250.50"),
        ("consideration", "1,250.00 USD", "1250.00"),
        ("consideration", "CHF 1'250", "1250.00"),
        ("consideration", "₩ 1,250", "1250.00"),
        ("consideration", "(12.50)", "-12.50"),
        ("consideration", "12,50 €", "12.50"),
        ("grantor_name", "  Josiah \n A.  Greaves ", "Josiah A. Greaves"),
        ("grantor_name", "<script>alert('x')</script>", "<script>alert('x')</script>"),
        ("grantor_name", '=HYPERLINK("x")', '=HYPERLINK("x")'),
    ],
)
def test_values_are_kept_in_the_form_of_their_type(desk: Desk, field: str, value: str, kept: str) -> None:
    assert desk.patch(field, "edit", value=value).json["value"] == kept


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("deed_date", "soon", "This field holds dates, and the value is none; write a date as 2026-05-14."),
        ("deed_date", "1952-05-14 or 1952-05-15", "This field holds dates"),
        ("deed_date", "not 1952-05-14", "This field holds dates"),
        ("deed_date", "١٩٥٢-٠٥-١٤", "This field holds dates"),
        ("consideration", "a lot", "write an amount as 1234.50."),
        ("consideration", "not 12", "write an amount as 1234.50."),
        ("consideration", "12 or so", "write an amount as 1234.50."),
        ("consideration", "١٢٣.٥", "write an amount as 1234.50."),
        ("consideration", "12²", "write an amount as 1234.50."),
        ("consideration", "½", "write an amount as 1234.50."),
        ("consideration", "9" * 31, "write an amount as 1234.50."),
        ("grantor_name", "   ", "value is empty; where the document has none, a person rejects the field."),
    ],
)
def test_a_value_that_is_none_of_its_type_is_refused(
    desk: Desk, field: str, value: str, sentence: str
) -> None:
    answer = desk.patch(field, "edit", value=value)

    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert sentence in answer.json["detail"]
    assert desk.fields()[field]["version"] == 1


def test_a_box_alone_is_read_by_the_words_that_stand_in_it(desk: Desk) -> None:
    answer = desk.patch("grantor_name", "edit", evidence=box(0.19, 0.09, 0.31, 0.04))

    assert answer.status == 200
    assert answer.json["value"] == "Josiah A. Greaves"
    assert answer.json["evidence"] == {"page": 1, "bbox": {"x": 0.2, "y": 0.1, "w": 0.28, "h": 0.02}}


def test_a_word_belongs_to_a_box_if_more_than_half_of_it_is_inside(desk: Desk) -> None:
    assert desk.patch("grantor_name", "edit", evidence=box(0.25, 0.1, 0.1, 0.02)).json["value"] == "A."


def test_a_typed_value_is_found_in_a_box_and_its_evidence_is_the_words(desk: Desk) -> None:
    answer = desk.patch("consideration", "edit", evidence=box(0.05, 0.29, 0.9, 0.04))

    assert answer.json["value"] == "1250.00"
    assert answer.json["evidence"]["bbox"] == {"x": 0.1, "y": 0.3, "w": 0.28, "h": 0.02}


def test_a_box_over_several_lines_has_a_region_for_each(desk: Desk) -> None:
    answer = desk.patch("grantor_name", "edit", evidence=box(0.0, 0.05, 1.0, 0.2))

    assert answer.json["value"] == "Grantor: Josiah A. Greaves Dated 14/05/1952"
    assert [region["bbox"]["y"] for region in answer.json["evidence"]["regions"]] == [0.1, 0.2]


@pytest.mark.parametrize("evidence", [box(0.6, 0.6, 0.2, 0.2), box(0.1, 0.1, 0.2, 0.2, page=2)])
def test_a_box_nothing_can_be_read_in_asks_for_the_value(desk: Desk, evidence: dict[str, Any]) -> None:
    answer = desk.patch("grantor_name", "edit", evidence=evidence)

    assert (answer.status, answer.json["detail"]) == (
        400,
        "There is nothing to be read in this box; say the value too.",
    )


def test_a_box_without_a_value_of_the_type_asks_for_it(desk: Desk) -> None:
    answer = desk.patch("consideration", "edit", evidence=box(0.1, 0.09, 0.4, 0.04))

    assert answer.json["detail"] == "There is no amount to be read in this box; say the value too."


def test_value_and_box_are_kept_as_given(desk: Desk) -> None:
    answer = desk.patch("grantor_name", "edit", value="J. Greaves", evidence=box(0.5, 0.5, 0.2, 0.1, page=2))

    assert (answer.json["value"], answer.json["evidence"]) == ("J. Greaves", box(0.5, 0.5, 0.2, 0.1, page=2))


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        (box(0.5, 0.5, 0.6, 0.1), "A bbox has an area and lies on the page"),
        (box(0.5, 0.5, 0.0, 0.1), "A bbox has an area"),
        (box(0.5, 0.5, 1e-9, 0.1), "A bbox has an area"),
        (box(0.5, 0.5, 0.1, 0.1, page=3), "The document has 2 pages; there is no page 3."),
        (box(-0.5, 0.5, 0.1, 0.1), "evidence.bbox.x"),
        ({"page": 1, "bbox": {"x": "0", "y": 0, "w": 1, "h": 1}}, "evidence.bbox.x"),
        ({"page": 0, "bbox": {"x": 0, "y": 0, "w": 1, "h": 1}}, "evidence.page"),
        ({"page": 1}, "evidence.bbox"),
    ],
)
def test_a_box_that_is_none_is_refused(desk: Desk, evidence: dict[str, Any], sentence: str) -> None:
    answer = desk.patch("grantor_name", "edit", value="x", evidence=evidence)

    assert (answer.status, sentence in answer.json["detail"]) == (400, True), answer.body


@pytest.mark.parametrize(
    "raw",
    [
        "", "{}", "[]", "null", "{", '{"action": "accept"}', '{"action": "accept", "version": "1"}',
        '{"action": "accept", "version": 0}', '{"action": "approve", "version": 1}',
        '{"action": "accept", "version": 1, "extra": 1}', '{"action": "edit", "version": 1}',
        '{"action": "accept", "version": 1, "value": "x"}', '{"action": "edit", "version": 1, "value": 5}',
        '{"action": "edit", "version": 1, "value": "\\ud800"}',
        '{"action": "edit", "version": 1, "value": "a\\u0000"}',
        '{"action": "edit", "version": 1, "value": "\\u200b"}',
        '{"action": "accept", "version": 1, "comment": "a\\u202e"}',
        '{"action": "edit", "version": 1e400, "value": "x"}',
        '{"action": "edit", "version": 1, "value": "x", "evidence": {"page": 1, "bbox": '
        '{"x": NaN, "y": 0, "w": 1, "h": 1}}}',
        json.dumps({"action": "edit", "version": 1, "value": "x" * 4001}),
        json.dumps({"action": "accept", "version": 1, "comment": "x" * 2001}),
        "[" * 100_000,
    ],
    ids=range(22),
)  # fmt: skip
def test_a_body_that_is_none_is_400_and_changes_nothing(desk: Desk, raw: str) -> None:
    path = {"field": "grantor_name"}
    answer = desk.call("PATCH", "/v1/documents/{id}/fields/{field}", path=path, raw=raw)

    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert len(desk.history()) == 1


def test_who_sends_what_cannot_be_seen_is_told_what_it_is(desk: Desk) -> None:
    hidden = desk.patch("grantor_name", "edit", value="Jo\u200bsiah")
    added = desk.add("witness", value="Ann", comment="\x1b[31m")
    seen = desk.patch("grantor_name", "accept", comment="two\r\n\tlines")

    assert (hidden.status, hidden.json["detail"]) == (
        400,
        "The body is not what this route takes: value: it has a control or invisible character, U+200B; "
        "leave it out.",
    )
    assert (added.status, "comment: it has a control or invisible character, U+001B" in added.body) == (
        400,
        True,
    )
    assert (seen.status, seen.json["comment"]) == (200, "two\r\n\tlines")


def test_a_box_whose_page_has_lost_its_words_says_so_without_a_key(desk: Desk) -> None:
    objects.delete_pages("greaves", desk.document.id, [1])

    answer = desk.patch("grantor_name", "edit", evidence=box(0.19, 0.09, 0.31, 0.04))

    assert (answer.status, answer.json["detail"]) == (
        404,
        "The words of page 1 of document 1 are not there; if it is not being removed, upload it again.",
    )


def test_rejecting_says_that_there_is_none_and_decides_a_missing_field(desk: Desk) -> None:
    rejected = desk.patch("consideration", "reject")

    assert (rejected.status, rejected.json["status"], rejected.json["value"]) == (200, "rejected", None)
    assert desk.patch("grantor_name", "reject").json["status"] == "rejected"
    assert desk.verified() == 0


def test_a_missing_field_cannot_be_accepted(desk: Desk) -> None:
    answer = desk.patch("consideration", "accept")

    assert (answer.status, answer.json["error"]) == (409, "field_missing")


def test_escalating_takes_a_decision_back_and_keeps_the_readings(desk: Desk) -> None:
    desk.patch("grantor_name", "edit", value="Somebody")
    assert desk.verified() == 1

    answer = desk.patch("grantor_name", "escalate", version=2, comment="which one?")

    assert (answer.json["status"], answer.json["value"]) == ("escalated", "Josiah Greaves")
    assert answer.json["comment"] == "which one?"
    assert desk.verified() == 0


def test_a_stale_version_is_refused_with_what_the_field_is_now(desk: Desk) -> None:
    first = desk.patch("grantor_name", "accept")

    stale = desk.patch("grantor_name", "reject")

    assert (stale.status, stale.json["error"]) == (409, "stale_version")
    assert stale.json["current"] == first.json
    assert set(stale.json) == {"error", "detail", "request_id", "current"}
    assert desk.patch("grantor_name", "accept", version=2).json["version"] == 3


@pytest.mark.parametrize("name", ["parcels%5B1%5D.acres", "parcels[1].acres"])
def test_a_cell_is_named_by_its_row_encoded_or_not(name: str) -> None:
    desk = Desk([Field("parcels.acres", row, (read_as(str(row), 0.1 + row / 10, None),)) for row in range(3)])

    answer = desk.patch(name, "edit", value="12.5")

    assert (answer.status, answer.json["id"], answer.json["row"]) == (200, "parcels[1].acres", 1)
    assert [f["value"] for f in desk.shown()["fields"]] == ["0", "12.5", "2"]


def test_a_second_occurrence_has_a_number_and_the_first_may_have_one() -> None:
    desk = Desk([Field("witness", n, (read_as(name, n / 10),)) for n, name in enumerate(("Ann", "Bo"))])

    assert desk.patch("witness[1]", "accept").json["value"] == "Bo"
    assert desk.patch("witness[0]", "accept").json["value"] == "Ann"
    assert list(desk.fields()) == ["witness", "witness[1]"]


@pytest.mark.parametrize(
    "name",
    [
        "novel", "witness[9]", "grantor_name[1]", "", "a#b", "x" * 5000, "x" * 1500, "x" * 65,
        "x." + "y" * 1500, "ü", "%2e%2e",
    ],
)  # fmt: skip
def test_a_field_that_is_not_there_is_404(desk: Desk, name: str) -> None:
    answer = desk.patch(name, "accept")

    assert (answer.status, answer.json["error"]) == (404, "not_found")


def test_a_document_that_is_not_ready_cannot_be_reviewed(desk: Desk) -> None:
    desk.document = intake.announce("greaves", "later.pdf")

    answers = [
        desk.patch("grantor_name", "accept"),
        desk.add("witness", value="x"),
        desk.call("POST", "/v1/documents/{id}/extract", {}),
    ]

    assert [(answer.status, answer.json["error"]) for answer in answers] == [(409, "not_ready")] * 3


def test_a_reader_decides_nothing_and_sees_everything(desk: Desk) -> None:
    assert desk.patch("grantor_name", "accept", role=Role.READER).status == 403
    assert desk.claim(Role.READER).status == 403
    assert len(desk.history()) == 1
    queue = desk.tenant.call("reviews", "GET", "/v1/review-queue", role=Role.READER)
    assert len(queue.json["items"]) == 3


def test_the_default_shape_of_a_document_says_nothing_of_who_decided(desk: Desk) -> None:
    desk.patch("grantor_name", "accept", comment="x")
    desk.patch("consideration", "reject", comment="there is none")  # else it is named as missing
    desk.claim()

    answer = desk.tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": str(desk.document.id)})

    assert list(answer.json) == ["documentId", "docType", "fields"]
    assert list(answer.json["fields"][0]) == ["key", "value", "confidence", "status", "evidence"]


# --- adding ------------------------------------------------------------------


def test_a_field_that_was_not_found_is_added_with_a_box_drawn_by_hand(desk: Desk) -> None:
    answer = desk.add("witness", evidence=box(0.19, 0.09, 0.31, 0.04), comment="in the head")

    assert answer.status == 201
    assert (answer.json["id"], answer.json["value"], answer.json["status"]) == (
        "witness",
        "Josiah A. Greaves",
        "edited",
    )
    assert answer.json["tracks"] == []
    assert desk.fields()["witness"] == answer.json
    assert desk.verified() == 1
    assert desk.patch("witness", "edit", version=answer.json["version"], value="B").status == 200


def test_a_missing_field_is_filled_in_and_one_that_is_there_is_not(desk: Desk) -> None:
    filled = desk.add("consideration", value="1250")
    again = desk.add("consideration", value="1250")

    assert (filled.status, filled.json["value"], filled.json["version"]) == (201, "1250.00", 2)
    assert (again.status, again.json["error"]) == (409, "field_exists")
    assert again.json["current"] == filled.json


def test_a_field_that_somebody_rejected_is_not_filled_in(desk: Desk) -> None:
    rejected = desk.patch("consideration", "reject", comment="there is none")

    answer = desk.add("consideration", value="5")

    assert (answer.status, answer.json["error"]) == (409, "field_exists")
    assert answer.json["current"] == rejected.json == desk.fields()["consideration"]


def test_a_repeated_field_takes_the_next_occurrence(desk: Desk) -> None:
    assert [desk.add("witness", value=name).json["id"] for name in ("Ann", "Bo")] == ["witness", "witness[1]"]


def test_a_cell_is_added_to_its_row_or_to_a_new_one(desk: Desk) -> None:
    made = [
        desk.add("parcels.name", value="Mill Pasture"),
        desk.add("parcels.acres", value="12,5", row=0),
        desk.add("parcels.acres", value="3"),
    ]
    taken = desk.add("parcels.acres", value="4", row=1)
    far = desk.add("parcels.acres", value="4", row=7)

    assert [answer.json["id"] for answer in made] == [
        "parcels[0].name",
        "parcels[0].acres",
        "parcels[1].acres",
    ]
    assert (taken.status, taken.json["error"]) == (409, "field_exists")
    assert (far.status, far.json["detail"]) == (400, "parcels has 2 rows; row is 0 to 2, 2 a new one.")
    assert list(desk.fields())[-3:] == ["parcels[0].acres", "parcels[0].name", "parcels[1].acres"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            {"key": "novel", "value": "x"},
            "key is one of grantor_name, deed_date, consideration, witness, parcels.name",
        ),
        ({"key": "witness"}, "Say the value, or the place it stands at (evidence), or both."),
        ({"key": "witness", "value": "x", "row": 0}, "witness is no column of a group"),
        ({"key": "parcels.acres", "value": "x", "row": -1}, "row"),
        ({"key": "parcels.acres", "value": "many"}, "write a number as 12.5."),
        ({"value": "x"}, "key"),
    ],
)
def test_a_field_that_cannot_be_is_not_added(desk: Desk, body: dict[str, Any], sentence: str) -> None:
    answer = desk.call("POST", "/v1/documents/{id}/fields", body)

    assert (answer.status, sentence in answer.json["detail"]) == (400, True), answer.body


# --- claims ------------------------------------------------------------------


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Hold the clock; call it with seconds to move it on."""
    now = [clock.now().replace(year=2026, month=5, day=14, hour=9, minute=0, second=0)]
    monkeypatch.setattr(clock, "now", lambda: now[0])

    def move(seconds: int) -> None:
        now[0] += timedelta(seconds=seconds)

    return move


@pytest.mark.usefixtures("moment")
def test_a_claim_says_until_when_and_is_shown(desk: Desk) -> None:
    reviewer = desk.tenant.ids[Role.REVIEWER]

    answer = desk.claim()

    until = "2026-05-14T09:10:00Z"
    assert (answer.status, answer.json) == (
        200,
        {
            "documentId": desk.document.id,
            "claimedBy": reviewer,
            "claimedByName": "reviewer",
            "expiresAt": until,
        },
    )
    listed = desk.tenant.call("documents", "GET", "/v1/documents").json["documents"][0]
    for shown in (desk.shown(), listed):
        assert (shown["claimedBy"], shown["claimedUntil"]) == (reviewer, until)
    queue = desk.tenant.call("reviews", "GET", "/v1/review-queue").json["items"]
    assert {item["claimedBy"] for item in queue} == {reviewer}


def test_while_one_key_works_on_a_document_no_other_decides(desk: Desk) -> None:
    held = desk.claim()

    refused = [
        desk.claim(Role.ADMIN),
        desk.patch("grantor_name", "accept", role=Role.ADMIN),
        desk.call("POST", "/v1/documents/{id}/fields", {"key": "witness", "value": "x"}),
    ]

    for answer in refused:
        assert (answer.status, answer.json["error"]) == (409, "claimed")
        assert answer.json["claimedBy"] == desk.tenant.ids[Role.REVIEWER]
        assert answer.json["expiresAt"] == held.json["expiresAt"]
    assert desk.patch("grantor_name", "accept").status == 200


def test_claims_and_history_name_the_keys(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.patch("grantor_name", "accept")
    refused = [desk.claim() and desk.claim(Role.ADMIN), desk.patch("deed_date", "accept", role=Role.ADMIN)]
    listed = desk.tenant.call("documents", "GET", "/v1/documents").json["documents"][0]
    waiting = desk.tenant.call("reviews", "GET", "/v1/review-queue").json["items"]
    assert len(waiting) > 1

    for shown in (desk.shown(), listed, *waiting, *(answer.json for answer in refused)):
        assert (shown["claimedBy"], shown["claimedByName"]) == (desk.tenant.ids[Role.REVIEWER], "reviewer")
    assert refused[0].json["detail"].startswith(f"reviewer ({desk.tenant.ids[Role.REVIEWER]}) works on this")
    assert [(each["by"], each["byName"]) for each in desk.history()] == [
        ("alma", None),
        (desk.tenant.ids[Role.REVIEWER], "reviewer"),
    ]

    queries: list[Any] = []
    query = KeyItem.query

    def count(*args: Any, **options: Any) -> Any:
        queries.append(args)
        return query(*args, **options)

    monkeypatch.setattr(KeyItem, "query", count)
    desk.history()
    desk.tenant.call("documents", "GET", "/v1/documents")
    desk.tenant.call("reviews", "GET", "/v1/review-queue")
    assert len(queries) == 3
    desk.release()
    desk.tenant.call("documents", "GET", "/v1/documents")
    desk.tenant.call("reviews", "GET", "/v1/review-queue")
    desk.shown()
    assert len(queries) == 3  # nobody to name


def test_alma_list_review_and_history_show_the_names(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from alma.cli import tables
    from alma.cli.output import Output

    desk.patch("grantor_name", "accept")
    desk.claim()
    monkeypatch.setenv("COLUMNS", "200")
    listed = desk.tenant.call("documents", "GET", "/v1/documents").json
    Output(as_json=False).show(listed, lambda: tables.listing(listed))
    assert "claimed by reviewer" in capsys.readouterr().out

    waiting = desk.tenant.call("reviews", "GET", "/v1/review-queue").json["items"]
    Output(as_json=False).show({}, lambda: [tables.queue_table(waiting)])
    assert capsys.readouterr().out.count("claimed by reviewer") == 1

    entries = desk.history()
    Output(as_json=False).show({}, lambda: [tables.history_table(entries)])
    printed = capsys.readouterr().out.replace("│", " ").split()
    assert "reviewer" in printed
    assert "alma" in printed


def test_a_key_that_is_gone_has_no_name_and_a_revoked_one_has(desk: Desk) -> None:
    reviewer = desk.tenant.ids[Role.REVIEWER]
    desk.patch("grantor_name", "accept")
    desk.claim()

    keys.revoke("greaves", reviewer)
    assert desk.history()[-1]["byName"] == "reviewer"
    KeyItem.get("greaves", key_key(reviewer)).delete()
    last, listed = desk.history()[-1], desk.tenant.call("documents", "GET", "/v1/documents")

    assert (last["by"], last["byName"]) == (reviewer, None)
    assert listed.json["documents"][0]["claimedBy"] == reviewer
    assert "claimedByName" not in listed.json["documents"][0]


def test_a_claim_expires_and_is_anybodys_then(desk: Desk, moment: Any) -> None:
    desk.claim(seconds=60)
    moment(59)
    assert desk.claim(Role.ADMIN).status == 409
    moment(1)

    assert "claimedBy" not in desk.shown()
    assert desk.patch("grantor_name", "accept", role=Role.ADMIN).status == 200
    assert desk.claim(Role.ADMIN).json["claimedBy"] == desk.tenant.ids[Role.ADMIN]


def test_who_holds_a_claim_goes_on_with_it(desk: Desk, moment: Any) -> None:
    desk.claim(seconds=60)
    moment(50)

    assert desk.claim(seconds=60).json["expiresAt"] == "2026-05-14T09:01:50Z"


def test_a_claim_is_released_by_its_holder_or_an_admin_and_twice(desk: Desk) -> None:
    desk.claim(Role.ADMIN)
    foreign = desk.release()
    assert (foreign.status, foreign.json["error"]) == (409, "claimed")
    assert [desk.release(Role.ADMIN).status for _ in range(2)] == [204, 204]
    desk.claim()
    assert desk.release(Role.ADMIN).status == 204
    assert desk.release().status == 204
    assert "claimedBy" not in desk.shown()


def test_releasing_anothers_claim_is_a_scope_that_an_admins_key_can_lack(desk: Desk) -> None:
    desk.claim()
    narrowed = [scope.value for scope in Scope if scope is not Scope.REVIEW_ADMIN]

    refused = desk.call("POST", "/v1/documents/{id}/release", role=Role.ADMIN, scopes=narrowed)
    assert (refused.status, refused.json["error"]) == (409, "claimed")
    assert desk.release(Role.ADMIN).status == 204


@pytest.mark.parametrize("seconds", [59, 3601, "600", 60.5, None])
def test_a_claim_is_for_a_minute_to_an_hour(desk: Desk, seconds: Any) -> None:
    assert desk.claim(seconds=seconds).status == 400


# --- at once -----------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run calls in threads, so that all have read before the first of them writes."""
    name = "_make_api_call"
    send, lock = getattr(BaseClient, name), threading.Lock()

    def one_by_one(self: Any, *args: Any) -> Any:
        with lock:  # moto's transactions are not made for threads
            return send(self, *args)

    monkeypatch.setattr(BaseClient, name, one_by_one)

    def run(*calls: Any) -> list[Answer]:
        barrier, entry = threading.Barrier(len(calls)), audit.next_item
        waited = threading.local()

        def after_all_have_read(row: DocumentItem, actor: str, event: Event) -> AuditItem:
            if not getattr(waited, "yes", False):
                waited.yes = True
                barrier.wait(20)
            return entry(row, actor, event)

        monkeypatch.setattr(audit, "next_item", after_all_have_read)
        answers: list[Answer | None] = [None] * len(calls)

        def call(at: int) -> None:
            answers[at] = calls[at]()

        threads = [threading.Thread(target=call, args=(at,)) for at in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        monkeypatch.setattr(audit, "next_item", entry)
        return [answer for answer in answers if answer is not None]

    return run


def test_of_two_reviewers_on_one_field_at_once_one_decides_and_the_other_sees_it(
    desk: Desk, at_once: Any
) -> None:
    answers = at_once(
        lambda: desk.patch("grantor_name", "edit", value="One"),
        lambda: desk.patch("grantor_name", "edit", value="Two", role=Role.ADMIN),
    )

    won, lost = sorted(answers, key=lambda answer: answer.status)
    assert (won.status, lost.status, lost.json["error"]) == (200, 409, "stale_version")
    assert lost.json["current"] == won.json == desk.fields()["grantor_name"]
    assert [entry["action"] for entry in desk.history()] == ["extracted", "edited"]


def test_two_reviewers_on_two_fields_at_once_both_decide(desk: Desk, at_once: Any) -> None:
    answers = at_once(lambda: desk.patch("grantor_name", "accept"), lambda: desk.patch("deed_date", "accept"))

    assert [answer.status for answer in answers] == [200, 200]
    assert desk.verified() == 2
    assert [entry["sequence"] for entry in desk.history()] == [1, 2, 3]


def test_two_who_add_at_once_take_two_occurrences(desk: Desk, at_once: Any) -> None:
    answers = at_once(lambda: desk.add("witness", value="Ann"), lambda: desk.add("witness", value="Bo"))

    assert sorted(answer.json["id"] for answer in answers) == ["witness", "witness[1]"]


def test_a_write_that_meets_another_at_the_same_moment_is_done_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, refusals = "_make_api_call", [1, 2]
    send = getattr(BaseClient, name)

    def conflict(self: Any, operation: str, arguments: Any) -> Any:
        if operation == "TransactWriteItems" and refusals:
            refusals.pop()
            reasons = [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "ongoing"}]
            code = {"Code": "TransactionCanceledException", "Message": "[None, TransactionConflict]"}
            answer: Any = {"Error": code, "CancellationReasons": reasons}
            raise ClientError(answer, operation)
        return send(self, operation, arguments)

    monkeypatch.setattr(BaseClient, name, conflict)

    assert desk.patch("grantor_name", "accept").status == 200
    assert (refusals, len(desk.history())) == ([], 2)


# --- the queue ---------------------------------------------------------------


def queue(tenant: Tenant, **query: str) -> Answer:
    return tenant.call("reviews", "GET", "/v1/review-queue", query=query)


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [item["field"]["id"] for item in answer.json["items"]]


def waiting() -> list[Field]:
    return [
        Field("sure", 0, (read_as("a", confidence=0.99),)),
        Field("unsure", 0, (read_as("b", confidence=0.2),)),
        Field("unknown", 0, (read_as("c", confidence=None),)),
        Field("low", 0, (read_as("d", confidence=0.4),), Status.ESCALATED, reasons=("low_confidence",)),
        Field("missing", 0, (), Status.ESCALATED, reasons=("required_missing",)),
        Field("done", 0, (read_as("e"),), Status.ACCEPTED, reviewed=read_as("e")),
        Field("goods.item", 0, (read_as("f", confidence=None),)),
        Field("goods.item", 1, (read_as("g", confidence=None),), Status.ESCALATED),
    ]


def test_the_queue_has_escalated_fields_first_and_then_the_less_sure() -> None:
    desk = Desk(waiting())

    assert ids(queue(desk.tenant)) == ["goods[1].item", "missing", "low", "unknown", "unsure", "sure"]


def test_cells_of_unknown_confidence_wait_behind_the_fields_of_unknown_confidence() -> None:
    unknown = Field(
        "unknown", 0, (read_as("c", confidence=None),), Status.ESCALATED, reasons=("confidence_unknown",)
    )
    low = Field("low", 0, (read_as("d", confidence=0.4),), Status.ESCALATED, reasons=("low_confidence",))
    desk = Desk([replace(unknown, key="goods.item"), low, unknown])

    assert ids(queue(desk.tenant)) == ["unknown", "goods[0].item", "low"]
    assert ids(queue(desk.tenant, maxConfidence="0.1")) == ["unknown", "goods[0].item"]


def test_an_item_of_the_queue_has_what_is_needed_to_decide_it(desk: Desk) -> None:
    [item] = queue(desk.tenant, limit="1", status="unreviewed").json["items"]

    assert item == {
        "documentId": desk.document.id,
        "docType": "deed",
        "fileName": "deed.pdf",
        "field": desk.fields()["grantor_name"],
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"field": "unsure"}, ["unsure"]),
        ({"field": "goods.item"}, ["goods[1].item"]),
        ({"docType": "invoice"}, []),
        ({"docType": "deed", "field": "low"}, ["low"]),
        ({"status": "unreviewed"}, ["unknown", "unsure", "sure"]),
        ({"maxConfidence": "0.4"}, ["goods[1].item", "missing", "low", "unknown", "unsure"]),
        ({"maxConfidence": "0.39", "status": "escalated"}, ["goods[1].item", "missing"]),
    ],
)
def test_the_queue_is_filtered(query: dict[str, str], found: list[str]) -> None:
    assert ids(queue(Desk(waiting()).tenant, **query)) == found


def test_a_filter_looks_at_so_many_rows_and_hands_out_where_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_queue, "_LOOKED_AT", 40)
    monkeypatch.setattr(review_queue, "_BATCH", 10)
    many = [
        Field("witness", n, (read_as("x", n / 200),), Status.ESCALATED, reasons=("low_confidence",))
        for n in range(100)
    ]
    desk = Desk([*many, Field("grantor_name", 0, (read_as("Josiah"),))])
    name, read = "_make_api_call", list[int]()
    send = getattr(BaseClient, name)

    def count(self: Any, operation: str, arguments: Any) -> Any:
        answer = send(self, operation, arguments)
        if arguments.get("IndexName") == "review":
            read.append(answer["ScannedCount"])
        return answer

    monkeypatch.setattr(BaseClient, name, count)
    pages = [queue(desk.tenant, field="grantor_name")]
    assert sum(read) <= 55
    while (cursor := pages[-1].json["nextCursor"]) is not None:
        pages.append(queue(desk.tenant, field="grantor_name", cursor=cursor))

    assert [ids(page) for page in pages] == [[], [], ["grantor_name"]]


def test_the_queue_is_read_page_by_page_while_fields_are_decided() -> None:
    desk, cursor = Desk(waiting()), dict[str, str]()
    found: list[str] = []
    while True:
        answer = queue(desk.tenant, limit="2", **cursor)
        found += ids(answer)
        desk.patch(found[0], "reject")
        if answer.json["nextCursor"] is None:
            break
        cursor = {"cursor": answer.json["nextCursor"]}

    assert found == ["goods[1].item", "missing", "low", "unknown", "unsure", "sure"]
    assert ids(queue(desk.tenant)) == found[1:]


def test_a_decided_field_leaves_the_queue_and_an_escalated_one_comes_back(desk: Desk) -> None:
    desk.patch("grantor_name", "accept")
    assert ids(queue(desk.tenant)) == ["consideration", "deed_date"]

    desk.patch("grantor_name", "escalate", version=2)

    assert ids(queue(desk.tenant)) == ["consideration", "deed_date", "grantor_name"]


def test_documents_that_are_still_read_or_gone_are_not_in_the_queue(desk: Desk) -> None:
    DocumentItem("greaves", document_key(desk.document.id)).update(
        actions=[DocumentItem.status.set("processing")]
    )
    assert queue(desk.tenant).json == {"items": [], "nextCursor": None}
    DocumentItem("greaves", document_key(desk.document.id)).update(actions=[DocumentItem.status.set("ready")])

    desk.tenant.call("documents", "DELETE", "/v1/documents/{id}", path={"id": str(desk.document.id)})

    assert queue(desk.tenant).json == {"items": [], "nextCursor": None}


def test_a_cursor_of_another_organisation_is_none(desk: Desk) -> None:
    cursor = queue(desk.tenant, limit="1").json["nextCursor"]

    assert queue(Tenant.create("stranger"), cursor=cursor).status == 400


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"}, {"cursor": "é"}, {"cursor": "MQ"}, {"limit": "0"}, {"limit": "201"}, {"limit": "-1"},
        {"limit": ""}, {"maxConfidence": "high"}, {"maxConfidence": "nan"}, {"maxConfidence": "1.1"},
        {"status": "accepted"}, {"status": "new"},
    ],
)  # fmt: skip
def test_a_query_that_is_none_is_400(query: dict[str, str]) -> None:
    answer = queue(Tenant.create("greaves"), **query)

    assert (answer.status, answer.json["error"]) == (400, "bad_request")


# --- history -----------------------------------------------------------------


def test_the_history_says_who_did_what_with_before_and_after(desk: Desk) -> None:
    desk.patch("deed_date", "edit", value="1952-05-15", comment="<b>smudged</b>")

    first, second = desk.history()

    assert (first["action"], first["by"], first["field"], first["before"]) == (
        "extracted",
        "alma",
        None,
        None,
    )
    assert {**first["after"], "fieldsDigest": None} == {"docType": "deed", "fields": 3, "fieldsDigest": None}
    place = {"page": 1, "bbox": {"x": 0.2, "y": 0.2, "w": 0.28, "h": 0.02}}
    assert {**second, "at": None, "digest": None} == {
        "sequence": 2,
        "at": None,
        "by": desk.tenant.ids[Role.REVIEWER],
        "byName": "reviewer",
        "action": "edited",
        "field": "deed_date",
        "before": {
            "status": "escalated",
            "reasons": ["low_confidence"],
            "version": 1,
            "value": "1952-05-14",
            "evidence": place,
        },
        "after": {
            "status": "edited",
            "reasons": [],
            "version": 2,
            "value": "1952-05-15",
            "evidence": None,
        },
        "comment": "<b>smudged</b>",
        "digest": None,
        "previous": first["digest"],
    }
    assert first["previous"] == "0" * 64


def test_the_history_is_read_page_by_page(desk: Desk) -> None:
    desk.patch("grantor_name", "accept")
    resource = "/v1/documents/{id}/history"

    first = desk.call("GET", resource, query={"limit": "1"}).json
    second = desk.call("GET", resource, query={"limit": "1", "cursor": first["nextCursor"]}).json

    assert [e["sequence"] for page in (first, second) for e in page["entries"]] == [1, 2]
    assert second["nextCursor"] is None
    for query in ({"limit": "0"}, {"limit": "101"}, {"cursor": "%"}):
        assert desk.call("GET", resource, query=query).status == 400


def test_what_is_left_of_a_removed_document_is_the_bare_chain(desk: Desk) -> None:
    desk.patch("grantor_name", "edit", value="Somebody")

    path = {"id": str(desk.document.id)}
    assert desk.tenant.call("documents", "DELETE", "/v1/documents/{id}", path=path).status == 204

    entries = desk.history()
    assert [(e["action"], e["before"], e["after"], e["comment"]) for e in entries] == [
        ("extracted", None, None, None),
        ("edited", None, None, None),
        ("deleted", None, None, None),
    ]
    assert entries[-1]["by"] == desk.tenant.ids[Role.ADMIN]
    assert "Somebody" not in json.dumps(entries)


def test_a_document_that_could_not_be_read_has_a_history(desk: Desk) -> None:
    desk.document = intake.announce("greaves", "broken.pdf")
    progress.fail(desk.document, "damaged_file", "x")

    assert [(e["action"], e["after"]) for e in desk.history()] == [("failed", {"error": "damaged_file"})]


# --- read again --------------------------------------------------------------


QUEUED = {"status": "ready", "reExtraction": "queued"}


def waits(desk: Desk) -> list[str | None]:
    """Return what GET, the list and an export say of a re-extraction that waits."""
    path = str(desk.document.id)
    [listed] = desk.tenant.call("documents", "GET", "/v1/documents").json["documents"]
    shown = desk.tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": path}).json
    saved = desk.tenant.call("export", "GET", "/v1/export/{documentId}", path={"documentId": path}).json
    return [each.get("reExtraction") for each in (shown, listed, saved)]


def test_a_document_says_that_it_waits_to_be_read_again_until_it_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_extract, "extract", lambda *_, **__: Extraction("deed", None, deed()))
    assert waits(desk) == [None, None, None]
    answers = [desk.call("POST", "/v1/documents/{id}/extract", {}) for _ in range(3)]

    assert [(each.status, each.json) for each in answers] == [
        (202, {**QUEUED, "documentId": desk.document.id})
    ] * 3
    [message] = messages()
    assert waits(desk) == ["queued", "queued", None]
    assert desk.patch("grantor_name", "accept").status == 200
    assert waits(desk)[0] == "queued"

    assert extract(message) == {"batchItemFailures": []}
    assert waits(desk) == [None, None, None]
    desk.call("POST", "/v1/documents/{id}/extract", {})
    assert len(messages()) == 1


def test_a_re_extraction_asked_for_as_another_type_takes_the_place_of_the_one_that_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        pipeline_extract, "extract", lambda words, schemas, doc_type, **__: Extraction(doc_type, None, [])
    )
    for doc_type in ("contract", "receipt", "receipt"):
        desk.call("POST", "/v1/documents/{id}/extract", {"docType": doc_type})
    first, last = sorted(messages(), key=lambda message: str(message["docType"]))

    extract(last)
    assert waits(desk)[0] is None
    extract(first)
    assert desk.shown()["docType"] == "receipt"
    desk.call("POST", "/v1/documents/{id}/extract", {"docType": "invoice"})
    extract(first)
    assert desk.shown()["docType"] == "receipt"
    assert waits(desk)[0] == "queued"


def crash(*_: object, **__: object) -> None:
    """Fail as what is not foreseen does."""
    raise RuntimeError


def test_a_re_extraction_that_fails_time_after_time_is_given_up_and_the_document_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from alma.cli import tables
    from alma.cli.output import Output

    before = desk.fields()
    monkeypatch.setattr(pipeline_extract, "extract", crash)
    desk.call("POST", "/v1/documents/{id}/extract", {})
    [message] = messages()
    for _ in range(2):
        assert extract(message)["batchItemFailures"]
        assert waits(desk) == ["queued", "queued", None]
    assert extract(message)["batchItemFailures"]

    said = (
        "Reading it again failed 3 times; its fields are as they were. Ask once more, or have the operator "
        "look at the log."
    )
    assert waits(desk) == ["failed", "failed", None]
    assert (desk.shown()["reExtractionDetail"], desk.fields()) == (said, before)
    Output(as_json=False).show({}, lambda: tables.fields(desk.shown(), desk.document.id))
    assert said in " ".join(capsys.readouterr().out.split())
    assert extract(message) == {"batchItemFailures": []}  # it comes once more, and nothing waits for it

    again(desk, monkeypatch, deed())
    assert waits(desk) == [None, None, None]


def test_a_re_extraction_that_is_cut_off_time_after_time_is_given_up(desk: Desk) -> None:
    desk.call("POST", "/v1/documents/{id}/extract", {})
    [message] = messages()
    for _ in range(3):  # as by the function's time-out
        re_extraction.begin("greaves", desk.document.id, int(str(message["asked"])))

    assert extract(message) == {"batchItemFailures": []}
    assert waits(desk) == ["failed", "failed", None]


def test_a_re_extraction_that_comes_at_another_attempt_has_not_failed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_extract, "extract", crash)
    desk.call("POST", "/v1/documents/{id}/extract", {})
    [message] = messages()
    assert extract(message)["batchItemFailures"]
    monkeypatch.setattr(pipeline_extract, "extract", lambda *_, **__: Extraction("deed", None, deed()))

    assert extract(message) == {"batchItemFailures": []}
    assert waits(desk) == [None, None, None]


def test_a_re_extraction_of_which_nothing_is_heard_for_an_hour_has_failed(desk: Desk) -> None:
    desk.call("POST", "/v1/documents/{id}/extract", {})
    messages()
    row = records.row_of("greaves", desk.document.id)
    row.update(actions=[DocumentItem.re_extraction.set(row.re_extraction - 3_601_000)])

    assert waits(desk) == ["failed", "failed", None]
    assert desk.shown()["reExtractionDetail"] == "It was not read again within an hour; ask once more."
    desk.call("POST", "/v1/documents/{id}/extract", {})
    assert len(messages()) == 1
    assert waits(desk) == ["queued", "queued", None]


def test_a_re_extraction_that_the_queue_does_not_take_is_not_waited_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UnavailableError("The page queue did not take every message.")

    monkeypatch.setattr(page_queue, "send_re_extraction", refuse)

    assert desk.call("POST", "/v1/documents/{id}/extract", {}).status == 503
    assert waits(desk) == [None, None, None]


def test_a_message_of_before_re_extractions_were_shown_is_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        pipeline_extract, "extract", lambda words, schemas, doc_type, **__: Extraction(doc_type, None, [])
    )
    old = {"organisation": "greaves", "documentId": desk.document.id, "page": 0, "again": True}

    assert extract({**old, "docType": "contract", "actor": "key_x"}) == {"batchItemFailures": []}
    assert desk.shown()["docType"] == "contract"


def again(desk: Desk, monkeypatch: pytest.MonkeyPatch, found: list[Field], doc_type: str = "deed") -> None:
    """Ask for the document to be read again, and deliver the message; the words give these fields now."""
    monkeypatch.setattr(pipeline_extract, "extract", lambda *_, **__: Extraction(doc_type, None, found))
    answer = desk.call("POST", "/v1/documents/{id}/extract", {}, role=Role.REVIEWER)
    assert (answer.status, answer.json) == (202, {**QUEUED, "documentId": desk.document.id})
    [message] = messages()
    assert extract(message) == {"batchItemFailures": []}
    assert extract(message) == {"batchItemFailures": []}  # delivered twice
    assert extract({**message, "asked": None}) == {"batchItemFailures": []}  # cut off before its last step


def test_reading_again_replaces_what_nobody_decided_and_keeps_what_somebody_did(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.patch("grantor_name", "edit", value="Josiah A. Greaves", comment="from the seal")
    desk.add("witness", value="Ann")

    again(
        desk,
        monkeypatch,
        [
            Field("grantor_name", 0, (read_as("J. Greaves"),)),
            Field("deed_date", 0, (read_as("1952-05-16", 0.2),)),
        ],
    )

    shown = {name: (f["value"], f["status"], f["version"]) for name, f in desk.fields().items()}
    assert shown == {
        "grantor_name": ("Josiah A. Greaves", "edited", 3),
        "deed_date": ("1952-05-16", "unreviewed", 2),
        "consideration": (None, "escalated", 1),
        "witness": ("Ann", "edited", 3),
    }
    assert desk.fields()["grantor_name"]["tracks"][0]["value"] == "J. Greaves"
    assert desk.fields()["grantor_name"]["comment"] == "from the seal"
    actions = [(e["action"], e["by"]) for e in desk.history()]
    assert actions[-1] == ("extracted", desk.tenant.ids[Role.REVIEWER])
    assert len(actions) == 4
    assert desk.verified() == 2


def test_who_decided_before_a_new_reading_came_is_told_that_the_field_changed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    again(desk, monkeypatch, [Field("grantor_name", 0, (read_as("J. Greaves"),))])

    stale = desk.patch("grantor_name", "accept")

    assert (stale.status, stale.json["current"]["value"]) == (409, "J. Greaves")
    assert desk.patch("grantor_name", "accept", version=2).status == 200


def test_a_decision_while_a_document_is_read_again_is_not_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge, times = merging.merge_re_extraction, list[int]()

    def slowly(*args: Any) -> list[Field]:
        merged = merge(*args)
        if not times:
            assert desk.patch("grantor_name", "edit", value="Decided meanwhile").status == 200
        times.append(1)
        return merged

    monkeypatch.setattr(merging, "merge_re_extraction", slowly)
    again(desk, monkeypatch, [Field("grantor_name", 0, (read_as("J. Greaves"),))])

    field = desk.fields()["grantor_name"]
    assert (field["value"], field["status"], field["tracks"][0]["value"]) == (
        "Decided meanwhile",
        "edited",
        "J. Greaves",
    )


def test_reading_again_as_another_type_changes_the_type_and_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        pipeline_extract, "extract", lambda words, schemas, doc_type, **__: Extraction(doc_type, None, [])
    )
    unknown = desk.call("POST", "/v1/documents/{id}/extract", {"docType": "novel"})
    assert (unknown.status, "docType is one of" in unknown.json["detail"]) == (400, True)
    desk.patch("grantor_name", "accept")

    assert desk.call("POST", "/v1/documents/{id}/extract", {"docType": "contract"}).status == 202
    extract(messages()[0])

    assert desk.shown()["docType"] == "contract"
    assert desk.fields()["grantor_name"]["status"] == "accepted"
    entry = desk.history()[-1]
    assert (entry["before"]["docType"], entry["after"]["docType"]) == ("deed", "contract")
    listed = desk.tenant.call("documents", "GET", "/v1/documents", query={"docType": "contract"})
    assert len(listed.json["documents"]) == 1


def test_a_document_of_many_fields_is_read_again_in_several_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(prefix: str) -> list[Field]:
        return [Field("parcels.name", n, (read_as(f"{prefix}{n}", n / 400, None),)) for n in range(250)]

    desk = Desk(rows("a"))
    desk.patch("parcels[120].name", "edit", value="mine")

    again(desk, monkeypatch, rows("b"))

    fields = desk.fields()
    assert (len(fields), fields["parcels[0].name"]["value"]) == (251, "b0")
    assert (fields["parcels[120].name"]["value"], fields["parcels[249].name"]["value"]) == ("mine", "b249")
    assert [entry["action"] for entry in desk.history()] == ["extracted", "edited", "extracted"]


def test_a_document_that_is_removed_before_it_is_read_again_stays_removed(desk: Desk) -> None:
    desk.call("POST", "/v1/documents/{id}/extract", {})
    deletion.delete("greaves", desk.document.id)

    assert extract(messages()[0]) == {"batchItemFailures": []}
    assert desk.history()[-1]["action"] == "deleted"


def test_what_an_attempt_that_was_cut_off_has_left_is_no_field(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.document = intake.announce("greaves", "later.pdf")

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError

    found = [Field("parcels.name", n, (read_as(str(n), n / 400, None),)) for n in range(150)]
    progress.begin_resolution(desk.document)
    with monkeypatch.context() as patched:
        patched.setattr("pynamodb.transactions.TransactWrite.update", crash)
        with pytest.raises(RuntimeError):
            progress.finish(desk.document, Extraction("deed", None, found))
    progress.begin_resolution(desk.document)

    progress.finish(desk.document, Extraction("deed", None, deed()))

    assert list(desk.fields()) == ["grantor_name", "deed_date", "consideration"]


# --- the command -------------------------------------------------------------


@pytest.fixture
def command(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run `alma`; return its exit status and what it prints."""
    monkeypatch.setenv("ALMA_API_URL", "http://alma.test")
    monkeypatch.setenv("ALMA_API_KEY", "alma_x")

    def call(_: Client, method: str, path: str, body: object = None, **query: Any) -> Any:
        resource = "/v1" + re.sub(r"/documents/\d+", "/documents/{id}", path)
        resource, _slash, field = resource.partition("/fields/")
        given = {"query": {name: str(value) for name, value in query.items() if value is not None}}
        if resource == "/v1/documents/{id}":
            if not field:
                return desk.shown()
            answer = desk.call(method, resource + "/fields/{field}", body, path={"field": field})
        else:
            answer = desk.call(method, resource, body, **given)
        if answer.status >= 300:
            raise ApiError(answer.status, answer.json["error"], answer.json["detail"])
        return answer.json

    monkeypatch.setattr(Client, "call", call)

    def run(*argv: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main(argv)
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def test_the_command_decides_fields_without_being_told_their_versions(
    desk: Desk, command: Callable[..., tuple[int, str]]
) -> None:
    assert command("accept", "1", "grantor_name") == (0, "grantor_name is accepted: Josiah Greaves\n")
    edit = ("edit", "1", "grantor_name[0]", "--value", "J. [red]Greaves", "--comment", "as signed")
    # What somebody has decided is decided anew only by who has seen it.
    assert command(*edit) == (
        1,
        "alma: grantor_name is accepted by admin; give --version 2 to decide it anew.\n",
    )
    assert command(*edit, "--version", "1") == (
        1,
        "alma: This field was changed since version 1; look at what it is now.\n",
    )
    edited = command(*edit, "--version", "2")
    assert edited == (0, "grantor_name is edited: J. [red]Greaves\n")
    assert command("reject", "1", "deed_date")[0] == 0
    drawn = command("edit", "1", "consideration", "--page", "1", "--box", "0,.29,1,.04", "--json")
    assert json.loads(drawn[1])["value"] == "1250.00"
    assert desk.fields()["grantor_name"]["comment"] == "as signed"


def test_the_command_says_why_it_cannot(command: Callable[..., tuple[int, str]]) -> None:
    assert command("accept", "1", "novel") == (1, "alma: There is no field novel in document 1.\n")
    assert command("accept", "1", "consideration")[0] == 1
    assert command("edit", "1", "deed_date", "--page", "1") == (1, "alma: Give --page and --box together.\n")
    with pytest.raises(SystemExit):
        command("edit", "1", "deed_date", "--page", "1", "--box", "0,0,1")


def test_a_proposal_is_printed_with_its_reason_and_taken_or_left_only_if_that_is_said(
    desk: Desk, command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(1, Box(0.19, 0.09, 0.3, 0.04))
    proposal = Proposal("The line goes on.", place, "grantor_name", 1, value="Josiah A. Greaves")
    monkeypatch.setenv("COLUMNS", "200")
    proposals.propose("greaves", desk.document.id, proposal, actor="key_agent")

    for argv in (("review", "--field", "grantor_name"), ("get", "1", "--tracks")):
        printed = "".join(command(*argv)[1].split())
        assert "agent:key_agent" in printed
        assert "JosiahA.Greaves" in printed
        assert "Thelinegoeson." in printed
    assert "proposed:JosiahA.Greaves" in "".join(command("history", "1")[1].split())
    assert command("accept", "1", "grantor_name") == (
        1,
        "alma: There is a proposal for grantor_name; say which is right: --track text for 'Josiah Greaves', "
        "--track agent:key_agent for 'Josiah A. Greaves'.\n",
    )
    accepted = command("accept", "1", "grantor_name", "--track", "agent:key_agent")
    assert accepted == (0, "grantor_name is accepted: Josiah A. Greaves\n")


def test_the_command_goes_on_through_pages_of_the_queue_that_are_not_full(
    command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_queue, "_LOOKED_AT", 1)

    found = json.loads(command("review", "--field", "grantor_name", "--json")[1])

    assert [item["field"]["id"] for item in found["items"]] == ["grantor_name"]
    assert found["nextCursor"] is None


def test_the_command_prints_the_queue_and_the_history(command: Callable[..., tuple[int, str]]) -> None:
    command("edit", "1", "grantor_name", "--value", "[bold]x")

    _, waits = command("review", "--type", "deed", "--limit", "1")
    assert ("consideration" in waits, "deed_date" in waits) == (True, False)
    _, happened = command("history", "1")
    assert "[bold]x" in happened
    entries = json.loads(command("history", "1", "--json")[1])["entries"]
    assert [entry["action"] for entry in entries] == ["extracted", "edited"]


# --- one more track ----------------------------------------------------------


def test_readings_for_a_document_that_is_not_ready_are_refused_at_once(desk: Desk) -> None:
    waiting = intake.announce("greaves", "later.pdf")

    with pytest.raises(ConflictError) as refused:
        re_extraction.merge_readings("greaves", waiting.id, [], "mdl_a", actor="key_x", review_below=0.5)

    assert refused.value.code == "not_ready"


def test_readings_of_a_model_are_merged_and_recorded_once(desk: Desk) -> None:
    desk.patch("grantor_name", "accept")
    found = [
        Field("grantor_name", 0, (read_as("Someone Else", 0.1, 0.99, "mdl_a"),)),
        Field("deed_date", 0, (read_as("1952-05-14", 0.2, 0.97, "mdl_a"),)),
    ]

    for _ in range(2):
        fields = re_extraction.merge_readings(
            "greaves", desk.document.id, found, "mdl_a", actor="key_x", review_below=0.5
        )

    assert [(f.id, f.status.value, f.missing or f.best.value) for f in fields] == [
        ("grantor_name", "accepted", "Josiah Greaves"),
        ("deed_date", "unreviewed", "1952-05-14"),
        ("consideration", "escalated", True),
    ]
    assert [t["track"] for t in desk.fields()["grantor_name"]["tracks"]] == ["mdl_a", "text"]
    assert fields == records.read("greaves", desk.document.id)[1]
    last = desk.history()[-1]
    assert (len(desk.history()), last["by"], last["after"]["track"]) == (3, "key_x", "mdl_a")
