"""Features: what the scorer knows about a candidate for a field.

Two views of the same span of words. *Dense* numbers say where it stands, what it looks like, how it compares
with the other values on the pages and what the rules say. *Tokens* are the words around it and in it, each
with the place it stands at (left, above, …), hashed; the scorer has weights for each, shared by all fields,
and one for each field it was trained on (after Majumder et al. 2020, who score candidates by neighbours).
"""

from __future__ import annotations

import math
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from alma.datamodel.geometry import Box, enclosing
from alma.datamodel.schemas import FieldSchema, FieldType
from alma.extraction.candidates.generation import Candidate
from alma.extraction.candidates.spans import shape
from alma.extraction.page.labels import squash
from alma.extraction.page.layout import Cell, Layout
from alma.extraction.values.parsers import fold
from alma.extraction.values.patterns import is_company, starts_with_legal_form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Tokens of one candidate; the rest is left out, which is rare.
TOKENS = 40
#: Buckets the tokens are hashed into; 0 is no token.
BUCKETS = 1 << 15
ORIGINS = ("right", "below", "above", "pattern", "top")
TYPES = tuple(FieldType)
#: Distinct amounts of a document that are looked at for sums.
MOST_AMOUNTS = 80

_POSTCODE = re.compile(r"(?<!\d)\d{4,6}(?!\d)")
_STREET = re.compile(
    r"\b(?:no|lot|jalan|jln|lorong|taman|tmn|street|st|road|rd|avenue|ave|lane|drive|blvd|floor|level|unit|suite|"
    r"block|blok|kampung|bandar|strasse|str|platz|weg|rue|place|plaza|mall|building|city|p\.?o\.? box)\b"
)
_CURRENCY = re.compile(r"US\$|[$€£¥]|\bRM|\b(?:USD|EUR|GBP|CHF|MYR)\b")

DENSE = (
    *(f"vote_{o}" for o in ORIGINS),
    *(f"score_{o}" for o in ORIGINS),
    "score_best", "score_lead", "votes",
    "quality", "page_first", "page_last", "page_number", "x", "right", "y", "y_in_document", "height",
    "width", "row", "cells_in_row", "cell_in_row", "opens_cell", "closes_cell", "fills_cell", "fills_row",
    "gap_left", "gap_above", "gap_below", "tallest", "words", "characters", "digits", "capitals", "letters",
    "lines", "company", "legal_start", "postcode", "street", "comma_end", "point_end", "colon", "lower_start",
    *(f"{side}_{what}" for side in ("above", "below") for what in ("company", "street", "digits", "comma")),
    "last_street", "last_postcode",
    "near_twin", "rounded", "in_label", "repeats", "first_of_value", "last_of_value",
    "size_rank", "size_rank_low", "is_sum", "in_sum", "log_value", "currency", "order",
    "order_last", "same_type", "other_track_value", "other_track_place", "confidence_mean",
    "confidence_least", "vision",
    *(f"type_{t.value}" for t in TYPES),
    "repeated", "required", "prefers_last", "prefers_largest",
    "position_above", "position_top", "position_below", "position_addressee",
)  # fmt: skip


@lru_cache(maxsize=1 << 16)
def token(text: str) -> int:
    """Return the bucket of a token: stable over versions and machines."""
    return zlib.crc32(text.encode()) % (BUCKETS - 1) + 1


def same_value(value: str) -> str:
    """Return `value` as values are compared: letters and digits only, without case and accents."""
    if re.fullmatch(r"-?\d+\.\d+", value):
        return value.rstrip("0").rstrip(".")
    return re.sub(r"[^\w]|_", "", fold(value)) or value


