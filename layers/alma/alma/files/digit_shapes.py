"""Whether the digits of a text layer are those that are printed.

A font's table of characters can say 3 where a 2 is drawn; letters that are exchanged so make nonsense of a
language, digits make another number. Each digit's picture is compared with those of plain typefaces.
"""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

import pypdfium2 as pdfium
import pypdfium2.raw as c
from PIL import Image

from alma.files.glyphs import Glyph
from alma.files.ink import PageInk
from alma.files.visibility import address

_DIGITS = "0123456789"
_FACES = (
    "Helvetica",
    "Helvetica-Bold",
    "Times-Roman",
    "Times-Bold",
    "Times-BoldItalic",
    "Courier",
    "Courier-Bold",
)

#: Width and height of the pictures that are compared; lower ones on the page say too little.
_SIZE = (12, 16)
_LEAST_HEIGHT = 12.0

#: Pictures of a digit of a font, and digits of a page, that are looked at.
_SAMPLES = 2
_MAX_DIGITS = 1500

#: Pixels of 192 that may differ for a picture to be that of a digit: 12 to 35 in plain typefaces; ornate
#: ones are not judged.
NEAR = 42
#: How much nearer, in pixels that differ, another digit must be for the one that is said to be contradicted.
MARGIN = 18

#: Contradicted digits of a font, and their share of its digits, from which its table is not believed.
LEAST_CONTRADICTED = 2
CONTRADICTED = 0.4


def digits_lie(textpage: pdfium.PdfTextPage, glyphs: Iterable[Glyph], ink: PageInk, width: float) -> bool:
    """Tell whether a font of a page prints other digits than its text says.

    Parameters
    ----------
    textpage : pypdfium2.PdfTextPage
        The page's text.
    glyphs : iterable of Glyph
        The characters that the page shows.
    ink : PageInk
        Of the page as displayed.
    width : float
        Of that page in points.
    """
    scale = ink.grey.width / width
    seen: dict[int | None, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    left = _MAX_DIGITS
    for glyph in glyphs:
        if glyph.text not in _DIGITS or not glyph.text:
            continue
        left -= 1
        if left < 0:
            break
        if abs(glyph.angle) > 1 or (glyph.bottom - glyph.top) * scale < _LEAST_HEIGHT:
            continue
        text_object = c.FPDFText_GetTextObject(textpage.raw, glyph.index)
        samples = seen[address(c.FPDFTextObj_GetFont(text_object))][glyph.text]
        if len(samples) < _SAMPLES:
            sides = glyph.left * scale, glyph.top * scale, glyph.right * scale, glyph.bottom * scale
            samples.append(_shape(ink.grey, sides))
    for by_digit in seen.values():
        contradicted = sum(_contradicted(digit, shapes) for digit, shapes in by_digit.items())
        if contradicted >= LEAST_CONTRADICTED and contradicted >= CONTRADICTED * len(by_digit):
            return True
    return False


def _contradicted(digit: str, shapes: list[int]) -> bool:
    """Tell whether every picture of a digit is clearly that of another one."""
    for shape in shapes:
        distance = {
            other: min((shape ^ known).bit_count() for known in of_face)
            for other, of_face in _known().items()
        }
        nearest = min(distance.values())
        if nearest > NEAR or distance[digit] - nearest < MARGIN:
            return False
    return True


def _shape(grey: Image.Image, sides: tuple[float, float, float, float]) -> int:
    """Return the picture of a character as bits, its height that of all others."""
    left, top, right, bottom = sides
    width = min(_SIZE[0], max(1, round((right - left) * _SIZE[1] / max(bottom - top, 1e-6))))
    part = grey.resize((width, _SIZE[1]), Image.Resampling.BOX, box=_inside(sides, grey.size))
    whole = Image.new("L", _SIZE, max(part.tobytes()))
    whole.paste(part, ((_SIZE[0] - width) // 2, 0))
    values = whole.tobytes()
    middle = (min(values) + max(values)) / 2
    # White print on black is turned round: ink covers less than half of a digit's box.
    bits = [value < middle for value in values]
    if 2 * sum(value < middle for value in part.tobytes()) > 1.4 * width * _SIZE[1]:
        bits = [not bit for bit in bits]
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _inside(
    sides: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    left, top = min(max(sides[0], 0.0), size[0] - 1.0), min(max(sides[1], 0.0), size[1] - 1.0)
    return left, top, min(max(sides[2], left + 1), size[0]), min(max(sides[3], top + 1), size[1])


@lru_cache(maxsize=1)
def _known() -> dict[str, list[int]]:
    """Return the pictures of each digit in plain typefaces."""
    known: dict[str, list[int]] = {digit: [] for digit in _DIGITS}
    with pdfium.PdfDocument.new() as document:
        page = document.new_page(40 * len(_DIGITS), 40 * len(_FACES))
        for row, face in enumerate(_FACES):
            for column, digit in enumerate(_DIGITS):
                item = c.FPDFPageObj_NewTextObj(document.raw, face.encode(), ctypes.c_float(30.0))
                c.FPDFText_SetText(item, (c.FPDF_WCHAR * 2)(ord(digit), 0))
                c.FPDFPageObj_Transform(item, 1, 0, 0, 1, 40 * column + 10, 40 * row + 8)
                c.FPDFPage_InsertObject(page.raw, item)
        c.FPDFPage_GenerateContent(page.raw)
        grey = page.render(scale=1, grayscale=True).to_pil().convert("L")
        for row in range(len(_FACES)):
            for column, digit in enumerate(_DIGITS):
                top = 40 * (len(_FACES) - 1 - row)
                cell = grey.crop((40 * column, top, 40 * column + 40, top + 40))
                box = cell.point([255 if value < 128 else 0 for value in range(256)]).getbbox()
                if box is not None:
                    known[digit].append(_shape(cell, box))
        page.close()
    return known
