"""What no reader sees is no evidence: text without ink of its own is left out."""

from pathlib import Path

import pytest

from tests.unit.files.making_pdfs import HELVETICA, stream, text, write_pdf
from tests.unit.files.test_pdf import lines, read

SHOWN = text(60, 700, "Invoice 20417") + text(60, 600, "Total 240.00")
GHOST = text(300, 500, "Invoice 99999")

HIDDEN = {
    "mode 3": b"q 3 Tr " + GHOST + b"Q",
    "transparent": b"q /GS gs " + GHOST + b"Q",
    "white": b"q 1 g " + GHOST + b"Q",
    "nearly white": b"q 0.99 g " + GHOST + b"Q",
    "clipped": b"q 0 0 10 10 re W n " + GHOST + b"Q",
    "covered": GHOST + b"q 1 g 290 490 200 30 re f Q",
    "covered in black": GHOST + b"q 0 g 290 490 200 30 re f Q",
    "a part covered": text(300, 500, "Total 99999", size=10)
    + b"q 1 g 324 490 200 30 re f Q "
    + text(500, 300, "x"),
    "painted over and written over": GHOST
    + b"q 1 g 290 490 200 30 re f Q "
    + text(300, 500, "Invoice 20418"),
    "off the page": text(700, 500, "Invoice 99999"),
    "on a layer that is off": b"/OC /MC0 BDC " + GHOST + b"EMC",
    "on a layer that is off, under print": b"/OC /MC0 BDC "
    + GHOST
    + b"EMC "
    + text(300, 500, "Invoice 20418"),
    "under print": b"q 3 Tr " + GHOST + b"Q " + text(300, 500, "Invoice 20418"),
    "clipped text mode": b"q 7 Tr " + GHOST + b"Q",
    "in a form that is clipped": b"q 0 0 10 10 re W n /X Do Q",
    "in a form that is covered": b"/X Do q 1 g 290 490 200 30 re f Q",
}


def page_of(content: bytes) -> bytes:
    return write_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R"
            b" /OCProperties << /OCGs [6 0 R] /D << /OFF [6 0 R] /Order [] >> >> >>",
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            HELVETICA,
            b"<< /Type /Page /Parent 2 0 R /Contents 5 0 R /MediaBox [0 0 600 800]"
            b" /Resources << /Font << /F 3 0 R >> /ExtGState << /GS << /ca 0 /CA 0 >> >>"
            b" /Properties << /MC0 6 0 R >> /XObject << /X 7 0 R >> >> >>",
            stream(content),
            b"<< /Type /OCG /Name (old) >>",
            stream(
                GHOST,
                b"/Type /XObject /Subtype /Form /BBox [0 0 600 800] /Resources << /Font << /F 3 0 R >> >>",
            ),
        ]
    )


@pytest.mark.parametrize("way", HIDDEN)
def test_text_that_is_not_seen_is_not_read(tmp_path: Path, way: str) -> None:
    page = read(page_of(SHOWN + HIDDEN[way]), tmp_path, side=2000)
    said = " ".join(lines(page))
    assert "99999" not in said
    assert "Invoice 20417" in said
    assert "Total 240.00" in said
    assert ("20418" in said) == (b"20418" in HIDDEN[way])


SEEN = {
    "white on black": b"q 0 g 290 490 200 30 re f 1 g " + GHOST + b"Q",
    "on a coloured cell": b"q 1 1 0 rg 290 490 200 30 re f Q " + GHOST,
    "under a see-through marker": GHOST + b"q /GS2 gs 1 1 0 rg 290 490 200 30 re f Q",
    "in a frame drawn later": GHOST + b"q 290 490 200 30 re S Q",
    "in a ring drawn later": GHOST + b"q 280 480 220 50 re 290 490 200 30 re f* Q",
    "printed twice": GHOST + GHOST,
    "printed twice, a little aside": GHOST + GHOST.replace(b"300 500", b"300.4 500"),
    "outlined": b"q 1 Tr " + GHOST + b"Q",
    "grey": b"q 0.7 g " + GHOST + b"Q",
    "yellow": b"q 1 1 0 rg " + GHOST.replace(b"Tf", b"Tf", 1) + b"Q",
    "in a form": b"/X Do",
}


@pytest.mark.parametrize("way", SEEN)
def test_text_that_is_seen_is_read_once(tmp_path: Path, way: str) -> None:
    content = page_of(SHOWN + SEEN[way]).replace(b"/GS <<", b"/GS2 << /ca 0.4 /BM /Multiply >> /GS <<")
    # The table of offsets is off by that; the reader finds the objects.
    said = " ".join(
        lines(read(content[: content.index(b"xref")] + b"trailer << /Root 1 0 R >>", tmp_path, side=2000))
    )
    assert said.count("Invoice 99999") == 1
