"""Selection: which of the candidates of each track are the values of the fields, and what speaks for them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alma.datamodel.geometry import same_place
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType
from alma.extraction.candidates.generation import Candidate
from alma.extraction.candidates.typed_spans import lines_below
from alma.extraction.scoring.confidence import Signals
from alma.extraction.scoring.features import by_value
from alma.extraction.scoring.rules import best_together, broken
from alma.extraction.scoring.scorer import Scorer, Scores
from alma.extraction.scoring.track_candidates import TrackCandidates
from alma.extraction.values.account_numbers import checks
from alma.extraction.values.dates import is_ambiguous
from alma.extraction.values.locales import Locale
from alma.extraction.values.text import comparison_key

#: The scorer's probability below which no value is better than the best one; where no rule points at it, too.
MINIMUM, MINIMUM_UNVOTED = 0.15, 0.5
#: The same for one with such a vote by a label beside it: labels of languages that are new to the scorer tell
#: it little.
MINIMUM_LABELLED, CLEAR_VOTE = 0.03, 1.75
#: The same for a value that fits others, and the vote of a rule that is shown whatever the scorer thinks.
MINIMUM_TOGETHER, PLAIN_VOTE = 0.005, 2.5
#: What a value with a label is taken to be at least, where it is weighed with others.
LABELLED = 0.02
#: The same for each value of a repeated field, and the most there are.
MINIMUM_REPEATED = 0.15
MOST_REPEATS = 20
#: The same for the likeliest of them, where there is no other.
MINIMUM_ALONE = 0.05
#: The sum of a rule's weights at which it is as likely right as wrong, what a unit of it says in log-odds,
#: and what a field's preference is worth.
MINIMUM_VOTE, VOTE_SLOPE, PREFERENCE = 0.9, 3.0, 0.5
#: What a value that nothing points at needs to follow one that another field has.
RUNNER_UP = 0.05
#: Types of which no two fields have the same words for a value.
DISTINCT = frozenset({FieldType.DATE, FieldType.NAME, FieldType.IDENTIFIER})
#: How far behind the best vote another value of a repeated field may be.
FAR_BEHIND = 0.9
#: Values of a field that are weighed against those of other fields.
OPTIONS = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a field on one track, with what speaks for it."""

    candidate: Candidate
    signals: Signals

    @property
    def least(self) -> float:
        """The probability it must have to be shown."""
        if not self.candidate.votes:
            return MINIMUM_UNVOTED
        return MINIMUM_LABELLED if self.labelled and self.signals.vote >= CLEAR_VOTE else MINIMUM

    @property
    def labelled(self) -> bool:
        """A label of the field stands beside it."""
        return any(vote.origin in ("right", "below", "above") for vote in self.candidate.votes)

    @property
    def plain(self) -> bool:
        """A rule plainly points at it."""
        return self.signals.vote >= PLAIN_VOTE

    @property
    def follows(self) -> bool:
        """It may follow the best value where another field has that: it is pointed at, or likely."""
        return self.labelled or self.plain or self.signals.probability >= RUNNER_UP

    @property
    def phrased(self) -> bool:
        """It stands in a phrase of the field."""
        return any(vote.origin == "pattern" for vote in self.candidate.votes)

    def sum_of(self, field: FieldSchema) -> bool:
        """Whether it is an amount beside a label of its field."""
        return field.type is FieldType.AMOUNT and self.labelled


def choose(
    tracks: Mapping[str, TrackCandidates], schema: DocumentSchema, scorer: Scorer
) -> list[tuple[FieldSchema, list[dict[str, Choice]]]]:
    """Return the values a model takes, field by field: one dict by track for every occurrence."""
    chosen = {track: _choose_on_track(found, schema, scorer) for track, found in tracks.items()}
    result = []
    for field in schema.fields:
        by_track = {track: of_track[field.key] for track, of_track in chosen.items() if of_track[field.key]}
        if field.repeated:
            rows = _align(by_track)
        else:
            rows = [{track: each[0] for track, each in by_track.items()}] if by_track else []
        result.append((field, [_with_agreement(row) for row in rows]))
    return result


def _choose_on_track(
    found: TrackCandidates, schema: DocumentSchema, scorer: Scorer
) -> dict[str, list[Choice]]:
    """Return the values chosen on one track, by key."""
    own = dict(found.by_field)
    known = [field for field in schema.fields if scorer.knows(schema.doc_type, field.key)]
    scores = scorer.score(schema.doc_type, {field.key: found.features(field) for field in known})
    for field in schema.fields:
        if field not in known:
            # What nobody trained is read from its labels, and where it has none on the page, not at all.
            own[field.key] = [c for c in own[field.key] if c.votes]
            scores[field.key] = _rule_scores(field, own[field.key])
    options = {
        field.key: _options(field, own[field.key], scores[field.key], vision=found.vision)
        for field in schema.fields
    }
    options = _outside(schema, options)
    chosen = apart(schema, options, _decide(schema, options))
    chosen = _under(schema, options, chosen)
    return _with_doubts(schema, _with_rules(schema, _with_peer_confidence(chosen)), found.locale)


