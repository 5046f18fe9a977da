"""The odd files of tests/data/torture: each ends as its manifest says, as pages or as a clean refusal."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from alma.errors import UnreadableFileError
from alma.files.isolation import read_file
from alma.settings import Settings
from scripts import make_torture

FOLDER = Path(__file__).resolve().parents[2] / "data" / "torture"
MANIFEST: list[dict[str, Any]] = json.loads((FOLDER / "MANIFEST.json").read_text(encoding="utf-8"))
OPEN = {"Apache-2.0", "BSD-3-Clause", "CC BY 4.0", "CC BY-SA 4.0", "MIT-CMU"}


def outcome(name: str) -> dict[str, Any]:
    try:
        with read_file(FOLDER / name, Settings(page_image_side=600)) as file:
            pages = list(file)
    except UnreadableFileError as error:
        return {"error": error.code}
    assert [page.error for page in pages] == [None] * file.pages
    return {"pages": len(pages)}


@pytest.mark.parametrize("entry", MANIFEST, ids=[entry["file"] for entry in MANIFEST])
def test_an_odd_file_ends_as_pages_or_as_a_clean_refusal(entry: dict[str, Any]) -> None:
    assert outcome(entry["file"]) == entry["expected"]


def test_the_manifest_names_every_file_with_an_open_licence() -> None:
    assert sorted(entry["file"] for entry in MANIFEST) == sorted(
        path.name for path in FOLDER.iterdir() if path.name != "MANIFEST.json"
    )
    for entry in MANIFEST:
        assert hashlib.sha256((FOLDER / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        assert entry["licence"] in OPEN
        assert entry["source"]


def test_the_manifest_covers_every_refusal_that_a_file_alone_can_cause() -> None:
    assert {e["expected"]["error"] for e in MANIFEST if "error" in e["expected"]} == {
        "damaged_file",
        "empty_file",
        "image_too_large",
        "no_pages",
        "password_protected",
        "too_many_pages",
        "unsupported_type",
    }


def test_the_committed_manifest_is_the_script_s() -> None:
    expected = {name: e for name, (_, e) in make_torture.OURS.items()}
    expected |= {name: e for name, (_, _, e) in make_torture.SOURCES.items()}
    assert {e["file"]: next(iter(e["expected"].values())) for e in MANIFEST} == expected


def words(name: str) -> str:
    with read_file(FOLDER / name, Settings(page_image_side=600)) as file:
        return " ".join(word.text for page in file if page.text is not None for word in page.text.words)


def test_a_broken_cross_reference_table_costs_no_text() -> None:
    assert words("no-xref.pdf").startswith("Delivery note Number: DN-7731")


def test_a_text_layer_that_copies_as_gibberish_is_left_to_recognition() -> None:
    with read_file(FOLDER / "garbage-text-layer.pdf", Settings(page_image_side=600)) as file:
        assert [(page.text, page.needs_vision) for page in file] == [(None, True)]


def test_the_pages_of_a_turned_pdf_come_as_they_are_displayed() -> None:
    with read_file(FOLDER / "sample-files-habibi-rotated.pdf", Settings(page_image_side=600)) as file:
        assert [page.width > page.height for page in file] == [True, False, True, False]
