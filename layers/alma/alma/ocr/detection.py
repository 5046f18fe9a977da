"""Where text lines stand: differentiable binarisation (Liao et al., AAAI 2020, arXiv:1911.08947)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from alma.ocr.crops import network_input
from alma.ocr.quads import Quad, components, quad, rectangle
from alma.onnx_session import model_bytes, open_session

#: The network's strides need multiples of this.
STRIDE = 32
#: Probability above which a pixel belongs to the kernel of a line.
PIXEL_THRESHOLD = 0.3
#: Mean probability a line needs.
BOX_THRESHOLD = 0.5
#: How far a kernel is grown back to the full line, in units of area / perimeter.
UNCLIP = 1.6
#: Largest area the network sees, as a share of the square over the longer side: A4 has 0.71.
SHEET = 0.8
#: Kernels thinner than this (pixels of the network's input) are specks.
SMALLEST = 3.0


class Detector:
    """Finds text lines.

    Parameters
    ----------
    model : Path
        DB detector: (1, 3, h, w) -> (1, 1, h, w).
    threads : int
        Threads of the network.
    side : int
        Longer side of the image as the network sees it, at most.
    """

    def __init__(self, model: Path, threads: int, side: int) -> None:
        self._session = open_session(model_bytes(model), threads)
        self._side = side

    def find(self, image: Image.Image) -> list[Quad]:
        """Return the lines of an RGB image, corners in its pixels, in no particular order."""
        scale = min(1.0, self._side / max(image.size))
        # Memory goes with the area: a square page would need half as much again as a sheet of paper.
        scale = min(scale, self._side * math.sqrt(SHEET / (image.width * image.height)))
        width, height = (max(STRIDE, round(size * scale / STRIDE) * STRIDE) for size in image.size)
        resized = image.resize((width, height), Image.Resampling.BILINEAR)
        inputs = np.ascontiguousarray(network_input(resized)[None])
        probability = self._session.run(None, {"x": inputs})[0][0, 0]
        ratio = np.array([image.width / width, image.height / height])
        limit = np.array([image.width, image.height], float)
        return [np.clip(corners * ratio, 0.0, limit) for corners in boxes(probability)]


def boxes(probability: NDArray[np.float32]) -> list[Quad]:
    """Return the lines in a probability map, corners in its pixels.

    Parameters
    ----------
    probability : ndarray of float32, shape (height, width)
        Of belonging to the kernel (shrunken core) of a line.
    """
    mask = probability > PIXEL_THRESHOLD
    # A dilation by 2 x 2 pixels joins kernels that are torn by a hair.
    mask[1:] |= mask[:-1]
    mask[:, 1:] |= mask[:, :-1]
    found: list[Quad] = []
    for points in components(mask):
        if len(points) < 2 * SMALLEST:
            continue
        centre, direction, length, breadth = rectangle(points)
        # Take the dilation out again, right and below.
        centre, length, breadth = centre - 0.5, length - 1.0, breadth - 1.0
        if min(length, breadth) <= SMALLEST:
            continue
        if _score(probability, quad(centre, direction, length, breadth)) < BOX_THRESHOLD:
            continue
        grow = 2 * UNCLIP * length * breadth / (2 * (length + breadth))
        # Pixel (x, y) covers x..x+1: its middle is half a pixel further.
        found.append(quad(centre + 0.5, direction, length + grow, breadth + grow))
    return found


def _score(probability: NDArray[np.float32], corners: Quad) -> float:
    """Return the mean probability inside a quad whose corners are middles of pixels.

    Rounding inwards: one row more on every side is half the area of a single digit.
    """
    height, width = probability.shape
    low = np.clip(np.ceil(corners.min(0) + 0.25).astype(int), 0, [width - 1, height - 1])
    high = np.clip(np.floor(corners.max(0) - 0.25).astype(int), low, [width - 1, height - 1])
    window = probability[low[1] : high[1] + 1, low[0] : high[0] + 1]
    if corners[0][1] == corners[1][1]:
        return float(window.mean())
    inside = Image.new("1", (window.shape[1], window.shape[0]))
    ImageDraw.Draw(inside).polygon([(float(x), float(y)) for x, y in corners - low], fill=1, outline=1)
    chosen = window[np.asarray(inside)]
    return float(chosen.mean()) if len(chosen) else 0.0
