"""JSON: the document as the API shows it; and JSON lines: its verified fields as training examples."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from alma.exports.rows import Row, compact_json
from alma.fields import Field
from alma.projection import Claim, FilePart, project


def write(
    document_id: int,
    doc_type: str | None,
    fields: Sequence[Field],
    part: FilePart | None = None,
    *,
    tracks: bool = False,
    claim: Claim | None = None,
) -> bytes:
    """Return the body of `GET /api/v1/documents/{id}`, with `tracks` that of `?tracks=all`.

    Nothing is left out: each field says its status, rejected ones too.
    """
    body = project(document_id, doc_type, fields, part=part, tracks=tracks, claim=claim)
    return _encoded(json.dumps(body, ensure_ascii=False))


def write_lines(rows: Iterable[Row], *, document_id: int, doc_type: str | None) -> bytes:
    """Return one example per line: a region of a page image and the text a person says stands there.

    Only verified rows (accepted, edited) with a place are examples. `image_key` is relative to the
    organisation's prefix in the archive.
    """
    lines = []
    for row in rows:
        if not row.status.verified or row.bbox is None:
            continue
        example = {
            "text": row.value,
            "field_key": row.key,
            "doc_type": doc_type,
            "page_number": row.page_number,
            "bbox": row.bbox.to_dict(),
            "image_key": f"pages/{document_id}/p{row.page_number}.png",
            "status": row.status.value,
        }
        lines.append(compact_json(example) + "\n")
    return _encoded("".join(lines))


def _encoded(text: str) -> bytes:
    # A lone surrogate has no UTF-8 form; its backslash escape is what JSON calls it.
    return text.encode(errors="backslashreplace")
