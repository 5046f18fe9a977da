"""Which letter is likely after others: a character n-gram, interpolated after Witten and Bell (1991).

Its counts ship with alma, `data/characters.txt.gz`; what they were counted in and under which licences says
`data/characters-LICENSE.md`. `scripts/train_language_model.py` makes them.
"""

from __future__ import annotations

import gzip
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources
from math import log

#: Characters of the longest n-gram.
ORDER = 6
#: N-grams longer than `SHORT` are kept if they occur so often: names that occur once are not for shipping.
SHORT, LEAST = 3, 3
#: Characters that a text may have: what an unseen one is one of.
ALPHABET = 120
#: Begins and ends a line.
END = "\n"


def spelled(text: str) -> str:
    """Return a text as the model counts it: without case, every digit the same."""
    return "".join("0" if c.isdigit() else c for c in unicodedata.normalize("NFKC", text).lower())


def counted(lines: Iterable[str]) -> dict[str, int]:
    """Return the n-grams of lines that a model keeps, with how often they occur."""
    counts: Counter[str] = Counter()
    for line in lines:
        text = END + spelled(line) + END
        for length in range(1, ORDER + 1):
            counts.update(text[start : start + length] for start in range(len(text) - length + 1))
    return {gram: n for gram, n in counts.items() if len(gram) <= SHORT or n >= LEAST}


class LanguageModel:
    """The probability of a character after others.

    Parameters
    ----------
    counts : mapping of str to int
        Of `counted`.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts
        self._total: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        for gram, n in counts.items():
            self._total[gram[:-1]] += n
            self._kinds[gram[:-1]] += 1
        self._known: dict[tuple[str, str], float] = {}

    def log_probability(self, character: str, before: str) -> float:
        """Return the logarithm of the probability of a character after others, from the line's start on."""
        history = spelled(before[-ORDER:])
        return log(self._probability(spelled(character), (END + history)[-(ORDER - 1) :]))

    def _probability(self, character: str, history: str) -> float:
        known = self._known.get((history, character))
        if known is not None:
            return known
        kinds, total = self._kinds[history], self._total[history]
        shorter = self._probability(character, history[1:]) if history else 1 / ALPHABET
        probability = (self._counts.get(history + character, 0) + kinds * shorter) / max(total + kinds, 1)
        if not total:
            probability = shorter
        if len(self._known) < 100_000:
            self._known[history, character] = probability
        return probability


@lru_cache(maxsize=1)
def shipped_language_model() -> LanguageModel:
    """Return the model that comes with alma, read when a line first needs it."""
    packed = resources.files("alma.data").joinpath("characters.txt.gz").read_bytes()
    counts: dict[str, int] = {}
    for line in gzip.decompress(packed).decode().split("\x1e"):
        gram, n = line.rsplit("\t", 1)
        counts[gram] = int(n)
    return LanguageModel(counts)
