"""The locale of a document: what its unambiguous dates and amounts say about the ambiguous ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Locale:
    """How ambiguous dates and amounts are read."""

    day_first: bool = True
    """03/04/2020 is the third of April."""
    decimal_comma: bool = False
    """1.234 is one thousand two hundred and thirty-four."""


_SLASHED = re.compile(r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(?:\d{4}|\d{2})(?!\d)")
_COMMA_CENTS = re.compile(r"\d,\d\d(?![\d.,])")
_POINT_CENTS = re.compile(r"\d\.\d\d(?![\d.,])")
_MONTH_FIRST_PLACE = re.compile(
    r"\b(?:USA|(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]"
    r"|T[NX]|UT|V[AT]|W[AIVY]),? \d{5}(?:-\d{4})?)\b"
)
#: How a form says what order it wants: `(MM-DD-YYYY)`.
_ORDER = re.compile(r"\b(?P<order>mm\s?[-/.]\s?dd|dd\s?[-/.]\s?mm)\s?[-/.]\s?yy", re.IGNORECASE)
_US_DOLLAR = re.compile(r"(?<![A-Z])\$ ?\d")


def locale_of(texts: Iterable[str]) -> Locale:
    """Return what the dates and amounts of a document show.

    A date with a part over 12 decides the order, or what a form says of it (`MM-DD-YYYY`); without one, a
    document that writes dollars and American addresses puts the month first, any other the day.
    """
    day = month = comma = point = american = 0
    for text in texts:
        for match in _ORDER.finditer(text):
            stated = match["order"][0].lower()
            day, month = day + (stated == "d"), month + (stated == "m")
        for match in _SLASHED.finditer(text):
            first, second = int(match[1]), int(match[3])
            # Points between the parts are a day-first custom everywhere.
            day += (first > 12 >= second) or match[2] == "."
            month += second > 12 >= first
        comma += len(_COMMA_CENTS.findall(text))
        point += len(_POINT_CENTS.findall(text))
        american += len(_US_DOLLAR.findall(text)) + len(_MONTH_FIRST_PLACE.findall(text))
    day_first = day > month if day != month else not american
    return Locale(day_first=day_first, decimal_comma=comma > point)
