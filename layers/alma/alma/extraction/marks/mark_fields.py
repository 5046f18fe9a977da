"""Checkboxes and signatures as fields: each track's labels, and beside them what is written or drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from alma.datamodel.fields import DecisionCount, Field, Reading, Reason, Status, doubt, ranked
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType
from alma.extraction.candidates.label_search import lexicon_of
from alma.extraction.marks.checkboxes import agreed, checkbox
from alma.extraction.marks.page_marks import Mark, MarkedPage, PictureOf
from alma.extraction.marks.signatures import signature
from alma.extraction.page.labels import LabelMatch, phrase_key
from alma.extraction.page.layout import Layout
from alma.extraction.scoring.rule_confidence import shipped_rule_calibration

#: Labels of one field that are looked at on one track: what is beside more is not told apart.
MOST_HITS = 50


def mark_fields(
    tracks: Mapping[str, Sequence[Layout]],
    schema: DocumentSchema,
    picture_of: PictureOf,
    decided: Callable[[], Mapping[str, DecisionCount]],
) -> list[Field]:
    """Return the checkboxes and signatures of a document of a known type.

    What is not known has no field. The confidence is what people's decisions on marks of this type say
    (`alma.extraction.scoring.rule_confidence`), and unknown before the first.

    Parameters
    ----------
    tracks : mapping
        Pages by track, arranged and in order.
    schema : DocumentSchema
        The type of the document.
    picture_of : callable
        Returns the picture of a page; asked only for pages with a label of a mark.
    decided : callable
        Returns how often values of the type's fields turned out right, by key.
    """
    marked = [field for field in schema.fields if field.marked]
    if not marked:
        return []
    pages = {track: [_page(layout, schema, picture_of) for layout in of] for track, of in tracks.items()}
    found = []
    for field in marked:
        marks = {track: mark for track, each in pages.items() if (mark := _read(field, each, track))}
        if marks:
            found.append((field, marks))
    counts = decided() if found else {}
    own = {field.key: counts[field.key] for field in marked if field.key in counts}
    return [_field(field, marks, schema.review_below, own) for field, marks in found]


def _page(layout: Layout, schema: DocumentSchema, picture_of: PictureOf) -> MarkedPage:
    return MarkedPage(layout, picture_of, lexicon_of(schema).hits(layout))


def _read(field: FieldSchema, pages: Sequence[MarkedPage], track: str) -> Mark | None:
    """Return what the labels of a field that have a mark agree on, rightly spelt ones first."""
    for fuzzy in (False, True):
        marks = []
        for page, hit in list(_hits(field, pages, fuzzy=fuzzy))[:MOST_HITS]:
            is_box = field.type is FieldType.CHECKBOX
            mark = checkbox(page, hit) if is_box else signature(page, hit, track)
            if mark is not None:
                marks.append(mark)
        if marks:
            return agreed(marks)
    return None


def _hits(
    field: FieldSchema, pages: Sequence[MarkedPage], *, fuzzy: bool
) -> Iterator[tuple[MarkedPage, LabelMatch]]:
    # Its name alone is a label only where the type gives none: as a word in a sentence it says nothing.
    name = "" if not field.aliases else phrase_key(field.key.replace("_", " "))
    named = any(phrase_key(alias) == name for alias in (*field.aliases, *field.synonyms))
    for page in pages:
        for hit in page.hits:
            own = hit.fuzzy is fuzzy and any(label.key == field.key for label in hit.labels)
            if own and (named or phrase_key(page.layout.text(hit.start, hit.end)) != name):
                yield page, hit


def _field(
    field: FieldSchema, marks: Mapping[str, Mark], review_below: float, decided: Mapping[str, DecisionCount]
) -> Field:
    confidence = shipped_rule_calibration().probability(field.key, None, decided)
    readings = ranked(
        Reading(track, mark.value, mark.content, confidence, mark.regions) for track, mark in marks.items()
    )
    unsure = doubt(confidence, review_below)
    reasons = [] if unsure is None else [unsure]
    if len({mark.value for mark in marks.values()}) > 1:
        reasons.append(Reason.TRACKS_DISAGREE)
    status = Status.ESCALATED if reasons else Status.UNREVIEWED
    return Field(field.key, 0, readings, status, reasons=tuple(reasons))
