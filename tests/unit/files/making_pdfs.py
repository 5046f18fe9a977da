"""Small PDFs written by hand, for tests that need to know every byte of them."""

import zlib

import pypdfium2 as pdfium

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


def pdf_with_picture(picture: bytes, layer: bytes, place: str = "600 0 0 800 0 0") -> bytes:
    """Return a page of 600 x 800 points with a picture (an image XObject's body) at a place, then other
    operators."""
    return write_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            HELVETICA,
            b"<< /Type /Page /Parent 2 0 R /Contents 5 0 R /MediaBox [0 0 600 800]"
            b" /Resources << /Font << /F 3 0 R >> /XObject << /S 6 0 R >> >> >>",
            stream(f"q {place} cm /S Do Q\n".encode() + layer),
            picture,
        ]
    )


def picture_of(page: bytes, *, side: int = 1600) -> bytes:
    """Return what a page shows as the body of an image XObject: a scan of it."""
    with pdfium.PdfDocument(page) as document:
        image = document[0].render(scale=side / 800).to_pil().convert("L")
    entries = (
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
    )
    return stream(zlib.compress(image.tobytes()), entries % image.size + b" /Filter /FlateDecode")
