"""From the words of a document to its fields: every track read separately, the best reading first."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alma.datamodel.fields import Extraction, Field, Reading, Reason, Status, precedence
from alma.datamodel.geometry import same_place
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType
from alma.extraction.candidates.generation import Candidate, Found, candidates
from alma.extraction.classification.document_type import document_type
from alma.extraction.page.layout import Layout, arrange
from alma.extraction.scoring.confidence import UNKNOWN, Calibration, Signals, shipped_calibration
from alma.extraction.scoring.features import Context, by_value, matrix, same_value
from alma.extraction.scoring.rules import best_together, broken
from alma.extraction.scoring.scorer import Scorer, Scores, base_scorer
from alma.extraction.tables.rows import group_fields
from alma.extraction.values.parsers import locale_of
from alma.extraction.values.patterns import last_name_last

#: The scorer's probability below which no value is better than the best one; where no rule points at it, too.
MINIMUM, MINIMUM_UNVOTED = 0.15, 0.5
#: The same for a value that fits others, and the vote of a rule that is shown whatever the scorer thinks.
MINIMUM_TOGETHER, PLAIN_VOTE = 0.005, 2.6
#: The same for each value of a repeated field, and how many of them are kept.
MINIMUM_REPEATED = 0.25
MOST_REPEATS = 20
#: The sum of a rule's weights at which it is as likely right as wrong, what a unit of it says in log-odds,
#: and what a field's preference is worth.
MINIMUM_VOTE, VOTE_SLOPE, PREFERENCE = 0.9, 3.0, 0.5
#: Values of a field that are weighed against those of other fields.
OPTIONS = 8
#: Pages whose dates and amounts decide the locale.
LOCALE_PAGES = 20


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a field on one track, with what speaks for it."""

    candidate: Candidate
    signals: Signals

    @property
    def least(self) -> float:
        """The probability it must have to be shown."""
        return MINIMUM if self.candidate.votes else MINIMUM_UNVOTED

    @property
    def vote(self) -> float:
        """What the rule that says most for it says."""
        return max((vote.score for vote in self.candidate.votes), default=0.0)


def _logit(p: float) -> float:
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


def _rule_scores(field: FieldSchema, found: Sequence[Candidate]) -> Scores:
    """Return the scores of the candidates of a field no model was trained on: what the rules say.

    A vote of `MINIMUM_VOTE` is even odds; among several the one the field prefers has a little more.
    """
    if field.prefer == "largest" and field.type in (FieldType.AMOUNT, FieldType.NUMBER):
        order = sorted(range(len(found)), key=lambda n: float(found[n].value))
    else:
        order = sorted(range(len(found)), key=lambda n: found[n].place, reverse=field.prefer == "first")
    logits = np.array([max((v.score for v in c.votes), default=-10.0) for c in found], np.float32)
    for rank, n in enumerate(order):
        logits[n] += PREFERENCE * rank / max(len(order) - 1, 1)
    return Scores(VOTE_SLOPE * (logits - MINIMUM_VOTE), np.zeros(len(found), np.float32))


def _options(field: FieldSchema, found: Sequence[Candidate], scores: Scores, *, vision: bool) -> list[Choice]:
    """Return the values of a field on one track with their probabilities, the best first.

    Candidates with the same value stand for it together; its evidence is the best of them. Values of a field
    that occurs once exclude each other, those of a repeated one do not.
    """
    if not found:
        return []
    logits = [float(v) for v in scores.logits]
    if field.repeated:
        each = [1 / (1 + math.exp(-min(max(v, -30.0), 30.0))) for v in logits]
    else:
        top = max(0.0, *logits)
        whole = math.exp(-top) + sum(math.exp(v - top) for v in logits)
        each = [math.exp(v - top) / whole for v in logits]
    values: list[tuple[float, int, int]] = []
    for _, members in by_value(found):
        best = max(members, key=lambda n: logits[n])
        probability = each[best] if field.repeated else sum(each[n] for n in members)
        values.append((probability, best, len({found[n].place for n in members})))
    values.sort(key=lambda v: -v[0])
    voted = [(v.score, c.value) for c in found for v in c.votes]
    favourite = same_value(max(voted)[1]) if voted else None
    nothing = max(1.0 - sum(v[0] for v in values), 1e-6)
    options = []
    for rank, (probability, best, places) in enumerate(values[: MOST_REPEATS * 2]):
        rival = values[1][0] if rank == 0 and len(values) > 1 else values[0][0] if rank else 0.0
        margin = (
            _logit(probability)
            if field.repeated
            else math.log(max(probability, 1e-6)) - math.log(max(rival, nothing, 1e-6))
        )
        candidate = found[best]
        signals = Signals(
            probability,
            margin,
            float(scores.spread[best]),
            places,
            *candidate.clarity,
            len(candidate.content) if vision else 0,
            bool(candidate.votes),
            same_value(candidate.value) == favourite,
        )
        options.append(Choice(candidate, signals))
    return options


