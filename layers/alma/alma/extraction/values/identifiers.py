"""Identifiers: numbers and codes of documents, accounts and people."""

from __future__ import annotations

import re
from collections.abc import Iterator

from alma.extraction.values.dates import dates
from alma.extraction.values.locales import Locale
from alma.extraction.values.parsed_spans import Span

_IDENTIFIER = re.compile(r"#?\s?(?P<id>(?=[^\s]*\d)[\w][\w/._&*-]*[\w*]|\d)(?:\s-\s?(?P<tail>\d+)(?!\S))?")
# Bank account and tax numbers are written in groups: `DE88 2008 0000 …`, `GB 123 4567 89`.
_GROUPED = re.compile(
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b|\b[A-Z]{2} ?\d{2,4}(?:[ .]\d{2,4}){1,4}\b"
)


def identifiers(text: str, locale: Locale) -> Iterator[Span]:
    """Yield the identifiers in a text; one written in groups is the only one."""
    for match in _GROUPED.finditer(text):
        yield Span(match.start(), match.end(), re.sub("[ .]", "", match.group()))
        return
    for match in _IDENTIFIER.finditer(text):
        value = match["id"].strip("._-&/")
        quality = 1.0 if sum(c.isdigit() for c in value) >= 3 else 0.5
        if any(True for _ in dates(value, locale)):
            quality = 0.1
        yield Span(match.start("id"), match.start("id") + len(match["id"]), value, quality)
