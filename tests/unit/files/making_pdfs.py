"""Small PDFs written by hand, for tests that need to know every byte of them."""

HELVETICA = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def write_pdf(objects: list[bytes], *, trailer: bytes = b"") -> bytes:
    """Return a PDF of the given objects, numbered from 1; the first is the catalog."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (len(objects) + 1, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """Return a stream object's body."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), entries, content)


def pdf_of_pages(
    *contents: bytes,
    page: bytes = b"/MediaBox [0 0 600 800]",
    resources: bytes = b"",
    font: bytes = HELVETICA,
) -> bytes:
    """Return a PDF with one page per content stream; `/F` is the font.

    `page` is added to every page, `resources` to its resources.
    """
    kids = b" ".join(b"%d 0 R" % (4 + 2 * i) for i in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(contents)),
        font,
    ]
    for i, content in enumerate(contents):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R %s /Resources << /Font << /F 3 0 R >> %s >> >>"
            % (5 + 2 * i, page, resources)
        )
        objects.append(stream(content))
    return write_pdf(objects)


def text(x: float, y: float, words: str, size: float = 10, more: str = "") -> bytes:
    """Return the operators that show words at a place (points from the lower left corner)."""
    escaped = words.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT /F {size} Tf {more} 1 0 0 1 {x} {y} Tm ({escaped}) Tj ET\n".encode("cp1252")
