"""Several documents in one file: on which pages they begin.

A wrong cut tears a document in two and nobody sees the other half, a missed one leaves two together for all
to see. So a page begins a document where the page itself says so (another number behind the label that the
document's own stood behind, a separator sheet before it) or where the page model is very sure; and never
against what the page says (`Page 2 of 5`, `continued`, the same number, a later section) or where the page
before is no more than a cover.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from alma.datamodel.pages import PageText
from alma.extraction.classification.page_features import PageFeatures, page_features
from alma.extraction.classification.page_model import NONE, PageJudgement, facts, judge
from alma.extraction.classification.page_signs import PageSigns, page_signs
from alma.extraction.page.layout import arrange

#: A page of fewer words is a cover sheet, and belongs to what comes after it.
COVER = 12
#: A page of fewer different words is what was left over from the page before, not a document.
LEAST = 5
#: Enough for the page model where the printed numbers say it, too: this page is the first, or that the last.
NUMBERED = 0.5
#: A number in the same place of the form stands at most so far from where it stood, as a share of the page;
#: or at the top of both pages.
_SAME_PLACE, _TOP = 0.12, 0.4
#: A page that is less surely of a type that the page model knows must open as documents do.
KNOWN = 0.8


@dataclass(frozen=True, slots=True)
class Page:
    """A page with words, as the rules see it."""

    features: PageFeatures
    signs: PageSigns
    judgement: PageJudgement


@dataclass(slots=True)
class _Open:
    """The document that the pages so far belong to."""

    last: Page
    numbers: dict[str, tuple[str, float]] = field(default_factory=dict)

    def add(self, page: Page) -> None:
        self.last = page
        self.numbers = {**page.signs.numbers, **self.numbers}


def best_track(pages: Sequence[PageText]) -> list[PageText]:
    """Return every page once, in order: as the track sees it that reads most on it."""
    best: dict[int, PageText] = {}
    for page in pages:
        known = best.get(page.page)
        if known is None or len(page.words) > len(known.words):
            best[page.page] = page
    return [best[number] for number in sorted(best)]


def page_ranges(pages: Sequence[PageText], count: int) -> list[tuple[int, int]]:
    """Return the first and the last page of every document in a file; at least one.

    Parameters
    ----------
    pages : sequence of PageText
        The pages of a file; one can be there once per track. A page without words belongs to the document
        before it, a separator sheet and what is blank after it to none. What precedes the first page with
        words belongs to the first document.
    count : int
        Number of pages of the file.
    """
    read = best_track(pages)
    judged = judged_pages(read)
    begins = cuts(judged, facts()["cut_above"]) if len(judged) > 1 else []
    firsts = [1, *(read[at].page for at in begins)]
    sheets = [each.page for each, page in zip(read, judged, strict=True) if page.signs.separator]
    ranges = []
    for first, after in zip(firsts, [*firsts[1:], count + 1], strict=True):
        # A sheet before the first document stays with it.
        sheet = next((number for number in sheets if first < number < after), after)
        ranges.append((first, (after if after > count else sheet) - 1))
    return ranges


def judged_pages(pages: Sequence[PageText]) -> list[Page]:
    """Return pages of a file, in order, as the rules see them."""
    layouts = [arrange(page) for page in pages]
    features = [page_features(layout) for layout in layouts]
    signs = [page_signs(layout) for layout in layouts]
    # Each page follows the one before it that says something.
    judged = iter(judge([each for each, sign in zip(features, signs, strict=True) if sign.speaks]))
    return [
        Page(each, sign, next(judged) if sign.speaks else PageJudgement({}, 0.0))
        for each, sign in zip(features, signs, strict=True)
    ]


def cuts(pages: Sequence[Page], above: float) -> list[int]:
    """Return the positions, after the first page that is not blank, at which documents begin.

    Parameters
    ----------
    pages : sequence of Page
        Pages of a file, in order.
    above : float
        The page model must be surer than this where nothing else says that a document begins.
    """
    found: list[int] = []
    document: _Open | None = None
    separated = False
    for at, page in enumerate(pages):
        if page.signs.separator:
            separated = document is not None
        elif page.signs.blank:
            continue
        elif document is None:
            document = _Open(page)
            document.add(page)
        else:
            if separated or _begins(document, page, above):
                found.append(at)
                document = _Open(page)
            document.add(page)
            separated = False
    return found


def _begins(document: _Open, page: Page, above: float) -> bool:
    """Tell whether a page begins another document than that of the pages before it."""
    before, chance = document.last.features, page.judgement.begins
    if page.features.continued or _numbered_on(before, page.features):
        return False
    known = page.signs.numbers.keys() & document.numbers.keys()
    if any(_another(document.numbers[kind], page.signs.numbers[kind]) for kind in known):
        return True
    # Two senders may have given one number.
    if known and page.signs.first_row == document.last.signs.first_row:
        return False
    if page.signs.goes_on or before.count < COVER or len(page.features.vocabulary) < LEAST:
        return False
    if chance > NUMBERED and _restarts(before, page.features):
        return True
    known_type = (
        max((sure for name, sure in page.judgement.types.items() if name != NONE), default=1.0) > KNOWN
    )
    return chance > above and (page.signs.opens or known_type)


def _another(mine: tuple[str, float], theirs: tuple[str, float]) -> bool:
    """Tell whether two numbers of a kind, each with its height on the page, are those of two documents."""
    (number, y), (other, y_other) = mine, theirs
    return number != other and (abs(y - y_other) < _SAME_PLACE or max(y, y_other) < _TOP)


def _restarts(before: PageFeatures, page: PageFeatures) -> bool:
    """Tell whether page numbers begin anew where those before came to their end."""
    mine, theirs = page.printed, before.printed
    ended = theirs.total is not None and theirs.number == theirs.total
    return ended and mine.number == 1 and mine.total is not None


def _numbered_on(before: PageFeatures, page: PageFeatures) -> bool:
    """Tell whether a page is numbered as one that follows."""
    mine, theirs = page.printed, before.printed
    if mine.number is None:
        # In the middle of `Page 2 of 5` there is a page without a number: an insertion, not a document.
        return theirs.total is not None and (theirs.number or 0) < theirs.total
    if mine.number == 1 or (mine.total is None and theirs.number is None):
        return False
    restarted = theirs.number is not None and mine.number <= theirs.number and mine.total == theirs.total
    return not restarted
