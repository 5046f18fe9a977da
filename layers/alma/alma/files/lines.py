"""From loose words to lines in reading order: pure geometry, whoever read the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

#: Share of the lower of two words that must stand beside the other for the two to be on one line.
SHARED_HEIGHT = 0.5

#: Two equal words that overlap this much (intersection over union) are one word printed twice, which is how
#: many programs make bold type.
SAME_PLACE = 0.5


@dataclass(frozen=True, slots=True)
class Token:
    """A word in a frame where text runs left to right, any unit, origin at the top left."""

    text: str
    """The word."""
    left: float
    top: float
    right: float
    bottom: float
    """Where it stands: its ink."""
    ceiling: float
    baseline: float
    """The band between the top of capitals and the baseline. It says on which line the word stands, which its
    ink cannot: a hyphen, a comma and a `g` on one line share hardly any height."""
    unprinted: bool = False
    """It is not drawn itself, but stands on the ink of a picture."""

    @property
    def height(self) -> float:
        """Height of the band."""
        return self.baseline - self.ceiling


def in_lines(tokens: Sequence[Token]) -> list[list[Token]]:
    """Group words into visual lines, top to bottom, the words of each left to right.

    Everything at one height is one line, however wide the gap: in a form a label and its value stand
    far apart. The sweep goes left to right and compares a word with the last one of each line only, so that
    lines of a page scanned at a slant stay whole.

    Parameters
    ----------
    tokens : sequence of Token
        In any order.

    Returns
    -------
    list of list of Token
        Words printed twice over each other occur once.
    """
    if not tokens:
        return []
    # Lines are found by the rows of a coarse grid that the band of their last word touches.
    pitch = max(median(token.height for token in tokens), 1e-6)
    lines: list[list[Token]] = []
    grid: dict[int, set[int]] = {}
    for token in sorted(tokens, key=lambda t: (t.left, t.ceiling)):
        rows = _rows(token, pitch)
        near = {number for row in rows for number in grid.get(row, ())}
        number = _best_line(token, lines, near)
        if number is None:
            number = len(lines)
            lines.append([token])
        elif _printed_before(token, lines[number]):
            continue
        else:
            for row in _rows(lines[number][-1], pitch):
                grid[row].discard(number)
            lines[number].append(token)
        for row in rows:
            grid.setdefault(row, set()).add(number)
    return sorted(lines, key=_place)


def _rows(token: Token, pitch: float) -> range:
    # A headline may be a hundred times as high as the text; its edges are enough to be found by.
    first, last = int(token.ceiling // pitch), int(token.baseline // pitch)
    return range(first, min(last, first + 200) + 1)


def _best_line(token: Token, lines: list[list[Token]], near: set[int]) -> int | None:
    best: tuple[float, float, int] | None = None
    for number in sorted(near):
        last = lines[number][-1]
        shared = min(token.baseline, last.baseline) - max(token.ceiling, last.ceiling)
        share = shared / max(min(token.height, last.height), 1e-6)
        if share < SHARED_HEIGHT:
            continue
        # Of two lines that fit about equally well, the one whose end is nearer.
        rank = (round(share, 1), -abs(token.left - last.right), number)
        if best is None or rank > best:
            best = rank
    return None if best is None else best[2]


def _printed_before(token: Token, line: list[Token]) -> bool:
    return any(token.text == other.text and _iou(token, other) > SAME_PLACE for other in line[-3:])


def _iou(a: Token, b: Token) -> float:
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = (a.right - a.left) * (a.bottom - a.top) + (b.right - b.left) * (b.bottom - b.top)
    return shared / (areas - shared)


def _place(line: list[Token]) -> tuple[float, float]:
    """Return the height of a line's middle, weighted by its words, and its left end."""
    return sum(t.ceiling + t.baseline for t in line) / (2 * len(line)), line[0].left
