"""Typed parsers: from characters on a page to a normalised value.

`spans` finds values of a type inside a text, `parse` reads a whole text as one value. Dates come out as
ISO 8601, amounts and numbers as plain decimals with a point, everything else with single spaces. Which of
03/04 is the day and whether 1.234 is a thousand depends on the document: `Locale` carries what its other
dates and amounts show.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from alma.datamodel.schemas import FieldType


@dataclass(frozen=True, slots=True)
class Locale:
    """What a document's unambiguous values say about its ambiguous ones.

    Attributes
    ----------
    day_first : bool
        03/04/2020 is the third of April.
    decimal_comma : bool
        1.234 is one thousand two hundred and thirty-four.
    """

    day_first: bool = True
    decimal_comma: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A value inside a text.

    Attributes
    ----------
    start, end : int
        Characters `text[start:end]` it was read from.
    value : str
        Normalised.
    quality : float
        0..1, how much it looks like its type: 12 may be an amount, $12.00 is one.
    """

    start: int
    end: int
    value: str
    quality: float = 1.0


# --- words ----------------------------------------------------------------------------------------------

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

_CARDINALS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_NUMBER_WORDS: dict[str, int] = {
    **{word: n for n, word in enumerate(_CARDINALS.split())},
    **{word: n for n, word in enumerate(_ORDINALS.split())},
    **{word: 10 * n for n, word in enumerate(_TENS.split(), start=2)},
    **{word[:-1] + "ieth": 10 * n for n, word in enumerate(_TENS.split(), start=2)},
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}


def fold(text: str) -> str:
    """Return `text` in lower case without accents, ligatures and compatibility forms."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()


def squeeze(text: str) -> str:
    """Return `text` (NFKC) with single spaces and none at the ends."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def words_to_number(text: str) -> int | None:
    """Return the whole number an English phrase spells ("twenty-two hundred", "one thousand and five")."""
    total, current, seen = 0, 0, False
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _NUMBER_WORDS:
            current += _NUMBER_WORDS[word]
        elif word == "hundred":
            current = (current or 1) * 100
        elif word in _SCALES:
            total += (current or 1) * _SCALES[word]
            current = 0
        elif word == "and":
            continue
        else:
            return None
        seen = True
    return total + current if seen else None


# --- dates ----------------------------------------------------------------------------------------------

_MONTH = r"(?P<month>[^\W\d_]{3,10})\.?"
_ORDINAL = r"(?:st|nd|rd|th|er|e|o|º|°)?"
_YEAR = r"(?P<year>(?:1[6-9]|20|21)\d\d|['’]?\d\d)(?!\d)"
_SPELLED = r"(?:(?:and|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|" + (
    r"fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|"
    r"hundred|thousand)\b[\s-]*)+"
)

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
        + _SPELLED
        + r"|(?:1[6-9]|20)\d\d)",
        r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<second>[01]\d)(?P<first>[0-3]\d)(?!\d)",
    )
)


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


def _dates(text: str, locale: Locale) -> Iterator[Span]:
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


# --- amounts and numbers --------------------------------------------------------------------------------

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
_WORD_AMOUNT = re.compile(rf"\b(?P<words>{_SPELLED})(?=(?:dollars|pounds|euros|$))", re.IGNORECASE)


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


def _amounts(text: str, locale: Locale) -> Iterator[Span]:
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


def _numbers(text: str, locale: Locale) -> Iterator[Span]:
    for match in _NUMBER.finditer(text):
        value = plain_decimal(match["digits"], locale, money=False)
        if value is not None:
            yield Span(match.start(), match.end(), "-" + value if match["sign"] else value)


# --- everything else ------------------------------------------------------------------------------------

