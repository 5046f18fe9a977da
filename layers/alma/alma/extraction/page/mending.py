"""Words mended before a page is arranged: numbers printed in pieces become one word, watermarks go.

A form's comb has a box for each character, a price list prints cents small and raised or in a column of their
own, and a watermark repeats a line over everything else.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from alma.datamodel.geometry import Word, enclosing

#: So many lines that say the same in so many words, so wide (as a share of the page), are a watermark where
#: their words leave no more than this share of that white.
WATERMARK_LINES, WATERMARK_WIDTH, WATERMARK_WORDS, WATERMARK_WHITE = 8, 0.4, 3, 0.5
#: How far apart the characters of a comb may be, in their heights, and how much their distances may differ;
#: the distance and the number of those that are no amount and no date: of an identifier, not of a table.
COMB_PITCH, COMB_UNEVEN = 3.0, 0.35
NUMBER_PITCH, NUMBER_LENGTH = 2.2, 6
#: Space before raised cents, and before cents in a column of their own, in heights of the amount.
CENTS_GAP, COLUMN_GAP = 0.8, 3.0
#: Height of raised cents over that of their amount, at most.
CENTS_HEIGHT = 0.8
#: Amounts with cents in a column of their own, at least.
MANY_CENTS = 3

_COMB = re.compile(r"[$€£¥]?\d{1,3}(?:[.,]?\d{3})*[.,]\d\d|\d{1,2}([./])\d{1,2}\1\d{2,4}")
_PIECE = re.compile(r"[\d.,/$€£¥]")
_WHOLE = re.compile(r"[^\W\d_]{0,3}[$€£¥]?\d{1,3}(?:[.,' ]?\d{3})*[.,]?")
_CENTS = re.compile(r"\d\d")
_WITH_CENTS = re.compile(r"\d[.,]\d\d(?!\d)")


def mended(lines: Sequence[list[Word]], ratio: float) -> list[list[Word]]:
    """Return the lines of a page with the numbers that are printed in pieces put together, and no watermark.

    Parameters
    ----------
    lines : sequence of list of Word
        The words of each line, on the upright page.
    ratio : float
        Width of the page divided by its height.
    """
    kept = _without_watermark(lines)
    joined = [_joined(line, ratio) for line in kept]
    return _with_columns_of_cents(joined, ratio)


def _without_watermark(lines: Sequence[list[Word]]) -> list[list[Word]]:
    """Return the lines without words that run over the page again and again.

    A line of the watermark runs into those of the page, and its words then stand between theirs: it is looked
    for among the words that are repeated, put in rows by themselves, and so are the others of such lines.
    """
    often = Counter(map(_form, (word for line in lines for word in line)))
    repeated = [w for line in lines for w in line if w.text.isalpha() and often[_form(w)] >= WATERMARK_LINES]
    if len(repeated) < WATERMARK_LINES * WATERMARK_WORDS:
        return list(lines)
    said: dict[frozenset[tuple[str, int]], list[list[Word]]] = defaultdict(list)
    for row in _rows(repeated):
        around = enclosing(word.box for word in row)
        if (
            len(row) >= WATERMARK_WORDS
            and around.w >= WATERMARK_WIDTH
            and sum(word.box.w for word in row) >= (1 - WATERMARK_WHITE) * around.w
        ):
            said[frozenset(map(_form, row))].append(row)
    marks = {form for forms, rows in said.items() if len(rows) >= WATERMARK_LINES for form in forms}
    if not marks:
        return list(lines)
    kept: list[list[Word]] = []
    torn: list[Word] = []
    for line in lines:
        others = [word for word in line if _form(word) not in marks]
        if len(others) == len(line):
            kept.append(line)
        else:
            torn += others
    return kept + _rows(torn)


def _form(word: Word) -> tuple[str, int]:
    return word.text, round(word.box.h * 500)


def _rows(words: Sequence[Word]) -> list[list[Word]]:
    """Return words in rows: those whose middles lie within half the height of the one before."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda w: w.box.centre[1]):
        last = rows[-1][-1].box if rows else None
        if last is not None and word.box.centre[1] - last.centre[1] < 0.5 * min(word.box.h, last.h):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [sorted(row, key=lambda w: w.box.x) for row in rows]