class Context:
    """The pages of one track: what the features of all candidates share."""

    def __init__(self, layouts: Sequence[Layout], *, vision: bool) -> None:
        self.layouts = layouts
        self.vision = vision
        self.pages = len(layouts)
        self.number = {layout.page: n for n, layout in enumerate(layouts)}
        self.tallest = {layout.page: max((w.box.h for w in layout.words), default=1.0) for layout in layouts}
        self.words = [[squash_shape(w.text) for w in layout.words] for layout in layouts]
        self._near: dict[tuple[int, tuple[int, ...]], tuple[list[float], list[int]]] = {}

    def near(self, candidate: Candidate) -> tuple[list[float], list[int]]:
        """Return the features of a span that no field and no other candidate has a part in."""
        key = (candidate.layout.page, candidate.words)
        known = self._near.get(key)
        if known is None:
            known = self._near[key] = self._look(candidate)
        return known

    def _look(self, c: Candidate) -> tuple[list[float], list[int]]:
        layout, number = c.layout, self.number[c.layout.page]
        words = self.words[number]
        first, last = c.words[0], c.words[-1]
        row, cell = layout.row_of[first], layout.cells[layout.cell_of[first]]
        start, stop = layout.rows[row]
        closing = layout.cells[layout.cell_of[last]]
        box = enclosing(layout.words[i].box for i in c.words)
        top = enclosing(layout.words[i].box for i in c.words if layout.row_of[i] == row)
        height = layout.line_height
        above, above_gap = self._beside(layout, row, top, -1)
        below, below_gap = self._beside(layout, layout.row_of[last], box, 1)
        text = c.content
        length = max(len(text), 1)
        lines = 1 + sum(
            layout.row_of[b] != layout.row_of[a] for a, b in zip(c.words, c.words[1:], strict=False)
        )
        lowered = fold(text)
        left_gap = min(layout.gap(first - 1, first), 20.0) / 5 if first > start else 5.0
        dense = [
            float(number == 0), float(number == self.pages - 1), min(number, 10) / 10,
            box.x, box.right, top.y, (number + top.y) / self.pages,
            top.h / max(height, 1e-6) - 1.0, box.w,
            min(row, 60) / 20, (layout.cell_of[stop - 1] - layout.cell_of[start]) / 4.0,
            (layout.cell_of[first] - layout.cell_of[start]) / 4.0,
            float(cell.start == first), float(closing.end == last + 1),
            len(c.words) / (cell.end - cell.start) / lines,
            float(first == start and last + 1 == layout.rows[layout.row_of[last]][1]),
            left_gap, min(above_gap, 6.0) / 3, min(below_gap, 6.0) / 3,
            top.h / max(self.tallest[layout.page], 1e-6),
            math.log2(1 + len(c.words)) / 3, min(length, 150) / 50,
            sum(x.isdigit() for x in text) / length, sum(x.isupper() for x in text) / length,
            sum(x.isalpha() for x in text) / length, lines / 3,
            float(is_company(text)), float(starts_with_legal_form(text)),
            float(bool(_POSTCODE.search(text))), min(len(_STREET.findall(lowered)), 4) / 2,
            float(text.endswith(",")), float(text.endswith(".")), float(":" in text),
            float(text[:1].islower()),
            *self._looks(layout, above), *self._looks(layout, below),
            *self._last_line(layout, c.words),
        ]  # fmt: skip
        tail = [*c.clarity, float(self.vision)]
        tokens: list[str] = []
        left = words[max(start, first - 5) : first]
        if left:
            tokens += ["L1:" + left[-1], *("L:" + w for w in left)]
            if len(left) > 1:
                tokens.append(f"LL:{left[-2]} {left[-1]}")
        else:
            tokens.append("L1:")
        if first > start:
            before = layout.cells[layout.cell_of[first - 1]]
            tokens.append("LC:" + " ".join(words[max(before.start, first - 6) : first]))
        tokens += ["R:" + w for w in words[last + 1 : min(last + 3, layout.rows[layout.row_of[last]][1])]]
        for name, piece, most in (("A", above, 5), ("B", below, 3)):
            if piece is not None:
                here = words[piece.start : min(piece.end, piece.start + 8)]
                tokens += [f"{name}:{w}" for w in (here[-most:] if name == "A" else here[:most])]
                tokens.append(f"{name}C:" + " ".join(here))
            else:
                tokens.append(name + ":")
        if above is not None:
            second, _ = self._beside(layout, above.row, top, -1)
            if second is not None:
                tokens += ["AA:" + w for w in words[second.start : min(second.end, second.start + 4)]]
        own = [words[i] for i in c.words]
        tokens += ["C0:" + own[0], "CZ:" + own[-1], "S:" + shape(text), *("C:" + w for w in own[:6])]
        tokens.append(f"P:{min(number, 3)}:{int(top.y * 8)}:{int(box.x * 4)}")
        return dense + tail, [token(t) for t in tokens[:TOKENS]]

    @staticmethod
    def _looks(layout: Layout, cell: Cell | None) -> tuple[float, ...]:
        """Return whether a neighbour looks like a company, a street, a number, and goes on."""
        if cell is None:
            return 0.0, 0.0, 0.0, 0.0
        text = layout.text(cell.start, cell.end)
        return (
            float(is_company(text)),
            min(len(_STREET.findall(fold(text))), 3) / 2,
            sum(x.isdigit() for x in text) / max(len(text), 1),
            float(text.endswith(",")),
        )

    @staticmethod
    def _last_line(layout: Layout, words: Sequence[int]) -> tuple[float, float]:
        row = layout.row_of[words[-1]]
        text = fold(" ".join(layout.words[i].text for i in words if layout.row_of[i] == row))
        return min(len(_STREET.findall(text)), 3) / 2, float(bool(_POSTCODE.search(text)))

    @staticmethod
    def _beside(layout: Layout, row: int, box: Box, step: int) -> tuple[Cell | None, float]:
        """Return the nearest cell over or under a box, within four rows, and how many lines it is away."""
        height = max(layout.line_height, 1e-6)
        for other in range(row + step, row + 5 * step, step):
            if not 0 <= other < len(layout.rows):
                break
            at, end = layout.rows[other]
            while at < end:
                cell = layout.cells[layout.cell_of[at]]
                if min(cell.box.right, box.right) > max(cell.box.x, box.x):
                    gap = box.y - cell.box.bottom if step < 0 else cell.box.y - box.bottom
                    return cell, max(gap, 0.0) / height
                at = cell.end
        return None, 6.0


