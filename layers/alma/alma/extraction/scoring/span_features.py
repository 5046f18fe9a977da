"""Features of a span of words that no field has a part in: where it stands, what it looks like, what is near.

Computed once for each span, however many fields it may be the value of.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from alma.datamodel.geometry import Box, enclosing
from alma.extraction.candidates.generation import Candidate
from alma.extraction.candidates.typed_spans import kinds, shape
from alma.extraction.page.layout import Cell, Layout
from alma.extraction.page.reading_order import ReadingOrder
from alma.extraction.scoring.sentence_features import SentenceFeatures, Stream
from alma.extraction.scoring.tokens import PAGE_TOKENS, squash_shape, token
from alma.extraction.values.companies import is_company, starts_with_legal_form
from alma.extraction.values.text import fold

#: Rows over and under a span in which a neighbour is looked for, and how far away none counts as (in lines).
NEAR_ROWS, NO_NEIGHBOUR = 4, 6.0

_POSTCODE = re.compile(r"(?<!\d)\d{4,6}(?!\d)")
_STREET = re.compile(
    r"\b(?:no|lot|jalan|jln|lorong|taman|tmn|street|st|road|rd|avenue|ave|lane|drive|blvd|floor|level|unit|suite|"
    r"block|blok|kampung|bandar|strasse|str|platz|weg|rue|place|plaza|mall|building|city|p\.?o\.? box)\b"
)


class PlaceFeatures(NamedTuple):
    """Where a span stands and what it looks like. Names and order are stored in every model."""

    page_first: float
    page_last: float
    page_number: float
    """In tens, 1 from the tenth page on."""
    x: float
    right: float
    y: float
    y_in_document: float
    """Pages above it, as a share of all."""
    height: float
    """Of its first row over the page's line height, less one."""
    width: float
    row: float
    cells_in_row: float
    cell_in_row: float
    opens_cell: float
    closes_cell: float
    fills_cell: float
    fills_row: float
    gap_left: float
    """White space to the word before it in line heights, in fives; 5 at the beginning of a row."""
    gap_above: float
    gap_below: float
    """White space to the neighbour in lines, in threes."""
    tallest: float
    """Height over that of the tallest word of the page."""
    words: float
    characters: float
    digits: float
    capitals: float
    letters: float
    """Shares of its characters."""
    lines: float
    company: float
    legal_start: float
    postcode: float
    street: float
    comma_end: float
    point_end: float
    colon: float
    lower_start: float
    above_company: float
    above_street: float
    above_digits: float
    above_comma: float
    below_company: float
    below_street: float
    below_digits: float
    below_comma: float
    last_street: float
    last_postcode: float
    """Of the words in its last line."""


class ClarityFeatures(NamedTuple):
    """How well a span could be read. Names and order are stored in every model."""

    confidence_mean: float
    confidence_least: float
    vision: float
    """Whether its words were recognised rather than stated by the file."""


@dataclass(frozen=True, slots=True)
class SpanFeatures:
    """The features of a span of words."""

    place: PlaceFeatures
    clarity: ClarityFeatures
    sentence: SentenceFeatures
    tokens: list[int]
    """Buckets of the words in it and around it on the page, at most `PAGE_TOKENS`."""
    sentence_tokens: list[int]
    """The same in the order of reading, at most `SENTENCE_TOKENS`."""


