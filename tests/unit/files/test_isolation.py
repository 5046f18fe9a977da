"""Files are read in a process of their own: whatever becomes of it, the caller gets pages or a reason."""

import logging
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from alma.errors import UnreadableFileError
from alma.files.isolation import FilePage, read_file
from alma.files.kinds import Kind
from alma.settings import Settings
from tests.unit.files.making_pdfs import pdf_of_pages, stream, text, write_pdf

SETTINGS = Settings(page_image_side=400)


@pytest.fixture(autouse=True)
def no_leftovers(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail where a process or a temporary file outlives the reading."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    started: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    yield
    assert list(folder.iterdir()) == []
    assert [process.pid for process in started if Path(f"/proc/{process.pid}").exists()] == []
    assert all(process.returncode is not None for process in started)


def written(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


def pages_of(path: Path, settings: Settings = SETTINGS, first_page: int = 1) -> list[FilePage]:
    with read_file(path, settings, first_page=first_page) as file:
        return list(file)


def refusal(path: Path, settings: Settings = SETTINGS) -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        pages_of(path, settings)
    return caught.value


@pytest.fixture
def three_pages(tmp_path: Path) -> Path:
    return written(tmp_path, pdf_of_pages(*(text(60, 700, word) for word in ("one", "two", "three"))))


def parser(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a shell script into the parser's place; it has read its order."""
    program = folder / "parser"
    program.write_text(f"#!/bin/sh\nread order\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


PAGE = '{"width": 1, "height": 1, "text": null, "needs_vision": true}'


def test_pages_come_with_image_words_and_what_is_known_of_the_file(three_pages: Path) -> None:
    with read_file(three_pages, SETTINGS) as file:
        assert (file.kind, file.pages) == (Kind.PDF, 3)
        seen = []
        for page in file:
            with Image.open(page.image) as image:
                assert (image.format, image.size) == ("PNG", (page.width, page.height))
            assert page.text is not None
            seen.append((page.number, page.width, page.height, page.text.words[0].text, page.needs_vision))
    assert seen == [(1, 300, 400, "one", False), (2, 300, 400, "two", False), (3, 300, 400, "three", False)]
    assert file.peak_memory > 10 * 2**20


def test_an_image_is_there_until_the_next_page_is_taken(three_pages: Path) -> None:
    with read_file(three_pages, SETTINGS) as file:
        first, second = next(file), next(file)
        assert not first.image.exists()
        assert second.image.exists()
    assert not second.image.exists()


def test_reading_can_begin_at_any_page(three_pages: Path) -> None:
    assert [page.number for page in pages_of(three_pages, first_page=3)] == [3]
    assert pages_of(three_pages, first_page=4) == []


def test_a_file_that_is_opened_and_not_read_leaves_nothing(three_pages: Path) -> None:
    opened = read_file(three_pages, SETTINGS)
    (folder,) = Path(tempfile.gettempdir()).iterdir()

    opened.close()

    assert not folder.exists()


def test_a_closed_file_has_no_more_pages(three_pages: Path) -> None:
    with read_file(three_pages, SETTINGS) as file:
        next(file)
    assert list(file) == []


def test_limits_on_bytes_and_pages(three_pages: Path) -> None:
    too_large = refusal(three_pages, Settings(max_file_bytes=100))
    assert too_large.code == "file_too_large"
    too_many = refusal(three_pages, Settings(max_pages=2))
    assert (too_many.code, too_many.detail) == (
        "too_many_pages",
        "The file has 3 pages and the limit is 2; split it.",
    )


def test_the_reason_of_the_parser_reaches_the_caller(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, b"%PDF-1.7\nnothing more"))
    assert (error.code, error.status, error.retryable) == ("damaged_file", 422, False)
    assert "export or print it to PDF again" in error.detail


def test_a_page_that_draws_itself_for_ever_is_given_up(tmp_path: Path) -> None:
    # Ten forms, each of which draws the next one twenty times.
    forms = [
        stream(
            b"/X Do " * 20,
            b"/Type /XObject /Subtype /Form /BBox [0 0 600 800] /Resources << /XObject << /X %d 0 R >> >>"
            % (6 + i),
        )
        for i in range(10)
    ]
    last = stream(b"0 0 600 800 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 600 800]")
    bomb = write_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /MediaBox [0 0 600 800]"
            b" /Resources << /XObject << /X 5 0 R >> >> >>",
            stream(b"/X Do"),
            *forms,
            last,
        ]
    )
    error = refusal(written(tmp_path, bomb), Settings(page_seconds=1))
    assert error.code == "too_complex"
    assert error.detail.startswith("The file takes longer than 1 s to read;")


def test_a_file_that_needs_too_much_memory_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "file"
    Image.new("1", (16000, 16000)).save(path, "PNG")
    error = refusal(path, Settings(parser_memory_mb=200, max_pixels=10**9))
    assert error.code == "too_complex"
    assert "memory" in error.detail


def test_a_page_that_crashes_the_parser_costs_that_page_only(
    three_pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    script = f"""echo '{{"pages": 3}}'
    while read n; do [ $n = 2 ] && kill -SEGV $$; echo '{PAGE}'; done"""
    parser(tmp_path, monkeypatch, script)
    with caplog.at_level(logging.WARNING):
        pages = pages_of(three_pages)
    assert [(page.number, page.error and page.error.code) for page in pages] == [
        (1, None),
        (2, "damaged_file"),
        (3, None),
    ]
    assert "the parser ended with status -11" in caplog.text


def test_a_file_none_of_whose_pages_can_be_read_is_refused(
    three_pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser(tmp_path, monkeypatch, """echo '{"pages": 3}'; read n; kill -SEGV $$""")
    error = refusal(three_pages)
    assert (error.code, error.detail) == (
        "damaged_file",
        "Page 1 is damaged and cannot be read; print or scan the document anew and send that.",
    )


def test_after_three_lost_parsers_the_remaining_pages_are_not_tried(
    three_pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""echo '{{"pages": 6}}'
    while read n; do [ $n = 1 ] || kill -SEGV $$; echo '{PAGE}'; done"""
    parser(tmp_path, monkeypatch, script)
    pages = pages_of(three_pages)
    assert [page.error and page.error.code for page in pages] == [
        None,
        *["damaged_file"] * 3,
        *["too_complex"] * 2,
    ]


def test_the_parser_knows_no_credentials(
    three_pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser(tmp_path, monkeypatch, f"env > {tmp_path}/environment; echo '{{\"pages\": 0}}'")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    assert pages_of(three_pages) == []
    assert "AWS" not in (tmp_path / "environment").read_text()


def test_pages_of_a_tiff_fail_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    small, large = Image.effect_noise((50, 50), 80), Image.effect_noise((500, 500), 80)
    small.save(path, "TIFF", save_all=True, append_images=[large, small])
    pages = pages_of(path, Settings(max_pixels=10_000))
    assert [page.error and page.error.code for page in pages] == [None, "image_too_large", None]


def test_an_image_of_nearly_as_many_pixels_as_are_read_is_read(tmp_path: Path) -> None:
    width, height = 14_000, 7_000  # 98 million with transparency, which takes the most to convert

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(1)
    row = b"\0" + bytes(4 * width)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")

    (page,) = pages_of(written(tmp_path, png))

    assert (page.error, page.width, page.height) == (None, 400, 200)
