"""Lists filtered by name, arrival, review and confidence: what is found, and what is read for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pynamodb.connection.base import Connection

from alma import clock
from alma.datamodel.fields import Extraction, Field, Reading, Status
from alma.datamodel.geometry import Box, Region
from alma.documents import deletion, instances, intake, listing, lookups, names, progress, records
from alma.documents.records import Document
from alma.storage.items.access import OrganisationItem
from alma.storage.items.documents import DocumentItem, LookupItem, document_key
from alma.storage.table import Item
from tests.cloud import Answer, Tenant

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def tenant() -> Tenant:
    return Tenant.create("greaves")


def asked(tenant: Tenant, **query: str) -> Answer:
    return tenant.call("documents", "GET", "/v1/documents", query=query)


def ids(tenant: Tenant, **query: str) -> list[int]:
    """Return the numbers of all documents that a list has, page by page."""
    found: list[int] = []
    while True:
        answer = asked(tenant, **query)
        assert answer.status == 200, answer.json
        found += [each["documentId"] for each in answer.json["documents"]]
        if answer.json["nextCursor"] is None:
            return found
        query["cursor"] = answer.json["nextCursor"]


def named(tenant: Tenant, *file_names: str) -> None:
    for each in file_names:
        intake.announce(tenant.organisation, each)


def field(key: str, confidence: float | None, status: Status = Status.UNREVIEWED) -> Field:
    reading = Reading("text", "x", "x", confidence, (Region(1, Box(0.1, 0.1, 0.1, 0.1)),))
    return Field(key, 0, (reading,), status, reviewed=reading if status.verified else None)


def missing(key: str) -> Field:
    return Field(key, 0, (), Status.ESCALATED, reasons=("required_missing",))


def decide(tenant: Tenant, document: Document, key: str, action: str, version: int = 1) -> Answer:
    path = {"id": str(document.id), "field": key}
    body = {"action": action, "version": version}
    return tenant.call("reviews", "PATCH", "/v1/documents/{id}/fields/{field}", path=path, body=body)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Set the clock."""

    def set_clock(written: str) -> None:
        moment = datetime.fromisoformat(written).replace(tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: moment)

    return set_clock


def older_release(tenant: Tenant) -> None:
    """Make all documents of an organisation what the release before the filters left."""
    for item in LookupItem.query(tenant.organisation):
        item.delete()
    for row in DocumentItem.query(tenant.organisation, DocumentItem.sk.startswith("document#")):
        attributes = (
            DocumentItem.folded_name,
            DocumentItem.review_key,
            DocumentItem.review_rank,
            DocumentItem.least_confidence,
        )
        row.update(actions=[each.remove() for each in attributes])
    organisation = OrganisationItem.get(tenant.organisation, "organisation")
    organisation.update(actions=[OrganisationItem.documents_indexed.remove()])


# --- by name -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("deed", [6, 1]),
        ("DEED-2024", [1]),
        ("deed 20", [1]),
        ("2024", [2, 1]),
        ("Deed-2024_Müller & Söhne.PDF", [1]),
        ("muller", [1]),
        ("soh", [1]),
        ("ohne", []),
        ("deed muller", []),
        ("pdf", [6, 5, 3, 2, 1]),
        ("50% #1", [3]),
        ("#1", [3]),
        ("契約", [4]),
        ("書", []),
        ("ＡＢＣ", [5]),
        ("a/b", []),
        ("a", [6, 5]),
        ("invoice#000000000002", []),
    ],
)
def test_a_name_is_found_by_how_it_or_one_of_its_words_begins(
    tenant: Tenant, name: str, found: list[int]
) -> None:
    named(tenant, "Deed-2024_Müller & Söhne.pdf", "invoice#2024.pdf", "50%#1.pdf", "契約書.png", "abc.pdf")
    named(tenant, "the deed, again.pdf", "---")

    assert ids(tenant, name=name) == found


def test_a_dropped_file_a_very_long_name_and_slashes_are_found(tenant: Tenant) -> None:
    long = "ﷺ" * 4 + " plan " + "𠀀" * 150 + ".pdf"
    for number, key in enumerate(["2024/may/plan.pdf", long]):
        assert intake.arrive("greaves", f"inbox/greaves/{key}", "etag", str(number)) is not None

    assert ids(tenant, name="plan") == [2, 1]
    assert ids(tenant, name="may") == []
    assert ids(tenant, name=long[:255]) == [2]