def _rule_scores(field: FieldSchema, found: Sequence[Candidate]) -> Scores:
    """Return the scores of the candidates of a field no model was trained on: what the rules say.

    A vote of `MINIMUM_VOTE` is even odds; among several the one the field prefers has a little more.
    """
    if field.prefer == "largest" and field.type in (FieldType.AMOUNT, FieldType.NUMBER):
        order = sorted(range(len(found)), key=lambda n: float(found[n].value))
    else:
        order = sorted(range(len(found)), key=lambda n: found[n].place, reverse=field.prefer == "first")
    logits = np.array([max((v.score for v in c.votes), default=-10.0) for c in found], np.float32)
    if field.repeated and len(found):
        # What a rule says far less for than for another is not one more of them.
        logits[logits < logits.max() - FAR_BEHIND] = -10.0
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
    favourite = comparison_key(max(voted)[1]) if voted else None
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
            comparison_key(candidate.value) == favourite,
            vote=max((vote.score for vote in candidate.votes), default=0.0),
            kind=field.type,
        )
        options.append(Choice(candidate, signals))
    return options


def plausible(options: Sequence[Choice]) -> list[Choice]:
    """Return the best option if it is probable enough, or the first that a rule plainly points at."""
    likely = [o for o in options[:1] if o.signals.probability >= o.least]
    return likely or [o for o in options[:OPTIONS] if o.plain][:1]


def _several(options: Sequence[Choice]) -> list[Choice]:
    """Return the values of a repeated field that are probable enough, in the order of the document.

    If none is, the likeliest, if it is not out of the question or plainly labelled.
    """
    chosen: list[Choice] = []
    for option in options:
        if option.signals.probability < MINIMUM_REPEATED or len(chosen) == MOST_REPEATS:
            break
        value = comparison_key(option.candidate.value)
        if any(
            value in comparison_key(c.candidate.value)
            or comparison_key(c.candidate.value) in value
            or same_place(option.candidate.regions, c.candidate.regions)
            or _share_words(option.candidate, c.candidate)
            for c in chosen
        ):
            continue  # a short form of, or made of words of, what is already there
        chosen.append(option)
    if not chosen:
        # That there is none at all is less likely than the likeliest.
        chosen = [
            o for o in options[:1] if o.signals.probability >= MINIMUM_ALONE or (o.labelled and o.plain)
        ]
    return sorted(chosen, key=lambda c: c.candidate.place)


def _share_words(one: Candidate, other: Candidate) -> bool:
    return one.layout.page == other.layout.page and not set(one.words).isdisjoint(other.words)


def _decide(schema: DocumentSchema, options: Mapping[str, list[Choice]]) -> dict[str, list[Choice]]:
    """Return the options that are taken, those of fields that rules bind to each other together."""
    weighed = {
        field.key: [
            (o.candidate.value, math.log(max(o.signals.probability, LABELLED if o.sum_of(field) else 0.0)))
            for o in options[field.key][:OPTIONS]
            if o.signals.probability >= MINIMUM_TOGETHER or o.sum_of(field)
        ]
        for field in schema.fields
        if not field.repeated
    }
    amounts = {
        o.candidate.value
        for f in schema.fields
        if f.type is FieldType.AMOUNT
        for o in options[f.key]
        if o.candidate.quality >= 0.5
    }
    together = best_together(schema, weighed, amounts)
    chosen: dict[str, list[Choice]] = {}
    for field in schema.fields:
        own = options[field.key]
        if field.repeated:
            chosen[field.key] = _several(own)
            continue
        if field.key in together:
            chosen[field.key] = [o for o in own if o.candidate.value == together[field.key]][:1]
        else:
            chosen[field.key] = plausible(own)
    return chosen


def _outside(schema: DocumentSchema, options: Mapping[str, list[Choice]]) -> dict[str, list[Choice]]:
    """Return options without the values that stand under the name of somebody whose they are not to be."""
    result = dict(options)
    for field in schema.fields:
        names = plausible(options.get(field.outside or "", []))
        if not names or not options[field.key]:
            continue
        layout, words = names[0].candidate.layout, names[0].candidate.words
        block = {i for line in lines_below(layout, words[-1]) for i in line}
        rest = [
            o
            for o in options[field.key]
            if o.candidate.layout is not layout or block.isdisjoint(o.candidate.words)
        ]
        left = sum(o.signals.probability for o in options[field.key]) - sum(
            o.signals.probability for o in rest
        )
        if len(rest) < len(options[field.key]):
            result[field.key] = [_more_probable(o, max(1.0 - left, 1e-3)) for o in rest]
    return result


def _under(
    schema: DocumentSchema, options: Mapping[str, list[Choice]], chosen: dict[str, list[Choice]]
) -> dict[str, list[Choice]]:
    """Return choices in which what stands under a name is what stands under the one that was chosen."""
    result = dict(chosen)
    for field in schema.fields:
        if field.under is None or not any(o.labelled for o in options[field.key]):
            continue
        first = set()
        for name in chosen.get(field.under, ()):
            layout, words = name.candidate.layout, name.candidate.words
            first = {(layout.page, line[0]) for line in list(lines_below(layout, words[-1]))[:1]}
        result[field.key] = [o for o in options[field.key] if o.candidate.place in first][:1]
    return result


