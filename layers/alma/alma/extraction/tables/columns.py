"""The columns of a table: found by the labels over them, bounded by the white space between contents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from alma.datamodel.schemas import ColumnSchema, FieldType, GroupSchema
from alma.extraction.page.labels import MAX_WORDS, Label, LabelMatch, Lexicon
from alma.extraction.page.layout import Layout
from alma.extraction.values.locales import Locale
from alma.extraction.values.parsers import spans

#: Types of which a cell must be nothing else, so that it tells a row of the table from text.
NUMERIC = frozenset({FieldType.AMOUNT, FieldType.NUMBER})
#: Types that are as long as they are, and may go on in the next line.
WORDED = frozenset({FieldType.TEXT, FieldType.NAME, FieldType.ADDRESS})
#: Lines above and below the main one that labels of columns may take.
LINES_ABOVE, LINES_BELOW = 3, 3
#: Columns of one table, those that are not read included.
MAX_COLUMNS = 40
#: Share of a header's words that must be labels.
LABELLED = 0.4

_NUMBER_WORD = re.compile(r"^[^\w%]*\d[\d.,:/-]*\W*$")
_UNIT_WORD = re.compile(
    r"^\W*(?:rm|myr|eur|usd|gbp|chf|us\$|[€$£%]|in|code|excl?|incl?|ht|ttc)?\W*$", re.IGNORECASE
)
_TIMES = re.compile(r"(?<=\d)\s?[xX×](?![^\W\d_])|(?<![^\W\d_])[xX×](?=\s?\d)")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table on a page."""

    schema: ColumnSchema | None
    """What it holds; None for a column that is not read."""
    rank: int
    """Place of its label among the aliases; the first says most."""
    start: float
    end: float
    """Its extent in x: of the label at first, then up to the neighbouring columns."""

    @property
    def middle(self) -> float:
        """X of the middle."""
        return (self.start + self.end) / 2


@dataclass(frozen=True, slots=True)
class Header:
    """The labels over a table: `columns` from left to right, in rows `first` to `last` (half-open)."""

    first: int
    last: int
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class CellValue:
    """A value cut out of a cell of a table."""

    value: str
    """Normalised."""
    content: str
    """As on the page."""
    words: tuple[int, ...]
    """Indices into the page's words."""
    quality: float = 1.0
    """0..1, how much it looks like its type."""


@lru_cache(maxsize=64)
def _lexicon(group: GroupSchema) -> Lexicon:
    phrases: dict[str, list[Label]] = {}
    for column in group.fields:
        for rank, alias in enumerate((*column.aliases, column.key.replace("_", " "))):
            phrases.setdefault(alias, []).append(Label(column.key, rank))
    return Lexicon.of(phrases)


def is_number(text: str) -> bool:
    """Return whether a word is a number and nothing else."""
    return _NUMBER_WORD.match(text) is not None


