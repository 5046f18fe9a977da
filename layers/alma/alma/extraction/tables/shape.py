"""The shape of a table: which columns hold what, found from the lines that are likely its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median_high, median_low

from alma.datamodel.schemas import FieldType
from alma.extraction.tables.columns import WORDED, CellValue, Column, Header, bounded, is_number
from alma.extraction.tables.sums import MAX_ROW_WORDS
from alma.extraction.tables.table_lines import PageLines, has_text

#: Lines that are looked at to find the shape.
MOST_LIKELY = 60


@dataclass(frozen=True, slots=True)
class TableShape:
    """What is known of a table once some of its rows are: enough to go on with it on the next page."""

    columns: tuple[Column, ...]
    """From left to right, each field at most once."""
    telling: Column
    """In which a value makes a line a row."""
    described: Column | None
    """In which text stands that may take several lines; None where it has no column."""
    typical: int
    """Numeric columns that are filled in a usual row."""
    apart: bool
    """The text of a row is on the lines above its numbers."""
    quality: float
    """How much a telling value must look like its type: where amounts have cents, others are none."""


def shape_of(page: PageLines, header: Header, below: range) -> TableShape | None:
    """Return the shape of the table below a header, or None where there is none.

    Parameters
    ----------
    page : PageLines
        The page.
    header : Header
        Its labels.
    below : range
        Rows of the page up to the next header.
    """
    likely = _likely_rows(page, below)
    if not likely:
        return None
    columns = bounded(header.columns, page.layout, likely)
    lines = [page.line(columns, row) for row in likely]
    fills = {column: sum(_weight(line.cells.get(column), column) for line in lines) for column in columns}
    chosen = _chosen(columns, fills)
    columns = tuple(
        column
        if column.schema is None or chosen[column.schema.key] is column
        else replace(column, schema=None)
        for column in columns
    )
    telling = _telling(list(chosen.values()), fills)
    if telling is None or not fills[telling]:
        return None
    described = next((c for c in columns if c.schema is not None and c.schema.type in WORDED), None)
    rows = [line for line in (page.line(columns, row) for row in likely) if telling in line.cells]
    typical = median_low([line.filled for line in rows])
    own = sum(has_text(line, described) for line in rows)
    apart = 2 * own <= len(rows) and page.worded() is not None
    sure = median_high([line.cells[telling].quality for line in rows])
    return TableShape(columns, telling, described, typical, apart, min(sure, 0.5))


def _likely_rows(page: PageLines, below: range) -> list[int]:
    """Return the rows of the page that have numbers as rows of a table have them."""
    layout = page.layout
    likely: list[tuple[int, int]] = []
    for row in below:
        if likely and (row in page.headers.others or row in page.labelled):
            break
        first, last = layout.rows[row]
        if last - first > MAX_ROW_WORDS:
            continue
        numbers = {layout.cell_of[i] for i in range(first, last) if is_number(layout.words[i].text)}
        if numbers:
            likely.append((row, len(numbers)))
        if len(likely) == MOST_LIKELY:
            break
    # A number in a sentence is not a row; where rows have but one, all lines with one are.
    usual = median_low([count for _, count in likely]) if likely else 0
    return [row for row, count in likely if count > 1 or usual == 1]


def _chosen(columns: Sequence[Column], fills: Mapping[Column, int]) -> dict[str, Column]:
    """Return one column for each field: that with most in it, then the last of amounts, the surest label."""
    chosen: dict[str, Column] = {}
    for column in columns:
        if column.schema is None:
            continue
        other = chosen.get(column.schema.key)
        if other is None or _better(column, other, fills):
            chosen[column.schema.key] = column
    return chosen


def _better(column: Column, other: Column, fills: Mapping[Column, int]) -> bool:
    """Return whether a field is rather in a column than in another one, left of it, with its label."""
    if fills[column] != fills[other]:
        return fills[column] > fills[other]
    amount = column.schema is not None and column.schema.type is FieldType.AMOUNT
    return amount or column.rank < other.rank


def _telling(columns: Sequence[Column], fills: Mapping[Column, int]) -> Column | None:
    """Return the column whose values make lines rows: a required one, else of amounts, else of numbers."""

    def best(kinds: Iterable[Column]) -> Column | None:
        return max(kinds, key=lambda c: (fills[c], c.start), default=None)

    read = [(c, c.schema) for c in columns if c.schema is not None]
    return (
        best(c for c, s in read if s.required)
        or best(c for c, s in read if s.type is FieldType.AMOUNT and fills[c])
        or best(c for c, s in read if s.type is FieldType.NUMBER and fills[c])
        or best(c for c, _ in read)
    )


def _weight(cell: CellValue | None, column: Column) -> int:
    """Return how much speaks for a column: filled cells; of texts, those that are more than a code."""
    if cell is None:
        return 0
    if column.schema is None or column.schema.type not in WORDED:
        return 1
    return sum(c.isalpha() for c in cell.content)