def _joined(line: list[Word], ratio: float) -> list[Word]:
    """Return a line with its combs and its raised cents put together."""
    if len(line) < 2:
        return line
    words: list[Word] = []
    at = 0
    while at < len(line):
        end = _comb_end(line, at, ratio) or _cents_end(line, at, ratio)
        words.append(_one(line[at:end]) if end else line[at])
        at = end or at + 1
    return words


def _comb_end(line: Sequence[Word], at: int, ratio: float) -> int | None:
    """Return where a number ends whose characters are words of their own, evenly spaced, or None."""
    end = at
    while end < len(line) and len(line[end].text) == 1 and _PIECE.match(line[end].text):
        end += 1
    text = "".join(word.text for word in line[at:end])
    value = _COMB.fullmatch(text) is not None
    number = len(text) >= NUMBER_LENGTH and text.isdigit() and len(set(text)) > 1
    if len(text) < 4 or not (value or number):
        return None
    centres = [word.box.x + word.box.w / 2 for word in line[at:end]]
    steps = [b - a for a, b in pairwise(centres)]
    usual = sum(steps) / len(steps)
    even = max(steps) - min(steps) <= 2 * COMB_UNEVEN * usual
    pitch = usual * ratio / max(word.box.h for word in line[at:end])
    return end if even and pitch <= (COMB_PITCH if value else NUMBER_PITCH) else None


def _cents_end(line: Sequence[Word], at: int, ratio: float) -> int | None:
    """Return where an amount ends whose cents are small and raised, or stand off behind a point, or None."""
    if at + 1 == len(line) or not _CENTS.fullmatch(line[at + 1].text) or not _WHOLE.fullmatch(line[at].text):
        return None
    whole, cents = line[at].box, line[at + 1].box
    near = (cents.x - whole.right) * ratio <= CENTS_GAP * whole.h
    small = cents.h <= CENTS_HEIGHT * whole.h and cents.bottom <= whole.bottom - 0.1 * whole.h
    return at + 2 if near and small else None


def _one(words: Sequence[Word]) -> Word:
    """Return words as one; where cents follow an amount without a mark, they have one."""
    text = "".join(word.text for word in words)
    if len(words) == 2 and words[0].text[-1].isdigit():
        text = f"{words[0].text}.{words[1].text}"
    sure = [word.confidence for word in words if word.confidence is not None]
    return replace(
        words[0], text=text, box=enclosing(word.box for word in words), confidence=min(sure) if sure else None
    )


def _with_columns_of_cents(lines: list[list[Word]], ratio: float) -> list[list[Word]]:
    """Return lines in which amounts have the cents that stand in a column of their own.

    Only where no amount of the page has cents otherwise, and half of those in the column are 00.
    """
    pairs = [
        (number, at)
        for number, line in enumerate(lines)
        for at in range(1, len(line))
        if _CENTS.fullmatch(line[at].text)
        and _WHOLE.fullmatch(line[at - 1].text)
        and (line[at].box.x - line[at - 1].box.right) * ratio <= COLUMN_GAP * line[at].box.h
    ]
    if len(pairs) < MANY_CENTS or any(_WITH_CENTS.search(word.text) for line in lines for word in line):
        return lines
    columns: Counter[int] = Counter(_column(lines[number][at]) for number, at in pairs)
    named = {column for column, count in columns.items() if count >= MANY_CENTS}
    chosen = [(number, at) for number, at in pairs if _column(lines[number][at]) in named]
    zeros = sum(lines[number][at].text == "00" for number, at in chosen)
    if not chosen or 2 * zeros < len(chosen):
        return lines
    lines = [list(line) for line in lines]
    # From the right, because every pair that is joined moves the words behind it.
    for number, at in sorted(set(chosen), reverse=True):
        lines[number][at - 1 : at + 1] = [_one(lines[number][at - 1 : at + 1])]
    return lines


def _column(word: Word) -> int:
    return round(word.box.x * 100)
