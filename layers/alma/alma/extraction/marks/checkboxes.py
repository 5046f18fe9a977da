"""Checkboxes: whether the box beside a label is checked, by its picture or by the characters that draw it.

A box is a small near-square frame on the same line as its label, with no other words between them; it is
checked where its inside is inked. Recognisers write all kinds of letters where a box is drawn, so the picture
is looked at first, and characters count where it shows no frame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from alma.extraction.marks.page_marks import Mark, MarkedPage
from alma.extraction.marks.pictures import Pixels, frames, ink, inside_share
from alma.extraction.page.labels import LabelMatch, squash

CHECKED, UNCHECKED = "checked", "unchecked"
#: How far a box may be from its label, and how long its sides may be, in heights of the label's text.
REACH, SHORTEST, LONGEST = 2.0, 0.6, 2.2
#: Share of a frame's inside that is inked: at most where it is empty, at least where it is checked.
EMPTY, INKED = 0.06, 0.10
#: How far into the box of the label's first or last word, in heights, the drawn one may reach.
INTO = 1.6
#: How long the sides of a box are at least that may stand among letters, in heights of a recognised line.
HIGHER_THAN_LETTERS = 0.75
#: Of two boxes the label's own is this much nearer.
NEARER = 1.5

# Dingbats, and those of Wingdings where a text layer gives its codes as private characters.
_CHECKED = "☑☒✓✔✗✘✕✖🗹🗷⮽\uf0fe\uf0fd\uf0fc\uf0fb\uf052\uf053\uf054\uf078"
_EMPTY = "☐□▢◻❏❑❐⬜\uf0a8\uf06f\uf0a3\uf071"
_GLYPH = re.compile(f"(?P<checked>[{_CHECKED}■\uf06e])|(?P<empty>[{_EMPTY}])")
_TYPED = re.compile(r"[\[(](?:(?P<checked>[xX✓✔✗✘*])|_?)[\])]|_+(?:(?P<typed>[xX✓✔])_+)?")
_YES = frozenset({"yes", "ja", "oui", "si", "sim", "da", "tak", "ano", "kylla"})
_NO = frozenset({"no", "nein", "nee", "non", "nao", "nej", "nei", "ne", "nie", "ei"})
#: Rows from a question on in which its answers stand.
ANSWER_ROWS = 2
# What no recogniser makes of a box.
_WRITTEN = re.compile(r"[a-z1-9$€£¥%&#/]")
# What some make of one: `E8I`, `IE]`.
_MISREAD = re.compile(r"[\[(_]+[xX]?[\])_]+|(?=.*[A-Z])(?=.*[^A-Za-z])[^a-z$€£¥%&#/.,:]{3}")
#: Words that may stand between a box and the label it is the box of.
MOST_WORDS = 4

_Box = TypeVar("_Box", Mark, "_DrawnBox")


@dataclass(frozen=True, slots=True)
class _DrawnBox:
    place: Pixels
    gap: int
    """Pixels between it and the label."""
    share: float

    @property
    def value(self) -> str | None:
        if EMPTY < self.share < INKED:
            return None
        return CHECKED if self.share >= INKED else UNCHECKED


def checkbox(page: MarkedPage, hit: LabelMatch) -> Mark | None:
    """Return what the box beside a label says, or None where there is none or it is not known.

    Where the label is a question, its answer is: `Yes` checked and `No` not, or the other way round.
    """
    start, end = hit.start, hit.end
    if hit.fuzzy:  # the letter too many may be what a recogniser made of the box
        while start < end - 1 and not _is_text(page, start):
            start += 1
        while end - 1 > start and not _is_text(page, end - 1):
            end -= 1
    return _beside(page, start, end) or _before_its_cell(page, start) or _answer(page, hit)


def _before_its_cell(page: MarkedPage, start: int) -> Mark | None:
    """Return the box before the words that a label goes on from: `☐ Salary: not based on services`."""
    cell = page.layout.cells[page.layout.cell_of[start]]
    first = start
    while first > cell.start and start - first < MOST_WORDS and _is_text(page, first - 1):
        first -= 1
    if first == start or (first > cell.start and _is_text(page, first - 1)):
        return None
    return _beside(page, first, start, behind=False)


def _beside(page: MarkedPage, start: int, end: int, *, behind: bool = True) -> Mark | None:
    """Return the box before the words `[start:end]`, or behind them unless told not to look there."""
    written = _written(page, start, end, behind=behind)
    if page.picture is None:
        return written
    drawn = _drawn(page, start, end) if behind else _drawn_before(page, start)
    if drawn is None:
        return written
    value = drawn.value
    if value is None or (written is not None and (written.value, value) == (CHECKED, UNCHECKED)):
        return None  # a font that is not there shows every character as an empty box
    return Mark(value, value, (page.region(drawn.place),))


def _answer(page: MarkedPage, hit: LabelMatch) -> Mark | None:
    layout = page.layout
    first = layout.row_of[hit.start]
    last = min(first + ANSWER_ROWS, len(layout.rows)) - 1
    words = range(hit.end, layout.rows[last][1])
    yes = next((i for i in words if squash(layout.words[i].text) in _YES), None)
    no = next((i for i in words if squash(layout.words[i].text) in _NO), None)
    if yes is None or no is None or any(hit.end < other.start < max(yes, no) for other in page.hits):
        return None
    said_yes, said_no = _beside(page, yes, yes + 1), _beside(page, no, no + 1)
    if said_yes is None or said_no is None or said_yes.value == said_no.value:
        return None
    chosen = said_yes if said_yes.value == CHECKED else said_no
    return Mark(said_yes.value, chosen.content, chosen.regions)


def _written(page: MarkedPage, start: int, end: int, *, behind: bool) -> Mark | None:
    """Return the box that characters draw directly before a label, or behind it."""
    words, row = page.layout.words, page.row(start)
    glued = _GLYPH.match(words[start].text)
    if glued is not None and len(words[start].text) > 1:
        return _typed_mark(page, glued, range(start, start + 1))
    before = [range(n, start) for n in range(start - 1, max(row.start, start - 3) - 1, -1)]
    after = [range(end, n) for n in range(end + 1, min(row.stop, end + 3) + 1)] if behind else []
    found = []
    for sides in (before, after):
        for indices in sides:
            gap = (
                page.layout.gap(indices[-1], start)
                if indices[-1] < start
                else page.layout.gap(end - 1, indices[0])
            )
            text = "".join(words[i].text for i in indices)
            match = _GLYPH.fullmatch(text) or _TYPED.fullmatch(text)
            blank = match is not None and not text.strip("_")
            # An empty line behind a label is there to be written on.
            if match is not None and gap <= 2 * REACH and not (blank and sides is after):
                found.append((gap, _typed_mark(page, match, indices)))
                break
    if len(found) == 2:
        (left, one), (right, other) = found
        if max(left, right) >= NEARER * max(min(left, right), 0.05):
            return one if left < right else other
        return _by_ends(page, start, one, other)
    return found[0][1] if found else None


def _typed_mark(page: MarkedPage, match: re.Match[str], indices: range) -> Mark:
    checked = any(match.groupdict().get(name) for name in ("checked", "typed"))
    return Mark(CHECKED if checked else UNCHECKED, match.group(), page.layout.regions(indices))


def _drawn(page: MarkedPage, start: int, end: int) -> _DrawnBox | None:
    """Return the frame that is the label's: the nearer one, or the one on the side that its row shows."""
    left, right = _drawn_before(page, start), _drawn_behind(page, start, end)
    if left is None or right is None:
        return left or right
    if max(left.gap, right.gap) >= NEARER * max(min(left.gap, right.gap), 1):
        return left if left.gap < right.gap else right
    return _by_ends(page, start, left, right)


