"""PDF pages: what they show, what they say, and whether that is all of it."""

import io
from contextlib import closing
from pathlib import Path

import pypdf
import pytest
from PIL import Image

from alma.datamodel.geometry import Box
from alma.datamodel.pages import PageText
from alma.errors import UnreadableFileError
from alma.files.content import PageContent
from alma.files.pdf import PdfParser
from tests.unit.files.making_pdfs import (
    HELVETICA,
    pdf_of_pages,
    pdf_with_picture,
    stream,
    text,
    write_pdf,
)

PROSE = [
    "This indenture made the fourth day of March in the year of our Lord one thousand",
    "nine hundred and twelve between Josiah Greaves of the parish of Saint Michael and",
    "Eliza Worrell of the same parish widow witnesseth that in consideration of fifty",
    "pounds sterling paid by the purchaser to the vendor the receipt whereof is hereby",
]


#: A document of a page with one form field (object 6); its size is inherited: flattening does not expect it.
FORM = [
    b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] /DR << /Font << /F 3 0 R >> >> >> >>",
    b"<< /Type /Pages /Kids [4 0 R] /Count 1 /MediaBox [0 0 500 900] >>",
    HELVETICA,
    b"<< /Type /Page /Parent 2 0 R /Contents 5 0 R /Annots [6 0 R] /Resources << /Font << /F 3 0 R >> >> >>",
]


def read(data: bytes, folder: Path, number: int = 1, side: int = 1000) -> PageContent:
    path = folder / "file"
    path.write_bytes(data)
    with closing(PdfParser(path, side=side)) as file:
        return file.read(number)


def said(content: PageContent) -> PageText:
    assert content.text is not None
    return content.text


def lines(content: PageContent) -> list[str]:
    return [" ".join(word.text for word in line) for line in said(content).lines()]


def box_of(content: PageContent, word: str) -> Box:
    return next(w.box for w in said(content).words if w.text == word)


def shows_ink(image: Image.Image, box: Box) -> bool:
    sides = (box.x * image.width, box.y * image.height, box.right * image.width, box.bottom * image.height)
    return image.convert("L").crop(sides).histogram()[0] > 0


def scan(width: int = 600, height: int = 800) -> bytes:
    """A page image with rows of strokes, as a resource named /S."""
    image = Image.new("L", (width, height), 255)
    for y in range(40, height - 40, 20):
        for x in range(40, width - 40, 6):
            image.paste(0, (x, y, x + 3, y + 9))
    data = stream(
        image.tobytes(),
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
        % (width, height),
    )
    return data


def scanned_pdf(layer: bytes) -> bytes:
    return pdf_with_picture(scan(), layer)


def test_words_are_split_at_white_space_with_boxes_around_their_ink(tmp_path: Path) -> None:
    page = read(pdf_of_pages(text(60, 700, "Grantor: Josiah Greaves", size=20)), tmp_path)
    assert [word.text for word in said(page).words] == ["Grantor:", "Josiah", "Greaves"]
    box = box_of(page, "Grantor:")
    assert (round(box.x, 2), round(box.bottom, 2)) == (0.1, 0.13)
    assert 0.015 < box.h < 0.02
    assert not page.needs_vision


def test_the_image_has_the_asked_size_and_no_colour_where_there_is_none(tmp_path: Path) -> None:
    black = read(pdf_of_pages(text(60, 700, "black")), tmp_path)
    assert (black.image.size, black.image.mode) == ((750, 1000), "L")
    red = read(pdf_of_pages(b"1 0 0 rg 100 100 50 50 re f"), tmp_path)
    assert (red.image.size, red.image.mode) == ((750, 1000), "RGB")


