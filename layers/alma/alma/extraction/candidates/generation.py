"""Candidates: typed spans of consecutive words that may be the value of a field.

A candidate is always `normalise(words)`: it carries the regions of exactly these words. It comes from

1. a *rule*: to the right of a label, below or above it, matched by a pattern of the schema, or at a place
   the schema names (`alma.extraction.candidates.label_search`, `alma.extraction.candidates.letterhead`): a
   vote with a readable score;
2. any *typed span*: consecutive words on the page that look like the field's type
   (`alma.extraction.candidates.typed_spans`).

Both are scored together by `alma.extraction.scoring.scorer`, for which a rule's vote is one more thing to
know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from alma.datamodel.geometry import Region
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType
from alma.extraction.candidates.label_search import PageSearch, Vote
from alma.extraction.candidates.letterhead import by_position
from alma.extraction.candidates.typed_spans import lines_below, typed_spans
from alma.extraction.page.labels import CLOSES
from alma.extraction.page.layout import Layout
from alma.extraction.values.account_numbers import begins_like_iban, is_iban
from alma.extraction.values.locales import Locale
from alma.extraction.values.patterns import Matcher
from alma.extraction.values.text import squeeze

#: Pages from the beginning and the end of a document on which any typed span is a candidate; between them
#: rules alone say what is one. Forms are short; in a contract the parties are named first and sign last.
FIRST_PAGES = 3
LAST_PAGES = 2
#: Candidates of one field in one document.
MOST = 3000
#: What the form of a value says for it, where a field takes one form only.
FORMAT_VOTE = 1.8
#: Names of a field under which an address is looked for, and words an address has at least.
MOST_NAMES, MIN_ADDRESS_WORDS = 3, 3
#: Characters a name among the typed spans may have.
NAME_LENGTHS = range(2, 121)


@dataclass(slots=True)
class Candidate:
    """A possible value of a field."""

    layout: Layout
    """The page it stands on."""
    words: tuple[int, ...]
    """Indices of its words there."""
    value: str
    """Normalised."""
    content: str
    """As on the page."""
    quality: float
    """0..1, how much it looks like its type."""
    votes: list[Vote] = field(default_factory=list)
    """What rules say for it."""

    @property
    def place(self) -> tuple[int, int]:
        """Page and first word, for order in the document."""
        return self.layout.page, self.words[0]

    @property
    def clarity(self) -> tuple[float, float]:
        """Mean and least confidence of the recogniser in its words; 1 where the file states them."""
        return self.layout.clarity(self.words)

    @property
    def regions(self) -> tuple[Region, ...]:
        """Where exactly these words stand, on the page as displayed."""
        return self.layout.regions(list(self.words))


def _votes(page: PageSearch, number: int, matcher: Matcher) -> Iterator[Vote]:
    for hit in page.hits:
        for label in hit.labels:
            if not label.key:
                continue
            if page.fields[label.key].position == "above":
                yield from page.above(hit, label)
            else:
                yield from page.right_of(hit, label)
                yield from page.below(hit, label)
    for each in page.schema.fields:
        if each.patterns and (each.pages == "any" or number < 2):
            yield from page.matching(each, matcher)
    if number == 0:
        yield from by_position(page)


def _fits(field: FieldSchema, value: str) -> bool:
    """Return whether a proposal may be a value of the field at all."""
    if field.format is not None:
        return is_iban(value)
    return field.type is not FieldType.NAME or len(value) in NAME_LENGTHS


def _well_formed(field: FieldSchema, found: list[Candidate]) -> list[Candidate]:
    """Return the candidates that have the form of the field; where none has, those that begin like it."""
    if field.format is None:
        return found
    return [c for c in found if is_iban(c.value)] or [c for c in found if begins_like_iban(c.value)]


def _under_names(page: PageSearch, votes: Sequence[Vote]) -> Iterator[Vote]:
    """Yield the lines under the names that rules point at, for fields that stand there."""
    layout = page.layout
    for each in page.schema.fields:
        names = [vote for vote in votes if vote.key == each.under and vote.words]
        for name in sorted(names, key=lambda vote: -vote.score)[:MOST_NAMES]:
            words = [name.words[-1]]
            for line in lines_below(layout, name.words[-1]):
                if line[0] in page.in_label or layout.words[line[-1]].text.endswith(CLOSES):
                    break
                words += line
            content = " ".join(layout.words[i].text for i in words[1:])
            if any(c.isdigit() for c in content) and len(words) > MIN_ADDRESS_WORDS:
                yield Vote(each.key, squeeze(content), content, tuple(words[1:]), "below", name.score)


@dataclass(frozen=True, slots=True)
class CandidateSet:
    """The candidates of one track."""

    by_field: dict[str, list[Candidate]]
    """Candidates of each field, in the order of the document."""
    in_label: dict[int, frozenset[int]]
    """By page, the words that belong to a label."""


def candidates(layouts: Sequence[Layout], schema: DocumentSchema, locale: Locale) -> CandidateSet:
    """Return what may be the value of each field of a document type.

    Parameters
    ----------
    layouts : sequence of Layout
        The pages of one track, in order.
    schema : DocumentSchema
        The fields to look for.
    locale : Locale
        How ambiguous dates and amounts are read.
    """
    found: dict[str, dict[tuple[int, tuple[int, ...], str], Candidate]] = {f.key: {} for f in schema.fields}
    matcher = Matcher()
    kinds = {f.type for f in schema.fields}
    in_label: dict[int, frozenset[int]] = {}
    for number, layout in enumerate(layouts):
        page = PageSearch(layout, schema, locale)
        ends = frozenset(hit.end for hit in page.hits)
        in_label[layout.page] = frozenset(page.in_label)
        everywhere = number < FIRST_PAGES or number >= len(layouts) - LAST_PAGES
        proposed = {k: typed_spans(layout, k, locale, ends) for k in kinds} if everywhere else {}
        for each in schema.fields:
            own = found[each.key]
            for p in proposed.get(each.type, ()):
                if len(own) < MOST and _fits(each, p.value):
                    candidate = Candidate(layout, p.words, p.value, p.content, p.quality)
                    if each.format is not None:  # what has its form needs no label
                        vote = Vote(each.key, p.value, p.content, p.words, "pattern", FORMAT_VOTE + p.quality)
                        candidate.votes.append(vote)
                    own[number, p.words, p.value] = candidate
        votes = list(_votes(page, number, matcher))
        for vote in (*votes, *_under_names(page, votes)):
            own = found[vote.key]
            key = (number, vote.words, vote.value)
            if not vote.words:
                continue
            known = own.get(key)
            if known is None:
                known = own[key] = Candidate(layout, vote.words, vote.value, vote.content, 0.5)
            known.votes.append(vote)
    by_field = {
        each.key: sorted(_well_formed(each, list(found[each.key].values())), key=lambda c: c.place)
        for each in schema.fields
    }
    return CandidateSet(by_field, in_label)
