"""Binary morphology on a piece of a page's picture: square frames, ruled lines, and the ink in them.

Everything here is in pixels of one grey upright page (`uint8`, 0 black); the callers convert.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: Grey levels between ink and paper; with less there is no ink.
CONTRAST = 50
#: What lies this far from ink to paper is still ink: thin lines are grey at their edges.
INK = 0.6
#: Share of each side of a frame that is inked at least, and how much narrower than high it may be.
SIDE_COVERED, SQUARENESS = 0.82, 0.8
#: A side that goes on beyond its corners by this share of its length belongs to a grid.
BEYOND = 0.5
#: How wide the paper beside a frame is, as a share of its width, and how much of it may be inked: the stroke
#: of a cross is.
CLEAR, ALONE = 0.15, 0.2


class Pixels(NamedTuple):
    """A rectangle of pixels, `right` and `bottom` exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def within(self, height: int, width: int) -> Pixels:
        """Return the part of it that lies in a picture."""
        left, right = (min(max(x, 0), width) for x in (self.left, self.right))
        top, bottom = (min(max(y, 0), height) for y in (self.top, self.bottom))
        return Pixels(left, top, right, bottom)


def ink(grey: Grey) -> Mask:
    """Return where there is ink, by the contrast of this piece."""
    if not grey.size:
        return np.zeros(grey.shape, bool)
    dark, paper = float(grey.min()), float(np.percentile(grey, 90))
    if paper - dark < CONTRAST:
        # All of one colour: paper, or a solid square.
        return np.full(grey.shape, paper < 255 - 2 * CONTRAST)
    return grey < dark + INK * (paper - dark)


def dilated(mask: Mask, across: int, down: int) -> Mask:
    """Return a mask in which ink has grown by some pixels to each side."""
    grown = mask.copy()
    for step in range(1, across + 1):
        grown[:, step:] |= mask[:, :-step]
        grown[:, :-step] |= mask[:, step:]
    wide = grown.copy()
    for step in range(1, down + 1):
        grown[step:] |= wide[:-step]
        grown[:-step] |= wide[step:]
    return grown


def without_specks(mask: Mask) -> Mask:
    """Return a mask without dust: ink with fewer than three neighbours."""
    padded = np.pad(mask, 1).astype(np.int8)
    height, width = mask.shape
    around = sum(padded[y : y + height, x : x + width] for y in range(3) for x in range(3))
    found: Mask = mask & (around > 3)
    return found


def frames(mask: Mask, shortest: int, longest: int) -> list[Pixels]:
    """Return near-square frames, whatever is drawn in them, none over another; the clearest first.

    A frame has ink along its four sides, found by running sums over the sides of every square of every size
    (an exhaustive match of a template that has no inside).
    """
    height, width = mask.shape
    thick = dilated(mask, 1, 1)
    along = np.pad(np.cumsum(thick, axis=1), ((0, 0), (1, 0))).astype(np.float32)
    down = np.pad(np.cumsum(thick, axis=0), ((1, 0), (0, 0))).astype(np.float32)
    found: list[tuple[float, Pixels]] = []
    for w in range(shortest, min(longest, width) + 1, 2):
        rows = (along[:, w:] - along[:, :-w]) / w
        for h in range(max(shortest, int(w * SQUARENESS)), min(longest, int(w / SQUARENESS), height) + 1, 2):
            columns = (down[h:] - down[:-h]) / h
            sides = np.minimum(rows[: height - h + 1], rows[h - 1 :])
            sides = np.minimum(sides, columns[:, : width - w + 1])
            sides = np.minimum(sides, columns[:, w - 1 :])
            for y, x in zip(*np.nonzero(sides >= SIDE_COVERED), strict=True):
                # Of frames as clear as each other the larger is the whole one.
                score = round(float(sides[y, x]), 1) + (w + h) / 10_000
                found.append((score, Pixels(int(x), int(y), int(x) + w, int(y) + h)))
    kept: list[Pixels] = []
    for _, box in sorted(found, key=lambda each: -each[0]):
        if (
            not any(_overlap(box, other) for other in kept)
            and _stands_alone(mask, box)
            and not _is_grid(thick, box)
        ):
            kept.append(box)
    return kept


def _overlap(a: Pixels, b: Pixels) -> bool:
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom


def _stands_alone(mask: Mask, box: Pixels) -> bool:
    """Return whether there is paper to the left and right of a frame: letters have others beside them."""
    width = max(2, round(CLEAR * (box.right - box.left)))
    sides = (
        mask[box.top : box.bottom, max(0, box.left - 1 - width) : max(0, box.left - 1)],
        mask[box.top : box.bottom, box.right + 1 : box.right + 1 + width],
    )
    return all(not side.size or float(side.mean()) <= ALONE for side in sides)


def _is_grid(thick: Mask, box: Pixels) -> bool:
    """Return whether two of a frame's lines go on beyond it: it is a cell of a table, or part of a bar."""
    across, down = (int(BEYOND * length) for length in (box.right - box.left, box.bottom - box.top))
    pieces = [
        thick[y, max(0, left) : right]
        for y in (box.top + 1, box.bottom - 2)
        for left, right in ((box.left - across - 2, box.left - 2), (box.right + 2, box.right + across + 2))
    ] + [
        thick[max(0, top) : bottom, x]
        for x in (box.left + 1, box.right - 2)
        for top, bottom in ((box.top - down - 2, box.top - 2), (box.bottom + 2, box.bottom + down + 2))
    ]
    return sum(len(piece) >= 3 and float(piece.mean()) > 0.9 for piece in pieces) >= 2


def inside_share(mask: Mask, frame: Pixels) -> float:
    """Return the share of a frame's inside, its lines left out, that is inked."""
    x = max(3, round(0.27 * (frame.right - frame.left)))
    y = max(3, round(0.27 * (frame.bottom - frame.top)))
    inside = mask[frame.top + y : frame.bottom - y, frame.left + x : frame.right - x]
    return float(inside.mean()) if inside.size else 0.0


def rules(mask: Mask, shortest: int) -> list[Pixels]:
    """Return horizontal ruled lines, from the top; each a rectangle as high as its line is thick."""
    found: list[Pixels] = []
    thick = dilated(mask, 1, 2)  # a line that leans a little is one line
    for y in range(thick.shape[0]):
        edges = np.flatnonzero(np.diff(np.pad(thick[y].astype(np.int8), 1)))
        for left, right in zip(edges[::2], edges[1::2], strict=True):
            if right - left < shortest:
                continue
            line = Pixels(int(left), y, int(right), y + 1)
            near = [
                n
                for n, o in enumerate(found)
                if y - o.bottom <= 1 and o.left < line.right and line.left < o.right
            ]
            if near:
                o = found[near[0]]
                found[near[0]] = Pixels(min(o.left, line.left), o.top, max(o.right, line.right), y + 1)
            else:
                found.append(line)
    return found
