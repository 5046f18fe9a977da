"""Where the ink of a line is: boxes as tight as a reader would draw them.

A detector's box has a margin of about half a line, and the recogniser knows the place of a character to an
eighth of its input's height or so. The ink itself says both exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Contrast with the paper, as a share of the line's strongest, that makes a pixel ink; and the least of it.
CONTRAST, LEAST_CONTRAST = 0.4, 20.0
#: A row with more ink than this share of the line's length is a rule, not text.
RULE = 0.8
#: A band of less than this share of the crop's height is too thin for letters.
THIN = 0.25
#: Blank rows inside a line, as a share of the crop: the gap between an i and its dot.
GAP = 0.1
#: Rows with less ink than this share of the fullest are strays of the neighbouring lines.
STRAY = 0.04
#: Air around the ink that belongs to a box, as a share of the ink's height.
AIR = 0.06

#: Left, top, right and bottom as shares of the crop's width and height.
Window = tuple[float, float, float, float]


def tight(crop: Image.Image, spans: Sequence[tuple[float, float]]) -> list[Window]:
    """Return the boxes of a line's words: all as high as the line's ink, each as wide as its own.

    Parameters
    ----------
    crop : PIL.Image.Image
        The line, with a margin.
    spans : sequence of (start, end)
        Where the recogniser puts the words, as shares of the crop's width, left to right.
    """
    ink = _ink(np.asarray(crop.convert("L"), np.float32))
    height, width = ink.shape
    first, last = _rows(ink)
    columns = np.logical_and(ink[first:last].any(axis=0), ~ink.all(axis=0))
    air = AIR * (last - first)
    top, bottom = max(0.0, (first - air) / height), min(1.0, (last + air) / height)
    windows: list[Window] = []
    for place, (start, end) in enumerate(spans):
        # A word's ink may reach half-way to its neighbours.
        left = 0.0 if place == 0 else (spans[place - 1][1] + start) / 2
        right = 1.0 if place + 1 == len(spans) else (end + spans[place + 1][0]) / 2
        begin, stop = int(left * width), max(int(left * width) + 1, round(right * width))
        inked = np.flatnonzero(columns[begin:stop])
        if len(inked):
            start = max(0.0, (begin + inked[0] - air) / width)
            end = min(1.0, (begin + inked[-1] + 1 + air) / width)
        windows.append((float(start), top, float(end), bottom))
    return windows


def _ink(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels are ink, dark on light or light on dark: most of a line is paper."""
    contrast = np.abs(grey - np.median(grey))
    ink: NDArray[np.bool_] = contrast > max(CONTRAST * float(np.percentile(contrast, 98)), LEAST_CONTRAST)
    return ink


def _rows(ink: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the first row of the line's band of ink and the row after its last.

    A band too thin for letters is a rule under a part of the line: it is looked for again without such rows.
    """
    band = _band(ink, RULE)
    if band[1] - band[0] < THIN * len(ink):
        letters = _band(ink, RULE / 2)
        if letters[1] - letters[0] >= THIN * len(ink):
            return letters
    return band


def _band(ink: NDArray[np.bool_], rule: float) -> tuple[int, int]:
    height, width = ink.shape
    counts = ink.sum(1)
    counts[counts > rule * width] = 0
    if not counts.any():
        return 0, height
    inked = counts > STRAY * counts.max()
    # The band grows from where the ink is densest over the height of a small letter.
    middle = int(np.convolve(counts, np.ones(height // 7), "same").argmax())
    allowed = round(GAP * height)

    def edge(step: int) -> int:
        reached, row = middle, middle
        while 0 <= row < height and abs(row - reached) <= allowed:
            if inked[row]:
                reached = row
            row += step
        return reached

    return edge(-1), edge(1) + 1
