"""Dates of East Asia: counted months, Chinese numerals, Japanese eras, years of the Republic of China."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

_ERAS = {
    "令和": 2018,
    "平成": 1988,
    "昭和": 1925,
    "大正": 1911,
    "明治": 1867,
    "R": 2018,
    "H": 1988,
    "S": 1925,
}
_REPUBLIC = 1911
_NUMERALS = "〇零一二三四五六七八九十元廿卅"
_DIGITS = {**{c: n for n, c in enumerate("〇一二三四五六七八九")}, "零": 0}
_NUMBER = rf"(?:\d{{1,2}}|[{_NUMERALS}]{{1,4}})"
_FORMS = (
    re.compile(
        rf"(?P<era>令和|平成|昭和|大正|明治|(?:中華)?民[國国])?\s?(?<!\d)(?P<year>\d{{1,4}}|[{_NUMERALS}]{{1,4}})\s?[年년]\s?"
        rf"(?P<month>{_NUMBER})\s?[月월]\s?(?P<day>{_NUMBER})\s?[日號号일]?"
    ),
    re.compile(
        r"(?<![\w.,/-])(?P<era>[RHS])\s?(?P<year>\d{1,2})\s?(?P<sep>[./-])\s?(?P<month>\d{1,2})\s?(?P=sep)\s?"
        r"(?P<day>\d{1,2})(?![\w./-])"
    ),
    re.compile(r"(?i:ngày)\s(?P<day>\d{1,2})\s(?i:tháng)\s(?P<month>\d{1,2})\s(?i:năm)\s(?P<year>\d{4})"),
)
_TAIWANESE = re.compile(
    r"(?<![\w./-])(?P<year>1\d\d)(?P<sep>[./-])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?![\w./-])"
)


def eastern_dates(text: str, region: str) -> Iterator[tuple[int, int, str]]:
    """Yield where such dates stand in a text, and the days they are."""
    forms = (*_FORMS, _TAIWANESE) if region == "tw" else _FORMS
    for form in forms:
        for match in form.finditer(text):
            groups = match.groupdict()
            year, month, day = (_count(groups[part]) for part in ("year", "month", "day"))
            full = _gregorian(year, len(groups["year"]), groups.get("era"))
            try:
                yield match.start(), match.end(), date(full, month, day).isoformat()
            except ValueError:
                continue


def _gregorian(year: int, digits: int, era: str | None) -> int:
    if era is not None:
        return year + _ERAS.get(era, _REPUBLIC)
    # Nobody else counts in hundreds; two digits are of this century, as 24年.
    return year + (_REPUBLIC if digits == 3 else 2000 if year < 100 else 0)


def _count(text: str) -> int:
    """Return the number that digits or Chinese numerals stand for; 元 is the first year of an era."""
    if text.isdigit() and text.isascii():
        return int(text)
    text = text.replace("廿", "二十").replace("卅", "三十").replace("元", "一")
    if "十" not in text:
        return int("".join(str(_DIGITS[c]) for c in text))
    tens, _, ones = text.partition("十")
    return 10 * _DIGITS.get(tens, 1) + _DIGITS.get(ones, 0)