def _by_ends(page: MarkedPage, start: int, before: _Box, behind: _Box) -> _Box | None:
    """Return which of two boxes is a label's: where one opens its row, each stands before its label."""
    row = page.row(start)
    opens = not _is_text(page, row.start) or _drawn_before(page, row.start) is not None
    closes = not _is_text(page, row[-1]) or _drawn_behind(page, row[-1], row.stop) is not None
    if opens == closes:
        return None
    return before if opens else behind


def _is_text(page: MarkedPage, index: int) -> bool:
    """Return whether a word is one: of a drawn box recognisers make a sign, or a capital or two."""
    text = page.layout.words[index].text
    if _MISREAD.fullmatch(text) is not None:
        return False
    return _WRITTEN.search(text) is not None or (len(text) > 2 and any(c.isalnum() for c in text))


def _drawn_before(page: MarkedPage, start: int) -> _DrawnBox | None:
    if page.picture is None:
        return None
    row = page.row(start)
    label, height = page.box_of([start]), page.text_height([start])
    texts = [i for i in range(row.start, start) if _is_text(page, i)]
    limit = page.box_of([texts[-1]]).right if texts else 0
    into = round((INTO if _may_hold_box(page, start) else 0.2) * height)
    farthest = max(limit, label.left - round((REACH + LONGEST) * height))
    return _nearest(page, start, height, farthest, label.left + into, before=True)


