"""Grounding: from what a language model answers to the words of the pages that say the same.

A search for each value the model gives. Typed values are compared as what they parse to, everything else by
its letters and digits; of several places the one among the words that the model quotes is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alma.datamodel.fields import Reading
from alma.datamodel.schemas import DocumentSchema, FieldSchema
from alma.extraction.llm import TRACK
from alma.extraction.llm.question import Question
from alma.extraction.page.layout import Layout
from alma.extraction.page.occurrences import Match, letters, occurrences
from alma.extraction.selection import MOST_REPEATS
from alma.extraction.values.locales import Locale, locale_of
from alma.extraction.values.names import value_of

#: Longer values are not looked for.
MAX_CHARACTERS = 1000
#: Words of a row that count as beside a value.
BESIDE = 6
#: What the page that the model names is worth, beside the words it quotes.
PAGE_BONUS = 0.25


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
    keys = {layout.page: [letters(word.text) for word in layout.words] for layout in asked.layouts}
    readings: dict[str, list[Reading]] = {}
    schema = schema.without_marks()
    dropped = sum(1 for key in answer if schema.field(key) is None)
    for field in schema.fields:
        taken: list[Match] = []
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


def _reading(field: FieldSchema, match: Match) -> Reading:
    value = value_of(field, match.value)
    return Reading(TRACK, value, match.content, None, match.regions)


def _find(
    layouts: Sequence[Layout],
    keys: Mapping[int, list[str]],
    field: FieldSchema,
    said: _Answer,
    locale: Locale,
    taken: Sequence[Match],
) -> Match | None:
    """Return the match that an answer means, or None where there is none left."""
    used = {(match.layout.page, index) for match in taken for index in match.indices}
    matches: dict[tuple[int, tuple[int, ...]], Match] = {}
    for layout in layouts:
        for match in occurrences(layout, field.type, said.value, locale, keys=keys[layout.page]):
            matches.setdefault((layout.page, match.indices), match)
    free = [p for p in matches.values() if not any((p.layout.page, index) in used for index in p.indices)]
    if not free:
        return None
    free.sort(key=lambda match: match.order, reverse=field.prefer == "last")
    spoken = {key for key in map(letters, said.quote.split()) if key} - set(map(letters, said.value.split()))
    return max(free, key=lambda match: _fit(match, keys[match.layout.page], spoken, said.page))


def _fit(match: Match, keys: Sequence[str], spoken: set[str], page: object) -> float:
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
