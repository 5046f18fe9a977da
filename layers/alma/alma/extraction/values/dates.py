"""Dates in numbers and words, as ISO 8601."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from alma.extraction.values.locales import Locale
from alma.extraction.values.numerals import SPELLED, words_to_number
from alma.extraction.values.parsed_spans import Span
from alma.extraction.values.text import fold

_MONTHS: dict[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "january januar janvier enero gennaio januari jan janv ene gen",
            "february februar fevrier febrero febbraio februari feb fevr febr",
            "march marz mars marzo maart mar maerz mrz mrt",
            "april avril abril aprile apr avr abr",
            "may mai mayo maggio mei mag",
            "june juni juin junio giugno jun giu",
            "july juli juillet julio luglio jul juil lug",
            "august aout agosto augustus aug ago",
            "september septembre septiembre settembre sept sep set sett",
            "october oktober octobre octubre ottobre oct okt ott",
            "november novembre noviembre nov",
            "december dezember decembre diciembre dicembre dec dez dic",
        ),
        start=1,
    )
    for name in names.split()
}

_MONTH = r"(?P<month>[^\W\d_]{3,10})\.?"
_ORDINAL = r"(?:st|nd|rd|th|er|e|o|º|°)?"
_YEAR = r"(?P<year>(?:1[6-9]|20|21)\d\d|['’]?\d\d)(?!\d)"

_DATE_FORMS: tuple[re.Pattern[str], ...] = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?<!\d)(?P<year>(?:1[6-9]|20|21)\d\d)\s?(?P<sep>[-/.])\s?(?P<second>\d{1,2})\s?(?P=sep)\s?"
        r"(?P<first>\d{1,2})(?!\d)",
        r"(?<![\d/.-])(?P<a>\d{1,2})\s?(?P<sep>[-/.])\s?(?P<b>\d{1,2})\s?(?P=sep)\s?" + _YEAR,
        r"(?<![\d.,])(?P<day>\d{1,2})\s?"
        + _ORDINAL
        + r"[\s.,/-]{0,3}(?:(?:day\s+)?(?:of|de|di|del)\s+)?"
        + _MONTH
        + r"(?:\s+(?:de|del))?[\s.,/-]{0,3}"
        + _YEAR,
        r"(?<![^\W\d_])" + _MONTH + r"[\s.-]{0,2}(?P<day>\d{1,2})\s?" + _ORDINAL + r"[\s.,/-]{1,4}" + _YEAR,
        r"(?P<day_words>(?:\d{1,2}(?:st|nd|rd|th)|[a-z]+(?:[ -][a-z]+)?))\s+day\s+of\s+"
        + _MONTH
        + r",?\s+(?:in\s+the\s+year\s+)?(?:of\s+our\s+lord\s+)?,?\s*(?P<year_words>"
        + SPELLED
        + r"|(?:1[6-9]|20)\d\d)",
        r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<second>[01]\d)(?P<first>[0-3]\d)(?!\d)",
    )
)


def dates(text: str, locale: Locale) -> Iterator[Span]:
    """Yield the dates in a text, one form after the other."""
    taken: list[tuple[int, int]] = []
    if not any(c.isdigit() for c in text) and " day of " not in text.lower():
        return
    for form in _DATE_FORMS:
        for match in form.finditer(text):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            value = _read_date(match, locale)
            if value is not None:
                taken.append(match.span())
                yield Span(match.start(), match.end(), value)


def _full_year(text: str) -> int:
    digits = text.lstrip("'’")
    if len(digits) == 4:
        return int(digits)
    # Two digits: 70..99 are the last century's, as in POSIX (there the border is 69).
    return int(digits) + (1900 if int(digits) >= 70 else 2000)


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _read_date(match: re.Match[str], locale: Locale) -> str | None:
    groups = match.groupdict()
    if groups.get("first"):
        return _iso(int(groups["year"]), int(groups["second"]), int(groups["first"]))
    if groups.get("a"):
        first, second, year = int(groups["a"]), int(groups["b"]), _full_year(groups["year"])
        month_first = _iso(year, first, second)
        day_first = _iso(year, second, first)
        # An impossible order is not an order: 12/25 is December in every country.
        return (day_first or month_first) if locale.day_first else (month_first or day_first)
    month = _MONTHS.get(fold(groups["month"]))
    if month is None:
        return None
    if groups.get("day_words"):
        spelled = groups["day_words"]
        day = int(spelled[:-2]) if spelled[0].isdigit() else words_to_number(spelled)
        if day is None:  # "this seventh": the phrase before the ordinal is not part of the number
            day = words_to_number(spelled.split()[-1])
        spelled_year = groups["year_words"]
        year = int(spelled_year) if spelled_year.isdigit() else words_to_number(spelled_year) or 0
        return _iso(year, month, day) if day else None
    return _iso(_full_year(groups["year"]), month, int(groups["day"]))
