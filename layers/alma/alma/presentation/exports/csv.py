r"""CSV as RFC 4180 describes it, with three decisions.

Lines end in LF, as in the documented example, so that `head`, `grep` and `cut` see no stray carriage return;
spreadsheets and CSV libraries read both. There is no byte order mark unless it is asked for: the first bytes
are the header line. Nothing in a cell is a formula, whatever the spreadsheet takes for the end of a cell:
where lists are separated with semicolons, no quotes hold `x,a;=1` together.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable

from alma.presentation.exports.rows import Row, columns, writable

# Characters at which a spreadsheet takes a cell for a formula (OWASP, "CSV Injection"), with their full-width
# forms, which some locales read alike.
_FORMULA = "=+\\-@＝＋－＠"
# What some spreadsheet splits a line at, whatever the quotes: the separators of lists, tabs and line breaks.
_SPLITS = "\t\n\x85\u2028\u2029"
# A formula at the beginning of what then is a cell. Quotes and spaces before it go with the splitting.
_CELL_THAT_RUNS = re.compile(rf"((?:^|[;,|{_SPLITS}])(?:\"|[^\S{_SPLITS}])*)(?=[{_FORMULA}])")
_NEGATIVE_NUMBER = re.compile(r"-\d[\d.,]*")


def write(rows: Iterable[Row], *, all_columns: bool = False, bom: bool = False) -> bytes:
    """Return the rows as a table with a header line; an unknown confidence or place is an empty cell."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns(all_columns=all_columns))
    for row in rows:
        cells = row.cells(all_columns=all_columns)
        table.writerow([inert(cell) if isinstance(cell, str) else cell for cell in cells])
    return (codecs.BOM_UTF8 if bom else b"") + text.getvalue().encode()


def inert(text: str) -> str:
    """Return a cell that no spreadsheet runs, nor a part of it: an apostrophe before what would be a formula.

    A plain negative number stays a number.
    """
    cell = writable(text)
    if _NEGATIVE_NUMBER.fullmatch(cell):
        return cell
    # A tab or line break that leads is taken for none by some.
    leading = "'" if cell[:1] in ("\t", "\n") else ""
    return leading + _CELL_THAT_RUNS.sub(r"\1'", cell)
