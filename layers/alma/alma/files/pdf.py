"""PDF pages: rendered by pdfium, words from the text layer, damage mended by pypdf where pdfium gives up."""

from __future__ import annotations

import contextlib
import itertools
import math
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as c
from PIL import Image, ImageChops

from alma.datamodel.pages import PageText, Track
from alma.errors import UnreadableFileError
from alma.files.content import DAMAGED_PDF, LOCKED_PDF, PageContent
from alma.files.ink import Point, is_blank, unread_share, zone_share
from alma.files.text_layer import Display, TextLayer, read_text_layer

#: Pixels per point beyond which a small page is not enlarged: 720 dots per inch.
MAX_SCALE = 10.0

#: Share of a page that images must cover for the page to count as (partly) scanned.
SCANNED = 0.25

#: Share of the ink within those images that the text layer may leave unread.
MAX_UNREAD = 0.4

#: A page with fewer words may have its text as outlines or in an image, whatever the images' size.
FEW_WORDS = 10

# A scan cut into strips has hundreds.
_MAX_IMAGES = 20_000
_MAX_NESTING = 5


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
        self._pdf = _open(path) or _mended(path)
        with contextlib.suppress(pdfium.PdfiumError):  # pages without their form's values beat no pages
            self._pdf.init_forms()
        self.pages = len(self._pdf)

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
        image = _draw(page, self._side)
        scans = _images(page, display)
        if c.FPDFPage_GetAnnotCount(page) > 0 and c.FPDFPage_Flatten(page, 0) == c.FLATTEN_SUCCESS:
            # Values of form fields and notes are not in the text layer; flattening the page (in memory) puts
            # them there. Only a page loaded anew shows it.
            page.close()
            page = self._pdf[number - 1]
        layer = read_text_layer(page, display)
        page.close()
        text = None
        if layer.words:
            text = PageText(number, display.width, display.height, Track.TEXT, layer.words, layer.turned)
        return PageContent(image, text, _needs_vision(image, layer, scans))


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


def _images(page: pdfium.PdfPage, display: Display) -> list[list[Point]]:
    """Return the corners (unit square, as displayed) of the images on a page, in forms too."""
    unit = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    found: list[list[Point]] = []
    # An image that pdfium cannot place is one it did not draw.
    with contextlib.suppress(pdfium.PdfiumError):
        images = page.get_objects(filter=(c.FPDF_PAGEOBJ_IMAGE,), max_depth=_MAX_NESTING)
        for item in itertools.islice(images, _MAX_IMAGES):
            matrix, container = item.get_matrix(), item.container
            while container is not None:
                matrix = matrix.multiply(container.get_matrix())
                container = container.container
            corners = (display.point(*matrix.on_point(x, y)) for x, y in unit)
            found.append([(x / display.width, y / display.height) for x, y in corners])
    return found


def _needs_vision(image: Image.Image, layer: TextLayer, scans: list[list[Point]]) -> bool:
    if len(layer.words) < FEW_WORDS:
        if is_blank(image):
            return False
        return not layer.words or unread_share(image, layer.words) > MAX_UNREAD
    return zone_share(scans) >= SCANNED and unread_share(image, layer.words, scans) > MAX_UNREAD
