"""Make the odd files of tests/data/torture that are our own, and its MANIFEST.json.

`python -m scripts.make_torture`. The other files are taken unchanged from open projects; SOURCES names them.
The manifest states of every file where it comes from, its licence, and what alma must make of it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops
from pypdf import PdfReader, PdfWriter

from scripts.sheets import SANS, SANS_BOLD, TYPED, Sheet, jpeg, pdf, scanned

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "data" / "torture"

CORKAMI = ("corkami/pocs", "CC BY 4.0")
PYPDF = ("py-pdf/pypdf, resources/", "BSD-3-Clause")
SAMPLE_FILES = ("py-pdf/sample-files", "CC BY-SA 4.0")
PILLOW = ("python-pillow/Pillow, Tests/images/", "MIT-CMU")

#: File -> (name at the source, (source, licence), expected outcome).
SOURCES: dict[str, tuple[str, tuple[str, str], int | str]] = {
    "corkami-pos5-TrailerStartxref.pdf": ("pos5-TrailerStartxref.pdf", CORKAMI, 1),
    "corkami-smallest.png": ("smallest.png", CORKAMI, 1),
    "corkami-structure-ignoredeof.pdf": ("structure-ignoredeof.pdf", CORKAMI, "damaged_file"),
    "corkami-tiff-be.tif": ("tiff-be.tif", CORKAMI, 1),
    "pillow-16bit.cropped.tif": ("16bit.cropped.tif", PILLOW, 1),
    "pillow-badbitcount.bmp": ("badbitcount.bmp", PILLOW, "damaged_file"),
    "pillow-crash-0e16d3bf.tif": (
        "crash-0e16d3bfb83be87356d026d66919deaefca44dac.tif",
        PILLOW,
        "damaged_file",
    ),
    "pillow-dispose-op-previous-frame.png": ("dispose_op_previous_frame.png", PILLOW, 1),
    "pillow-hopper-orientation-8.webp": ("hopper_orientation_8.webp", PILLOW, 1),
    "pillow-mode-palette-1bit-alpha.png": ("mode_palette_1bit_alpha.png", PILLOW, 1),
    "pillow-no-palette-with-background.gif": ("no_palette_with_background.gif", PILLOW, 1),
    "pillow-pal8topdown.bmp": ("pal8topdown.bmp", PILLOW, 1),
    "pillow-pil-sample-cmyk.jpg": ("pil_sample_cmyk.jpg", PILLOW, 1),
    "pillow-truncated-end-chunk.png": ("truncated_end_chunk.png", PILLOW, "damaged_file"),
    "pypdf-encrypted-file.pdf": ("encrypted-file.pdf", PYPDF, "password_protected"),
    "pypdf-form-acrobatReader.pdf": ("form_acrobatReader.pdf", PYPDF, 1),
    "pypdf-git.pdf": ("git.pdf", PYPDF, 1),
    "pypdf-imagemagick-CCITTFaxDecode.pdf": ("imagemagick-CCITTFaxDecode.pdf", PYPDF, 1),
    "pypdf-r6-empty-password.pdf": ("r6-empty-password.pdf", PYPDF, 1),
    "pypdf-r6-user-password.pdf": ("r6-user-password.pdf", PYPDF, "password_protected"),
    "sample-files-habibi-rotated.pdf": ("habibi-rotated.pdf", SAMPLE_FILES, 4),
}


def _note() -> Sheet:
    """Return a small delivery note, the page that most of the odd files show."""
    sheet = Sheet(298, 420)
    sheet.text(24, 48, "Delivery note", font=SANS_BOLD, size=18)
    sheet.text(24, 84, "Number: DN-7731", font=SANS, size=12)
    sheet.text(24, 104, "Date: 2 June 2026", font=SANS, size=12)
    sheet.text(24, 124, "To: Penrose Boatyard Ltd", font=SANS, size=12)
    sheet.line(24, 140, 274, 140)
    sheet.text(24, 164, "3 x Mooring rope 16 mm", font=SANS, size=12)
    sheet.text(24, 184, "1 x Brass lamp", font=SANS, size=12)
    return sheet


def _scan(seed: int = 1) -> Image.Image:
    return scanned(_note(), seed=seed, dpi=110, noise=2.0)


def _black_on_white(seed: int) -> Image.Image:
    return _scan(seed).point(lambda v: 255 if v > 150 else 0).convert("1")


def _image(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _broken_pdf() -> bytes:
    """A PDF cut off in the middle: no cross-reference table, no trailer, no page tree."""
    return b"%PDF-1.7\n4 0 obj\n<< /Length 5000 >>\nstream\n" + pdf([_note()], "Note")[300:700]


def _no_xref() -> bytes:
    """A PDF whose cross-reference table is gone; its objects are all there and can be found again."""
    whole = pdf([_note()], "Note")
    trailer = whole[whole.index(b"trailer") : whole.index(b"startxref")]
    return whole[: whole.index(b"xref\n")] + trailer


def _password_pdf() -> bytes:
    reader = PdfReader(io.BytesIO(pdf([_note()], "Note")))
    writer = PdfWriter(clone_from=reader)
    writer.encrypt("open sesame", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _page_tree(body: str) -> bytes:
    """A PDF of hand-written objects, one a line (`|` breaks it), its cross-reference table right."""
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    offsets = []
    for part in body.strip().split("\n"):
        offsets.append(out.tell())
        out.write(f"{len(offsets)} 0 obj\n{part.replace('|', chr(10))}\nendobj\n".encode())
    start = out.tell()
    out.write(f"xref\n0 {len(offsets) + 1}\n0000000000 65535 f \n".encode())
    for offset in offsets:
        out.write(f"{offset:010} 00000 n \n".encode())
    out.write(f"trailer\n<< /Size {len(offsets) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def _no_pages() -> bytes:
    return _page_tree("<< /Type /Catalog /Pages 2 0 R >>\n<< /Type /Pages /Kids [] /Count 0 >>")


def _page_tree_cycle() -> bytes:
    """The page tree's only child is the page tree: a reader that follows it never comes back."""
    return _page_tree("<< /Type /Catalog /Pages 2 0 R >>\n<< /Type /Pages /Kids [2 0 R] /Count 1 >>")


