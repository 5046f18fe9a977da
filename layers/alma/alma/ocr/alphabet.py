"""The recogniser's alphabet: its classes as characters, and which of them stand in western lines."""

from __future__ import annotations

from collections.abc import Mapping

#: The class that means no character (the blank of CTC).
BLANK = 0
#: Metadata entries of the recogniser's files: its characters, and the classes of a part of its last layer.
CHARACTERS, CLASSES = "character", "classes"
#: What stands in western lines beyond Latin and Greek.
WESTERN_SIGNS = frozenset("–—―‘’“”„†•…‰€₤₹₽№™←→↑↓√≤≥≠≈■□▪●○☐☑☒✓✔★☆")


def alphabet_of(metadata: Mapping[str, str]) -> list[str]:
    """Return the character of each class: empty for `BLANK`, the first, and a space for the last.

    Parameters
    ----------
    metadata : mapping
        Of a recogniser's file, with one character a line in `CHARACTERS`.
    """
    listed = metadata[CHARACTERS].split("\n")
    if listed[-1] == "":
        listed.pop()
    return ["", *(_plain(character) for character in listed), " "]


def is_western(character: str) -> bool:
    """Tell whether a character belongs to a western line (blank included).

    `scripts/split_recognizer.py` cuts these classes out of the last layer.
    """
    return character <= "\u024f" or "\u0370" <= character <= "\u03ff" or character in WESTERN_SIGNS


def _plain(character: str) -> str:
    """Return the ASCII form of a full-width character or space, any other as it is."""
    if "\uff01" <= character <= "\uff5e":
        return chr(ord(character) - 0xFEE0)
    return " " if character.isspace() else character
