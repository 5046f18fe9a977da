"""Whether a text layer says what the page shows, told from its characters alone.

Fonts without a usable table from codes to characters (no ToUnicode, a wrong encoding, a scrambled subset)
print perfectly and extract as nonsense.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

#: Share of characters that are none (controls, private use, unassigned, unmapped) a good layer may have:
#: bullets and check marks of symbol fonts reach a few per cent.
MAX_ODD = 0.15

#: Letters needed before their frequencies say anything.
MIN_LETTERS = 150

#: Least likeness (cosine) of the page's letter frequencies with those of European languages.
MIN_LIKENESS = 0.72

# Frequencies of a to z in per mille, the mean of English, German, French, Spanish, Italian, Dutch and
# Portuguese; the languages differ from one another far less than a shifted alphabet from any.
_EXPECTED = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        (93, 13, 34, 44, 148, 11, 16, 22, 75, 3, 4, 45, 27, 78, 63, 25, 6, 67, 66, 66, 42, 14, 7, 2, 6, 6),
        strict=True,
    )
)


@dataclass(slots=True)
class Census:
    """Counts of a page's characters."""

    total: int = 0
    odd: int = 0
    latin: int = 0
    letters: Counter[str] = field(default_factory=Counter)

    def count(self, code: int, text: str, *, unmapped: bool) -> None:
        """Note a character: its code, what is made of it, whether the font has no name for it."""
        self.total += 1
        if unmapped or (not text and not _harmless(code)) or text == "\ufffd":
            self.odd += 1
            return
        for letter in text.lower():
            if "a" <= letter <= "z":
                self.latin += 1
                self.letters[letter] += 1

    def garbage(self) -> bool:
        """Tell whether the page's text is not what the page shows."""
        if self.total and self.odd > MAX_ODD * self.total:
            return True
        return self.latin >= MIN_LETTERS and self._likeness() < MIN_LIKENESS

    def _likeness(self) -> float:
        dot = sum(n * _EXPECTED[letter] for letter, n in self.letters.items())
        norm = math.sqrt(sum(n * n for n in self.letters.values()) * sum(n * n for n in _EXPECTED.values()))
        return dot / norm


def _harmless(code: int) -> bool:
    """Tell whether a character that shows nothing belongs into good text: soft hyphens, zero-width spaces."""
    return unicodedata.category(chr(code)) == "Cf"
