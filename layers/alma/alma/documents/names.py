"""Prefix search of file names: what of a name is compared, and which beginnings of it find it."""

from __future__ import annotations

import re

from alma.extraction.values.text import fold

#: Words of a name that it can be found by; a name has about five.
MAX_WORDS = 20
_WORD = re.compile(r"[^\W_]+")


def folded(text: str) -> str:
    """Return the words of a name without case and accents, a space for whatever stands between them."""
    return " ".join(_WORD.findall(fold(text)))


def beginnings(folded_name: str) -> list[str]:
    """Return a folded name from each of its words on: what it is found by begins one of these."""
    words = folded_name.split(" ") if folded_name else []
    return [" ".join(words[at:]) for at in range(min(len(words), MAX_WORDS))]


def matches(file_name: str, wanted: str) -> bool:
    """Tell whether a folded text is what a name begins with, or goes on with from one of its words."""
    return any(each.startswith(wanted) for each in beginnings(folded(file_name)))
