"""Amounts of money and numbers, as plain decimals with a point."""

from __future__ import annotations

import re
from collections.abc import Iterator

from alma.extraction.values.locales import Locale
from alma.extraction.values.numerals import SPELLED, words_to_number
from alma.extraction.values.parsed_spans import Span

#: Signs and codes of currencies, as an expression.
CURRENCY = r"(?:US\$|R\$|[$€£¥₹]|RM|Rs\.?|USD|EUR|GBP|CHF|MYR|SGD|CAD|AUD|INR|HKD|JPY|NOK|SEK|DKK|PLN|kr\.?)"
_DIGITS = r"(?:\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+(?:[.,]\d{1,4})?|\d+(?:[.,]\d+)*)"
_AMOUNT = re.compile(
    rf"(?<![\w.,/-])(?P<open>\()?\s?(?P<sign>[-−–])?\s?(?P<before>{CURRENCY})?\s?(?P<sign2>[-−–])?\s?"
    rf"(?P<digits>{_DIGITS})(?P<dash>[.,][-–]{{1,2}})?\s?(?P<after>{CURRENCY}(?!\w))?(?P<trail>[-−](?!\w))?"
    rf"(?P<close>\))?(?![\w%/]|[.,:]\d|-\d|\s?%)",
    re.IGNORECASE,
)
_NUMBER = re.compile(rf"(?<![\w.,/])(?P<sign>[-−])?(?P<digits>{_DIGITS})(?![\w/]|[.,:]\d)")
_WORD_AMOUNT = re.compile(rf"\b(?P<words>{SPELLED})(?=(?:dollars|pounds|euros|$))", re.IGNORECASE)


def amounts(text: str, locale: Locale) -> Iterator[Span]:
    """Yield the amounts in a text, or where there are none, those in words."""
    found = False
    for match in _AMOUNT.finditer(text):
        digits = match["digits"]
        value = plain_decimal(digits, locale, money=True)
        if value is None:
            continue
        negative = bool(
            match["sign"] or match["sign2"] or match["trail"] or (match["open"] and match["close"])
        )
        money = bool(match["before"] or match["after"])
        cents = bool(re.search(r"[.,]\d\d$", digits)) or bool(match["dash"])
        quality = 1.0 if cents else 0.9 if money else 0.5 if re.search(r"[.,]", digits) else 0.15
        start, end = _without_currency(match)
        found = True
        yield Span(start, end, "-" + value if negative and value.strip("0.") else value, quality)
    if not found:
        for match in _WORD_AMOUNT.finditer(text):
            number = words_to_number(match["words"])
            if number is not None:
                end = match.start() + len(match.group().rstrip())
                yield Span(match.start(), end, f"{number}.00", 0.7)


def numbers(text: str, locale: Locale) -> Iterator[Span]:
    """Yield the numbers in a text."""
    for match in _NUMBER.finditer(text):
        value = plain_decimal(match["digits"], locale, money=False)
        if value is not None:
            yield Span(match.start(), match.end(), "-" + value if match["sign"] else value)


def plain_decimal(digits: str, locale: Locale, *, money: bool) -> str | None:
    """Return digits with separators as a plain decimal ("1.234,5" as "1234.5"), or None if they are neither.

    Parameters
    ----------
    digits : str
        Digits with points, commas, spaces or apostrophes between them.
    locale : Locale
        Decides a lone separator before exactly three digits.
    money : bool
        At least two decimals come out; a lone comma before three digits groups thousands.
    """
    text = re.sub(r"[ \u00a0\u202f'’]", "", digits)
    marks = [c for c in text if c in ".,"]
    whole, fraction = text, ""
    if len(set(marks)) == 2:
        at = max(text.rfind("."), text.rfind(","))
        if text.count(text[at]) > 1:
            return None
        whole, fraction = re.sub("[.,]", "", text[:at]), text[at + 1 :]
    elif len(marks) > 1:
        groups = re.split("[.,]", text)
        if any(len(g) != 3 for g in groups[1:]) or len(groups[0]) > 3:
            return None
        whole = "".join(groups)
    elif marks:
        whole, _, fraction = text.partition(marks[0])
        grouping = "." if locale.decimal_comma else ","
        if len(fraction) == 3 and marks[0] == grouping and 1 <= len(whole) <= 3 and whole != "0":
            whole, fraction = whole + fraction, ""
    whole = whole.lstrip("0") or "0"
    if money:
        fraction = fraction.rstrip("0").ljust(2, "0")
    return f"{whole}.{fraction}" if fraction else whole


def _without_currency(match: re.Match[str]) -> tuple[int, int]:
    """Return where an amount stands: a currency that is a word of its own is not part of it."""
    start = match.start() + len(match.group()) - len(match.group().lstrip())
    end = match.start() + len(match.group().rstrip())
    text = match.string
    if match["before"] and text[match.end("before")].isspace() and not match["open"] and not match["sign"]:
        start = match.start("sign2") if match["sign2"] else match.start("digits")
    if match["after"] and text[match.start("after") - 1].isspace() and not match["close"]:
        end = match.end("dash") if match["dash"] else match.end("digits")
    return start, end
