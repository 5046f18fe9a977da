"""Text as it is compared: without case, accents, compatibility forms and needless spaces."""

from __future__ import annotations

import re
import unicodedata


def fold(text: str) -> str:
    """Return `text` without case (Unicode's case folding), accents, ligatures and compatibility forms."""
    if text.isascii():
        return text.lower()
    # Folded before for ẞ, and after for what compatibility forms hold; `lower` makes a sigma another one at
    # the end of a word.
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def squeeze(text: str) -> str:
    """Return `text` (NFKC) with single spaces and none at the ends."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def comparison_key(value: str) -> str:
    """Return `value` as values are compared: letters and digits only, without case and accents."""
    if re.fullmatch(r"-?\d+\.\d+", value):
        return value.rstrip("0").rstrip(".")
    return re.sub(r"[^\w]|_", "", fold(value)) or value
