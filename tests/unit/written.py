"""Pages written as text, for tests: one line a row, two or more spaces open a new cell."""

from __future__ import annotations

import re

from alma.datamodel.geometry import Box, Word
from alma.datamodel.pages import PageText, Track

WIDTH, HEIGHT = 600.0, 800.0
CHARACTER, LINE = 5.0, 16.0


def page(text: str, number: int = 1, track: Track = Track.TEXT, turned: int = 0) -> PageText:
    """Return a page that shows `text` as a typewriter would, scanned turned if asked.

    A character is 5 points wide on a page of 600 x 800 points; words are 10 points high, lines 16 apart.
    """
    words = []
    for row, line in enumerate(text.strip("\n").splitlines()):
        for match in re.finditer(r"\S+", line):
            top = 20 + row * LINE
            box = Box.from_pixels(
                20 + match.start() * CHARACTER,
                top,
                20 + match.end() * CHARACTER,
                top + 10,
                width=WIDTH,
                height=HEIGHT,
            )
            words.append(Word(match.group(), box.turned(-turned), row, None if track is Track.TEXT else 0.95))
    size = (HEIGHT, WIDTH) if turned in (90, 270) else (WIDTH, HEIGHT)
    return PageText(number, *size, track, tuple(words), turned)
