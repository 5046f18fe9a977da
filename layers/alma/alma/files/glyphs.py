"""The characters of a PDF page's text layer, on the page as displayed."""

from __future__ import annotations

import ctypes
import math
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as c

from alma.files.display import Display
from alma.files.legibility import is_odd
from alma.files.visibility import PageObjects, address

#: Characters of one page beyond which the rest is left out: a dense page of a telephone book has 20,000.
MAX_CHARACTERS = 200_000

# Latin ligatures are two or three letters to everybody but a typesetter. Other compatibility characters
# (½, ², ™) say something that their decomposition does not.
_LIGATURES = {0xFB00 + i: text for i, text in enumerate(("ff", "fi", "fl", "ffi", "ffl", "ft", "st"))}

_SOFT_HYPHEN = 0xAD
# What pdfium reports for a hyphen at the end of a line whose word goes on in the next.
_LINE_END_HYPHENS = (0x02, 0xFFFE)


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character as displayed: points from the top left corner, `y` down."""

    text: str
    """One character, or the letters of a ligature; empty for one that shows nothing readable."""
    left: float
    top: float
    right: float
    bottom: float
    """Its ink."""
    x: float
    y: float
    """Its origin on the baseline."""
    size: float
    """Height of an em."""
    angle: float
    """Direction of the baseline in degrees clockwise from left-to-right."""
    odd: bool
    """It does not belong into good text: the font's table of characters may be wrong."""
    index: int = -1
    """Its number in the page's text."""
    source: int | None = None
    """Address of its text object, where that may be unseen."""


def glyphs_of(textpage: pdfium.PdfTextPage, display: Display, objects: PageObjects) -> Iterator[Glyph | None]:
    """Yield the characters in the file's order, None where a word ends."""
    left, bottom, right, top, x, y = (ctypes.c_double() for _ in range(6))
    loose, matrix = c.FS_RECTF(), c.FS_MATRIX()
    in_doubt = not objects.doubtless
    raw = textpage.raw  # the helper object would be unwrapped anew at every call
    for index in range(min(textpage.count_chars(), MAX_CHARACTERS)):
        code = min(c.FPDFText_GetUnicode(raw, index), sys.maxunicode)
        generated = c.FPDFText_IsGenerated(raw, index) == 1
        # White space that pdfium makes of gaps and line ends has no place on the page.
        if chr(code).isspace() or (generated and code not in _LINE_END_HYPHENS):
            yield None
            continue
        c.FPDFText_GetCharBox(raw, index, left, right, bottom, top)
        c.FPDFText_GetLooseCharBox(raw, index, loose)
        box = (left.value, bottom.value, right.value, top.value)
        if box[0] >= box[2] or box[1] >= box[3]:
            box = (loose.left, loose.bottom, loose.right, loose.top)
        c.FPDFText_GetCharOrigin(raw, index, x, y)
        c.FPDFText_GetMatrix(raw, index, matrix)
        size = c.FPDFText_GetFontSize(raw, index) * math.hypot(matrix.c, matrix.d)
        if not size > 0:
            size = abs(loose.top - loose.bottom)
        text = _readable(code, visible=box[0] < box[2])
        odd = is_odd(code, text, unmapped=c.FPDFText_HasUnicodeMapError(raw, index) == 1)
        x0, y0 = display.point(box[0], box[1])
        x1, y1 = display.point(box[2], box[3])
        origin = display.point(x.value, y.value)
        angle = display.direction(matrix.a, matrix.b)
        if not math.isfinite(x0 + y0 + x1 + y1 + sum(origin) + size + angle):
            continue
        source = address(c.FPDFText_GetTextObject(raw, index)) if in_doubt else None
        yield Glyph(
            text,
            min(x0, x1),
            min(y0, y1),
            max(x0, x1),
            max(y0, y1),
            *origin,
            size,
            angle,
            odd,
            index,
            source if in_doubt and objects.suspicious(source) else None,
        )


def _readable(code: int, *, visible: bool) -> str:
    if code in _LINE_END_HYPHENS or (code == _SOFT_HYPHEN and visible):
        return "-"
    if code in _LIGATURES:
        return _LIGATURES[code]
    # Controls, format characters such as zero-width spaces, private use, surrogates, unassigned.
    return "" if unicodedata.category(chr(code))[0] == "C" else chr(code)
