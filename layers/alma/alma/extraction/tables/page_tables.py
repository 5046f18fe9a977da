"""Reading the tables of one page: which of its lines are rows, and which belong to the text of a row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from alma.datamodel.geometry import enclosing
from alma.datamodel.schemas import DocumentSchema, GroupSchema
from alma.extraction.page.layout import Layout
from alma.extraction.tables.columns import CellValue, Column, Header, cell_value, words_in
from alma.extraction.tables.shape import TableShape, shape_of
from alma.extraction.tables.table_lines import PageLines, TableLine, has_text
from alma.extraction.values.locales import Locale

#: Space between two lines of one description, in line heights, and lines it may have.
LINE_GAP, MAX_LINES = 1.2, 12


_WORDS_IN_CAPITALS = re.compile(r"[^a-z]*$")


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table: the values of its columns by key, and where it is on the upright page."""

    layout: Layout
    top: float
    bottom: float
    cells: Mapping[str, CellValue]
    ranks: Mapping[str, int]
    """The place of its label among the aliases, for columns that have a label; the first says most."""

    @classmethod
    def of(
        cls, layout: Layout, cells: Mapping[str, CellValue], ranks: Mapping[str, int] | None = None
    ) -> TableRow:
        """Return the row of some cells."""
        box = enclosing(layout.words[i].box for each in cells.values() for i in each.words)
        return cls(layout, box.y, box.bottom, cells, ranks or {})

    @property
    def page(self) -> int:
        """Number of its page."""
        return self.layout.page


