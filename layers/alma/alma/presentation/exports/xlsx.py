"""An Excel workbook: a sheet with the columns of the table, and one for each group of fields.

Amounts, numbers and dates are such where the document type says so and Excel can hold them as they are; they
show as many decimals as were read. All else is text: `00123` keeps its zeros, and nothing is ever a formula.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from alma.datamodel.schemas import FieldType
from alma.errors import BadRequestError
from alma.presentation.exports.rows import Row, columns, writable

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

#: Limits of the format (ECMA-376; Excel specifications): rows of a sheet, UTF-16 units of a cell.
MAX_ROWS = 1_048_576
MAX_CELL = 32_767

_WIDTHS = (26, 44, 12, 13, 48, 14, 12, 30, 44, 9)
_GROUP_WIDTH = 18
#: Characters of a sheet's name; a longer one is cut, with room for a number to tell it from another.
_MAX_TITLE, _CUT_TITLE = 31, 28
_NOT_IN_TITLES = re.compile(r"[^\w-]")
# openpyxl reads meaning into text that begins with these: a formula, an error value.
_SPECIAL = ("=", "#")

# As `extraction` writes them: one way for each number, so a number in a cell says all that the text said.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.([0-9]+))?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: Digits that Excel keeps of a number; a longer one is text.
_MOST_DIGITS = 15
#: Excel counts days from 1900 and a 29 February that never was; before this day, others count otherwise.
_FIRST_DATE = date(1900, 3, 1)
_DATE_FORMAT = "yyyy-mm-dd"


def write(
    rows: Iterable[Row], *, title: str, types: Mapping[str, FieldType], all_columns: bool = False
) -> bytes:
    """Return the rows as a workbook; `types` are those of fields and columns by key, in the schema's order.

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

    workbook = Workbook(write_only=True)
    sheet = _sheet(workbook, title, columns(all_columns=all_columns), _WIDTHS)
    for row in every:
        key, _, *others = row.cells(all_columns=all_columns)
        sheet.append((_cell(sheet, key), _value(sheet, row, types), *(_cell(sheet, each) for each in others)))
    for group, members in _groups(every).items():
        _write_group(workbook, group, members, types, with_status=all_columns)
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


def _groups(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each group, in order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        group, _, column = row.key.partition(".")
        if column:
            groups.setdefault(group, []).append(row)
    return groups


def _write_group(
    workbook: Workbook, group: str, rows: Sequence[Row], types: Mapping[str, FieldType], *, with_status: bool
) -> None:
    """Write a sheet with a line for each row of a group and a column for each of its columns.

    The first column is the row's number, as in `line_items[3].amount`. `with_status`, a column
    `amount.status` follows for each: somebody has looked at each cell on its own, or nobody has.
    """
    known = (key for key in types if key.startswith(f"{group}."))
    keys = dict.fromkeys(chain(known, (row.key for row in rows)))
    names = [key.partition(".")[2] for key in keys]
    statuses = [f"{name}.status" for name in names] if with_status else []
    title = _NOT_IN_TITLES.sub("_", group if len(group) <= _MAX_TITLE else group[:_CUT_TITLE])
    sheet = _sheet(workbook, title, ["row", *names, *statuses], repeat(_GROUP_WIDTH))
    lines: dict[int, dict[str, Row]] = {}
    for row in rows:
        lines.setdefault(row.number, {})[row.key] = row
    for number in sorted(lines):
        found = [lines[number].get(key) for key in keys]
        values = [row and _value(sheet, row, types) for row in found]
        sheet.append([number, *values, *([row and row.status.value for row in found] if with_status else [])])


def _sheet(
    workbook: Workbook, title: str, header: Iterable[str], widths: Iterable[int]
) -> WriteOnlyWorksheet:
    """Return a new sheet with a header that is bold and stays in sight."""
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet: WriteOnlyWorksheet = workbook.create_sheet(title)
    sheet.freeze_panes = "A2"
    dimensions: Any = sheet.column_dimensions  # type: ignore[attr-defined]  # the stubs lack it
    cells = [_styled(sheet, writable(name), "s") for name in header]
    for number, (cell, width) in enumerate(zip(cells, widths, strict=False), start=1):
        dimensions[get_column_letter(number)].width = width
        cell.font = Font(bold=True)
    sheet.append(cells)
    return sheet


def _value(sheet: WriteOnlyWorksheet, row: Row, types: Mapping[str, FieldType]) -> Any:
    """Return the cell of a row's value, in its type where Excel has it."""
    match types.get(row.key):
        case FieldType.AMOUNT:
            return _number(sheet, row.value, "#,##0") or _cell(sheet, row.value)
        case FieldType.NUMBER:
            return _number(sheet, row.value, "0") or _cell(sheet, row.value)
        case FieldType.DATE:
            return _day(sheet, row.value) or _cell(sheet, row.value)
    return _cell(sheet, row.value)


def _number(sheet: WriteOnlyWorksheet, text: str, whole: str) -> Any | None:
    """Return the cell of a number that shows all its decimals; None where a number would not say the same."""
    match = _NUMBER.fullmatch(text)
    if match is None or sum(c.isdigit() for c in text) > _MOST_DIGITS:
        return None
    # The decimal itself is what the file holds: through a float, some have a digit more.
    decimals = len(match[1] or "")
    return _styled(sheet, text, "n", whole + ("." + "0" * decimals if decimals else ""))


def _day(sheet: WriteOnlyWorksheet, text: str) -> Any | None:
    """Return the cell of a date; None for what is none, or one that Excel cannot count to."""
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None
    return None if day is None or day < _FIRST_DATE else _styled(sheet, day, "d", _DATE_FORMAT)


def _styled(sheet: WriteOnlyWorksheet, value: Any, data_type: str, number_format: str = "General") -> Any:
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value)
    cell.data_type = data_type
    cell.number_format = number_format
    return cell


def _cell(sheet: WriteOnlyWorksheet, content: str | float | None) -> Any:
    """Return a cell of text, or what is a number of ours as it is."""
    if not isinstance(content, str):
        return content
    text = shortened(writable(content))
    if not text.startswith(_SPECIAL):
        return text
    cell = _styled(sheet, text, "s")
    # Editing the cell keeps it text.
    cell.quotePrefix = True
    return cell
