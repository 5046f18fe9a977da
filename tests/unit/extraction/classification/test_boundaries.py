"""Telling where documents begin in a file."""

import pytest

from alma.datamodel.pages import PageText, Track
from alma.extraction.classification.boundaries import page_ranges
from tests.unit.extraction.classification.test_document_type import TEXTS
from tests.unit.written import page


def first_pages(pages: list[PageText]) -> list[int]:
    """Return the pages on which the documents of a file begin."""
    return [first for first, _ in page_ranges(pages, max(each.page for each in pages))]


RECEIPT = """
{shop}
{address}
TAX INVOICE
Date : {date}   12:41:07
Cashier : NUR AINA
Receipt No : {number}
Description        Qty      Price     Amount
ITEM 8841 SR       1        {total}   {total}
TOTAL RM           {total}
CASH               {total}
CHANGE             0.00
GOODS SOLD ARE NOT RETURNABLE
THANK YOU PLEASE COME AGAIN
{foot}"""


def receipt(number: int, foot: str = "") -> PageText:
    """Return a receipt on page `number`."""
    shops = ["AEON CO. (M) BHD", "UNIHAKKA INTERNATIONAL SDN BHD", "POPULAR BOOK CO. SDN BHD"]
    return page(
        RECEIPT.format(
            shop=shops[number % 3],
            address=f"{number * 7}, JALAN TAMPOI {number}, 8120{number} JOHOR BAHRU",
            date=f"0{number}/06/2018",
            number=f"04{number}8-22{number}7",
            total=f"{number * 3}.{number}0",
            foot=foot,
        ),
        number,
    )


AGREEMENT = """
{heading}
obligations under this Agreement shall survive for two years after the parties have returned
all confidential information, and the receiving party shall not disclose any part of it to a
third party without the prior written consent of the disclosing party, except where the law
requires it, in which case it shall give notice as soon as it is able to do so, and shall
{foot}"""


def test_every_receipt_of_a_scan_begins_a_document() -> None:
    assert first_pages([receipt(number) for number in (1, 2, 3, 4)]) == [1, 2, 3, 4]


def test_pages_of_one_agreement_stay_together() -> None:
    pages = [page(TEXTS["contract"], 1)]
    pages += [page(AGREEMENT.format(heading="", foot=f"-{number}-"), number) for number in (2, 3, 4)]
    assert first_pages(pages) == [1]


@pytest.mark.parametrize(
    "foot", ["Page {} of 3", "Seite {} von 3", "{} / 3"], ids=["english", "german", "fraction"]
)
def test_a_page_that_says_it_is_a_later_one_goes_on(foot: str) -> None:
    assert first_pages([receipt(number, foot.format(number)) for number in (1, 2, 3)]) == [1]


def test_an_exhibit_of_an_agreement_stays_with_it() -> None:
    pages = [page(TEXTS["contract"], 1), page(AGREEMENT.format(heading="Exhibit C", foot=""), 2)]
    assert first_pages(pages) == [1]


@pytest.mark.parametrize(
    "heading", ["(continued)", "Item 9 b (contd.)", "Fortsetzung", "continued from page 1"]
)
def test_a_continuation_belongs_to_what_it_follows(heading: str) -> None:
    following = receipt(2)
    words = page(heading, 2).words
    rows = tuple(word for word in following.words if word.line > 0)
    assert first_pages([receipt(1), PageText(2, 600, 800, Track.TEXT, (*words, *rows))]) == [1]


def test_a_page_after_a_cover_sheet_belongs_to_it() -> None:
    assert first_pages([page("RECEIPTS\nJUNE 2018"), receipt(2)]) == [1]


def test_blank_pages_belong_to_what_they_follow_or_precede() -> None:
    def blank(number: int) -> PageText:
        return PageText(number, 600, 800, Track.VISION, ())

    pages = [blank(1), receipt(2), blank(3), receipt(4)]
    assert first_pages(pages) == [1, 4]
    assert first_pages([blank(1), blank(2)]) == [1]


def test_a_page_that_two_tracks_read_is_looked_at_once() -> None:
    thin = PageText(2, 600, 800, Track.VISION, receipt(2).words[:3])
    assert first_pages([receipt(1), receipt(2), thin]) == [1, 2]


