"""The one flattener: fields with readings, reviews and regions become rows that every writer can write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alma.datamodel.examples import compact_json
from alma.datamodel.fields import Field, Status
from alma.datamodel.geometry import Box, enclosing
from alma.presentation.document import rounded

#: Names of the columns, in order; also the names of the XML elements.
COLUMNS = ("field_key", "value", "confidence", "page_number", "bbox", "source")
#: The columns that follow where all are asked for.
MORE_COLUMNS = ("status", "reasons", "content", "version")

# What neither XML 1.0 (section 2.2) nor a worksheet can hold: the C0 controls but tab and line feed, lone
# surrogates and the two non-characters.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LINE_BREAK = re.compile("\r\n?")


@dataclass(frozen=True, slots=True)
class Row:
    """One field as a row."""

    field_key: str
    """The schema's name of the field, with the row for a column of a group (`line_items[3].amount`)."""
    key: str
    """The schema's name of the field alone (`line_items.amount`)."""
    number: int
    """Occurrence of the field; for a column of a group the group's row, 0 for the first."""
    value: str
    """The best value."""
    confidence: float | None
    """Rounded; None where nothing is known."""
    page_number: int | None
    """First page the value stands on, 1-based; None for a value without a place."""
    bbox: Box | None
    """Holds all lines of the value on that page."""
    source: str
    """Review status of a verified value, else the track that read it."""
    status: Status
    reasons: tuple[str, ...]
    """Why the field is escalated."""
    content: str
    """The value as it stands on the page."""
    version: int

    def cells(self, *, all_columns: bool) -> tuple[str | float | None, ...]:
        """Return what stands below `COLUMNS`, and with `all_columns` below `MORE_COLUMNS`; None is empty."""
        box = None if self.bbox is None else box_text(self.bbox)
        cells = (self.field_key, self.value, self.confidence, self.page_number, box, self.source)
        return (*cells, *self.more_cells()) if all_columns else cells

    def more_cells(self) -> tuple[str | float, ...]:
        """Return what stands below `MORE_COLUMNS`; reasons are slugs with spaces between them."""
        return self.status.value, " ".join(self.reasons), self.content, self.version


def columns(*, all_columns: bool) -> tuple[str, ...]:
    """Return the names of the columns."""
    return COLUMNS + MORE_COLUMNS if all_columns else COLUMNS


def rows_of(fields: Iterable[Field]) -> Iterator[Row]:
    """Yield a row per field, in order.

    Rejected fields are left out: a person said that the value is wrong. So are missing ones, which have none.
    """
    for field in fields:
        if field.status is Status.REJECTED or field.missing:
            continue
        best = field.best
        page = best.regions[0].page if best.regions else None
        yield Row(
            field_key=field.label,
            key=field.key,
            number=field.occurrence,
            value=best.value,
            confidence=rounded(best.confidence),
            page_number=page,
            bbox=enclosing(r.box for r in best.regions if r.page == page) if best.regions else None,
            source=field.source,
            status=field.status,
            reasons=field.reasons,
            content=best.content,
            version=field.version,
        )


def box_text(box: Box) -> str:
    """Return a box as compact JSON, `{"x":0.142,"y":0.331,"w":0.268,"h":0.041}`."""
    return compact_json(box.to_dict())


def writable(text: str) -> str:
    """Return `text` without the characters that files cannot hold, every line break as a line feed."""
    return _UNWRITABLE.sub("", _LINE_BREAK.sub("\n", text))
