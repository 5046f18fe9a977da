"""Which of a page's text the page shows.

A text layer may hold words that no reader sees: drawn in no mode (ISO 32000-1, 9.3.6), transparent, painted
over, clipped, on a layer that is switched off. What their objects say tells the plain ones; for text that
something drawn later overlaps, the page is rendered without it: where that changes nothing, the text was not
seen.
"""

from __future__ import annotations

import ctypes
import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice, product
from typing import NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as c
from PIL import Image, ImageChops

from alma.files.display import Bounds, Display, around
from alma.files.ink import Point

#: Least change of a pixel that is seen, of 255.
SEEN = 10

#: Longer side, in pixels, of the renderings that are compared.
_SIDE = 1200
_MAX_SCALE = 4.0

#: Objects of a page that are looked at; a scan cut into strips has hundreds, a drawing tens of thousands.
_MAX_OBJECTS = 50_000
_MAX_NESTING = 5

#: Text objects of a page, a drawn character each, beyond which one is not looked for under another.
_MAX_TEXTS = 1_000

#: Comparisons of one object with another, beyond which whatever was drawn before is in doubt.
_MAX_COMPARED = 200_000

#: Width and height of the cells that texts are found by, in points, and how many of them a text touches at
#: most.
_CELL = (48.0, 12.0)
_MOST_CELLS = 500

#: Paths smaller than this (points) in a direction are rules and ticks, and cover nothing.
_LEAST_COVER = 3.0

#: Opacity of 255 below which a path lets what is under it be seen.
_OPAQUE = 128

#: Share of a line's height (or, of one that runs upward, its width) that something must cover for the line
#: to be in doubt.
_COVERED = 0.5

#: Share of the smaller of two texts that they must share for one to be in doubt.
_OVERLAP = 0.4

_CLIP, _INVISIBLE = c.FPDF_TEXTRENDERMODE_CLIP, c.FPDF_TEXTRENDERMODE_INVISIBLE
_STROKED = (c.FPDF_TEXTRENDERMODE_STROKE, c.FPDF_TEXTRENDERMODE_STROKE_CLIP)

Matrix = tuple[float, float, float, float, float, float]


def address(text_object: object) -> int | None:
    """Return what tells one object of pdfium's from another."""
    return ctypes.cast(text_object, ctypes.c_void_p).value  # type: ignore[arg-type]


class _Text(NamedTuple):
    handle: object
    bounds: Bounds


