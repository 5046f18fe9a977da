"""What a file is, told by its first bytes and never by its name."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

from alma.errors import UnreadableFileError

#: Bytes of a file that `identify` looks at. A PDF's header may stand anywhere in the first 1024 (ISO 32000-1,
#: annex H.3.4.1), behind a mail header or a byte order mark.
HEAD = 1024

ACCEPTED = "alma reads PDF, PNG, JPEG, JPEG 2000, TIFF, WebP, AVIF, BMP and GIF, and such files in e-mails"


class Kind(StrEnum):
    """The formats alma reads."""

    PDF = "pdf"
    PNG = "png"
    JPEG = "jpeg"
    TIFF = "tiff"
    WEBP = "webp"
    BMP = "bmp"
    GIF = "gif"
    JPEG_2000 = "jp2"
    AVIF = "avif"
    MAIL = "eml"
    """An e-mail: the files attached to it are read."""

    @property
    def media_type(self) -> str:
        """The registered media type."""
        return _MEDIA_TYPES.get(self) or f"image/{self.value}"


_MEDIA_TYPES = {Kind.PDF: "application/pdf", Kind.MAIL: "message/rfc822"}


#: Fields of a mail's header that tell it from another text with colons.
MAIL_FIELDS = 2
_HEADER_FIELD = re.compile(rb"([!-9;-~]{1,76}):")
_MAIL_FIELDS = frozenset(
    b"return-path received delivered-to mime-version from to cc subject date message-id content-type "
    b"content-transfer-encoding dkim-signature reply-to arc-seal authentication-results".split()
)

_SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"II*\0", Kind.TIFF),
    (b"MM\0*", Kind.TIFF),
    (b"II+\0", Kind.TIFF),
    (b"MM\0+", Kind.TIFF),
    (b"GIF87a", Kind.GIF),
    (b"GIF89a", Kind.GIF),
    (b"\0\0\0\x0cjP  \r\n\x87\n", Kind.JPEG_2000),
    (b"\xff\x4f\xff\x51", Kind.JPEG_2000),
)

# Formats people send by mistake: signature, what to call it, what to do instead.
_UNSUPPORTED: tuple[tuple[bytes, str, str], ...] = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Office document (doc, xls, ppt) or an Outlook message (msg)",
        "Save a document as PDF, a message as eml, and send that",
    ),
    (b"{\\rtf", "an RTF document", "Save it as PDF and send that"),
    (b"%!PS", "PostScript", "Convert it to PDF and send that"),
    (b"Rar!\x1a\x07", "a RAR archive", "Send the files in it one by one"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Send the files in it one by one"),
    (b"\x1f\x8b", "a gzip archive", "Unpack it and send the files in it"),
    (b"8BPS", "a Photoshop file", "Export it as PDF or PNG and send that"),
    (b"\0\0\x01\0", "an icon", "Convert it to PNG and send that"),
    (b"\x7fELF", "a program", "Send a document"),
    (b"MZ", "a program", "Send a document"),
)

_ZIP = b"PK\x03\x04"
#: Bytes at the end of an archive in which the names of its files are looked for.
_DIRECTORY = 2**16
_OFFICE = (
    (b"word/", "a Word document"),
    (b"xl/", "an Excel workbook"),
    (b"ppt/", "a PowerPoint presentation"),
    (b"application/vnd.oasis.opendocument", "an OpenDocument file"),
)

_BRANDS = {
    b"heic": "an HEIC photo",
    b"heix": "an HEIC photo",
    b"heim": "an HEIC photo",
    b"hevc": "an HEIC photo",
    b"mif1": "an HEIF image",
    b"msf1": "an HEIF image",
}


def kind_of(path: Path) -> Kind:
    """Return what a file is; raises as `identify`."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
        if not head.startswith(_ZIP):
            return identify(head)
        # What is in an archive stands at its end; an Office document is told by it.
        stream.seek(max(path.stat().st_size - _DIRECTORY, 0))
        return identify(head, stream.read(_DIRECTORY))


