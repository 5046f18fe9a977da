"""Words by which a name is known as a company's."""

from __future__ import annotations

import re

from alma.extraction.values.text import fold

_COMPANY_WORDS = re.compile(
    r"\b(?:sdn|bhd|berhad|ltd|limited|inc|llc|llp|lp|l\.l\.c|l\.l\.p|gmbh|ag|kg|ug|ohg|e\.v\.|sas|sarl|s\.a\."
    r"|bv|b\.v\.|corp|co|company|enterprise|enterprises|trading|restaurant|restoran|cafe|store|stores|shop|mart"
    r"|market|supermarket|hardware|pharmacy|holdings|industries|services|service|hotel|bakery|kopitiam"
    r"|perniagaan|kedai|s/b|a\.\s?g\.)(?!\w)"
)
_LEGAL_START = re.compile(
    r"^(?:\(m\)|sdn|bhd|co|ltd|limited|llc|inc|gmbh|enterprise|restaurant|trading)\.?,?$"
)

_FORMS = (
    r"sdn|bhd|berhad|ltd|limited|llc|llp|lp|l\.l\.c\.?|inc|incorporated|corp|corporation|plc|co|company|gmbh|ag|kg|kgaa|ug|ohg|gbr|mbh|se"
    r"|e\.?\s?k|e\.?\s?v|sas|sasu|sarl|s\.a\.r\.l|s\.?a|s\.?l|s\.?l\.?u|s\.?r\.?l|s\.?p\.?a|b\.?v|n\.?v|bvba|aps|a/s|as|ab|oy|oyj"
    r"|sp\.?\s?z\s?o\.?\s?o|spolka|s\.?r\.?o|a\.?s|d\.?o\.?o|kft|zrt|bt|nyrt|s\.?c|lda|ltda|pty|pte|pvt|private|ood|eood|uab|sia|ou|as"
)
#: A line of legal forms alone, the end of the name above it.
_ONLY_LEGAL = re.compile(rf"(?:\(?(?:{_FORMS})\)?[.,]?(?:\s?(?:&|\+|u\.|und|and|et)\s?|\s|$)){{1,4}}")


def is_company(name: str) -> bool:
    """Return whether a name says that it is a company's (`Ltd`, `GmbH`, `Trading`, …)."""
    return bool(_COMPANY_WORDS.search(fold(name)))


def starts_with_legal_form(name: str) -> bool:
    """Return whether a text is, or begins as, the end of a company's name (`Sdn Bhd`, `Ltd.`)."""
    return _LEGAL_START.match(fold(name)) is not None


def continues_name(line: str) -> bool:
    """Return whether a line is nothing but the legal form of the name above it (`GMBH & CO. KG`)."""
    return _ONLY_LEGAL.fullmatch(fold(line).strip()) is not None
