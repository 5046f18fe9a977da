"""Features: what the scorer knows about a candidate for a field.

Two views of the same span of words. *Dense* numbers say where it stands, what it looks like, how it compares
with the other values on the pages and what the rules say. *Tokens* are the words around it and in it, each
with the place it stands at (left, above, …), hashed; the scorer has weights for each, shared by all fields,
and one for each field it was trained on (after Majumder et al. 2020, who score candidates by neighbours).
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from alma.datamodel.schemas import FieldSchema, FieldType
from alma.extraction.candidates.generation import Candidate
from alma.extraction.scoring.span_features import ClarityFeatures, PlaceFeatures, TrackPages
from alma.extraction.scoring.tokens import BUCKETS, TOKENS, token
from alma.extraction.values.text import comparison_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BUCKETS", "DENSE", "TOKENS", "by_value", "matrix"]

#: Where a rule's vote can come from.
ORIGINS = ("right", "below", "above", "pattern", "top")
#: Distinct amounts of a document that are looked at for sums.
MOST_AMOUNTS = 80

_CURRENCY = re.compile(r"US\$|[$€£¥]|\bRM|\b(?:USD|EUR|GBP|CHF|MYR)\b")


class RuleFeatures(NamedTuple):
    """What the rules say for a candidate, and how much it looks like its type."""

    vote_right: float
    vote_below: float
    vote_above: float
    vote_pattern: float
    vote_top: float
    score_right: float
    score_below: float
    score_above: float
    score_pattern: float
    score_top: float
    score_best: float
    score_lead: float
    """The best score less that of the field's best candidate."""
    votes: float
    quality: float


class ValueFeatures(NamedTuple):
    """How a candidate's value compares with those of the other candidates."""

    near_twin: float
    rounded: float
    """An amount has another within four cents of it, or ends in a multiple of five cents (see `_rounded`)."""
    in_label: float
    """Share of its words that belong to a label."""
    repeats: float
    first_of_value: float
    last_of_value: float
    size_rank: float
    size_rank_low: float
    """Its rank by size, 0 for the largest; and whether it is the largest."""
    is_sum: float
    in_sum: float
    """An amount is the sum of two others, or part of such a sum."""
    log_value: float
    currency: float
    order: float
    order_last: float
    """Its place among the candidates, 0 for the first and 1 for the last; and whether it is the last."""
    same_type: float
    """How many places candidates of the field stand at."""
    other_track_value: float
    other_track_place: float
    """Another track offers the same value, and on the same page."""


class FieldFeatures(NamedTuple):
    """What the schema says of the field: the same for all its candidates."""

    type_text: float
    type_name: float
    type_address: float
    type_date: float
    type_amount: float
    type_number: float
    type_identifier: float
    type_duration: float
    repeated: float
    required: float
    prefers_last: float
    prefers_largest: float
    position_above: float
    position_top: float
    position_below: float
    position_addressee: float


#: The names of the dense features, in the order of a row of `matrix`. They are stored in every model, and one
#: trained with others is refused: neither names nor order may change.
DENSE = (
    *RuleFeatures._fields,
    *PlaceFeatures._fields,
    *ValueFeatures._fields,
    *ClarityFeatures._fields,
    *FieldFeatures._fields,
)