@pytest.mark.parametrize(
    ("name", "found"),
    [("οδος", [2, 1]), ("ΟΔΟΣ", [2, 1]), ("οδοσ", [2, 1]), ("STRAẞE", [3]), ("straß", [3]), ("strass", [3]),
     ("i̇zmir", [4]), ("izmir", [4]), ("𝚶𝚫𝚶𝚺", [2, 1])],
)  # fmt: skip
def test_case_is_folded_as_unicode_has_it(tenant: Tenant, name: str, found: list[int]) -> None:
    named(tenant, "ΟΔΟΣ.pdf", "οδοσήμανση.pdf", "Straße.pdf", "İzmir.pdf")

    assert ids(tenant, name=name) == found


def test_lookups_go_with_their_document_and_are_made_anew_where_names_are_folded_otherwise(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from alma.cli import main

    def lookups_there() -> list[str]:
        return [each.sk for each in LookupItem.query("greaves", LookupItem.sk.startswith("name#"))]

    with monkeypatch.context() as other:  # another version of Unicode
        other.setattr(names, "fold", lambda text: text.lower().replace("e", "é"))
        named(tenant, "deed one.pdf", "deed two.pdf")
        came = intake.announce("greaves", "deed three.pdf")
    assert intake.arrive("greaves", came.object_key, "etag", "1") is not None
    assert len(lookups_there()) == 9

    deletion.delete("greaves", 1)
    deletion.delete("greaves", 3)
    assert lookups_there() == [
        "name#dééd two pdf#000000000002",
        "name#pdf#000000000002",
        "name#two pdf#000000000002",
    ]

    assert main(["org", "reindex"]) == 0
    capsys.readouterr()
    assert ids(tenant, name="deed") == [2]
    assert len(lookups_there()) == 3
    deletion.delete("greaves", 2)
    assert lookups_there() == []


def test_another_organisations_documents_never_appear(tenant: Tenant) -> None:
    other = Tenant.create("greaves-2")
    other.seed_document([field("total", 0.2)], "invoice", "deed.pdf")

    for query in (
        {"name": "deed"}, {"from": "2000-01-01"}, {"review": "waiting"}, {"confidenceBelow": "0.5"},
        {"name": "deed", "from": "2000-01-01", "review": "waiting", "confidenceBelow": "0.5"},
    ):  # fmt: skip
        assert ids(tenant, **query) == []
        assert ids(other, **query) == [1]


def test_a_removed_document_is_found_by_nothing_and_leaves_no_lookup(tenant: Tenant) -> None:
    document = tenant.seed_document([field("total", 0.2)], "invoice", "deed.pdf")
    assert len(list(LookupItem.query("greaves"))) == 3

    deletion.delete("greaves", document.id)

    assert ids(tenant, name="deed") == ids(tenant, **{"from": "2000-01-01"}) == []
    assert ids(tenant, review="waiting") == ids(tenant, confidenceBelow="0.9") == []
    assert list(LookupItem.query("greaves")) == []


def test_lookups_of_an_upload_that_never_comes_go_by_themselves_and_stay_once_it_came(tenant: Tenant) -> None:
    named(tenant, "never.pdf")
    came = intake.announce("greaves", "came.pdf")
    assert intake.arrive("greaves", came.object_key, "etag", "1") is not None

    expiry = {
        item.sk.split("#")[1]: item.expires_at
        for item in LookupItem.query("greaves", LookupItem.sk.startswith("name#"))
    }
    row = DocumentItem.get("greaves", document_key(1))
    assert expiry["never pdf"] == row.expires_at + timedelta(days=7)
    assert expiry["came pdf"] is None
    assert ids(tenant, name="came") == [2]


def test_every_document_of_a_file_is_found_by_its_name(tenant: Tenant) -> None:
    first = intake.arrive("greaves", "inbox/greaves/bundle.pdf", "etag", "1")
    assert first is not None
    divided = instances.divide(first, [(1, 1), (2, 3)])
    for each in divided.instances[1:]:
        instances.put_instance(divided, each)

    assert ids(tenant, name="bundle") == [2, 1]
    assert ids(tenant, **{"from": "2000-01-01"}) == [2, 1]

    deletion.delete("greaves", 2)
    assert ids(tenant, name="bundle") == [1]


# --- by arrival --------------------------------------------------------------


def test_a_range_of_days_is_inclusive_and_in_utc(tenant: Tenant, at: Callable[[str], None]) -> None:
    for written in (
        "2026-05-13T23:59:59",
        "2026-05-14T00:00:00",
        "2026-05-14T23:59:59",
        "2026-05-15T00:00:00",
    ):
        at(written)
        named(tenant, "scan.pdf")

    assert ids(tenant, **{"from": "2026-05-14", "to": "2026-05-14"}) == [3, 2]
    assert ids(tenant, **{"from": "2026-05-14"}) == [4, 3, 2]
    assert ids(tenant, to="2026-05-13") == [1]
    assert ids(tenant, **{"from": "2026-05-14T23:59:59Z"}) == [4, 3]
    assert ids(tenant, **{"from": "2026-05-14T23:59:59.001Z"}) == [4]
    assert ids(tenant, to="2026-05-14T02:00:00+02:00") == [2, 1]
    assert ids(tenant, **{"from": "0001-01-01", "to": "9999-12-31"}) == [4, 3, 2, 1]
    assert ids(tenant, **{"from": "2027-01-01"}) == []


def test_a_document_that_was_made_long_after_it_got_its_number_is_in_the_range_of_its_arrival(
    tenant: Tenant, at: Callable[[str], None]
) -> None:
    at("2026-05-01T10:00:00")
    first = intake.arrive("greaves", "inbox/greaves/bundle.pdf", "etag", "1")
    assert first is not None
    divided = instances.divide(first, [(1, 1), (2, 3)])
    at("2026-05-02T10:00:00")
    named(tenant, "scan.pdf")
    at("2026-05-03T10:00:00")
    instances.put_instance(divided, divided.instances[1])

    assert ids(tenant, **{"from": "2026-05-03"}) == [2]
    assert ids(tenant, **{"from": "2026-05-02", "limit": "1"}) == [2, 3]
    assert ids(tenant, to="2026-05-02") == [3, 1]


# --- by status ---------------------------------------------------------------


def test_an_upload_whose_url_has_expired_is_found_as_what_it_is_shown_as(
    tenant: Tenant, at: Callable[[str], None]
) -> None:
    at("2026-05-14T10:00:00")
    named(tenant, "never.pdf")
    progress.fail(intake.announce("greaves", "broken.pdf"), "damaged_file", "It is damaged.")
    at("2026-05-14T11:00:00")
    named(tenant, "soon.pdf")

    def statuses(**query: str) -> list[tuple[int, str]]:
        return [(each["documentId"], each["status"]) for each in asked(tenant, **query).json["documents"]]

    assert statuses() == [(3, "processing"), (2, "failed"), (1, "failed")]
    assert statuses(status="processing") == [(3, "processing")]
    assert statuses(status="failed") == [(2, "failed"), (1, "failed")]
    assert ids(tenant, status="failed", limit="1") == [2, 1]
    assert ids(tenant, status="failed", name="never") == [1]


# --- by review and confidence ------------------------------------------------


def test_states_of_review_are_those_that_are_counted_and_follow_every_decision(tenant: Tenant) -> None:
    wants = tenant.seed_document([missing("total"), field("date", 0.4)], "invoice")
    doubtful = tenant.seed_document([field("total", 0.5, Status.ESCALATED)], "invoice")
    fresh = tenant.seed_document([field("total", 0.9)], "invoice")
    tenant.seed_document([], None)
    named(tenant, "waits.pdf")

    def states() -> dict[str, list[int]]:
        names = ("waiting", "escalated", "unreviewed", "missing", "done")
        return {name: ids(tenant, review=name) for name in names}

    assert states() == {
        "waiting": [3, 2, 1], "escalated": [2, 1], "unreviewed": [3, 1], "missing": [1], "done": [4],
    }  # fmt: skip

    assert decide(tenant, doubtful, "total", "accept").status == 200
    assert decide(tenant, fresh, "total", "escalate").status == 200
    assert decide(tenant, wants, "total", "reject").status == 200

    assert states() == {
        "waiting": [3, 1], "escalated": [3], "unreviewed": [1], "missing": [], "done": [4, 2],
    }  # fmt: skip


def test_below_a_confidence_are_documents_with_a_field_that_waits_and_is_less_sure(tenant: Tenant) -> None:
    first = tenant.seed_document([field("total", 0.3), field("date", 0.6)], "invoice")
    tenant.seed_document([field("total", 0.3, Status.ACCEPTED), field("date", 0.8)], "invoice")
    tenant.seed_document([field("total", None), missing("date")], "invoice")

    assert ids(tenant, confidenceBelow="0.3") == []
    assert ids(tenant, confidenceBelow="0.300001") == [1]
    assert ids(tenant, confidenceBelow="1") == [2, 1]

    assert decide(tenant, first, "total", "accept").status == 200
    assert ids(tenant, confidenceBelow="0.6") == []
    assert ids(tenant, confidenceBelow="0.7") == [1]

    assert decide(tenant, first, "total", "escalate", version=2).status == 200
    assert ids(tenant, confidenceBelow="0.31") == [1]
    assert ids(tenant, confidenceBelow="0.31", review="unreviewed") == [1]
    assert ids(tenant, confidenceBelow="0.31", review="done") == []


def test_a_document_that_is_read_again_is_in_its_new_state(tenant: Tenant) -> None:
    from alma.review import re_extraction

    document = tenant.seed_document([field("total", 0.3)], "invoice")

    re_extraction.keep("greaves", document.id, Extraction("invoice", None, [field("total", 0.9)]), "key_x")

    assert ids(tenant, confidenceBelow="0.5") == []
    assert ids(tenant, confidenceBelow="0.95") == [1]


def test_all_filters_together(tenant: Tenant, at: Callable[[str], None]) -> None:
    at("2026-05-14T10:00:00")
    tenant.seed_document([field("total", 0.3)], "invoice", "may-1.pdf")
    tenant.seed_document([field("total", 0.3)], "receipt", "may-2.pdf")
    tenant.seed_document([field("total", 0.9)], "invoice", "may-3.pdf")
    tenant.seed_document([field("total", 0.3)], "invoice", "june.pdf")
    at("2026-06-14T10:00:00")
    tenant.seed_document([field("total", 0.3)], "invoice", "may-5.pdf")
    every = {
        "name": "may", "from": "2026-05-01", "to": "2026-05-31", "review": "waiting",
        "confidenceBelow": "0.5", "docType": "invoice", "status": "ready",
    }  # fmt: skip

    assert ids(tenant, **every) == [1]
    without = {
        name: ids(tenant, **{key: value for key, value in every.items() if key != name}) for name in every
    }
    assert without == {
        "name": [4, 1], "from": [1], "to": [5, 1], "review": [1], "confidenceBelow": [3, 1],
        "docType": [2, 1], "status": [1],
    }  # fmt: skip


TIME = "a day, 2026-05-14, or a time with its zone, 2026-05-14T09:21:00Z."


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"from": "yesterday"}, f"from is {TIME}"),
        ({"to": "2026-02-30"}, f"to is {TIME}"),
        ({"from": "2026-05-14T09:21:00"}, f"from is {TIME}"),
        ({"from": "9999-12-31T23:59:59-10:00"}, f"from is {TIME}"),
        ({"from": "9999-12-31T23:59:59.5Z"}, f"from is {TIME}"),
        ({"from": "0001-01-01T00:00:00+14:00"}, f"from is {TIME}"),
        ({"from": "2026-05-14", "to": "2026-05-13"},
         "from is later than to: no document arrived between them."),
        ({"name": "#"}, "name has a letter or a digit: what stands between words does not matter."),
        ({"name": ""}, "name has a letter or a digit: what stands between words does not matter."),
        ({"review": "open"}, "review is one of waiting, escalated, unreviewed, missing and done."),
        ({"confidenceBelow": "1.5"}, "confidenceBelow is a number from 0 to 1."),
        ({"confidenceBelow": "nan"}, "confidenceBelow is a number from 0 to 1."),
        ({"confidenceBelow": "1_0e-1"}, "confidenceBelow is a number from 0 to 1."),
        ({"confidenceBelow": "٠"}, "confidenceBelow is a number from 0 to 1."),
        (
            {"fileName": "a"},
            "There is no query parameter fileName; this route takes name, from, to, cursor, limit, docType, "
            "status, review and confidenceBelow.",
        ),
    ],
)  # fmt: skip
def test_what_is_malformed_is_400_and_says_what_is_taken(
    tenant: Tenant, query: dict[str, str], detail: str
) -> None:
    answer = asked(tenant, **query)

    assert (answer.status, answer.json["detail"]) == (400, detail)


