r"""CSV as RFC 4180 describes it, with two decisions.

Lines end in LF, as in the documented example, so that `head`, `grep` and `cut` see no stray carriage return;
spreadsheets and CSV libraries read both. There is no byte order mark: the first bytes are the header line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

from alma.presentation.exports.rows import COLUMNS, Row, box_text, writable

# Leading characters at which a spreadsheet takes a cell for a formula (OWASP, "CSV Injection"), with their
# full-width forms, which some locales read alike.
_FORMULA = frozenset("=+-@\t\n＝＋－＠")
_NEGATIVE_NUMBER = re.compile(r"-\d[\d.,]*")


def write(rows: Iterable[Row]) -> bytes:
    """Return the rows as a table with a header line; an unknown confidence or place is an empty cell."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(
        (
            inert(row.field_key),
            inert(row.value),
            row.confidence,
            row.page_number,
            None if row.bbox is None else box_text(row.bbox),
            inert(row.source),
        )
        for row in rows
    )
    return text.getvalue().encode()


def inert(text: str) -> str:
    """Return a cell that no spreadsheet runs: an apostrophe before what would begin a formula.

    A plain negative number stays a number.
    """
    cell = writable(text)
    if cell[:1] in _FORMULA and not _NEGATIVE_NUMBER.fullmatch(cell):
        return "'" + cell
    return cell
