"""The currency of a document, where its value is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from alma.extraction.values.currencies import CURRENCY, code_of
from alma.extraction.values.locales import Locale
from alma.extraction.values.parsed_spans import Span
from alma.extraction.values.text import fold

#: What a sign that several countries use stands for in one of them.
_OF_REGION = {
    "$": {
        "us": "USD", "au": "AUD", "nz": "NZD", "sg": "SGD", "hk": "HKD", "ca": "CAD", "tw": "TWD",
        "mx": "MXN", "cl": "CLP", "co": "COP", "ar": "ARS",
    },
    "kr": {"se": "SEK", "no": "NOK", "dk": "DKK"},
    "¥": {"jp": "JPY", "cn": "CNY"},
    "rs": {"in": "INR", "lk": "LKR", "pk": "PKR"},
    "fr": {"ch": "CHF"},
}  # fmt: skip
_STANDING = re.compile(rf"(?<![^\W\d_])(?:{CURRENCY})(?![^\W\d_])")


def currencies(text: str, locale: Locale) -> Iterator[Span]:
    """Yield the currencies in a text as their codes, or as they stand where several lands have them."""
    for match in _STANDING.finditer(text):
        written = match.group()
        code = code_of(written) or _OF_REGION.get(fold(written).strip("."), {}).get(locale.region)
        yield Span(match.start(), match.end(), code or written, 1.0 if code else 0.5)
