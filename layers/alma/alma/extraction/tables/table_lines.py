"""The lines of a page as lines of a group's table: what stands in its columns, and which are no rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from alma.datamodel.schemas import ColumnSchema, DocumentSchema, GroupSchema
from alma.extraction.page.labels import Label, Lexicon
from alma.extraction.page.layout import Layout
from alma.extraction.tables.columns import NUMERIC, WORDED, CellValue, Column, Headers, cell_value, words_in
from alma.extraction.tables.sums import LETTERS, announcing_rows, labelled_rows
from alma.extraction.values.locales import Locale


@dataclass(slots=True)
class TableLine:
    """A line of a page as a line of a table."""

    row: int
    """TableRow of the page."""
    cells: dict[Column, CellValue] = field(default_factory=dict)
    filled: int = 0
    """Number of its numeric cells."""


class PageLines:
    """The lines of one page, seen as those of a group."""

    def __init__(self, layout: Layout, group: GroupSchema, schema: DocumentSchema, locale: Locale) -> None:
        self.layout, self.group, self.locale = layout, group, locale
        self.headers = Headers(layout, group)
        self.labelled = labelled_rows(layout, schema)
        """Rows that are sums, or belong to what comes after a table."""
        self.carried = {layout.row_of[hit.start] for hit in _carried(group).hits(layout)}
        """Rows that carry a sum over from or to another page."""
        self.announcing = announcing_rows(layout)

    def line(self, columns: Sequence[Column], row: int) -> TableLine:
        """Return what stands in the columns on a row of the page."""
        line = TableLine(row)
        for column in columns:
            if column.schema is None:
                continue
            cell = cell_value(self.layout, words_in(column, self.layout, row), column.schema, self.locale)
            if cell is not None:
                line.cells[column] = cell
                line.filled += column.schema.type in NUMERIC
        return line

    def is_text(self, row: int) -> bool:
        """Return whether a row has letters."""
        return LETTERS.search(self.layout.text(*self.layout.rows[row])) is not None

    def worded(self) -> ColumnSchema | None:
        """Return the field whose text may stand on lines of its own."""
        return next((column for column in self.group.fields if column.type in WORDED), None)


def has_text(line: TableLine, column: Column | None) -> bool:
    """Return whether a cell of a line has letters."""
    cell = line.cells.get(column) if column is not None else None
    return cell is not None and LETTERS.search(cell.content) is not None


@lru_cache(maxsize=64)
def _carried(group: GroupSchema) -> Lexicon:
    return Lexicon.of({label: [Label("", 0)] for label in group.carried_labels})
