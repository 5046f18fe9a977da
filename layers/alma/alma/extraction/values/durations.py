"""Lengths of time: a count and a unit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from alma.extraction.values.locales import Locale
from alma.extraction.values.numerals import SPELLED, words_to_number
from alma.extraction.values.parsed_spans import Span

_DURATION = re.compile(
    rf"(?P<count>\d{{1,3}}|{SPELLED})\s*(?:\(\s*(?P<digits>\d{{1,3}})\s*\))?[\s-]*"
    r"(?P<unit>year|month|week|day)s?\b(?:['’]s?)?",
    re.IGNORECASE,
)


def durations(text: str, locale: Locale) -> Iterator[Span]:
    """Yield the lengths of time in a text."""
    for match in _DURATION.finditer(text):
        count = int(match["digits"] or 0) or (
            int(match["count"]) if match["count"].isdigit() else words_to_number(match["count"]) or 0
        )
        if count:
            unit = match["unit"].lower()
            yield Span(match.start(), match.end(), f"{count} {unit}{'s' if count != 1 else ''}")
