"""A data set on disk: what is read from it, and what is told of one that does not fit together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from alma.datamodel.examples import Example, LabelledDocument, read_folder
from alma.datamodel.fields import Status
from alma.datamodel.geometry import Box, Word
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import FieldType
from alma.errors import AlmaError
from tests.patience import HANGS

LINE = (
    '{"text":"Josiah A. Greaves","field_key":"grantor_name","doc_type":"deed_of_conveyance",'
    '"page_number":1,"bbox":{"x":0.142,"y":0.331,"w":0.268,"h":0.041},'
    '"image_key":"pages/%d/p1.png","status":"accepted"}\n'
)
MANIFEST = {
    "docType": "deed_of_conveyance",
    "schema": {"fields": [{"key": "grantor_name", "type": "name", "aliases": ["grantor"]}]},
    "documents": [
        {"documentId": 12, "pages": 1, "complete": True, "examples": 1},
        {"documentId": 4, "pages": 1, "complete": False, "examples": 1},
    ],
    "examples": 2,
    "nextCursor": None,
}
WORDS = (
    '{"page":1,"tracks":[{"page":1,"width":1240,"height":1754,"track":"vision","turned":0,"unreadable":0,'
    '"words":[["Josiah",0.142,0.331,0.1,0.041,0,0.97]]}]}'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of two documents."""
    (tmp_path / "deed_of_conveyance.jsonl").write_text(LINE % 12 + LINE % 4)
    (tmp_path / "deed_of_conveyance.manifest.json").write_text(json.dumps(MANIFEST))
    for number in ("4", "12"):
        (tmp_path / "pages" / number).mkdir(parents=True)
        (tmp_path / "pages" / number / "p1.json").write_text(WORDS)
    return tmp_path


def test_a_folder_is_its_schema_and_its_documents_by_number(folder: Path) -> None:
    schema, found = read_folder(folder / "deed_of_conveyance.jsonl")

    assert schema.doc_type == "deed_of_conveyance"
    assert [(field.key, field.type) for field in schema.fields] == [("grantor_name", FieldType.NAME)]
    assert [document.id for document in found] == [4, 12]
    assert found[0] == LabelledDocument(
        4,
        (
            PageText(
                1,
                1240,
                1754,
                Track.VISION,
                (Word("Josiah", Box(0.142, 0.331, 0.1, 0.041), 0, 0.97),),
            ),
        ),
        (
            Example(
                "Josiah A. Greaves",
                "grantor_name",
                "deed_of_conveyance",
                1,
                Box(0.142, 0.331, 0.268, 0.041),
                "pages/4/p1.png",
                Status.ACCEPTED,
            ),
        ),
        False,
    )


@pytest.mark.parametrize(
    ("change", "error", "detail"),
    [
        (("deed_of_conveyance.manifest.json", None), "not_found", "manifest.json is missing; `alma dataset"),
        (("deed_of_conveyance.jsonl", None), "not_found", "deed_of_conveyance.jsonl is missing"),
        (("pages/4/p1.json", None), "not_found", "p1.json is missing"),
        (("pages/4/p1.json", "{}"), "bad_request", "p1.json does not hold the words of page 1"),
        (("pages/4/p1.json", '{"tracks":[{"page":1}]}'), "bad_request", "does not hold the words"),
        (("deed_of_conveyance.manifest.json", "{}"), "bad_request", "is no manifest of a data set: docType"),
        (("deed_of_conveyance.manifest.json", "no"), "bad_request", "is no manifest of a data set"),
        (("deed_of_conveyance.jsonl", LINE % 12 + "{"), "bad_request", "line 2 is no verified example"),
        (("deed_of_conveyance.jsonl", '{"text":"x"}'), "bad_request", "line 1 is no verified example"),
        (("deed_of_conveyance.jsonl", "[1]"), "bad_request", "line 1 is no verified example"),
        (
            ("deed_of_conveyance.jsonl", (LINE % 12).replace("accepted", "escalated")),
            "bad_request",
            "line 1 is no verified example",
        ),
        (
            ("deed_of_conveyance.jsonl", (LINE % 12).replace("0.142", "NaN")),
            "bad_request",
            "line 1 is no verified example",
        ),
        (
            ("deed_of_conveyance.jsonl", (LINE % 12).replace("pages/12/p1.png", "../../p1.png")),
            "bad_request",
            "line 1 is no verified example",
        ),
        (
            ("deed_of_conveyance.jsonl", (LINE % 12).replace("deed_of_conveyance", "contract")),
            "bad_request",
            "line 1 is of another document type than deed_of_conveyance",
        ),
        (("deed_of_conveyance.jsonl", LINE % 7), "bad_request", "line 1: its manifest knows no page"),
        (
            ("deed_of_conveyance.jsonl", LINE % 12 + "\n" + LINE % 4 + LINE % 12),
            "bad_request",
            "line 4 is line 1 again",
        ),
    ],
)
def test_a_folder_that_does_not_fit_together_is_told_by_file_and_line(
    folder: Path, change: tuple[str, str | None], error: str, detail: str
) -> None:
    name, content = change
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)

    with pytest.raises(AlmaError) as caught:
        read_folder(folder / "deed_of_conveyance.jsonl")

    assert caught.value.code == error
    assert detail in caught.value.detail
    assert "Greaves" not in caught.value.detail


def test_a_manifest_that_names_a_document_twice_is_refused(folder: Path) -> None:
    path = folder / "deed_of_conveyance.manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"documents": manifest["documents"] * 2}))

    with pytest.raises(AlmaError, match="names a document twice"):
        read_folder(folder / "deed_of_conveyance.jsonl")


def test_lines_that_were_taken_out_by_hand_are_not_missed(folder: Path) -> None:
    (folder / "deed_of_conveyance.jsonl").write_text(LINE % 4)

    _, found = read_folder(folder / "deed_of_conveyance.jsonl")

    assert [len(document.examples) for document in found] == [1, 0]


def test_reading_a_folder_needs_nothing_of_the_cloud() -> None:
    asked = (
        "import sys, alma.datamodel.examples; "
        "print(sorted({'boto3', 'botocore', 'pynamodb'} & set(sys.modules)))"
    )

    printed = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=HANGS
    )

    assert printed.stdout == "[]\n"
