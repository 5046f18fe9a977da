"""Checkboxes and signatures: from files made here to fields over HTTP, reviewed and exported."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from alma.datamodel.geometry import Box, Word
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import SchemaDefinition
from alma.extraction.resolve import extract as resolve
from alma.pipeline import extract as pipeline_extract
from alma.settings import settings
from tests.cloud import Answer, Tenant
from tests.functions.test_exports import body
from tests.reading import drop, ingest, read_to_the_end
from tests.unit.files.making_pdfs import pdf_of_pages, text

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture(autouse=True)
def _models(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = replace(settings(), models_dir=str(models_dir))
    monkeypatch.setattr(pipeline_extract, "settings", lambda: local)


APPLICATION: dict[str, Any] = {
    "keywords": ["membership application", "membership no"],
    "fields": [
        {"key": "number", "type": "identifier", "aliases": ["membership no"]},
        {"key": "married", "type": "checkbox", "aliases": ["married"]},
        {"key": "student", "type": "checkbox", "aliases": ["full-time student"]},
        {"key": "newsletter", "type": "checkbox", "aliases": ["send me the newsletter"]},
        {"key": "former_member", "type": "checkbox", "aliases": ["have you been a member before"]},
        {"key": "signed", "type": "signature", "aliases": ["signature of applicant"]},
    ],
}
HEAD = text(60, 740, "MEMBERSHIP APPLICATION", 16) + text(60, 700, "Membership no:  M-4471")
SCRIBBLE = (
    b"1.2 w 320 222 m 330 260 340 200 350 240 c 356 252 362 214 370 232 c 378 246 384 216 396 230 c "
    b"410 240 416 222 440 228 c S 330 218 m 352 250 l S\n"
)
LINE = b"0.8 w 300 215 m 500 215 l S\n" + text(340, 203, "Signature of applicant", 9)


def square(x: float, y: float, *, crossed: bool = False) -> bytes:
    """Return the operators of a box of ten points, with a cross in it or without."""
    cross = f"1.2 w {x + 2} {y + 2} m {x + 8} {y + 8} l S {x + 2} {y + 8} m {x + 8} {y + 2} l S\n"
    return f"0.8 w {x} {y} 10 10 re S\n{cross if crossed else ''}".encode()


def read(tenant: Tenant, file: bytes, name: str = "form.pdf") -> dict[str, dict[str, Any]]:
    """Have a file read as an application, and return its fields by key."""
    put(tenant, APPLICATION)
    ingest(drop(f"inbox/greaves/{name}", file))
    read_to_the_end()
    found = document(tenant)
    assert found["docType"] == "application"
    return {field["key"]: field for field in found["fields"]}


def put(tenant: Tenant, definition: object) -> Answer:
    path = {"docType": "application"}
    return tenant.call("schemas", "PUT", "/v1/schemas/{docType}", path=path, body=definition)


def document(tenant: Tenant) -> Any:
    path, query = {"id": "1"}, {"tracks": "all"}
    return tenant.call("documents", "GET", "/v1/documents/{id}", path=path, query=query).json


def decide(tenant: Tenant, field: str, **said: object) -> Answer:
    path = {"id": "1", "field": field}
    return tenant.call("reviews", "PATCH", "/v1/documents/{id}/fields/{field}", path=path, body=said)


def values(fields: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {key: field["value"] for key, field in fields.items()}


def test_typed_boxes_and_a_typed_signature_are_read_from_their_characters() -> None:
    tenant = Tenant.create("greaves")

    fields = read(
        tenant,
        pdf_of_pages(
            HEAD
            + text(60, 660, "[x] Married")
            + text(60, 640, "[ ] Full-time student")
            + text(60, 620, "__X__ Send me the newsletter")
            + text(300, 218, "/s/ Ann Lee")
            + LINE
        ),
    )

    assert values(fields) == {
        "number": "M-4471",
        "married": "checked",
        "student": "unchecked",
        "newsletter": "checked",
        "signed": "present",
    }
    married = fields["married"]
    assert (married["confidence"], married["status"], married["reasons"]) == (
        None,
        "escalated",
        ["confidence_unknown"],
    )
    assert married["evidence"]["page"] == 1
    assert married["evidence"]["bbox"]["x"] == pytest.approx(60 / 600, abs=0.003)


def drawn_form() -> bytes:
    return pdf_of_pages(
        HEAD
        + square(60, 658, crossed=True)
        + text(76, 660, "Married")
        + square(160, 658)
        + text(176, 660, "Full-time student")
        + text(60, 630, "Send me the newsletter")
        + square(174, 628, crossed=True)
        + text(60, 600, "Have you been a member before?   Yes")
        + square(250, 598)
        + text(280, 600, "No")
        + square(298, 598, crossed=True)
        + SCRIBBLE
        + LINE
    )


def test_drawn_boxes_and_a_signature_are_read_from_the_picture_of_a_page_with_text() -> None:
    tenant = Tenant.create("greaves")

    fields = read(tenant, drawn_form())

    assert values(fields) == {
        "number": "M-4471",
        "married": "checked",
        "student": "unchecked",
        "newsletter": "checked",
        "former_member": "unchecked",
        "signed": "present",
    }
    box = fields["student"]["evidence"]["bbox"]
    assert box["x"] == pytest.approx(160 / 600, abs=0.004)
    assert box["y"] == pytest.approx((800 - 668) / 800, abs=0.004)
    assert box["w"] == pytest.approx(10 / 600, abs=0.006)
    signature = fields["signed"]["evidence"]["bbox"]
    assert signature["x"] == pytest.approx(320 / 600, abs=0.02)


def test_what_is_not_there_has_no_value_and_an_empty_line_has() -> None:
    tenant = Tenant.create("greaves")

    fields = read(
        tenant,
        pdf_of_pages(
            HEAD
            + text(60, 660, "Married couples and those who are not married pay one fee.")
            + text(60, 600, "Have you been a member before?   Yes")
            + square(250, 598)
            + text(280, 600, "No")
            + square(298, 598)
            + LINE
        ),
    )

    assert values(fields) == {"number": "M-4471", "signed": "absent"}


def test_a_typed_name_on_the_line_is_no_signature() -> None:
    tenant = Tenant.create("greaves")

    fields = read(tenant, pdf_of_pages(HEAD + text(320, 218, "Ann Lee") + LINE))

    assert values(fields) == {"number": "M-4471"}


def scanned_form() -> bytes:
    """Return a form as a picture: checked, ticked and empty boxes, and a scribble over a line."""
    page = Image.new("L", (1240, 1754), 250)
    draw = ImageDraw.Draw(page)

    def write(x: int, y: int, words: str, size: int = 26) -> None:
        draw.text((x, y), words, font=ImageFont.load_default(size), fill=25)

    write(120, 120, "MEMBERSHIP APPLICATION", 40)
    write(120, 220, "Membership no: M-4471")
    for y, words in ((320, "Married"), (380, "Full-time student"), (440, "Send me the newsletter")):
        draw.rectangle((120, y, 146, y + 26), outline=30, width=3)
        write(170, y - 2, words)
    draw.line((125, 325, 141, 341), fill=40, width=4)
    draw.line((141, 325, 125, 341), fill=40, width=4)
    draw.line((125, 452, 131, 460, 150, 430), fill=40, width=4)
    draw.line((640, 1300, 1100, 1300), fill=30, width=3)
    write(740, 1312, "Signature of applicant", 22)
    draw.line(
        [
            (680, 1290),
            (710, 1220),
            (725, 1295),
            (760, 1240),
            (780, 1290),
            (830, 1250),
            (850, 1288),
            (960, 1262),
        ],
        fill=60,
        width=4,
    )
    out = io.BytesIO()
    page.save(out, "PNG")
    return out.getvalue()


def test_a_scan_is_read_by_the_ink_in_its_boxes_and_over_its_line() -> None:
    tenant = Tenant.create("greaves")

    fields = read(tenant, scanned_form(), "form.png")

    assert values(fields) == {
        "number": "M-4471",
        "married": "checked",
        "student": "unchecked",
        "newsletter": "checked",
        "signed": "present",
    }
    assert fields["married"]["evidence"]["bbox"]["x"] == pytest.approx(120 / 1240, abs=0.005)


def test_a_person_corrects_a_box_with_its_two_words_only_and_it_keeps_its_place() -> None:
    tenant = Tenant.create("greaves")
    fields = read(tenant, drawn_form())
    married, signed = fields["married"], fields["signed"]

    wrong = decide(tenant, married["id"], action="edit", version=married["version"], value="yes")
    drawn = {"page": 1, "bbox": {"x": 0.1, "y": 0.16, "w": 0.1, "h": 0.02}}
    alone = decide(tenant, married["id"], action="edit", version=married["version"], evidence=drawn)
    other = decide(tenant, signed["id"], action="edit", version=signed["version"], value="checked")

    assert (wrong.status, wrong.json["detail"]) == (
        400,
        "This field is a checkbox; write checked or unchecked.",
    )
    assert (alone.status, alone.json["detail"]) == (
        400,
        "There is nothing to be read in this box; say the value too.",
    )
    assert (other.status, other.json["detail"]) == (
        400,
        "This field is a signature; write present or absent.",
    )

    edited = decide(tenant, married["id"], action="edit", version=married["version"], value="Unchecked")
    accepted = decide(tenant, signed["id"], action="accept", version=signed["version"])

    assert (edited.status, accepted.status) == (200, 200)
    after = {field["key"]: field for field in document(tenant)["fields"]}
    assert (after["married"]["value"], after["married"]["status"]) == ("unchecked", "edited")
    assert after["married"]["evidence"] == married["evidence"]
    assert (after["signed"]["value"], after["signed"]["status"]) == ("present", "accepted")


def test_decisions_on_marks_give_the_next_ones_a_confidence() -> None:
    tenant = Tenant.create("greaves")
    fields = read(tenant, drawn_form())
    for key in ("married", "student", "newsletter"):
        decide(tenant, fields[key]["id"], action="accept", version=fields[key]["version"])

    ingest(drop("inbox/greaves/second.pdf", drawn_form() + b"\n"))
    read_to_the_end()

    found = tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": "2"}).json
    married = next(field for field in found["fields"] if field["key"] == "married")
    assert fields["married"]["confidence"] is None
    assert 0.5 < married["confidence"] < 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"repeated": True}, "it stands once beside its label"),
        ({"patterns": ["is (?P<value>x)"]}, "it stands once beside its label"),
    ],
)
def test_a_mark_that_cannot_be_is_refused(change: dict[str, Any], sentence: str) -> None:
    tenant = Tenant.create("greaves")

    answer = put(tenant, {"fields": [{"key": "married", "type": "checkbox"} | change]})

    assert answer.status == 400
    assert sentence in answer.json["detail"]


def test_a_mark_is_no_column_of_a_table() -> None:
    tenant = Tenant.create("greaves")

    answer = put(tenant, {"groups": [{"key": "people", "fields": [{"key": "paid", "type": "checkbox"}]}]})

    assert answer.status == 400
    assert "'paid' is a checkbox, which is no column of a table" in answer.json["detail"]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("☐ Married", "unchecked"),
        ("☑ Married", "checked"),
        ("☒ Married", "checked"),
        ("✓ Married", "checked"),
        ("■ Married", "checked"),
        ("□ Married", "unchecked"),
        ("\uf0fe Married", "checked"),
        ("\uf0a8 Married", "unchecked"),
        ("(x) Married", "checked"),
        ("( ) Married", "unchecked"),
        ("__X__ Married", "checked"),
        ("_____ Married", "unchecked"),
        ("Married ☒", "checked"),
        ("☒Married", "checked"),
        ("☐ Single ☒ Married", "checked"),
        ("☒ Single ☐ Married ☒ Widowed", "unchecked"),
        ("Single ☐ Married ☒ Widowed ☐", "checked"),
        ("Married _____", None),
        ("Married", None),
        ("She is X years married", None),
    ],
)
def test_characters_beside_a_label_say_whether_it_is_checked(words: str, value: str | None) -> None:
    assert of_words(words, "married") == value


def of_words(line: str, alias: str) -> str | None:
    """Return what a line of words, without a picture, says of a checkbox."""
    at, words = 0.1, []
    for each in line.split():
        words.append(Word(each, Box(at, 0.5, 0.01 * len(each), 0.012), 0))
        at += 0.01 * len(each) + 0.008
    page = PageText(1, 600, 800, Track.TEXT, tuple(words))
    schema = SchemaDefinition.model_validate(
        {"fields": [{"key": "state", "type": "checkbox", "aliases": [alias]}]}
    ).named("form")
    fields = resolve([page], {"form": schema}, "form").fields
    return fields[0].best.value if fields else None


def test_an_export_shows_marks_as_text() -> None:
    tenant = Tenant.create("greaves")
    fields = read(tenant, drawn_form())
    for key in ("married", "signed"):
        decide(tenant, fields[key]["id"], action="accept", version=fields[key]["version"])

    path, query = {"documentId": "1"}, {"format": "csv"}
    table = body(tenant.call("export", "GET", "/v1/export/{documentId}", path=path, query=query)).decode()

    assert [line.split(",")[:2] for line in table.splitlines()[1:]] == [
        ["number", "M-4471"],
        ["married", "checked"],
        ["student", "unchecked"],
        ["newsletter", "checked"],
        ["former_member", "unchecked"],
        ["signed", "present"],
    ]
