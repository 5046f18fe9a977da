"""One page searched for marks: its words, its labels and, where it is needed, its picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median

import numpy as np

from alma.datamodel.geometry import Box, Region
from alma.extraction.marks.pictures import Grey, Pixels
from alma.extraction.page.labels import LabelMatch
from alma.extraction.page.layout import Layout

#: Returns the grey picture of a page as displayed by its number, or None where there is none.
PictureOf = Callable[[int], Grey | None]


@dataclass(frozen=True, slots=True)
class Mark:
    """What is read beside one label."""

    value: str
    content: str
    """Its characters on the page, or the value where it is drawn."""
    regions: tuple[Region, ...]


@dataclass
class MarkedPage:
    """A page being searched for marks."""

    layout: Layout
    picture_of: PictureOf
    hits: list[LabelMatch] = field(default_factory=list)

    @cached_property
    def picture(self) -> Grey | None:
        """The upright grey picture; loaded only where a label of a mark stands on the page."""
        picture = self.picture_of(self.layout.page)
        return None if picture is None else np.rot90(picture, -self.layout.turned // 90)

    def box_of(self, indices: Iterable[int]) -> Pixels:
        """Return the pixels that some words cover together."""
        boxes = [self.layout.words[i].box for i in indices]
        height, width = self._size
        return Pixels(
            int(min(b.x for b in boxes) * width),
            int(min(b.y for b in boxes) * height),
            int(max(b.right for b in boxes) * width) + 1,
            int(max(b.bottom for b in boxes) * height) + 1,
        )

    def words_in(self, area: Pixels) -> list[int]:
        """Return the words that touch a rectangle of pixels."""
        height, width = self._size
        left, top, right, bottom = (
            area.left / width,
            area.top / height,
            area.right / width,
            area.bottom / height,
        )
        return [
            index
            for index, word in enumerate(self.layout.words)
            if word.box.x < right and word.box.right > left and word.box.y < bottom and word.box.bottom > top
        ]

    def text_height(self, indices: Iterable[int]) -> int:
        """Return how high some words are, in pixels."""
        return max(6, round(median(self.layout.words[i].box.h for i in indices) * self._size[0]))

    def row(self, index: int) -> range:
        """Return the words of the row a word stands in."""
        return range(*self.layout.rows[self.layout.row_of[index]])

    def region(self, place: Pixels) -> Region:
        """Return a rectangle of pixels as a place on the page as displayed."""
        height, width = self._size
        box = Box.from_pixels(*place, width=width, height=height)
        return Region(self.layout.page, box.turned(-self.layout.turned))

    @property
    def _size(self) -> tuple[int, int]:
        if self.picture is None:
            raise ValueError(f"page {self.layout.page} has no picture")
        return self.picture.shape[0], self.picture.shape[1]
