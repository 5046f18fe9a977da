"""The locale of a document: what its unambiguous dates and amounts say about the ambiguous ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from alma.extraction.values.currencies import CURRENCY, code_of, decimals_of
from alma.extraction.values.text import plain


@dataclass(frozen=True, slots=True)
class Locale:
    """How ambiguous dates and amounts are read."""

    day_first: bool = True
    """03/04/2020 is the third of April."""
    decimal_comma: bool = False
    """1.234 is one thousand two hundred and thirty-four."""
    whole: bool = False
    """Amounts have no decimals: a point and a comma before three digits both group thousands."""
    order_known: bool = field(default=True, compare=False)
    """The document says what order its dates have; if not, `day_first` is a guess."""
    region: str = field(default="", compare=False)
    """The country by its ISO 3166 code in small letters, where the document tells it: for money, years."""

    @property
    def grouping(self) -> str:
        """The marks that group thousands where they stand alone before three digits."""
        return ".," if self.whole else "." if self.decimal_comma else ","


_SLASHED = re.compile(r"(?<![\d/.-])(\d{1,2})\s?([/.-])\s?(\d{1,2})\s?\2\s?(?:\d{4}|\d{2})(?!\d)")
#: How a form says what order it wants: `(MM-DD-YYYY)`.
_ORDER = re.compile(r"\b(?P<order>mm\s?[-/.]\s?dd|dd\s?[-/.]\s?mm)\s?[-/.]\s?yy", re.IGNORECASE)
_DOLLAR = re.compile(r"(?<![A-Z])\$ ?\d")
_MONTH_FIRST = re.compile(
    r"\b(?:USA|U\.S\.A\.|United States|US\$|USD|EIN|Sales Tax"
    r"|(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]"
    r"|T[NX]|UT|V[AT]|W[AIVY]),? \d{5}(?:-\d{4})?(?!\d))"
)
#: Money, taxes, companies and post codes of lands that put the day first, and words of their languages.
_DAY_FIRST = re.compile(
    r"[€£₹]|(?<!\w)(?:AU?|NZ|HK|SG?)\$|\b(?:EUR|GBP|AUD|NZD|SGD|HKD|INR|MYR|ZAR|CHF|RM|Rs\.?) ?\d"
    r"|\b(?:ABN|ACN|NZBN|GSTIN|UEN|VAT|MwSt|USt|TVA|IVA|BTW|MOMS|NIP|CNPJ|RUT)\b"
    r"|\b(?i:pty\.? ltd|pte\.? ltd|sdn\.? bhd|gmbh|s\.?[àa]\.?r\.?l|ltda|lda)\b"
    r"|\b(?:NSW 2|VIC 3|QLD 4|SA 5|WA 6|TAS 7|NT 0|ACT 2[69])\d{2,3}(?!\d)"
    r"|\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b"
    r"|\b(?i:rechnung\w*|datum|facture|fecha|fatt?ura|faktur\w*|factuur\w*|data (?:d[aeio]|wyst)\w*|lasku"
    r"|számla|jalan|arve|číslo|račun|τιμολόγιο|сч[её]т|рахунок)\b"
)
#: Names of such lands, which papers of other lands mention too.
_LANDS = re.compile(
    r"\b(?i:australia|singapore|new zealand|hong kong|united kingdom|england|scotland|ireland|india|malaysia"
    r"|south africa|kenya|nigeria)\b"
)
#: What tells the country of a document, where its money, its years or its months depend on it.
_REGIONS = re.compile(
    r"(?P<tw>民國|統一編號|統編|NT\$|台灣|臺灣|\bTaiwan\b)|(?P<jp>[円様]|\b(?:Japan|Tokyo|Osaka)\b)"
    r"|(?P<hr>\b(?:OIB|Hrvatska|Croatia|Zagreb|Račun|RAČUN)\b)|(?P<cn>元|中国|\bChina\b)"
    r"|(?P<us>\b(?:USA|U\.S\.A\.|United States|US\$|EIN|[A-Z]{2},? \d{5}(?:-\d{4})?(?![\d\w])))"
    r"|(?P<au>\b(?:ABN|ACN|Australia|NSW|QLD)\b)|(?P<nz>\b(?:NZBN|New Zealand|Auckland)\b)"
    r"|(?P<sg>\bSingapore\b|\b[Pp]te\.? [Ll]td)|(?P<hk>\bHong Kong\b)"
    r"|(?P<ca>\bCanada\b|\b(?:HST|QST)\b|\b[A-Z]\d[A-Z] \d[A-Z]\d\b)|(?P<mx>\b(?:México|Mexico|RFC)\b)"
    r"|(?P<cl>\b(?:Chile|Santiago|RUT)\b)|(?P<co>\bColombia\b|\bBogotá\b)|(?P<ar>\b(?:Argentina|CUIT)\b)"
    r"|(?P<se>\b(?:Sverige|Sweden|[Oo]rganisationsnummer|Bankgiro|Momsreg)\b)"
    r"|(?P<no>\b(?:Norge|Norway|MVA|mva|[Oo]rg\.nr)\b)|(?P<dk>\b(?:Danmark|Denmark|CVR|ApS)\b)"
    r"|(?P<in>\b(?:GSTIN|India|IGST|CGST)\b)|(?P<lk>\bSri Lanka\b)|(?P<pk>\bPakistan\b)"
)
#: Pages on which a document says where it comes from.
_REGION_PAGES = 3
#: A number with marks. Dates, times, codes and shares of a hundred are none.
_MARKED = re.compile(
    rf"(?<![\d.,/:-])-?(?P<number>\d{{1,3}}(?:[.,]\d{{2,3}})*[.,]\d{{1,4}}|\d+[.,]\d{{1,4}})"
    rf"(?:(?={CURRENCY}(?!\w))|(?![\w/:]|[.,-]\d))(?!\s?%)"
)
_GLUED = re.compile(rf"(?<![^\W\d_]){CURRENCY}$")
_PLAIN_NUMBER = re.compile(r"(?<![\w.,/:-])(?:[1-9]\d{0,2})(?![\w/:%]|[.,-]\d|\s?%)")
_MONEY = re.compile(rf"(?<!\w)(?P<before>{CURRENCY})\s?-?\d|\d[.,]?-?\s?(?P<after>{CURRENCY})(?!\w)")
#: Numbers of a page that are tried as sums of each other, and ambiguous ones that are usual together.
_MOST_SUMS, _SEVERAL = 24, 3


def locale_of(texts: Iterable[str]) -> Locale:
    """Return what the dates and amounts of a document show.

    A date with a part over 12 decides the order, or what a form says of it (`MM-DD-YYYY`); without one, the
    places, taxes, money and language of the document. Dollars alone say nothing: they are spent in both.
    """
    pages = [plain(text) for text in texts]
    day_first, known = _order(pages)
    comma, whole = _marks(pages)
    regions = Counter(m.lastgroup or "" for text in pages[:_REGION_PAGES] for m in _REGIONS.finditer(text))
    return Locale(day_first, comma, whole, known, regions.most_common(1)[0][0] if regions else "")


def _order(pages: Sequence[str]) -> tuple[bool, bool]:
    """Return whether the day comes first, and whether the document says so."""
    day = month = 0
    for text in pages:
        for match in _ORDER.finditer(text):
            stated = match["order"][0].lower()
            day, month = day + (stated == "d"), month + (stated == "m")
        for match in _SLASHED.finditer(text):
            first, second = int(match[1]), int(match[3])
            # Points between the parts are a day-first custom everywhere.
            day += (first > 12 >= second) or match[2] == "."
            month += second > 12 >= first
    if day != month:
        return day > month, True
    american = sum(len(_MONTH_FIRST.findall(text)) for text in pages)
    other = sum(len(_DAY_FIRST.findall(text)) for text in pages)
    if american or other:
        return other > american, not (american and other)
    lands = any(map(_LANDS.search, pages))
    return lands or not any(map(_DOLLAR.search, pages)), lands


def _marks(pages: Sequence[str]) -> tuple[bool, bool]:
    """Return whether a comma stands before decimals, and whether amounts have none.

    What decides, in this order: numbers whose marks can be read in one way only; the currency, where its
    amounts have three decimals or none; sums that come out in one way only; many numbers with three digits
    behind the mark, which are no cents.
    """
    decimals, thirds = _readings(pages)
    comma = decimals[","] > decimals["."]
    if not thirds or decimals["."]:
        return comma, False
    money: Counter[int] = Counter()
    for text in pages:
        for match in _MONEY.finditer(text):
            code = code_of(match["before"] or match["after"])
            if code is not None:
                money[decimals_of(code)] += 1
    if decimals[","] and not money[3]:
        return comma, False
    usual = money.most_common(1)[0][0] if money else 2
    by_comma = sum("," in number for number in thirds) * 2 > len(thirds)
    if usual == 3:
        return by_comma, False
    several = len(set(thirds)) >= _SEVERAL
    others = [number for text in pages for number in _PLAIN_NUMBER.findall(text)]
    return comma, usual == 0 or several or _adds_up_grouped(thirds, others)


def _readings(pages: Sequence[str]) -> tuple[Counter[str], list[str]]:
    """Return how often each mark stands before decimals, and the numbers with three digits behind one."""
    decimals: Counter[str] = Counter()
    thirds: list[str] = []
    for text in pages:
        for match in _MARKED.finditer(text):
            number = match["number"]
            before = text[max(0, match.start() - 4) : match.start()]
            if before[-1:].isalpha() and not _GLUED.search(before):
                continue
            marks = [c for c in number if c in ".,"]
            tail = len(number) - number.rindex(marks[-1]) - 1
            if len(set(marks)) == 2:
                decimals[marks[-1]] += 1
            elif len(marks) > 1:  # it groups thousands, so that the other one would stand before cents
                decimals["," if marks[0] == "." else "."] += tail == 3
            elif tail == 3 and number[0] != "0":
                thirds.append(number)
            else:
                decimals[marks[0]] += tail != 1
    return decimals, thirds


def _adds_up_grouped(thirds: Iterable[str], others: Iterable[str]) -> bool:
    """Return whether numbers below a thousand make sums with those that have three digits behind a mark.

    950 and 1.050 are 2.000 only where the mark groups thousands; sums of such numbers alone say nothing.
    """
    marked = {int(re.sub("[.,]", "", number)) for number in list(thirds)[:_MOST_SUMS]}
    small = {int(number) for number in list(others)[:_MOST_SUMS] if len(number) == 3}
    return any(a + b in marked for a in small for b in marked) or any(
        a + b in marked for a, b in combinations(small, 2)
    )
