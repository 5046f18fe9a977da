"""Lines cut out of a page, straight and of the height the networks expect."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alma.ocr.quads import Quad, extent

#: Height of a crop in pixels, as the networks were trained.
HEIGHT = 48
#: Width of a crop over what its height would make it: less to compute, nothing lost. Word F1 on 24 receipts:
#: .931 at 1 and at .85, .923 at .75, .910 at .65; on 6 pages of print: .969 at 1, .976 at .85, .931 at .65.
SQUEEZE = 0.85
#: A line is not made wider than this (100 characters of a normal print are about 2,000).
MAX_WIDTH = 4096
#: A quad this many times higher than wide holds text that runs up or down.
TALL = 1.5
#: One below this many times may be a single character: a 1 with its margin.
DIGIT = 3.0


def is_tall(corners: Quad) -> bool:
    """Tell whether a line runs up or down the page."""
    length, breadth = extent(corners)
    return breadth >= TALL * length


def ways(corners: Quad) -> list[Quad]:
    """Return the ways a box may have to be read, each beginning where its text would begin.

    A wide box has one. A tall one holds a line that runs up or down the page, or a single upright digit.
    """
    if not is_tall(corners):
        return [corners]
    length, breadth = extent(corners)
    upright = [corners] if breadth < DIGIT * length else []
    return [np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0), *upright]


def crop(image: Image.Image, corners: Quad, squeeze: float = SQUEEZE) -> Image.Image:
    """Return the line in RGB, `HEIGHT` high, its text running left to right from the first corner.

    Its width is `squeeze` times what its height would make it.
    """
    length, breadth = extent(corners)
    width = int(min(MAX_WIDTH, max(8, math.ceil(squeeze * HEIGHT * length / max(breadth, 1.0)))))
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    if along[0] > 0 and across[1] > 0 and abs(along[1]) < 1.0 and abs(across[0]) < 1.0:
        (left, top), (right, bottom) = corners.min(0), corners.max(0)
        right, bottom = max(right, left + 0.5), max(bottom, top + 0.5)
        window = (float(left), float(top), float(min(right, image.width)), float(min(bottom, image.height)))
        return image.resize((width, HEIGHT), Image.Resampling.BILINEAR, box=window)
    size = max(1, round(length)), max(1, round(breadth))
    step_x, step_y = along / size[0], across / size[1]
    coefficients = (step_x[0], step_y[0], corners[0][0], step_x[1], step_y[1], corners[0][1])
    straight = image.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    return straight.resize((width, HEIGHT), Image.Resampling.BILINEAR)


def network_input(image: Image.Image) -> NDArray[np.float32]:
    """Return an RGB image as the networks were trained: BGR in -1..1, shape (3, height, width)."""
    pixels = np.asarray(image, np.float32)[:, :, ::-1].transpose(2, 0, 1)
    return pixels / np.float32(127.5) - np.float32(1.0)