def _huge_page() -> bytes:
    """A page of 5 by 5 kilometres."""
    return _page_tree(
        "<< /Type /Catalog /Pages 2 0 R >>\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\n"
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 14173228 14173228] /Resources << >> >>"
    )


def _too_many_pages() -> bytes:
    """2,001 blank pages, one more than the default limit."""
    kids = " ".join(f"{n} 0 R" for n in range(3, 2004))
    pages = "\n".join("<< /Type /Page /Parent 2 0 R >>" for _ in range(2001))
    return _page_tree(
        f"<< /Type /Catalog /Pages 2 0 R >>\n"
        f"<< /Type /Pages /MediaBox [0 0 200 200] /Resources << >> /Kids [{kids}] /Count 2001 >>\n{pages}"
    )


def _garbage_text_pdf() -> bytes:
    """A page whose text layer copies as gibberish: every character is 29 places off, as without /ToUnicode.

    The page shows the delivery note as an image; the text lies invisible over it.
    """
    shown = _scan()
    sheet = _note()
    shifted = Sheet(sheet.width, sheet.height)
    for y, line in (
        (48, "Delivery note"),
        (84, "Number: DN-7731"),
        (104, "Date: 2 June 2026"),
        (124, "To: Penrose Boatyard Ltd"),
        (164, "3 x Mooring rope 16 mm"),
        (184, "1 x Brass lamp"),
    ):
        moved = "".join(chr(ord(c) - 29) for c in line)
        shifted.text(24, y, moved, font=TYPED, size=12, invisible=True)
    writer = PdfWriter()
    page = writer.add_page(PdfReader(io.BytesIO(_image(shown, "PDF", resolution=110, quality=60))).pages[0])
    page.merge_page(PdfReader(io.BytesIO(pdf([shifted], ""))).pages[0])
    writer.metadata = None
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _form_pdf() -> bytes:
    """An AcroForm whose value has no appearance of its own: only a reader that draws forms shows it."""
    content = "BT /Helv 12 Tf 30 102 Td (Order number:) Tj ET"
    return _page_tree(
        "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] /NeedAppearances true"
        " /DA (/Helv 12 Tf 0 g) /DR << /Font << /Helv 5 0 R >> >> >> >>\n"
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>\n"
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Resources << /Font << /Helv 5 0 R >> >>"
        " /Contents 6 0 R /Annots [4 0 R] >>\n"
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (order) /V (PB-0311) /Rect [120 95 280 120]"
        " /DA (/Helv 12 Tf 0 g) /F 4 /P 3 0 R >>\n"
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>\n"
        f"<< /Length {len(content)} >>|stream|{content}|endstream"
    )