def test_rows_of_a_form_are_lines_top_to_bottom(tmp_path: Path) -> None:
    content = (
        text(400, 650, "7.00") + text(400, 700, "12.50") + text(60, 650, "Tax") + text(60, 700, "Net sum")
    )
    assert lines(read(pdf_of_pages(content), tmp_path)) == ["Net sum 12.50", "Tax 7.00"]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_boxes_are_on_the_page_as_displayed_after_rotation(tmp_path: Path, degrees: int) -> None:
    page = read(
        pdf_of_pages(text(60, 700, "MMMM", size=40), page=b"/MediaBox [0 0 600 800] /Rotate %d" % degrees),
        tmp_path,
    )
    box = box_of(page, "MMMM")
    upright = Box.from_pixels(60, 72, 60 + 133, 100, width=600, height=800)
    assert box.iou(upright.turned(degrees)) > 0.8
    assert said(page).turned == -degrees % 360
    assert shows_ink(page.image, box)


def test_a_crop_box_moves_boxes_and_hides_words(tmp_path: Path) -> None:
    content = text(110, 500, "inside", size=20) + text(20, 20, "outside", size=20)
    page = read(pdf_of_pages(content, page=b"/MediaBox [0 0 600 800] /CropBox [100 400 500 700]"), tmp_path)
    assert [word.text for word in said(page).words] == ["inside"]
    box = box_of(page, "inside")
    assert (round(box.x, 2), round(box.bottom, 2)) == (0.03, 0.67)
    assert (said(page).width, said(page).height) == (400, 300)


def test_text_along_the_margin_keeps_its_own_line(tmp_path: Path) -> None:
    content = b"BT /F 10 Tf 0 1 -1 0 590 100 Tm (Folio copy) Tj ET\n"
    content += b"".join(text(60, 700 - 14 * i, line) for i, line in enumerate(PROSE))
    assert lines(read(pdf_of_pages(content), tmp_path)) == [*PROSE, "Folio copy"]


def pdf_saying(characters: dict[str, str], content: bytes) -> bytes:
    """A page whose font says that its codes are other characters than they look like."""
    pairs = " ".join(
        f"<{ord(code):02X}> <{said.encode('utf-16-be').hex()}>" for code, said in characters.items()
    )
    to_unicode = stream(
        b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange\n"
        b"%d beginbfchar %s endbfchar endcmap end" % (len(characters), pairs.encode())
    )
    return write_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [5 0 R] /Count 1 >>",
            HELVETICA.replace(b">>", b"/ToUnicode 4 0 R >>"),
            to_unicode,
            b"<< /Type /Page /Parent 2 0 R /Contents 6 0 R /MediaBox [0 0 600 800]"
            b" /Resources << /Font << /F 3 0 R >> >> >>",
            stream(content),
        ]
    )


def test_ligatures_are_letters_and_hyphens_at_line_ends_stay(tmp_path: Path) -> None:
    page = pdf_saying({"A": "\ufb01", "B": "e", "C": "\u00ad"}, text(60, 700, "AB BC") + text(60, 680, "B"))
    assert lines(read(page, tmp_path)) == ["fie e-", "e"]


@pytest.mark.parametrize(
    "face", [b"Helvetica", b"Times-Roman", b"Courier", b"Helvetica-Bold", b"Times-BoldItalic"]
)
@pytest.mark.parametrize(
    "lie",
    [
        {"2": "3", "4": "5"},
        {"0": "1", "2": "3", "4": "5"},
        {"1": "7", "7": "1", "2": "5", "4": "9"},
        dict(zip("0123456789", "1234567890", strict=True)),
        {},
    ],
)
def test_digits_that_are_printed_otherwise_than_the_text_says_are_left_to_vision(
    tmp_path: Path, face: bytes, lie: dict[str, str]
) -> None:
    rows = ["Net 200.00 Tax 40.00", "Total 240.00 due 13/04/2024", "Invoice 71 of twelve boxes"]
    content = b"".join(text(60, 700 - 20 * i, row, size=9) for i, row in enumerate(rows))
    says = {c: lie.get(c, c) for c in " 0123456789./NetTaxTotaldueInvoicftwlbxs"}
    page = read(pdf_saying(says, content).replace(b"Helvetica", face), tmp_path, side=2000)
    if lie:
        assert (page.text, page.needs_vision) == (None, True)
    else:
        assert lines(page) == rows


