"""Finding the labels of a document type among the words of a page.

Labels are compared as they sound, not as they are set: case, accents, punctuation and spaces do not count,
`No.`, `Nr.`, `#` and `Number` are one word, and one wrong character is forgiven in a longer label, because
that is what recognisers get wrong. The index over all labels is built once per set of schemas; a page is
then walked once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alma.extraction.page.layout import Layout
from alma.extraction.values.text import fold

#: A label is at most this many words, a gap inside it at most this many line heights.
MAX_WORDS = 12
MAX_GAP = 2.5
#: From this length on one wrong, missing or extra character is forgiven.
FUZZY_LENGTH = 6

_NUMBER_SIGNS = frozenset({"#", "n", "no", "nr", "num", "nbr", "number", "nummer", "numero", "nos"})
_NOT_LETTERS = re.compile(r"(?:[^\w#]|_)+")
#: What closes a label: a colon, in East Asia as wide as a letter, or an equals sign.
CLOSES = (":", "=", "：", "﹕")


def squash(word: str) -> str:
    """Return a word as labels are compared: lower-case letters and digits of any script, without accents.

    >>> squash("Rechnungs-Nr.:"), squash("N°"), squash("Montant")
    ('rechnungsno', 'no', 'montant')
    """
    if word in ("N°", "n°", "Nº", "nº", "№"):
        return "no"
    text = _NOT_LETTERS.sub(" ", fold(word)).strip()
    if "#" in text and len(text) > 1:
        text = text.replace("#", " # ").strip()
    parts = text.split()
    for at, part in enumerate(parts):
        if part in _NUMBER_SIGNS and not (part == "n" and len(parts) == 1 and "." not in word):
            parts[at] = "no"
        elif part.endswith(("nummer", "nr")) and len(part) > 5:
            parts[at] = part.removesuffix("nummer").removesuffix("nr") + "no"
    return "".join(parts)


def phrase_key(phrase: str) -> str:
    """Return a phrase of several words as labels are compared."""
    return "".join(squash(word) for word in phrase.split())


@dataclass(frozen=True, slots=True)
class Label:
    """A label: whose it is and how much it says."""

    key: str
    """What it announces; empty for a label of something that is not read."""
    rank: int
    """Place among the aliases of its field; the first says most."""


@dataclass(frozen=True, slots=True)
class LabelMatch:
    """A label found at `words[start:end]` of a page."""

    start: int
    end: int
    labels: tuple[Label, ...]
    """Fields it announces: one label can announce two (`Flight dates`)."""
    fuzzy: bool
    """One character is wrong."""
    closed: bool
    """A colon or equals sign follows it."""


@dataclass(slots=True)
class Lexicon:
    """Phrases and what they stand for, looked up exactly or with one wrong character.

    Nearly exact look-up goes by deletions of one character, as in SymSpell (Garbe 2012).
    """

    phrases: dict[str, list[Label]] = field(default_factory=dict)
    _near: dict[str, str] = field(default_factory=dict)
    _squashed: dict[str, str] = field(default_factory=dict)
    _found: dict[str, tuple[tuple[Label, ...], bool] | None] = field(default_factory=dict)
    _prefixes: set[str] = field(default_factory=set)
    _ends: set[tuple[str, int, int]] = field(default_factory=set)
    longest: int = 0

    @classmethod
    def of(cls, phrases: Mapping[str, Iterable[Label]]) -> Lexicon:
        """Return a lexicon of phrases as people write them."""
        lexicon = cls()
        for phrase, labels in phrases.items():
            squashed = phrase_key(phrase)
            if squashed:
                lexicon.phrases.setdefault(squashed, []).extend(labels)
        for squashed in lexicon.phrases:
            lexicon.longest = max(lexicon.longest, len(squashed) + 1)
            lexicon._prefixes.update(squashed[:at] for at in range(1, len(squashed) + 1))
            if len(squashed) >= FUZZY_LENGTH:
                for length in range(len(squashed) - 1, len(squashed) + 2):
                    lexicon._ends.update({(squashed[:3], length, 0), (squashed[-3:], length, 1)})
                for at in range(len(squashed)):
                    lexicon._near.setdefault(squashed[:at] + squashed[at + 1 :], squashed)
        return lexicon

    def squash(self, word: str) -> str:
        """Return `squash(word)`, remembered: documents repeat their words."""
        known = self._squashed.get(word)
        if known is None:
            if len(self._squashed) > 50_000:
                self._squashed.clear()
            known = self._squashed[word] = squash(word)
        return known

    def look_up(self, squashed: str, *, nearly: bool = True) -> tuple[tuple[Label, ...], bool] | None:
        """Return the labels of a squashed phrase and whether it only nearly is one, or None."""
        exact = self.phrases.get(squashed)
        if exact is not None:
            return tuple(exact), False
        if not nearly:
            return None
        if len(squashed) < FUZZY_LENGTH - 1 or len(squashed) > self.longest:
            return None
        if squashed in self._found:
            return self._found[squashed]
        found = self._look_up_nearly(squashed)
        if len(self._found) > 50_000:
            self._found.clear()
        self._found[squashed] = found
        return found

    def _look_up_nearly(self, squashed: str) -> tuple[tuple[Label, ...], bool] | None:
        # A single error leaves either the beginning or the end of a phrase as it is.
        length = len(squashed)
        if (squashed[:3], length, 0) not in self._ends and (squashed[-3:], length, 1) not in self._ends:
            return None
        # One character deleted on either side covers insertion, deletion and substitution.
        near = self._near.get(squashed)
        if near is None and len(squashed) >= FUZZY_LENGTH:
            for at in range(len(squashed)):
                less = squashed[:at] + squashed[at + 1 :]
                if less in self.phrases and len(less) >= FUZZY_LENGTH:
                    near = less
                    break
                other = self._near.get(less)
                # The same place must be wrong in both: deleting different letters can join two words.
                if other is not None and len(other) == len(squashed) and _one_apart(other, squashed):
                    near = other
                    break
        return (tuple(self.phrases[near]), True) if near is not None else None

    def hits(self, layout: Layout) -> list[LabelMatch]:
        """Return the labels on a page, the longest at each place, none inside another."""
        found: list[LabelMatch] = []
        words = layout.words
        squashed = [self.squash(word.text) for word in words]
        for first, last in layout.rows:
            at = first
            while at < last:
                best = self._longest_at(layout, squashed, at, last)
                if best is None:
                    at += 1
                else:
                    found.append(best)
                    at = best.end
        return found

    def _longest_at(self, layout: Layout, squashed: list[str], at: int, last: int) -> LabelMatch | None:
        if not squashed[at]:
            return None
        words = layout.words
        # Within a sentence only exact phrases count: there are few labels and many near misses.
        nearly = layout.cells[layout.cell_of[at]].start == at or words[at - 1].text.endswith((*CLOSES, "."))
        if not nearly and squashed[at] not in self._prefixes:
            return None
        best: LabelMatch | None = None
        phrase = ""
        for index in range(at, min(at + MAX_WORDS, last)):
            if index > at:
                if not squashed[index]:
                    continue
                if words[index - 1].text.endswith(CLOSES) or layout.gap(index - 1, index) > MAX_GAP:
                    break
            phrase += squashed[index]
            if len(phrase) > self.longest or not (nearly or phrase in self._prefixes):
                break
            labels = self.look_up(phrase, nearly=nearly)
            if labels is not None and (best is None or not labels[1] or best.fuzzy):
                best = self._hit(layout, at, index + 1, last, labels)
        return best

    @staticmethod
    def _hit(
        layout: Layout, start: int, end: int, last: int, labels: tuple[tuple[Label, ...], bool]
    ) -> LabelMatch:
        closed = layout.words[end - 1].text.endswith(CLOSES)
        if not closed and end < last and layout.words[end].text in (*CLOSES, ".:"):
            closed, end = True, end + 1
        return LabelMatch(start, end, labels[0], labels[1], closed)


def _one_apart(a: str, b: str) -> bool:
    return sum(x != y for x, y in zip(a, b, strict=True)) <= 1
