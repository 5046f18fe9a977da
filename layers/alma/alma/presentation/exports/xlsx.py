"""An Excel worksheet with the columns of the table.

Values stay text, as they were read: `00123` keeps its zeros, and nothing is ever a formula.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from alma.errors import BadRequestError
from alma.presentation.exports.rows import COLUMNS, Row, box_text, writable

if TYPE_CHECKING:
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

#: Limits of the format (ECMA-376; Excel specifications): rows of a sheet, UTF-16 units of a cell.
MAX_ROWS = 1_048_576
MAX_CELL = 32_767

_WIDTHS = (26, 44, 12, 13, 48, 14)
# openpyxl reads meaning into text that begins with these: a formula, an error value.
_SPECIAL = ("=", "#")


def write(rows: Iterable[Row], *, title: str) -> bytes:
    """Return the rows as a workbook with one sheet.

    Raises
    ------
    BadRequestError
        A worksheet cannot hold that many rows.
    """
    every = list(rows)
    if len(every) >= MAX_ROWS:
        raise BadRequestError("A worksheet cannot hold that many fields; export them as csv.")
    # 0.3 s of import that only this format needs.
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(title)
    sheet.freeze_panes = "A2"
    for letter, width in zip("ABCDEF", _WIDTHS, strict=True):
        sheet.column_dimensions[letter].width = width
    header = [WriteOnlyCell(sheet, name) for name in COLUMNS]
    for cell in header:
        cell.font = Font(bold=True)
    sheet.append(header)
    for row in every:
        sheet.append(
            (
                _text(sheet, row.field_key),
                _text(sheet, row.value),
                row.confidence,
                row.page_number,
                None if row.bbox is None else box_text(row.bbox),
                _text(sheet, row.source),
            )
        )
    body = io.BytesIO()
    workbook.save(body)
    return body.getvalue()


def shortened(text: str) -> str:
    """Return `text` cut to what a cell can hold, an ellipsis at its end where something was cut."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * MAX_CELL:
        return text
    # "ignore" drops the first half of a character that the cut went through.
    return units[: 2 * (MAX_CELL - 1)].decode("utf-16-le", "ignore") + "…"


def _text(sheet: WriteOnlyWorksheet, text: str) -> Any:
    from openpyxl.cell import WriteOnlyCell

    content = shortened(writable(text))
    if not content.startswith(_SPECIAL):
        return content
    cell = WriteOnlyCell(sheet, content)
    cell.data_type = "s"
    # Editing the cell keeps it text.
    cell.quotePrefix = True
    return cell