def test_the_queue_refuses_a_time_that_no_document_can_arrive_after(tenant: Tenant) -> None:
    refused = tenant.call("reviews", "GET", "/v1/review-queue", query={"from": "9999-12-31T23:59:59.5Z"})

    assert (refused.status, refused.json["detail"]) == (400, f"from is {TIME}")


@pytest.mark.parametrize("confidence", ["1", "1.0", "0.75", "7.5e-1", "75E-2"])
def test_a_confidence_is_any_number_of_json(tenant: Tenant, confidence: str) -> None:
    tenant.seed_document([field("total", 0.3)], "invoice")

    assert ids(tenant, confidenceBelow=confidence) == [1]


def test_a_cursor_of_a_list_by_date_is_none_of_another(tenant: Tenant) -> None:
    named(tenant, "a.pdf", "b.pdf")
    dated = asked(tenant, **{"from": "2000-01-01", "limit": "1"}).json["nextCursor"]
    plain = asked(tenant, limit="1").json["nextCursor"]

    assert asked(tenant, cursor=dated).status == 400
    assert asked(tenant, cursor=plain, to="2999-01-01").status == 400
    assert ids(tenant, cursor=plain) == ids(tenant, cursor=dated, **{"from": "2000-01-01"}) == [1]


# --- the other doors ---------------------------------------------------------


