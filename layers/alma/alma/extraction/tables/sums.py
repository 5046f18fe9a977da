"""Rows without labels over them: lines of a text and an amount that add up to an amount printed below."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from alma.datamodel.schemas import ColumnSchema, DocumentSchema, FieldType, GroupSchema
from alma.extraction.candidates.label_search import CLOSING, lexicon_of
from alma.extraction.page.labels import Label, LabelMatch
from alma.extraction.page.layout import Layout
from alma.extraction.tables.columns import WORDED, CellValue, is_number
from alma.extraction.values.locales import Locale
from alma.extraction.values.parsed_spans import Span
from alma.extraction.values.parsers import spans

#: Rows between the first line and the sum.
MAX_LINES = 200
#: How far right edges of amounts may be apart, in line heights.
EDGE = 1.5
#: Lines of text that may stand above the numbers of a row, and the space between them in line heights.
LINES_ABOVE, LINE_GAP = 3, 1.2
#: Words of one line, and sums of one page that are tried: more are no table.
MAX_ROW_WORDS, MAX_SUMS = 200, 20
#: Lines below the rows in which the sum is looked for.
SUM_LINES = 6

#: What a text has and a code or a unit has not.
LETTERS = re.compile(r"[^\W\d_]{3}|[^\x00-\x7f\W\d_]{2}")
_COUNTED = re.compile(
    r"(?P<count>\d{1,4}(?:[.,]\d{1,3})?)\s?[xX×*@]\s?(?P<each>(?:RM|[$€£])?\s?\d+[.,]\d\d)(?!\d)"
)
_COUNT = re.compile(r"^(?P<count>\d{1,3})\s+(?=[^\W\d_])")


@dataclass(frozen=True, slots=True)
class _AmountLine:
    """A line with an amount at its right: the row of the page, the amount, the words before it."""

    row: int
    amount: Decimal
    cell: CellValue
    right: float
    before: tuple[int, ...]


def rows_that_add_up(
    layout: Layout, group: GroupSchema, schema: DocumentSchema, locale: Locale
) -> list[dict[str, CellValue]]:
    """Return the cells of each row by the key of its column; nothing where no rows add up.

    The last amount of the group is the amount of a row, a number and an amount before it are the count and
    the price of one (`2 x 3.50`), and the first text is what is left of the line, or the line above.
    """
    amounts = [column for column in group.fields if column.type is FieldType.AMOUNT]
    texts = [column for column in group.fields if column.type in WORDED]
    if not amounts or not texts:
        return []
    lines = _lines(layout, amounts[-1], locale)
    at = {line.row: line for line in lines}
    labelled = labelled_rows(layout, schema) | announcing_rows(layout)
    for total in [line for line in lines if line.row in labelled][:MAX_SUMS]:
        rows = [line for line in lines if line.row < total.row and line.row not in labelled]
        sums = {
            at[r].amount for r in range(total.row, min(total.row + SUM_LINES, len(layout.rows))) if r in at
        }
        rows = [
            line for line in rows if abs(line.right - total.right) * layout.ratio < 8 * layout.line_height
        ]
        # From the sum upwards: the first line of the rows is where they come to it.
        together = Decimal(0)
        for number in range(len(rows) - 1, max(len(rows) - MAX_LINES, 0) - 1, -1):
            if abs(rows[number].right - rows[-1].right) * layout.ratio > EDGE * layout.line_height:
                break
            together += rows[number].amount
            if together in sums and together > 0:
                items = [_cells(layout, group, line, at, labelled, locale) for line in rows[number:]]
                return (
                    [cells for cells in items if texts[0].key in cells] if _complete(items, texts[0]) else []
                )
    return []


def _complete(items: Sequence[Mapping[str, CellValue]], text: ColumnSchema) -> bool:
    return all(text.key in cells for cells in items)


def labelled_rows(layout: Layout, schema: DocumentSchema) -> set[int]:
    """Return the lines of a page that are sums or belong to what comes after a table: `Subtotal  129.00`."""
    found: set[int] = set()
    for hit in lexicon_of(schema).hits(layout):
        row = layout.row_of[hit.start]
        first, last = layout.rows[row]
        if last - first > MAX_ROW_WORDS:
            continue
        if row not in found and any(_closes(layout, schema, hit, label) for label in hit.labels):
            found.add(row)
    return found


def announcing_rows(layout: Layout) -> set[int]:
    """Return the lines that end with a text, a colon and a number: `Gross : 40.00`. They are no rows."""
    found = set()
    for row, (first, last) in enumerate(layout.rows):
        numbers = [i for i in range(first, last) if is_number(layout.words[i].text)]
        if numbers and numbers[-1] > first and layout.words[numbers[-1] - 1].text.endswith(":"):
            found.add(row)
    return found


def _closes(layout: Layout, schema: DocumentSchema, hit: LabelMatch, label: Label) -> bool:
    first, last = layout.rows[layout.row_of[hit.start]]
    cell = layout.cells[layout.cell_of[hit.start]]
    known = schema.field(label.key)
    amount = known is not None and known.type is FieldType.AMOUNT
    numbered = any(c.isdigit() for word in layout.words[first:last] for c in word.text)
    # The label of the document's own sum says so wherever it stands: `5 items  Total (MYR)  20.00`.
    if numbered and not hit.fuzzy and amount and known is not None and known.required:
        return True
    # Others alone in a cell, or in more than one word at the beginning: `Sub total incl. GST  5.30`.
    alone = hit.start == cell.start and (hit.closed or not LETTERS.search(layout.text(hit.end, cell.end)))
    opens = hit.start == first and hit.end - first > 1 and not hit.fuzzy
    if numbered and (amount or known is None) and (alone or opens):
        return True
    return alone and (label.rank == CLOSING or hit.closed)


def _lines(layout: Layout, schema: ColumnSchema, locale: Locale) -> list[_AmountLine]:
    found = []
    for row, (first, last) in enumerate(layout.rows):
        if last - first > MAX_ROW_WORDS:
            continue
        words = list(range(first, last))
        text = layout.text(first, last)
        cents = [span for span in spans(text, schema.type, locale) if span.quality >= 0.9]
        if not cents or len("".join(text[cents[-1].end :].split())) > 4:
            continue
        span = cents[-1]
        own = layout.touched(words, span.start, span.end)
        value = CellValue(span.value, text[span.start : span.end].strip(), own)
        before = tuple(i for i in words if i < own[0])
        found.append(_AmountLine(row, Decimal(span.value), value, layout.words[own[-1]].box.right, before))
    return found


def _cells(
    layout: Layout,
    group: GroupSchema,
    line: _AmountLine,
    lines: Mapping[int, _AmountLine],
    labelled: set[int],
    locale: Locale,
) -> dict[str, CellValue]:
    amounts = [column for column in group.fields if column.type is FieldType.AMOUNT]
    number = next((column for column in group.fields if column.type is FieldType.NUMBER), None)
    text = next(column for column in group.fields if column.type in WORDED)
    cells = {amounts[-1].key: line.cell}
    words = list(line.before)
    content = layout.text(line.before[0], line.before[-1] + 1) if words else ""
    counted = _COUNTED.search(content)
    count = _COUNT.match(content)
    if counted is not None:
        taken = set(layout.touched(words, *counted.span()))
        if number is not None:
            cells.update(_typed(layout, words, number, counted.span("count"), content, locale))
        if len(amounts) > 1:
            cells.update(_typed(layout, words, amounts[0], counted.span("each"), content, locale))
        words = [i for i in words if i not in taken]
    elif count is not None and number is not None:
        cells.update(_typed(layout, words, number, count.span("count"), content, locale))
        words = words[1:]
    if not LETTERS.search(" ".join(layout.words[i].text for i in words)):
        words = []
        above = line.row
        while above > 0 and line.row - above < LINES_ABOVE and layout.space_above(above) <= LINE_GAP:
            above -= 1
            if above in lines or above in labelled:
                break
            words = [*range(*layout.rows[above]), *words]
    while words and is_number(layout.words[words[-1]].text) and len(words) > 1:
        words.pop()
    for span in _text(layout, words, text, locale):
        own = layout.touched(words, span.start, span.end)
        joined = " ".join(layout.words[i].text for i in words)
        cells[text.key] = CellValue(span.value, joined[span.start : span.end].strip(), own)
    return cells


def _text(layout: Layout, words: Sequence[int], schema: ColumnSchema, locale: Locale) -> Iterator[Span]:
    joined = " ".join(layout.words[i].text for i in words)
    if LETTERS.search(joined):
        yield from spans(joined, schema.type, locale)[:1]


def _typed(
    layout: Layout,
    words: Sequence[int],
    schema: ColumnSchema,
    place: tuple[int, int],
    content: str,
    locale: Locale,
) -> dict[str, CellValue]:
    piece = content[slice(*place)]
    found = spans(piece, schema.type, locale)
    if not found:
        return {}
    own = layout.touched(words, *place)
    return {schema.key: CellValue(found[0].value, piece.strip(), own)}
