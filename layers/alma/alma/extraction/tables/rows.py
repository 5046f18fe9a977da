"""Groups of fields: the rows of a table, cell by cell, each with the words it was cut from.

A table begins below the labels of its columns. A row of it is a line in which the telling column (what a
schema requires, else amounts, else numbers) holds such a value and nothing else; lines of text beside it
belong to its description. It ends at a label of a sum or at another table, and goes on over pages, with or
without its labels being repeated there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import median_high, median_low

from alma.datamodel.fields import Field, Reading
from alma.datamodel.geometry import enclosing
from alma.datamodel.schemas import ColumnSchema, DocumentSchema, FieldType, GroupSchema
from alma.extraction.page.labels import Label, Lexicon
from alma.extraction.page.layout import Layout
from alma.extraction.tables.columns import (
    NUMERIC,
    WORDED,
    Column,
    Cut,
    Header,
    Headers,
    bounded,
    cut,
    is_number,
    words_in,
)
from alma.extraction.tables.sums import (
    LETTERS,
    MAX_ROW_WORDS,
    announcing_rows,
    labelled_rows,
    rows_that_add_up,
)
from alma.extraction.values.parsers import Locale, locale_of

#: Rows of one group: what comes after is not read.
MAX_ROWS = 10_000
#: Space between two lines of one description, in line heights, and lines it may have.
LINE_GAP, MAX_LINES = 1.2, 12
#: Pages whose numbers decide the locale.
LOCALE_PAGES = 20


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: the values of its columns by key, and where it is on the upright page."""

    layout: Layout
    top: float
    bottom: float
    cells: Mapping[str, Cut]

    @property
    def page(self) -> int:
        """Number of its page."""
        return self.layout.page


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a table once some of its rows are: enough to go on with it on the next page.

    Attributes
    ----------
    columns : tuple of Column
        From left to right, each field at most once.
    telling : Column
        In which a value makes a line a row.
    described : Column or None
        In which text stands that may take several lines; None where it has no column.
    typical : int
        Numeric columns that are filled in a usual row.
    apart : bool
        The text of a row is on the lines above its numbers.
    quality : float
        How much a telling value must look like its type: where amounts have cents, others are none.
    """

    columns: tuple[Column, ...]
    telling: Column
    described: Column | None
    typical: int
    apart: bool
    quality: float


@dataclass(slots=True)
class Line:
    """A line of a page as a line of a table."""

    row: int
    cells: dict[Column, Cut] = field(default_factory=dict)
    filled: int = 0


def group_fields(tracks: Mapping[str, Sequence[Layout]], schema: DocumentSchema) -> list[Field]:
    """Return the values of a document type's groups, row by row.

    Parameters
    ----------
    tracks : mapping
        Pages by track, arranged and in order.
    schema : DocumentSchema
        The type of the document.

    Returns
    -------
    list of Field
        `key` is GROUP.COLUMN and `occurrence` the number of the row. Where two tracks see a row, both
        readings are kept; a page is read by rows of the track that sees more of them.
    """
    found: list[Field] = []
    for group in schema.groups:
        by_track = {track: Table(group, schema, layouts).rows() for track, layouts in tracks.items()}
        for number, readings in enumerate(_side_by_side(by_track)):
            for column in group.fields:
                each = tuple(
                    _reading(track, row, row.cells[column.key])
                    for track, row in readings.items()
                    if column.key in row.cells
                )
                if each:
                    found.append(Field(group.key_of(column), number, each))
    return found


def _reading(track: str, row: Row, cell: Cut) -> Reading:
    # Nothing is known yet of how often cells are right.
    return Reading(track, cell.value, cell.content, None, row.layout.regions(list(cell.words)))


def _side_by_side(tracks: Mapping[str, Sequence[Row]]) -> Iterable[dict[str, Row]]:
    """Yield rows of several tracks, those of one place together; the track with more on a page leads."""
    pages: dict[int, dict[str, list[Row]]] = {}
    for track, rows in tracks.items():
        for row in rows:
            pages.setdefault(row.page, {}).setdefault(track, []).append(row)
    for page in sorted(pages):
        own = pages[page]
        leading = max(own, key=lambda track: len(own[track]))
        for row in own[leading]:
            together = {leading: row}
            for track in own:
                beside = [
                    r for r in own[track] if track != leading and r.top < row.bottom and row.top < r.bottom
                ]
                if beside:
                    together[track] = max(
                        beside,
                        key=lambda r: min(r.bottom, row.bottom) - max(r.top, row.top),
                    )
            yield together


class Table:
    """A group of fields being read from the pages of one track."""

    def __init__(self, group: GroupSchema, schema: DocumentSchema, layouts: Sequence[Layout]) -> None:
        self._group, self._schema, self._layouts = group, schema, layouts
        self._locale = locale_of(layout.running_text()[0] for layout in layouts[:LOCALE_PAGES])
        self._columns = {column.key: column for column in group.fields}

    def rows(self) -> list[Row]:
        """Return the rows of the whole document, in order."""
        found: list[Row] = []
        begun: Shape | Header | None = None
        for layout in self._layouts:
            page = Page(layout, self._group, self._schema, self._locale)
            rows, begun = page.rows(begun)
            found += rows
            if len(found) >= MAX_ROWS:
                break
        if not found and self._group.header == "optional":
            for layout in self._layouts:
                lines = rows_that_add_up(layout, self._group, self._schema, self._locale)
                found += [_row(layout, cells) for cells in lines]
        return found[:MAX_ROWS]


def _row(layout: Layout, cells: Mapping[str, Cut]) -> Row:
    box = enclosing(layout.words[i].box for each in cells.values() for i in each.words)
    return Row(layout, box.y, box.bottom, cells)


class Page:
    """The tables of one page."""

    def __init__(self, layout: Layout, group: GroupSchema, schema: DocumentSchema, locale: Locale) -> None:
        self._layout, self._group, self._schema, self._locale = layout, group, schema, locale
        self.headers = Headers(layout, group)
        self._labelled = labelled_rows(layout, schema)
        self._passed = {layout.row_of[hit.start] for hit in _carried(group).hits(layout)}
        self._announcing = announcing_rows(layout)

    def rows(self, begun: Shape | Header | None) -> tuple[list[Row], Shape | Header | None]:
        """Return the rows on this page, and what is known of the table that may go on on the next.

        Parameters
        ----------
        begun : Shape or Header or None
            Of the table that was not at its end on the page before: its shape, or its labels where these
            were the last on their page.
        """
        found: list[Row] = []
        # A part that repeats sums in another sense has columns like those of the table: a tax summary.
        headers = [h for h in self.headers.found if self._labelled.isdisjoint(range(h.first, h.last))]
        top = headers[0].first if headers else len(self._layout.rows)
        shape = self._shape(begun, range(top)) if isinstance(begun, Header) else begun
        if shape is not None:
            rows, closed = self._read(shape, range(top), strictly=not isinstance(begun, Header))
            found += rows
            begun = None if closed else shape
        for number, header in enumerate(headers):
            end = headers[number + 1].first if number + 1 < len(headers) else len(self._layout.rows)
            below = range(header.last, end)
            shape = self._shape(header, below)
            begun = None if any(self.headers.has_numbers(row) for row in below) else header
            if shape is not None:
                rows, closed = self._read(shape, below)
                found += rows
                begun = shape if rows and not closed else None
        return found, begun

    # --- what the table is like ---

    def _shape(self, header: Header, below: range) -> Shape | None:
        layout = self._layout
        likely: list[tuple[int, int]] = []
        for row in below:
            if likely and (row in self.headers.others or row in self._labelled):
                break
            first, last = layout.rows[row]
            if last - first > MAX_ROW_WORDS:
                continue
            numbers = {layout.cell_of[i] for i in range(first, last) if is_number(layout.words[i].text)}
            if numbers:
                likely.append((row, len(numbers)))
            if len(likely) == 60:
                break
        # A number in a sentence is not a row; where rows have but one, all lines with one are.
        usual = median_low([count for _, count in likely]) if likely else 0
        likely = [(row, count) for row, count in likely if count > 1 or usual == 1]
        if not likely:
            return None
        columns = bounded(header.columns, layout, [row for row, _ in likely])
        lines = [self._line(columns, row) for row, _ in likely]
        fills = {column: sum(_weight(line.cells.get(column), column) for line in lines) for column in columns}
        # One column for each field: the one with most in it, then the last of amounts and the surest label.
        chosen: dict[str, Column] = {}
        for column in columns:
            if column.schema is None:
                continue
            other = chosen.get(column.schema.key)
            if other is None or self._better(column, other, fills):
                chosen[column.schema.key] = column
        columns = tuple(
            column
            if column.schema is None or chosen[column.schema.key] is column
            else replace(column, schema=None)
            for column in columns
        )
        telling = self._telling(list(chosen.values()), fills)
        if telling is None or not fills[telling]:
            return None
        described = next((c for c in columns if c.schema is not None and c.schema.type in WORDED), None)
        rows = [line for line in (self._line(columns, row) for row, _ in likely) if telling in line.cells]
        typical = median_low([line.filled for line in rows])
        own = sum(self._says(line, described) for line in rows)
        apart = 2 * own <= len(rows) and self._wordy() is not None
        sure = median_high([line.cells[telling].quality for line in rows])
        return Shape(columns, telling, described, typical, apart, min(sure, 0.5))

    def _better(self, column: Column, other: Column, fills: Mapping[Column, int]) -> bool:
        """Return whether a field is rather in a column than in another one, left of it, with its label."""
        if fills[column] != fills[other]:
            return fills[column] > fills[other]
        amount = column.schema is not None and column.schema.type is FieldType.AMOUNT
        return amount or column.rank < other.rank

    def _telling(self, columns: Sequence[Column], fills: Mapping[Column, int]) -> Column | None:
        def best(kinds: Iterable[Column]) -> Column | None:
            return max(kinds, key=lambda c: (fills[c], c.start), default=None)

        read = [(c, c.schema) for c in columns if c.schema is not None]
        return (
            best(c for c, s in read if s.required)
            or best(c for c, s in read if s.type is FieldType.AMOUNT and fills[c])
            or best(c for c, s in read if s.type is FieldType.NUMBER and fills[c])
            or best(c for c, _ in read)
        )

    def _wordy(self) -> ColumnSchema | None:
        """Return the field whose text may stand on lines of its own."""
        return next((column for column in self._group.fields if column.type in WORDED), None)

    # --- what its lines are ---

    def _line(self, columns: Sequence[Column], row: int) -> Line:
        line = Line(row)
        for column in columns:
            if column.schema is None:
                continue
            cell = cut(self._layout, words_in(column, self._layout, row), column.schema, self._locale)
            if cell is not None:
                line.cells[column] = cell
                line.filled += column.schema.type in NUMERIC
        return line

    def _says(self, line: Line, described: Column | None) -> bool:
        cell = line.cells.get(described) if described is not None else None
        return cell is not None and LETTERS.search(cell.content) is not None

    # --- reading it ---

    def _read(self, shape: Shape, below: range, *, strictly: bool = False) -> tuple[list[Row], bool]:
        """Return the rows among the lines, and whether the table ends there.

        `strictly` where no labels stand above: there a line must be like the rows before in full.
        """
        anchors: list[Line] = []
        texts: set[int] = set()
        closed = False
        for row in below:
            if row in self._passed:
                continue
            line = self._line(shape.columns, row)
            says = self._says(line, shape.described)
            telling = line.cells.get(shape.telling)
            enough = telling is not None and telling.quality >= shape.quality
            usual = enough and (says or line.filled >= (shape.typical + 1) // 2)
            full = usual and says and line.filled >= max(shape.typical, 2)
            if (row in self.headers.others or row in self._labelled) and not (full and line.filled >= 3):
                closed = True
            elif row in self._announcing and not full:
                continue
            elif full or (usual and not closed and (not strictly or line.filled >= max(shape.typical, 2))):
                anchors.append(line)
                closed = False
            elif not closed and self._is_text(row):
                texts.add(row)
        rows = (self._made(shape, anchor, text) for anchor, text in self._described(shape, anchors, texts))
        return [row for row in rows if row is not None], closed

    def _described(
        self, shape: Shape, anchors: Sequence[Line], texts: set[int]
    ) -> Iterable[tuple[Line, list[int]]]:
        """Yield each row with the words of its description, over its lines."""
        if shape.apart and anchors:
            # Texts and numbers take turns; which comes first shows at the ends.
            first, last = anchors[0].row, anchors[-1].row
            under = not self._joins(first - 1, first, texts) and self._joins(last + 1, last + 1, texts)
        else:
            under = False
        for anchor in anchors:
            own: list[int] = []
            if shape.described is not None and self._says(anchor, shape.described):
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

    def _above(self, shape: Shape, anchor: Line, texts: set[int]) -> list[int]:
        """Return the words of the lines of text above a row."""
        words: list[int] = []
        at = anchor.row - 1
        while anchor.row - at <= MAX_LINES and self._joins(at, at + 1, texts):
            texts.discard(at)
            upper = self._line(shape.columns, at)
            if upper.filled > 1 and not words and anchor.cells.keys().isdisjoint(upper.cells):
                # One row printed on two lines: its sum stands a little lower.
                anchor.cells.update(upper.cells)
                described = upper.cells.get(shape.described) if shape.described is not None else None
                return list(described.words) if described is not None else []
            words = [*range(*self._layout.rows[at]), *words]
            at -= 1
        return words

    def _below(self, anchor: Line, texts: set[int], column: Column | None = None) -> list[int]:
        """Return the words of the lines of text below a row: whole lines, or those in a column alone."""
        words: list[int] = []
        at = anchor.row + 1
        while at - anchor.row <= MAX_LINES and self._joins(at, at, texts):
            own = list(range(*self._layout.rows[at])) if column is None else self._alone(column, at)
            if not own:
                break
            texts.discard(at)
            words += own
            at += 1
        return words

    def _is_text(self, row: int) -> bool:
        return LETTERS.search(self._layout.text(*self._layout.rows[row])) is not None

    def _alone(self, column: Column, row: int) -> list[int]:
        """Return the words of a line in a column, where only codes stand beside it, to its left."""
        first, last = self._layout.rows[row]
        words = words_in(column, self._layout, row)
        others = [self._layout.words[i].box.centre[0] for i in range(first, last) if i not in words]
        return words if all(x < column.start for x in others) else []

    def _made(self, shape: Shape, anchor: Line, description: Sequence[int]) -> Row | None:
        cells = {
            c.schema.key: cell
            for c, cell in anchor.cells.items()
            if c.schema is not None and c is not shape.described
        }
        schema = shape.described.schema if shape.described is not None else self._wordy()
        if schema is not None and description:
            text = cut(self._layout, description, schema, self._locale)
            if text is not None:
                cells[schema.key] = text
        required = {column.schema.key for column in shape.columns if column.schema and column.schema.required}
        if not required <= cells.keys():
            return None
        return _row(self._layout, cells)


def _weight(cell: Cut | None, column: Column) -> int:
    """Return how much speaks for a column: filled cells; of texts, those that are more than a code."""
    if cell is None:
        return 0
    if column.schema is None or column.schema.type not in WORDED:
        return 1
    return sum(c.isalpha() for c in cell.content)


@lru_cache(maxsize=64)
def _carried(group: GroupSchema) -> Lexicon:
    return Lexicon.of({label: [Label("", 0)] for label in group.carried_labels})