def test_agents_have_the_same_filters(tenant: Tenant, at: Callable[[str], None]) -> None:
    at("2026-05-14T10:00:00")
    tenant.seed_document([field("total", 0.3)], "invoice", "may-1.pdf")
    tenant.seed_document([field("total", 0.9)], "invoice", "may-2.pdf")

    def call(**arguments: Any) -> dict[str, Any]:
        message = {
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "list_documents", "arguments": arguments},
        }  # fmt: skip
        headers = {"Accept": "application/json, text/event-stream"}
        answer = tenant.call("mcp", "POST", "/mcp", body=message, headers=headers)
        result: dict[str, Any] = answer.json["result"]
        return result

    found = call(
        name="MAY", **{"from": "2026-05-14", "to": "2026-05-14"}, review="waiting", confidenceBelow=0.5
    )
    assert [each["documentId"] for each in found["structuredContent"]["documents"]] == [1]
    for malformed in ("May", "9999-12-31T23:59:59.5Z"):
        refused = call(**{"from": malformed})
        assert refused["isError"]
        assert "from is a day, 2026-05-14, or a time with its zone" in refused["content"][0]["text"]


def test_the_review_queue_is_filtered_by_name_and_arrival(tenant: Tenant, at: Callable[[str], None]) -> None:
    at("2026-05-14T10:00:00")
    tenant.seed_document([field("total", 0.3), field("date", 0.2)], "invoice", "may-1.pdf")
    tenant.seed_document([field("total", 0.1)], "invoice", "june-2.pdf")
    at("2026-05-14T10:05:00")
    tenant.seed_document([field("total", 0.25)], "invoice", "may-3.pdf")

    def waiting(**query: str) -> list[tuple[int, str]]:
        found = []
        while True:
            answer = tenant.call("reviews", "GET", "/v1/review-queue", query=query)
            assert answer.status == 200, answer.json
            found += [(each["documentId"], each["field"]["key"]) for each in answer.json["items"]]
            if answer.json["nextCursor"] is None:
                return found
            query["cursor"] = answer.json["nextCursor"]

    assert waiting(name="may") == [(1, "date"), (3, "total"), (1, "total")]
    assert waiting(name="may", limit="1") == [(1, "date"), (3, "total"), (1, "total")]
    assert waiting(name="may", maxConfidence="0.25", to="2026-05-14T10:00:00Z") == [(1, "date")]
    assert waiting(**{"from": "2026-05-14T10:01:00Z"}) == [(3, "total")]
    assert waiting(name="nothing") == []
    older_release(tenant)
    assert waiting(name="may") == [(1, "date"), (3, "total"), (1, "total")]


