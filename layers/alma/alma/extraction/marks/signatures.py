"""Signatures: ink on or over the line beside a label that belongs to no printed word, or an empty line."""

from __future__ import annotations

import re

import numpy as np

from alma.datamodel.pages import Track
from alma.extraction.marks.page_marks import Mark, MarkedPage
from alma.extraction.marks.pictures import Grey, Mask, Pixels, ink, rules, without_specks
from alma.extraction.page.labels import LabelMatch

PRESENT, ABSENT = "present", "absent"
#: In heights of the label's text: how long a line is, how far to its sides and above it the label looks for
#: it, how high over it and how low under it people sign.
LINE, ASIDE, ABOVE, OVER, UNDER = 5.0, 14.0, 2.2, 2.6, 0.8
#: Ink of a signature at least and of an empty line at most, in squares of that height, and its width.
SIGNED, BLANK, WIDE = 0.6, 0.08, 1.2
#: Words that the recogniser is less sure of may be the signature itself.
PRINTED = 0.85

_TYPED = re.compile(r"/[sS5]/")
_LETTER = re.compile(r"[^\W_]")


def signature(page: MarkedPage, hit: LabelMatch, track: str) -> Mark | None:
    """Return whether there is a signature at a label, or None where that is not known.

    The line stands behind the label or over it. Ink of words is none of a signature, and a line on which
    only words stand says nothing: they may be the signer's name, or what a recogniser made of the signature.
    """
    typed = _typed(page, hit)
    if typed is not None or page.picture is None:
        return typed
    label, height = page.box_of(range(hit.start, hit.end)), page.text_height(range(hit.start, hit.end))
    line = _line(page, page.picture, hit, label, height)
    if line is None:
        return None
    over, under = round(OVER * height), round(UNDER * height)
    area = Pixels(line.left, line.top - over, line.right, line.bottom + under).within(*page.picture.shape)
    mask = ink(page.picture[area.top : area.bottom, area.left : area.right])
    mask[max(0, line.top - area.top - 2) : line.bottom - area.top + 2] = False
    mask[:, mask.mean(axis=0) > 0.8] = False  # a stroke from edge to edge is the scanner's, or a frame's
    words = _cover(page, mask, area, track)
    mask = without_specks(mask)
    square, amount = height * height, int(mask.sum())
    columns = np.flatnonzero(mask.any(axis=0))
    if amount >= SIGNED * square and len(columns) >= WIDE * height:
        rows = np.flatnonzero(mask.any(axis=1))
        place = Pixels(
            area.left + int(columns[0]),
            area.top + int(rows[0]),
            area.left + int(columns[-1]) + 1,
            area.top + int(rows[-1]) + 1,
        )
        return Mark(PRESENT, PRESENT, (page.region(place),))
    if amount <= BLANK * square and not words:
        empty = Pixels(line.left, line.top - round(1.5 * height), line.right, line.bottom)
        return Mark(ABSENT, ABSENT, (page.region(empty.within(*page.picture.shape)),))
    return None


def _typed(page: MarkedPage, hit: LabelMatch) -> Mark | None:
    """Return the signature that is typed (`/s/ Ann Lee`) behind the label or over it."""
    layout = page.layout
    row = layout.row_of[hit.start]
    label = layout.words[hit.start].box.union(layout.words[hit.end - 1].box)
    for at in (row, row - 1):
        if at < 0:
            continue
        for index in range(*layout.rows[at]):
            word = layout.words[index]
            aside = (word.box.x - label.right) * layout.ratio / layout.line_height
            near = 0 <= aside <= ASIDE if at == row else -2 * ASIDE <= aside <= 0
            if near and _TYPED.match(word.text):
                cell = layout.cells[layout.cell_of[index]]
                words = range(index, cell.end)
                return Mark(PRESENT, layout.text(words.start, words.stop), layout.regions(words))
    return None


def _line(page: MarkedPage, picture: Grey, hit: LabelMatch, label: Pixels, height: int) -> Pixels | None:
    """Return the ruled line behind a label, else the nearest over it."""
    behind = [
        i for i in range(hit.end, page.row(hit.start).stop) if _LETTER.search(page.layout.words[i].text)
    ]
    end = page.box_of(behind[:1]).left if behind else label.right + round(3 * ASIDE * height)
    middle = (label.top + label.bottom) // 2
    right = Pixels(label.right, middle, end, label.bottom + height)
    found = [
        each
        for each in _lines(picture, right, height)
        if each.left - label.right <= 3 * height and each.right <= picture.shape[1]
    ]
    if found:
        return found[0]
    aside = round(ASIDE * height)
    over = Pixels(label.left - aside, label.top - round(ABOVE * height), label.right + aside, label.top + 2)
    found = [
        each for each in _lines(picture, over, height) if each.left < label.right and label.left < each.right
    ]
    return found[-1] if found else None


def _lines(picture: Grey, area: Pixels, height: int) -> list[Pixels]:
    area = area.within(*picture.shape)
    piece = picture[area.top : area.bottom, area.left : area.right]
    if piece.shape[0] < 3 or piece.shape[1] < LINE * height:
        return []
    return [
        Pixels(each.left + area.left, each.top + area.top, each.right + area.left, each.bottom + area.top)
        for each in rules(ink(piece), round(LINE * height))
        if each.bottom - each.top <= 0.6 * height + 4  # thicker is a bar
    ]


def _cover(page: MarkedPage, mask: Mask, area: Pixels, track: str) -> bool:
    """Take the ink of printed words out of a mask, and return whether there were words on the line."""
    covered = False
    for index in page.words_in(area):
        word, box = page.layout.words[index], page.box_of([index])
        if not _LETTER.search(word.text):
            continue
        own = Pixels(box.left - 2, box.top - 2, box.right + 2, box.bottom + 2)
        own = Pixels(
            own.left - area.left, own.top - area.top, own.right - area.left, own.bottom - area.top
        ).within(*mask.shape)
        middle = (box.top + box.bottom) // 2
        covered |= area.top < middle < area.bottom and area.left < (box.left + box.right) // 2 < area.right
        sure = track != Track.VISION or word.confidence is None or word.confidence >= PRINTED
        if sure:
            mask[own.top : own.bottom, own.left : own.right] = False
    return covered
