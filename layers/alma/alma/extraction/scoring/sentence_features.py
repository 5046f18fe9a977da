"""Features of where a span stands in its sentence and its document, in the order of reading.

`alma.extraction.scoring.span_features` sees what stands beside a span on the page; a sentence goes on in the
next line. Here the words and marks that open and close a span are taken from the stream of reading, names
around it shortened to one sign, so that `between N of` is one context whoever N is; the roles and formulas
near it (`sentence_vocabulary`), each with its side and distance; and where else in the document the same
words stand: who is named again under the signature has a part in the deed, who is named beside `Notary
Public` has none.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from alma.extraction.candidates.prose import part_of_name, token_of
from alma.extraction.page.layout import Layout
from alma.extraction.page.reading_order import ReadingOrder
from alma.extraction.scoring.sentence_vocabulary import marks
from alma.extraction.scoring.tokens import SENTENCE_TOKENS, token

#: Words on either side in which a role is looked for, and up to which it stands beside a name.
ROLE_WORDS, BESIDE = 40, 6
#: The same for a formula, and how the distances are told apart.
FORMULA_WORDS = 400
_STEPS = (2, 5, 12, 25, 60, 150)
#: Places of the same words that are looked at.
MOST_PLACES = 12
#: Signs of a shortened context; words of a list of names.
CONTEXT, MOST_LISTED = 4, 30
#: Roles of those who have no part in a deed, and the formulas of its parts.
_OTHERS = ("witness", "notary", "officer", "recorder", "attorney", "preparer", "neighbour", "former")
_PARTIES = ("giver", "taker", "beneficiary", "trustee")
_PARTS = ("between", "price", "conveys", "unto", "witness", "oath", "former", "prepared", "recorded")


class SentenceFeatures(NamedTuple):
    """Where a span stands in its sentence. Names are stored in every model that sees them."""

    prose: float
    opens_sentence: float
    whole_name: float
    """No word beside it belongs to the same run of capitalised words."""
    name_words: float
    """Share of its words that can be part of a name."""
    crosses_line: float
    all_capitals: float
    opened: float
    """A bracket or a quotation mark stands before it."""
    comma_behind: float
    point_behind: float
    bracket_behind: float
    and_before: float
    and_behind: float
    place: float
    """Words before it, as a share of the document's."""
    before_conveyance: float
    after_witness: float
    after_oath: float
    near_giver: float
    near_taker: float
    """How near the role is on either side, 1 beside it."""
    places: float
    """How often the same words stand in the document."""
    in_opening: float
    in_signature: float
    in_oath: float
    in_former: float
    """Whether any of these places is before the conveyance, after `in witness`, in an acknowledgement, in the
    recital of an earlier deed."""
    beside_witness: float
    beside_notary: float
    beside_officer: float
    beside_recorder: float
    beside_attorney: float
    beside_preparer: float
    beside_neighbour: float
    beside_former: float
    beside_giver: float
    beside_taker: float
    """Whether at any of these places the role stands beside them."""


class SentenceContext(NamedTuple):
    """What the order of reading says of a span."""

    dense: SentenceFeatures
    tokens: list[int]
    """At most `SENTENCE_TOKENS`."""