def _several(options: Sequence[Choice]) -> list[Choice]:
    """Return the values of a repeated field that are probable enough, in the order of the document."""
    chosen: list[Choice] = []
    for option in options:
        if option.signals.probability < MINIMUM_REPEATED or len(chosen) == MOST_REPEATS:
            break
        value = same_value(option.candidate.value)
        if any(
            value in same_value(c.candidate.value)
            or same_value(c.candidate.value) in value
            or same_place(option.candidate.regions, c.candidate.regions)
            for c in chosen
        ):
            continue  # a short form of, or the same words as, what is already there
        chosen.append(option)
    return sorted(chosen, key=lambda c: c.candidate.place)


def _decide(schema: DocumentSchema, options: Mapping[str, list[Choice]]) -> dict[str, list[Choice]]:
    """Return the values chosen on one track, fields that bind each other together."""
    weighed = {
        field.key: [
            (o.candidate.value, math.log(o.signals.probability))
            for o in options[field.key][:OPTIONS]
            if o.signals.probability >= MINIMUM_TOGETHER
        ]
        for field in schema.fields
        if not field.repeated
    }
    together = best_together(schema, weighed)
    chosen: dict[str, list[Choice]] = {}
    for field in schema.fields:
        own = options[field.key]
        if field.repeated:
            chosen[field.key] = _several(own)
            continue
        if field.key in together:
            chosen[field.key] = [o for o in own if o.candidate.value == together[field.key]][:1]
        else:
            chosen[field.key] = [o for o in own[:1] if o.signals.probability >= o.least] or [
                o for o in own[:OPTIONS] if o.vote >= PLAIN_VOTE
            ][:1]
    sure = {key: max((c.signals.probability for c in each), default=0.0) for key, each in chosen.items()}
    for key, each in chosen.items():
        rest = [p for other, p in sure.items() if other != key and p]
        company = sum(rest) / len(rest) if rest else 0.5
        chosen[key] = [replace(c, signals=replace(c.signals, company=company)) for c in each]
    values = {key: each[0].candidate.value for key, each in chosen.items() if len(each) == 1}
    wrong, right = broken(schema, values)
    for key in (wrong | right) & set(values):
        signals = replace(chosen[key][0].signals, holds=key not in wrong)
        chosen[key] = [replace(chosen[key][0], signals=signals)]
    return chosen


def _aligned(tracks: Mapping[str, Sequence[Choice]]) -> list[dict[str, Choice]]:
    """Return the choices of several tracks side by side: one dict by track for each occurrence.

    Occurrences belong together where they have the same value, or stand at the same place.
    """
    rows: list[dict[str, Choice]] = []
    for track, choices in tracks.items():
        for choice in choices:
            free = [row for row in rows if track not in row]
            value = same_value(choice.candidate.value)
            match = next(
                (r for r in free if any(same_value(o.candidate.value) == value for o in r.values())), None
            ) or next(
                (
                    r
                    for r in free
                    if any(same_place(o.candidate.regions, choice.candidate.regions) for o in r.values())
                ),
                None,
            )
            if match is None:
                rows.append({track: choice})
            else:
                match[track] = choice
    rows.sort(key=lambda row: min(c.candidate.place for c in row.values()))
    return rows


