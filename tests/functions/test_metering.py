"""Metering: a month's quota of pages, what each key used, the figures and the logs."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from pynamodb.exceptions import UpdateError

from alma.access import organisations
from alma.access.keys import Role
from alma.clock import now
from alma.documents import progress, records
from alma.metering import quotas, usage
from alma.settings import settings
from alma.storage import transactions
from alma.storage.items.metering import UsageItem
from tests.cloud import Tenant, client, conflict, function
from tests.reading import (
    FIVE_RECEIPTS,
    SHOPS,
    archive,
    drop,
    extract,
    ingest,
    messages,
    read_to_the_end,
    receipt,
)
from tests.unit.files.making_pdfs import pdf_of_pages

pytestmark = pytest.mark.usefixtures("aws")

TWO_PAGES = pdf_of_pages(receipt(*SHOPS[0]), receipt(*SHOPS[1]))


@pytest.fixture(autouse=True)
def _november(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (quotas, usage, function("keys")):
        monkeypatch.setattr(module, "now", lambda: datetime(2026, 11, 24, 12, 0, tzinfo=UTC))


@pytest.fixture
def greaves() -> Tenant:
    return Tenant.create("greaves")


def read(tenant: Tenant, number: int) -> Any:
    return tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": str(number)})


def used(tenant: Tenant, month: str = "2026-11") -> Any:
    answer = tenant.call("keys", "GET", "/v1/usage", query={"month": month})
    assert answer.status == 200
    return answer.json


# --- quota -----------------------------------------------------------------


def test_a_file_beyond_the_quota_fails_before_anything_is_done_with_its_pages(greaves: Tenant) -> None:
    organisations.set_monthly_pages("greaves", 6)
    ingest(drop("inbox/greaves/two.pdf", TWO_PAGES))
    before = archive()
    messages()

    ingest(drop("inbox/greaves/five.pdf", FIVE_RECEIPTS))

    answer = read(greaves, 2)
    assert (answer.status, answer.json["error"]) == (422, "quota_exceeded")
    assert answer.json["detail"] == (
        "The file has 5 pages, and 2 of the 6 pages of this month are used; "
        "drop it again from 2026-12-01 on, or have the quota raised."
    )
    assert (archive(), messages()) == (before, [])
    assert used(greaves)["quota"] == {"used": 2, "limit": 6}


def test_the_last_page_of_the_quota_is_part_of_it(greaves: Tenant) -> None:
    organisations.set_monthly_pages("greaves", 7)
    for name, body in (("two.pdf", TWO_PAGES), ("five.pdf", FIVE_RECEIPTS), ("too.pdf", TWO_PAGES)):
        ingest(drop(f"inbox/greaves/{name}", body))

    statuses = [records.get("greaves", number).error_code for number in (1, 2, 3)]
    assert statuses == [None, None, "quota_exceeded"]


def test_a_file_that_alone_is_more_than_the_quota_is_refused_in_a_new_month_too(greaves: Tenant) -> None:
    organisations.set_monthly_pages("greaves", 4)
    ingest(drop("inbox/greaves/five.pdf", FIVE_RECEIPTS))

    assert records.get("greaves", 1).error_code == "quota_exceeded"


def test_with_the_quota_raised_the_same_file_is_read(greaves: Tenant) -> None:
    organisations.set_monthly_pages("greaves", 1)
    ingest(drop("inbox/greaves/two.pdf", TWO_PAGES))
    organisations.set_monthly_pages("greaves", 0)

    ingest(drop("inbox/greaves/two.pdf", TWO_PAGES, sequencer="0B"))

    assert [records.get("greaves", number).error_code for number in (1, 2)] == ["quota_exceeded", None]
    assert used(greaves)["quota"] == {"used": 2, "limit": None}


def test_an_organisation_without_a_number_of_its_own_has_the_installations(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(settings(), monthly_pages=1)
    monkeypatch.setattr(quotas, "settings", lambda: one)

    assert used(greaves)["quota"] == {"used": 0, "limit": 1}
    organisations.set_monthly_pages("greaves", 9)
    assert used(greaves)["quota"] == {"used": 0, "limit": 9}
    organisations.set_monthly_pages("greaves", None)
    ingest(drop("inbox/greaves/two.pdf", TWO_PAGES))
    assert records.get("greaves", 1).error_code == "quota_exceeded"


def test_a_file_that_is_begun_twice_counts_once(greaves: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    organisations.set_monthly_pages("greaves", 2)
    event = drop("inbox/greaves/two.pdf", TWO_PAGES)

    def cut_off(*_: object) -> None:
        raise RuntimeError("the function ended here")

    with monkeypatch.context() as patched:
        patched.setattr(progress, "pages_known", cut_off)
        with pytest.raises(RuntimeError):
            ingest(event)
    for _ in range(2):
        ingest(event)
    read_to_the_end()

    assert used(greaves)["quota"] == {"used": 2, "limit": 2}
    assert read(greaves, 1).status == 200


def test_the_month_of_another_organisation_is_its_own(greaves: Tenant) -> None:
    other = Tenant.create("other")
    organisations.set_monthly_pages("greaves", 2)
    organisations.set_monthly_pages("other", 2)
    for organisation in ("greaves", "other"):
        ingest(drop(f"inbox/{organisation}/two.pdf", TWO_PAGES))

    assert used(greaves)["quota"] == used(other)["quota"] == {"used": 2, "limit": 2}


def test_files_that_arrive_together_do_not_fail_each_other_on_the_months_row(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [drop(f"inbox/greaves/{number}.pdf", TWO_PAGES) for number in range(3)]
    begin = transactions.transaction

    class Contended:
        """A transaction that meets another one on any row that all documents share."""

        def __init__(self) -> None:
            self.inner = begin()

        def __enter__(self) -> Any:
            entered = self.inner.__enter__()
            for write in ("save", "update"):
                monkeypatch.setattr(entered, write, self.refusing(getattr(entered, write)))
            return entered

        def __exit__(self, *error: Any) -> None:
            self.inner.__exit__(*error)  # type: ignore[no-untyped-call]

        def refusing(self, write: Any) -> Any:
            def checked(item: Any, **more: Any) -> None:
                if item.sk.startswith(("quota#", "usage#")):
                    raise conflict()
                write(item, **more)

            return checked

    monkeypatch.setattr(transactions, "transaction", Contended)
    for event in events:
        ingest(event)
    read_to_the_end()

    assert [records.get("greaves", number).error_code for number in (1, 2, 3)] == [None] * 3
    assert (used(greaves)["quota"]["used"], used(greaves)["total"]["pages"]) == (6, 6)


def test_a_file_larger_than_a_months_quota_is_told_what_helps(greaves: Tenant) -> None:
    organisations.set_monthly_pages("greaves", 4)
    ingest(drop("inbox/greaves/five.pdf", FIVE_RECEIPTS))

    assert read(greaves, 1).json["detail"] == (
        "The file has 5 pages, and 4 may be read in a month; divide it, or have the quota raised."
    )


# --- usage -----------------------------------------------------------------


def test_usage_is_told_by_key_and_what_was_dropped_is_the_inboxs(greaves: Tenant) -> None:
    announced = greaves.call(
        "documents", "POST", "/v1/documents", body={"fileName": "five.pdf"}, role=Role.REVIEWER
    )
    key = records.get("greaves", announced.json["documentId"]).object_key
    events = [drop(key, FIVE_RECEIPTS), drop("inbox/greaves/two.pdf", TWO_PAGES)]
    for event in [*events, *events]:
        ingest(event)
    asked = messages()
    for message in [*asked, *asked]:  # every message comes twice
        extract(message)
    read_to_the_end()
    usage.count_model_run("greaves", greaves.ids[Role.READER])

    told = used(greaves)

    fields = [len(records.read("greaves", number)[1]) for number in range(1, 8)]
    by_name = {each["name"]: each for each in told["keys"]}
    assert told["month"] == "2026-11"
    assert told["quota"] == {"used": 7, "limit": None}
    assert by_name["reviewer"] == {
        "keyId": greaves.ids[Role.REVIEWER],
        "name": "reviewer",
        "requests": 1,
        "pages": 5,
        "fields": told["total"]["fields"] - by_name[None]["fields"],
        "modelRuns": 0,
        "bytes": len(FIVE_RECEIPTS),
    }
    assert by_name["reader"] == {
        "keyId": greaves.ids[Role.READER],
        "name": "reader",
        "requests": 0,
        "pages": 0,
        "fields": 0,
        "modelRuns": 1,
        "bytes": 0,
    }
    assert (by_name[None]["keyId"], by_name[None]["pages"], by_name[None]["bytes"]) == (
        None,
        2,
        len(TWO_PAGES),
    )
    assert told["total"] == {
        "requests": by_name["reviewer"]["requests"] + by_name["admin"]["requests"],
        "pages": 7,
        "fields": sum(fields),
        "modelRuns": 1,
        "bytes": len(FIVE_RECEIPTS) + len(TWO_PAGES),
    }
    assert sum(fields) > 10


def test_a_document_whose_counting_was_cut_off_is_counted_by_the_next_delivery(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(drop("inbox/greaves/one.pdf", pdf_of_pages(receipt(*SHOPS[0]))))
    (message,) = messages()
    with monkeypatch.context() as patched:
        patched.setattr(usage, "count_document", lambda *_: None)
        extract(message)
    assert used(greaves)["total"]["fields"] == 0

    for _ in range(2):
        extract(message)

    assert used(greaves)["total"]["fields"] == len(records.read("greaves", 1)[1]) > 0


def test_pages_are_counted_though_the_document_is_removed_before_it_is_read(greaves: Tenant) -> None:
    ingest(drop("inbox/greaves/two.pdf", TWO_PAGES))
    greaves.call("documents", "DELETE", "/v1/documents/{id}", path={"id": "1"})

    told = used(greaves)

    assert told["quota"]["used"] == told["total"]["pages"] == 2
    assert told["total"]["bytes"] == len(TWO_PAGES)


def test_all_that_is_uploaded_to_an_announced_url_is_the_announcing_keys(greaves: Tenant) -> None:
    body = {"fileName": "two.pdf", "docType": "receipt", "split": False}
    announced = greaves.call("documents", "POST", "/v1/documents", body=body, role=Role.REVIEWER)
    key = records.get("greaves", announced.json["documentId"]).object_key

    for number, content in enumerate((TWO_PAGES, FIVE_RECEIPTS)):
        ingest(drop(key, content, sequencer=f"0{number}"))
    read_to_the_end()

    (by_key,) = (each for each in used(greaves)["keys"] if each["name"] == "reviewer")
    assert by_key["pages"] == 7
    assert [records.get("greaves", number).doc_type for number in (1, 2)] == ["receipt", "receipt"]


def test_a_run_of_a_model_that_cannot_be_counted_is_no_failure_but_a_line_in_the_log(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def held(*_: object, **__: object) -> None:
        raise UpdateError("held", conflict().cause)

    monkeypatch.setattr(UsageItem, "update", held)

    usage.count_model_run("greaves", greaves.ids[Role.READER])

    assert "a run of a model is not counted" in caplog.text
    assert used(greaves)["total"]["modelRuns"] == 0


def test_requests_are_counted_by_key_and_month_and_refused_ones_are_not(greaves: Tenant) -> None:
    for _ in range(3):
        greaves.call("documents", "GET", "/v1/documents", role=Role.READER)
    greaves.call("export", "GET", "/v1/export/{documentId}", path={"documentId": "9"}, role=Role.READER)
    month = now().strftime("%Y-%m")

    told = {each["name"]: each["requests"] for each in used(greaves, month)["keys"]}

    assert told["reader"] == 4
    assert used(greaves, "2020-01")["keys"] == []


@pytest.mark.parametrize("month", ["2026", "2026-13", "2026-1", "x", "2026-11#key"])
def test_a_month_that_is_none_is_refused(greaves: Tenant, month: str) -> None:
    answer = greaves.call("keys", "GET", "/v1/usage", query={"month": month})

    assert (answer.status, answer.json["detail"]) == (400, "month is a year and a month, such as 2026-11.")


# --- figures and logs ------------------------------------------------------


def test_documents_pages_and_failures_are_figures_of_the_service(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "alma")
    ingest(drop("inbox/greaves/broken.pdf", b"%PDF-1.7 not more"))
    ingest(drop("inbox/greaves/one.pdf", pdf_of_pages(receipt(*SHOPS[0]))))
    read_to_the_end()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]

    figures = [{name: line[name] for name in ("service", "Documents", "Pages", "Failures")} for line in lines]
    assert figures == [
        {"service": "alma", "Documents": [1.0], "Pages": [0.0], "Failures": [1.0]},
        {"service": "alma", "Documents": [1.0], "Pages": [1.0], "Failures": [0.0]},
    ]
    assert {line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in lines} == {"alma"}


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """Everything that alma's functions and package log, down to DEBUG."""
    stream = StringIO()
    services = ("authorizer", "documents", "export", "keys", "mcp", "ingest", "extract")
    for name in services:
        function(name)
    loggers = [logging.getLogger(name) for name in ("", *services)]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    for logger in loggers:
        own = logging.StreamHandler(stream)
        if logger.handlers:
            own.setFormatter(logger.handlers[0].formatter)
        logger.addHandler(own)
        logger.setLevel(logging.DEBUG)
    yield stream
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers = handlers