class Stream:
    """The words of a track in the order of reading, page after page.

    Parameters
    ----------
    layouts : sequence of Layout
        The pages.
    orders : sequence of ReadingOrder
        The order of reading of each.
    words : sequence of sequence of str
        The words of each page as tokens.
    """

    def __init__(
        self, layouts: Sequence[Layout], orders: Sequence[ReadingOrder], words: Sequence[Sequence[str]]
    ) -> None:
        self._orders = orders
        self._base: list[int] = []
        self._words: list[str] = []
        self._tokens = []
        for layout, order, squashed in zip(layouts, orders, words, strict=True):
            self._base.append(len(self._words))
            self._words += [squashed[i] for i in order.order]
            self._tokens += [token_of(layout.words[i].text) for i in order.order]
        self._name = [part_of_name(t) for t in self._tokens]
        self._roles, self._formulas = marks(self._words)
        self._parties = [role for role in self._roles if role[2] in _PARTIES]
        self._others = [role for role in self._roles if role[2] in _OTHERS]
        self._role_starts = [start for start, _, _ in self._roles]
        self._formula_starts = [start for start, _, _ in self._formulas]
        self._conveyance = self._first("conveys", "unto")
        self._witness = self._first("witness")
        self._oath = self._first("oath")
        self._at: dict[str, list[int]] = defaultdict(list)
        for at, word in enumerate(self._words):
            if self._name[at]:
                self._at[word].append(at)
        self._left: dict[int, list[int]] = {}
        self._right: dict[int, list[int]] = {}
        self._same: dict[tuple[str, ...], tuple[list[float], list[int]]] = {}
        self._nearby: dict[tuple[int, int], dict[str, float]] = {}

    def _first(self, *classes: str) -> int:
        return next((start for start, _, name in self._formulas if name in classes), len(self._words))

    def context_of(self, number: int, words: Sequence[int]) -> SentenceContext:
        """Return what the order of reading says of a span of words of page number `number`, from 0."""
        order = self._orders[number]
        positions = [order.position[i] for i in words]
        first, last = min(positions), max(positions)
        base = self._base[number]
        start, stop = base + first, base + last + 1
        whole = last - first + 1 == len(words)
        near = self._near(start, stop)
        numbers, ids = self._elsewhere(start, stop) if whole else self._nowhere()
        opened, closed = self._tokens[start], self._tokens[stop - 1]
        before = self._tokens[start - 1] if start else None
        behind = self._tokens[stop] if stop < len(self._tokens) else None
        own = self._tokens[start:stop]
        dense = SentenceFeatures(
            float(order.prose[order.column_of[first]]),
            float(before is None or before.closes in (".", ":") or first == 0),
            float(
                not (before and self._name[start - 1] and not before.closes and not opened.opens)
                and not (behind and self._name[stop] and not closed.closes and not behind.opens)
            ),
            sum(self._name[start:stop]) / (stop - start),
            float(order.line_of[first] != order.line_of[last]),
            float(all(t.upper or len(t.core) < 3 for t in own)),
            float(opened.opens),
            float(closed.closes == ","),
            float(closed.closes in (".", ":", ";")),
            float(bool(behind and behind.opens) or closed.closes == ")"),
            float(bool(before and before.core in ("and", "&"))),
            float(bool(behind and behind.core in ("and", "&"))),
            start / max(len(self._words), 1),
            float(start < self._conveyance),
            float(start > self._witness),
            float(start > self._oath),
            near.get("giver", 0.0),
            near.get("taker", 0.0),
            *numbers,
        )
        known = self._left_of(start) + self._right_of(stop) + ids
        return SentenceContext(dense, known[:SENTENCE_TOKENS])

    # --- beside it ---------------------------------------------------------------------------------

    def _left_of(self, start: int) -> list[int]:
        found = self._left.get(start)
        if found is None:
            signs = self._signs(start - 1, -1)
            found = [token(f"<{n}:" + " ".join(signs[:n])) for n in range(1, CONTEXT + 1)]
            found.append(token("<w:" + self._word(start - 1)))
            party, other = _nearest(self._parties, start, -1), _nearest(self._others, start, -1)
            formula, older = self._formula(start, -1)
            found += [
                token("<p:" + party),
                token("<r:" + other),
                token("<f:" + formula),
                token("<ff:" + older),
            ]
            found.append(token("<l:" + self._head_of_list(start)))
            found.append(token(f"<fs:{formula.partition(' ')[0]} {' '.join(signs[:2])}"))
            self._left[start] = found
        return found

    def _right_of(self, stop: int) -> list[int]:
        found = self._right.get(stop)
        if found is None:
            signs = self._signs(stop - 1, 1)
            found = [token(f">{n}:" + " ".join(signs[:n])) for n in range(1, CONTEXT + 1)]
            found.append(token(">w:" + self._word(stop)))
            party, other = _nearest(self._parties, stop, 1), _nearest(self._others, stop, 1)
            formula, _ = self._formula(stop, 1)
            found += [token(">p:" + party), token(">r:" + other), token(">f:" + formula)]
            found.append(token(f">fs:{formula.partition(' ')[0]} {' '.join(signs[:2])}"))
            self._right[stop] = found
        return found

    def _word(self, at: int) -> str:
        return self._words[at] if 0 <= at < len(self._words) else ""

    def _signs(self, at: int, step: int) -> list[str]:
        """Return the signs of the words before (step -1) or after a span: a run of names is one sign.

        On the right `at` is the span's last word, whose mark comes first.
        """
        signs: list[str] = []
        if step > 0:
            if self._tokens[at].closes:
                signs.append(self._tokens[at].closes)
            at += 1
        named = False
        while 0 <= at < len(self._tokens) and len(signs) < CONTEXT:
            known = self._tokens[at]
            if step < 0 and known.closes:
                signs.append(known.closes)
                named = False
            if step > 0 and known.opens:
                signs.append("(")
                named = False
            if self._name[at]:
                if not named:
                    signs.append("N")
                named = True
            else:
                signs.append("9" if known.core[:1].isdigit() else self._words[at] or known.core[:2])
                named = False
            if step > 0 and known.closes:
                signs.append(known.closes)
                named = False
            if step < 0 and known.opens:
                signs.append("(")
                named = False
            at += step
        return signs[:CONTEXT]

    def _head_of_list(self, at: int) -> str:
        """Return what stands before the list a name is in: `made between` of A, B and C."""
        at -= 1
        least = max(at - MOST_LISTED, 0)
        while at > least and (self._name[at] or self._tokens[at].core in ("and", "&")):
            at -= 1
        return " ".join(self._words[max(at - 1, 0) : at + 1])

    def _formula(self, at: int, step: int) -> tuple[str, str]:
        """Return the nearest formula before or after a position with its distance, and the one beyond it."""
        n = bisect_left(self._formula_starts, at) + (-1 if step < 0 else 0)
        if not 0 <= n < len(self._formulas):
            return "", ""
        start, stop, name = self._formulas[n]
        distance = at - stop if step < 0 else start - at
        if distance > FORMULA_WORDS:
            return "", ""
        other = n + step
        while 0 <= other < len(self._formulas) and self._formulas[other][2] == name:
            other += step
        beyond = self._formulas[other][2] if 0 <= other < len(self._formulas) else ""
        return f"{name} {bisect_right(_STEPS, max(distance, 0))}", f"{beyond} {name}"

    def _near(self, start: int, stop: int) -> dict[str, float]:
        """Return how near each role stands to a span on either side."""
        known = self._nearby.get((start, stop))
        if known is None:
            known = {}
            first = bisect_left(self._role_starts, start - ROLE_WORDS)
            for begin, end, name in self._roles[first : bisect_right(self._role_starts, stop + ROLE_WORDS)]:
                if begin >= stop or end <= start:
                    distance = max(start - end, begin - stop, 0)
                    known[name] = max(known.get(name, 0.0), 1 / (1 + distance / 4))
            self._nearby[start, stop] = known
        return known

    # --- elsewhere ---------------------------------------------------------------------------------

    def _elsewhere(self, start: int, stop: int) -> tuple[list[float], list[int]]:
        """Return what is known of the places where the same words stand."""
        words = tuple(self._words[start:stop])
        if not self._name[start] or stop - start < 2:
            return self._described([start], stop - start) if self._name[start] else self._nowhere()
        known = self._same.get(words)
        if known is None:
            places = [at for at in self._at[words[0]] if tuple(self._words[at : at + len(words)]) == words]
            known = self._same[words] = self._described(places, len(words))
        return known

    @staticmethod
    def _nowhere() -> tuple[list[float], list[int]]:
        return [0.0] * 15, []

    def _described(self, places: Sequence[int], length: int) -> tuple[list[float], list[int]]:
        parts: dict[str, int] = {}
        roles: dict[str, float] = {}
        for at in places[:MOST_PLACES]:
            n = bisect_left(self._formula_starts, at) - 1
            part = self._formulas[n][2] if n >= 0 else ""
            parts[part] = parts.get(part, 0) + 1
            for name, near in self._near(at, at + length).items():
                roles[name] = max(roles.get(name, 0.0), near)
        numbers = [
            math.log2(1 + len(places)) / 3,
            float(any(at < self._conveyance for at in places)),
            float(any(at > self._witness for at in places)),
            float(any(at > self._oath for at in places)),
            float("former" in parts),
            *(roles.get(name, 0.0) for name in (*_OTHERS, "giver", "taker")),
        ]
        found = [token("z:" + part) for part in sorted(parts) if part in _PARTS][:5]
        beside = sorted(
            ((near, name) for name, near in roles.items() if near >= 1 / (1 + BESIDE / 4)), reverse=True
        )
        return numbers, found + [token("zr:" + name) for _, name in beside[:4]]


def _nearest(marked: Sequence[tuple[int, int, str]], at: int, step: int) -> str:
    """Return the class of the nearest mark before (step -1) or after a position, and how far it is."""
    n = bisect_left(marked, (at,)) + (-1 if step < 0 else 0)
    if not 0 <= n < len(marked):
        return ""
    start, stop, name = marked[n]
    distance = at - stop if step < 0 else start - at
    return f"{name} {bisect_right(_STEPS, max(distance, 0))}" if distance <= ROLE_WORDS else ""