class Headers:
    """The labels of a group's columns on one page."""

    def __init__(self, layout: Layout, group: GroupSchema) -> None:
        self._layout, self._group = layout, group
        self._lexicon = _lexicon(group)
        self.found: list[Header] = []
        """From the top."""
        self.others: set[int] = set()
        """Rows with labels of columns that are no header of this group: another table begins there."""
        by_row: dict[int, list[LabelMatch]] = {}
        for hit in self._lexicon.hits(layout):
            by_row.setdefault(layout.row_of[hit.start], []).append(hit)
        end = 0
        for row in sorted(by_row):
            hits = by_row[row]
            if row < end or not 2 <= len(hits) <= MAX_COLUMNS or self.has_numbers(row):
                continue
            if len(self._cell_lengths(row)) > MAX_COLUMNS:
                continue
            if not self._labels_only(row, hits):
                if len(self._cell_lengths(row)) > 2:
                    self.others.add(row)
                continue
            # The next line may name more columns than the one above it.
            following = by_row.get(row + 1, [])
            if (
                len(following) > len(hits)
                and not self.has_numbers(row + 1)
                and self._labels_only(row + 1, following)
            ):
                continue
            header = self._header(row, hits)
            if self._suffices(header):
                self.found.append(header)
                end = header.last
            else:
                self.others.add(row)

    def has_numbers(self, row: int) -> bool:
        """Return whether a word of a line is a number."""
        return any(is_number(word.text) for word in self._layout.words[slice(*self._layout.rows[row])])

    def _labels_only(self, row: int, hits: Sequence[LabelMatch]) -> bool:
        first, last = self._layout.rows[row]
        words = self._layout.words[first:last]
        covered = sum(hit.end - hit.start for hit in hits)
        return covered >= LABELLED * sum(_UNIT_WORD.match(word.text) is None for word in words)

    def _suffices(self, header: Header) -> bool:
        schemas = {column.schema.key: column.schema for column in header.columns if column.schema}
        if len(schemas) < 2 or any(c.required and c.key not in schemas for c in self._group.fields):
            return False
        kinds = {column.type for column in self._group.fields}
        own = {schema.type for schema in schemas.values()}
        if kinds & NUMERIC and not own & NUMERIC:
            return False
        # Till receipts rarely say that what is on a line is a text; tables of taxes have none.
        return (
            not kinds & WORDED or bool(own & WORDED) or (self._group.header == "optional" and len(own) >= 2)
        )

    def _header(self, row: int, hits: Sequence[LabelMatch]) -> Header:
        layout = self._layout
        columns: list[tuple[Column, tuple[Label, ...]]] = []
        taken = {index for hit in hits for index in range(hit.start, hit.end)}
        for hit in hits:
            columns.append((self._column(range(hit.start, hit.end)), hit.labels))
        columns += [(self._column(piece), ()) for piece in self._pieces(row, taken)]
        first, last = self._band(row)
        stacks: list[list[int]] = []
        for other in (*range(first, row), *range(row + 1, last)):
            for piece in self._pieces(other, set()):
                self._stack(piece, stacks)
        for stack in stacks:
            labels = self._labels_of(stack)
            column = self._column(stack)
            at = next((n for n, (c, _) in enumerate(columns) if _overlap(c, column)), None)
            if at is None:
                columns.append((column, labels))
            elif not columns[at][1] and labels:
                columns[at] = (columns[at][0], labels)
            elif not columns[at][1]:
                # A label over several lines: `Unit` above `price`.
                above = self._layout.row_of[stack[0]] < row
                inside = [i for i in range(*layout.rows[row]) if _within(layout, i, columns[at][0])]
                labels = self._labels_of([*stack, *inside] if above else [*inside, *stack])
                columns[at] = (columns[at][0], labels)
        return Header(first, last, self._assigned(columns))

    def _column(self, words: Sequence[int] | range) -> Column:
        boxes = [self._layout.words[i].box for i in words]
        return Column(None, 0, min(b.x for b in boxes), max(b.right for b in boxes))

    def _pieces(self, row: int, taken: set[int]) -> list[list[int]]:
        """Return the cells of a row without the words taken, in pieces that say something."""
        layout = self._layout
        first, last = layout.rows[row]
        pieces: list[list[int]] = []
        for index in range(first, last):
            if index in taken or _UNIT_WORD.match(layout.words[index].text):
                continue
            if pieces and pieces[-1][-1] == index - 1 and layout.cell_of[index] == layout.cell_of[index - 1]:
                pieces[-1].append(index)
            else:
                pieces.append([index])
        return pieces

    def _band(self, row: int) -> tuple[int, int]:
        """Return the rows (half-open) that labels of columns take around the one with the most."""
        first = last = row
        while first > 0 and row - first < LINES_ABOVE and self._belongs(first - 1, first):
            first -= 1
        end = len(self._layout.rows)
        while last + 1 < end and last - row < LINES_BELOW and self._belongs(last + 1, last):
            last += 1
        return first, last + 1

    def _belongs(self, row: int, neighbour: int) -> bool:
        lengths = self._cell_lengths(row)
        known = row > neighbour and self._known(row)
        gap = 1.5 if known else 0.9 if len(lengths) > 1 else 0.5
        if self._layout.space_above(max(row, neighbour)) > gap or self.has_numbers(row):
            return False
        return len(lengths) <= MAX_COLUMNS and all(length <= 3 for length in lengths)

    def _cell_lengths(self, row: int) -> list[int]:
        first, last = self._layout.rows[row]
        cells = {self._layout.cell_of[i] for i in range(first, last)}
        return [self._layout.cells[c].end - self._layout.cells[c].start for c in cells]

    def _known(self, row: int) -> bool:
        """Return whether every piece of a row is a label, a currency or the like."""
        return all(self._labels_of(piece) for piece in self._pieces(row, set()))

    def _stack(self, piece: list[int], stacks: list[list[int]]) -> None:
        column = self._column(piece)
        for stack in stacks:
            if _overlap(self._column(stack), column):
                stack.extend(piece)
                return
        stacks.append(list(piece))

    def _labels_of(self, words: Sequence[int]) -> tuple[Label, ...]:
        """Return the labels that most of the words, one after the other, are."""
        squashed = [self._lexicon.squash(self._layout.words[i].text) for i in words]
        for length in range(min(len(words), MAX_WORDS), 0, -1):
            for start in range(len(words) - length + 1):
                found = self._lexicon.look_up("".join(squashed[start : start + length]))
                if found is not None:
                    return found[0]
        return ()

    def _assigned(self, columns: Sequence[tuple[Column, tuple[Label, ...]]]) -> tuple[Column, ...]:
        """Return the columns from left to right, each label given to the field it says most about.

        Two columns can be labelled as the same field (a net and a gross amount); which one is read depends on
        what stands in them.
        """
        schemas = {column.key: column for column in self._group.fields}
        best: dict[str, int] = {}
        for _, labels in columns:
            for label in labels:
                best[label.key] = min(best.get(label.key, label.rank), label.rank)
        assigned = []
        for column, labels in columns:
            own = min(labels, key=lambda each: (each.rank - best[each.key], each.rank), default=None)
            schema = schemas[own.key] if own is not None else None
            assigned.append(Column(schema, own.rank if own else 0, column.start, column.end))
        return tuple(sorted(assigned, key=lambda c: c.middle))


