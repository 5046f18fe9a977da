"""What somebody else's recogniser left under a scan is compared with it, and pictures of words are read."""

from contextlib import closing
from pathlib import Path

import pytest

from alma.datamodel.pages import PageText
from alma.files.pdf import PdfParser
from alma.ocr import Recognizer
from alma.ocr.completion import compared, with_pictures
from tests.unit.files.making_pdfs import pdf_of_pages, pdf_with_picture, picture_of, text

INVOICE = [
    (60, 700, "Northgate Paper Supplies"),
    (60, 660, "Invoice No: INV-20417"),
    (60, 620, "Invoice Date: 14/03/2024"),
    (60, 580, "Net 200.00"),
    (60, 540, "Tax 40.00"),
    (60, 500, "Total 240.00"),
]


@pytest.fixture(scope="module")
def recognizer(models_dir: Path) -> Recognizer:
    return Recognizer(models_dir)


def printed(rows: list[tuple[int, int, str]], more: str = "") -> bytes:
    return b"".join(text(x, y, words, 12, more) for x, y, words in rows)


def scan_with_layer(rows: list[tuple[int, int, str]], place: str = "600 0 0 800 0 0") -> bytes:
    return pdf_with_picture(picture_of(pdf_of_pages(printed(INVOICE))), printed(rows, "3 Tr"), place)


def as_completed(data: bytes, folder: Path, recognizer: Recognizer) -> PageText:
    path = folder / "file"
    path.write_bytes(data)
    with closing(PdfParser(path, side=2000)) as file:
        content = file.read(1)
    assert content.text is not None
    page = content.text
    if page.pictures:
        page = with_pictures(recognizer, content.image, page)
    return compared(recognizer, content.image, page, page.unprinted)


def lines(page: PageText) -> list[str]:
    return [" ".join(word.text for word in line) for line in page.lines()]


def test_an_old_layer_that_reads_wrong_digits_loses_against_the_picture(
    tmp_path: Path, recognizer: Recognizer
) -> None:
    wrong = [
        (x, y, words.replace("240", "290") if "Total" in words else words.replace("Tax 4", "Tax 9"))
        for x, y, words in INVOICE
    ]
    page = as_completed(scan_with_layer(wrong), tmp_path, recognizer)
    assert lines(page) == [words for _, _, words in INVOICE]
    total = next(word for word in page.words if word.text == "240.00")
    assert total.confidence is not None
    assert (round(total.box.x, 2), round(total.box.y, 2)) == (0.15, 0.36)
    assert next(word for word in page.words if word.text == "Northgate").confidence is None
    assert (page.unprinted, page.pictures) == ((), ())


def test_an_old_layer_that_confuses_letters_and_digits_throughout_loses_everywhere(
    tmp_path: Path, recognizer: Recognizer
) -> None:
    confused = str.maketrans("015", "OlS")
    wrong = [(x, y, words.translate(confused).replace("gate", "qate")) for x, y, words in INVOICE]
    page = as_completed(scan_with_layer(wrong), tmp_path, recognizer)
    assert lines(page) == [words for _, _, words in INVOICE]


def test_an_old_layer_that_is_right_stays_as_it_is(tmp_path: Path, recognizer: Recognizer) -> None:
    page = as_completed(scan_with_layer(INVOICE), tmp_path, recognizer)
    assert lines(page) == [words for _, _, words in INVOICE]
    assert {word.confidence for word in page.words} == {None}


def test_of_two_readings_of_letters_neither_wins(tmp_path: Path, recognizer: Recognizer) -> None:
    wrong = [(x, y, words.replace("gate", "qate")) for x, y, words in INVOICE]
    page = as_completed(scan_with_layer(wrong), tmp_path, recognizer)
    assert lines(page)[0] == "Northqate Paper Supplies"
    assert [word.text for word in page.words if (word.confidence or 1.0) < 0.5] == ["Northqate"]


def test_a_layer_of_a_part_of_the_page_is_joined_by_what_it_leaves_out(
    tmp_path: Path, recognizer: Recognizer
) -> None:
    page = as_completed(scan_with_layer(INVOICE[:3]), tmp_path, recognizer)
    assert lines(page) == [words for _, _, words in INVOICE]


def test_words_of_a_picture_join_those_of_the_text_in_their_order(
    tmp_path: Path, recognizer: Recognizer
) -> None:
    totals = picture_of(pdf_of_pages(printed(INVOICE[3:]), page=b"/MediaBox [50 480 170 600]"), side=1600)
    prose = [(60, 760, "Invoice for twelve boxes of paper"), (60, 100, "Payable within thirty days")]
    page = as_completed(pdf_with_picture(totals, printed(prose), "120 0 0 120 50 480"), tmp_path, recognizer)
    assert lines(page) == [prose[0][2], "Net 200.00", "Tax 40.00", "Total 240.00", prose[1][2]]


def test_a_logo_is_not_recognised(tmp_path: Path, recognizer: Recognizer) -> None:
    logo = picture_of(pdf_of_pages(text(60, 500, "ACME", 40), page=b"/MediaBox [50 480 190 560]"), side=1600)
    path = tmp_path / "file"
    path.write_bytes(pdf_with_picture(logo, printed(INVOICE), "140 0 0 80 400 700"))
    with closing(PdfParser(path, side=2000)) as file:
        content = file.read(1)
    assert content.text is not None
    assert (content.text.pictures, content.needs_vision) == ((), False)
