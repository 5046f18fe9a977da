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

#: So many lines that say the same in so many words, so wide (as a share of the page), are a watermark.
WATERMARK_LINES, WATERMARK_WIDTH, WATERMARK_WORDS = 8, 0.4, 3
#: How far apart the characters of a comb may be, in their heights, and how much their distances may differ.
COMB_PITCH, COMB_UNEVEN = 3.0, 0.35
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
    said: dict[str, list[list[Word]]] = defaultdict(list)
    for line in lines:
        said[" ".join(word.text for word in line)].append(line)
    marks: set[tuple[str, int]] = set()
    for text, same in said.items():
        if len(same) < WATERMARK_LINES or len(same[0]) < WATERMARK_WORDS or any(c.isdigit() for c in text):
            continue
        if enclosing(word.box for word in same[0]).w >= WATERMARK_WIDTH:
            marks.update((word.text, _height(word)) for word in same[0])
    if not marks:
        return list(lines)
    # Where a line of the watermark runs into one of the page, its words stand between that line's.
    kept = ([word for word in line if (word.text, _height(word)) not in marks] for line in lines)
    return [line for line in kept if line]


def _height(word: Word) -> int:
    return round(word.box.h * 1000)


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
    if end - at < 4 or _COMB.fullmatch("".join(word.text for word in line[at:end])) is None:
        return None
    centres = [word.box.x + word.box.w / 2 for word in line[at:end]]
    steps = [b - a for a, b in pairwise(centres)]
    usual = sum(steps) / len(steps)
    even = max(steps) - min(steps) <= 2 * COMB_UNEVEN * usual
    return end if even and usual * ratio <= COMB_PITCH * max(word.box.h for word in line[at:end]) else None


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
