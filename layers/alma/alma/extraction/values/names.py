"""Names, addresses and other text: all that stands in a cell, without what is only beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from alma.datamodel.schemas import FieldSchema
from alma.extraction.values.companies import is_company
from alma.extraction.values.locales import Locale
from alma.extraction.values.parsed_spans import Span
from alma.extraction.values.text import squeeze

_EDGE = " \t:;,.|*_=#-–—•·\"'“”‘’"
_NOTHING = re.compile(r"^(?:n\s?/\s?a|none|nil|null|unknown|tbd|[\W_]*)$", re.IGNORECASE)


def texts(text: str, locale: Locale) -> Iterator[Span]:
    """Yield a text without the marks at its ends; nothing where it says that there is none."""
    start = len(text) - len(text.lstrip(_EDGE))
    end = len(text.rstrip(" \t:;,|*_=-–—•·\"'“”‘’"))
    if start < end and not _NOTHING.match(text[start:end]):
        yield Span(start, end, squeeze(text[start:end]))


def names(text: str, locale: Locale) -> Iterator[Span]:
    """Yield a text as a name, where it has letters."""
    for span in texts(text, locale):
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


def last_name_last(name: str) -> str:
    """Return "Domingo, Roquena R." as "Roquena R. Domingo"; a name without a lone comma as it is."""
    last, comma, first = name.partition(",")
    if not comma or "," in first or not first.strip() or len(last.split()) > 2 or is_company(name):
        return name
    return f"{first.strip()} {last.strip()}"


def value_of(field: FieldSchema, value: str) -> str:
    """Return what a candidate's value stands for: names in the order in which they are written."""
    return last_name_last(value) if field.name_order == "last_first" else value