class TrackPages:
    """The pages of one track: what the features of all its candidates share."""

    def __init__(self, layouts: Sequence[Layout], orders: Sequence[ReadingOrder], *, vision: bool) -> None:
        self.vision = vision
        self._count = len(layouts)
        self._number = {layout.page: n for n, layout in enumerate(layouts)}
        self._tallest = {layout.page: max((w.box.h for w in layout.words), default=1.0) for layout in layouts}
        self._words = [[squash_shape(w.text) for w in layout.words] for layout in layouts]
        self._stream = Stream(layouts, orders, self._words)
        self._known: dict[tuple[int, tuple[int, ...]], SpanFeatures] = {}
        self._looks: dict[tuple[int, int], tuple[float, float, float, float]] = {}

    def features_of(self, candidate: Candidate) -> SpanFeatures:
        """Return the features of a candidate's span, remembered."""
        key = (candidate.layout.page, candidate.words)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._computed(candidate)
        return known

    def _computed(self, c: Candidate) -> SpanFeatures:
        layout = c.layout
        row = layout.row_of[c.words[0]]
        box = enclosing(layout.words[i].box for i in c.words)
        top = enclosing(layout.words[i].box for i in c.words if layout.row_of[i] == row)
        above = _neighbour(layout, row, top, -1)
        below = _neighbour(layout, layout.row_of[c.words[-1]], box, 1)
        sentence = self._stream.context_of(self._number[layout.page], c.words)
        return SpanFeatures(
            self._place(c, box, top, above, below),
            ClarityFeatures(*c.clarity, float(self.vision)),
            sentence.dense,
            [token(t) for t in self._tokens(c, box, top, above[0], below[0])[:PAGE_TOKENS]],
            sentence.tokens,
        )

    def _place(
        self,
        c: Candidate,
        box: Box,
        top: Box,
        above: tuple[Cell | None, float],
        below: tuple[Cell | None, float],
    ) -> PlaceFeatures:
        layout, number = c.layout, self._number[c.layout.page]
        first, last = c.words[0], c.words[-1]
        row, cell = layout.row_of[first], layout.cells[layout.cell_of[first]]
        start, stop = layout.rows[row]
        text = c.content
        characters, length = kinds(text), max(len(text), 1)
        lines = 1 + sum(
            layout.row_of[b] != layout.row_of[a] for a, b in zip(c.words, c.words[1:], strict=False)
        )
        above_company, above_street, above_digits, above_comma = self._look_of(layout, above[0])
        below_company, below_street, below_digits, below_comma = self._look_of(layout, below[0])
        last_street, last_postcode = _last_line(layout, c.words)
        return PlaceFeatures(
            page_first=float(number == 0),
            page_last=float(number == self._count - 1),
            page_number=min(number, 10) / 10,
            x=box.x,
            right=box.right,
            y=top.y,
            y_in_document=(number + top.y) / self._count,
            height=top.h / max(layout.line_height, 1e-6) - 1.0,
            width=box.w,
            row=min(row, 60) / 20,
            cells_in_row=(layout.cell_of[stop - 1] - layout.cell_of[start]) / 4.0,
            cell_in_row=(layout.cell_of[first] - layout.cell_of[start]) / 4.0,
            opens_cell=float(cell.start == first),
            closes_cell=float(layout.cells[layout.cell_of[last]].end == last + 1),
            fills_cell=len(c.words) / (cell.end - cell.start) / lines,
            fills_row=float(first == start and last + 1 == layout.rows[layout.row_of[last]][1]),
            gap_left=min(layout.gap(first - 1, first), 20.0) / 5 if first > start else 5.0,
            gap_above=min(above[1], 6.0) / 3,
            gap_below=min(below[1], 6.0) / 3,
            tallest=top.h / max(self._tallest[layout.page], 1e-6),
            words=math.log2(1 + len(c.words)) / 3,
            characters=min(length, 150) / 50,
            digits=characters.count("9") / length,
            capitals=characters.count("A") / length,
            letters=(characters.count("A") + characters.count("a")) / length,
            lines=lines / 3,
            company=float(is_company(text)),
            legal_start=float(starts_with_legal_form(text)),
            postcode=float(bool(_POSTCODE.search(text))),
            street=min(len(_STREET.findall(fold(text))), 4) / 2,
            comma_end=float(text.endswith(",")),
            point_end=float(text.endswith(".")),
            colon=float(":" in text),
            lower_start=float(text[:1].islower()),
            above_company=above_company,
            above_street=above_street,
            above_digits=above_digits,
            above_comma=above_comma,
            below_company=below_company,
            below_street=below_street,
            below_digits=below_digits,
            below_comma=below_comma,
            last_street=last_street,
            last_postcode=last_postcode,
        )

    def _look_of(self, layout: Layout, cell: Cell | None) -> tuple[float, float, float, float]:
        if cell is None:
            return 0.0, 0.0, 0.0, 0.0
        known = self._looks.get((layout.page, cell.start))
        if known is None:
            known = self._looks[layout.page, cell.start] = _look_of(layout.text(cell.start, cell.end))
        return known

    def _tokens(self, c: Candidate, box: Box, top: Box, above: Cell | None, below: Cell | None) -> list[str]:
        """Return the words around and in a span, each marked with the place it stands at.

        `L` left (`LL` the two nearest, `LC` the cell before), `R` right, `A` above (`AA` above that), `B`
        below, `C` in it (`C0` first, `CZ` last), `S` its shape, `P` its place on the page.
        """
        layout, number = c.layout, self._number[c.layout.page]
        words = self._words[number]
        first, last = c.words[0], c.words[-1]
        start = layout.rows[layout.row_of[first]][0]
        tokens: list[str] = []
        left = words[max(start, first - 5) : first]
        if left:
            tokens += ["L1:" + left[-1], *("L:" + w for w in left)]
            if len(left) > 1:
                tokens.append(f"LL:{left[-2]} {left[-1]}")
        else:
            tokens.append("L1:")
        if first > start:
            before = layout.cells[layout.cell_of[first - 1]]
            tokens.append("LC:" + " ".join(words[max(before.start, first - 6) : first]))
        tokens += ["R:" + w for w in words[last + 1 : min(last + 3, layout.rows[layout.row_of[last]][1])]]
        for name, piece, most in (("A", above, 5), ("B", below, 3)):
            if piece is not None:
                here = words[piece.start : min(piece.end, piece.start + 8)]
                tokens += [f"{name}:{w}" for w in (here[-most:] if name == "A" else here[:most])]
                tokens.append(f"{name}C:" + " ".join(here))
            else:
                tokens.append(name + ":")
        if above is not None:
            second, _ = _neighbour(layout, above.row, top, -1)
            if second is not None:
                tokens += ["AA:" + w for w in words[second.start : min(second.end, second.start + 4)]]
        own = [words[i] for i in c.words]
        tokens += ["C0:" + own[0], "CZ:" + own[-1], "S:" + shape(c.content), *("C:" + w for w in own[:6])]
        tokens.append(f"P:{min(number, 3)}:{int(top.y * 8)}:{int(box.x * 4)}")
        return tokens


