"""Connected components and the rotated rectangles around them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

#: Four corners, clockwise from the start of the text's upper edge: shape (4, 2), x and y in pixels.
Quad = NDArray[np.float64]
Points = NDArray[np.float64]


def components(mask: NDArray[np.bool_]) -> list[Points]:
    """Return the 8-connected components of a mask, each as the ends of its horizontal runs.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)

    Returns
    -------
    list of ndarray, shape (n, 2)
        x and y of the first and last pixel of every run: all that a convex hull needs.
    """
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, first = np.nonzero(edges == 1)
    last = np.nonzero(edges == -1)[1] - 1
    if not len(rows):
        return []
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    # Runs are sorted by row, then by x: neighbours in adjacent rows are found by walking both rows at once.
    row_start = np.searchsorted(rows, np.arange(len(mask) + 1)).tolist()
    left, right = first.tolist(), last.tolist()
    for row in range(1, len(mask)):
        above, above_end = row_start[row - 1], row_start[row]
        here, here_end = row_start[row], row_start[row + 1]
        while above < above_end and here < here_end:
            if right[above] + 1 < left[here]:
                above += 1
            elif right[here] + 1 < left[above]:
                here += 1
            else:
                a, b = root(above), root(here)
                parent[max(a, b)] = min(a, b)
                if right[above] < right[here]:
                    above += 1
                else:
                    here += 1
    roots = np.array([root(run) for run in range(len(rows))])
    order = np.argsort(roots, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(roots[order])) + 1)
    return [
        np.concatenate([np.stack([first[g], rows[g]], 1), np.stack([last[g], rows[g]], 1)]).astype(float)
        for g in groups
    ]


def convex_hull(points: Points) -> Points:
    """Return the convex hull (Andrew's monotone chain), counter-clockwise in a frame with y up."""
    unique = np.unique(points, axis=0)
    if len(unique) < 3:
        return unique

    def chain(ordered: list[list[float]]) -> list[list[float]]:
        hull: list[list[float]] = []
        for x, y in ordered:
            while len(hull) >= 2:
                (ax, ay), (bx, by) = hull[-2], hull[-1]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                hull.pop()
            hull.append([x, y])
        return hull

    listed = unique.tolist()
    return np.array(chain(listed)[:-1] + chain(listed[::-1])[:-1])


def rectangle(points: Points, *, prefer_upright: float = 1.1) -> tuple[Points, Points, float, float]:
    """Return the smallest rectangle around points: centre, direction, length along it, length across it.

    The direction is a unit vector within 45 degrees of +x. The upright rectangle is taken where it is at most
    `prefer_upright` times as large: the best angle of a short blob is an accident of its outline.
    """
    hull = convex_hull(points)
    edges = np.diff(np.vstack([hull, hull[:1]]), axis=0)
    angles = np.append(np.unique(np.round(np.arctan2(edges[:, 1], edges[:, 0]) % (math.pi / 2), 6)), 0.0)
    along = hull @ np.stack([np.cos(angles), np.sin(angles)])
    across = hull @ np.stack([-np.sin(angles), np.cos(angles)])
    spans = np.ptp(along, axis=0), np.ptp(across, axis=0)
    # A run of one pixel has an extent of one pixel, not of none.
    areas = (spans[0] + 1) * (spans[1] + 1)
    best = int(np.argmin(areas))
    if areas[-1] <= prefer_upright * areas[best]:
        best = len(angles) - 1
    direction = np.array([math.cos(angles[best]), math.sin(angles[best])])
    normal = np.array([-direction[1], direction[0]])
    centre = (
        direction * (along[:, best].max() + along[:, best].min()) / 2
        + normal * (across[:, best].max() + across[:, best].min()) / 2
    )
    length, breadth = float(spans[0][best]) + 1, float(spans[1][best]) + 1
    if angles[best] > math.pi / 4:
        direction, length, breadth = np.array([direction[1], -direction[0]]), breadth, length
    return centre, direction, length, breadth


def quad(centre: Points, direction: Points, length: float, breadth: float) -> Quad:
    """Return the corners of a rectangle."""
    along = direction * (length / 2)
    across = np.array([-direction[1], direction[0]]) * (breadth / 2)
    return np.array(
        [centre - along - across, centre + along - across, centre + along + across, centre - along + across]
    )


def extent(corners: Quad) -> tuple[float, float]:
    """Return length and breadth of a quad: its upper edge and its left edge."""
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    return math.hypot(*along), math.hypot(*across)
