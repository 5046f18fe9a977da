"""Telling where documents begin in a file."""

import pytest

from alma.datamodel.pages import PageText, Track
from alma.extraction.classification.boundaries import first_pages
from tests.unit.extraction.classification.test_document_type import TEXTS
from tests.unit.written import page

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
    assert first_pages([]) == []


def test_a_page_that_two_tracks_read_is_looked_at_once() -> None:
    thin = PageText(2, 600, 800, Track.VISION, receipt(2).words[:3])
    assert first_pages([receipt(1), receipt(2), thin]) == [1, 2]
