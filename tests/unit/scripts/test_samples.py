"""The sample documents: what stands on them, that they are stated, and that the script still makes them."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pytest
from PIL import Image

from alma.datamodel.geometry import Box
from alma.datamodel.pages import PageText
from alma.files.isolation import read_file
from alma.ocr import Recognizer
from alma.settings import Settings
from scripts import make_delivery_notes, make_samples, samples
from scripts.sheets import Sheet

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
LABELS: list[dict[str, Any]] = [
    json.loads(line) for line in (SAMPLES / "labels.jsonl").read_text(encoding="utf-8").splitlines()
]
BY_FILE = {row["file"]: row for row in LABELS}
DOCUMENTS = sorted(p.name for p in SAMPLES.iterdir() if p.suffix in {".pdf", ".jpg", ".png"})


def values(name: str) -> dict[str, str]:
    return {field["key"]: field["value"] for field in BY_FILE[name]["fields"]}


def box(name: str, key: str) -> Box:
    return Box.from_dict(next(f["bbox"] for f in BY_FILE[name]["fields"] if f["key"] == key))


def test_there_is_a_receipt_an_invoice_a_contract_a_turned_scan_and_a_deed() -> None:
    assert DOCUMENTS == ["contract.pdf", "deed.pdf", "invoice.pdf", "receipt.jpg", "registration-turned.jpg"]


def test_every_sample_is_labelled_and_its_source_and_licence_are_stated() -> None:
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert sorted(BY_FILE) == DOCUMENTS
    for row in LABELS:
        body = (SAMPLES / row["file"]).read_bytes()
        assert hashlib.sha256(body).hexdigest() == row["sha256"]
        assert re.search(rf"\| {re.escape(row['file'])} \|.*\| {re.escape(row['licence'])} \|", readme)


def test_all_samples_together_are_under_two_megabytes() -> None:
    assert sum((SAMPLES / name).stat().st_size for name in DOCUMENTS) < 2_000_000


@pytest.mark.parametrize("number", range(1, make_delivery_notes.COUNT + 1))
def test_the_script_makes_the_committed_delivery_notes_byte_for_byte(number: int) -> None:
    sample = make_delivery_notes.note(number)
    assert (SAMPLES / "delivery-notes" / sample.name).read_bytes() == sample.body


@pytest.mark.parametrize("make", make_samples.MAKERS[:2])
def test_the_script_makes_the_committed_documents_byte_for_byte(make: Any) -> None:
    sample = make()
    assert (SAMPLES / sample.name).read_bytes() == sample.body


@pytest.mark.parametrize("make", make_samples.MAKERS)
def test_the_script_makes_the_committed_labels(make: Any) -> None:
    made = samples.labels_of(make(), make_samples.OURS)
    committed = BY_FILE[str(made["file"])]
    assert committed | made == committed


def test_the_invoice_adds_up() -> None:
    amounts = {
        key: Decimal(value.lstrip("£")) for key, value in values("invoice.pdf").items() if "£" in value
    }
    assert amounts == {
        "total_net": Decimal("596.65"),
        "total_tax": Decimal("119.33"),
        "total_gross": Decimal("715.98"),
        "amount_due": Decimal("715.98"),
    }
    assert amounts["total_net"] + amounts["total_tax"] == amounts["total_gross"]


@pytest.mark.parametrize("name", ["invoice.pdf", "contract.pdf"])
def test_every_labelled_value_stands_in_the_text_layer_where_its_box_is(name: str) -> None:
    with pdfium.PdfDocument(SAMPLES / name) as document:
        for field in BY_FILE[name]["fields"]:
            page = document[field["page"] - 1]
            width, height = page.get_size()
            place = Box.from_dict(field["bbox"])
            text = page.get_textpage().get_text_bounded(
                left=place.x * width - 1,
                right=place.right * width + 1,
                top=height - place.y * height + 1,
                bottom=height - place.bottom * height - 1,
            )
            assert field["value"] in " ".join(text.split())


def test_the_deed_echoes_the_example_of_the_documentation() -> None:
    deed = values("deed.pdf")
    assert (deed["grantor_name"], deed["parcel_acreage"]) == ("Josiah A. Greaves", "12.5")
    assert box("deed.pdf", "grantor_name").iou(Box(0.142, 0.331, 0.268, 0.041)) > 0.5
    assert box("deed.pdf", "parcel_acreage").iou(Box(0.557, 0.214, 0.083, 0.029)) > 0.5
    assert [f["page"] for f in BY_FILE["deed.pdf"]["fields"] if f["key"] == "parcel_acreage"] == [2]


def test_the_deed_is_a_scan_without_a_text_layer() -> None:
    with pdfium.PdfDocument(SAMPLES / "deed.pdf") as document:
        assert len(document) == 2
        assert [page.get_textpage().count_chars() for page in document] == [0, 0]


def test_the_registration_form_lies_on_its_side_and_says_so_nowhere() -> None:
    with Image.open(SAMPLES / "registration-turned.jpg") as image:
        assert image.width > image.height
        assert 0x0112 not in image.getexif()
    # A line of text that stands upright is taller than wide.
    place = box("registration-turned.jpg", "registrant_name")
    assert place.h > 5 * place.w


def test_a_label_must_stand_in_its_paragraph() -> None:
    with pytest.raises(ValueError, match="does not stand"):
        Sheet(600, 800).paragraph(0, 0, 600, "no such thing", labels=(("party", "Acme", None),))


@pytest.fixture(scope="module")
def recognised(models_dir: Path) -> dict[str, PageText]:
    """The first page of each scan, as recognition reads it."""
    recognizer = Recognizer(models_dir)
    found = {}
    for name in ("deed.pdf", "registration-turned.jpg"):
        with (
            read_file(SAMPLES / name, Settings(page_image_side=1200)) as file,
            Image.open(next(iter(file)).image) as image,
        ):
            found[name] = recognizer.read(image, 1)
    return found


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("deed.pdf", "grantor_name"),
        ("deed.pdf", "consideration"),
        ("registration-turned.jpg", "registrant_name"),
        ("registration-turned.jpg", "registration_num"),
    ],
)
def test_recognition_reads_the_scans_where_their_labels_are(
    recognised: dict[str, PageText], name: str, key: str
) -> None:
    place = box(name, key)
    words = [w for w in recognised[name].words if w.box.overlap(place) > 0.5 * w.box.area]
    assert " ".join(word.text for word in words) == values(name)[key]


def test_recognition_finds_out_which_way_the_turned_scan_is_up(recognised: dict[str, PageText]) -> None:
    assert {name: page.turned for name, page in recognised.items()} == {
        "deed.pdf": 0,
        "registration-turned.jpg": 90,
    }
