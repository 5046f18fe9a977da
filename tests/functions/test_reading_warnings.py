"""What could not be read, from a file to the answers that say so."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from alma.pipeline import extract as pipeline_extract
from alma.settings import settings
from tests.cloud import Tenant
from tests.conftest import ROOT
from tests.reading import drop, ingest, read_to_the_end

pytestmark = pytest.mark.usefixtures("aws")

NOTE = [
    "Накладная № 4417",
    "Дата: 14.03.2024",
    "Перевозчик: Северный путь",
    "Получатель: Усадьба Берёзовка",
    "Доски сосновые, двенадцать связок, и рабочий стол",
    "Груз принят полностью и без повреждений",
]
NOT_KNOWN = (
    "Its text is in Cyrillic letters, and alma knows no document type's words in it. Describe a type of your "
    "own with labels as they stand in it (PUT /api/v1/schemas/NAME), and have it read as that: "
    'POST /api/v1/documents/ID/extract with {"docType": "NAME"}, or send it with --type NAME.'
)
OWN_TYPE = {
    "keywords": ["накладная", "перевозчик", "получатель"],
    "fields": [
        {"key": "date", "type": "date", "aliases": ["дата"]},
        {"key": "carrier", "type": "name", "aliases": ["перевозчик"]},
    ],
}


@pytest.fixture(autouse=True)
def _models(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    local = replace(settings(), models_dir=str(models_dir))
    monkeypatch.setattr(pipeline_extract, "settings", lambda: local)


def pdf(lines: list[str]) -> bytes:
    """Return a PDF whose text layer holds lines in any script."""
    figure, out = Figure(figsize=(8.27, 11.69)), io.BytesIO()
    for number, line in enumerate(lines):
        figure.text(0.05, 0.9 - 0.03 * number, line, fontsize=8, family="DejaVu Sans Mono")
    with mpl.rc_context({"pdf.fonttype": 42}):
        figure.savefig(out, format="pdf")
    return out.getvalue()


def png(lines: list[str]) -> bytes:
    """Return an image of lines in any script."""
    image, out = Image.new("RGB", (1240, 900), "white"), io.BytesIO()
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans Mono"), 20)
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((20, 40 + 50 * number), line, "black", font)
    image.save(out, "png")
    return out.getvalue()


def dropped(tenant: Tenant, name: str, content: bytes) -> Any:
    ingest(drop(f"inbox/greaves/{name}", content))
    read_to_the_end()
    return got(tenant)


def got(tenant: Tenant) -> Any:
    return tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": "1"}).json


def listed(tenant: Tenant) -> Any:
    return tenant.call("documents", "GET", "/v1/documents").json["documents"][0]


def test_a_text_in_a_script_without_types_says_so_until_a_type_of_ones_own_reads_it() -> None:
    tenant = Tenant.create("greaves")

    assert dropped(tenant, "note.pdf", pdf(NOTE)) == {
        "documentId": 1,
        "docType": None,
        "warning": {"reason": "script_not_known", "detail": NOT_KNOWN},
        "fields": [],
    }
    assert listed(tenant)["warning"] == {"reason": "script_not_known", "detail": NOT_KNOWN}
    digitized = tenant.call("digitize", "POST", "/v1/digitize", body={"documentId": 1})
    assert digitized.json["warning"]["reason"] == "script_not_known"

    put = tenant.call("schemas", "PUT", "/v1/schemas/{docType}", body=OWN_TYPE, path={"docType": "waybill"})
    assert put.status == 201
    asked = tenant.call(
        "reviews", "POST", "/v1/documents/{id}/extract", body={"docType": "waybill"}, path={"id": "1"}
    )
    assert asked.status == 202
    read_to_the_end()

    found = got(tenant)
    assert (found["docType"], "warning" in found, "warning" in listed(tenant)) == ("waybill", False, False)
    assert {field["key"]: field["value"] for field in found["fields"]} == {
        "date": "2024-03-14",
        "carrier": "Северный путь",
    }


def test_an_image_in_letters_that_the_recogniser_does_not_know_says_so() -> None:
    found = dropped(Tenant.create("greaves"), "note.png", png(NOTE))

    assert (found["docType"], found["fields"]) == (None, [])
    assert found["warning"]["reason"] == "text_not_read"
    assert "letters that the recogniser does not know" in found["warning"]["detail"]


def test_a_letter_is_of_no_type_and_says_so() -> None:
    found = dropped(
        Tenant.create("greaves"), "letter.png", png(["Dear Margaret,", "the roses are out at last."])
    )

    assert (found["docType"], found["warning"]["reason"]) == (None, "no_type_fits")


@pytest.mark.parametrize(
    ("paper", "made", "rows"),
    [
        ("czech-invoice-1", pdf, [("Police buková", "10", "12.50"), ("Pracovní stůl", "4", "320.25")]),
        ("polish-invoice-1", png, [("Półka bukowa", "10", "12.50"), ("Stół roboczy", "4", "320.25")]),
    ],
)
def test_what_is_read_well_has_its_lines_and_no_warning(
    paper: str, made: Callable[[list[str]], bytes], rows: list[tuple[str, ...]]
) -> None:
    tenant = Tenant.create("greaves")
    text = (ROOT / f"tests/unit/extraction/languages/{paper}.txt").read_text("utf-8").partition("---")[0]

    found = dropped(tenant, "invoice", made(text.splitlines()))

    assert (found["docType"], "warning" in found, "warning" in listed(tenant)) == ("invoice", False, False)
    columns = [
        [f["value"] for f in found["fields"] if f["key"] == f"line_items.{column}"]
        for column in ("description", "quantity", "unit_price")
    ]
    assert list(zip(*columns, strict=True)) == rows
