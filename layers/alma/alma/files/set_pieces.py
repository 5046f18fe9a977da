"""Words of a line that are set apart or together in print: digits in boxes, raised cents, watermarks behind
the lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from alma.files.lines import Token, in_lines
from alma.text import is_repetition

#: Characters that are set apart one by one: least number, and white between them in heights of capitals.
LEAST_SPACED = 4
_SPACED = (0.05, 1.5)
_EVENLY = 0.5

#: White before raised cents, their size and how far they are raised, in heights of the digits before them.
_BEFORE_CENTS = 1.0
_SMALL = 0.85
_RAISED = (0.15, 0.9)

#: A word printed this often, on lines that say nothing else, is a watermark.
_REPEATED = 24
_REPEATED_LINES = 6


def lines_of(tokens: Sequence[Token]) -> list[list[Token]]:
    """Return the lines of a page, a watermark's apart from what is printed over it, spaced and raised
    characters joined."""
    often = Counter(token.text for token in tokens)
    behind = [token for token in tokens if often[token.text] >= _REPEATED and token.text.isalpha()]
    background = in_lines(behind) if behind else []
    repetitive = [line for line in background if is_repetition([token.text for token in line])]
    if len(repetitive) < _REPEATED_LINES or 2 * len(repetitive) < len(background):
        return [_joined(line) for line in in_lines(tokens)]
    apart = set(map(id, behind))
    printed = in_lines([token for token in tokens if id(token) not in apart])
    both = [_joined(line) for line in printed] + background
    return sorted(both, key=lambda line: sum(t.ceiling + t.baseline for t in line) / len(line))


def _joined(line: list[Token]) -> list[Token]:
    joined: list[Token] = []
    at = 0
    while at < len(line):
        end = _spaced_end(line, at)
        token = _one(line[at:end]) if end - at >= LEAST_SPACED else line[at]
        at = end if end - at >= LEAST_SPACED else at + 1
        if joined and _are_cents(joined[-1], token):
            token = _one([joined.pop(), token])
        joined.append(token)
    return joined


def _spaced_end(line: list[Token], start: int) -> int:
    """Return where a number ends whose characters are set apart evenly, as in the boxes of a form."""
    gaps: list[float] = []
    end = start
    while (
        end < len(line)
        and len(line[end].text) == 1
        and (line[end].text.isdigit() or line[end].text in ".,-/:")
    ):
        if end > start:
            gap = (line[end].left - line[end - 1].right) / max(line[end].height, 1e-6)
            if not _SPACED[0] < gap < _SPACED[1] or max([*gaps, gap]) - min([*gaps, gap]) > _EVENLY:
                break
            gaps.append(gap)
        end += 1
    return max(end, start + 1)


def _are_cents(amount: Token, cents: Token) -> bool:
    """Tell whether two digits stand small and raised behind an amount that ends in its decimal sign."""
    height = max(amount.height, 1e-6)
    return (
        amount.text[-1:] in (".", ",")
        and amount.text[:-1][-1:].isdigit()
        and len(cents.text) == 2
        and cents.text.isdigit()
        and cents.height < _SMALL * height
        and -0.2 * height < cents.left - amount.right < _BEFORE_CENTS * height
        and _RAISED[0] * height < amount.baseline - cents.baseline < _RAISED[1] * height
    )


def _one(tokens: list[Token]) -> Token:
    return replace(
        tokens[0],
        text="".join(token.text for token in tokens),
        top=min(token.top for token in tokens),
        right=max(token.right for token in tokens),
        bottom=max(token.bottom for token in tokens),
    )