_IDENTIFIER = re.compile(r"#?\s?(?P<id>(?=[^\s]*\d)[\w][\w/._&*-]*[\w*]|\d)(?:\s-\s?(?P<tail>\d+)(?!\S))?")
# Bank account and tax numbers are written in groups: `DE88 2008 0000 …`, `GB 123 4567 89`.
_GROUPED = re.compile(
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b|\b[A-Z]{2} ?\d{2,4}(?:[ .]\d{2,4}){1,4}\b"
)
_DURATION = re.compile(
    rf"(?P<count>\d{{1,3}}|{_SPELLED})\s*(?:\(\s*(?P<again>\d{{1,3}})\s*\))?[\s-]*"
    r"(?P<unit>year|month|week|day)s?\b(?:['’]s?)?",
    re.IGNORECASE,
)
_EDGE = " \t:;,.|*_=#-–—•·\"'“”‘’"
_NOTHING = re.compile(r"^(?:n\s?/\s?a|none|nil|null|unknown|tbd|[\W_]*)$", re.IGNORECASE)


def _identifiers(text: str, locale: Locale) -> Iterator[Span]:
    for match in _GROUPED.finditer(text):
        yield Span(match.start(), match.end(), re.sub("[ .]", "", match.group()))
        return
    for match in _IDENTIFIER.finditer(text):
        value = match["id"].strip("._-&/")
        quality = 1.0 if sum(c.isdigit() for c in value) >= 3 else 0.5
        if any(True for _ in _dates(value, locale)):
            quality = 0.1
        yield Span(match.start("id"), match.start("id") + len(match["id"]), value, quality)


def _durations(text: str, locale: Locale) -> Iterator[Span]:
    for match in _DURATION.finditer(text):
        count = int(match["again"] or 0) or (
            int(match["count"]) if match["count"].isdigit() else words_to_number(match["count"]) or 0
        )
        if count:
            unit = match["unit"].lower()
            yield Span(match.start(), match.end(), f"{count} {unit}{'s' if count != 1 else ''}")


def _texts(text: str, locale: Locale) -> Iterator[Span]:
    start = len(text) - len(text.lstrip(_EDGE))
    end = len(text.rstrip(" \t:;,|*_=-–—•·\"'“”‘’"))
    if start < end and not _NOTHING.match(text[start:end]):
        yield Span(start, end, squeeze(text[start:end]))


def _names(text: str, locale: Locale) -> Iterator[Span]:
    for span in _texts(text, locale):
        letters = sum(c.isalpha() for c in span.value)
        if letters < 2:
            continue
        # A sender's line (`Lieferant GmbH - Uferweg 40 - 63571 Gelnhausen`) starts with the name.
        sender = re.match(r"(?P<name>.{3,}?)\s[-–•●·|]\s.*\d{4,5}\s", text[span.start : span.end])
        if sender:
            yield Span(span.start, span.start + sender.end("name"), squeeze(sender["name"]))
            continue
        digits = sum(c.isdigit() for c in span.value)
        house_number = re.match(r"\d+\s", span.value) is not None
        quality = 0.2 if letters <= digits else 0.4 if house_number else 1.0
        yield Span(span.start, span.end, span.value, quality)


_FINDERS: dict[FieldType, Callable[[str, Locale], Iterator[Span]]] = {
    FieldType.DATE: _dates,
    FieldType.AMOUNT: _amounts,
    FieldType.NUMBER: _numbers,
    FieldType.IDENTIFIER: _identifiers,
    FieldType.DURATION: _durations,
    FieldType.NAME: _names,
    FieldType.ADDRESS: _texts,
    FieldType.TEXT: _texts,
}

#: Types whose values are found inside a text; the others are the whole text of a cell.
TYPED = frozenset(
    {FieldType.DATE, FieldType.AMOUNT, FieldType.NUMBER, FieldType.IDENTIFIER, FieldType.DURATION}
)


def spans(text: str, kind: FieldType, locale: Locale) -> list[Span]:
    """Return the values of a type that stand in `text`, in order."""
    return sorted(_FINDERS[kind](text, locale), key=lambda s: s.start)


def parse(text: str, kind: FieldType, locale: Locale | None = None) -> str | None:
    """Return the first value of a type that stands in `text`, normalised, or None.

    Parameters
    ----------
    text : str
        As on the page.
    kind : FieldType
        What to read it as.
    locale : Locale, optional
        Decides what is ambiguous; day first and decimal point where nothing is known.
    """
    found = spans(squeeze(text), kind, locale or Locale())
    return max(found, key=lambda s: (s.quality, -s.start)).value if found else None


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