def identify(head: bytes, tail: bytes = b"") -> Kind:
    """Return what a file is.

    Parameters
    ----------
    head : bytes
        The first `HEAD` bytes of the file, or all of it where it is shorter.
    tail : bytes
        The last bytes of an archive, where they are known.

    Raises
    ------
    UnreadableFileError
        `empty_file`, or `unsupported_type` with a sentence that names what it looks like.
    """
    if not head:
        raise UnreadableFileError("The file is empty; send it again.", code="empty_file")
    head = head[:HEAD]
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return Kind.WEBP
    # "BM" alone also begins many a text: the size of the information header behind it settles it.
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124):
        return Kind.BMP
    if head[4:8] == b"ftyp" and _brands(head) & {b"avif", b"avis"}:
        return Kind.AVIF
    if b"%PDF-" in head:
        return Kind.PDF
    if _is_mail(head):
        return Kind.MAIL
    name, advice = _unsupported(head, tail)
    raise UnreadableFileError(
        f"The file looks like {name}, which alma does not read. {advice}: {ACCEPTED}.",
        code="unsupported_type",
    )


def _is_mail(head: bytes) -> bool:
    """Tell whether a file begins with the header of an e-mail (RFC 5322): fields that mails have, line by
    line."""
    lines = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").splitlines()
    if lines and lines[0].startswith((b"From ", b">From ")):  # of a mailbox file
        lines = lines[1:]
    names = set()
    for line in lines:
        field = _HEADER_FIELD.match(line)
        if field is None and not line.startswith((b" ", b"\t")):
            break
        if field is not None:
            names.add(field[1].lower())
    return bool(lines and _HEADER_FIELD.match(lines[0])) and len(names & _MAIL_FIELDS) >= MAIL_FIELDS


def _brands(head: bytes) -> set[bytes]:
    """Return the brands of an ISO base media file: the major one and those it is compatible with."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))}


def _unsupported(head: bytes, tail: bytes) -> tuple[str, str]:
    for signature, name, advice in _UNSUPPORTED:
        if head.startswith(signature):
            return name, advice
    if head.startswith(_ZIP):
        return _archive(head + tail)
    if head[4:8] == b"ftyp":
        advice = "Convert it to JPEG or PDF and send that"
        return next((name for brand, name in _BRANDS.items() if brand in _brands(head)), "a video"), advice
    if not any(head):
        return "nothing but zero bytes", "The transfer went wrong; send it again"
    text = _as_text(head)
    if text is None:
        return "an unknown binary format", "Convert it to PDF and send that"
    start = text.lstrip("\ufeff \t\r\n").lower()
    if start.startswith("<?xml") and "<html" not in start:
        return "XML", "Print it to PDF and send that"
    if start.startswith(("<!doctype html", "<html", "<?xml", "<head", "<body")):
        return "a web page (HTML)", "Print it to PDF and send that; if it was a download, log in first"
    if start.startswith("<svg"):
        return "an SVG drawing", "Export it as PDF and send that"
    return "plain text", "Print it to PDF and send that"


def _archive(names: bytes) -> tuple[str, str]:
    """Return what a ZIP archive is, by the names of the files in it."""
    known = [name for mark, name in _OFFICE if mark in names]
    if not known and b"[Content_Types].xml" in names:
        known = ["an Office document"]
    return (
        (known[0], "Save it as PDF and send that")
        if known
        else ("a ZIP archive", "Send the files in it one by one")
    )


def _as_text(head: bytes) -> str | None:
    """Return the bytes as text, or None where they are none."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace")
    try:
        # The cut at HEAD may fall inside a character.
        text = head.decode("utf-8", "strict" if len(head) < HEAD else "ignore")
    except UnicodeDecodeError:
        text = head.decode("cp1252", "replace")
    odd = sum(1 for c in text if (c < " " and c not in "\t\r\n\f") or c == "\ufffd")
    return text if odd * 50 <= len(text) else None