def _overlap(a: Column, b: Column) -> bool:
    return min(a.end, b.end) > max(a.start, b.start)


def _within(layout: Layout, index: int, column: Column) -> bool:
    middle = layout.words[index].box.centre[0]
    return column.start <= middle <= column.end


def bounded(columns: Sequence[Column], layout: Layout, rows: Sequence[int]) -> tuple[Column, ...]:
    """Return the columns, each up to where the next begins.

    Between the middles of two labels the border is where it cuts the fewest cells and words of the rows; of
    such places it is one where most rows have something on both sides, and of these the widest.

    Parameters
    ----------
    columns : sequence of Column
        From left to right, with the extents of their labels.
    layout : Layout
        The page.
    rows : sequence of int
        Rows of the page that are likely rows of the table.
    """
    cuts: list[tuple[float, float, int]] = []
    middles: list[list[float]] = []
    for row in rows:
        first, last = layout.rows[row]
        words = layout.words[first:last]
        cuts += [(w.box.x, w.box.right, 3) for w in words]
        middles.append([w.box.centre[0] for w in words])
        for cell in {layout.cell_of[i] for i in range(first, last)}:
            box = layout.cells[cell].box
            cuts.append((box.x, box.right, 1))
    borders = [0.0]
    for number, (left, right) in enumerate(pairwise(columns)):
        low = borders[-1]
        high = columns[number + 2].start if number + 2 < len(columns) else 1.0

        def filled(x: float, low: float = low, high: float = high) -> int:
            return sum(any(low < m < x for m in row) and any(x < m < high for m in row) for row in middles)

        places = _uncut(left, right, cuts)
        borders.append(max(places, key=lambda place: (filled(place[1]), place[0]))[1])
    borders.append(1.0)
    return tuple(
        Column(c.schema, c.rank, *extent) for c, extent in zip(columns, pairwise(borders), strict=True)
    )


def _uncut(
    left: Column, right: Column, cuts: Sequence[tuple[float, float, int]]
) -> list[tuple[float, float]]:
    """Return width and middle of the places between two labels where the least is cut."""
    low, high = left.middle, max(right.middle, left.middle + 1e-6)
    steps: dict[float, int] = {low: 0, high: 0}
    # The labels themselves are not cut either.
    for start, end, weight in (*cuts, (left.start, left.end, 3), (right.start, right.end, 3)):
        if end <= low or start >= high:
            continue
        steps[max(start, low)] = steps.get(max(start, low), 0) + weight
        steps[min(end, high)] = steps.get(min(end, high), 0) - weight
    cost, places = 0, []
    for position, following in pairwise(sorted(steps)):
        cost += steps[position]
        places.append((cost, following - position, (position + following) / 2))
    least = min(place[0] for place in places)
    return [(width, middle) for cost, width, middle in places if cost == least]


def words_in(column: Column, layout: Layout, row: int) -> list[int]:
    """Return the words of a row that stand in a column."""
    first, last = layout.rows[row]
    return [i for i in range(first, last) if column.start <= layout.words[i].box.centre[0] < column.end]


def cell_value(
    layout: Layout, words: Sequence[int], schema: ColumnSchema, locale: Locale
) -> CellValue | None:
    """Return the value that words of a cell are, or None where they are something else.

    A number may have its unit beside it, an amount its currency and a tax code.
    """
    if not words:
        return None
    text = " ".join(layout.words[i].text for i in words)
    # `2 x` is two, and no word.
    plain = _TIMES.sub(lambda m: " " * len(m.group()), text) if schema.type is FieldType.NUMBER else text
    found = spans(plain, schema.type, locale)
    if not found:
        return None
    span = max(found, key=lambda s: (s.quality, -s.start))
    rest = len("".join((plain[: span.start] + plain[span.end :]).split()))
    if schema.type is FieldType.AMOUNT and (rest > 4 or (len(found) > 1 and rest > 2)):
        return None
    if schema.type is FieldType.NUMBER and (len(plain[: span.start].strip()) > 1 or rest > 12):
        return None
    if schema.type not in (*NUMERIC, *WORDED) and rest > span.end - span.start:
        return None
    own = layout.touched(words, span.start, span.end)
    return CellValue(span.value, text[span.start : span.end].strip(), own, span.quality)
