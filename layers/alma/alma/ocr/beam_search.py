"""Prefix beam search (Graves et al. 2006; Hannun et al. 2014, arXiv:1408.2873) over the letters of a line.

A language model weighs letters against letters, and a letter against the digit or sign that stands behind a
letter (`Leve1`). Digits and signs among themselves are nothing it knows about: they stay as they were seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alma.ocr.alphabet import BLANK
from alma.ocr.language_model import LanguageModel

#: Beams that are followed. On 1,400 uncertain lines of receipts, all values here: docs/extraction.md.
WIDTH = 8
#: Probability of a step's likeliest class above which there is no other; and the least of a letter in the
#: place of a letter, and in the place of a digit or sign.
CERTAIN, LEAST_LETTER, LEAST_FOR_SIGN = 0.995, 0.003, 0.01
#: What the language model's logarithm weighs, what every character is worth (the network drops letters, and a
#: model alone likes short lines), and what the model is taken to say to a digit or sign.
WEIGHT, LENGTH_BONUS, SIGN = 0.2, 1.6, -3.0
#: Digits and signs that letters are taken for.
MISTAKEN = frozenset("015836:;|!/[](){}")

_NEVER = -1e9


@dataclass(slots=True)
class _Beam:
    classes: tuple[int, ...]
    text: str
    steps: tuple[int, ...]
    bonus: float
    blank: float = _NEVER
    letter: float = _NEVER
    rank: float = field(default=_NEVER)

    @property
    def reached(self) -> float:
        return _sum(self.blank, self.letter)


def search(
    log_probabilities: NDArray[np.float32],
    spaces: NDArray[np.bool_],
    alphabet: Sequence[str],
    model: LanguageModel,
) -> tuple[list[int], list[int]]:
    """Return the columns that a line is read as, spaces left out, and the steps at which they begin.

    Parameters
    ----------
    log_probabilities : ndarray of float32, shape (steps, classes)
        Column 0 is `BLANK`.
    spaces : ndarray of bool, shape (steps,)
        Where a space stands, whatever else is likely there.
    alphabet : sequence of str
        The characters of the columns.
    model : LanguageModel
        What is likely to be written.
    """
    beams = [_Beam((), "", (), 0.0, blank=0.0)]
    best_columns, highest = log_probabilities.argmax(1).tolist(), log_probabilities.max(1).tolist()
    for step, row in enumerate(log_probabilities):
        if spaces[step] or (best_columns[step] == BLANK and highest[step] > math.log(CERTAIN)):  # most steps
            for beam in beams:
                beam.blank, beam.letter = beam.reached, _NEVER
                if spaces[step] and not beam.text.endswith(" "):
                    beam.text += " "
            continue
        options = _options(row, best_columns[step], alphabet)
        sign = _is_sign(alphabet[options[0][0]])
        found: dict[tuple[int, ...], _Beam] = {}
        for beam in beams:
            _extend(beam, step, options, found, alphabet, model, sign=sign)
        for beam in found.values():
            beam.rank = beam.reached + beam.bonus
        beams = sorted(found.values(), key=lambda beam: -beam.rank)[:WIDTH]
    best = max(beams, key=lambda beam: beam.reached + beam.bonus)
    return list(best.classes), list(best.steps)


def _extend(
    beam: _Beam,
    step: int,
    options: Sequence[tuple[int, float]],
    found: dict[tuple[int, ...], _Beam],
    alphabet: Sequence[str],
    model: LanguageModel,
    *,
    sign: bool,
) -> None:
    """Add what a beam becomes by a step to what was found."""
    reached = beam.reached
    for column, p in options:
        last = beam.classes[-1] if beam.classes else None
        if column in (BLANK, last):
            same = found.get(beam.classes)
            if same is None:
                same = found[beam.classes] = _Beam(beam.classes, beam.text, beam.steps, beam.bonus)
            if column == BLANK:
                same.blank = _sum(same.blank, reached + p)
                continue
            same.letter = _sum(same.letter, beam.letter + p)
        add = (beam.blank if column == last else reached) + p
        character = alphabet[column]
        if add < _NEVER / 2 or (sign and character.isalpha() and not beam.text[-1:].isalpha()):
            continue
        classes = (*beam.classes, column)
        longer = found.get(classes)
        if longer is None:
            says = model.log_probability(character, beam.text) if character.isalpha() else SIGN
            bonus = beam.bonus + WEIGHT * says + LENGTH_BONUS
            longer = found[classes] = _Beam(classes, beam.text + character, (*beam.steps, step), bonus)
        longer.letter = _sum(longer.letter, add)


def _options(row: NDArray[np.float32], top: int, alphabet: Sequence[str]) -> list[tuple[int, float]]:
    """Return the columns that may stand at a step with their logarithms, the likeliest (`top`) first."""
    options = [(top, float(row[top]))]
    if row[top] > math.log(CERTAIN):
        return options
    if top != BLANK:
        options.append((BLANK, max(float(row[BLANK]), math.log(1e-6))))
    character = alphabet[top]
    if top == BLANK or character.isalpha():
        least = LEAST_LETTER
    elif character in MISTAKEN:
        least = LEAST_FOR_SIGN
    else:
        return options
    options += [
        (column, float(row[column]))
        for column in np.flatnonzero(row > math.log(least)).tolist()
        if column not in (BLANK, top) and alphabet[column].isalpha()
    ]
    return options


def _is_sign(character: str) -> bool:
    return bool(character) and not character.isalpha()


def _sum(one: float, other: float) -> float:
    """Return log(exp(one) + exp(other))."""
    high, low = max(one, other), min(one, other)
    return high if low < _NEVER / 2 else high + math.log1p(math.exp(low - high))
