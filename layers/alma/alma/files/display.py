"""Where points of a PDF page's user space are displayed."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable

import pypdfium2 as pdfium
import pypdfium2.raw as c

Bounds = tuple[float, float, float, float]
"""Least and greatest x and y: left, one edge, right, the other."""


def around(corners: Iterable[tuple[float, float]]) -> Bounds:
    """Return the upright rectangle round points."""
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


class Display:
    """The map from PDF user space to points on the page as displayed (an affine map)."""

    _STEPS = 1_000_000

    def __init__(self, page: pdfium.PdfPage) -> None:
        self.width, self.height = page.get_size()
        """Size of the page as displayed, in points."""
        # pdfium knows crop box and rotation; three points of its map give all of it.
        x, y = ctypes.c_int(), ctypes.c_int()
        corners = []
        for px, py in ((0.0, 0.0), (1000.0, 0.0), (0.0, 1000.0)):
            c.FPDF_PageToDevice(page, 0, 0, self._STEPS, self._STEPS, 0, px, py, x, y)
            corners.append((x.value / self._STEPS * self.width, y.value / self._STEPS * self.height))
        (self.e, self.f), along_x, along_y = corners
        self.a, self.b = (along_x[0] - self.e) / 1000, (along_x[1] - self.f) / 1000
        self.c, self.d = (along_y[0] - self.e) / 1000, (along_y[1] - self.f) / 1000

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of user space is displayed."""
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def direction(self, x: float, y: float) -> float:
        """Return the displayed direction of a vector, in degrees clockwise from left-to-right."""
        return math.degrees(math.atan2(self.b * x + self.d * y, self.a * x + self.c * y))

    def user_space(self, x: float, y: float) -> tuple[float, float]:
        """Return the point of user space that is displayed at a place."""
        area = self.a * self.d - self.b * self.c or math.inf
        x, y = x - self.e, y - self.f
        return (self.d * x - self.c * y) / area, (self.a * y - self.b * x) / area
