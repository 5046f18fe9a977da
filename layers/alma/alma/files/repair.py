"""PDFs whose structure pdfium refuses, written anew by pypdf."""

from __future__ import annotations

import io
from pathlib import Path

import pypdf
from pypdf.errors import PyPdfError

from alma.errors import UnreadableFileError
from alma.files.content import DAMAGED_PDF, LOCKED_PDF

# What pypdf raises on damage: its own errors, and what its code runs into on objects of the wrong type.
_TROUBLE = (
    PyPdfError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


def mended(path: Path) -> bytes:
    """Return a PDF with the pages of a damaged one.

    The page tree must be whole: of pages found without it, nobody would know which are missing.

    Raises
    ------
    UnreadableFileError
        `password_protected`, `no_pages`, or `damaged_file` where pypdf cannot read it either.
    """
    try:
        reader = pypdf.PdfReader(path, strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableFileError(LOCKED_PDF, code="password_protected")
        writer = pypdf.PdfWriter()
        for page in reader.pages:
            writer.add_page(page)
        if not writer.pages:
            raise UnreadableFileError(
                "The PDF has no pages; export or print it to PDF again and send that.", code="no_pages"
            )
        anew = io.BytesIO()
        writer.write(anew)
    except _TROUBLE as error:
        raise UnreadableFileError(DAMAGED_PDF) from error
    return anew.getvalue()
