"""What is set apart in print and belongs together, and what runs behind the lines and does not."""

from pathlib import Path

import pytest

from alma.extraction.page.layout import arrange
from tests.unit.files.making_pdfs import pdf_of_pages, text
from tests.unit.files.test_pdf import read, said


def rows(content: bytes, folder: Path) -> list[str]:
    layout = arrange(said(read(pdf_of_pages(content), folder)))
    return [layout.text(*row) for row in layout.rows]


def spaced(x: float, y: float, digits: str, gap: float) -> bytes:
    out = b""
    for digit in digits:
        out += text(x, y, digit)
        x += (2.8 if digit in ".," else 5.6) + gap
    return out


@pytest.mark.parametrize("gap", [3.0, 5.0, 8.0])
def test_digits_set_apart_evenly_are_one_number(tmp_path: Path, gap: float) -> None:
    content = text(60, 700, "Total") + spaced(300, 700, "240.00", gap) + text(500, 700, "EUR")
    assert rows(content, tmp_path) == ["Total 240.00 EUR"]


def test_columns_of_single_digits_stay_apart(tmp_path: Path) -> None:
    content = text(60, 700, "Boxes") + spaced(200, 700, "12345", 30)
    assert rows(content, tmp_path) == ["Boxes 1 2 3 4 5"]


@pytest.mark.parametrize(("whole", "raised"), [("240.", 3), ("1,240.", 4), ("240,", 3)])
def test_raised_cents_behind_a_decimal_sign_belong_to_the_amount(
    tmp_path: Path, whole: str, raised: float
) -> None:
    x = 300 + sum(2.8 if c in ".," else 5.6 for c in whole) + 0.6
    content = text(60, 700, "Total") + text(300, 700, whole) + text(x, 700 + raised, "00", size=6)
    assert rows(content, tmp_path) == [f"Total {whole}00"]


def test_a_raised_mark_behind_a_word_stays_apart(tmp_path: Path) -> None:
    content = text(60, 700, "Total") + text(300, 700, "240.00") + text(337, 703, "12", size=6)
    assert rows(content, tmp_path) == ["Total 240.00 12"]


def test_a_watermark_of_repeated_lines_is_in_no_row_of_the_page(tmp_path: Path) -> None:
    printed = [(700, "Buyer", "Harbour Cafe Ltd"), (685, "Tax", "40.00"), (670, "Total", "240.00")]
    content = b"".join(text(0, 720 - 7 * i, "COPY ONLY " * 14, size=5, more="0.8 g") for i in range(12))
    content += b"".join(text(60, y, a, more="0 g") + text(300, y, b, more="0 g") for y, a, b in printed)
    assert rows(content, tmp_path) == ["Buyer Harbour Cafe Ltd", "Tax 40.00", "Total 240.00"]


def test_words_of_a_table_that_are_repeated_are_no_watermark(tmp_path: Path) -> None:
    content = b"".join(
        text(60, 700 - 15 * i, "Evening News") + text(400, 700 - 15 * i, "Spot") for i in range(12)
    )
    assert rows(content, tmp_path) == ["Evening News Spot"] * 12


def test_an_identifier_in_boxes_is_one_word(tmp_path: Path) -> None:
    assert rows(text(60, 700, "No") + spaced(200, 700, "20240417", 6), tmp_path) == ["No 20240417"]