def apart(
    schema: DocumentSchema, options: Mapping[str, list[Choice]], chosen: dict[str, list[Choice]]
) -> dict[str, list[Choice]]:
    """Return choices of which no two are the same words, unless a label or a phrase of each points at them.

    The words stay with the field whose rules say most for them; the other takes its next value, if it has a
    plausible one. Amounts may be several things at once: what is paid is the total.
    """
    taken: dict[tuple[int, tuple[int, ...]], str] = {}
    ordered = [set(rule.keys) for rule in schema.rules if rule.kind == "order"]
    result = dict(chosen)
    fields = {f.key: f for f in schema.fields if f.type in DISTINCT and not f.repeated and chosen[f.key]}
    for key in sorted(
        fields,
        key=lambda k: (
            not chosen[k][0].labelled,
            -chosen[k][0].signals.vote,
            -chosen[k][0].signals.probability,
        ),
    ):
        choice = chosen[key][0]
        place = (choice.candidate.layout.page, choice.candidate.words)
        rival = taken.setdefault(place, key)
        if rival == key or fields[rival].type is not fields[key].type or choice.labelled:
            continue
        if choice.phrased and not (chosen[rival][0].labelled and {key, rival} in ordered):
            continue
        rest = [o for o in options[key] if (o.candidate.layout.page, o.candidate.words) not in taken]
        left = max(1.0 - choice.signals.probability, 1e-3)
        result[key] = plausible([_more_probable(o, left) for o in rest if o.follows])
    return result


def _more_probable(choice: Choice, left: float) -> Choice:
    """Return a choice as it is once what had the rest of the probability is out."""
    p = min(choice.signals.probability / left, 1.0)
    return replace(choice, signals=replace(choice.signals, probability=p, margin=_logit(p)))


def _with_peer_confidence(chosen: Mapping[str, list[Choice]]) -> dict[str, list[Choice]]:
    """Return choices that know how many other fields have one, and how probable those are."""
    share = sum(bool(each) for each in chosen.values()) / max(len(chosen), 1)
    sure = {key: max((c.signals.probability for c in each), default=0.0) for key, each in chosen.items()}
    found: dict[str, list[Choice]] = {}
    for key, each in chosen.items():
        rest = [p for other, p in sure.items() if other != key and p]
        peers = sum(rest) / len(rest) if rest else 0.5
        found[key] = [
            replace(c, signals=replace(c.signals, peer_confidence=peers, found=share)) for c in each
        ]
    return found


def _with_doubts(
    schema: DocumentSchema, chosen: dict[str, list[Choice]], locale: Locale
) -> dict[str, list[Choice]]:
    """Return choices that know what is wrong with their own values: two readings, wrong check digits."""
    found: dict[str, list[Choice]] = {}
    for field in schema.fields:
        found[field.key] = []
        for choice in chosen[field.key]:
            signals = choice.signals
            if (
                field.type is FieldType.DATE
                and not locale.order_known
                and is_ambiguous(choice.candidate.content)
            ):
                signals = replace(signals, ambiguous=True)
            if field.format is not None and not checks(choice.candidate.value):
                signals = replace(signals, holds=False)
            found[field.key].append(replace(choice, signals=signals))
    return found


def _with_rules(schema: DocumentSchema, chosen: dict[str, list[Choice]]) -> dict[str, list[Choice]]:
    """Return choices that know whether the rules between fields hold with them."""
    values = {key: each[0].candidate.value for key, each in chosen.items() if len(each) == 1}
    wrong, right = broken(schema, values)
    held = {
        key: [replace(chosen[key][0], signals=replace(chosen[key][0].signals, holds=key not in wrong))]
        for key in (wrong | right) & set(values)
    }
    return {**chosen, **held}


def _align(tracks: Mapping[str, Sequence[Choice]]) -> list[dict[str, Choice]]:
    """Return the choices of several tracks side by side: one dict by track for each occurrence.

    Occurrences belong together where they have the same value, or stand at the same place.
    """
    rows: list[dict[str, Choice]] = []
    for track, choices in tracks.items():
        for choice in choices:
            free = [row for row in rows if track not in row]
            value = comparison_key(choice.candidate.value)
            match = next(
                (r for r in free if any(comparison_key(o.candidate.value) == value for o in r.values())), None
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


def _with_agreement(row: Mapping[str, Choice]) -> dict[str, Choice]:
    """Return an occurrence whose choices know whether the tracks read the same value."""
    if len(row) < 2:
        return dict(row)
    same = len({comparison_key(choice.candidate.value) for choice in row.values()}) == 1
    return {t: replace(choice, signals=replace(choice.signals, agrees=same)) for t, choice in row.items()}


def _logit(p: float) -> float:
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))