def _drawn_behind(page: MarkedPage, start: int, end: int) -> _DrawnBox | None:
    if page.picture is None:
        return None
    row = page.row(start)
    label, height = page.box_of([end - 1]), page.text_height([end - 1])
    texts = [i for i in range(end, row.stop) if _is_text(page, i)]
    limit = page.box_of([texts[0]]).left if texts else 10**6
    farthest = min(limit, label.right + round((REACH + LONGEST) * height))
    into = round((INTO if _may_hold_box(page, end - 1) else 0.2) * height)
    return _nearest(page, end - 1, height, label.right - into, farthest, before=False)


def _may_hold_box(page: MarkedPage, index: int) -> bool:
    """Return whether a recogniser may have taken the box for a part of a word: such boxes are wide."""
    return page.layout.words[index].confidence is not None


def _nearest(
    page: MarkedPage, word: int, height: int, left: int, right: int, *, before: bool
) -> _DrawnBox | None:
    """Return the frame in a stretch of the line that is nearest to the label's first or last word."""
    if page.picture is None:
        return None
    label = page.box_of([word])
    middle = (label.top + label.bottom) // 2
    above = round(LONGEST * height)
    area = Pixels(left, middle - above, right, middle + above).within(*page.picture.shape)
    if area.right - area.left < SHORTEST * height:
        return None
    mask = ink(page.picture[area.top : area.bottom, area.left : area.right])
    for index in page.words_in(area):
        box = page.box_of([index])
        if _is_text(page, index) and not (index == word and _may_hold_box(page, word)):
            mask[
                max(box.top - area.top, 0) : max(box.bottom - area.top, 0),
                max(box.left - area.left, 0) : max(box.right - area.left, 0),
            ] = False
    found: list[_DrawnBox] = []
    shortest = SHORTEST if not _may_hold_box(page, word) else HIGHER_THAN_LETTERS
    for frame in frames(mask, max(8, round(shortest * height)), round(LONGEST * height)):
        place = Pixels(
            frame.left + area.left, frame.top + area.top, frame.right + area.left, frame.bottom + area.top
        )
        gap = max(label.left - place.right if before else place.left - label.right, 0)
        if gap <= REACH * height and abs((place.top + place.bottom) // 2 - middle) <= 0.8 * height:
            found.append(_DrawnBox(place, gap, inside_share(mask, frame)))
    return min(found, key=lambda box: box.gap, default=None)


def agreed(marks: Sequence[Mark]) -> Mark | None:
    """Return the first of several marks that say the same, or None."""
    return marks[0] if marks and len({mark.value for mark in marks}) == 1 else None