def _bomb_png() -> bytes:
    """A PNG of 16 kB that unfolds to 20,000 x 20,000 pixels."""
    side = 20_000
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + side // 8)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _multi_page_tiff() -> bytes:
    pages = [_black_on_white(seed) for seed in (1, 2, 3)]
    return _image(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="group4")


def _turned_by_exif() -> bytes:
    """A photo as telephones save it: stored lying, with the note to turn it by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = _scan().transpose(Image.Transpose.ROTATE_90)
    return _image(lying, "JPEG", quality=60, exif=exif)


def _sixteen_bit_png() -> bytes:
    return _image(Image.fromarray(np.asarray(_scan(), dtype=np.uint16) * 257), "PNG")


def _palette_with_alpha() -> bytes:
    """Black on nothing: laid on black instead of white it cannot be read."""
    ink = _black_on_white(1).convert("L").point(lambda v: 255 - v)
    image = Image.merge("LA", (Image.new("L", ink.size, 0), ink))
    return _image(image.convert("RGBA").quantize(16, method=Image.Quantize.FASTOCTREE), "PNG")


def _animated_gif() -> bytes:
    frames = [ImageChops.offset(_black_on_white(1), 0, 6 * n) for n in range(3)]
    return _image(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=200)


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("note.txt"), "Delivery note DN-7731\n")
    return out.getvalue()


def _office() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("[Content_Types].xml"), "<Types/>")
        archive.writestr(zipfile.ZipInfo("word/document.xml"), "<document/>")
    return out.getvalue()


#: File -> (maker, expected outcome).
OURS: dict[str, tuple[Callable[[], bytes], int | str]] = {
    "bomb.png": (_bomb_png, "image_too_large"),
    "cmyk.jpg": (lambda: _image(_scan().convert("CMYK"), "JPEG", quality=50), 1),
    "cut-off.pdf": (_broken_pdf, "damaged_file"),
    "empty.pdf": (lambda: b"", "empty_file"),
    "exif-turned.jpg": (_turned_by_exif, 1),
    "form-without-appearance.pdf": (_form_pdf, 1),
    "frames.gif": (_animated_gif, 1),
    "garbage-text-layer.pdf": (_garbage_text_pdf, 1),
    "huge-page.pdf": (_huge_page, 1),
    "junk-before-header.pdf": (lambda: b"X-Junk: mail header\r\n" * 20 + pdf([_note()], "Note"), 1),
    "many-pages.pdf": (_too_many_pages, "too_many_pages"),
    "no-pages.pdf": (_no_pages, "no_pages"),
    "no-xref.pdf": (_no_xref, 1),
    "office.docx": (_office, "unsupported_type"),
    "page-tree-cycle.pdf": (_page_tree_cycle, "damaged_file"),
    "page.bmp": (lambda: _image(_black_on_white(1), "BMP"), 1),
    "page.jpg-named.pdf": (lambda: jpeg(_scan(), 110, 50), 1),
    "page.webp": (lambda: _image(_scan(), "WEBP", quality=40), 1),
    "palette-alpha.png": (_palette_with_alpha, 1),
    "password.pdf": (_password_pdf, "password_protected"),
    "scan.pdf": (lambda: _image(_scan(), "PDF", resolution=110, quality=50), 1),
    "sixteen-bit.png": (_sixteen_bit_png, 1),
    "text-named.pdf": (lambda: b"Dear Sirs,\n\nplease find attached nothing.\n" * 9, "unsupported_type"),
    "three-pages.tif": (_multi_page_tiff, 3),
    "truncated.jpg": (lambda: jpeg(_scan(), 110)[:9000], "damaged_file"),
    "zip-named.png": (_zip, "unsupported_type"),
}


def main() -> None:
    """Write our own files that are missing, and the manifest of all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    entries = []
    for name in sorted(OURS.keys() | SOURCES.keys()):
        path = FOLDER / name
        if name in OURS:
            make, expected = OURS[name]
            # Encryption and the PDF writer's dates differ from run to run: what is there stays.
            if not path.exists():
                path.write_bytes(make())
            source, licence = "made for alma by scripts/make_torture.py", "Apache-2.0"
        else:
            original, (repository, licence), expected = SOURCES[name]
            source = f"{repository}: {original}"
        entries.append(
            {
                "file": name,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "source": source,
                "licence": licence,
                "expected": {"pages": expected} if isinstance(expected, int) else {"error": expected},
            }
        )
    text = json.dumps(entries, indent=1, ensure_ascii=False)
    (FOLDER / "MANIFEST.json").write_text(text + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{len(entries)} files, {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