INVOICE = """
Northgate Paper Supplies Ltd
14 Mill Lane, Leeds LS1 4AB
INVOICE
Bill To: {buyer}
{label} {number}
Invoice Date: 14/03/2024
Description            Quantity    Unit Price    Amount
Copy paper A4          10          12.00         120.00
Envelopes C5           4           20.00         80.00
Subtotal               200.00
VAT 20%                40.00
Total                  240.00
{foot}"""

TERMS = "\n".join(
    f"{clause}. General terms of sale: goods remain the property of the seller until paid in full, and claims"
    "\nmust be made in writing within ten days of receipt."
    for clause in range(1, 8)
)


def invoice(at: int, number: str, *, label: str = "Invoice No:", foot: str = "") -> PageText:
    """Return an invoice of one seller on page `at`."""
    buyer = f"Customer {number[-1]} Ltd"
    return page(INVOICE.format(buyer=buyer, label=label, number=number, foot=foot), at)


@pytest.mark.parametrize(
    "label", ["Invoice No:", "Invoice #", "Rechnungs-Nr.:", "N° facture :", "Factuurnummer", "Fattura n."]
)
def test_ten_invoices_of_one_seller_are_told_apart_by_their_numbers(label: str) -> None:
    file = [invoice(at, f"INV-2040{at}", label=label) for at in range(1, 10)]

    assert first_pages(file) == list(range(1, 10))


def test_pages_with_one_invoice_number_stay_together() -> None:
    file = [
        invoice(1, "INV-20401"),
        invoice(2, "INV-20401"),
        invoice(3, "INV-20402"),
        invoice(4, "INV-20402"),
    ]

    assert page_ranges(file, 4) == [(1, 2), (3, 4)]


def test_a_later_page_of_its_own_count_is_never_another_invoice() -> None:
    file = [invoice(1, "INV-20401", foot="Page 1 of 2"), invoice(2, "INV-20402", foot="Page 2 of 2")]

    assert first_pages(file) == [1]


def test_terms_on_the_back_belong_to_the_invoice_before_them() -> None:
    file = [invoice(1, "INV-20401"), page(TERMS, 2), invoice(3, "INV-20402"), page(TERMS, 4)]

    assert page_ranges(file, 4) == [(1, 2), (3, 4)]


@pytest.mark.parametrize("blank", ["", "This page intentionally left blank", ". '"])
def test_a_blank_page_between_invoices_belongs_to_the_one_before_it(blank: str) -> None:
    file = [invoice(1, "INV-20401"), page(blank, 2), invoice(3, "INV-20402"), page(blank, 4)]

    assert page_ranges(file, 4) == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    "sheet",
    [
        "PATCH T\nSeparator sheet - put between documents",
        "PATCH II",
        "Trennblatt",
        "Document separator",
        "Patch Code 3",
    ],
)
def test_a_separator_sheet_ends_a_document_and_belongs_to_none(sheet: str) -> None:
    file = [page(TERMS, 1), page(sheet, 2), page("", 3), page(TERMS, 4), page(sheet, 5)]

    assert page_ranges(file, 5) == [(1, 1), (4, 5)]


SURVEY = "\n".join(
    ["Rainfall was above the mean of the last ten years, and the river stood high until June."] * 12
)


@pytest.mark.parametrize(
    "inner",
    [
        "Table 2: counts by line and month\n"
        + "\n".join(f"{n} {n * 7} {n * 13} {n * 3} {n * 11}" for n in range(12)),
        "3. Discussion\n" + SURVEY,
        "Orchids in the northern meadow\nseen from the river bank\nThe hedge is on the left, with a gate",
    ],
    ids=["table", "section", "picture"],
)
def test_a_landscape_or_short_page_of_a_report_stays_in_it(inner: str) -> None:
    wide = page(inner, 2)
    file = [
        page("Meadow survey, annual report\n" + SURVEY, 1),
        PageText(2, wide.height, wide.width, wide.track, wide.words),
        page("4. Thanks\n" + SURVEY, 3),
    ]

    assert first_pages(file) == [1]
