"""Identifiers: numbers and codes of documents, accounts and people."""

from __future__ import annotations

import re
from collections.abc import Iterator

from alma.extraction.values.account_numbers import account_numbers, vat_numbers
from alma.extraction.values.currencies import CURRENCY
from alma.extraction.values.dates import dates
from alma.extraction.values.locales import Locale
from alma.extraction.values.parsed_spans import Span
from alma.extraction.values.text import squeeze

_IDENTIFIER = re.compile(r"#?\s?(?P<id>(?=[^\s]*\d)[\w][\w/._&*-]*[\w*]|\d)(?:\s-\s?(?P<tail>\d+)(?!\S))?")
#: How account and tax numbers of all countries begin.
_CODED = re.compile(r"[A-Z]{2}[ .-]{0,2}[A-Z]?[ .-]?\d")
#: Numbers of taxes and of companies in groups: `XX 123 4567 89`, `987 654 321 MVA`, `51 824 753 556`.
_GROUPED = re.compile(
    r"\b[A-Z]{2} ?\d{2,4}(?:[ .]\d{2,4}){1,4}\b"
    r"|(?<![\w.,/-])\d{2,3}(?: \d{3}){2,3}(?: \d{5}| MVA)?(?![\w.,]|[ -]\d)"
)
#: Letters that open a number of several words: `INV 000123`, `RE 2024 00123`, `FT A/118`.
_PREFIXED = re.compile(
    r"^\W{0,3}(?P<id>(?P<prefix>[A-Z]{1,5}) (?:[A-Z]{1,3}[/-]?)?\d[\w/.-]*\w"
    r"(?: (?:\d{3,}[\w/-]*)(?![\w.,/]))?)(?![^\s,;)])"
)
_NO_PREFIX = re.compile(
    r"(?:NO|NR|N|NUM|ID|REF|TEL|FAX|PH|BOX|PAGE|DATE|VAT|TVA|IVA|BTW|MWST|UST|GST|TAX|IBAN|BIC|SWIFT|KVK|EAN"
    r"|GLN|ABN|OIB|NIP|ORDER|VOM|VON|DU|THE|OF|FOR|AT|ON|BY|TO|AND|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|SEPT"
    rf"|OCT|NOV|DEC|{CURRENCY})"
)
#: `2024 / 0117`
_SPACED = re.compile(r"^\W{0,3}(?P<id>(?:[A-Z]{1,4})?\d{1,6} / \d{2,}(?: / \d{2,})?)(?![\w/])")


def identifiers(text: str, locale: Locale) -> Iterator[Span]:
    """Yield the identifiers in a text: account and tax numbers whole, then the others outside of them."""
    taken: list[tuple[int, int]] = []
    for span in _in_groups(text):
        if not any(span.start < end and start < span.end for start, end in taken):
            taken.append((span.start, span.end))
            yield span
    for match in _IDENTIFIER.finditer(text):
        start, end = match.span("id")
        if any(start < other_end and other_start < end for other_start, other_end in taken):
            continue
        value = match["id"].strip("._-&/")
        quality = 1.0 if sum(c.isdigit() for c in value) >= 3 else 0.5
        if any(True for _ in dates(value, locale)):
            quality = 0.1
        yield Span(start, end, value, quality)


def _in_groups(text: str) -> Iterator[Span]:
    """Yield the identifiers that are written in several words."""
    if _CODED.search(text):
        yield from account_numbers(text)
        yield from vat_numbers(text)
    for match in _GROUPED.finditer(text):
        yield Span(match.start(), match.end(), re.sub("[ .]", "", match.group()))
    opening = _PREFIXED.match(text)
    if opening is not None and not re.fullmatch(_NO_PREFIX, opening["prefix"]):
        yield Span(*opening.span("id"), squeeze(opening["id"]))
    spaced = _SPACED.match(text)
    if spaced is not None:
        yield Span(*spaced.span("id"), spaced["id"].replace(" ", ""))
