"""From the words of a document to its fields: every track read separately, the best reading first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from alma.datamodel.fields import DecisionCount, Extraction, Field, Reading, Reason, Status, doubt, precedence
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import DocumentSchema, FieldSchema
from alma.extraction.classification.document_type import document_type
from alma.extraction.page.layout import Layout, arrange
from alma.extraction.scoring.confidence import UNKNOWN, Calibration, Signals, shipped_calibration
from alma.extraction.scoring.rule_confidence import shipped_rule_calibration
from alma.extraction.scoring.scorer import Scorer, base_scorer
from alma.extraction.scoring.track_candidates import candidates_by_track
from alma.extraction.selection import Choice, choose
from alma.extraction.tables.cell_signals import shipped_cell_calibration
from alma.extraction.tables.rows import group_fields
from alma.extraction.values.names import value_of

#: Returns how often values that were read of a document type's fields turned out right, by key.
DecisionCounts = Callable[[str], Mapping[str, DecisionCount]]


class _Confidence:
    """The confidence of a type's fields: by the model's calibration, else by rules and people's decisions.

    Of a type that the scorer was trained on, the calibration was fitted on the fields that it scores: of one
    that rules alone read it says nothing. Decisions are asked for only where there is a field without one.
    """

    def __init__(
        self, doc_type: str, scorer: Scorer, model: Calibration, decisions: DecisionCounts | None
    ) -> None:
        self._doc_type, self._scorer, self._model, self._decisions = doc_type, scorer, model, decisions

    @cached_property
    def _decided(self) -> Mapping[str, DecisionCount]:
        return {} if self._decisions is None else self._decisions(self._doc_type)

    def of(self, key: str, signals: Signals) -> float | None:
        vector = signals.vector()
        scored = self._scorer.knows(self._doc_type, key) or not self._scorer.knows_type(self._doc_type)
        known = self._model.probability(self._doc_type, key, vector) if scored else None
        if known is not None or not self._decided:
            return known
        return shipped_rule_calibration().probability(key, vector, self._decided)


def _field(
    schema: DocumentSchema, field: FieldSchema, occurrence: int, row: Mapping[str, Choice], sure: _Confidence
) -> Field:
    read = []
    for track, choice in row.items():
        candidate = choice.candidate
        confidence = sure.of(field.key, choice.signals)
        reading = Reading(
            track, value_of(field, candidate.value), candidate.content, confidence, candidate.regions
        )
        read.append((choice.signals, reading))
    # Where no confidence is known, the scorer still knows which reading fits better.
    read.sort(key=lambda r: (precedence(r[1]), -r[0].probability))
    unsure = doubt(read[0][1].confidence, schema.review_below)
    reasons = [] if unsure is None else [unsure]
    if read[0][0].agrees is False:
        reasons.append(Reason.TRACKS_DISAGREE)
    if read[0][0].holds is False:
        reasons.append(Reason.RULE_VIOLATED)
    if read[0][0].ambiguous:
        reasons.append(Reason.AMBIGUOUS)
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


def extract(
    pages: Sequence[PageText],
    schemas: Mapping[str, DocumentSchema],
    doc_type: str | None = None,
    *,
    scorer: Scorer | None = None,
    calibration: Calibration | None = None,
    decisions: DecisionCounts | None = None,
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
    decisions : callable, optional
        What people decided of a type's fields; without it nothing is known of fields without a calibration.

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
    fields = plain_fields(tracks, schema, scorer or base_scorer(), calibration, decisions)
    fields += group_fields(tracks, schema, shipped_cell_calibration())
    return Extraction(doc_type, sure, fields)


def plain_fields(
    tracks: Mapping[str, Sequence[Layout]],
    schema: DocumentSchema,
    scorer: Scorer,
    model: Calibration,
    decisions: DecisionCounts | None = None,
) -> list[Field]:
    """Return the fields of a document of a known type, but for the rows of its groups."""
    sure = _Confidence(schema.doc_type, scorer, model, decisions)
    return [
        _field(schema, field, occurrence, row, sure)
        for field, rows in choose(candidates_by_track(tracks, schema), schema, scorer)
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
