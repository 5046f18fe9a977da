"""A page's words arranged for rules about position: rows across the page, cells within a row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from alma.datamodel.geometry import Box, Region, Word, regions_of
from alma.datamodel.pages import PageText
from alma.extraction.page.mending import mended
from alma.text import reading_order

#: A gap of this many line heights between two words starts a new cell.
CELL_GAP = 1.1

_GLUED = re.compile(
    r"^(?P<label>[^\W\d][^:=：/@]*[:=：]|[^:=：/@]*[^\W\d_]\.?[:=：])(?P<value>[^:=：/\s].*)$"
)
#: Scripts without spaces write a label and the value behind it in one: `发票号码26442000`, `合计¥1,130.00`.
_UNSPACED = re.compile(
    r"^(?P<label>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,})(?P<value>(?:[¥￥$€£]|[A-Z]{1,4}-?)?[0-9０-９].*)$"
)


@dataclass(slots=True)
class Cell:
    """Neighbouring words of a row without a wide gap between them: `words[start:end]`."""

    start: int
    end: int
    row: int
    box: Box


@dataclass(slots=True)
class Layout:
    """The words of one upright page, by row."""

    page: int
    """1-based number."""
    words: list[Word]
    """Row by row from the top, in the order of reading within a row; boxes on the upright page."""
    rows: list[tuple[int, int]]
    """Half-open ranges of `words`."""
    row_of: list[int]
    cells: list[Cell]
    """In the order of `words`."""
    cell_of: list[int]
    """The row and the cell of every word."""
    ratio: float
    """Width of the page divided by its height; turns a width into line heights."""
    line_height: float
    """Typical height of a word, as a share of the page's height."""
    turned: int
    """How far the page was turned to be upright."""
    _text: str | None = field(default=None, repr=False)
    _starts: list[int] = field(default_factory=list, repr=False)

    def text(self, start: int, end: int) -> str:
        """Return `words[start:end]` joined by spaces."""
        return " ".join(w.text for w in self.words[start:end])

    def touched(self, words: Iterable[int], start: int, end: int) -> tuple[int, ...]:
        """Return those of `words` that `text[start:end]` touches, where `text` is they joined by spaces."""
        at, found = 0, []
        for index in words:
            if at >= end:
                break
            length = len(self.words[index].text)
            if at + length > start:
                found.append(index)
            at += length + 1
        return tuple(found)

    def running_text(self) -> tuple[str, list[int]]:
        """Return the page as one string and the position at which each word starts in it."""
        if self._text is None:
            at, starts = 0, []
            for word in self.words:
                starts.append(at)
                at += len(word.text) + 1
            self._starts = starts
            self._text = " ".join(w.text for w in self.words)
        return self._text, self._starts

    def gap(self, left: int, right: int) -> float:
        """Return the white space between two words of a row, in line heights."""
        a, b = self.words[left].box, self.words[right].box
        if b.x < a.x:  # read from right to left
            a, b = b, a
        return (b.x - a.x - a.w) * self.ratio / max(a.h, b.h, self.line_height)

    def space_above(self, row: int) -> float:
        """Return the white space between a row and the one above it, in line heights."""
        top = min(w.box.y for w in self.words[slice(*self.rows[row])])
        bottom = max(w.box.bottom for w in self.words[slice(*self.rows[row - 1])])
        return (top - bottom) / self.line_height if self.line_height else 0.0

    def clarity(self, indices: Iterable[int]) -> tuple[float, float]:
        """Return mean and least confidence of the recogniser in some words; 1 where the file states them."""
        known = [c for c in (self.words[i].confidence for i in indices) if c is not None]
        return (sum(known) / len(known), min(known)) if known else (1.0, 1.0)

    def regions(self, indices: range | list[int]) -> tuple[Region, ...]:
        """Return where words stand on the page as displayed: one region per line they touch."""
        regions = regions_of(self.page, [self.words[i] for i in indices])
        if not self.turned:
            return regions
        return tuple(Region(r.page, r.box.turned(-self.turned)) for r in regions)


def _split_glued(word: Word) -> list[Word]:
    """Return a word such as `TOTAL:9.00` or `NUMBER=876` as label and value, else the word alone.

    The box is divided in proportion to the number of characters: recognisers do not say where inside a
    word a character stands.
    """
    if word.text.isascii() and ":" not in word.text and "=" not in word.text:
        return [word]
    match = _GLUED.match(word.text) or _UNSPACED.match(word.text)
    if match is None:
        return [word]
    share = len(match["label"]) / len(word.text)
    box = word.box
    left = Box(box.x, box.y, box.w * share, box.h)
    right = Box(box.x + box.w * share, box.y, box.w * (1 - share), box.h)
    return [
        Word(match["label"], left, word.line, word.confidence),
        Word(match["value"], right, word.line, word.confidence),
    ]


def arrange(page: PageText) -> Layout:
    """Return the layout of a page. Linear in the number of words, apart from sorting."""
    upright = page.upright()
    lines: list[tuple[float, float, list[Word]]] = []
    ratio = upright.width / upright.height if upright.height else 1.0
    for line in mended(upright.lines(), ratio):
        words = [part for word in line for part in _split_glued(word)]
        top, bottom = median(w.box.y for w in words), median(w.box.bottom for w in words)
        lines.append((top, bottom, words))
    lines.sort(key=lambda item: item[0] + item[1])

    # Readers may give the pieces of one row as several lines: pieces whose middles lie within half a
    # line of each other and that do not cover each other are one row.
    merged: list[tuple[float, float, list[Word]]] = []
    for top, bottom, words in lines:
        if merged:
            above, below, row = merged[-1]
            height = min(bottom - top, below - above)
            beside = words[0].box.x >= row[-1].box.right or words[-1].box.right <= row[0].box.x
            if beside and abs((top + bottom) - (above + below)) < height:
                row.extend(words)
                row.sort(key=lambda w: w.box.x)
                continue
        merged.append((top, bottom, sorted(words, key=lambda w: w.box.x)))

    rows = [[row[i] for i in reading_order([w.text for w in row])] for _, _, row in merged]
    ordered = [word for row in rows for word in row]
    heights = [w.box.h for w in ordered if w.box.h > 0]
    line_height = median(heights) if heights else 0.01
    layout = Layout(page.page, ordered, [], [], [], [], ratio, line_height, page.turned)
    at = 0
    for number, row in enumerate(rows):
        end = at + len(row)
        layout.rows.append((at, end))
        layout.row_of.extend([number] * len(row))
        start = at
        for index in range(at + 1, end + 1):
            if index == end or layout.gap(index - 1, index) > CELL_GAP:
                layout.cell_of.extend([len(layout.cells)] * (index - start))
                layout.cells.append(Cell(start, index, number, _around(ordered[start:index])))
                start = index
        at = end
    return layout


def _around(words: list[Word]) -> Box:
    if len(words) == 1:
        return words[0].box
    left, top = min(w.box.x for w in words), min(w.box.y for w in words)
    right, bottom = max(w.box.right for w in words), max(w.box.bottom for w in words)
    return Box(left, top, right - left, bottom - top)
