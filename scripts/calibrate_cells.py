"""Fit the confidence of the cells of tables: `layers/alma/alma/data/cells.json`.

    python -m scripts.calibrate_cells --data DIR [--words DIR] [--out FILE]

DIR holds `labels.jsonl`, the documents and `ocr_lines.jsonl`. Labels of cells come from two places, and what
neither knows is not judged:

- **Invoices** that carry their own data (Factur-X and ZUGFeRD: an XML file attached to the PDF) say
  description, quantity, unit price, tax rate and amount of every line. An attachment whose values do not
  stand on the pages is another invoice's, and left out. Pages are read as text and, as images, by character
  recognition: each alone and both together.
- **Receipts** whose lines people have transcribed: the rows of the transcription, where its amounts come to
  the labelled total. What recognition reads is compared with those.

Figures are out of fold, five folds over `group`. Words are cached under `--words`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from PIL import Image
from pypdf import PdfReader
from pypdf.errors import PyPdfError
from rich.progress import track as progress

from alma.datamodel.geometry import Box, Word
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import shipped_schemas
from alma.errors import AlmaError
from alma.extraction.resolve import layouts_by_track
from alma.extraction.tables.cell_signals import CALIBRATION, CELL_SIGNALS, CellVector
from alma.extraction.tables.page_tables import TableRow
from alma.extraction.tables.rows import judged_rows
from alma.files.isolation import read_file
from alma.learning.calibration import Sample, cross_fitted
from alma.learning.evaluation import canonical
from alma.learning.metrics import confidence_measures
from alma.settings import Settings
from scripts.labelled.labels import MODELS, fold_of, read_labels, words_of

OUT = Path(__file__).parent.parent / "layers/alma/alma/data" / CALIBRATION
LINES = "ocr_lines.jsonl"
#: Elements of an attached invoice by the column they label; the first that is there counts, or any of them.
ELEMENTS = {
    "quantity": ("BilledQuantity",),
    "unit_price": ("ChargeAmount",),
    "tax_rate": ("RateApplicablePercent", "ApplicablePercent"),
    "amount": ("LineTotalAmount",),
}
#: Pages of an invoice that are read as images; share of an attachment's amounts that must stand on the pages.
IMAGES, PRINTED = 3, 0.9
#: Groups of documents a kind of table needs before its confidence is stated; judged cells worth fitting.
MIN_GROUPS, LEAST = 5, 100
#: Penalties: a document's cells, read three times, are alike and tell less than their number says.
RIDGE = (2.0, 0.5, 1.0)


#: A row as a track reads it, the signals of its cells, and the kind of its table.
Row = tuple[TableRow, dict[str, CellVector], str]


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """What a row of a table says, by column: each of several values is right."""

    cells: Mapping[str, frozenset[str]]
    whole: bool = False
    """Its text is all of the description; an attachment's is where that begins."""

    def right(self, key: str, value: str) -> bool | None:
        """Tell whether a cell is read right; None where it has no label."""
        labels = self.cells.get(key)
        if not labels:
            return None
        if key == "description":
            said = canonical(value)
            return any(said == label or (not self.whole and said.startswith(label)) for label in labels)
        return any(_number(value) == _number(label) for label in labels)

    def likeness(self, row: TableRow) -> int:
        """Return the number of cells of a row that are read right."""
        return sum(self.right(key, cell.value) is True for key, cell in row.cells.items())


def _number(text: str) -> Decimal | str:
    """Return a number without its sign: a credit note prints one that its data leave out."""
    try:
        return abs(Decimal(text)).normalize()
    except InvalidOperation:
        return text


# --- labels ---------------------------------------------------------------------------------------------


def attached_rows(pdf: Path) -> list[LabelledRow]:
    """Return the lines of the invoice that is attached to a PDF; none where there is no such attachment."""
    try:
        attached = [content for each in PdfReader(pdf).attachments.values() for content in each]
    except PyPdfError:
        return []
    for content in attached:
        try:
            root = ElementTree.fromstring(content)
        except ElementTree.ParseError:
            continue
        items = [e for e in root.iter() if _name(e) == "IncludedSupplyChainTradeLineItem"]
        rows = [row for row in map(_attached_row, items) if row.cells.get("amount")]
        if rows:
            return rows
    return []