class PageObjects:
    """What is drawn on a page, in its order.

    Parameters
    ----------
    page : pypdfium2.PdfPage
        A loaded page.
    display : Display
        Its map, of the page as it was before flattening.
    """

    def __init__(self, page: pdfium.PdfPage, display: Display) -> None:
        self.pictures: list[list[Point]] = []
        """Corners of the images, in the unit square of the page as displayed."""
        self._display = display
        self.unseen: set[int | None] = set()
        """Addresses of the text objects that show nothing."""
        self._cells: dict[tuple[int, int], list[_Text]] = defaultdict(list)
        self._rounds: tuple[dict[int | None, _Text], dict[int | None, _Text]] = {}, {}
        self._changes: dict[int, Image.Image] = {}
        self._compared = 0
        self._left = _MAX_OBJECTS
        self._drawn: list[tuple[object, Matrix | None]] = []
        self._color = tuple(ctypes.c_uint() for _ in range(4))
        self._walk(page.raw, c.FPDFPage_CountObjects, c.FPDFPage_GetObject, None, 0)
        if len(self._drawn) <= _MAX_TEXTS:
            self._place()
        if any(self._rounds) or self._compared > _MAX_COMPARED:
            self._settle(page)

    def _walk(self, holder: object, count: object, get: object, matrix: Matrix | None, depth: int) -> None:
        for index in range(min(count(holder), self._left)):  # type: ignore[operator]
            item = get(holder, index)  # type: ignore[operator]
            self._left -= 1
            match c.FPDFPageObj_GetType(item):
                case c.FPDF_PAGEOBJ_TEXT:
                    self._text(item, matrix)
                case c.FPDF_PAGEOBJ_PATH:
                    self._path(item, matrix)
                case c.FPDF_PAGEOBJ_IMAGE:
                    own = _product(_matrix_of(item), matrix)
                    unit = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
                    corners = [_mapped(x, y, own) for x, y in unit]
                    if all(math.isfinite(v) for corner in corners for v in corner):
                        at = [self._display.point(x, y) for x, y in corners]
                        self.pictures.append(
                            [(x / self._display.width, y / self._display.height) for x, y in at]
                        )
                        self._cover(around(corners))
                case c.FPDF_PAGEOBJ_SHADING:
                    self._cover(_bounds(item, matrix))
                case c.FPDF_PAGEOBJ_FORM if depth < _MAX_NESTING:
                    inner = _product(_matrix_of(item), matrix)
                    self._walk(item, c.FPDFFormObj_CountObjects, c.FPDFFormObj_GetObject, inner, depth + 1)

    def _text(self, item: object, matrix: Matrix | None) -> None:
        mode = c.FPDFTextObj_GetTextRenderMode(item)
        if mode in (_INVISIBLE, _CLIP) or self._opacity(item, stroked=mode in _STROKED) == 0:
            self.unseen.add(address(item))
        else:
            self._drawn.append((item, matrix))

    def _place(self) -> None:
        """Find where the texts so far stand: not before something is drawn that may cover them."""
        for item, matrix in self._drawn:
            bounds = _bounds(item, matrix)
            if bounds is not None:
                self._place_one(_Text(item, bounds))
        self._drawn.clear()

    def _place_one(self, text: _Text) -> None:
        bounds = text.bounds
        left, bottom, right, top = bounds
        for earlier in self._near(bounds):
            other = earlier.bounds
            apart = other[2] <= left or right <= other[0] or other[3] <= bottom or top <= other[1]
            if not apart and _shared(other, bounds) > _OVERLAP:
                self._doubt(earlier, 0)
                self._doubt(text, 1)
        for cell in _cells(bounds, _MOST_CELLS):
            self._cells[cell].append(text)

    def _opacity(self, item: object, *, stroked: bool) -> int:
        red, green, blue, alpha = self._color
        ask = c.FPDFPageObj_GetStrokeColor if stroked else c.FPDFPageObj_GetFillColor
        return alpha.value if ask(item, red, green, blue, alpha) else 255

    def _path(self, item: object, matrix: Matrix | None) -> None:
        fill, stroke = ctypes.c_int(), ctypes.c_int()
        c.FPDFPath_GetDrawMode(item, fill, stroke)
        if not fill.value or not (self._cells or self._drawn):
            return
        bounds = _bounds(item, matrix)
        if (
            bounds is not None
            and min(bounds[2] - bounds[0], bounds[3] - bounds[1]) >= _LEAST_COVER
            and self._opacity(item, stroked=False) >= _OPAQUE
        ):
            self._cover(bounds)

    def _cover(self, bounds: Bounds | None) -> None:
        if bounds is None:
            return
        self._place()
        for text in self._near(bounds):
            width = min(bounds[2], text.bounds[2]) - max(bounds[0], text.bounds[0])
            height = min(bounds[3], text.bounds[3]) - max(bounds[1], text.bounds[1])
            thin = min(text.bounds[2] - text.bounds[0], text.bounds[3] - text.bounds[1])
            if min(width, height) >= _COVERED * thin:
                self._doubt(text, 0)

    def _near(self, bounds: Bounds) -> Iterator[_Text]:
        """Yield the texts so far that touch a cell of the bounds, some of them twice."""
        cells = list(_cells(bounds, len(self._cells)))
        for cell in self._cells if len(cells) >= len(self._cells) else cells:
            found = self._cells.get(cell, ())
            self._compared += len(found)
            if self._compared > _MAX_COMPARED:
                return
            yield from found

    def _doubt(self, text: _Text, number: int) -> None:
        key = address(text.handle)
        if key not in self._rounds[0]:
            self._rounds[number].setdefault(key, text)

    def _settle(self, page: pdfium.PdfPage) -> None:
        """Find out by rendering which of the texts in doubt show nothing.

        Of two that overlap, one is looked at after the other: what shows nothing stays away meanwhile, so
        that of text printed twice one remains.
        """
        if self._compared > _MAX_COMPARED:
            self._rounds[0].update({address(t.handle): t for cell in self._cells.values() for t in cell})
        whole = _rendered(page)
        self._flattened = Display(page)
        for number, doubted in enumerate(self._rounds):
            if not doubted:
                continue
            for text in doubted.values():
                c.FPDFPageObj_SetIsActive(text.handle, False)
            self._changes[number] = change = ImageChops.difference(whole, _rendered(page))
            for key, text in doubted.items():
                if self._changed(change, text.bounds):
                    c.FPDFPageObj_SetIsActive(text.handle, True)
                else:
                    self.unseen.add(key)
        for doubted in self._rounds:
            for text in doubted.values():
                c.FPDFPageObj_SetIsActive(text.handle, True)

    @property
    def doubtless(self) -> bool:
        """All texts are seen, as far as their objects say."""
        return not self.unseen and not any(self._rounds)

    def suspicious(self, key: int | None) -> bool:
        """Tell whether parts of a text object (by its `address`) may be unseen."""
        return key in self.unseen or any(key in doubted for doubted in self._rounds)

    def shows(self, key: int | None, box: Bounds) -> bool:
        """Tell whether a part of a text object adds ink to the page: `box` in points of the page as
        displayed."""
        if key in self.unseen:
            return False
        corners = [self._display.user_space(box[i], box[j]) for i in (0, 2) for j in (1, 3)]
        return all(
            self._changed(change, around(corners))
            for number, change in self._changes.items()
            if key in self._rounds[number]
        )

    def _changed(self, change: Image.Image, bounds: Bounds) -> bool:
        corners = [self._flattened.point(bounds[i], bounds[j]) for i in (0, 2) for j in (1, 3)]
        left, top, right, bottom = around(corners)
        across, down = change.width / self._flattened.width, change.height / self._flattened.height
        x, y = int(left * across), int(top * down)
        sides = x, y, max(math.ceil(right * across), x + 1), max(math.ceil(bottom * down), y + 1)
        most = change.crop(sides).getextrema()[1]
        return isinstance(most, int | float) and most >= SEEN


