"""Candidates: typed spans of consecutive words that may be the value of a field.

A candidate is always `normalise(words[i:j])`: it carries the regions of exactly these words. Three ways lead
to one:

1. *beside a label*: to its right in the row, below it in its column, or above it where the schema says so;
2. *in a sentence*: a pattern of the schema matches the running text (`between {NAME} and`);
3. *by position*: the schema says the value heads the page (a shop's name, its address below).

The score is a sum of small, readable weights in log-odds style; its absolute value means nothing until
`alma.confidence` has been fitted on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from alma.extraction.layout import Layout
from alma.extraction.letterhead import by_position
from alma.extraction.parsers import Locale
from alma.extraction.patterns import Matcher
from alma.extraction.search import Candidate, PageSearch
from alma.schemas import DocumentSchema


def candidates(
    layouts: Sequence[Layout], schema: DocumentSchema, locale: Locale
) -> dict[str, list[Candidate]]:
    """Return what may be the value of each field, best first.

    Parameters
    ----------
    layouts : sequence of Layout
        The pages of one track, in order.
    schema : DocumentSchema
        The fields to look for.
    locale : Locale
        How ambiguous dates and amounts are read.
    """
    found: dict[str, list[Candidate]] = {field.key: [] for field in schema.fields}
    matcher = Matcher()
    for number, layout in enumerate(layouts):
        page = PageSearch(layout, schema, locale)
        for hit in page.hits:
            for label in hit.labels:
                if not label.key:
                    continue
                if page.fields[label.key].position == "above":
                    found[label.key].extend(page.above(hit, label))
                else:
                    found[label.key].extend(page.right_of(hit, label))
                    found[label.key].extend(page.below(hit, label))
        for field in schema.fields:
            if field.patterns and (field.pages == "any" or number < 2):
                found[field.key].extend(page.matching(field, matcher))
        if number == 0:
            for candidate in by_position(page):
                found[candidate.key].append(candidate)
    for each in found.values():
        each.sort(key=lambda c: -c.score)
    return found
