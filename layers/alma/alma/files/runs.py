"""Characters become words: cut at white space, at gaps and where the writing turns."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from alma.files.display import Bounds
from alma.files.glyphs import Glyph
from alma.text import is_rtl

#: Distance of characters of a column, in ems: solid setting has 1, a vertical line may be led or justified.
_COLUMN = (0.6, 1.7)

#: No wide character comes before it.
_FIRST_WIDE = "\u1100"


def runs_of(glyphs: Iterable[Glyph | None], combs: Sequence[Bounds] = ()) -> Iterator[list[Glyph]]:
    """Cut the stream of characters into words.

    Parameters
    ----------
    glyphs : iterable of Glyph or None
        In the order of the file, None where pdfium saw white space.
    combs : sequence of tuple
        Form fields that set each character into a compartment: what stands in one is one word.
    """
    run: list[Glyph] = []
    comb: Bounds | None = None
    for glyph in glyphs:
        within = None if glyph is None or not combs else _comb_of(glyph, combs)
        if comb is not None and (glyph is None or within == comb):
            # A gap within a comb is a compartment left empty, or the next one.
            if glyph is not None:
                run.append(glyph)
            continue
        if run and (glyph is None or within != comb or _apart(run, glyph)):
            yield run
            run = []
        comb = within
        if glyph is not None:
            run.append(glyph)
    if run:
        yield run


def is_column(run: Sequence[Glyph]) -> bool:
    """Tell whether a word runs down the page though its characters stand upright, as in vertical Japanese."""
    return len(run) > 1 and _below(run[0], run[1])


def _comb_of(glyph: Glyph, combs: Sequence[Bounds]) -> Bounds | None:
    x, y = (glyph.left + glyph.right) / 2, (glyph.top + glyph.bottom) / 2
    return next((box for box in combs if box[0] <= x <= box[2] and box[1] <= y <= box[3]), None)


def _apart(run: list[Glyph], glyph: Glyph) -> bool:
    """Tell whether a character does not continue the word before it."""
    last = run[-1]
    if abs(turn_between(last.angle, glyph.angle)) > 20:
        return True
    if _below(last, glyph):
        return len(run) > 1 and not is_column(run)
    if is_column(run):
        return True
    size = max(last.size, glyph.size)
    along_x, along_y = math.cos(math.radians(last.angle)), math.sin(math.radians(last.angle))
    dx, dy = glyph.x - last.x, glyph.y - last.y
    ahead, aside = dx * along_x + dy * along_y, dy * along_x - dx * along_y
    if ahead < 0 and is_rtl(last.text + glyph.text):
        # Each stands to the left of the one before it; its own extent is what lies between their origins.
        last, ahead = glyph, -ahead
    # What the last character takes of the line: its ink, as far as it goes along the baseline.
    extent = (last.right - last.left) * abs(along_x) + (last.bottom - last.top) * abs(along_y)
    return abs(aside) > 0.5 * size or ahead < -0.5 * size or ahead > extent + size


def _below(last: Glyph, glyph: Glyph) -> bool:
    """Tell whether a wide character stands right below another: the next one of a vertical line."""
    if last.text < _FIRST_WIDE or glyph.text < _FIRST_WIDE:
        return False
    if not all(unicodedata.east_asian_width(g.text[0]) == "W" for g in (last, glyph)):
        return False
    size = max(last.size, glyph.size)
    middle = (glyph.left + glyph.right - last.left - last.right) / 2
    return (
        abs(last.angle) < 20
        and abs(middle) < 0.5 * size
        and _COLUMN[0] * size < glyph.y - last.y < _COLUMN[1] * size
    )


def turn_between(a: float, b: float) -> float:
    """Return by how many degrees clockwise, -180 to 180, one direction differs from another."""
    return (b - a + 180) % 360 - 180
