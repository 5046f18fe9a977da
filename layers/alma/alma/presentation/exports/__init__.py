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

from enum import StrEnum

from alma.errors import BadRequestError
from alma.presentation.document import DocumentContent
from alma.presentation.exports import csv, json, xlsx, xml
from alma.presentation.exports.rows import rows_of
from alma.presentation.files import File


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


def export(content: DocumentContent, format: str) -> File:  # noqa: A002  # the API's own word
    """Export a document as a file of one of the formats.

    Raises
    ------
    BadRequestError
        There is no such format, or the document does not fit into it.
    """
    try:
        chosen = Format(format)
    except ValueError:
        raise BadRequestError(f"format is one of {', '.join(Format)}.") from None
    document_id, doc_type, fields = content.document_id, content.doc_type, content.fields
    match chosen:
        case Format.CSV:
            body = csv.write(rows_of(fields))
        case Format.XLSX:
            body = xlsx.write(rows_of(fields), title=f"document-{document_id}")
        case Format.XML:
            body = xml.write(rows_of(fields), document_id=document_id, doc_type=doc_type)
        case Format.JSON:
            body = json.write(content)
        case Format.JSONL:
            body = json.write_lines(rows_of(fields), document_id=document_id, doc_type=doc_type)
    return File(body, chosen.media_type, f"document-{document_id}.{chosen.value}")
