"""PDFs whose structure pdfium refuses, written anew by pypdf."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pypdf
from pypdf.errors import PyPdfError
from pypdf.generic import DictionaryObject, IndirectObject

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

    Where the page tree is broken, every page object that can still be found is taken, in the order of the
    file.

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
        for page in _pages(reader):
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


def _pages(reader: pypdf.PdfReader) -> list[pypdf.PageObject]:
    try:
        return list(reader.pages)
    except _TROUBLE:
        found = list(_stray_pages(reader))
        if not found:
            raise
        return found


def _stray_pages(reader: pypdf.PdfReader) -> Iterator[pypdf.PageObject]:
    places = [
        (offset, number, generation)
        for generation, offsets in reader.xref.items()
        for number, offset in offsets.items()
    ]
    for _, number, generation in sorted(places):
        reference = IndirectObject(number, generation, reader)
        try:
            item = reader.get_object(reference)
        except _TROUBLE:
            continue
        if isinstance(item, DictionaryObject) and item.get("/Type") == "/Page":
            page = pypdf.PageObject(reader, reference)
            page.update(item)
            yield page