class PageTables:
    """The tables of one page."""

    def __init__(self, layout: Layout, group: GroupSchema, schema: DocumentSchema, locale: Locale) -> None:
        self._layout, self._locale = layout, locale
        self._lines = PageLines(layout, group, schema, locale)

    def rows(self, begun: TableShape | Header | None) -> tuple[list[TableRow], TableShape | Header | None]:
        """Return the rows on this page, and what is known of the table that may go on on the next.

        Parameters
        ----------
        begun : TableShape or Header or None
            Of the table that was not at its end on the page before: its shape, or its labels where these
            were the last on their page.
        """
        found: list[TableRow] = []
        # A part that repeats sums in another sense has columns like those of the table: a tax summary.
        headers = [
            h for h in self._lines.headers.found if self._lines.labelled.isdisjoint(range(h.first, h.last))
        ]
        top = headers[0].first if headers else len(self._layout.rows)
        shape = shape_of(self._lines, begun, range(top)) if isinstance(begun, Header) else begun
        if shape is not None:
            rows, closed = self._read(shape, range(top), strictly=not isinstance(begun, Header))
            found += rows
            begun = None if closed else shape
        for number, header in enumerate(headers):
            end = headers[number + 1].first if number + 1 < len(headers) else len(self._layout.rows)
            below = range(header.last, end)
            shape = shape_of(self._lines, header, below)
            begun = None if any(self._lines.headers.has_numbers(row) for row in below) else header
            if shape is not None:
                rows, closed = self._read(shape, below)
                found += rows
                begun = shape if rows and not closed else None
        return found, begun

    def _read(
        self, shape: TableShape, below: range, *, strictly: bool = False
    ) -> tuple[list[TableRow], bool]:
        """Return the rows among the lines, and whether the table ends there.

        `strictly` where no labels stand above: there a line must be like the rows before in full.
        """
        anchors: list[TableLine] = []
        texts: set[int] = set()
        closed = False
        page = self._lines
        for row in below:
            if row in page.carried:
                continue
            line = page.line(shape.columns, row)
            says = has_text(line, shape.described)
            telling = line.cells.get(shape.telling)
            enough = telling is not None and telling.quality >= shape.quality
            usual = enough and (says or line.filled >= (shape.typical + 1) // 2)
            full = usual and says and line.filled >= max(shape.typical, 2)
            if (row in page.headers.others or row in page.labelled) and not (full and line.filled >= 3):
                closed = True
            elif row in page.announcing and not full:
                continue
            elif full or (usual and not closed and (not strictly or line.filled >= max(shape.typical, 2))):
                anchors.append(line)
                closed = False
            elif not closed and page.is_text(row):
                texts.add(row)
        rows = (self._made(shape, anchor, text) for anchor, text in self._described(shape, anchors, texts))
        return [row for row in rows if row is not None], closed

    def _described(
        self, shape: TableShape, anchors: Sequence[TableLine], texts: set[int]
    ) -> Iterable[tuple[TableLine, list[int]]]:
        """Yield each row with the words of its description, over its lines."""
        if shape.apart and anchors:
            # Texts and numbers take turns; which comes first shows at the ends.
            first, last = anchors[0].row, anchors[-1].row
            under = not self._joins(first - 1, first, texts) and self._joins(last + 1, last + 1, texts)
        else:
            under = False
        for anchor in anchors:
            own: list[int] = []
            if shape.described is not None and has_text(anchor, shape.described):
                own = list(anchor.cells[shape.described].words)
            if under:
                own = self._below(anchor, texts) or own
            elif shape.apart or not own:
                own = self._above(shape, anchor, texts) or own
            if not shape.apart and shape.described is not None:
                own += self._below(anchor, texts, shape.described)
            yield anchor, own

    def _joins(self, row: int, lower: int, texts: set[int]) -> bool:
        """Return whether a line of text stands close to its neighbour, `lower` being the lower of the two."""
        return row in texts and self._layout.space_above(lower) <= LINE_GAP

    def _above(self, shape: TableShape, anchor: TableLine, texts: set[int]) -> list[int]:
        """Return the words of the lines of text above a row."""
        words: list[int] = []
        at = anchor.row - 1
        while anchor.row - at <= MAX_LINES and self._joins(at, at + 1, texts):
            texts.discard(at)
            upper = self._lines.line(shape.columns, at)
            if upper.filled > 1 and not words and anchor.cells.keys().isdisjoint(upper.cells):
                # One row printed on two lines: its sum stands a little lower.
                anchor.cells.update(upper.cells)
                described = upper.cells.get(shape.described) if shape.described is not None else None
                return list(described.words) if described is not None else []
            words = [*range(*self._layout.rows[at]), *words]
            at -= 1
        return words

    def _below(self, anchor: TableLine, texts: set[int], column: Column | None = None) -> list[int]:
        """Return the words of the lines of text below a row: whole lines, or those in a column alone."""
        words: list[int] = []
        at = anchor.row + 1
        while at - anchor.row <= MAX_LINES and self._joins(at, at, texts):
            if self._is_heading(at, texts):
                break
            own = list(range(*self._layout.rows[at])) if column is None else self._alone(column, at)
            if not own:
                break
            texts.discard(at)
            words += own
            at += 1
        return words

    def _is_heading(self, row: int, texts: set[int]) -> bool:
        """Return whether a line heads the rows below it: right above one, in capitals or with a colon."""
        if row + 1 in texts or row + 1 >= len(self._layout.rows):
            return False
        text = self._layout.text(*self._layout.rows[row])
        below = self._layout.text(*self._layout.rows[row + 1])
        numbers = any(c.isdigit() for c in below)
        return numbers and (text.endswith(":") or (text.isupper() and not _WORDS_IN_CAPITALS.match(below)))

    def _alone(self, column: Column, row: int) -> list[int]:
        """Return the words of a line in a column, where only codes stand beside it, to its left."""
        first, last = self._layout.rows[row]
        words = words_in(column, self._layout, row)
        others = [self._layout.words[i].box.centre[0] for i in range(first, last) if i not in words]
        return words if all(x < column.start for x in others) else []

    def _made(self, shape: TableShape, anchor: TableLine, description: Sequence[int]) -> TableRow | None:
        cells = {
            c.schema.key: cell
            for c, cell in anchor.cells.items()
            if c.schema is not None and c is not shape.described
        }
        schema = shape.described.schema if shape.described is not None else self._lines.worded()
        if schema is not None and description:
            text = cell_value(self._layout, description, schema, self._locale)
            if text is not None:
                cells[schema.key] = text
        required = {column.schema.key for column in shape.columns if column.schema and column.schema.required}
        if not required <= cells.keys():
            return None
        ranks = {column.schema.key: column.rank for column in shape.columns if column.schema is not None}
        return TableRow.of(self._layout, cells, ranks)
