"""What the page model looks at: the words of a page, its shape, and how it follows the page before.

Numbers only, and the same ones in training and in use: `scripts/train_doctype.py` fits a model on what is
computed here, so a change of anything in this file needs the model trained anew. Whether words come from a
text layer or from recognition is not among the features, because that says how a file was made and not what
it is. The image of a page is not looked at either: recognition has put what is legible of it into words.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alma.extraction.page.layout import Layout
from alma.extraction.values.text import fold

#: Hash buckets of words and word pairs.
BUCKETS = 8192
#: Words looked at; what a page is stands in fewer.
MAX_WORDS = 700
#: Share of a page's rows that is its head, and its foot.
HEAD, FOOT = 0.2, 0.12

Array = NDArray[np.float32]

_NOT_ALNUM = re.compile(r"[^\w]+|_")
_DIGITS = re.compile(r"\d+")
_PAGE_OF = re.compile(
    r"\b(?:page|pages|pg|seite|p[aá]gina|pagina|sheet|blatt)[.:]?\s*#?\s*(\d{1,4})\s*"
    r"(?:of|/|von|de|sur|di|out of)\s*(\d{1,4})\b"
)
_PAGE = re.compile(r"\b(?:page|seite|p[aá]gina|pagina)[.:]?\s*#?\s*(\d{1,4})\b")
_FRACTION = re.compile(r"^\(?(\d{1,3})\s*(?:of|/|von|sur)\s*(\d{1,3})\)?$")
_BARE = re.compile(r"^[-–—(]*\s*(\d{1,3})\s*[-–—).]*$")
_CLAUSE = re.compile(r"^\(?(?:\d{1,2}(?:\.\d{1,2})*|[a-z]|[ivx]{1,4})[.)]+$", re.IGNORECASE)
_CONTINUED = re.compile(
    r"\b(?:continued|cont'?d|contd|continuation|fortsetzung|suite de|continua(?:cion|zione))\b"
    r"|\bcont\s*\.\s*\)"
)
_ANNEX = re.compile(
    r"^\W*(?:exhibit|attachment|annex|annexe|appendix|schedule|addendum|anlage|anhang|anexo|allegato)\b"
)
_SENTENCE_END = (".", "!", "?", ":", ";", '"', "”")


class PageShape(NamedTuple):
    """Size, density and alignment of what stands on a page, each of the order of one.

    The page model was trained on these in this order.
    """

    words: float
    rows: float
    row_median: float
    row_longest: float
    with_digits: float
    in_capitals: float
    in_lower_case: float
    with_colon: float
    cells_in_row: float
    single_words: float
    left_spread: float
    right_spread: float
    ratio: float
    line_height: float
    tallest: float
    height_spread: float
    bottom: float
    top: float
    unclear: float
    word_length: float


class Continuity(NamedTuple):
    """What speaks for and against a page going on with what the page before it began.

    The page model was trained on these in this order.
    """

    first_of_total: float
    later_of_total: float
    next_of_total: float
    last_ended: float
    last_unended: float
    first_number: float
    next_number: float
    other_number: float
    number_ends: float
    vocabulary: float
    head: float
    foot: float
    codes: float
    has_codes: float
    head_codes: float
    has_head_codes: float
    ratio: float
    line_height: float
    turned: float
    ends_open: float
    begins_small: float
    runs_on: float
    begins_clause: float
    bottom_before: float
    top: float
    left: float
    shape: float
    no_words: float
    no_words_before: float
    continued: float
    annex: float
    words_before: float


#: Number of values of a page's shape, and of what speaks for its going on.
SHAPE, FOLLOWS = len(PageShape._fields), len(Continuity._fields)


@dataclass(frozen=True, slots=True)
class PageNumber:
    """The number printed on a page, and of how many: each None where it is not there."""

    number: int | None
    total: int | None


@dataclass(frozen=True, slots=True)
class PageFeatures:
    """One page as numbers, and what is needed to compare it with its neighbour."""

    words: tuple[int, ...]
    """Buckets of its words and word pairs, ascending, each once."""
    shape: PageShape
    """Size, density and alignment of what stands on it."""
    printed: PageNumber
    """The number it says it has."""
    vocabulary: frozenset[str]
    head: frozenset[str]
    foot: frozenset[str]
    """Folded words: all, those of the first rows, those of the last."""
    codes: frozenset[str]
    """Words with at least four digits: numbers of documents, accounts, telephones."""
    count: int
    """Number of words."""
    continued: bool
    annex: bool
    """Its first rows call it a continuation, an exhibit or an annex."""
    ends_open: bool
    begins_small: bool
    begins_clause: bool
    """The last line of text ends without the end of a sentence; the first word is in lower case, or is the
    number of a clause."""
    bottom: float
    top: float
    left: float
    """Where its words end and begin."""
    ratio: float
    line_height: float
    turned: int
    """As in `Layout`."""


def _fold(word: str) -> str:
    return _NOT_ALNUM.sub("", fold(word))


def _token(folded: str) -> str:
    """Return a folded word as the model knows it: digits only by how many there are."""
    return _DIGITS.sub(lambda match: "0" * min(len(match.group()), 5), folded)


def _bucket(token: str) -> int:
    return zlib.crc32(token.encode()) % BUCKETS


def printed_number(layout: Layout) -> PageNumber:
    """Return the page number that stands in the first or last rows of a page.

    >>> from alma.extraction.page.layout import arrange
    >>> from alma.datamodel.pages import PageText, Track
    >>> printed_number(arrange(PageText(1, 600, 800, Track.TEXT, ())))
    PageNumber(number=None, total=None)
    """
    rows = layout.rows
    ends = [*range(min(8, len(rows))), *range(max(8, len(rows) - 6), len(rows))]
    texts = [fold(layout.text(*rows[row])) for row in ends]
    for text in texts:
        if match := _PAGE_OF.search(text):
            number, total = int(match[1]), int(match[2])
            if 0 < number <= total:
                return PageNumber(number, total)
    edge = {*range(min(2, len(rows))), *range(max(0, len(rows) - 2), len(rows))}
    cells = [layout.text(cell.start, cell.end) for cell in layout.cells if cell.row in edge]
    for text in cells:
        if (match := _FRACTION.match(fold(text))) and 0 < int(match[1]) <= int(match[2]):
            return PageNumber(int(match[1]), int(match[2]))
    for text in texts:
        if match := _PAGE.search(text):
            return PageNumber(int(match[1]), None)
    alone = [layout.text(*rows[row]) for row in sorted(edge)]
    for text in alone:
        if match := _BARE.match(text):
            return PageNumber(int(match[1]), None)
    return PageNumber(None, None)


def page_features(layout: Layout) -> PageFeatures:
    """Return the features of one page. Linear in the number of its words."""
    words = layout.words[:MAX_WORDS]
    folded = [_fold(word.text) for word in layout.words]
    rows = len(layout.rows)
    head_rows, foot_rows = max(3, round(rows * HEAD)), max(2, round(rows * FOOT))
    buckets: set[int] = set()
    before, row_before = "", -1
    for index in range(len(words)):
        if not folded[index]:
            continue
        token, row = _token(folded[index]), layout.row_of[index]
        buckets.add(_bucket(token))
        if row < head_rows:
            buckets.add(_bucket("^" + token))
        if row == row_before:
            buckets.add(_bucket(f"{before} {token}"))
        before, row_before = token, row
    head = frozenset(f for f, row in zip(folded, layout.row_of, strict=True) if f and row < head_rows)
    foot = frozenset(f for f, row in zip(folded, layout.row_of, strict=True) if f and row >= rows - foot_rows)
    first = next((w.text for w in layout.words if _fold(w.text)), "")
    opening = [fold(layout.text(*row)) for row in layout.rows[:5]]
    # The last row that is a line of text, not a page number or a footer of one word.
    last_row = next((r for r in reversed(layout.rows) if r[1] - r[0] >= 5), None)
    return PageFeatures(
        words=tuple(sorted(buckets)),
        shape=_shape(layout),
        printed=printed_number(layout),
        vocabulary=frozenset(f for f in folded if f),
        head=head,
        foot=foot,
        codes=frozenset(f for f in folded if sum(c.isdigit() for c in f) >= 4),
        count=len(layout.words),
        continued=any(_CONTINUED.search(row) for row in opening),
        annex=any(_ANNEX.match(row) and len(row.split()) <= 12 for row in opening[:4]),
        ends_open=last_row is not None and not layout.words[last_row[1] - 1].text.endswith(_SENTENCE_END),
        begins_small=first[:1].islower(),
        begins_clause=bool(_CLAUSE.match(first)),
        bottom=max((w.box.bottom for w in layout.words), default=0.0),
        top=min((w.box.y for w in layout.words), default=1.0),
        left=median(layout.words[start].box.x for start, _ in layout.rows) if rows else 0.5,
        ratio=layout.ratio,
        line_height=layout.line_height,
        turned=layout.turned,
    )


def _shape(layout: Layout) -> PageShape:
    words, rows = layout.words, layout.rows
    if not words:
        return PageShape(*[0.0] * SHAPE)
    count = len(words)
    lengths = [end - start for start, end in rows]
    texts = [word.text for word in words]
    lefts = [words[start].box.x for start, _ in rows]
    rights = [words[end - 1].box.right for _, end in rows]
    heights = sorted(word.box.h for word in words)
    letters = sum(any(c.isalpha() for c in text) for text in texts)
    typical = max(layout.line_height, 1e-4)
    return PageShape(
        words=math.log1p(count) / 7,
        rows=math.log1p(len(rows)) / 5,
        row_median=min(median(lengths), 20) / 10,
        row_longest=max(lengths) / 20,
        with_digits=sum(any(c.isdigit() for c in text) for text in texts) / count,
        in_capitals=sum(text.isupper() and len(text) > 1 for text in texts) / max(letters, 1),
        in_lower_case=sum(text[:1].islower() for text in texts) / max(letters, 1),
        with_colon=sum(text.endswith((":", "=")) for text in texts) / count * 5,
        cells_in_row=min(len(layout.cells) / len(rows), 6) / 3,
        single_words=sum(length == 1 for length in lengths) / len(rows),
        left_spread=_spread(lefts) * 4,
        right_spread=_spread(rights) * 4,
        ratio=min(layout.ratio, 2.0),
        line_height=min(typical * 40, 2.0),
        tallest=min(heights[-1] / typical, 6) / 3,
        height_spread=min((heights[int(count * 0.9)] - heights[int(count * 0.1)]) / typical, 3) / 2,
        bottom=max(word.box.bottom for word in words),
        top=min(word.box.y for word in words),
        unclear=sum(w.confidence is not None and w.confidence < 0.7 for w in words) / count,
        word_length=median(len(text) for text in texts) / 6,
    )


def _spread(values: Sequence[float]) -> float:
    middle = sum(values) / len(values)
    return math.sqrt(sum((value - middle) ** 2 for value in values) / len(values))


def follows(before: PageFeatures, page: PageFeatures) -> Continuity:
    """Return what speaks for and against `page` going on with what `before` began."""
    mine, theirs = page.printed, before.printed
    same_total = mine.total == theirs.total
    next_number = mine.number is not None and theirs.number is not None and mine.number == theirs.number + 1
    known = mine.total is not None
    return Continuity(
        first_of_total=float(known and mine.number == 1),
        later_of_total=float(known and mine.number != 1),
        next_of_total=float(known and next_number and same_total),
        last_ended=float(theirs.total is not None and theirs.number == theirs.total),
        last_unended=float(theirs.total is not None and theirs.number != theirs.total),
        first_number=float(not known and mine.number == 1),
        next_number=float(not known and next_number),
        other_number=float(not known and mine.number not in (None, 1)),
        number_ends=float(mine.number is None and theirs.number is not None),
        vocabulary=_jaccard(page.vocabulary, before.vocabulary),
        head=_jaccard(page.head, before.head),
        foot=_jaccard(page.foot, before.foot),
        codes=_held(page.codes, before.codes),
        has_codes=float(bool(page.codes)),
        head_codes=_held(page.codes & page.head, before.codes & before.head),
        has_head_codes=float(bool(page.codes & page.head)),
        ratio=min(abs(math.log(max(page.ratio, 0.05) / max(before.ratio, 0.05))), 1.0),
        line_height=min(abs(math.log(max(page.line_height, 1e-3) / max(before.line_height, 1e-3))), 1.0),
        turned=float(page.turned != before.turned),
        ends_open=float(before.ends_open),
        begins_small=float(page.begins_small),
        runs_on=float(before.ends_open and page.begins_small),
        begins_clause=float(page.begins_clause),
        bottom_before=before.bottom,
        top=page.top,
        left=min(abs(page.left - before.left) * 4, 1.0),
        shape=sum(abs(a - b) for a, b in zip(page.shape, before.shape, strict=True)) / SHAPE * 4,
        no_words=float(not page.vocabulary),
        no_words_before=float(not before.vocabulary),
        continued=float(page.continued),
        annex=float(page.annex),
        words_before=min(before.count, 40) / 40,
    )


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a or b else 0.0


def _held(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a) if a else 0.0


def matrices(pages: Sequence[PageFeatures]) -> tuple[Array, Array, Array]:
    """Return words, shape and sequence of pages as the model takes them: one row a page.

    The words of a page are a vector of length one. The first page follows nothing: its row of the sequence
    is zero.
    """
    words = np.zeros((len(pages), BUCKETS), np.float32)
    for row, page in zip(words, pages, strict=True):
        if page.words:
            row[list(page.words)] = 1 / math.sqrt(len(page.words))
    shape = np.array([page.shape for page in pages], np.float32).reshape(len(pages), SHAPE)
    sequence = np.zeros((len(pages), FOLLOWS), np.float32)
    for index in range(1, len(pages)):
        sequence[index] = follows(pages[index - 1], pages[index])
    return words, shape, sequence
