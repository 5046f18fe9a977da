"""A document as a file: one flattener, thin writers.

======  =========================  ====================================================================
format  media type                 holds
======  =========================  ====================================================================
csv     text/csv; charset=utf-8    a row per field; rejected ones are left out
xlsx    the spreadsheet type       the same columns as a worksheet
xml     application/xml            the same columns as elements
json    application/json           the body of `GET /api/v1/documents/{id}`, rejected fields included
jsonl   application/x-ndjson       a line per verified field: the training examples
======  =========================  ====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from alma.datamodel.fields import Field
from alma.errors import BadRequestError
from alma.presentation.document import FilePart
from alma.presentation.exports import csv, json, xlsx, xml
from alma.presentation.exports.rows import rows_of


class Format(StrEnum):
    """What an export can be."""

    CSV = "csv"
    XLSX = "xlsx"
    XML = "xml"
    JSON = "json"
    JSONL = "jsonl"

    @property
    def media_type(self) -> str:
        """Value of `Content-Type`."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.XML: "application/xml",
    Format.JSON: "application/json",
    Format.JSONL: "application/x-ndjson",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished file.

    Attributes
    ----------
    body : bytes
        Its content.
    media_type, file_name : str
        For `Content-Type` and `Content-Disposition`.
    """

    body: bytes
    media_type: str
    file_name: str


@dataclass(frozen=True, slots=True)
class ExportLink:
    """A finished file that is too large for an answer and waits elsewhere.

    Attributes
    ----------
    url : str
        Where to get it, without a key.
    expires_in : int
        Seconds the URL holds.
    media_type, file_name : str
        As in `Exported`.
    """

    url: str
    expires_in: int
    media_type: str
    file_name: str


def export(
    document_id: int,
    doc_type: str | None,
    fields: Sequence[Field],
    format: str,  # noqa: A002
    part: FilePart | None = None,
) -> Exported:
    """Return a document as a file.

    Parameters
    ----------
    document_id : int
        Number of the document.
    doc_type : str or None
        Its type.
    fields : sequence of Field
        In the order to write them.
    format : str
        One of `Format`.
    part : FilePart, optional
        Where the document stands in a file of several; json says it.

    Raises
    ------
    BadRequestError
        There is no such format, or the document does not fit into it.
    """
    try:
        chosen = Format(format)
    except ValueError:
        raise BadRequestError(f"format is one of {', '.join(Format)}.") from None
    match chosen:
        case Format.CSV:
            body = csv.write(rows_of(fields))
        case Format.XLSX:
            body = xlsx.write(rows_of(fields), title=f"document-{document_id}")
        case Format.XML:
            body = xml.write(rows_of(fields), document_id=document_id, doc_type=doc_type)
        case Format.JSON:
            body = json.write(document_id, doc_type, fields, part)
        case Format.JSONL:
            body = json.write_lines(rows_of(fields), document_id=document_id, doc_type=doc_type)
    return Exported(body, chosen.media_type, f"document-{document_id}.{chosen.value}")
