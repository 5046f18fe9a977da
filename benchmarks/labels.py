"""Labelled folders: `labels.jsonl` with one document a line, and the files it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_labels(data: Path) -> list[dict[str, Any]]:
    """Return the rows of a labelled folder.

    Each has `id`, `file` (relative to the folder), `doc_type` and `fields`: a list of `key`, `value`,
    `normalized`?, `page`, `bbox`, `also_at`?, `weak`?.

    Raises
    ------
    SystemExit
        The folder has no labels, or a line is not one; the message says which.
    """
    path = data / "labels.jsonl"
    if not path.is_file():
        raise SystemExit(f"{path} does not exist: --data names a folder with labels.jsonl in it.")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            missing = {"id", "file", "doc_type", "fields"} - row.keys()
        except (ValueError, AttributeError) as error:
            raise SystemExit(f"{path}, line {number}: {error}") from None
        if missing:
            raise SystemExit(f"{path}, line {number}: lacks {', '.join(sorted(missing))}")
        if not (data / row["file"]).is_file():
            raise SystemExit(f"{path}, line {number}: {row['file']} is not there")
        rows.append(row)
    return rows
