"""International account numbers and VAT numbers: where they begin and end among words, and their checks.

The tables are ours, because all that is needed of a library such as python-stdnum is how long a number is in
each country; check digits of VAT numbers are no help in finding them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from alma.extraction.values.parsed_spans import Span

#: Characters of an IBAN by country (SWIFT IBAN registry, release 99).
_REGISTRY = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28
EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26
IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28
NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25
SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _REGISTRY.split()}
_IBAN = re.compile(r"(?<![A-Za-z0-9])(?:IBAN)?(?P<iban>[A-Z]{2} ?[- ]?\d\d(?:[ .-]{0,2}[A-Z0-9]){11,31})")
_BEGINS = re.compile(r"[A-Z]{2}\d[\dOIl][A-Z0-9]{6,31}")
_BEGUN = re.compile(
    r"(?<![A-Za-z0-9])(?P<iban>[A-Z]{2} ?\d\d(?:[ -]?[A-Z0-9]{4}){1,6}(?:[ -]?[A-Z0-9]{1,3})?)\s*$"
)
_GROUPS = re.compile(r"[A-Z]{2}[ -]?\d\d(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?")
#: What follows the letters of the country, without blanks and marks.
_VAT = {
    "AT": r"U\d{8}", "BE": r"[01]?\d{9}", "BG": r"\d{9,10}", "CY": r"\d{8}[A-Z]", "CZ": r"\d{8,10}",
    "DE": r"\d{9}", "DK": r"\d{8}", "EE": r"\d{9}", "EL": r"\d{9}", "GR": r"\d{9}", "ES":
    r"[A-Z]\d{7}[A-Z0-9]|\d{8}[A-Z]", "FI": r"\d{8}", "FR": r"[A-HJ-NP-Z0-9]{2}\d{9}", "GB":
    r"\d{9}|\d{12}|(?:GD|HA)\d{3}", "XI": r"\d{9}|\d{12}", "HR": r"\d{11}", "HU": r"\d{8}", "IE":
    r"\d{7}[A-W][A-I]?|\d[A-Z+*]\d{5}[A-W]", "IT": r"\d{11}", "LT": r"\d{9}|\d{12}", "LU": r"\d{8}",
    "LV": r"\d{11}", "MT": r"\d{8}", "NL": r"\d{9}B\d\d", "PL": r"\d{10}", "PT": r"\d{9}", "RO":
    r"\d{6,10}", "SE": r"\d{10}(?:01)?", "SI": r"\d{8}", "SK": r"\d{10}", "CHE":
    r"\d{9}(?:MWST|TVA|IVA)?", "NO": r"\d{9}(?:MVA)?", "IS": r"\d{5,6}", "RS": r"\d{9}", "UA":
    r"\d{12}", "TR": r"\d{10}", "SM": r"\d{5}", "LI": r"\d{5}",
}  # fmt: skip
_VAT_FORMS = {land: re.compile(form) for land, form in _VAT.items()}
_VAT_START = re.compile(
    rf"(?<![A-Za-z0-9])(?P<land>{'|'.join(sorted(_VAT, key=len, reverse=True))})(?=[ .-]{{0,2}}[A-Z0-9])"
)
_REST = re.compile(r"(?:[ .-]{0,2}[A-Z0-9+*]){1,16}")


def is_iban(value: str) -> bool:
    """Return whether a value has the length of its country's account numbers."""
    return len(value) == _LENGTHS.get(value[:2], 0) and value[2:4].isdigit() and value.isalnum()


def begins_like_iban(value: str) -> bool:
    """Return whether a value may be an IBAN that was misread or misprinted."""
    return _BEGINS.fullmatch(value) is not None


def checks(value: str) -> bool:
    """Return whether the check digits of an IBAN are right (ISO 7064, mod 97-10)."""
    if not is_iban(value):
        return False
    digits = "".join(str(int(c, 36)) for c in value[4:] + value[:4])
    return int(digits) % 97 == 1


def begins_account(text: str) -> int | None:
    """Return where an IBAN begins that the text ends before its end, or None."""
    match = _BEGUN.search(text)
    if match is None:
        return None
    length = _LENGTHS.get(match["iban"][:2], 0)
    return match.start("iban") if sum(c.isalnum() for c in match["iban"]) < length else None


def account_numbers(text: str) -> Iterator[Span]:
    """Yield the IBANs of a text, each as long as its country's are, however it is grouped."""
    at = 0
    while match := _IBAN.search(text, at):
        at = match.start("iban") + 2
        start = match.start("iban")
        places = [n for n in range(start, match.end()) if text[n].isalnum()]
        length = _LENGTHS.get(text[places[0]] + text[places[1]])
        if length is None or len(places) < length:
            continue
        end = places[length - 1] + 1
        value = "".join(text[n] for n in places[:length])
        right = checks(value)
        if end < len(text) and text[end].isalnum() and not right:
            continue
        # Without the right digits it has to look the part: runs together, or in groups of four.
        if right or _GROUPS.fullmatch(text[start:end]):
            at = end
            yield Span(start, end, value, 1.0 if right else 0.6)


def vat_numbers(text: str) -> Iterator[Span]:
    """Yield the VAT numbers of a text that begin with their country, as long as that country's are."""
    for match in _VAT_START.finditer(text):
        rest = _REST.match(text, match.end())
        if rest is None:
            continue
        form = _VAT_FORMS[match["land"]]
        places = [n for n in range(*rest.span()) if text[n].isalnum() or text[n] in "+*"]
        for count in range(len(places), 2, -1):
            end = places[count - 1] + 1
            number = "".join(text[n] for n in places[:count])
            if form.fullmatch(number) and not text[end : end + 1].isalnum():
                yield Span(match.start(), end, match["land"] + number)
                break
