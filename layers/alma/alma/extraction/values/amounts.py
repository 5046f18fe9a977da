"""Amounts of money and numbers, as plain decimals with a point."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from alma.extraction.values.currencies import CURRENCY, RISKY
from alma.extraction.values.locales import Locale
from alma.extraction.values.numerals import SPELLED, words_to_number
from alma.extraction.values.parsed_spans import Span

_DIGITS = r"(?:\d{1,3}(?:[ '’]\d{3})+(?:[.,]\d{1,4})?(?!\d)|\d+(?:[.,]\d+)*)"
_AMOUNT = re.compile(
    rf"(?<![\w.,/-])(?P<open>\()?\s?(?P<sign>-)?\s?(?:(?P<before>{CURRENCY})(?![^\W\d]))?\s?(?P<sign2>-)?\s?"
    rf"(?P<digits>{_DIGITS})(?P<dash>[.,]-{{1,2}}|\s?/[-=])?(?P<hyphen>-(?![\w-]))?"
    rf"(?:\s?(?P<after>{CURRENCY})(?!\w))?(?P<trail>-(?!\w))?(?:\s?(?P<credit>CR|Cr)(?!\w))?"
    rf"(?:\s?(?P<scale>(?i:lakhs?|lacs?|crores?))(?!\w))?"
    rf"(?P<close>\))?(?![^\W\d_]|\d|[%/]|[.,:]\d|-\d|\s?%)"
)
_NUMBER = re.compile(rf"(?<![\w.,/])(?P<sign>-)?(?P<digits>{_DIGITS})(?![\w/]|[.,:]\d)")
_WORD_AMOUNT = re.compile(rf"\b(?P<words>{SPELLED})(?=(?:dollars|pounds|euros|$))", re.IGNORECASE)
#: `1,23,456` and `12,34,56,789`: lakhs and crores.
_LAKHS = re.compile(r"\d{1,2}(?:,\d\d)+,\d{3}")
#: What stands before an amount in brackets that repeats in figures what the words say.
_SAID_BEFORE = re.compile(rf"(?:\b(?:{SPELLED})|\b(?i:dollars?|pounds?|euros?|rupees?|only|francs?))\W*$")
#: Words of a text in which brackets are those of a sentence.
_SENTENCE = 6
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_SCALES = {"l": 100_000, "c": 10_000_000}


def amounts(text: str, locale: Locale) -> Iterator[Span]:
    """Yield the amounts in a text, or where there are none, those in words."""
    found = False
    for match in _AMOUNT.finditer(text):
        digits = match["digits"]
        value = plain_decimal(digits, locale, money=True)
        glued = match["before"] and text[match.end("before")].isdigit()
        if value is None or (glued and match["before"] in RISKY and not re.search("[.,]", digits)):
            continue
        if match["scale"]:
            value = f"{Decimal(value) * _SCALES[match['scale'][0].lower()]:.2f}"
        money = bool(match["before"] or match["after"])
        cents = bool(re.search(r"[.,]\d\d$", digits)) or bool(match["dash"])
        quality = 1.0 if cents else 0.9 if money else 0.5 if re.search(r"[.,]", digits) else 0.15
        start, end = _without_currency(match)
        found = True
        negative = _negative(match, locale) and value.strip("0.") != ""
        yield Span(start, end, "-" + value if negative else value, quality)
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
    text = re.sub(r"[ '’]", "", digits)
    marks = [c for c in text if c in ".,"]
    whole, fraction = text, ""
    if len(set(marks)) == 2:
        at = max(text.rfind("."), text.rfind(","))
        if text.count(text[at]) > 1:
            return None
        whole, fraction = re.sub("[.,]", "", text[:at]), text[at + 1 :]
    elif len(marks) > 1:
        groups = re.split("[.,]", text)
        if (any(len(g) != 3 for g in groups[1:]) or len(groups[0]) > 3) and not _LAKHS.fullmatch(text):
            return None
        whole = "".join(groups)
    elif marks:
        whole, _, fraction = text.partition(marks[0])
        if len(fraction) == 3 and marks[0] in locale.grouping and 1 <= len(whole) <= 3 and whole != "0":
            whole, fraction = whole + fraction, ""
    whole = whole.lstrip("0") or "0"
    if money:
        fraction = fraction.rstrip("0").ljust(2, "0")
    return f"{whole}.{fraction}" if fraction else whole


def _negative(match: re.Match[str], locale: Locale) -> bool:
    """Return whether an amount is below zero: a minus on either side, brackets of a ledger, or `CR`."""
    if match["sign"] or match["sign2"] or match["credit"]:
        return True
    if match["hyphen"] or match["trail"]:
        # Behind cents a dash is a minus; behind a whole amount of money it stands where cents would.
        whole = not re.search(r"[.,]\d\d$", match["digits"])
        return not (whole and (match["before"] or match["after"] or locale.whole))
    if not (match["open"] and match["close"]):
        return False
    before = match.string[: match.start()]
    said = _SAID_BEFORE.search(before) is not None
    return not said and len(_LETTERS.findall(match.string)) < _SENTENCE


def _without_currency(match: re.Match[str]) -> tuple[int, int]:
    """Return where an amount stands: a currency that is a word of its own is not part of it."""
    start = match.start() + len(match.group()) - len(match.group().lstrip())
    end = match.start() + len(match.group().rstrip())
    text = match.string
    if match["before"] and text[match.end("before")].isspace() and not match["open"] and not match["sign"]:
        start = match.start("sign2") if match["sign2"] else match.start("digits")
    if (
        match["after"]
        and text[match.start("after") - 1].isspace()
        and not match["close"]
        and not match["credit"]
    ):
        end = match.end("dash") if match["dash"] else match.end("digits")
    return start, end
