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


class _Plain(dict[int, str]):
    """What stands for a character in a number, a date or a code; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        digit = unicodedata.decimal(character, None)
        if digit is not None:
            plain = str(digit)
        elif 0xFF01 <= code <= 0xFF5E:
            plain = chr(code - 0xFEE0)
        elif unicodedata.category(character) == "Zs":
            plain = " "
        else:
            plain = character
        self[code] = plain
        return plain


#: Dashes, minus signs, marks of Arabic numbers, full-width and half-width signs of currencies.
_PLAIN = _Plain(
    {
        **{ord(c): "-" for c in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"},
        **{ord(c): plain for c, plain in zip("٫٬٪⁄’‘ʼ´﹩￠￡￥￦", ".,%/''''$¢£¥₩", strict=True)},
    }
)


def plain(text: str) -> str:
    """Return `text` with the digits, dashes, spaces and marks of ASCII, character for character.

    >>> plain("２０２４／０３／１４"), plain("١٤–٠٣"), plain("1\u202f234,50")
    ('2024/03/14', '14-03', '1 234,50')
    """
    return text if text.isascii() else text.translate(_PLAIN)


def comparison_key(value: str) -> str:
    """Return `value` as values are compared: letters and digits only, without case and accents."""
    if re.fullmatch(r"-?\d+\.\d+", value):
        return value.rstrip("0").rstrip(".")
    return re.sub(r"[^\w]|_", "", fold(value)) or value