def _look_of(text: str) -> tuple[float, float, float, float]:
    """Return whether a neighbour looks like a company, a street, a number, and goes on."""
    return (
        float(is_company(text)),
        min(len(_STREET.findall(fold(text))), 3) / 2,
        kinds(text).count("9") / max(len(text), 1),
        float(text.endswith(",")),
    )


def _last_line(layout: Layout, words: Sequence[int]) -> tuple[float, float]:
    """Return how much of a street and whether a postcode is in the last line of a span."""
    row = layout.row_of[words[-1]]
    text = fold(" ".join(layout.words[i].text for i in words if layout.row_of[i] == row))
    return min(len(_STREET.findall(text)), 3) / 2, float(bool(_POSTCODE.search(text)))


def _neighbour(layout: Layout, row: int, box: Box, step: int) -> tuple[Cell | None, float]:
    """Return the nearest cell over (step -1) or under (1) a box, and how many lines it is away."""
    height = max(layout.line_height, 1e-6)
    for other in range(row + step, row + (NEAR_ROWS + 1) * step, step):
        if not 0 <= other < len(layout.rows):
            break
        at, end = layout.rows[other]
        while at < end:
            cell = layout.cells[layout.cell_of[at]]
            if min(cell.box.right, box.right) > max(cell.box.x, box.x):
                gap = box.y - cell.box.bottom if step < 0 else cell.box.y - box.bottom
                return cell, max(gap, 0.0) / height
            at = cell.end
    return None, NO_NEIGHBOUR
