"""Several documents in one file: on which pages they begin.

A wrong cut tears a document in two and nobody sees the other half, a missed one leaves two together for all
to see: a page begins a document only where the page model is very sure, and never against what the page
itself says (`Page 2 of 5`, `continued`) or where the page before is no more than a cover.
"""

from __future__ import annotations

from collections.abc import Sequence

from alma.datamodel.pages import PageText
from alma.extraction.classification.page_features import PageFeatures, page_features
from alma.extraction.classification.page_model import facts, judge
from alma.extraction.page.layout import arrange

#: A page of fewer words is a cover sheet, and belongs to what comes after it.
COVER = 12
#: A page of fewer different words is what was left over from the page before, not a document.
LEAST = 5


def best_track(pages: Sequence[PageText]) -> list[PageText]:
    """Return every page once, in order: as the track sees it that reads most on it."""
    best: dict[int, PageText] = {}
    for page in pages:
        known = best.get(page.page)
        if known is None or len(page.words) > len(known.words):
            best[page.page] = page
    return [best[number] for number in sorted(best)]


def first_pages(pages: Sequence[PageText]) -> list[int]:
    """Return the numbers of the pages on which documents begin; the first page always.

    Parameters
    ----------
    pages : sequence of PageText
        The pages of a file; one can be there once per track. A page without words belongs to the document
        before it.
    """
    read = [page for page in best_track(pages) if page.words]
    if not pages:
        return []
    features = [page_features(arrange(page)) for page in read]
    chances = [page.begins for page in judge(features)]
    found = cuts(features, chances, facts()["cut_above"]) if len(read) > 1 else []
    return [min(page.page for page in pages), *(read[index].page for index in found)]


def cuts(pages: Sequence[PageFeatures], begins: Sequence[float], above: float) -> list[int]:
    """Return the positions, after the first, at which documents begin.

    Parameters
    ----------
    pages : sequence of PageFeatures
        Pages with words, in order.
    begins : sequence of float
        The probability of each that it begins a document.
    above : float
        A page must be surer than this.
    """
    return [
        index
        for index in range(1, len(pages))
        if begins[index] > above and not _goes_on(pages[index - 1], pages[index])
    ]


def _goes_on(before: PageFeatures, page: PageFeatures) -> bool:
    """Tell whether a page says of itself that it belongs to the page before it."""
    if before.count < COVER or len(page.vocabulary) < LEAST or page.continued:
        return True
    mine, theirs = page.printed, before.printed
    if mine.number is None:
        # In the middle of `Page 2 of 5` there is a page without a number: an insertion, not a document.
        return theirs.total is not None and (theirs.number or 0) < theirs.total
    if mine.number == 1 or (mine.total is None and theirs.number is None):
        return False
    restarted = theirs.number is not None and mine.number <= theirs.number and mine.total == theirs.total
    return not restarted
