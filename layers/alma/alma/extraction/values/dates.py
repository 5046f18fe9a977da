"""Dates in numbers and words, as ISO 8601."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache

from alma.extraction.values.calendars import eastern_dates
from alma.extraction.values.currencies import cldr
from alma.extraction.values.locales import Locale
from alma.extraction.values.numerals import SPELLED, words_to_number
from alma.extraction.values.parsed_spans import Span
from alma.extraction.values.text import fold, plain

#: Months by Roman numeral, as they stand between day and year: `14.III.2024`.
_NUMERALS = "I II III IV V VI VII VIII IX X XI XII"
_ROMAN = {numeral: n for n, numeral in enumerate(_NUMERALS.split(), start=1)}
#: Names of months that are others in Croatian than in Polish and Czech.
_CROATIAN = {"listopad": 10, "listopada": 10, "lis": 10, "lip": 6, "srp": 7}

# Thai months are shortened with a point inside (`มี.ค.`), and its vowels are no letters to the engine.
_MONTH = r"(?P<month>[ก-ฮ][ก-๎]{0,3}\.[ก-ฮ]\.|[ก-๎]{3,12}|[^\W\d_]{1,14}\.?)"
_ORDINAL = r"(?:st|nd|rd|th|er|:?e|o|º|°|ste)?"
_YEAR = r"(?P<year>(?:1[6-9]|20|21|25)\d\d|'?\d\d)(?!\d)"
_FULL_YEAR = r"(?P<year>(?:1[6-9]|20|21|25)\d\d)"


def _compiled(*forms: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(form, re.IGNORECASE) for form in forms)


_IN_FIGURES = _compiled(
    rf"(?<!\d){_FULL_YEAR}\s?(?P<sep>[-/.])\s?(?P<second>\d{{1,2}})\s?(?P=sep)\s?(?P<first>\d{{1,2}})(?!\d)",
    r"(?<![\d/.-])(?P<a>\d{1,2})\s?(?P<sep>[-/.])\s?(?P<b>\d{1,2})\s?(?P=sep)\s?" + _YEAR,
    rf"(?<![\d/.-])(?P<a>\d{{1,2}})/(?P<b>\d{{1,2}})\s?-\s?{_FULL_YEAR}(?!\d)",
)
_IN_WORDS = _compiled(
    r"(?<![\d.,])(?P<day>\d{1,2})\s?"
    + _ORDINAL
    + r"[\s.,/-]{0,3}(?:(?:day\s+)?(?:of|de|di|del|ta')\s+|d'\s?)?"
    + _MONTH
    + r"(?:\s+(?:de|del|do|พ\.ศ\.))?[\s.,/-]{0,3}"
    + _YEAR,
    r"(?<![^\W\d_])" + _MONTH + r"[\s.-]{0,2}(?P<day>\d{1,2})\s?" + _ORDINAL + r"[\s.,/-]{1,4}" + _YEAR,
    # The year first: Hungarian, Lithuanian and Latvian (`2024. gada 14. marts`), and `2024-Mar-14`.
    rf"(?<!\d){_FULL_YEAR}[\s.,/-]{{1,3}}(?:m\.\s?)?{_MONTH}[\s.-]{{0,2}}(?P<day>\d{{1,2}})(?!\d)",
    rf"(?<!\d){_FULL_YEAR}[.]?\s?gada\s(?P<day>\d{{1,2}})[.]?\s?{_MONTH}",
    r"(?P<day_words>(?:\d{1,2}(?:st|nd|rd|th)|[a-z]+(?:[ -][a-z]+)?))\s+day\s+of\s+"
    + _MONTH
    + r",?\s+(?:in\s+the\s+year\s+)?(?:of\s+our\s+lord\s+)?,?\s*(?P<year_words>"
    + SPELLED
    + r"|(?:1[6-9]|20)\d\d)",
)
_RUN_TOGETHER = _compiled(r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<second>[01]\d)(?P<first>[0-3]\d)(?!\d)")
_LETTER = re.compile(r"[^\W\d_]")
#: What any date has: a year in two digits at least, or in words.
_SOME_DATE = re.compile(r"\d\d| day of |\d年|[元〇零一二三四五六七八九十]年", re.IGNORECASE)
_EASTERN = re.compile(r"[年년]|\b[RHS] ?\d|ngày|NGÀY|Ngày|\b1\d\d[./-]")


def dates(text: str, locale: Locale) -> Iterator[Span]:
    """Yield the dates in a text, one form after the other."""
    if not _SOME_DATE.search(text):
        return
    taken: list[tuple[int, int]] = []
    if _EASTERN.search(text):
        for start, end, value in eastern_dates(text, locale.region):
            if not _within(taken, start, end):
                taken.append((start, end))
                yield Span(start, end, value)
    worded = _IN_WORDS if _LETTER.search(text) else ()
    for form in (*_IN_FIGURES, *worded, *_RUN_TOGETHER):
        for match in form.finditer(text):
            if _within(taken, *match.span()):
                continue
            read = _read_date(match, locale)
            if read is not None:
                taken.append(match.span())
                yield Span(match.start(), match.end(), read)


def is_ambiguous(text: str) -> bool:
    """Return whether a text is a date that another order of day and month makes another day."""
    readings = [[s.value for s in dates(plain(text), Locale(day_first=first))][:1] for first in (True, False)]
    return readings[0] != readings[1]


def _within(taken: list[tuple[int, int]], start: int, end: int) -> bool:
    return any(start < other_end and other_start < end for other_start, other_end in taken)


@lru_cache(maxsize=1)
def _months() -> Mapping[str, int]:
    return cldr()["months"]


def _month_of(match: re.Match[str], locale: Locale) -> int | None:
    """Return the month that a name or a Roman numeral stands for."""
    name = match["month"].replace(".", "")
    roman = _ROMAN.get(name)
    if roman is not None:
        # A lone letter is a month between points or strokes only: `5 V 2019` may be volts.
        return roman if len(name) > 1 or match.string[match.start("month") - 1] in "./-" else None
    folded = fold(name)
    if len(folded) < 2:
        return None
    if locale.region == "hr" and folded in _CROATIAN:
        return _CROATIAN[folded]
    return _months().get(folded)


def _full_year(text: str) -> int:
    digits = text.lstrip("'")
    if len(digits) == 4:
        # Thailand counts from the Buddha's death: 2567 is 2024.
        return int(digits) - (543 if digits.startswith("25") else 0)
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
        return _iso(_full_year(groups["year"]), int(groups["second"]), int(groups["first"]))
    if groups.get("a"):
        first, second, year = int(groups["a"]), int(groups["b"]), _full_year(groups["year"])
        month_first = _iso(year, first, second)
        day_first = _iso(year, second, first)
        # An impossible order is not an order: 12/25 is December in every country.
        return (day_first or month_first) if locale.day_first else (month_first or day_first)
    month = _month_of(match, locale)
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
