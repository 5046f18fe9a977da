"""The text layer of a PDF page: pdfium's characters become words on the page as displayed.

The page as displayed is the page after its crop box and its /Rotate entry.
"""

from __future__ import annotations

import ctypes
import math
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as c

from alma.datamodel.geometry import Box, Word
from alma.files.legibility import is_garbage, is_odd
from alma.files.lines import Token, in_lines

#: Characters of one page beyond which the rest is left out: a dense page of a telephone book has 20,000.
MAX_CHARACTERS = 200_000

# Height of capitals above the baseline, in ems: 0.66 to 0.73 in 25 forms, contracts and invoices.
_CAPITALS = 0.7

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


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The words of a page, and whether they can be trusted."""

    words: tuple[Word, ...]
    """In reading order; empty where the layer is garbage."""
    turned: int = 0
    """Degrees clockwise the page must be turned for most of its text to run left to right."""
    garbage: bool = False
    """There is text and it does not say what the page shows."""


def read_text_layer(page: pdfium.PdfPage, display: Display) -> TextLayer:
    """Return the words of a page's text layer.

    Parameters
    ----------
    page : pypdfium2.PdfPage
        A loaded page; forms are read where they were flattened into it.
    display : Display
        Its map, made before flattening, which can change the page's boxes but not where its text stands.

    Returns
    -------
    TextLayer
        Words split at white space and at gaps, boxes around their ink, invisible text (the recognised text
        under a scan) included, text outside the visible page left out.
    """
    width, height = display.width, display.height
    try:
        textpage = page.get_textpage()
    except pdfium.PdfiumError:
        return TextLayer((), garbage=True)
    try:
        runs = list(_runs(_glyphs(textpage, display)))
    finally:
        textpage.close()
    glyphs = [glyph for run in runs for glyph in run]
    words_as_read = ("".join(glyph.text for glyph in run) for run in runs)
    if is_garbage(words_as_read, characters=len(glyphs), odd=sum(glyph.odd for glyph in glyphs)):
        return TextLayer((), garbage=True)
    runs = [run for run in runs if any(glyph.text for glyph in run)]
    directions = Counter[int]()
    for run in runs:
        directions[_quarter(run[0].angle)] += len(run)
    main = directions.most_common(1)[0][0] if directions else 0
    words: list[Word] = []
    line_number = 0
    # The page's main direction first, then marginal notes and stamps that run another way.
    for quarter in sorted(directions, key=lambda q: (q != main, -directions[q])):
        turn = -quarter % 360
        upright = width if quarter in (0, 180) else height, height if quarter in (0, 180) else width
        straight: list[Token] = []
        slanted: list[Token] = []
        for run in runs:
            if _quarter(run[0].angle) == quarter:
                token = _token(run, turn, width, height)
                (straight if abs(_slant(run[0].angle)) < 15 else slanted).append(token)
        # A diagonal stamp would glue the lines it crosses together.
        for line in [*in_lines(straight), *([token] for token in slanted)]:
            of_line = [_word(token, line_number, upright, -turn % 360) for token in line]
            words += (word for word in of_line if word is not None)
            line_number += any(word is not None for word in of_line)
    return TextLayer(tuple(words), turned=-main % 360)


class Display:
    """The map from PDF user space to points on the page as displayed (an affine map)."""

    _STEPS = 1_000_000

    def __init__(self, page: pdfium.PdfPage) -> None:
        self.width, self.height = page.get_size()
        """Size of the page as displayed, in points."""
        # pdfium knows crop box and rotation; three points of its map give all of it.
        x, y = ctypes.c_int(), ctypes.c_int()
        corners = []
        for px, py in ((0.0, 0.0), (1000.0, 0.0), (0.0, 1000.0)):
            c.FPDF_PageToDevice(page, 0, 0, self._STEPS, self._STEPS, 0, px, py, x, y)
            corners.append((x.value / self._STEPS * self.width, y.value / self._STEPS * self.height))
        (self.e, self.f), along_x, along_y = corners
        self.a, self.b = (along_x[0] - self.e) / 1000, (along_x[1] - self.f) / 1000
        self.c, self.d = (along_y[0] - self.e) / 1000, (along_y[1] - self.f) / 1000

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of user space is displayed."""
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def direction(self, x: float, y: float) -> float:
        """Return the displayed direction of a vector, in degrees clockwise from left-to-right."""
        return math.degrees(math.atan2(self.b * x + self.d * y, self.a * x + self.c * y))


