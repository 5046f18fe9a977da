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


def is_rtl(text: str) -> bool:
    """Tell whether most letters of a text are of a script written from right to left."""
    kinds = [unicodedata.bidirectional(c) for c in text]
    return sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")


def reading_order(texts: Sequence[str]) -> list[int]:
    """Return the positions of a line's words, given from left to right, in the order in which they are read.

    The bidirectional algorithm of Unicode (UAX 9) for whole words: those of the other direction are turned
    round among themselves, with the numbers and signs between them.
    """
    directions = ["R" if is_rtl(text) else "L" if any(map(_is_ltr, text)) else "" for text in texts]
    if "R" not in directions:
        return list(range(len(texts)))
    main = "R" if is_rtl("".join(texts)) else "L"
    order = list(range(len(texts)))[:: -1 if main == "R" else 1]
    at = 0
    while at < len(order):
        end = at + 1
        if directions[order[at]] not in ("", main):
            for ahead in range(at + 1, len(order)):
                if directions[order[ahead]] == main:
                    break
                if directions[order[ahead]]:
                    end = ahead + 1
            order[at:end] = reversed(order[at:end])
        at = end
    return order


def _is_ltr(c: str) -> bool:
    return unicodedata.bidirectional(c) == "L"