def test_hebrew_drawn_from_left_to_right_is_read_from_right_to_left(tmp_path: Path) -> None:
    hebrew = {"A": "\u05d0", "B": "\u05d1", "C": "\u05d2"}
    content = text(300, 700, "CBA CB") + text(60, 660, "12.50 Net AB")
    page = read(pdf_saying(hebrew, content), tmp_path)
    assert lines(page) == ["\u05d1\u05d2 \u05d0\u05d1\u05d2", "12.50 Net \u05d1\u05d0"]


def test_vertical_lines_are_read_downward_from_the_right(tmp_path: Path) -> None:
    wide = {"A": "\u8acb", "B": "\u6c42", "C": "\u66f8", "D": "\u652f", "E": "\u6255"}
    content = b"".join(
        text(x, 700 - 12 * i, c) for x, column in ((400, "ABC"), (375, "DE")) for i, c in enumerate(column)
    )
    page = read(pdf_saying(wide, content), tmp_path)
    assert lines(page) == ["\u8acb\u6c42\u66f8", "\u652f\u6255"]


def test_invisible_text_stands_for_the_ink_of_a_scan_and_is_to_be_compared_with_it(tmp_path: Path) -> None:
    rows = [text(40, 800 - 60 - 20 * i, "recognised " * 8, size=11, more="3 Tr") for i in range(35)]
    elsewhere = text(40, 790, "nothing stands here", size=9, more="3 Tr")
    page = read(scanned_pdf(b"".join(rows) + elsewhere), tmp_path)
    assert {word.text for word in said(page).words} == {"recognised"}
    assert said(page).unprinted == tuple(range(35 * 8))
    assert not page.needs_vision


def test_text_under_a_scan_drawn_over_it_is_to_be_compared_with_it(tmp_path: Path) -> None:
    rows = b"".join(text(40, 800 - 60 - 20 * i, "recognised " * 8, size=11) for i in range(35))
    under = scanned_pdf(b"").replace(b"q 600 0 0 800", rows + b"q 600 0 0 800")
    page = read(under[: under.index(b"xref")] + b"trailer << /Root 1 0 R >>", tmp_path)
    assert len(said(page).unprinted) == 35 * 8


def test_words_under_a_scan_that_stand_on_no_ink_are_all_there_and_told_apart(tmp_path: Path) -> None:
    rows = [text(40, 800 - 60 - 20 * i, "recognised " * 8, size=11, more="3 Tr") for i in range(20)]
    data = [text(1, 700 - 9 * i, "unseen", size=8, more="3 Tr") for i in range(30)]
    page = read(scanned_pdf(b"".join(rows + data)), tmp_path)
    assert said(page).astray
    assert len(said(page).words) == len(said(page).unprinted) == 20 * 8 + 30


def test_a_picture_of_words_on_a_page_of_text_is_to_be_read(tmp_path: Path) -> None:
    prose = b"".join(text(60, 400 - 14 * i, line) for i, line in enumerate(PROSE))
    page = read(pdf_with_picture(scan(), prose, "300 0 0 100 60 650"), tmp_path)
    assert [(round(b.x, 2), round(b.y, 2), round(b.w, 2), round(b.h, 2)) for b in said(page).pictures] == [
        (0.1, 0.06, 0.5, 0.12)
    ]
    assert page.needs_vision
    assert said(page).unprinted == ()


