"""What a server sends is written where the user is, by a plain name, over nothing that is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alma.cli import main
from alma.cli.downloads import local_name, name_in
from tests.unit.cli.conftest import FakeApi

HOSTILE = ["../../planted", "/tmp/planted", "..\\..\\planted", "a/b/.planted", "~/planted", "-planted"]
DOWNLOADS = {
    ("export", "7"): "/export/7",
    ("model", "download", "mdl_x"): "/models/mdl_x/file",
}


def sends(api: FakeApi, path: str, name: str, body: bytes = b"content") -> None:
    api.say("GET", path, body, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("argv", DOWNLOADS, ids=" ".join)
def test_a_file_is_written_into_this_folder_whatever_it_is_called(
    api: FakeApi, folder: Path, argv: tuple[str, ...], name: str
) -> None:
    before = {path for path in folder.parent.rglob("*") if path.is_file()}
    sends(api, DOWNLOADS[argv], name.replace("\\", "\\\\"))

    assert main(argv) == 0

    written = {path for path in folder.parent.rglob("*") if path.is_file()} - before
    assert written == {folder / "planted"}


@pytest.mark.parametrize("argv", DOWNLOADS, ids=" ".join)
def test_nothing_is_overwritten_unless_that_is_said(
    api: FakeApi, folder: Path, argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    sends(api, DOWNLOADS[argv], "mine.txt")
    mine = folder / "mine.txt"
    mine.write_text("mine")

    for more in ((), ("-o", "mine.txt")):
        assert main([*argv, *more]) == 1
        assert "mine.txt is there already; --force overwrites it" in capsys.readouterr().err
        assert mine.read_text() == "mine"
    assert main([*argv, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"] == "file_exists"
    assert main([*argv, "--force"]) == 0
    assert mine.read_text() == "content"
    assert main([*argv, "-o", "other.txt"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["mine.txt", "other.txt"]


def test_a_link_is_not_written_through(api: FakeApi, folder: Path) -> None:
    sends(api, "/export/7", "link")
    (folder / "link").symlink_to(folder.parent / "planted")

    assert main(["export", "7"]) == 1
    assert not (folder.parent / "planted").exists()


def test_a_download_that_breaks_off_leaves_no_file(
    api: FakeApi, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "old.bin").write_text("old")
    api.say("GET", "/export/7", b"short", headers={"Transfer-Encoding": "chunked"})

    assert main(["export", "7", "-o", "new.bin"]) == 1
    assert main(["export", "7", "-o", "old.bin", "--force"]) == 1
    assert "broke off" in capsys.readouterr().err
    assert (folder / "old.bin").read_text() == "old"
    assert not (folder / "new.bin").exists()


def test_devices_take_what_they_are_given_and_folders_do_not(
    api: FakeApi, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sends(api, "/export/7", "x")

    assert main(["export", "7", "-o", os.devnull]) == 0
    assert main(["export", "7", "-o", "."]) == 1
    assert "is a folder; name a file" in capsys.readouterr().err


@pytest.mark.parametrize("there", ["own.onnx", "own.json"])
def test_a_model_trained_here_and_its_card_overwrite_nothing(
    folder: Path, there: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / there).write_text("mine")

    assert main(["train", "notes/delivery_note.jsonl", "--out", "own.onnx"]) == 1  # before anything is read
    assert (folder / there).read_text() == "mine"
    assert capsys.readouterr().err == (
        f"alma: {there} is there already; --force overwrites it, another name keeps it.\n"
    )


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("own.json", "--out is the ONNX file; its card goes beside it as .json."),
        ("nowhere/own.onnx", "There is no folder nowhere; make it first."),
    ],
)
def test_a_model_that_could_not_be_written_is_not_trained(
    folder: Path, out: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "notes/delivery_note.jsonl", "--out", out]) == 1
    assert capsys.readouterr().err == f"alma: {told}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")
def test_a_terminal_is_shown_the_text_of_a_file_alone(api: FakeApi, folder: Path) -> None:
    def on_terminal(body: bytes) -> tuple[int, bytes]:
        sends(api, "/export/7", "x", body)
        ours, theirs = os.openpty()
        done = subprocess.run(
            [sys.executable, "-m", "alma.cli", "export", "7", "-o", "-"], stdout=theirs, check=False
        )
        os.close(theirs)
        shown = b""
        try:
            while block := os.read(ours, 4096):
                shown += block
        except OSError:
            pass  # the end, on Linux
        os.close(ours)
        return done.returncode, shown

    assert on_terminal(b"\x1b]0;title\x07a,b\n")[1].strip() == b"]0;titlea,b"
    assert on_terminal(b"PK\x03\x04\0\xff") == (1, b"")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a\\"b.pdf"', 'a"b.pdf'),
        ("attachment; filename=a.pdf; size=3", "a.pdf"),
        ("attachment; filename=\"plain.pdf\"; filename*=UTF-8''na%C3%AFve%2F..%2Fx.pdf", "naïve/../x.pdf"),
        ("attachment", None),
    ],
)
def test_the_name_in_a_header(header: str, name: str | None) -> None:
    assert name_in(header) == name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (None, "other"),
        ("..", "other"),
        ("a\u202efdp.exe", "afdp.exe"),
        ("a\x1b[2J\0.pdf", "a[2J.pdf"),
        ("naïve.pdf", "naïve.pdf"),
        ("x" * 400 + ".pdf", "x" * 196 + ".pdf"),
    ],
)
def test_a_name_from_a_server_is_a_plain_one(given: str | None, name: str) -> None:
    assert local_name(given, "other") == name


# --- data sets --------------------------------------------------------------

LINE: dict[str, Any] = {
    "text": "12",
    "field_key": "total",
    "doc_type": "receipt",
    "page_number": 1,
    "bbox": {"x": 0.1, "y": 0.1, "w": 0.1, "h": 0.1},
    "image_key": "pages/7/p1.png",
    "status": "accepted",
}
DOCUMENT = {"documentId": 7, "pages": 1, "complete": True, "examples": 1}


@pytest.fixture
def dataset(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the data set is; a test changes it. Lines and manifest have one path, so the client is asked."""
    from alma.cli.client import Client
    from alma.datamodel.schemas import shipped_schemas

    definition = shipped_schemas()["receipt"].definition.model_dump(mode="json", exclude_defaults=True)
    given: dict[str, Any] = {
        "types": ["receipt"],
        "lines": [LINE],
        "manifest": {
            "docType": "receipt",
            "schema": definition,
            "documents": [DOCUMENT],
            "examples": 1,
            "nextCursor": None,
        },
    }
    api.say("GET", "/pages/7/p1.json", b'{"page": 1, "tracks": []}')
    api.say("GET", "/pages/7/p1.png", b"png")
    answered = Client.call

    def call(self: Client, method: str, path: str, body: object = None, **query: object) -> dict[str, Any]:
        if path == "/datasets":
            rows = [{"docType": each, "documents": 1, "examples": 1} for each in given["types"]]
            api.say("GET", path, {"datasets": rows})
        else:
            api.say("GET", path, given["manifest"])
        return answered(self, method, path, body, **query)

    fetched = Client.fetch

    def fetch(self: Client, path: str, *arguments: Any, **more: Any) -> bool:
        if path.startswith("/datasets/"):
            api.say("GET", path, "".join(json.dumps(line) + "\n" for line in given["lines"]).encode())
        return fetched(self, path, *arguments, **more)

    monkeypatch.setattr(Client, "call", call)
    monkeypatch.setattr(Client, "fetch", fetch)
    return given


