"""Schemas' patterns: what stands for a value in them, and how long they may search.

Patterns may come from strangers and search what other strangers wrote, so no search may run away: the engine
gives up after a while, and a document's searches together have a budget.
"""

from __future__ import annotations

import json
import logging
import re
import time
from functools import lru_cache
from importlib import resources
from itertools import islice

import regex

_MONTH_NAME = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
# Atomic and bounded: a word either is one with a capital or is not, so that no page can make this slow.
_CAPITAL = (
    r"(?>(?<!\w)(?-i:[A-Z0-9](?:[\w&'’/+¢-]|\.(?=\w)|(?<=\b[A-Z])\.|(?<=\bSt)\.|(?<=\b[JSDM]r)\.){0,40}+))"
)
_FORMS = (
    r"Inc|Incorporated|L\.?\s?L\.?\s?C|L\.?L\.?P|L\.?P|Ltd|Limited|Corporation|Corp|Company|Co|N\.\s?A|S\.?A"
    r"|A\.?G|GmbH|[Pp]lc|B\.?V|N\.?V|S\.?R\.?L|P\.?C|Bank|Trust|Bancorp|Partnership"
)
_LEGAL_FORM = rf"(?-i:(?:{_FORMS}|INCORPORATED|INC|LTD|LIMITED|CORPORATION|CORP|COMPANY|CO|PLC)\b\.?)"
_MACROS = {
    "NAME": rf"{_CAPITAL}(?:\s+(?:{_CAPITAL}|&|(?:of|the|for|de|van|von|d/b/a)(?=\s+{_CAPITAL}))){{0,8}}"
    rf"(?:,?\s+{_LEGAL_FORM}){{0,2}}",
    "COMPANY": rf"{_CAPITAL}(?:\s+(?:{_CAPITAL}|&|(?:of|the|for|and)(?=\s+{_CAPITAL}))){{0,7}}?"
    rf",?\s+{_LEGAL_FORM}",
    "DATE": rf"\b(?:\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}|\d{{4}}-\d\d-\d\d|{_MONTH_NAME}\s+\d{{1,2}}\s?"
    rf"(?:st|nd|rd|th)?\s?,?\s*\d{{4}}|\d{{1,2}}\s?(?:st|nd|rd|th)?,?\s+(?:day\s+)?(?:of\s+)?{_MONTH_NAME},?\s+"
    rf"(?:in\s+the\s+year\s+)?\d{{4}}|(?:[a-z]+[ -])?[a-z]+\s+day\s+of\s+{_MONTH_NAME},?\s+"
    r"(?:in\s+the\s+year\s+)?(?:of\s+our\s+lord\s+)?[a-z]+(?:[\s-]+[a-z]+){1,8})",
    "AMOUNT": r"(?:[$€£]\s?)?(?<![\d.,])\d[\d,.]{0,20}",
    "NUMBER": r"(?<![\d.,])\d[\d,.]{0,20}",
    "DURATION": r"(?:\d{1,3}|[a-z]+(?:-[a-z]+)?)\s*(?:\(\s*\d{1,3}\s*\))?[\s-]*(?:year|month|week|day)s?",
}


@lru_cache(maxsize=1)
def _places() -> str:
    names: list[str] = json.loads(
        resources.files("alma.data").joinpath("places.json").read_text(encoding="utf-8")
    )
    names.sort(key=len, reverse=True)
    # The look-ahead spares the list of names at all places where no name can begin.
    return (
        r"(?<!\w)(?=(?-i:[A-Z]))(?:"
        + "|".join(re.escape(n).replace(r"\ ", r"\s+") for n in names)
        + r")(?!\w)"
    )


#: Seconds one search may take on one page, and all searches of a document on one track.
SEARCH_SECONDS, DOCUMENT_SECONDS = 0.5, 10.0

_log = logging.getLogger(__name__)


class Matcher:
    """Searches with schemas' patterns within a budget of time; what does not end in time finds nothing.

    Parameters
    ----------
    seconds : float
        What all searches may take together. When it is spent, nothing more is found: a document is read
        without some of its fields rather than not at all.
    """

    def __init__(self, seconds: float = DOCUMENT_SECONDS) -> None:
        self._left = seconds

    def find(self, pattern: str, text: str, most: int = 1) -> list[regex.Match[str]]:
        """Return where a pattern matches, from the left, at most so many times."""
        found: list[regex.Match[str]] = []
        if self._left <= 0:
            return found
        begun = time.monotonic()
        try:
            timeout = min(SEARCH_SECONDS, self._left)
            for match in islice(compiled(pattern).finditer(text, timeout=timeout), most):
                found.append(match)  # one by one: what was found before the time is up counts
        except TimeoutError:
            _log.warning("a pattern took too long and was given up", extra={"pattern": pattern})
        except (regex.error, OverflowError, RecursionError, MemoryError):
            # Kept before patterns were tried: it costs its field, not the document.
            _log.warning("a pattern cannot be used", extra={"pattern": pattern}, exc_info=True)
        self._left -= time.monotonic() - begun
        return found


# The heaviest that is accepted takes some 6 MB.
@lru_cache(maxsize=128)
def compiled(pattern: str) -> regex.Pattern[str]:
    """Return a schema's pattern with its {NAME}, {DATE}, … spelled out, case-insensitive."""

    def expand(match: re.Match[str]) -> str:
        return _places() if match[1] == "PLACE" else _MACROS[match[1]]

    return regex.compile(re.sub(r"\{([A-Z]+)\}", expand, pattern), regex.IGNORECASE)