def _attached_row(item: ElementTree.Element) -> LabelledRow:
    said: dict[str, list[str]] = {}
    for element in item.iter():
        if element.text and element.text.strip():
            said.setdefault(_name(element), []).append(element.text.strip())
    cells = {
        key: frozenset(value for name in names for value in said.get(name, ()))
        for key, names in ELEMENTS.items()
    }
    return LabelledRow(
        cells | {"description": frozenset(canonical(name) for name in said.get("Name", ())[:1])}
    )


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def printed(rows: Sequence[LabelledRow], pages: Sequence[PageText]) -> bool:
    """Tell whether the amounts of labelled rows stand on the pages."""
    text = "".join(c for page in pages for word in page.words for c in word.text if c.isdigit())
    amounts = [
        "".join(c for c in f"{Decimal(amount):.2f}" if c.isdigit())
        for row in rows
        for amount in row.cells["amount"]
    ]
    return sum(amount in text for amount in amounts) >= PRINTED * len(amounts)


def transcribed_page(lines: Iterable[Mapping[str, Any]], like: PageText) -> PageText:
    """Return transcribed lines as a page like another one: each word as long as its share of the letters."""
    words = []
    for number, line in enumerate(lines):
        box, text = Box.from_dict(line["bbox"]), str(line["text"])
        at = 0
        for piece in text.split():
            at = text.index(piece, at)
            words.append(
                Word(
                    piece,
                    Box(box.x + box.w * at / len(text), box.y, box.w * len(piece) / len(text), box.h),
                    number,
                )
            )
            at += len(piece)
    return replace(like, words=tuple(words), unreadable=0)


def transcribed_rows(document: Mapping[str, Any], page: PageText) -> list[LabelledRow]:
    """Return the rows of a transcribed receipt; none where they do not come to the labelled total."""
    totals = {
        _number(str(f.get("normalized") or f["value"])) for f in document["fields"] if f["key"] == "total"
    }
    rows = [row for row, *_ in rows_of("receipt", [page], Track.VISION)]
    amounts = [row.cells["amount"].value for row in rows if "amount" in row.cells]
    if not amounts or _number(str(sum(map(Decimal, amounts)))) not in totals:
        return []
    return [
        LabelledRow(
            {
                key: frozenset([canonical(cell.value) if key == "description" else cell.value])
                for key, cell in row.cells.items()
            },
            whole=True,
        )
        for row in rows
    ]


# --- readings -------------------------------------------------------------------------------------------


def rows_of(doc_type: str, pages: Sequence[PageText], track: Track) -> list[Row]:
    """Return the rows that a track reads among those of all, as `judged_rows` has them."""
    schema = shipped_schemas()[doc_type]
    (group,) = schema.groups
    rows = judged_rows(layouts_by_track(pages), group, schema)
    return [row[track] for row in rows if track in row]


def as_images(document: Mapping[str, Any], data: Path, cache: Path) -> list[PageText]:
    """Return the words of an invoice as recognition reads them on the images of its pages, cached."""
    path = cache / f"{document['id']}.vision.json"
    if not path.exists():
        from alma.ocr import Recognizer

        recognizer, found = Recognizer(MODELS), []
        with read_file(data / document["file"], Settings()) as file:
            for page in file:
                if page.number <= IMAGES and page.error is None:
                    with Image.open(page.image) as image:
                        found.append(json.loads(recognizer.read(image, page.number).to_json()))
        path.write_text(json.dumps(found))
    return [PageText.from_json(json.dumps(page)) for page in json.loads(path.read_text())]


