"""The text layer of a PDF page: pdfium's characters become words on the page as displayed.

The page as displayed is the page after its crop box and its /Rotate entry.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import pypdfium2 as pdfium

from alma.datamodel.geometry import Box, Word
from alma.files.digit_shapes import digits_lie
from alma.files.display import Bounds, Display
from alma.files.glyphs import Glyph, glyphs_of
from alma.files.ink import PageInk, within, zone_share
from alma.files.legibility import is_garbage
from alma.files.lines import Token, in_lines
from alma.files.runs import is_column, runs_of, turn_between
from alma.files.visibility import PageObjects
from alma.text import reading_order

# Height of capitals above the baseline, in ems: 0.66 to 0.73 in 25 forms, contracts and invoices.
_CAPITALS = 0.7

# Share of the words under a scan that may stand on no ink, and of the page that it covers.
_ASTRAY = 0.1
_SCANNED = 0.5


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The words of a page, and whether they can be trusted."""

    words: tuple[Word, ...]
    """In reading order; empty where the layer is garbage."""
    unprinted: tuple[int, ...] = ()
    """Positions of the words that are not printed but stand, unseen, on the ink of a picture."""
    astray: bool = False
    """Those words are no reading of the picture: many stand on none of its ink."""
    turned: int = 0
    """Degrees clockwise the page must be turned for most of its text to run left to right."""
    garbage: bool = False
    """There is text and it does not say what the page shows."""


def read_text_layer(
    page: pdfium.PdfPage,
    display: Display,
    ink: PageInk,
    objects: PageObjects,
    combs: Sequence[Bounds] = (),
) -> TextLayer:
    """Return the words of a page's text layer.

    Parameters
    ----------
    page : pypdfium2.PdfPage
        A loaded page; forms are read where they were flattened into it.
    display : Display
        Its map, made before flattening, which can change the page's boxes but not where its text stands.
    ink : PageInk
        Of the page as displayed.
    objects : PageObjects
        What is drawn on it.
    combs : sequence of tuple
        Where form fields set each character into a compartment.

    Returns
    -------
    TextLayer
        Words split at white space and at gaps, boxes around their ink. Words without ink on the page as
        displayed are left out; those that are not drawn themselves are there where they stand on a picture's
        ink, as the words recognised on a scan do.
    """
    try:
        textpage = page.get_textpage()
    except pdfium.PdfiumError:
        return TextLayer((), garbage=True)
    try:
        runs = [run for run in runs_of(glyphs_of(textpage, display, objects), combs) if run]
        printed, unprinted, astray = _sorted_out(runs, display, ink, objects)
        lying = digits_lie(textpage, (glyph for run in printed for glyph in run), ink, display.width)
    finally:
        textpage.close()
    if lying:
        return TextLayer((), garbage=True)
    runs = printed + unprinted
    glyphs = [glyph for run in runs for glyph in run]
    words_as_read = ("".join(glyph.text for glyph in run) for run in runs)
    if is_garbage(words_as_read, characters=len(glyphs), odd=sum(glyph.odd for glyph in glyphs)):
        return TextLayer((), garbage=True)
    return replace(_in_order(printed, unprinted, display.width, display.height), astray=astray)


def _sorted_out(
    runs: list[list[Glyph]], display: Display, ink: PageInk, objects: PageObjects
) -> tuple[list[list[Glyph]], list[list[Glyph]], bool]:
    """Return the words that the page shows, those that it does not show but a picture's ink stands for, and
    whether these are no reading of it.

    Some scans have such words under them, an archive's data on the file: where many stand on no ink, those
    that do so do it by chance. Of a scanned page they are kept, all or none being what somebody meant.
    """
    printed: list[list[Glyph]] = []
    unprinted: list[list[Glyph]] = []
    without: list[list[Glyph]] = []
    for run in runs:
        for drawn, part in _parts(run, objects):
            left, top, right, bottom = _sides(part)
            box = left / display.width, top / display.height, right / display.width, bottom / display.height
            if drawn:
                if ink.shows(box):
                    printed.append(part)
            elif within(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), objects.pictures):
                (unprinted if ink.shows(box, stroke=True) else without).append(part)
    if len(without) <= _ASTRAY * (len(without) + len(unprinted)):
        return printed, unprinted, False
    scanned = not printed and zone_share(objects.pictures) >= _SCANNED
    return printed, [*unprinted, *without] if scanned else [], scanned


