"""Spelling: what a recogniser confuses and the words around it decide.

A recogniser reads glyphs. `WorId` and `World` look the same, `SDN 3HD` is not a legal form and `SELENGOR` not
a state. Words are mended only where the page itself (its letters, its language) or a closed vocabulary
(legal forms, place names of addresses) leaves no other reading; digits among digits are never touched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from alma.datamodel.geometry import Word

#: Share of accented letters below which a page is in a language without them, and an accent is a speck.
FEW_ACCENTS = 0.007
#: Words the recogniser is less sure of than this are compared with place names: `BORONG` is a word, too.
DOUBTFUL = 0.97
#: From this length on a word one letter away from a place name is that place name.
SNAP_LENGTH = 6

#: Words of Malaysian addresses: states, towns, and what streets and quarters are called there.
_PLACES = frozenset(
    [
        "selangor",
        "malaysia",
        "johor",
        "kuala",
        "lumpur",
        "penang",
        "kelantan",
        "terengganu",
        "pahang",
        "perak",
        "melaka",
        "sembilan",
        "sarawak",
        "labuan",
        "putrajaya",
        "wilayah",
        "persekutuan",
        "petaling",
        "subang",
        "damansara",
        "cheras",
        "ampang",
        "kepong",
        "rawang",
        "kajang",
        "bangi",
        "klang",
        "puchong",
        "semenyih",
        "seremban",
        "skudai",
        "kulai",
        "kluang",
        "muar",
        "segamat",
        "ipoh",
        "taiping",
        "butterworth",
        "georgetown",
        "kuantan",
        "sungai",
        "serdang",
        "balakong",
        "kembangan",
        "perindustrian",
        "kawasan",
        "persiaran",
        "jalan",
        "lorong",
        "taman",
        "bandar",
        "kampung",
        "seksyen",
        "lebuhraya",
        "bukit",
        "batu",
        "pusat",
        "perdagangan",
        "perniagaan",
        "restoran",
        "restaurant",
        "enterprise",
        "trading",
        "hardware",
        "pharmacy",
        "stationery",
        "bahru",
        "baru",
        "utama",
        "mahkota",
        "perdana",
        "indah",
        "mukim",
        "tingkat",
        "bangunan",
        "sentosa",
        "menara",
        "plaza",
        "darul",
        "ehsan",
        "takzim",
        "iskandar",
    ]
)
_LEGAL = (("sdn", "bhd"),)
_HYPHENS = ".,;:()"


def mend(words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the words of a page with what could only be a misreading put right.

    Parameters
    ----------
    words : sequence of Word
        As recognised, in reading order. Boxes and confidences stay as they are.
    """
    letters = [c for w in words for c in w.text if c.isalpha()]
    accented = sum(not c.isascii() and _base(c) != c for c in letters)
    plain = accented > 0 and accented < FEW_ACCENTS * len(letters) and len(letters) > 100
    texts = [_mended(_unaccented(w.text) if plain else w.text) for w in words]
    texts = [_snapped(t) if _doubtful(w) else t for w, t in zip(words, texts, strict=True)]
    for n in range(len(texts) - 1):
        if words[n].line == words[n + 1].line:
            texts[n], texts[n + 1] = _legal_form(texts[n], texts[n + 1])
    for n in range(1, len(texts)):
        if (
            words[n].line == words[n - 1].line
            and re.fullmatch(r"[S5]/[BD80O]", texts[n])
            and texts[n - 1].isalpha()
            and (n + 1 == len(texts) or words[n + 1].line != words[n].line or texts[n + 1].startswith("("))
        ):
            texts[n] = "S/B"
    return tuple(w if w.text == t else replace(w, text=t) for w, t in zip(words, texts, strict=True))


def _doubtful(word: Word) -> bool:
    return word.confidence is not None and word.confidence < DOUBTFUL


def _base(letter: str) -> str:
    return unicodedata.normalize("NFD", letter)[0]


def _unaccented(text: str) -> str:
    return text if text.isascii() else "".join(_base(c) if c.isalpha() else c for c in text)


@lru_cache(maxsize=50_000)
def _mended(text: str) -> str:
    # A capital I among small letters, or between a capital and a consonant, is an l: `WorId`, `BIk`. With
    # other capitals in it a word may be several: `TaxInvNo`.
    if re.fullmatch(r"\W*[A-Z]?[a-z]+I(?!ng)[a-z]*\W*", text):
        text = text.replace("I", "l")
    return re.sub(r"(?<=\b[A-Z])I(?=[bcdfghjkmnpqrstvwxz]\b)", "l", text)


@lru_cache(maxsize=50_000)
def _snapped(text: str) -> str:
    core = text.strip(_HYPHENS)
    if len(core) < SNAP_LENGTH or not core.isascii():
        return text
    snapped = _snap(core.lower().replace("_", "l"))
    if snapped is None or snapped == core.lower():
        return text
    capitals = sum(c.isupper() for c in core)
    cased = snapped.upper() if capitals > len(core) / 2 else snapped.title() if core[0].isupper() else snapped
    return text.replace(core, cased)


def _snap(word: str) -> str | None:
    """Return the place name that `word` is, or is one wrong letter away from; None where there is none."""
    if word in _PLACES:
        return word
    if sum(c.isalpha() for c in word) < len(word) - 1 or not word[0].isalpha():
        return None
    near = [
        place
        for place in _PLACES
        if len(place) >= SNAP_LENGTH and len(place) == len(word)
        and sum(a != b for a, b in zip(place, word, strict=True)) == 1
    ]  # fmt: skip
    return near[0] if len(near) == 1 else None


def _legal_form(first: str, second: str) -> tuple[str, str]:
    for one, two in _LEGAL:
        a, b = first.strip(_HYPHENS).lower(), second.strip(_HYPHENS).lower()
        if (a, b) == (one, two) or len(a) != len(one) or len(b) != len(two):
            continue
        wrong = [sum(x != y for x, y in zip(p, q, strict=True)) for p, q in ((a, one), (b, two))]
        if sorted(wrong) == [0, 1]:
            upper = (first + second).upper() == first + second
            for text, core, right in ((first, a, one), (second, b, two)):
                cased = right.upper() if upper else right.title()
                mended = re.sub(re.escape(core), cased, text, flags=re.IGNORECASE)
                first, second = (mended, second) if right == one else (first, mended)
    return first, second
