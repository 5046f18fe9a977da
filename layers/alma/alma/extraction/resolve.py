"""From the words of a document to its fields: every track read separately, the best reading first."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alma.confidence import Calibration, Signals, shipped_calibration
from alma.evidence import Region
from alma.extraction.candidates import candidates
from alma.extraction.doctype import document_type
from alma.extraction.layout import Layout, arrange
from alma.extraction.parsers import fold, locale_of
from alma.extraction.patterns import is_company
from alma.extraction.search import Candidate
from alma.extraction.tables import group_fields
from alma.fields import Extraction, Field, Reading, Status
from alma.pages import PageText, Track
from alma.schemas import DocumentSchema, FieldSchema, FieldType

#: A field less sure than this goes to a person first.
ESCALATE_BELOW = 0.5
#: Score below which nothing is better than the best candidate.
MINIMUM_SCORE = 0.9
#: A repeated field keeps values this close to the best, and no more than so many.
REPEAT_MARGIN = 0.75
MOST_REPEATS = 20
#: Pages whose dates and amounts decide the locale.
LOCALE_PAGES = 20


@dataclass(frozen=True, slots=True)
class Choice:
    """A value chosen for a field on one track, with what speaks for it."""

    candidate: Candidate
    signals: Signals


def same_value(value: str) -> str:
    """Return `value` as values are compared: letters and digits only, without case and accents."""
    if re.fullmatch(r"-?\d+\.\d+", value):
        return value.rstrip("0").rstrip(".")
    return re.sub(r"[^\w]|_", "", fold(value)) or value


def last_name_last(name: str) -> str:
    """Return "Domingo, Roquena R." as "Roquena R. Domingo"; a name without a lone comma as it is."""
    last, comma, first = name.partition(",")
    if not comma or "," in first or not first.strip() or len(last.split()) > 2 or is_company(name):
        return name
    return f"{first.strip()} {last.strip()}"


def _preference(field: FieldSchema, ranked: Sequence[Candidate]) -> dict[int, float]:
    """Return what a field's preference adds to each candidate's score (by position in `ranked`)."""
    extra = dict.fromkeys(range(len(ranked)), 0.0)
    if len(ranked) < 2:
        return extra
    if field.prefer == "largest" and field.type in (FieldType.AMOUNT, FieldType.NUMBER):
        order = sorted(extra, key=lambda i: float(ranked[i].value))
    else:
        order = sorted(extra, key=lambda i: ranked[i].place, reverse=field.prefer == "first")
    for position, index in enumerate(order):
        extra[index] = 0.5 * position / (len(order) - 1)
    return extra


def choose(field: FieldSchema, found: Sequence[Candidate], layouts: Mapping[int, Layout]) -> list[Choice]:
    """Return the values of a field on one track, best first: one, or several for a repeated field.

    Candidates with the same value support each other. Nothing is chosen below `MINIMUM_SCORE`.
    """
    ranked = [c for c in found if c.score >= MINIMUM_SCORE - 0.5][:200]
    extra = _preference(field, ranked)
    groups: dict[str, list[tuple[float, Candidate]]] = {}
    for index, candidate in enumerate(ranked):
        groups.setdefault(same_value(candidate.value), []).append((candidate.score + extra[index], candidate))
    scored: list[tuple[float, Candidate, int]] = []
    for members in groups.values():
        members.sort(key=lambda m: -m[0])
        places = {m[1].place for m in members}
        scored.append((members[0][0] + 0.3 * math.log2(len(places)), members[0][1], len(places)))
    scored.sort(key=lambda s: -s[0])
    scored = [s for s in scored if s[0] >= MINIMUM_SCORE]
    if not scored:
        return []
    if not field.repeated:
        margin = scored[0][0] - scored[1][0] if len(scored) > 1 else 3.0
        score, best, support = scored[0]
        return [Choice(best, Signals(score, margin, support, _quality(best, layouts)))]
    chosen: list[Choice] = []
    for score, candidate, support in scored:
        if scored[0][0] - score > REPEAT_MARGIN or len(chosen) == MOST_REPEATS:
            break
        value = same_value(candidate.value)
        if any(
            value in same_value(c.candidate.value) or _overlap(candidate.regions, c.candidate.regions)
            for c in chosen
        ):
            continue  # a short form of, or the same words as, what is already there
        margin = scored[0][0] - score
        chosen.append(Choice(candidate, Signals(score, 3.0 - margin, support, _quality(candidate, layouts))))
    chosen.sort(key=lambda c: c.candidate.place)
    return chosen


def _quality(candidate: Candidate, layouts: Mapping[int, Layout]) -> float:
    page, first = candidate.place
    words = layouts[page].words[first : first + max(1, len(candidate.content.split()))]
    known = [w.confidence for w in words if w.confidence is not None]
    return sum(known) / len(known) if known else 1.0


def _overlap(a: Sequence[Region], b: Sequence[Region]) -> bool:
    return any(
        x.page == y.page and x.box.overlap(y.box) > 0.5 * min(x.box.area, y.box.area) for x in a for y in b
    )


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
                    if any(_overlap(o.candidate.regions, choice.candidate.regions) for o in r.values())
                ),
                None,
            )
            if match is None:
                rows.append({track: choice})
            else:
                match[track] = choice
    rows.sort(key=lambda row: min(c.candidate.place for c in row.values()))
    return rows


def agreement(row: Mapping[str, Choice]) -> bool | None:
    """Return whether the tracks read the same value; None where only one reads any."""
    if len(row) < 2:
        return None
    return len({same_value(choice.candidate.value) for choice in row.values()}) == 1


def value_of(field: FieldSchema, choice: Choice) -> str:
    """Return the value a choice stands for, in the order in which names are written."""
    value = choice.candidate.value
    return last_name_last(value) if field.name_order == "last_first" else value


def _field(
    schema: DocumentSchema, field: FieldSchema, occurrence: int, row: Mapping[str, Choice], model: Calibration
) -> Field:
    readings = []
    agrees = agreement(row)
    for track, choice in row.items():
        candidate = choice.candidate
        readings.append(
            Reading(
                track,
                value_of(field, choice),
                candidate.content,
                model.probability(schema.doc_type, field.key, choice.signals, agrees),
                candidate.regions,
            )
        )
    readings.sort(key=lambda r: -1.0 if r.confidence is None else -r.confidence)
    reasons = []
    best = readings[0].confidence
    if best is not None and best < ESCALATE_BELOW:
        reasons.append("low_confidence")
    if agrees is False:
        reasons.append("tracks_disagree")
    status = Status.ESCALATED if reasons else Status.UNREVIEWED
    return Field(field.key, occurrence, tuple(readings), status, reasons=tuple(reasons))


def layouts_by_track(pages: Sequence[PageText]) -> dict[str, list[Layout]]:
    """Return the pages of each track that have words, arranged and in order."""
    tracks: dict[str, list[Layout]] = {}
    for track in Track:
        own = sorted((page for page in pages if page.track is track and page.words), key=lambda p: p.page)
        if own:
            tracks[track.value] = [arrange(page) for page in own]
    return tracks


def choices(
    tracks: Mapping[str, Sequence[Layout]], schema: DocumentSchema
) -> list[tuple[FieldSchema, list[dict[str, Choice]]]]:
    """Return what each track reads for each field: one dict by track for every occurrence."""
    chosen: dict[str, dict[str, list[Choice]]] = {}
    for track, layouts in tracks.items():
        locale = locale_of(layout.running_text()[0] for layout in layouts[:LOCALE_PAGES])
        found = candidates(layouts, schema, locale)
        by_page = {layout.page: layout for layout in layouts}
        chosen[track] = {field.key: choose(field, found[field.key], by_page) for field in schema.fields}
    result = []
    for field in schema.fields:
        by_track = {track: of_track[field.key] for track, of_track in chosen.items() if of_track[field.key]}
        if field.repeated:
            result.append((field, _aligned(by_track)))
        elif by_track:
            result.append((field, [{track: each[0] for track, each in by_track.items()}]))
    return result


def extract(
    pages: Sequence[PageText],
    schemas: Mapping[str, DocumentSchema],
    doc_type: str | None = None,
    *,
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
    calibration : Calibration, optional
        Numbers behind the confidence; those that come with alma by default.

    Returns
    -------
    Extraction
        Without fields where the document is of no known type.

    Raises
    ------
    KeyError
        `doc_type` is given and not among `schemas`.
    """
    model = calibration or shipped_calibration()
    tracks = layouts_by_track(pages)
    sure: float | None = None
    if doc_type is None:
        guesses = [document_type(layouts, schemas) for layouts in tracks.values()]
        doc_type, sure = max(guesses, key=lambda g: -1.0 if g[1] is None else g[1], default=(None, None))
        if doc_type is None:
            return Extraction(None, None, [])
    schema = schemas[doc_type]
    fields = [
        _field(schema, field, occurrence, row, model)
        for field, rows in choices(tracks, schema)
        for occurrence, row in enumerate(rows)
    ]
    fields += group_fields(tracks, schema)
    return Extraction(doc_type, sure, fields)