def test_a_data_set_is_pulled_and_brought_up_to_date(dataset: dict[str, Any], folder: Path) -> None:
    for _ in range(2):
        assert main(["dataset", "pull", "mine"]) == 0
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == [
        "mine/pages/7/p1.json",
        "mine/pages/7/p1.png",
        "mine/receipt.jsonl",
        "mine/receipt.manifest.json",
    ]


@pytest.mark.parametrize("number", ["../../planted", "7", 7.0, True, 0, -7, None])
def test_a_document_in_a_manifest_is_a_number(
    dataset: dict[str, Any], folder: Path, number: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without an example, so that no line contradicts it.
    dataset["manifest"]["documents"] = [DOCUMENT, DOCUMENT | {"documentId": number, "examples": 0}]

    assert main(["dataset", "pull", "mine", "--type", "receipt"]) == 1
    assert not [path for path in folder.parent.rglob("*") if path.suffix in (".png", ".json", ".jsonl")]
    assert "data set" in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"image_key": "pages/8/p1.png"}, {"page_number": 2}, {"page_number": -1}])
def test_a_line_names_a_page_of_the_manifest(
    dataset: dict[str, Any], folder: Path, change: dict[str, Any]
) -> None:
    line = LINE | change
    dataset["lines"] = [line]
    number = int(line["image_key"].split("/")[1])
    dataset["manifest"]["documents"] = [DOCUMENT, DOCUMENT | {"documentId": 8, "pages": 0}][: number - 6]
    dataset["manifest"]["documents"][0] = DOCUMENT | {"examples": int(number == 7)}

    assert main(["dataset", "pull", "mine", "--type", "receipt"]) == 1
    assert not (folder / "mine" / "receipt.jsonl").exists()


@pytest.mark.parametrize("name", ["../planted", "/tmp/planted", "..", "Receipt", "a" * 65])
def test_a_type_that_the_server_lists_is_a_type(
    dataset: dict[str, Any], folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset["types"] = [name]

    assert main(["dataset", "pull", "mine"]) == 1
    assert f"{name} is the name of no document type." in capsys.readouterr().err.replace("\n", "")
    assert list(folder.parent.rglob("*.jsonl*")) == []


def test_lines_that_were_not_pulled_stay_unless_that_is_said(
    dataset: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = folder / "receipt.jsonl"
    lines.write_text("mine")

    assert main(["dataset", "pull", "."]) == 1
    assert "receipt.jsonl is there and was not pulled" in capsys.readouterr().err
    assert lines.read_text() == "mine"
    assert main(["dataset", "pull", ".", "--force"]) == 0
    assert json.loads(lines.read_text()) == LINE
