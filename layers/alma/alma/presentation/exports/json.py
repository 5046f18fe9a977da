"""JSON: the document as the API shows it; and JSON lines: its verified fields as training examples."""

from __future__ import annotations

import json
from collections.abc import Iterable

from alma.datamodel.examples import Example, image_key
from alma.presentation.document import DocumentContent, project
from alma.presentation.exports.rows import Row


def write(content: DocumentContent, *, tracks: bool = False) -> bytes:
    """Return the body of `GET /api/v1/documents/{id}`, with `tracks` that of `?tracks=all`.

    No field is left out: each says its status, rejected ones too.
    """
    return _encoded(json.dumps(project(content, tracks=tracks), ensure_ascii=False))


def examples_of(rows: Iterable[Row], *, document_id: int, doc_type: str | None) -> tuple[Example, ...]:
    """Return the training examples among rows: those a person stands behind that have a place on a page.

    Two rows that say the same of one place are one example.
    """
    found: dict[Example, None] = {}
    for row in rows:
        if row.status.verified and row.bbox is not None and row.page_number is not None:
            example = Example(
                row.value,
                row.key,
                doc_type,
                row.page_number,
                row.bbox.rounded(),
                image_key(document_id, row.page_number),
                row.status,
            )
            found[example] = None
    return tuple(found)


def write_lines(rows: Iterable[Row], *, document_id: int, doc_type: str | None) -> bytes:
    """Return the training examples among rows, a line for each."""
    return lines_of(examples_of(rows, document_id=document_id, doc_type=doc_type))


def lines_of(examples: Iterable[Example]) -> bytes:
    """Return a line for each example."""
    return _encoded("".join(example.to_json() + "\n" for example in examples))


def _encoded(text: str) -> bytes:
    # A lone surrogate has no UTF-8 form; its backslash escape is what JSON calls it.
    return text.encode(errors="backslashreplace")
