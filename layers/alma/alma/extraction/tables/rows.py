"""Groups of fields: the rows of a table, cell by cell, each with the words it was cut from.

A table begins below the labels of its columns. A row of it is a line in which the telling column (what a
schema requires, else amounts, else numbers) holds such a value and nothing else; lines of text beside it
belong to its description. It ends at a label of a sum or at another table, and goes on over pages, with or
without its labels being repeated there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from alma.datamodel.fields import Field, Reading, Status, doubt, ranked
from alma.datamodel.schemas import DocumentSchema, GroupSchema
from alma.extraction.page.layout import Layout
from alma.extraction.scoring.confidence import Calibration
from alma.extraction.tables.cell_signals import CellVector, TableSignals
from alma.extraction.tables.columns import Header
from alma.extraction.tables.page_tables import PageTables, TableRow
from alma.extraction.tables.shape import TableShape
from alma.extraction.tables.sums import rows_that_add_up
from alma.extraction.values.locales import locale_of

#: Rows of one group: what comes after is not read.
MAX_ROWS = 10_000
#: Pages whose numbers decide the locale.
LOCALE_PAGES = 20


def group_fields(
    tracks: Mapping[str, Sequence[Layout]], schema: DocumentSchema, model: Calibration
) -> list[Field]:
    """Return the values of a document type's groups, row by row.

    Parameters
    ----------
    tracks : mapping
        Pages by track, arranged and in order.
    schema : DocumentSchema
        The type of the document.
    model : Calibration
        Numbers behind the confidence of cells.

    Returns
    -------
    list of Field
        `key` is GROUP.COLUMN and `occurrence` the number of the row. Where two tracks see a row, both
        readings are kept, the most confident first; a page is read by rows of the track that sees more.
    """
    found: list[Field] = []
    for group in schema.groups:
        for number, row in enumerate(judged_rows(tracks, group, schema)):
            for column in group.fields:
                key = group.key_of(column)
                each = ranked(
                    Reading(
                        track,
                        read.cells[column.key].value,
                        read.cells[column.key].content,
                        model.probability(kind, key, signals[column.key]),
                        read.layout.regions(list(read.cells[column.key].words)),
                    )
                    for track, (read, signals, kind) in row.items()
                    if column.key in read.cells
                )
                if each:
                    unsure = doubt(each[0].confidence, schema.review_below)
                    reasons = () if unsure is None else (unsure,)
                    status = Status.UNREVIEWED if unsure is None else Status.ESCALATED
                    found.append(Field(key, number, each, status, reasons=reasons))
    return found


def judged_rows(
    tracks: Mapping[str, Sequence[Layout]], group: GroupSchema, schema: DocumentSchema
) -> Iterable[dict[str, tuple[TableRow, dict[str, CellVector], str]]]:
    """Yield the rows of a group as each track reads them.

    With each come the signals of its cells by column, and what kind of table a calibration knows it as.
    """
    by_track = {track: Table(group, schema, layouts).rows() for track, layouts in tracks.items()}
    tables = {
        track: TableSignals(group, rows, tracks[track], track=track)
        for track, rows in by_track.items()
        if rows
    }
    for row in _side_by_side(by_track):
        yield {
            track: (
                own,
                tables[track].of(own, [each for other, each in row.items() if other != track]),
                tables[track].kind(schema.doc_type),
            )
            for track, own in row.items()
        }


def _side_by_side(tracks: Mapping[str, Sequence[TableRow]]) -> Iterable[dict[str, TableRow]]:
    """Yield rows of several tracks, those of one place together; the track with more on a page leads."""
    pages: dict[int, dict[str, list[TableRow]]] = {}
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

    def rows(self) -> list[TableRow]:
        """Return the rows of the whole document, in order."""
        found: list[TableRow] = []
        begun: TableShape | Header | None = None
        for layout in self._layouts:
            page = PageTables(layout, self._group, self._schema, self._locale)
            rows, begun = page.rows(begun)
            found += rows
            if len(found) >= MAX_ROWS:
                break
        if not found and self._group.header == "optional":
            for layout in self._layouts:
                lines = rows_that_add_up(layout, self._group, self._schema, self._locale)
                found += [TableRow.of(layout, cells) for cells in lines]
        return found[:MAX_ROWS]
