"""What the scripts that make sample documents share: the sample, its label line, its footer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from scripts.sheets import SANS, Label, Sheet

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
A4 = (595.0, 842.0)
SPECIMEN = "Specimen made for alma. All persons, firms and numbers are invented."


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample document with its labels."""

    name: str
    """File name."""
    doc_type: str
    body: bytes
    pages: list[list[Label]]
    """The labelled values of each page, boxes on the page as displayed."""


def footer(sheet: Sheet, *, font: str = SANS, page: str = "") -> None:
    """Draw the line that says that the sheet is invented, and the page's number."""
    sheet.text(sheet.width / 2, sheet.height - 26, SPECIMEN, font=font, size=6.5, align="centre", grey=0.45)
    if page:
        sheet.text(sheet.width / 2, sheet.height - 40, page, font=font, size=9, align="centre", grey=0.2)


def labels_of(sample: Sample, source: str) -> dict[str, object]:
    """Return a sample's line of labels.jsonl."""
    fields: list[dict[str, object]] = []
    for number, labels in enumerate(sample.pages, start=1):
        for label in labels:
            entry: dict[str, object] = {"key": label.key, "value": label.value}
            if label.normalized is not None:
                entry["normalized"] = label.normalized
            fields.append(entry | {"page": number, "bbox": label.box.to_dict()})
    return {
        "id": sample.name.rpartition(".")[0],
        "file": sample.name,
        "pages": len(sample.pages),
        "source": source,
        "licence": "Apache-2.0",
        "doc_type": sample.doc_type,
        "fields": fields,
    }


def with_provenance(line: dict[str, object], body: bytes) -> dict[str, object]:
    """Return a line of labels.jsonl with the file's hash, size, licence class and language."""
    return line | {
        "sha256": hashlib.sha256(body).hexdigest(),
        "bytes": len(body),
        "licence_class": "open",
        "lang": "en",
    }
