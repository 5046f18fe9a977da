"""From an S3 event to fields: `ingest` and `extract` with real files."""

from pathlib import Path
from typing import Any

import pytest

from alma.access import organisations
from alma.datamodel.fields import DecisionCount
from alma.datamodel.pages import PageText, Track
from alma.document_types import decision_counts
from alma.documents import deletion, intake, listing, page_records, page_words, progress, records
from alma.documents.records import DocumentStatus
from alma.documents.service import DocumentService
from alma.pipeline import extract as pipeline_extract
from alma.presentation.document import project
from alma.settings import settings
from tests.cloud import Tenant
from tests.conftest import ROOT
from tests.reading import archive, drop, extract, ingest, messages
from tests.unit.files.making_pdfs import pdf_of_pages, pdf_with_picture, picture_of, text

pytestmark = pytest.mark.usefixtures("aws")

SAMPLES = ROOT / "samples"


@pytest.fixture(autouse=True)
def _models(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    local = replace(settings(), models_dir=str(models_dir))
    monkeypatch.setattr(pipeline_extract, "settings", lambda: local)


def values(document_id: int) -> dict[str, str]:
    """Return a document's fields."""
    _, fields = records.read("greaves", document_id)
    return {field.key: field.best.value for field in fields}


def test_a_pdf_with_text_becomes_fields_without_recognition() -> None:
    organisations.create("greaves")

    ingest(drop("inbox/greaves/two words+plus.pdf", (SAMPLES / "invoice.pdf").read_bytes()))
    asked = messages()
    answer = extract(asked[0])

    assert asked == [{"organisation": "greaves", "documentId": 1, "page": 0}]
    assert answer == {"batchItemFailures": []}
    document, fields = records.read("greaves", 1)
    assert document.status is DocumentStatus.READY
    assert (document.file_name, document.pages) == ("two words+plus.pdf", 1)
    assert document.doc_type == "invoice"
    assert archive() == ["greaves/pages/1/p1.png", "greaves/words/1/p1.text.json"]
    assert {reading.track for field in fields for reading in field.readings} == {"text"}
    assert all(field.best.regions for field in fields)


def test_the_words_of_an_old_layer_are_compared_with_the_picture_and_stay_one_track() -> None:
    organisations.create("greaves")
    rows = [(60, 700, "Invoice No: INV-20417"), (60, 660, "Net 200.00 Tax 40.00"), (60, 620, "Total 240.00")]
    page = pdf_of_pages(b"".join(text(x, y, words, 12) for x, y, words in rows))
    layer = b"".join(text(x, y, words.replace("4", "9"), 12, "3 Tr") for x, y, words in rows)

    ingest(drop("inbox/greaves/scan.pdf", pdf_with_picture(picture_of(page), layer)))
    asked = messages()
    assert [message["page"] for message in asked] == [0]
    extract(asked[0])
    assert archive() == ["greaves/pages/1/p1.png", "greaves/words/1/p1.text.json"]
    words = PageText.from_json(page_words.stored_words(records.get("greaves", 1), 1, Track.TEXT))
    assert [word.text for word in words.words][-2:] == ["Total", "240.00"]


def test_a_value_that_a_scan_does_not_show_is_for_a_person() -> None:
    organisations.create("greaves")
    rows = [(60, 700, "Northgate Paper Supplies Ltd"), (60, 660, "Tax 40.00"), (60, 620, "Total 240.00")]
    shown = pdf_of_pages(b"".join(text(x, y, words, 12) for x, y, words in rows))
    unseen = [(1, 780, "INVOICE"), (1, 770, "Invoice No: INV-99999"), (1, 760, "Invoice Date: 14/03/2024")]
    layer = b"".join(text(x, y, words, 8, "3 Tr") for x, y, words in unseen)

    ingest(drop("inbox/greaves/scan.pdf", pdf_with_picture(picture_of(shown), layer)))
    for message in messages():
        extract(message)
    fields = {field["key"]: field for field in project(DocumentService("greaves").content(1))["fields"]}
    assert fields.get("invoice_number", {"status": "escalated"})["status"] == "escalated"
    assert fields.get("invoice_date", {"status": "escalated"})["status"] == "escalated"


def test_a_scan_is_read_page_by_page_and_the_last_page_resolves_it() -> None:
    organisations.create("greaves")

    ingest(drop("inbox/greaves/deed.pdf", (SAMPLES / "deed.pdf").read_bytes()))
    asked = messages()

    assert [message["page"] for message in asked] == [1, 2]
    extract(asked[1])
    assert records.get("greaves", 1).status is DocumentStatus.PROCESSING
    extract(asked[0])
    assert records.get("greaves", 1).status is DocumentStatus.READY
    assert records.get("greaves", 1).doc_type == "deed_of_conveyance"
    assert values(1)["grantor_name"] == "Josiah A. Greaves"
    assert values(1)["parcel_acreage"] == "12.5"


DELIVERY_NOTE: dict[str, Any] = {
    "description": "What came with a delivery.",
    "fields": [
        {"key": "note_number", "type": "identifier", "aliases": ["delivery note no"], "required": True},
        {"key": "shipped_on", "type": "date", "aliases": ["shipped on"]},
        {"key": "carrier", "type": "name"},
        {"key": "gross_weight", "type": "number", "patterns": ["weighs (?P<value>{NUMBER}) kg"]},
    ],
    "groups": [
        {
            "key": "goods",
            "fields": [
                {"key": "item", "aliases": ["article"]},
                {"key": "quantity", "type": "number", "aliases": ["pieces"]},
            ],
        }
    ],
}


def delivery_note() -> bytes:
    """Return the content of a page of a type that alma does not know."""
    return (
        text(60, 740, "DELIVERY NOTE", 16)
        + text(60, 700, "Delivery note no:  DN-4471")
        + text(60, 680, "Shipped on:  14 March 2021")
        + text(60, 660, "Carrier:  Harbour Freight Ltd")
        + text(60, 640, "The consignment weighs 128.5 kg with its pallets.")
        + text(60, 600, "Article")
        + text(300, 600, "Pieces")
        + text(60, 580, "Oak boards, planed")
        + text(312, 580, "40")
        + text(60, 560, "Brass hinges")
        + text(306, 560, "120")
    )


def test_a_type_of_ones_own_is_told_and_read_from_its_labels_alone() -> None:
    tenant = Tenant.create("greaves")
    kept = tenant.call(
        "schemas", "PUT", "/v1/schemas/{docType}", path={"docType": "delivery_note"}, body=DELIVERY_NOTE
    )
    assert kept.status == 201

    ingest(drop("inbox/greaves/note.pdf", pdf_of_pages(delivery_note())))
    extract(messages()[0])

    found = tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": "1"}).json
    assert found["docType"] == "delivery_note"
    read = {field["key"]: field["value"] for field in found["fields"] if "group" not in field}
    assert read == {
        "note_number": "DN-4471",
        "shipped_on": "2021-03-14",
        "carrier": "Harbour Freight Ltd",
        "gross_weight": "128.5",
    }
    rows = [(f["row"], f["key"], f["value"]) for f in found["fields"] if f.get("group") == "goods"]
    assert rows == [
        (0, "goods.item", "Oak boards, planed"),
        (0, "goods.quantity", "40"),
        (1, "goods.item", "Brass hinges"),
        (1, "goods.quantity", "120"),
    ]
    assert all(field["evidence"]["page"] == 1 for field in found["fields"])


def test_a_type_of_ones_own_is_unknown_until_people_decide_and_forgotten_with_the_type() -> None:
    tenant = Tenant.create("greaves")

    def keep_type() -> None:
        path = {"docType": "delivery_note"}
        tenant.call("schemas", "PUT", "/v1/schemas/{docType}", path=path, body=DELIVERY_NOTE)

    def read(name: str) -> tuple[str, dict[str, dict[str, Any]]]:
        ingest(drop(f"inbox/greaves/{name}.pdf", pdf_of_pages(delivery_note() + text(60, 40, name))))
        (message,) = messages()
        extract(message)
        path = {"id": str(message["documentId"])}
        found = tenant.call("documents", "GET", "/v1/documents/{id}", path=path, query={"tracks": "all"}).json
        return path["id"], {field["id"]: field for field in found["fields"]}

    def decide(document: str, field: dict[str, Any], said: dict[str, Any]) -> None:
        path = {"id": document, "field": field["id"]}
        body = said | {"version": field["version"]}
        answer = tenant.call("reviews", "PATCH", "/v1/documents/{id}/fields/{field}", path=path, body=body)
        assert answer.status == 200, answer.body

    keep_type()
    first, fields = read("first")
    assert {f["status"] for f in fields.values()} == {"escalated"}
    assert {(f["confidence"], *f["reasons"]) for f in fields.values()} == {(None, "confidence_unknown")}

    decide(first, fields["note_number"], {"action": "accept"})
    _, second = read("second")
    for document in ("third", "fourth", "fifth", "sixth"):
        other, fields = read(document)
        decide(other, fields["note_number"], {"action": "accept"})
        decide(other, fields["carrier"], {"action": "edit", "value": "Cutter & Sons"})
    last, seventh = read("seventh")

    assert second["note_number"]["confidence"] > 0.5
    assert second["goods[0].item"]["confidence"] is None
    assert seventh["note_number"]["confidence"] > second["note_number"]["confidence"]
    assert seventh["carrier"]["confidence"] < 0.5 < second["carrier"]["confidence"]
    assert (seventh["carrier"]["status"], seventh["carrier"]["reasons"]) == ("escalated", ["low_confidence"])
    assert seventh["note_number"]["status"] == "unreviewed"

    # Deciding it once more, or on another place with the same value, is no further error.
    decide(last, seventh["note_number"], {"action": "edit", "value": "DN-4471"})
    counted = decision_counts.counts_of("greaves", "delivery_note")
    assert counted == {"note_number": DecisionCount(6, 0), "carrier": DecisionCount(0, 4)}

    tenant.call("schemas", "DELETE", "/v1/schemas/{docType}", path={"docType": "delivery_note"})
    keep_type()
    _, eighth = read("eighth")
    assert eighth["note_number"]["confidence"] is None


def test_a_type_of_ones_own_takes_the_place_of_the_shipped_one() -> None:
    tenant = Tenant.create("greaves")
    definition = {
        "keywords": ["invoice", "amount due"],
        "fields": [{"key": "payable", "type": "amount", "aliases": ["amount due"]}],
    }
    tenant.call("schemas", "PUT", "/v1/schemas/{docType}", path={"docType": "invoice"}, body=definition)
    body = pdf_of_pages(text(60, 700, "INVOICE", 16) + text(60, 680, "Amount due:  154.80"))

    ingest(drop("inbox/greaves/invoice.pdf", body))
    extract(messages()[0])

    assert records.get("greaves", 1).doc_type == "invoice"
    assert values(1) == {"payable": "154.80"}


def test_a_document_announced_as_of_a_type_that_is_gone_is_read_as_what_it_looks_like() -> None:
    tenant = Tenant.create("greaves")
    path = {"docType": "novel"}
    tenant.call("schemas", "PUT", "/v1/schemas/{docType}", path=path, body=DELIVERY_NOTE)
    announced = tenant.call(
        "documents", "POST", "/v1/documents", body={"fileName": "x.pdf", "docType": "novel"}
    )
    assert announced.status == 201
    tenant.call("schemas", "DELETE", "/v1/schemas/{docType}", path=path)

    ingest(drop(records.get("greaves", 1).object_key, (SAMPLES / "invoice.pdf").read_bytes()))
    extract(messages()[0])

    assert records.get("greaves", 1).doc_type == "invoice"


def test_an_evil_pattern_costs_its_field_and_not_the_document() -> None:
    tenant = Tenant.create("greaves")
    evil = {"key": "evil", "patterns": [r"(?P<value>(?:\w+\s?)+!)", r"(?P<value>(?:.*\w){25}!)"]}
    definition = {**DELIVERY_NOTE, "fields": [*DELIVERY_NOTE["fields"], evil]}
    kept = tenant.call(
        "schemas", "PUT", "/v1/schemas/{docType}", path={"docType": "delivery_note"}, body=definition
    )
    assert kept.status == 201
    words = b"".join(text(60, 500 - 12 * n, "abcdefghij " * 8) for n in range(30))

    ingest(drop("inbox/greaves/note.pdf", pdf_of_pages(delivery_note() + words)))
    extract(messages()[0])

    assert values(1)["note_number"] == "DN-4471"
    assert "evil" not in values(1)


def test_everything_twice_changes_nothing() -> None:
    organisations.create("greaves")
    event = drop("inbox/greaves/invoice.pdf", (SAMPLES / "invoice.pdf").read_bytes())

    ingest(event)
    ingest(event)
    asked = messages()
    for message in asked * 2:
        extract(message)
    before = values(1)
    ingest(event)

    assert messages() == []
    assert values(1) == before
    assert len(listing.list_documents("greaves").documents) == 1


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "empty_file"),
        (b"just some text", "unsupported_type"),
        (b"%PDF-1.7\nthis is not one", "damaged_file"),
        (b"PK\x03\x04" + b"\0" * 100, "unsupported_type"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_failed_document_with_a_sentence(body: bytes, error: str) -> None:
    organisations.create("greaves")

    ingest(drop("inbox/greaves/x.pdf", body))

    document = records.get("greaves", 1)
    assert (document.status, document.error_code) == (DocumentStatus.FAILED, error)
    assert document.detail
    assert document.detail.endswith(".")
    assert messages() == []


def test_a_file_of_an_unknown_organisation_or_a_folder_marker_is_left_alone() -> None:
    organisations.create("greaves")

    ingest(drop("inbox/nobody/x.pdf", b"%PDF-"))
    ingest(drop("inbox/greaves/", b""))
    ingest(drop("inbox/stray.pdf", b"%PDF-"))
    ingest(drop("inbox//x.pdf", b"%PDF-"))

    assert listing.list_documents("greaves").documents == []


def test_a_page_that_is_never_finished_is_given_up_and_its_document_does_not_wait() -> None:
    organisations.create("greaves")
    ingest(drop("inbox/greaves/deed.pdf", (SAMPLES / "deed.pdf").read_bytes()))
    first, second = messages()
    document = records.get("greaves", 1)
    for page in (1, 2):
        for _ in range(3):  # begun, and the function killed each time
            page_records.begin_page(document, page)

    extract(first)
    extract(second)

    document = records.get("greaves", 1)
    assert (document.status, document.error_code) == (DocumentStatus.FAILED, "unreadable_page")
    assert document.detail == "Page 1: This page could not be read in several attempts."


def test_a_document_whose_fields_cannot_be_told_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    organisations.create("greaves")
    ingest(drop("inbox/greaves/invoice.pdf", (SAMPLES / "invoice.pdf").read_bytes()))
    message = messages()[0]

    def poisoned(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(pipeline_extract, "extract", poisoned)
    failures = [extract(message)["batchItemFailures"] for _ in range(4)]

    assert [len(each) for each in failures] == [1, 1, 1, 0]
    assert records.get("greaves", 1).error_code == "too_complex"


def test_a_file_begun_twice_without_an_end_is_given_up_at_the_last_delivery() -> None:
    organisations.create("greaves")
    event = drop("inbox/greaves/invoice.pdf", (SAMPLES / "invoice.pdf").read_bytes())
    stored = event["Records"][0]["s3"]["object"]
    for _ in range(2):  # begun, and the function killed each time
        intake.arrive("greaves", stored["key"], stored["eTag"], "0A")

    ingest(event)

    assert records.get("greaves", 1).error_code == "too_complex"


def test_a_killed_ingestion_is_taken_up_again() -> None:
    organisations.create("greaves")
    event = drop("inbox/greaves/invoice.pdf", (SAMPLES / "invoice.pdf").read_bytes())
    stored = event["Records"][0]["s3"]["object"]
    document = intake.arrive("greaves", stored["key"], stored["eTag"], "0A")
    assert document is not None
    progress.pages_known(document, 1, [], "application/pdf")  # killed before the message was sent

    ingest(event)

    assert messages() == [{"organisation": "greaves", "documentId": 1, "page": 0}]


def test_an_ingestion_that_was_cut_off_goes_on_after_the_last_page_it_kept() -> None:
    organisations.create("greaves")
    event = drop("inbox/greaves/deed.pdf", (SAMPLES / "deed.pdf").read_bytes())
    stored = event["Records"][0]["s3"]["object"]
    document = intake.arrive("greaves", stored["key"], stored["eTag"], "0A")
    assert document is not None
    page_records.put_page(document, 1, width=1, height=1, has_text=False, waiting=True)

    ingest(event)

    assert archive() == ["greaves/pages/1/p2.png"]
    assert [message["page"] for message in messages()] == [1, 2]


def test_a_second_delivery_does_not_lose_what_was_recognised_meanwhile() -> None:
    organisations.create("greaves")
    document = intake.announce("greaves", "deed.pdf")
    page_records.put_page(document, 1, width=1, height=1, has_text=False, waiting=True)
    page_records.page_recognised(document, 1, 90)

    page_records.put_page(document, 1, width=1, height=1, has_text=True, waiting=True)

    assert page_records.list_pages(document)[0].tracks == {"text", "vision"}


def test_a_document_removed_while_it_is_read_stays_removed_with_everything_of_it() -> None:
    organisations.create("greaves")
    ingest(drop("inbox/greaves/deed.pdf", (SAMPLES / "deed.pdf").read_bytes()))
    first, _ = messages()
    document = records.get("greaves", 1)
    deletion.delete("greaves", 1)
    page_records.put_page(document, 1, width=1, height=1, has_text=False, waiting=True)  # came late

    assert extract(first) == {"batchItemFailures": []}
    assert listing.list_documents("greaves").documents == []
    assert page_records.list_pages(document) == []
    assert archive() == []


def test_an_event_that_comes_after_its_document_was_removed_makes_no_new_one() -> None:
    organisations.create("greaves")
    event = drop("inbox/greaves/invoice.pdf", (SAMPLES / "invoice.pdf").read_bytes())
    ingest(event)
    deletion.delete("greaves", 1)

    ingest(event)

    assert listing.list_documents("greaves").documents == []


def test_a_file_replaced_before_it_was_read_is_said_to_be_and_the_new_one_is_read() -> None:
    organisations.create("greaves")
    first = drop("inbox/greaves/a.pdf", (SAMPLES / "invoice.pdf").read_bytes())
    second = drop("inbox/greaves/a.pdf", (SAMPLES / "contract.pdf").read_bytes(), "0B")

    ingest(first)
    ingest(second)

    assert records.get("greaves", 1).error_code == "file_replaced"
    assert records.get("greaves", 2).pages == 2


def test_a_file_over_the_limit_is_refused_before_it_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from alma.storage import objects

    organisations.create("greaves")
    event = drop("inbox/greaves/a.pdf", b"%PDF" + b"x" * 3_000_000)
    small = replace(settings(), max_file_bytes=2_000_000)
    monkeypatch.setattr(objects, "settings", lambda: small)

    ingest(event)

    assert records.get("greaves", 1).error_code == "file_too_large"


def test_a_failing_page_is_reported_for_another_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    organisations.create("greaves")
    ingest(drop("inbox/greaves/deed.pdf", (SAMPLES / "deed.pdf").read_bytes()))
    message = messages()[0]

    def out_of_reach() -> None:
        raise ConnectionError("S3 does not answer")

    monkeypatch.setattr(pipeline_extract, "_recognizer", out_of_reach)

    assert extract(message) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert records.get("greaves", 1).pending == {1, 2}