def _agreement(row: Mapping[str, Choice]) -> dict[str, Choice]:
    """Return a row whose choices know whether the tracks read the same value."""
    if len(row) < 2:
        return dict(row)
    same = len({same_value(choice.candidate.value) for choice in row.values()}) == 1
    return {t: replace(choice, signals=replace(choice.signals, agrees=same)) for t, choice in row.items()}


def value_of(field: FieldSchema, value: str) -> str:
    """Return what a candidate's value stands for: names in the order in which they are written."""
    return last_name_last(value) if field.name_order == "last_first" else value


def _field(
    schema: DocumentSchema, field: FieldSchema, occurrence: int, row: Mapping[str, Choice], model: Calibration
) -> Field:
    read = []
    for track, choice in row.items():
        candidate = choice.candidate
        confidence = model.probability(schema.doc_type, field.key, choice.signals)
        reading = Reading(
            track, value_of(field, candidate.value), candidate.content, confidence, candidate.regions
        )
        read.append((choice.signals, reading))
    # Where no confidence is known, the scorer still knows which reading fits better.
    read.sort(key=lambda r: (precedence(r[1]), -r[0].probability))
    best, reasons = read[0][1].confidence, []
    if best is not None and best < schema.review_below:
        reasons.append(Reason.LOW_CONFIDENCE)
    if read[0][0].agrees is False:
        reasons.append(Reason.TRACKS_DISAGREE)
    if read[0][0].holds is False:
        reasons.append(Reason.RULE_VIOLATED)
    status = Status.ESCALATED if reasons else Status.UNREVIEWED
    return Field(field.key, occurrence, tuple(reading for _, reading in read), status, reasons=tuple(reasons))


def layouts_by_track(pages: Sequence[PageText]) -> dict[str, list[Layout]]:
    """Return the pages of each track that have words, arranged and in order."""
    tracks: dict[str, list[Layout]] = {}
    for track in Track:
        own = sorted((page for page in pages if page.track is track and page.words), key=lambda p: p.page)
        if own:
            tracks[track.value] = [arrange(page) for page in own]
    return tracks


