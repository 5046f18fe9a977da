"""What a parser hands over for one page, inside the parser's own process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from alma.datamodel.pages import PageText

LOCKED_PDF = "The PDF opens with a password only; remove the password and send it again."
DAMAGED_PDF = "The PDF is damaged and cannot be opened; export or print it to PDF again and send that."

#: Attached files of one file that are looked at, and characters of a name.
MAX_ATTACHMENTS = 100
MAX_NAME = 200


def printable(name: str) -> str:
    """Return the name of an attached file as it can be shown."""
    return "".join(filter(str.isprintable, name.replace("/", "_").replace("\\", "_"))).strip()[:MAX_NAME]


@dataclass(frozen=True, slots=True)
class PageContent:
    """One page as parsed."""

    image: Image.Image
    """The page as displayed, mode `RGB` or `L`."""
    text: PageText | None
    """The words of the file's text layer; None where it has none, or garbage."""
    needs_vision: bool
    """Something on the page can be read from the image only."""


class Parser(Protocol):
    """An opened file."""

    pages: int
    attachments: tuple[str, ...]
    """Names of files that are embedded in it."""

    def read(self, number: int) -> PageContent:
        """Return page `number` (from 1); raises UnreadableFileError where that page cannot be read."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...