def _cells(bounds: Bounds, most: int) -> Iterator[tuple[int, int]]:
    """Yield the cells that bounds touch, the first ones of too many."""
    columns = range(int(bounds[0] // _CELL[0]), int(bounds[2] // _CELL[0]) + 1)
    rows = range(int(bounds[1] // _CELL[1]), int(bounds[3] // _CELL[1]) + 1)
    return islice(product(columns, rows), most)


def _rendered(page: pdfium.PdfPage) -> Image.Image:
    scale = min(_SIDE / max(*page.get_size(), 1.0), _MAX_SCALE)
    image: Image.Image = page.render(scale=scale, grayscale=True, limit_image_cache=True).to_pil()
    return image.convert("L")


def _matrix_of(item: object) -> Matrix:
    matrix = c.FS_MATRIX()
    c.FPDFPageObj_GetMatrix(item, matrix)
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _product(inner: Matrix, outer: Matrix | None) -> Matrix:
    if outer is None:
        return inner
    a, b, d, e, f, g = inner
    p, q, r, s, t, u = outer
    return a * p + b * r, a * q + b * s, d * p + e * r, d * q + e * s, f * p + g * r + t, f * q + g * s + u


def _mapped(x: float, y: float, matrix: Matrix) -> Point:
    a, b, d, e, f, g = matrix
    return a * x + d * y + f, b * x + e * y + g


def _bounds(item: object, matrix: Matrix | None) -> Bounds | None:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not c.FPDFPageObj_GetBounds(item, left, bottom, right, top):
        return None
    found = left.value, bottom.value, right.value, top.value
    if not all(map(math.isfinite, found)):
        return None
    if matrix is None:
        return found
    return around([_mapped(found[i], found[j], matrix) for i in (0, 2) for j in (1, 3)])


def _shared(a: Bounds, b: Bounds) -> float:
    """Return what two boxes share, as a share of the smaller."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / max(min((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)), 1e-6)