class Offer:
    """What one track offers: its candidates, its pages, and by field what the other tracks read, by value."""

    def __init__(
        self, found: Found, context: Context, others: Mapping[str, Mapping[str, Sequence[Candidate]]]
    ) -> None:
        self.found = found
        self.context = context
        self._others = others
        self._features: dict[str, tuple[NDArray[np.float32], NDArray[np.int32]]] = {}

    def features(self, field: FieldSchema) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return the features of the candidates of a field, computed once."""
        known = self._features.get(field.key)
        if known is None:
            found = self.found
            own = found.by_field[field.key]
            known = matrix(field, own, self.context, self._others[field.key], found.in_label)
            self._features[field.key] = known
        return known


def offers(tracks: Mapping[str, Sequence[Layout]], schema: DocumentSchema) -> dict[str, Offer]:
    """Return what each track offers for the fields of a type."""
    found: dict[str, Found] = {}
    for track, layouts in tracks.items():
        locale = locale_of(layout.running_text()[0] for layout in layouts[:LOCALE_PAGES])
        found[track] = candidates(layouts, schema, locale)
    result = {}
    for track, layouts in tracks.items():
        others: dict[str, dict[str, list[Candidate]]] = {f.key: defaultdict(list) for f in schema.fields}
        for other, of_other in found.items():
            if other != track:
                for key, each in of_other.by_field.items():
                    for candidate in each:
                        others[key][same_value(candidate.value)].append(candidate)
        result[track] = Offer(found[track], Context(layouts, vision=track == Track.VISION), others)
    return result


def choices(
    tracks: Mapping[str, Sequence[Layout]], schema: DocumentSchema, scorer: Scorer
) -> list[tuple[FieldSchema, list[dict[str, Choice]]]]:
    """Return what each track reads for each field: one dict by track for every occurrence."""
    return choose(offers(tracks, schema), schema, scorer)


def choose(
    offered: Mapping[str, Offer], schema: DocumentSchema, scorer: Scorer
) -> list[tuple[FieldSchema, list[dict[str, Choice]]]]:
    """Return as `choices` what a model takes of what the tracks offer."""
    chosen: dict[str, dict[str, list[Choice]]] = {}
    for track, offer in offered.items():
        found = offer.found
        own = dict(found.by_field)
        known = [field for field in schema.fields if scorer.knows(schema.doc_type, field.key)]
        scores = scorer.score(
            schema.doc_type,
            {field.key: offer.features(field) for field in known},
        )
        for field in schema.fields:
            if field not in known:
                # What nobody trained is read from its labels, and where it has none on the page, not at all.
                own[field.key] = [c for c in own[field.key] if c.votes]
                scores[field.key] = _rule_scores(field, own[field.key])
        options = {
            field.key: _options(field, own[field.key], scores[field.key], vision=offer.context.vision)
            for field in schema.fields
        }
        chosen[track] = _decide(schema, options)
    result = []
    for field in schema.fields:
        by_track = {track: of_track[field.key] for track, of_track in chosen.items() if of_track[field.key]}
        if field.repeated:
            rows = _aligned(by_track)
        else:
            rows = [{track: each[0] for track, each in by_track.items()}] if by_track else []
        result.append((field, [_agreement(row) for row in rows]))
    return result


def extract(
    pages: Sequence[PageText],
    schemas: Mapping[str, DocumentSchema],
    doc_type: str | None = None,
    *,
    scorer: Scorer | None = None,
    calibration: Calibration | None = None,
) -> Extraction:
    """Return the fields of a document.

    Parameters
    ----------
    pages : sequence of PageText
        Its pages in order; one page can be there once per track.
    schemas : mapping
        Document types by name.
    doc_type : str, optional
        The type, where it is known; found from the words otherwise.
    scorer : Scorer, optional
        The model that scores candidates; the one that comes with alma by default.
    calibration : Calibration, optional
        Numbers behind the confidence; those that come with the model by default.

    Returns
    -------
    Extraction
        Without fields where the document is of no known type.

    Raises
    ------
    KeyError
        `doc_type` is given and not among `schemas`.
    """
    if calibration is None:
        calibration = shipped_calibration() if scorer is None else scorer.calibration or UNKNOWN
    tracks = layouts_by_track(pages)
    sure: float | None = None
    if doc_type is None:
        guesses = [document_type(layouts, schemas) for layouts in tracks.values()]
        doc_type, sure = max(guesses, key=lambda g: -1.0 if g[1] is None else g[1], default=(None, None))
        if doc_type is None:
            return Extraction(None, None, [])
    schema = schemas[doc_type]
    fields = plain_fields(tracks, schema, scorer or base_scorer(), calibration)
    fields += group_fields(tracks, schema)
    return Extraction(doc_type, sure, fields)


def plain_fields(
    tracks: Mapping[str, Sequence[Layout]], schema: DocumentSchema, scorer: Scorer, model: Calibration
) -> list[Field]:
    """Return the fields of a document of a known type, but for the rows of its groups."""
    return [
        _field(schema, field, occurrence, row, model)
        for field, rows in choices(tracks, schema, scorer)
        for occurrence, row in enumerate(rows)
    ]


def with_missing(extraction: Extraction, schema: DocumentSchema) -> Extraction:
    """Return an extraction with an escalated field without a reading for each required one not found."""
    found = {field.key for field in extraction.fields}
    missing = [
        Field(field.key, 0, (), Status.ESCALATED, reasons=(Reason.REQUIRED_MISSING,))
        for field in schema.fields
        if field.required and field.key not in found
    ]
    order = {field.key: n for n, field in enumerate(schema.fields)}
    fields = sorted([*extraction.fields, *missing], key=lambda f: order.get(f.key, len(order)))
    return replace(extraction, fields=fields)
