"""Which boxes form one line, and in what order lines are read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from alma.ocr.quads import Quad, extent

#: Share of the lower box's height that two boxes of one line have in common.
SHARED_HEIGHT = 0.5
#: Share of the narrower box's width that they may have in common.
SHARED_WIDTH = 0.3


def lines(quads: Sequence[Quad]) -> list[list[int]]:
    """Return the indices of `quads` line by line, top to bottom, each left to right.

    Boxes at the same height are one line however far apart they stand: a label on the left and an amount on
    the right belong together. The page's tilt is taken out first.
    """
    if not quads:
        return []
    tilt = _tilt(quads)
    turn = np.array([[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]])
    straight = [corners @ turn for corners in quads]
    low = np.array([corners.min(0) for corners in straight])
    high = np.array([corners.max(0) for corners in straight])
    grouped: list[list[int]] = []
    for index in np.argsort((low[:, 1] + high[:, 1]) / 2, kind="stable").tolist():
        best, most = None, SHARED_HEIGHT
        for members in grouped[-12:]:
            # A curled receipt bends its lines: only the nearest neighbour says where this one runs.
            near = min(members, key=lambda m: _gap(low, high, m, index))
            if _gap(low, high, near, index) < -SHARED_WIDTH * min(
                _span(low, high, near), _span(low, high, index)
            ):
                continue
            height = min(high[near, 1] - low[near, 1], high[index, 1] - low[index, 1])
            shared = (min(high[near, 1], high[index, 1]) - max(low[near, 1], low[index, 1])) / max(
                height, 1e-9
            )
            if shared > most:
                best, most = members, shared
        if best is None:
            grouped.append([index])
        else:
            best.append(index)
    for members in grouped:
        members.sort(key=lambda m: low[m, 0])
    middle = (low[:, 1] + high[:, 1]) / 2
    return sorted(grouped, key=lambda members: float(np.mean(middle[members])))


def _tilt(quads: Sequence[Quad]) -> float:
    """Return the angle of the page's lines in radians, the median weighted by length."""
    angles = np.array([math.atan2(*(q[1] - q[0])[::-1]) for q in quads])
    weights = np.array([extent(q)[0] for q in quads])
    order = np.argsort(angles)
    middle = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return float(angles[order[min(int(middle), len(order) - 1)]])


def _gap(low: np.ndarray, high: np.ndarray, a: int, b: int) -> float:
    """Return the horizontal distance between two boxes, negative where they overlap."""
    return float(max(low[a, 0], low[b, 0]) - min(high[a, 0], high[b, 0]))


def _span(low: np.ndarray, high: np.ndarray, index: int) -> float:
    return float(high[index, 0] - low[index, 0])