# --- what is read ------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Items that each read of the table evaluated, as DynamoDB counts and bills them."""
    counts: list[int] = []
    dispatch = Connection.dispatch

    def count(self: Connection, operation: str, kwargs: dict[str, Any]) -> Any:
        answer = dispatch(self, operation, kwargs)
        if operation in ("Query", "Scan"):
            counts.append(answer["ScannedCount"])
        elif operation == "BatchGetItem":
            counts.append(sum(len(items) for items in answer["Responses"].values()))
        assert operation != "Scan"
        return answer

    monkeypatch.setattr(Connection, "dispatch", count)
    return counts


def many(count: int, *, every: int, first: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
    """Put documents into the table as reading them leaves them: one an hour, of every so many one is rare."""
    organisation = OrganisationItem.get("greaves", "organisation")
    with Item.batch_write() as batch:
        for number in range(1, count + 1):
            rare = number % every == 0
            name = f"Rare {number}.pdf" if rare else f"scan-{number}.pdf"
            row = records.new_item("greaves", number, name, f"inbox/greaves/{number}")
            row.created_at = clock.timestamp(first + timedelta(hours=number))
            row.status, row.status_key = "ready", "greaves#ready"
            row.doc_type, row.type_key = "invoice", "greaves#invoice"
            row.escalated = int(rare)
            row.review_key = "greaves#escalated" if rare else "greaves#done"
            row.review_rank = f"{number:012d}"
            row.least_confidence = 0.2 if rare else None
            batch.save(row)
            for each in lookups.of_row(row):
                batch.save(each)
    organisation.update(actions=[OrganisationItem.last_document_id.set(count)])


RARE = [1000, 900, 800, 700, 600, 500, 400, 300, 200, 100]


def test_of_a_thousand_documents_those_alone_are_read_that_are_found(
    tenant: Tenant, reads: list[int]
) -> None:
    many(1000, every=100)

    def read(**query: str) -> tuple[list[int], int]:
        reads.clear()
        return ids(tenant, **query), sum(reads)

    assert read(name="rare") == (RARE, 10 + 10)  # entries of the index, then documents
    assert read(name="rare 1") == ([1000, 100], 2 + 2)
    assert read(review="escalated") == (RARE, 10)
    assert read(**{"from": "2026-02-11T16:00:00Z"}) == ([1000], 1 + 1)
    found, count = read(name="scan", limit="200", **{"from": "2026-02-10", "to": "2026-02-10"})
    assert (len(found), found[0], found[-1]) == (24, 983, 960)
    # The entries say when their documents arrived: of those that did not on that day, none is read.
    assert count == 990 + 24


def test_a_filter_that_leaves_out_most_of_what_is_looked_at_gives_short_pages(
    tenant: Tenant, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    many(300, every=30)
    monkeypatch.setattr(listing, "LOOKED_AT", 75)
    monkeypatch.setattr(listing, "_BATCH", 50)
    query = {"docType": "invoice", "from": "2026-01-01", "review": "escalated", "limit": "20"}

    sizes, found, more = [], list[int](), True
    while more:
        reads.clear()
        answer = asked(tenant, **query).json
        assert sum(reads) <= 2 * (
            75 + 50
        )  # entries of the index and documents, and what came along with them
        sizes.append(len(answer["documents"]))
        found += [each["documentId"] for each in answer["documents"]]
        more = answer["nextCursor"] is not None
        query["cursor"] = answer["nextCursor"]

    assert (found, sizes) == ([300, 270, 240, 210, 180, 150, 120, 90, 60, 30], [3, 2, 3, 2])


def test_a_name_of_too_many_documents_is_looked_for_in_the_documents_themselves(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(100, every=10)
    monkeypatch.setattr(lookups, "MAX_MATCHES", 5)

    assert ids(tenant, name="rare") == [100, 90, 80, 70, 60, 50, 40, 30, 20, 10]
    assert ids(tenant, name="rare", limit="3", **{"from": "2026-01-02"}) == [100, 90, 80, 70, 60, 50, 40, 30]
    assert ids(tenant, name="rare 1") == [100, 10]


def test_where_many_fields_are_unsure_the_documents_that_wait_are_looked_at(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for confidence in (0.1, 0.2, 0.3, 0.4):
        tenant.seed_document([field("total", confidence), field("date", 0.9)], "invoice")
    monkeypatch.setattr(listing, "_UNSURE_FIELDS", 2)

    assert ids(tenant, confidenceBelow="0.35") == [3, 2, 1]
    assert ids(tenant, confidenceBelow="0.25") == [2, 1]


def test_pages_stay_right_while_documents_arrive_are_reviewed_and_removed(tenant: Tenant) -> None:
    documents = [tenant.seed_document([field("total", 0.5)], "invoice", f"may-{n}.pdf") for n in range(1, 11)]
    for query in (
        {"review": "waiting"},
        {"name": "may", "review": "waiting"},
        {"from": "2000-01-01", "review": "waiting"},
    ):
        first = asked(tenant, limit="4", **query).json
        newest = [each["documentId"] for each in first["documents"]]
        tenant.seed_document([field("total", 0.5)], "invoice", "may-new.pdf")
        on_next_pages = [document for document in documents if document.id < newest[-1]]
        assert decide(tenant, on_next_pages[-1], "total", "accept").status == 200
        deletion.delete("greaves", on_next_pages[-2].id)
        documents = [each for each in documents if each not in on_next_pages[-2:]]

        rest = ids(tenant, limit="4", cursor=first["nextCursor"], **query)

        assert rest == [document.id for document in reversed(on_next_pages[:-2])]


def test_a_document_that_is_decided_while_a_list_is_read_is_in_it_once(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        tenant.seed_document([field("total", 0.5, Status.ESCALATED), field("date", 0.6)], "invoice")
    query = Connection.query
    read: list[str] = []

    def decided_between(self: Connection, *given: Any, **options: Any) -> Any:
        read.append(str(options.get("index_name")))
        if read == ["review", "review"]:
            document = records.get("greaves", 2)
            assert decide(tenant, document, "total", "accept").status == 200
        return query(self, *given, **options)

    monkeypatch.setattr(Connection, "query", decided_between)

    assert ids(tenant, review="unreviewed") == [3, 2, 1]


# --- documents of earlier releases -------------------------------------------


QUERIES: list[dict[str, str]] = [
    {"name": "may"}, {"from": "2026-05-14"}, {"review": "escalated"}, {"review": "done"},
    {"review": "waiting"}, {"confidenceBelow": "0.5"},
    {"name": "may", "from": "2026-05-14", "confidenceBelow": "0.5"},
    {"name": "may", "limit": "1"}, {"from": "2026-05-14", "limit": "1"}, {"review": "waiting", "limit": "1"},
]  # fmt: skip


def test_documents_of_earlier_releases_are_found_before_and_after_the_reindex_command(
    tenant: Tenant, at: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    from alma.cli import main

    at("2026-05-13T10:00:00")
    tenant.seed_document([field("total", 0.3, Status.ESCALATED)], "invoice", "may-1.pdf")
    at("2026-05-14T10:00:00")
    tenant.seed_document([field("total", 0.3)], "invoice", "may-2.pdf")
    tenant.seed_document([field("total", 0.9, Status.ACCEPTED)], "invoice", "june.pdf")
    named(tenant, "may-4.pdf")
    found = [[4, 2, 1], [4, 3, 2], [1], [3], [2, 1], [2, 1], [2], [4, 2, 1], [4, 3, 2], [2, 1]]
    assert [ids(tenant, **query) for query in QUERIES] == found
    stored = [dict(item.serialize()) for item in Item.query("greaves")]

    older_release(tenant)
    assert [ids(tenant, **query) for query in QUERIES] == found

    assert main(["org", "reindex", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"organisations": [{"id": "greaves", "documents": 4}]}
    assert [dict(item.serialize()) for item in Item.query("greaves")] == stored
    assert [ids(tenant, **query) for query in QUERIES] == found


def test_verification_finds_counts_and_places_that_are_not_those_of_the_fields(tenant: Tenant) -> None:
    from alma.documents import audit_verification

    def problems() -> list[str]:
        return [each.what for each in audit_verification.verify("greaves").problems]

    document = tenant.seed_document([missing("total"), field("date", 0.4)], "invoice")
    row = DocumentItem.get("greaves", document_key(document.id))
    assert problems() == []

    row.update(actions=[DocumentItem.unreviewed.set(0), DocumentItem.missing.set(2)])
    assert problems() == [
        "1 of its fields are unreviewed, and its row says 0",
        "1 of its fields are missing, and its row says 2",
    ]
    row.update(actions=[DocumentItem.unreviewed.set(1), DocumentItem.missing.set(1)])
    row.update(actions=[DocumentItem.review_key.set("greaves#done"), DocumentItem.least_confidence.set(0.9)])
    assert problems() == [
        "it is not listed by its state of review",
        "the least sure of its fields that wait is 0.4, and its row says 0.9",
    ]
    older_release(tenant)
    assert problems() == []
    row.update(
        actions=[
            each.remove() for each in (DocumentItem.escalated, DocumentItem.unreviewed, DocumentItem.missing)
        ]
    )
    assert problems() == []
