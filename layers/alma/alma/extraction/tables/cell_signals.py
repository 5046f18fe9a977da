"""What speaks for the cells of a table before anybody checked them: sums, labels, clarity, agreement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from importlib import resources
from itertools import product
from typing import NamedTuple

from alma.datamodel.pages import Track
from alma.datamodel.schemas import FieldType, GroupSchema
from alma.extraction.page.layout import Layout
from alma.extraction.scoring.confidence import Calibration, load
from alma.extraction.tables.columns import CellValue
from alma.extraction.tables.page_tables import TableRow
from alma.extraction.tables.sums import MAX_ROW_WORDS
from alma.extraction.values.locales import locale_of
from alma.extraction.values.parsers import spans
from alma.extraction.values.text import comparison_key

CALIBRATION = "cells.json"
#: Follows the type of a document in the calibration of tables whose amounts come to no printed amount: they
#: are another kind of table, and what is known of the others says nothing of them.
UNVERIFIED = ":unverified"
#: The place among the aliases from which on a label says little.
LAST_RANK = 20


class CellVector(NamedTuple):
    """The features of the logistic model of cells; every calibration stores the names of those it weighs."""

    labelled: float
    """Its column has a label."""
    label_rank: float
    multiplies: float
    """Count times price is the amount, in its row."""
    row_multiplies: float
    """The same of its row, for the cells that are no part of it."""
    unclear: float
    least_clear: float
    recognised: float
    length: float
    whole: float
    """Share of the table's columns that its row has."""
    rows: float
    tracks_agree: float
    tracks_differ: float


#: Their names.
CELL_SIGNALS = CellVector._fields


@lru_cache(maxsize=1)
def shipped_cell_calibration() -> Calibration:
    """Return the calibration of cells that comes with alma, fitted by `scripts/calibrate_cells.py`."""
    return load(resources.files("alma.data").joinpath(CALIBRATION).read_bytes(), CELL_SIGNALS)


class TableSignals:
    """What is known of the cells of a group's table on one track.

    Parameters
    ----------
    group : GroupSchema
        Its columns.
    rows : sequence of TableRow
        All of its rows; at least one.
    layouts : sequence of Layout
        The pages of the track.
    track : str
        Its name: on `vision`, words may be misread.
    """

    def __init__(
        self, group: GroupSchema, rows: Sequence[TableRow], layouts: Sequence[Layout], *, track: str
    ) -> None:
        self._group, self._count = group, len(rows)
        self._recognised = track == Track.VISION
        self._columns = len({key for row in rows for key in row.cells})
        self.verified = _adds_up(group, rows, layouts)
        """The amounts of the rows come to an amount that is printed beside or below them."""

    def kind(self, doc_type: str) -> str:
        """Return the name under which a calibration knows such tables in documents of a type."""
        return doc_type if self.verified else doc_type + UNVERIFIED

    def of(self, row: TableRow, others: Sequence[TableRow]) -> dict[str, CellVector]:
        """Return the signals of the cells of a row by column.

        Parameters
        ----------
        row : TableRow
            One of the table's.
        others : sequence of TableRow
            The same row as other tracks read it.
        """
        holding = _multiplied(self._group, row.cells)
        found = {}
        for key, cell in row.cells.items():
            mean, least = row.layout.clarity(cell.words)
            same = [
                comparison_key(other.cells[key].value) == comparison_key(cell.value)
                for other in others
                if key in other.cells
            ]
            found[key] = CellVector(
                labelled=float(key in row.ranks),
                label_rank=min(row.ranks.get(key, 0), LAST_RANK) / LAST_RANK,
                multiplies=float(key in holding),
                row_multiplies=float(bool(holding) and key not in holding),
                unclear=(1 - mean) * 5.0,
                least_clear=1 - least,
                recognised=float(self._recognised),
                length=min(len(cell.content), 120) / 60.0 if self._recognised else 0.0,
                whole=len(row.cells) / self._columns,
                rows=math.log2(1 + min(self._count, 63)) / 6.0,
                tracks_agree=float(bool(same) and all(same)),
                tracks_differ=float(not all(same)),
            )
        return found


def _multiplied(group: GroupSchema, cells: Mapping[str, CellValue]) -> frozenset[str]:
    """Return the cells of a row whose count times price is its amount: all three, or none.

    As in rows without labels the last amount of the group is that of the row.
    """
    amounts = [c.key for c in group.fields if c.type is FieldType.AMOUNT and c.key in cells]
    counts = [c.key for c in group.fields if c.type is FieldType.NUMBER and c.key in cells]
    for count, price in product(counts, amounts[:-1]):
        if _multiplies(cells[count].value, cells[price].value, cells[amounts[-1]].value):
            return frozenset((count, price, amounts[-1]))
    return frozenset()


def _multiplies(count: str, price: str, amount: str) -> bool:
    try:
        n, each, together = Decimal(count), Decimal(price), Decimal(amount)
    except InvalidOperation:
        return False
    # Both factors may have been rounded to what is printed.
    exponent = each.as_tuple().exponent
    rounding = abs(n) * Decimal(5).scaleb(exponent - 1) if isinstance(exponent, int) else Decimal(0)
    return abs(n * each - together) <= rounding + Decimal("0.005")


def _adds_up(group: GroupSchema, rows: Sequence[TableRow], layouts: Sequence[Layout]) -> bool:
    """Return whether the amounts of the rows come to one that is printed beside or below them."""
    amount = next((c.key for c in reversed(group.fields) if c.type is FieldType.AMOUNT), None)
    if amount is None or any(amount not in row.cells for row in rows):
        return False
    together = sum((Decimal(row.cells[amount].value) for row in rows), Decimal(0))
    last = rows[-1].page
    locale = locale_of(layout.running_text()[0] for layout in layouts if layout.page == last)
    for layout in layouts:
        if layout.page not in (last, last + 1):
            continue
        own = {
            layout.row_of[i]
            for row in rows
            if row.page == layout.page
            for cell in row.cells.values()
            for i in cell.words
        }
        for number, (first, end) in enumerate(layout.rows):
            if number in own or end - first > MAX_ROW_WORDS:
                continue
            text = layout.text(first, end)
            if any(Decimal(span.value) == together for span in spans(text, FieldType.AMOUNT, locale)):
                return True
    return False