def samples_of(rows: Sequence[Row], labels: Sequence[LabelledRow], fold: int) -> Iterator[Sample]:
    """Yield the judged cells of a document. A labelled row is one row at most; one that is none is wrong."""
    pairs = sorted(
        ((label.likeness(row), -n, -m) for n, (row, *_) in enumerate(rows) for m, label in enumerate(labels)),
        reverse=True,
    )
    found: dict[int, LabelledRow] = {}
    used: set[int] = set()
    for likeness, n, m in pairs:
        if likeness and -n not in found and -m not in used:
            found[-n] = labels[-m]
            used.add(-m)
    labelled = {key for label in labels for key, values in label.cells.items() if values}
    for n, (row, signals, kind) in enumerate(rows):
        for key, cell in row.cells.items():
            right = found[n].right(key, cell.value) if n in found else False if key in labelled else None
            if right is not None:
                yield Sample(kind, f"line_items.{key}", signals[key], right, fold)


def judged_cells(
    document: dict[str, Any], data: Path, words: Path, lines: Mapping[str, Any]
) -> Iterator[Sample]:
    """Yield the judged cells of a labelled document."""
    fold = fold_of(document)
    if document["doc_type"] == "receipt":
        pages = words_of(document, data, words)
        if document["id"] not in lines or len(pages) != 1 or pages[0].turned:
            return
        labels = transcribed_rows(document, transcribed_page(lines[document["id"]], pages[0]))
        if labels:
            yield from samples_of(rows_of("receipt", pages, pages[0].track), labels, fold)
        return
    labels = attached_rows(data / document["file"])
    pages = [page for page in words_of(document, data, words) if page.track is Track.TEXT] if labels else []
    if not pages or not printed(labels, pages):
        return
    images = as_images(document, data, words)
    seen = [page for page in pages if page.page <= IMAGES]
    for each, track in ((pages, Track.TEXT), (images, Track.VISION), (seen + images, Track.VISION)):
        yield from samples_of(rows_of("invoice", each, track), labels, fold)


def main() -> int:
    """Read, judge, fit, report and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--words", type=Path, default=Path(tempfile.gettempdir()) / "alma-words")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--types", default="invoice,receipt", help="document types, separated by commas")
    options = parser.parse_args()
    options.words.mkdir(parents=True, exist_ok=True)
    labels = [d for d in read_labels(options.data) if d["doc_type"] in options.types.split(",")]
    labels = [d for d in labels if d["doc_type"] == "receipt" or d["file"].endswith(".pdf")]
    transcribed = (options.data / LINES).read_text(encoding="utf-8").splitlines()
    lines = {row["id"]: row["lines"] for row in map(json.loads, transcribed)}
    samples: list[Sample] = []
    groups: dict[str, set[str]] = {}
    documents: Counter[str] = Counter()
    for document in progress(labels, "Reading"):
        try:
            found = list(judged_cells(document, options.data, options.words, lines))
        except AlmaError as error:
            print(f"{document['id']}: {error.detail}", file=sys.stderr)
            continue
        samples += found
        for kind in {sample.doc_type for sample in found}:
            documents[kind] += 1
            groups.setdefault(kind, set()).add(str(document["group"]))
    samples = [sample for sample in samples if len(groups[sample.doc_type]) >= MIN_GROUPS]
    if len(samples) < LEAST:
        print(f"Fewer than {LEAST} judged cells: nothing to fit.", file=sys.stderr)
        return 1
    fitted, _, judged = cross_fitted(samples, signals=CELL_SIGNALS, ridge=RIDGE)
    # Nothing is known of columns without a label, so no bias of a whole type stands in for them.
    fitted["biases"] = {name: bias for name, bias in fitted["biases"].items() if "." in name}
    judged_of = list(zip(sorted(samples, key=lambda s: s.fold), judged, strict=True))
    kinds = sorted({sample.doc_type for sample in samples})
    about = {
        "fitted_on": {kind: {"documents": documents[kind], "groups": len(groups[kind])} for kind in kinds},
        "out_of_fold": {"all": confidence_measures(judged)}
        | {kind: confidence_measures([j for s, j in judged_of if s.doc_type == kind]) for kind in kinds},
    }
    print(json.dumps(about, indent=2))
    options.out.write_text(json.dumps({**about, **fitted}, indent=1) + "\n")
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