def test_annotations_that_are_not_viewed_are_not_read(tmp_path: Path) -> None:
    def form(flags: int) -> bytes:
        return write_pdf(
            [
                b"<< /Type /Catalog /Pages 2 0 R >>",
                b"<< /Type /Pages /Kids [4 0 R] /Count 1 /MediaBox [0 0 500 900] >>",
                HELVETICA,
                b"<< /Type /Page /Parent 2 0 R /Contents 5 0 R /Annots [6 0 R]"
                b" /Resources << /Font << /F 3 0 R >> >> >>",
                stream(text(50, 805, "Acreage", size=12)),
                b"<< /Type /Annot /Subtype /FreeText /F %d /Rect [200 800 300 820] /AP << /N 7 0 R >> >>"
                % flags,
                stream(
                    b"BT /F 12 Tf 2 5 Td (12.5) Tj ET",
                    b"/Type /XObject /Subtype /Form /BBox [0 0 100 20] /Resources << /Font << /F 3 0 R >> >>",
                ),
            ]
        )

    assert lines(read(form(4), tmp_path)) == ["Acreage 12.5"]
    assert lines(read(form(2), tmp_path)) == ["Acreage"]
    assert lines(read(form(4 + 32), tmp_path)) == ["Acreage"]


def test_the_characters_of_a_comb_field_are_one_word(tmp_path: Path) -> None:
    form = write_pdf(
        [
            *FORM,
            stream(text(50, 805, "Invoice", size=12) + text(420, 805, "Copy", size=12)),
            b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (n) /V (2041) /DA (/F 12 Tf 0 g) /F 4 /Ff 16777216"
            b" /MaxLen 5 /Rect [200 800 300 820] /AP << /N 7 0 R >> >>",
            stream(
                b"/Tx BMC BT /F 12 Tf 5 5 Td (2) Tj 20 0 Td (0) Tj 20 0 Td (4) Tj 20 0 Td (1) Tj ET EMC",
                b"/Type /XObject /Subtype /Form /BBox [0 0 100 20] /Resources << /Font << /F 3 0 R >> >>",
            ),
        ]
    )
    assert lines(read(form, tmp_path)) == ["Invoice 2041 Copy"]


def test_a_scan_with_a_stamped_header_has_words_and_needs_vision(tmp_path: Path) -> None:
    header = b"".join(text(40, 760 - 20 * i, "Received by the registrar on the") for i in range(3))
    page = read(scanned_pdf(header), tmp_path)
    assert len(said(page).words) == 18
    assert page.needs_vision


def test_a_scan_inside_a_form_object_is_a_scan(tmp_path: Path) -> None:
    header = b"".join(text(40, 760 - 20 * i, "Received by the registrar on the") for i in range(3))
    form = stream(
        b"q 300 0 0 400 0 0 cm /S Do Q",
        b"/Type /XObject /Subtype /Form /BBox [0 0 300 400] /Matrix [2 0 0 2 0 0]"
        b" /Resources << /XObject << /S 6 0 R >> >>",
    )
    direct = scanned_pdf(header)
    nested = direct.replace(b"q 600 0 0 800 0 0 cm /S Do Q", b"q /X Do Q").replace(b"/S 6 0 R", b"/X 7 0 R")
    nested = nested[: nested.index(b"xref")] + b"7 0 obj\n" + form + b"\nendobj\ntrailer << /Root 1 0 R >>"
    page = read(nested, tmp_path)
    assert len(said(page).words) == 18
    assert page.needs_vision


def test_a_scan_without_text_needs_vision_and_an_empty_page_does_not(tmp_path: Path) -> None:
    scanned = read(scanned_pdf(b""), tmp_path)
    assert (scanned.text, scanned.needs_vision) == (None, True)
    empty = read(pdf_of_pages(b""), tmp_path)
    assert (empty.text, empty.needs_vision) == (None, False)


def test_a_garbage_text_layer_is_left_to_vision(tmp_path: Path) -> None:
    shifted = ["".join(chr(ord(c) - 29) if c > " " else c for c in line) for line in PROSE]
    content = b"".join(text(60, 700 - 14 * i, line) for i, line in enumerate(shifted))
    page = read(pdf_of_pages(content), tmp_path)
    assert (page.text, page.needs_vision) == (None, True)


