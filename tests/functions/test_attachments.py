"""Files attached to a file, from the drop to documents: portfolios, mails, the data of invoices."""

import pytest

from tests.cloud import Answer, Tenant
from tests.reading import FIVE_RECEIPTS, SHOPS, drop, ingest, read_to_the_end, receipt
from tests.unit.files.making_mails import mail, with_attachments
from tests.unit.files.making_pdfs import pdf_of_pages, text
from tests.unit.files.test_invoice_xml import CII

pytestmark = pytest.mark.usefixtures("aws")


def read(tenant: Tenant, document_id: int, **query: str) -> Answer:
    """Return what GET says of a document."""
    return tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": str(document_id)}, query=query)


def dropped(name: str, content: bytes) -> Tenant:
    tenant = Tenant.create("greaves")
    ingest(drop(f"inbox/greaves/{name}", content))
    read_to_the_end()
    return tenant


def totals(answer: Answer) -> list[str]:
    return [field["value"] for field in answer.json["fields"] if field["key"] == "total"]


def names(tenant: Tenant) -> list[str]:
    found = tenant.call("documents", "GET", "/v1/documents").json["documents"]
    return [each["fileName"] for each in sorted(found, key=lambda each: int(each["documentId"]))]


def test_a_portfolio_becomes_its_cover_and_a_document_for_each_document_in_it() -> None:
    portfolio = with_attachments(
        pdf_of_pages(text(60, 700, "Two receipts are attached to this page.")),
        ("a.pdf", pdf_of_pages(receipt(*SHOPS[0]))),
        ("b.pdf", pdf_of_pages(receipt(*SHOPS[1]))),
        ("sums.xlsx", b"PK\x03\x04\x14\0\6\0xl/workbook.xml"),
    )
    greaves = dropped("may.pdf", portfolio)

    cover, first, second = (read(greaves, number) for number in (1, 2, 3))
    assert cover.json["instances"] == [2, 3]
    assert cover.json["readAttachments"] == ["a.pdf", "b.pdf"]
    assert cover.json["unreadAttachments"] == ["sums.xlsx"]
    assert cover.json["fields"] == []
    assert [totals(each) for each in (first, second)] == [["17.35"], ["243.10"]]
    assert (first.json["instanceOf"], first.json["pageRange"]) == (1, {"first": 2, "last": 2})
    assert names(greaves) == ["may.pdf", "may.pdf - a.pdf", "may.pdf - b.pdf"]


def test_an_attached_file_of_several_documents_is_split_like_any_other() -> None:
    greaves = dropped("mail.eml", mail(("all.pdf", FIVE_RECEIPTS)).as_bytes())

    assert [totals(read(greaves, number)) for number in (1, 2, 3, 4, 5)] == [
        ["17.35"],
        ["243.10"],
        ["8.20"],
        ["33.90"],
        ["71.04"],
    ]


def test_a_mail_becomes_its_attachments_and_one_that_cannot_be_read_fails_by_itself() -> None:
    message = mail(
        ("a.pdf", pdf_of_pages(receipt(*SHOPS[0]))), ("broken.pdf", b"%PDF-1.4"), text="Two receipts."
    )
    greaves = dropped("mail.eml", message.as_bytes())

    good, broken = read(greaves, 1), read(greaves, 2)
    assert totals(good) == ["17.35"]
    assert good.json["unreadAttachments"] == ["(text of the e-mail)"]
    assert (broken.status, broken.json["error"]) == (422, "damaged_file")
    assert names(greaves) == ["mail.eml", "mail.eml - broken.pdf"]


def test_a_file_attached_to_one_that_is_kept_together_is_still_a_document_of_its_own() -> None:
    greaves = Tenant.create("greaves")
    said = greaves.call(
        "documents", "POST", "/v1/documents", body={"fileName": "may.eml", "split": False}
    ).json
    ingest(
        drop(
            f"inbox/greaves/.uploads/{said['documentId']}/may.eml",
            mail(("a.pdf", FIVE_RECEIPTS), ("b.pdf", pdf_of_pages(receipt(*SHOPS[0])))).as_bytes(),
        )
    )
    read_to_the_end()
    assert read(greaves, 1).json["pageRange"] == {"first": 1, "last": 5}
    assert read(greaves, 2).json["pageRange"] == {"first": 6, "last": 6}


def invoice(number: str = "R-2026-17", due: str = "Due date: 8 April 2026") -> bytes:
    rows = [
        (60, 760, "Möbel Kranz GmbH"),
        (60, 700, "INVOICE"),
        (60, 680, f"Invoice number: {number}"),
        (60, 660, "Invoice date: 9 March 2026"),
        (60, 640, due),
        (60, 600, "Bill to: Ada Lind"),
        (300, 500, "Subtotal EUR 200.00"),
        (300, 480, "VAT 19% EUR 38.00"),
        (300, 460, "Total EUR 238.00"),
    ]
    page = pdf_of_pages(b"".join(text(x, y, words) for x, y, words in rows))
    return with_attachments(page, ("factur-x.xml", CII.encode()))


def field(answer: Answer, key: str) -> dict[str, object]:
    found: dict[str, object] = next(each for each in answer.json["fields"] if each["key"] == key)
    return found


def test_data_that_agrees_with_what_is_printed_stands_beside_it_and_changes_nothing() -> None:
    plain = dropped("plain.pdf", invoice())
    number = field(read(plain, 1, tracks="all"), "invoice_number")

    assert (number["value"], number["evidence"] is not None) == ("R-2026-17", True)
    tracks = number["tracks"]
    assert isinstance(tracks, list)
    assert [(each["track"], each["value"], each["confidence"], each["evidence"]) for each in tracks[1:]] == [
        ("xml", "R-2026-17", None, None)
    ]
    assert number["confidence"] == tracks[0]["confidence"]
    assert "unreadAttachments" not in read(plain, 1).json
    reasons = {reason for each in read(plain, 1, tracks="all").json["fields"] for reason in each["reasons"]}
    assert "xml_differs" not in reasons


def test_a_difference_between_data_and_print_escalates_and_says_both_and_print_stays_the_value() -> None:
    greaves = dropped("invoice.pdf", invoice(number="R-2026-71"))
    number = field(read(greaves, 1, tracks="all"), "invoice_number")

    assert (number["value"], number["status"]) == ("R-2026-71", "escalated")
    assert "xml_differs" in number["reasons"]  # type: ignore[operator]
    assert number["tracks"][-1]["comment"] == (  # type: ignore[index]
        "The invoice's XML says R-2026-17, the page R-2026-71."
    )


def test_what_only_the_data_says_is_answered_without_a_place_and_escalated() -> None:
    greaves = dropped("invoice.pdf", invoice())
    iban = field(read(greaves, 1, tracks="all"), "iban")

    assert (iban["value"], iban["evidence"]) == ("DE02120300000000202051", None)
    assert (iban["confidence"], iban["status"]) == (None, "escalated")
    assert iban["reasons"] == ["confidence_unknown", "only_xml"]
