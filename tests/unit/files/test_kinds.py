"""What a file is, told by its content."""

import io
import zipfile
from pathlib import Path

import openpyxl
import pytest
from PIL import Image

from alma.errors import UnreadableFileError
from alma.files.kinds import Kind, identify, kind_of


def encoded(format_name: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (3, 3)).save(stream, format_name)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("format_name", "kind"),
    [
        ("PNG", Kind.PNG),
        ("JPEG", Kind.JPEG),
        ("TIFF", Kind.TIFF),
        ("WEBP", Kind.WEBP),
        ("BMP", Kind.BMP),
        ("GIF", Kind.GIF),
        ("JPEG2000", Kind.JPEG_2000),
        ("AVIF", Kind.AVIF),
    ],
)
def test_images_are_told_by_their_first_bytes(format_name: str, kind: Kind) -> None:
    assert identify(encoded(format_name)) is kind


def test_an_avif_image_may_say_so_among_its_compatible_brands_only() -> None:
    assert identify(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf") is Kind.AVIF


def test_a_bare_jpeg_2000_codestream_is_told() -> None:
    assert identify(b"\xff\x4f\xff\x51\0\x2f") is Kind.JPEG_2000


def test_a_pdf_header_may_stand_behind_up_to_a_kilobyte_of_junk() -> None:
    assert identify(b"%PDF-1.4\n") is Kind.PDF
    assert identify(b"\xef\xbb\xbf\r\n" + b"x" * 1000 + b"%PDF-1.4\n") is Kind.PDF
    with pytest.raises(UnreadableFileError):
        identify(b"x" * 1020 + b"%PDF-1.4\n")


def test_media_types_are_the_registered_ones() -> None:
    assert [kind.media_type for kind in (Kind.PDF, Kind.JPEG, Kind.JPEG_2000)] == [
        "application/pdf",
        "image/jpeg",
        "image/jp2",
    ]


def test_an_empty_file_has_its_own_slug() -> None:
    with pytest.raises(UnreadableFileError) as caught:
        identify(b"")
    assert caught.value.code == "empty_file"


@pytest.mark.parametrize(
    ("head", "looks_like"),
    [
        (b"PK\x03\x04\x14\0\6\0word/document.xml", "a Word document"),
        (b"PK\x03\x04\x14\0\6\0[Content_Types].xml", "an Office document"),
        (b"PK\x03\x04\x14\0\6\0may.pdf", "a ZIP archive"),
        (b"PK\x03\x04\x14\0\6\0ppt/presentation.xml", "a PowerPoint presentation"),
        (b"name;total\r\nAda;12,50", "plain text"),
        (b"PK\x03\x04\x0a\0\0\0mimetypeapplication/vnd.oasis.opendocument.text", "an OpenDocument file"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0",
            "an old Office document (doc, xls, ppt) or an Outlook message (msg)",
        ),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "an HEIC photo"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "an HEIC photo"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "a video"),
        (b"<!DOCTYPE html><title>Log in</title>", "a web page (HTML)"),
        (b'<?xml version="1.0"?><Invoice/>', "XML"),
        ("Sehr geehrte Frau Müller".encode("cp1252"), "plain text"),
        ("Größe".encode("utf-16"), "plain text"),
        (b"{\\rtf1 x}", "an RTF document"),
        (b"\0" * 500, "nothing but zero bytes"),
        (b"BM is no bitmap", "plain text"),
        (bytes(range(256)), "an unknown binary format"),
    ],
)
def test_what_is_not_read_is_named_together_with_what_is(head: bytes, looks_like: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        identify(head)
    assert caught.value.code == "unsupported_type"
    assert f"looks like {looks_like}," in caught.value.detail
    assert "alma reads PDF, PNG, JPEG, JPEG 2000, TIFF, WebP, AVIF, BMP and GIF" in caught.value.detail


def test_office_documents_are_told_by_the_names_at_the_end_of_their_archive(tmp_path: Path) -> None:
    openpyxl.Workbook().save(tmp_path / "book")
    with zipfile.ZipFile(tmp_path / "letter", "w") as archive:
        archive.writestr("[Content_Types].xml", "x" * 5000)
        archive.writestr("word/document.xml", "y" * 5000)

    for name, looks_like in (("book", "an Excel workbook"), ("letter", "a Word document")):
        with pytest.raises(
            UnreadableFileError, match=f"looks like {looks_like}.*Save it as PDF and send that"
        ):
            kind_of(tmp_path / name)


@pytest.mark.parametrize(
    "head",
    [
        b"Return-Path: <a@example.org>\r\nReceived: from x\r\n by y\r\n",
        b"From ana@example.org Mon Mar  9\nSubject: x\nTo: b\n\nDear Bob",
        b"\xef\xbb\xbfX-Mailer: one\r\nMIME-Version: 1.0\r\nDate: today\r\n",
    ],
)
def test_a_mail_is_told_by_the_fields_of_its_header(head: bytes) -> None:
    assert identify(head) is Kind.MAIL


@pytest.mark.parametrize(
    "head", [b"Date: 9 March\nDear Bob", b"From me to you\nSubject matter", b"To do: milk\nBcc"]
)
def test_a_text_with_colons_is_no_mail(head: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="plain text"):
        identify(head)
