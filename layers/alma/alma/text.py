"""Text that people see: what is kept is what a person could have checked."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def validation_message(message: str) -> str:
    """Return pydantic's message for an error, without what it puts before a `ValueError`'s text."""
    return message.removeprefix("Value error, ")


def reject_control_characters(text: str) -> str:
    """Return a text as it is.

    Raises
    ------
    ValueError
        It has characters that nobody sees.
    """
    for c in text:
        if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\t\r\n":
            raise ValueError(f"it has a control or invisible character, U+{ord(c):04X}; leave it out")
    return text


def is_repetition(words: Sequence[str]) -> bool:
    """Tell whether a line is one short phrase over and over, as a watermark is: `COPY ONLY COPY ONLY
    COPY`."""
    for length in range(1, min(6, len(words) // 2) + 1):
        if all(word == words[i % length] for i, word in enumerate(words)):
            phrase = "".join(words[:length])
            return len(phrase) > 2 and phrase.isalpha()
    return False
