"""Where a value stands: every piece of coordinate arithmetic in alma.

Coordinates live in the unit square of the page *as displayed* (after the file's own rotation, crop box or
EXIF orientation), origin at the top left, x to the right, y down. Pixels and points exist only inside the
readers, which convert on the way in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Decimal places of a coordinate in answers: 1e-5 of a page 300 mm high is 3 micrometres.
PLACES = 5


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle in the unit square."""

    x: float
    y: float
    """Top left corner, 0..1."""
    w: float
    h: float
    """Width and height, 0..1."""

    @classmethod
    def from_corners(cls, x0: float, y0: float, x1: float, y1: float) -> Box:
        """Return the box between two opposite corners (in any order), clipped to the page."""
        left, right = sorted((min(max(x0, 0.0), 1.0), min(max(x1, 0.0), 1.0)))
        top, bottom = sorted((min(max(y0, 0.0), 1.0), min(max(y1, 0.0), 1.0)))
        return cls(left, top, right - left, bottom - top)

    @classmethod
    def from_pixels(
        cls, left: float, top: float, right: float, bottom: float, *, width: float, height: float
    ) -> Box:
        """Return the box of a pixel (or point) rectangle on a page of the given size."""
        return cls.from_corners(left / width, top / height, right / width, bottom / height)

    @classmethod
    def from_dict(cls, value: dict[str, float]) -> Box:
        """Return the box written by `to_dict`."""
        return cls(float(value["x"]), float(value["y"]), float(value["w"]), float(value["h"]))

    @property
    def right(self) -> float:
        """X of the right edge."""
        return self.x + self.w

    @property
    def bottom(self) -> float:
        """Y of the lower edge."""
        return self.y + self.h

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box."""
        return self.x + self.w / 2, self.y + self.h / 2

    @property
    def area(self) -> float:
        """Share of the page."""
        return self.w * self.h

    def union(self, other: Box) -> Box:
        """Return the smallest box that holds both."""
        return Box.from_corners(
            min(self.x, other.x),
            min(self.y, other.y),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def holds(self, point: tuple[float, float], slack: float = 0.0) -> bool:
        """Return whether a point lies in the box, or at most `slack` beside it."""
        x, y = point
        return self.x - slack <= x <= self.right + slack and self.y - slack <= y <= self.bottom + slack

    def overlap(self, other: Box) -> float:
        """Return the area that both cover."""
        w = min(self.right, other.right) - max(self.x, other.x)
        h = min(self.bottom, other.bottom) - max(self.y, other.y)
        return w * h if w > 0 and h > 0 else 0.0

    def iou(self, other: Box) -> float:
        """Return intersection over union, 0..1."""
        shared = self.overlap(other)
        joint = self.area + other.area - shared
        return shared / joint if joint > 0 else 0.0

    def turned(self, degrees: int) -> Box:
        """Return this box after the page is turned clockwise by a multiple of 90 degrees."""
        match degrees % 360:
            case 0:
                return self
            case 90:
                return Box(1.0 - self.bottom, self.x, self.h, self.w)
            case 180:
                return Box(1.0 - self.right, 1.0 - self.bottom, self.w, self.h)
            case 270:
                return Box(self.y, 1.0 - self.right, self.h, self.w)
            case _:
                raise ValueError(f"pages are turned by multiples of 90 degrees, not {degrees}")

    def rounded(self) -> Box:
        """Return this box as its JSON form says it."""
        return Box.from_dict(self.to_dict())

    def to_dict(self) -> dict[str, float]:
        """Return the JSON form `{"x", "y", "w", "h"}`, rounded to `PLACES`."""
        return {
            "x": round(self.x, PLACES),
            "y": round(self.y, PLACES),
            "w": round(self.w, PLACES),
            "h": round(self.h, PLACES),
        }


def enclosing(boxes: Iterable[Box]) -> Box:
    """Return the smallest box that holds all `boxes` (at least one)."""
    each = list(boxes)
    if not each:
        raise ValueError("an empty set of boxes has no enclosing box")
    if len(each) == 1:
        return each[0]
    return Box.from_corners(
        min(box.x for box in each),
        min(box.y for box in each),
        max(box.right for box in each),
        max(box.bottom for box in each),
    )


@dataclass(frozen=True, slots=True)
class Region:
    """One rectangle on one page (1-based)."""

    page: int
    box: Box

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form `{"page", "bbox"}`."""
        return {"page": self.page, "bbox": self.box.to_dict()}


@dataclass(frozen=True, slots=True)
class Word:
    """A word where it stands on a page."""

    text: str
    """The word as it stands there, no white space inside."""
    box: Box
    """Its place on the page."""
    line: int
    """Number of the text line it belongs to, in reading order, unique on the page. Words of one line follow
    each other left to right."""
    confidence: float | None = None
    """What the recogniser thinks of it, 0..1; None where a text layer states it."""


def same_place(a: Iterable[Region], b: Sequence[Region]) -> bool:
    """Tell whether two values stand at one place: regions of them cover each other by half."""
    return any(
        x.page == y.page and x.box.overlap(y.box) > 0.5 * min(x.box.area, y.box.area) for x in a for y in b
    )


def regions_of(page: int, words: Sequence[Word]) -> tuple[Region, ...]:
    """Return one region per line that `words` (all on `page`) touch, in order."""
    lines: dict[int, Box] = {}
    for word in words:
        known = lines.get(word.line)
        lines[word.line] = word.box if known is None else known.union(word.box)
    return tuple(Region(page, box) for box in lines.values())