def squash_shape(text: str) -> str:
    """Return a word as a token: squashed as labels are, a number by its shape."""
    if any(c.isdigit() for c in text):
        return shape(text)
    return squash(text) or text[:3]


def _ranks(values: Mapping[str, float]) -> dict[str, float]:
    """Return the rank of every value, 0 for the largest, 1 for the smallest."""
    order = sorted(values, key=lambda v: -values[v])
    return {value: n / max(len(order) - 1, 1) for n, value in enumerate(order)}


def number_of(kind: FieldType, value: str) -> float:
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


def matrix(
    field: FieldSchema,
    found: Sequence[Candidate],
    context: Context,
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
    context : Context
        The pages of that track.
    others : mapping
        Candidates of the same field on other tracks, by `same_value`.
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
    kind = field.type
    keys = [same_value(c.value) for c in found]
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for key, c in zip(keys, found, strict=True):
        if not places[key] or places[key][-1] != c.place:
            places[key].append(c.place)
    distinct = list(dict.fromkeys(c.place for c in found))
    order = {place: n / max(len(distinct) - 1, 1) for n, place in enumerate(distinct)}
    sized = kind in (FieldType.AMOUNT, FieldType.NUMBER, FieldType.DATE)
    solid = {c.value: number_of(kind, c.value) for c in found if c.quality >= 0.5} if sized else {}
    ranks = _ranks(solid)
    sums, parts = _sums(list(solid)) if kind is FieldType.AMOUNT else (set(), set())
    twins_near, rounded = _rounded(solid) if kind is FieldType.AMOUNT else (set(), set())
    best = [max((v.score for v in c.votes), default=0.0) for c in found]
    top = max(best)
    shared = [
        *(float(kind is t) for t in TYPES),
        float(field.repeated), float(field.required),
        float(field.prefer == "last"), float(field.prefer == "largest"),
        *(float(field.position == p) for p in ("above", "top", "below_top", "addressee")),
    ]  # fmt: skip
    for n, c in enumerate(found):
        near, near_tokens = context.near(c)
        by_origin = dict.fromkeys(ORIGINS, 0.0)
        for vote in c.votes:
            by_origin[vote.origin] = max(by_origin[vote.origin], vote.score, 0.1)
        key = keys[n]
        own = places[key]
        value = solid.get(c.value)
        twins = others.get(key, ())
        label = in_label.get(c.layout.page, frozenset())
        row = [
            *(float(s > 0) for s in by_origin.values()),
            *by_origin.values(),
            best[n], best[n] - top, len(c.votes) / 2,
            c.quality,
            *near[:-3],
            float(c.value in twins_near), float(c.value in rounded),
            sum(i in label for i in c.words) / len(c.words),
            math.log2(len(own)) / 2, float(c.place == own[0]), float(c.place == own[-1]),
            ranks.get(c.value, 1.0), float(ranks.get(c.value, 1.0) == 0.0) if sized else 0.0,
            float(c.value in sums), float(c.value in parts),
            math.log10(1 + abs(value)) / 4 if value is not None and kind is not FieldType.DATE else 0.0,
            float(bool(_CURRENCY.search(c.content))),
            order[c.place], float(c.place == distinct[-1]), math.log2(1 + len(distinct)) / 6,
            float(bool(twins)), float(any(t.place[0] == c.place[0] for t in twins)),
            *near[-3:],
            *shared,
        ]  # fmt: skip
        dense[n] = row
        extra = [token(f"V:{v.origin}:{round(v.score * 2)}") for v in c.votes[:3]]
        ids = (near_tokens + extra)[:TOKENS]
        tokens[n, : len(ids)] = ids
    return dense, tokens


def by_value(found: Sequence[Candidate]) -> Iterator[tuple[str, list[int]]]:
    """Yield the positions of the candidates that stand for the same value, by value."""
    groups: dict[str, list[int]] = defaultdict(list)
    for n, c in enumerate(found):
        groups[same_value(c.value)].append(n)
    yield from groups.items()
