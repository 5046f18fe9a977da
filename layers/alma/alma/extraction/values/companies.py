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


def is_company(name: str) -> bool:
    """Return whether a name says that it is a company's (`Ltd`, `GmbH`, `Trading`, …)."""
    return bool(_COMPANY_WORDS.search(fold(name)))


def starts_with_legal_form(name: str) -> bool:
    """Return whether a text is, or begins as, the end of a company's name (`Sdn Bhd`, `Ltd.`)."""
    return _LEGAL_START.match(fold(name)) is not None