def _parts(run: list[Glyph], objects: PageObjects) -> list[tuple[bool, list[Glyph]]]:
    """Return the parts of a word that are drawn, and those that are not: nearly always one."""
    if objects.doubtless:
        return [(True, run)]
    parts: list[tuple[bool, list[Glyph]]] = []
    for source, group in groupby(run, key=lambda glyph: glyph.source):
        glyphs = list(group)
        drawn = source is None or objects.shows(source, _sides(glyphs))
        if parts and parts[-1][0] == drawn:
            parts[-1][1].extend(glyphs)
        else:
            parts.append((drawn, glyphs))
    return parts


def _sides(glyphs: list[Glyph]) -> Bounds:
    return (
        min(g.left for g in glyphs),
        min(g.top for g in glyphs),
        max(g.right for g in glyphs),
        max(g.bottom for g in glyphs),
    )


def _in_order(
    printed: list[list[Glyph]], unprinted: list[list[Glyph]], width: float, height: float
) -> TextLayer:
    """Return the words in reading order."""
    runs = [run for run in (*printed, *unprinted) if any(glyph.text for glyph in run)]
    unseen = set(map(id, unprinted))
    columns = [run for run in runs if is_column(run)]
    runs = [run for run in runs if not is_column(run)]
    directions = Counter[int]()
    for run in runs:
        directions[_quarter(run[0].angle)] += len(run)
    main = directions.most_common(1)[0][0] if directions else 0
    lines: list[tuple[list[Token], int]] = []
    # The page's main direction first, then marginal notes and stamps that run another way.
    for quarter in sorted(directions, key=lambda q: (q != main, -directions[q])):
        straight: list[Token] = []
        slanted: list[Token] = []
        for run in runs:
            if _quarter(run[0].angle) == quarter:
                token = _token(run, -quarter % 360, width, height, unprinted=id(run) in unseen)
                (straight if abs(_slant(run[0].angle)) < 15 else slanted).append(token)
        # A diagonal stamp would glue the lines it crosses together.
        together = [[line[i] for i in reading_order([t.text for t in line])] for line in in_lines(straight)]
        together += [[token] for token in slanted]
        lines += ((line, quarter) for line in together)
    # Vertical lines follow each other from the right.
    columns.sort(key=lambda run: -run[0].x)
    upright = [([_token(run, 0, width, height, unprinted=id(run) in unseen)], 0) for run in columns]
    lines = upright + lines if sum(map(len, columns)) > directions.total() else lines + upright
    words: list[Word] = []
    positions: list[int] = []
    number = 0
    for line, quarter in lines:
        size = (width, height) if quarter in (0, 180) else (height, width)
        before = len(words)
        for token in line:
            word = _word(token, number, size, quarter)
            if word is not None:
                if token.unprinted:
                    positions.append(len(words))
                words.append(word)
        number += len(words) > before
    return TextLayer(tuple(words), tuple(positions), turned=-main % 360)


def _quarter(angle: float) -> int:
    return round(angle / 90) * 90 % 360


def _slant(angle: float) -> float:
    return turn_between(_quarter(angle), angle)


def _token(run: list[Glyph], turn: int, width: float, height: float, *, unprinted: bool = False) -> Token:
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
    ceiling = baseline - _CAPITALS * middle.size
    return Token(text, min(xs), min(ys), max(xs), max(ys), ceiling, baseline, unprinted)


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