def _glyphs(textpage: pdfium.PdfTextPage, display: Display) -> Iterator[Glyph | None]:
    """Yield the characters in the file's order, None where a word ends."""
    left, bottom, right, top, x, y = (ctypes.c_double() for _ in range(6))
    loose, matrix = c.FS_RECTF(), c.FS_MATRIX()
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
        yield Glyph(
            text, min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), origin[0], origin[1], size, angle, odd
        )


def _readable(code: int, *, visible: bool) -> str:
    if code in _LINE_END_HYPHENS or (code == _SOFT_HYPHEN and visible):
        return "-"
    if code in _LIGATURES:
        return _LIGATURES[code]
    # Controls, format characters such as zero-width spaces, private use, surrogates, unassigned.
    return "" if unicodedata.category(chr(code))[0] == "C" else chr(code)


def _runs(glyphs: Iterator[Glyph | None]) -> Iterator[list[Glyph]]:
    """Cut the stream of characters into words."""
    run: list[Glyph] = []
    for glyph in glyphs:
        if run and (glyph is None or _apart(run[-1], glyph)):
            yield run
            run = []
        if glyph is not None:
            run.append(glyph)
    if run:
        yield run


def _apart(last: Glyph, glyph: Glyph) -> bool:
    """Tell whether a character does not continue the word of the one before it."""
    if abs(_turn_between(last.angle, glyph.angle)) > 20:
        return True
    size = max(last.size, glyph.size)
    along_x, along_y = math.cos(math.radians(last.angle)), math.sin(math.radians(last.angle))
    dx, dy = glyph.x - last.x, glyph.y - last.y
    ahead, aside = dx * along_x + dy * along_y, dy * along_x - dx * along_y
    # What the last character takes of the line: its ink, as far as it goes along the baseline.
    extent = (last.right - last.left) * abs(along_x) + (last.bottom - last.top) * abs(along_y)
    return abs(aside) > 0.5 * size or ahead < -0.5 * size or ahead > extent + size


def _turn_between(a: float, b: float) -> float:
    return (b - a + 180) % 360 - 180


def _quarter(angle: float) -> int:
    return round(angle / 90) * 90 % 360


def _slant(angle: float) -> float:
    return _turn_between(_quarter(angle), angle)


def _token(run: list[Glyph], turn: int, width: float, height: float) -> Token:
    """Return a word in the frame where its direction is left to right."""
    shown = [glyph for glyph in run if glyph.text]
    corners = [
        _turned(x, y, turn, width, height) for g in shown for x, y in ((g.left, g.top), (g.right, g.bottom))
    ]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    # The middle of the word, so that slanted words are compared where they are.
    middle = shown[len(shown) // 2]
    baseline = _turned(middle.x, middle.y, turn, width, height)[1]
    text = unicodedata.normalize("NFC", "".join(g.text for g in shown))
    return Token(text, min(xs), min(ys), max(xs), max(ys), baseline - _CAPITALS * middle.size, baseline)


def _turned(x: float, y: float, degrees: int, width: float, height: float) -> tuple[float, float]:
    """Return a point after the page (of the given size) is turned clockwise."""
    match degrees:
        case 90:
            return height - y, x
        case 180:
            return width - x, height - y
        case 270:
            return y, width - x
        case _:
            return x, y


def _word(token: Token, line: int, size: tuple[float, float], turn: int) -> Word | None:
    """Return a token as a word on the page, or None where it does not stand on the visible page."""
    width, height = size
    middle_x, middle_y = (token.left + token.right) / 2 / width, (token.top + token.bottom) / 2 / height
    if not (0 <= middle_x <= 1 and 0 <= middle_y <= 1):
        return None
    box = Box.from_pixels(token.left, token.top, token.right, token.bottom, width=width, height=height)
    return Word(token.text, box.turned(turn), line) if box.w > 0 and box.h > 0 else None