def matrix(
    field: FieldSchema,
    found: Sequence[Candidate],
    pages: TrackPages,
    others: Mapping[str, Sequence[Candidate]],
    in_label: Mapping[int, frozenset[int]],
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the features of the candidates of one field.

    Parameters
    ----------
    field : FieldSchema
        The field.
    found : sequence of Candidate
        Its N candidates on one track, in the order of the document.
    pages : TrackPages
        The pages of that track.
    others : mapping
        Candidates of the same field on other tracks, by `comparison_key`.
    in_label : mapping
        By page, the words that belong to a label.

    Returns
    -------
    dense : array of float32, shape (N, len(DENSE))
    tokens : array of int32, shape (N, TOKENS)
        0 where there are fewer.
    """
    import numpy as np

    dense = np.zeros((len(found), len(DENSE)), np.float32)
    tokens = np.zeros((len(found), TOKENS), np.int32)
    if not found:
        return dense, tokens
    comparison = _Comparison(field, found, others, in_label)
    of_field = _field_features(field)
    top = max(_best_score(c) for c in found)
    for n, c in enumerate(found):
        span = pages.features_of(c)
        dense[n] = [*_rule_features(c, top), *span.place, *comparison.of(n), *span.clarity, *of_field]
        votes = [token(f"V:{v.origin}:{round(v.score * 2)}") for v in c.votes[:3]]
        ids = (span.tokens + votes)[:TOKENS]
        tokens[n, : len(ids)] = ids
    return dense, tokens


def by_value(found: Sequence[Candidate]) -> Iterator[tuple[str, list[int]]]:
    """Yield the positions of the candidates that stand for the same value, by value."""
    groups: dict[str, list[int]] = defaultdict(list)
    for n, c in enumerate(found):
        groups[comparison_key(c.value)].append(n)
    yield from groups.items()


def _best_score(candidate: Candidate) -> float:
    return max((vote.score for vote in candidate.votes), default=0.0)


def _rule_features(candidate: Candidate, top: float) -> RuleFeatures:
    by_origin = dict.fromkeys(ORIGINS, 0.0)
    for vote in candidate.votes:
        by_origin[vote.origin] = max(by_origin[vote.origin], vote.score, 0.1)
    right, below, above, pattern, head = by_origin.values()
    best = _best_score(candidate)
    return RuleFeatures(
        vote_right=float(right > 0),
        vote_below=float(below > 0),
        vote_above=float(above > 0),
        vote_pattern=float(pattern > 0),
        vote_top=float(head > 0),
        score_right=right,
        score_below=below,
        score_above=above,
        score_pattern=pattern,
        score_top=head,
        score_best=best,
        score_lead=best - top,
        votes=len(candidate.votes) / 2,
        quality=candidate.quality,
    )


def _field_features(field: FieldSchema) -> FieldFeatures:
    return FieldFeatures(
        **{
            f"type_{kind.value}": float(field.type is kind)
            for kind in FieldType
            if f"type_{kind.value}" in FieldFeatures._fields
        },
        repeated=float(field.repeated),
        required=float(field.required),
        prefers_last=float(field.prefer == "last"),
        prefers_largest=float(field.prefer == "largest"),
        position_above=float(field.position == "above"),
        position_top=float(field.position == "top"),
        position_below=float(field.position == "below_top"),
        position_addressee=float(field.position == "addressee"),
    )


class _Comparison:
    """The candidates of one field on one track, compared with each other and with the other tracks'."""

    def __init__(
        self,
        field: FieldSchema,
        found: Sequence[Candidate],
        others: Mapping[str, Sequence[Candidate]],
        in_label: Mapping[int, frozenset[int]],
    ) -> None:
        self._kind, self._found, self._others, self._in_label = field.type, found, others, in_label
        self._keys = [comparison_key(c.value) for c in found]
        self._places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for key, c in zip(self._keys, found, strict=True):
            if not self._places[key] or self._places[key][-1] != c.place:
                self._places[key].append(c.place)
        self._distinct = list(dict.fromkeys(c.place for c in found))
        self._order = {place: n / max(len(self._distinct) - 1, 1) for n, place in enumerate(self._distinct)}
        self._sized = field.type in (FieldType.AMOUNT, FieldType.NUMBER, FieldType.DATE)
        self._sizes = (
            {c.value: _size(field.type, c.value) for c in found if c.quality >= 0.5} if self._sized else {}
        )
        self._ranks = _ranks(self._sizes)
        amounts = self._sizes if field.type is FieldType.AMOUNT else {}
        self._sums, self._parts = _sums(list(amounts))
        self._near_twins, self._rounded = _rounded(amounts)

    def of(self, n: int) -> ValueFeatures:
        """Return the features of candidate number `n`."""
        c, key = self._found[n], self._keys[n]
        places = self._places[key]
        size = self._sizes.get(c.value)
        rank = self._ranks.get(c.value, 1.0)
        label = self._in_label.get(c.layout.page, frozenset())
        twins = self._others.get(key, ())
        return ValueFeatures(
            near_twin=float(c.value in self._near_twins),
            rounded=float(c.value in self._rounded),
            in_label=sum(i in label for i in c.words) / len(c.words),
            repeats=math.log2(len(places)) / 2,
            first_of_value=float(c.place == places[0]),
            last_of_value=float(c.place == places[-1]),
            size_rank=rank,
            size_rank_low=float(rank == 0.0) if self._sized else 0.0,
            is_sum=float(c.value in self._sums),
            in_sum=float(c.value in self._parts),
            log_value=(
                math.log10(1 + abs(size)) / 4
                if size is not None and self._kind is not FieldType.DATE
                else 0.0
            ),
            currency=float(bool(_CURRENCY.search(c.content))),
            order=self._order[c.place],
            order_last=float(c.place == self._distinct[-1]),
            same_type=math.log2(1 + len(self._distinct)) / 6,
            other_track_value=float(bool(twins)),
            other_track_place=float(any(t.place[0] == c.place[0] for t in twins)),
        )


def _ranks(values: Mapping[str, float]) -> dict[str, float]:
    """Return the rank of every value, 0 for the largest, 1 for the smallest."""
    order = sorted(values, key=lambda v: -values[v])
    return {value: n / max(len(order) - 1, 1) for n, value in enumerate(order)}


def _size(kind: FieldType, value: str) -> float:
    """Return a value as a number for ranking by size: amounts as such, dates as days."""
    if kind in (FieldType.AMOUNT, FieldType.NUMBER):
        return float(value)
    if kind is FieldType.DATE:
        year, month, day = value.split("-")
        return int(year) * 372 + int(month) * 31 + int(day)
    return 0.0


def _sums(amounts: Sequence[str]) -> tuple[set[str], set[str]]:
    """Return which amounts are the sum of two others, and which are part of such a sum."""
    cents = sorted({round(float(a) * 100) for a in amounts if 0 < float(a) < 1e9}, reverse=True)[
        :MOST_AMOUNTS
    ]
    all_of = set(cents)
    sums: set[int] = set()
    parts: set[int] = set()
    for n, a in enumerate(cents):
        for b in cents[n + 1 :]:
            if a + b in all_of:
                sums.add(a + b)
                parts.update((a, b))
    of = {a: round(float(a) * 100) for a in amounts}
    return {a for a, c in of.items() if c in sums}, {a for a, c in of.items() if c in parts}


def _rounded(amounts: Mapping[str, float]) -> tuple[set[str], set[str]]:
    """Return which amounts have another within four cents of them, and which end in a multiple of five cents.

    Where small coins are not in use, a receipt states the exact sum and the one that is paid.
    """
    cents = {a: round(v * 100) for a, v in amounts.items() if abs(v) < 1e9}
    known = set(cents.values())
    near = {a for a, c in cents.items() if any(c + d in known for d in (-4, -3, -2, -1, 1, 2, 3, 4))}
    return near, {a for a, c in cents.items() if c % 5 == 0}