def test_values_of_form_fields_are_drawn_and_read_where_they_are_drawn(tmp_path: Path) -> None:
    form = write_pdf(
        [
            *FORM,
            stream(text(50, 805, "Acreage", size=12)),
            b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (acreage) /V (12.5) /DA (/F 12 Tf 0 g) /F 4"
            b" /Rect [200 800 300 820] /AP << /N 7 0 R >> >>",
            stream(
                b"/Tx BMC BT /F 12 Tf 2 5 Td (12.5) Tj ET EMC",
                b"/Type /XObject /Subtype /Form /BBox [0 0 100 20] /Resources << /Font << /F 3 0 R >> >>",
            ),
        ]
    )
    page = read(form, tmp_path)
    assert lines(page) == ["Acreage 12.5"]
    box = box_of(page, "12.5")
    assert (round(box.x, 2), round(box.bottom, 2)) == (0.41, 0.11)
    assert shows_ink(page.image, box)


def test_files_embedded_in_a_pdf_are_named(tmp_path: Path) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf_of_pages(text(60, 700, "cover"))))
    writer.add_attachment("Rechnung M\u00e4rz.pdf", b"%PDF-1.4")
    writer.add_attachment("factur-x.xml", b"<x/>")
    out = io.BytesIO()
    writer.write(out)
    path = tmp_path / "file"
    path.write_bytes(out.getvalue())
    with closing(PdfParser(path, side=1000)) as file:
        assert sorted(file.attachments) == ["Rechnung M\u00e4rz.pdf", "factur-x.xml"]


def test_a_user_password_is_refused_and_an_empty_one_is_not_needed(tmp_path: Path) -> None:
    def encrypted(user: str) -> bytes:
        writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf_of_pages(text(60, 700, "secret"))))
        writer.encrypt(user, "owner", algorithm="AES-256")
        out = io.BytesIO()
        writer.write(out)
        return out.getvalue()

    with pytest.raises(UnreadableFileError, match="remove the password") as caught:
        read(encrypted("user"), tmp_path)
    assert caught.value.code == "password_protected"
    assert lines(read(encrypted(""), tmp_path)) == ["secret"]


def test_what_is_no_pdf_behind_its_header_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        read(b"%PDF-1.7\n" + bytes(range(256)) * 20, tmp_path)
    assert caught.value.code == "damaged_file"


def test_a_broken_cross_reference_table_is_no_obstacle(tmp_path: Path) -> None:
    data = pdf_of_pages(text(60, 700, "still here"))
    assert lines(read(data[: data.index(b"xref")] + b"trailer << /Root 1 0 R >>", tmp_path)) == ["still here"]


def test_a_document_whose_catalog_must_be_searched_for_is_read(tmp_path: Path) -> None:
    data = pdf_of_pages(text(60, 700, "first"), text(60, 700, "second")).replace(b"/Root 1 0 R", b"")
    assert lines(read(data, tmp_path, number=2)) == ["second"]


def test_pages_without_their_page_tree_are_not_passed_off_as_the_document(tmp_path: Path) -> None:
    data = pdf_of_pages(text(60, 700, "first"), text(60, 700, "second"))
    with pytest.raises(UnreadableFileError) as caught:
        read(data.replace(b"/Pages 2 0 R", b"/Pages 9 0 R"), tmp_path)
    assert caught.value.code == "damaged_file"


@pytest.mark.parametrize(
    ("box", "size"),
    [
        (b"[0 0 14400 14400]", (1000, 1000)),
        (b"[0 0 10 20]", (100, 200)),
        (b"[0 0 14400 3]", (1000, 1)),
    ],
)
def test_absurd_page_sizes_are_capped(tmp_path: Path, box: bytes, size: tuple[int, int]) -> None:
    assert read(pdf_of_pages(b"", page=b"/MediaBox " + box), tmp_path).image.size == size
