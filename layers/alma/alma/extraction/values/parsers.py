"""Typed parsers: from characters on a page to a normalised value.

`spans` finds values of a type inside a text, `parse` reads a whole text as one value. Dates come out as
ISO 8601, amounts and numbers as plain decimals with a point, everything else with single spaces. Which of
03/04 is the day and whether 1.234 is a thousand depends on the document: `Locale` carries what its other
dates and amounts show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from alma.datamodel.schemas import FieldType
from alma.extraction.values.amounts import amounts, numbers
from alma.extraction.values.currency_values import currencies
from alma.extraction.values.dates import dates
from alma.extraction.values.durations import durations
from alma.extraction.values.identifiers import identifiers
from alma.extraction.values.locales import Locale
from alma.extraction.values.names import names, texts
from alma.extraction.values.parsed_spans import Span
from alma.extraction.values.text import plain, squeeze

_FINDERS: dict[FieldType, Callable[[str, Locale], Iterator[Span]]] = {
    FieldType.DATE: dates,
    FieldType.AMOUNT: amounts,
    FieldType.NUMBER: numbers,
    FieldType.IDENTIFIER: identifiers,
    FieldType.DURATION: durations,
    FieldType.CURRENCY: currencies,
    FieldType.NAME: names,
    FieldType.ADDRESS: texts,
    FieldType.TEXT: texts,
}

#: Types whose values are found inside a text; the others are the whole text of a cell.
TYPED = frozenset(
    {
        FieldType.DATE,
        FieldType.AMOUNT,
        FieldType.NUMBER,
        FieldType.IDENTIFIER,
        FieldType.DURATION,
        FieldType.CURRENCY,
    }
)


def spans(text: str, kind: FieldType, locale: Locale) -> list[Span]:
    """Return the values of a type that stand in `text`, in order.

    Typed values are read from its plain form, in which any script's digits are those of ASCII.
    """
    if kind in TYPED:
        text = plain(text)
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