def test_logs_name_request_organisation_and_document_and_never_a_token_or_a_value(logged: StringIO) -> None:
    greaves = Tenant.create("greaves")
    token = greaves.tokens[Role.ADMIN]
    for header in (
        {"Authorization": [f"Bearer {token}"]},
        {"X-API-Key": [token]},
        {"X-API-Key": [token + "x"]},
    ):
        function("authorizer").handler({"methodArn": "arn", "multiValueHeaders": header}, None)
    function("authorizer").background.submit(int).result()
    sent = {"Authorization": f"Bearer {token}", "X-API-Key": token}
    ingest(drop("inbox/greaves/five.pdf", FIVE_RECEIPTS))
    read_to_the_end()
    minted = greaves.call("keys", "POST", "/v1/keys", body={"name": "n"}, headers=sent)
    for number in range(1, 6):
        assert read(greaves, number).status == 200
        path = {"documentId": str(number)}
        greaves.call("export", "GET", "/v1/export/{documentId}", path=path, headers=sent)
        call = {"name": "get_document_fields", "arguments": {"documentId": number}}
        greaves.call(
            "mcp", "POST", "/mcp", body={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        )
    greaves.call("documents", "GET", "/v1/documents/{id}", path={"id": "99"}, headers=sent)

    text = logged.getvalue()

    assert '"organisation":"greaves"' in text
    assert '"request_id":"c6af9ac6-7b61-11e6-9a41-93e8deadbeef"' in text
    structured = [json.loads(line) for line in text.splitlines() if line.startswith('{"level"')]
    answered = [line for line in structured if line["message"] == "answered"]
    of_document = [
        {name: line.get(name) for name in ("service", "document_id", "tool", "status", "error")}
        for line in answered
        if line.get("document_id") in (5, 99)
    ]
    assert of_document == [
        {"service": "documents", "document_id": 5, "tool": None, "status": 200, "error": None},
        {"service": "export", "document_id": 5, "tool": None, "status": 200, "error": None},
        {
            "service": "mcp",
            "document_id": 5,
            "tool": "get_document_fields",
            "status": 200,
            "error": None,
        },
        {"service": "documents", "document_id": 99, "tool": None, "status": 404, "error": "not_found"},
    ]
    assert {line["key_id"] for line in answered} == {greaves.ids[Role.ADMIN]}
    for service in ("ingest", "extract"):
        assert re.search(f'"service":"{service}".*"organisation":"greaves","document_id":1', text)
    for secret in (token, minted.json["token"]):
        assert secret not in text
        assert secret.removeprefix("alma_")[8:] not in text
    values = {
        field.best.value
        for number in range(1, 6)
        for field in records.read("greaves", number)[1]
        if field.readings and len(field.best.value) > 3
    }
    assert len(values) > 10
    assert [value for value in values if value in text] == []


def test_nothing_that_is_metered_leaves_a_value_in_the_rows(greaves: Tenant) -> None:
    ingest(drop("inbox/greaves/one.pdf", pdf_of_pages(receipt(*SHOPS[0]))))
    read_to_the_end()

    rows = client("dynamodb").scan(TableName=settings().table)["Items"]
    metering = [row for row in rows if row["sk"]["S"].startswith(("usage#", "quota#"))]
    assert {row["sk"]["S"]: set(row) - {"pk", "sk", "kind"} for row in metering} == {
        "usage#2026-11#inbox": {"pages", "fields", "model_runs", "file_bytes"},
        "quota#2026-11": {"pages"},
    }
