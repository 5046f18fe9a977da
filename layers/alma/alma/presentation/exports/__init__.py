"""A document as a file: one flattener, thin writers.

======  =========================  ====================================================================
format  media type                 holds
======  =========================  ====================================================================
csv     text/csv; charset=utf-8    a row per field; rejected ones are left out
xlsx    the spreadsheet type       the same columns as a worksheet, and one for each group of fields
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


def export(
    content: DocumentContent,
    format: str,  # noqa: A002  # the API's own word
    *,
    all_columns: bool = False,
    bom: bool = False,
) -> File:
    """Export a document as a file of one of the formats.

    Parameters
    ----------
    content : DocumentContent
        The document; an xlsx has numbers and dates where it says the types of fields.
    format : str
        A member of `Format`.
    all_columns : bool
        Whether tables also have `MORE_COLUMNS`.
    bom : bool
        Whether a csv begins with a byte order mark.

    Raises
    ------
    BadRequestError
        There is no such format, it cannot be had so, or the document does not fit into it.
    """
    try:
        chosen = Format(format)
    except ValueError:
        raise BadRequestError(f"format is one of {', '.join(Format)}.") from None
    if all_columns and chosen in (Format.JSON, Format.JSONL):
        raise BadRequestError(
            "columns is for csv, xlsx and xml; json and jsonl always hold the same. The document itself, "
            "asked for with all tracks, has reasons, content and version as JSON."
        )
    if bom and chosen is not Format.CSV:
        raise BadRequestError("bom is for csv; the other formats say themselves how they are encoded.")
    document_id, doc_type, rows = content.document_id, content.doc_type, rows_of(content.fields)
    match chosen:
        case Format.CSV:
            body = csv.write(rows, all_columns=all_columns, bom=bom)
        case Format.XLSX:
            title = f"document-{document_id}"
            body = xlsx.write(rows, title=title, all_columns=all_columns, types=content.types)
        case Format.XML:
            body = xml.write(rows, document_id=document_id, doc_type=doc_type, all_columns=all_columns)
        case Format.JSON:
            body = json.write(content)
        case Format.JSONL:
            body = json.write_lines(rows, document_id=document_id, doc_type=doc_type)
    # A large file is stored by its name, and one link must not lead to what another was made for.
    variant = ("-all" if all_columns else "") + ("-bom" if bom else "")
    return File(body, chosen.media_type, f"document-{document_id}{variant}.{chosen.value}")
