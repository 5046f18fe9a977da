"""Grounding: from what a language model answers to the words of the pages that say the same.

A search for each value the model gives. Typed values are compared as what they parse to, everything else by
its letters and digits; of several places the one among the words that the model quotes is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alma.datamodel.fields import Reading
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType
from alma.extraction.llm import TRACK
from alma.extraction.llm.question import Question
from alma.extraction.page.layout import Layout
from alma.extraction.selection import MOST_REPEATS
from alma.extraction.values.locales import Locale, locale_of
from alma.extraction.values.names import value_of
from alma.extraction.values.parsers import TYPED, parse, spans
from alma.extraction.values.text import comparison_key, fold, squeeze

#: Longer values are not looked for.
MAX_CHARACTERS = 1000
#: Words of one page that are looked at for one value: many times what a page needs, so that a page made to be
#: slow is not.
MOST_STEPS = 100_000
#: Rows in which a value may go on below its cell.
ROWS_BELOW = 2
#: Words of a row that count as beside a value.
BESIDE = 6
#: What the page that the model names is worth, beside the words it quotes.
PAGE_BONUS = 0.25
_WRAPPING = frozenset({FieldType.DATE, FieldType.DURATION})
_EDGE = " \t:;,|*_=\"'“”‘’"


@dataclass(frozen=True, slots=True)
class Grounded:
    """What is left of an answer."""

    readings: dict[str, list[Reading]]
    """Key to readings, in the schema's order."""
    dropped: int
    """Answers that stand nowhere on the pages, or are no answers."""

    @property
    def kept(self) -> int:
        """Number of answers that stand on a page."""
        return sum(len(each) for each in self.readings.values())


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the model gives as one value, trusted in nothing."""

    value: str
    quote: str
    page: object


@dataclass(frozen=True, slots=True)
class _Match:
    """Words of a page that say what an answer says."""

    layout: Layout
    indices: tuple[int, ...]
    value: str
    content: str

    @property
    def order(self) -> tuple[int, int]:
        """Page and first word."""
        return self.layout.page, self.indices[0]


def ground(asked: Question, schema: DocumentSchema, answer: Mapping[str, Any]) -> Grounded:
    """Return the readings that an answer leads to.

    Dates, amounts and the like are compared as what they parse to, everything else by its letters and
    digits, over line ends and down a column too. Of several matches the one among the words that the model
    quotes is taken. The readings have no confidence: nothing has measured how often the model is right.

    Parameters
    ----------
    asked : Question
        What was asked.
    schema : DocumentSchema
        The type it was asked with.
    answer : mapping
        The model's own, trusted in nothing.
    """
    locale = locale_of(layout.running_text()[0] for layout in asked.layouts)
    keys = {layout.page: [_key(word.text) for word in layout.words] for layout in asked.layouts}
    readings: dict[str, list[Reading]] = {}
    dropped = sum(1 for key in answer if schema.field(key) is None)
    for field in schema.fields:
        taken: list[_Match] = []
        for said in _answers(answer.get(field.key)):
            full = len(taken) >= (MOST_REPEATS if field.repeated else 1)
            match = None if said is None or full else _find(asked.layouts, keys, field, said, locale, taken)
            if match is None:
                dropped += 1
            else:
                taken.append(match)
        if taken:
            readings[field.key] = [_reading(field, match) for match in taken]
    return Grounded(readings, dropped)


def _answers(raw: object) -> Iterator[_Answer | None]:
    """Yield what the model says of one field, None for what is no answer."""
    if raw is None:
        return
    for each in raw if isinstance(raw, list) else [raw]:
        entry = each if isinstance(each, dict) else {"value": each}
        value, quote = entry.get("value"), entry.get("quote")
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not 0 < len(value) <= MAX_CHARACTERS:
            yield None
        else:
            yield _Answer(value, quote if isinstance(quote, str) else "", entry.get("page"))


def _reading(field: FieldSchema, match: _Match) -> Reading:
    value = value_of(field, match.value)
    return Reading(TRACK, value, match.content, None, match.layout.regions(list(match.indices)))


def _key(text: str) -> str:
    """Return the letters and digits of a text, without case and accents."""
    return re.sub(r"[\W_]", "", fold(text))


def _find(
    layouts: Sequence[Layout],
    keys: Mapping[int, list[str]],
    field: FieldSchema,
    said: _Answer,
    locale: Locale,
    taken: Sequence[_Match],
) -> _Match | None:
    """Return the match that an answer means, or None where there is none left."""
    used = {(match.layout.page, index) for match in taken for index in match.indices}
    matches: dict[tuple[int, tuple[int, ...]], _Match] = {}
    for layout in layouts:
        if field.type not in TYPED or field.type is FieldType.IDENTIFIER:
            for match in _by_letters(layout, keys[layout.page], field, _key(said.value), locale):
                matches.setdefault((layout.page, match.indices), match)
        if field.type in TYPED:
            for match in _by_value(layout, field, said.value, locale):
                matches.setdefault((layout.page, match.indices), match)
    free = [p for p in matches.values() if not any((p.layout.page, index) in used for index in p.indices)]
    if not free:
        return None
    free.sort(key=lambda match: match.order, reverse=field.prefer == "last")
    spoken = {key for key in map(_key, said.quote.split()) if key} - set(map(_key, said.value.split()))
    return max(free, key=lambda match: _fit(match, keys[match.layout.page], spoken, said.page))


def _fit(match: _Match, keys: Sequence[str], spoken: set[str], page: object) -> float:
    """Return how well the words around a match are those that the model quotes."""
    layout, own = match.layout, set(match.indices)
    rows = sorted({layout.row_of[index] for index in own})
    near: dict[str, float] = {}
    for row in range(max(0, rows[0] - 1), min(len(layout.rows), rows[-1] + 2)):
        for index in range(*layout.rows[row]):
            if index in own:
                continue
            beside = min(abs(index - mine) for mine in own) <= BESIDE
            weight = (1.0 if beside else 0.7) if row in rows else 0.5
            near[keys[index]] = max(weight, near.get(keys[index], 0.0))
    quoted = sum(near.get(key, 0.0) for key in spoken) / len(spoken) if spoken else 0.0
    return quoted + (PAGE_BONUS if layout.page == page else 0.0)


def _by_value(layout: Layout, field: FieldSchema, text: str, locale: Locale) -> Iterator[_Match]:
    """Yield where something stands that parses to the same as `text`."""
    wanted = parse(text, field.type, locale)
    if wanted is None:
        return
    for segment in _segments(layout, wrapping=field.type in _WRAPPING):
        starts, joined = [], ""
        for index in segment:
            starts.append(len(joined))
            joined += layout.words[index].text + " "
        for span in spans(joined, field.type, locale):
            if comparison_key(span.value) != comparison_key(wanted):
                continue
            indices = tuple(
                index
                for index, start in zip(segment, starts, strict=True)
                if start < span.end and start + len(layout.words[index].text) > span.start
            )
            if indices:
                yield _Match(layout, indices, span.value, joined[span.start : span.end].strip())


def _segments(layout: Layout, *, wrapping: bool) -> Iterator[list[int]]:
    """Yield the stretches in which one typed value can stand: a cell, or what goes on below or after it."""
    for cell in layout.cells:
        yield list(range(cell.start, cell.end))
    if not wrapping:
        return
    for cell in layout.cells:
        below = _below(layout, cell.end - 1)
        if below is not None:
            under = layout.cells[layout.cell_of[below]]
            yield [*range(cell.start, cell.end), *range(under.start, under.end)]
    for (start, _), (_, end) in zip(layout.rows, layout.rows[1:], strict=False):
        yield list(range(start, end))


def _by_letters(
    layout: Layout, keys: Sequence[str], field: FieldSchema, wanted: str, locale: Locale
) -> Iterator[_Match]:
    """Yield where words stand that have exactly the letters and digits `wanted`."""
    if not wanted:
        return
    steps = MOST_STEPS
    for start, key in enumerate(keys):
        if not key or not wanted.startswith(key):
            continue
        indices, taken = _walk(layout, keys, start, wanted, steps)
        steps -= taken
        if indices is None:
            continue
        content = " ".join(layout.words[index].text for index in indices)
        value = parse(content, field.type, locale)
        if field.type is FieldType.IDENTIFIER and (value is None or _key(value) != wanted):
            value = squeeze(content).strip(_EDGE)  # a code in groups that the parser does not know
        if value:
            yield _Match(layout, indices, value, content)


def _walk(
    layout: Layout, keys: Sequence[str], start: int, wanted: str, most: int
) -> tuple[tuple[int, ...] | None, int]:
    """Return the words from `start` on that spell `wanted`, or None, and how many words that took to see.

    The way goes along the row, into the next, and down a column.
    """
    came_from: dict[tuple[int, int], tuple[int, int] | None] = {}
    waiting: list[tuple[int, int, tuple[int, int] | None]] = [(start, 0, None)]
    while waiting and len(came_from) < most:
        index, spelt, before = waiting.pop()
        here = (index, spelt)
        if here in came_from or not wanted.startswith(keys[index], spelt):
            continue
        came_from[here] = before
        spelt += len(keys[index])
        if spelt == len(wanted):
            return _way(came_from, here), len(came_from)
        if index + 1 < len(keys):
            waiting.append((index + 1, spelt, here))
        below = _below(layout, index)
        if below is not None:
            waiting.append((below, spelt, here))
    return None, len(came_from)


def _way(
    came_from: Mapping[tuple[int, int], tuple[int, int] | None], last: tuple[int, int]
) -> tuple[int, ...]:
    """Return the words that led to the last one, in order."""
    way, at = [], last
    while True:
        way.append(at[0])
        before = came_from[at]
        if before is None:
            return tuple(reversed(way))
        at = before


def _below(layout: Layout, index: int) -> int | None:
    """Return the first word of the cell under that which ends with `index`, or None."""
    cell = layout.cells[layout.cell_of[index]]
    if cell.end != index + 1:
        return None
    for row in range(cell.row + 1, min(len(layout.rows), cell.row + 1 + ROWS_BELOW)):
        at, end = layout.rows[row]
        while at < end:
            other = layout.cells[layout.cell_of[at]]
            if other.box.x < cell.box.right and cell.box.x < other.box.right:
                return at
            at = other.end
    return None
