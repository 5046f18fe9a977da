"""Reading order: the words of a page as a reader goes through them, column by column and paragraph by
paragraph.

Rows say what stands beside what; a sentence goes on in the next line of its own column, past whatever stands
in the margin. Cells are gathered into columns from the top down, after the bottom-up methods of page
segmentation (O'Gorman 1993, *The Document Spectrum for Page Layout Analysis*).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from alma.extraction.page.layout import Layout

#: White space between two lines of one column: in line heights, or in usual distances of the page's lines.
LINE_GAP = 1.6
#: Rows of another column that may stand between two lines of one.
ROWS_BETWEEN = 2
#: Share of the narrower of two lines that must be one over the other.
SHARED = 0.5
#: A gap this wide, in line heights, parts columns: one that goes on in the rows beside it, one of a row
#: alone, and one that some line beside it runs across.
GUTTER, LONE_GUTTER, CLEAR_GUTTER = 1.5, 2.0, 4.0
#: Rows above and below in which a gap must be open, too.
ROWS_BESIDE = 2
#: Lines, and words a line, a column has that holds prose; the share of them that begin small.
PROSE_LINES, PROSE_WORDS, PROSE_SMALL = 2, 5.0, 0.3


@dataclass(slots=True, eq=False)
class TextColumn:
    """Lines under each other: a paragraph, a list, one cell."""

    lines: list[list[int]] = field(default_factory=list)
    """Words of each line, from the left."""
    left: float = 1.0
    right: float = 0.0
    bottom: float = 0.0
    row: int = 0
    """Edges of its last line, and the row it stands in."""

    def add(self, words: list[int], left: float, right: float, bottom: float, row: int) -> None:
        """Add a line."""
        self.lines.append(words)
        self.left, self.right, self.bottom, self.row = left, right, bottom, row

    def shares(self, left: float, right: float) -> bool:
        """Return whether its last line is over or under what stands between two edges."""
        shared = min(right, self.right) - max(left, self.left)
        return shared > SHARED * min(right - left, self.right - self.left)


@dataclass(frozen=True, slots=True)
class ReadingOrder:
    """The words of one page in the order of reading."""

    order: tuple[int, ...]
    """Indices into the page's words."""
    position: tuple[int, ...]
    """Where each word of the page stands in `order`."""
    column_of: tuple[int, ...]
    """Number of the column, by position."""
    line_of: tuple[int, ...]
    """Number of the line, counted over columns, by position."""
    prose: tuple[bool, ...]
    """By column: whether it holds sentences."""

    @property
    def columns(self) -> list[tuple[int, int]]:
        """Half-open ranges of positions, one a column."""
        found: list[tuple[int, int]] = []
        for at, number in enumerate(self.column_of):
            if number == len(found):
                found.append((at, at + 1))
            else:
                found[-1] = (found[-1][0], at + 1)
        return found


def reading_order(layout: Layout) -> ReadingOrder:
    """Return the reading order of a page. Linear in the number of words, times the columns open at once."""
    columns: list[TextColumn] = []
    opened: list[TextColumn] = []
    line_gap = _line_gap(layout)
    for row in range(len(layout.rows)):
        opened = [c for c in opened if row - c.row <= ROWS_BETWEEN]
        fresh = []
        for start, end in _pieces(layout, row):
            words = layout.words[start:end]
            left, right = words[0].box.x, max(w.box.right for w in words)
            top, bottom = min(w.box.y for w in words), max(w.box.bottom for w in words)
            above = [c for c in opened if c.row != row and c.shares(left, right)]
            if len(above) == 1 and top - above[0].bottom <= line_gap:
                column = above[0]
            else:
                opened = [c for c in opened if c not in above]
                column = TextColumn()
                fresh.append(column)
            column.add(list(range(start, end)), left, right, bottom, row)
        columns += fresh
        opened += fresh
    return _numbered(layout, columns)


def _line_gap(layout: Layout) -> float:
    """Return the white space that may be between two lines of one column, as a share of the page."""
    edges = [
        (min(w.box.y for w in row), max(w.box.bottom for w in row))
        for row in (layout.words[start:end] for start, end in layout.rows)
    ]
    gaps = [max(below[0] - above[1], 0.0) for above, below in pairwise(edges)]
    usual = min(median(gaps), 2.5 * layout.line_height) if gaps else 0.0
    return LINE_GAP * max(layout.line_height, usual)


def _pieces(layout: Layout, row: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a row that belong to different columns."""
    first, end = layout.rows[row]
    start = first
    for at in range(first + 1, end):
        if layout.cell_of[at] != layout.cell_of[at - 1] and _parts_columns(layout, row, at):
            yield start, at
            start = at
    yield start, end


def _parts_columns(layout: Layout, row: int, at: int) -> bool:
    """Return whether the gap before a word is one between columns, not one of a justified line."""
    gap = layout.gap(at - 1, at)
    middle = (layout.words[at - 1].box.right + layout.words[at].box.x) / 2
    open_, crossed = 0, 0
    for other in range(max(row - ROWS_BESIDE, 0), min(row + ROWS_BESIDE + 1, len(layout.rows))):
        words = layout.words[slice(*layout.rows[other])]
        if other == row or words[0].box.x > middle or words[-1].box.right < middle:
            continue
        right = next(n for n, w in enumerate(words) if w.box.right >= middle)
        beside = words[right]
        if beside.box.x <= middle or (beside.box.x - words[right - 1].box.right) * layout.ratio < (
            0.8 * layout.line_height
        ):
            crossed += 1
        else:
            open_ += 1
    if crossed:
        return gap > CLEAR_GUTTER or (gap > GUTTER and open_ > 2 * crossed)
    return gap > (GUTTER if open_ else LONE_GUTTER)


def _numbered(layout: Layout, columns: list[TextColumn]) -> ReadingOrder:
    order: list[int] = []
    column_of: list[int] = []
    line_of: list[int] = []
    prose: list[bool] = []
    line = 0
    for number, column in enumerate(columns):
        words = [i for each in column.lines for i in each]
        small = sum(layout.words[i].text[:1].islower() for i in words)
        prose.append(
            len(column.lines) >= PROSE_LINES
            and len(words) >= PROSE_WORDS * len(column.lines)
            and (small >= PROSE_SMALL * len(words) or _capitals_alone(layout, words))
        )
        for each in column.lines:
            order += each
            column_of += [number] * len(each)
            line_of += [line] * len(each)
            line += 1
    position = [0] * len(order)
    for at, index in enumerate(order):
        position[index] = at
    return ReadingOrder(tuple(order), tuple(position), tuple(column_of), tuple(line_of), tuple(prose))


#: Words that only sentences have many of, for those that are set in capitals throughout.
_SMALL_WORDS = frozenset({"THE", "OF", "AND", "TO", "IN", "BY", "FOR", "WITH", "SAID", "AS", "ON", "THAT"})


def _capitals_alone(layout: Layout, words: list[int]) -> bool:
    return sum(layout.words[i].text in _SMALL_WORDS for i in words) >= 0.15 * len(words)
