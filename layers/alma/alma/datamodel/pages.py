"""The words of a page, per track, and their stored form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from alma.datamodel.geometry import Box, Word


class Track(StrEnum):
    """Who read the words of a page."""

    TEXT = "text"
    """The file's own text layer."""
    VISION = "vision"
    """Optical character recognition on the page image."""
    XML = "xml"
    """The data that an electronic invoice carries beside its pages; no words."""


@dataclass(frozen=True, slots=True)
class PageText:
    """The words of one page as one track reads them."""

    page: int
    """1-based number within the document."""
    width: float
    height: float
    """Size of the page as displayed; the unit does not matter, the ratio does."""
    track: Track
    """Where the words come from."""
    words: tuple[Word, ...]
    """In reading order; words of one line are neighbours."""
    turned: int = 0
    """Degrees clockwise the page must be turned to be upright for a reader: 0, 90, 180 or 270. Boxes are
    always on the page as displayed, not as turned."""
    unreadable: int = 0
    """Number of text lines that were found and could not be read (a script outside the alphabet, a smear)."""
    unprinted: tuple[int, ...] = ()
    """Positions of words of a text layer that the file does not print: an earlier recogniser's, under a
    picture of them, that have not been compared with it."""
    astray: bool = False
    """Those words are no reading of the picture, but something else that somebody put there, unseen."""
    pictures: tuple[Box, ...] = ()
    """Pictures on a page of text that may hold words of their own, to be recognised."""
    completed: bool = False
    """The words of its pictures are there."""
    data: tuple[tuple[str, str], ...] = ()
    """What the file says of itself as data, on the track `xml`: key of a field and its value as written."""

    def upright(self) -> PageText:
        """Return the same page turned so that lines run left to right, for rules about position."""
        if not self.turned:
            return self
        width, height = (self.height, self.width) if self.turned in (90, 270) else (self.width, self.height)
        words = tuple(Word(w.text, w.box.turned(self.turned), w.line, w.confidence) for w in self.words)
        pictures = tuple(box.turned(self.turned) for box in self.pictures)
        return replace(self, width=width, height=height, words=words, turned=0, pictures=pictures)

    def lines(self) -> list[list[Word]]:
        """Return the words grouped by line, in reading order."""
        grouped: dict[int, list[Word]] = {}
        for word in self.words:
            grouped.setdefault(word.line, []).append(word)
        return list(grouped.values())

    def to_json(self) -> str:
        """Return the stored form: JSON with words as compact arrays."""
        partly: dict[str, Any] = {
            "unprinted": list(self.unprinted),
            "astray": self.astray,
            "pictures": [[round(v, 5) for v in (b.x, b.y, b.w, b.h)] for b in self.pictures],
            "completed": self.completed,
            "data": [list(each) for each in self.data],
        }
        return json.dumps(
            {
                "page": self.page,
                "width": round(self.width, 2),
                "height": round(self.height, 2),
                "track": self.track.value,
                "turned": self.turned,
                "unreadable": self.unreadable,
                "words": [
                    [
                        w.text,
                        *(round(v, 5) for v in (w.box.x, w.box.y, w.box.w, w.box.h)),
                        w.line,
                        None if w.confidence is None else round(w.confidence, 4),
                    ]
                    for w in self.words
                ],
                **{name: value for name, value in partly.items() if value},
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> PageText:
        """Return what `to_json` wrote."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> PageText:
        """Return what the JSON of `to_json` says.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is malformed.
        """
        return cls(
            page=raw["page"],
            width=raw["width"],
            height=raw["height"],
            track=Track(raw["track"]),
            words=tuple(
                Word(text, Box(x, y, w, h), line, confidence)
                for text, x, y, w, h, line, confidence in raw["words"]
            ),
            turned=raw["turned"],
            unreadable=raw["unreadable"],
            unprinted=tuple(raw.get("unprinted", ())),
            astray=raw.get("astray", False),
            pictures=tuple(Box(x, y, w, h) for x, y, w, h in raw.get("pictures", ())),
            completed=raw.get("completed", False),
            data=tuple((key, value) for key, value in raw.get("data", ())),
        )


def plain_text(pages: Iterable[PageText]) -> str:
    """Return the pages as lines of text, a form feed between pages."""
    return "\f".join(
        "\n".join(" ".join(word.text for word in line) for line in page.lines()) for page in pages
    )
