"""PDF pages: rendered by pdfium, words from the text layer, damage mended by pypdf where pdfium gives up."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as c
from PIL import Image, ImageChops

from alma.datamodel.pages import PageText, Track
from alma.errors import UnreadableFileError
from alma.files.content import DAMAGED_PDF, LOCKED_PDF, MAX_ATTACHMENTS, PageContent, printable
from alma.files.display import Bounds, Display, around
from alma.files.ink import PageInk, Point, unread_pictures, unread_share, zone_share
from alma.files.text_layer import TextLayer, read_text_layer
from alma.files.visibility import PageObjects

#: Pixels per point beyond which a small page is not enlarged: 720 dots per inch.
MAX_SCALE = 10.0

#: Share of a page that images must cover for the page to count as (partly) scanned.
SCANNED = 0.25

#: Share of the ink within those images that the text layer may leave unread.
MAX_UNREAD = 0.4

#: A page with fewer words may have its text as outlines or in an image, whatever the images' size.
FEW_WORDS = 10

# Flags of annotations (ISO 32000-1, table 165) that are not shown, and of text fields with compartments
# (table 228).
_UNSEEN = c.FPDF_ANNOT_FLAG_HIDDEN | c.FPDF_ANNOT_FLAG_NOVIEW
_COMB = 1 << 24


class PdfParser:
    """An opened PDF.

    Parameters
    ----------
    path : Path
        The file.
    side : int
        Longer side of the page images in pixels.

    Raises
    ------
    UnreadableFileError
        `password_protected`, `damaged_file` or `no_pages`.
    """

    def __init__(self, path: Path, *, side: int) -> None:
        self._side = side
        self._pdf = open_pdf(path)
        with contextlib.suppress(pdfium.PdfiumError):  # pages without their form's values beat no pages
            self._pdf.init_forms()
        self.pages = len(self._pdf)
        self.attachments = attachments(self._pdf)

    def close(self) -> None:
        """Close the file."""
        self._pdf.close()

    def read(self, number: int) -> PageContent:
        """Return one page.

        Raises
        ------
        UnreadableFileError
            `damaged_file`: this page cannot be read; others may.
        """
        try:
            page = self._pdf[number - 1]
        except pdfium.PdfiumError:
            raise _damaged_page(number) from None
        display = Display(page)
        combs = self._prepare_annotations(page, display)
        image = _draw(page, self._side)
        if c.FPDFPage_GetAnnotCount(page) > 0 and c.FPDFPage_Flatten(page, 0) == c.FLATTEN_SUCCESS:
            # Values of form fields and notes are not in the text layer; flattening the page (in memory) puts
            # them there. Only a page loaded anew shows it.
            page.close()
            page = self._pdf[number - 1]
        ink = PageInk(image)
        objects = PageObjects(page, display)
        layer = read_text_layer(page, display, ink, objects, combs)
        page.close()
        needs_vision = _needs_vision(ink, layer, objects.pictures)
        text = None
        if layer.words:
            text = PageText(
                number,
                display.width,
                display.height,
                Track.TEXT,
                layer.words,
                layer.turned,
                unprinted=layer.unprinted,
                astray=layer.astray,
                pictures=() if needs_vision else unread_pictures(ink, layer.words, objects.pictures),
            )
        return PageContent(image, text, needs_vision or bool(text and text.pictures))

    def _prepare_annotations(self, page: pdfium.PdfPage, display: Display) -> list[Bounds]:
        """Take away annotations that are not shown; return where the fields are that set characters apart."""
        combs: list[Bounds] = []
        form = self._pdf.formenv
        for index in reversed(range(c.FPDFPage_GetAnnotCount(page))):
            annotation = c.FPDFPage_GetAnnot(page, index)
            if not annotation:
                continue
            hidden = c.FPDFAnnot_GetFlags(annotation) & _UNSEEN
            is_field = c.FPDFAnnot_GetSubtype(annotation) == c.FPDF_ANNOT_WIDGET
            if not hidden and is_field and form and c.FPDFAnnot_GetFormFieldFlags(form, annotation) & _COMB:
                rect = c.FS_RECTF()
                c.FPDFAnnot_GetRect(annotation, rect)
                combs.append(
                    around(
                        display.point(x, y) for x in (rect.left, rect.right) for y in (rect.bottom, rect.top)
                    )
                )
            c.FPDFPage_CloseAnnot(annotation)
            if hidden:
                c.FPDFPage_RemoveAnnot(page, index)
        return combs


def open_pdf(path: Path) -> pdfium.PdfDocument:
    """Return the document; raises as `PdfParser`."""
    return _open(path) or _mended(path)


def _open(path: Path) -> pdfium.PdfDocument | None:
    """Return the document, or None where pdfium makes nothing of it."""
    try:
        return pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if error.err_code == c.FPDF_ERR_PASSWORD:
            raise UnreadableFileError(LOCKED_PDF, code="password_protected") from None
        if error.err_code == c.FPDF_ERR_SECURITY:
            raise UnreadableFileError(
                "The PDF is protected by a certificate or rights management; print it to a new PDF and send "
                "that.",
                code="password_protected",
            ) from None
    return None


def _mended(path: Path) -> pdfium.PdfDocument:
    """Return the document as pypdf writes it anew, which mends structures that pdfium refuses."""
    # Importing pypdf takes longer than reading a page, and hardly any file needs it.
    from alma.files.repair import mended

    try:
        return pdfium.PdfDocument(mended(path))
    except pdfium.PdfiumError as error:
        raise UnreadableFileError(DAMAGED_PDF) from error


def attachments(pdf: pdfium.PdfDocument) -> tuple[str, ...]:
    """Return the names of the files embedded in a document, as in a portfolio or an invoice with its data."""
    names = []
    for index in range(min(c.FPDFDoc_GetAttachmentCount(pdf.raw), MAX_ATTACHMENTS)):
        item = c.FPDFDoc_GetAttachment(pdf.raw, index)
        length = c.FPDFAttachment_GetName(item, None, 0) if item else 0
        buffer = (c.FPDF_WCHAR * (length // 2 + 1))()
        c.FPDFAttachment_GetName(item, buffer, length)
        name = bytes(buffer)[: max(length - 2, 0)].decode("utf-16-le", "replace")
        names.append(printable(name) or f"attachment {index + 1}")
    return tuple(names)


def _damaged_page(number: int) -> UnreadableFileError:
    return UnreadableFileError(
        f"Page {number} of the PDF is damaged; print the document to a new PDF and send that."
    )


def _draw(page: pdfium.PdfPage, side: int) -> Image.Image:
    longer = max(page.get_size())
    if not (math.isfinite(longer) and longer > 0):
        raise UnreadableFileError("The page has no size; print the document to a new PDF and send that.")
    # Half a pixel less, because pypdfium2 rounds up.
    scale = min((side - 0.5) / longer, MAX_SCALE)
    image = page.render(scale=scale, rev_byteorder=True, limit_image_cache=True).to_pil()
    return _without_needless_colour(image)


def _without_needless_colour(image: Image.Image) -> Image.Image:
    """Return a grey image where no pixel has colour: a third of the bytes to store."""
    if image.mode != "RGB":
        return image.convert("RGB")
    red, green, blue = image.split()
    if any(ImageChops.difference(green, other).getextrema() != (0, 0) for other in (red, blue)):
        return image
    return green


def _needs_vision(ink: PageInk, layer: TextLayer, scans: list[list[Point]]) -> bool:
    if len(layer.words) < FEW_WORDS:
        if ink.blank:
            return False
        return not layer.words or unread_share(ink, layer.words) > MAX_UNREAD
    return zone_share(scans) >= SCANNED and unread_share(ink, layer.words, scans) > MAX_UNREAD
