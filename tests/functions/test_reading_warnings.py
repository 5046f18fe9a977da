"""What could not be read, from a file to the answers that say so."""

import io
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
        figure.text(0.1, 0.9 - 0.03 * number, line, fontsize=11, family="DejaVu Sans")
    with mpl.rc_context({"pdf.fonttype": 42}):
        figure.savefig(out, format="pdf")
    return out.getvalue()


def png(lines: list[str]) -> bytes:
    """Return an image of lines in any script."""
    image, out = Image.new("RGB", (1240, 900), "white"), io.BytesIO()
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 30)
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((80, 60 + 80 * number), line, "black", font)
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


def test_what_is_read_well_has_no_warning() -> None:
    tenant = Tenant.create("greaves")
    lines = (Path(__file__).parents[1] / "unit/extraction/languages/polish-invoice-1.txt").read_text("utf-8")
    found = dropped(
        tenant, "faktura.png", png([line for line in lines.partition("---")[0].splitlines() if line])
    )

    assert "warning" not in listed(tenant)
    assert found["docType"] == "invoice"
