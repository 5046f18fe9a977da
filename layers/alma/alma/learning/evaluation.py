"""Judging candidates and values by what people say of a document: to learn from, and to measure."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

from alma.datamodel.geometry import Box, Region, enclosing
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType
from alma.extraction.candidates.generation import Candidate
from alma.extraction.scoring.track_candidates import TrackCandidates
from alma.extraction.values.names import value_of
from alma.learning.metrics import Tally
from alma.learning.scorer_training import Group

#: A place hits a labelled one from this intersection over union on.
HIT_IOU = 0.5
#: A span at the labelled place whose text is this like the label is what was meant: a recogniser's slip.
ALIKE = 0.75
#: Types of values that a recogniser's slip leaves alike.
_WRITTEN = frozenset({FieldType.NAME, FieldType.ADDRESS, FieldType.TEXT})


def canonical(value: str) -> str:
    """Return a value as values are compared: ISO dates and numbers as such, other text squeezed.

    >>> canonical("1,Jalan Ros & Co."), canonical("12.50"), canonical("2020-01-02")
    ('1jalanrosandco', '12.5', '2020-01-02')
    """
    text = unicodedata.normalize("NFKC", value).strip()
    try:
        return date.fromisoformat(text).isoformat() if len(text) == 10 else _decimal(text)
    except ValueError:
        return re.sub(r"[\W_]+", "", text.replace("&", " and ").casefold()) or text


def _decimal(text: str) -> str:
    if not re.fullmatch(r"-?\d{1,15}(\.\d+)?", text) or re.match(r"-?0\d", text):
        raise ValueError(text)
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    return format(number.normalize() if number else Decimal(0), "f")


@dataclass(frozen=True, slots=True)
class LabelledValue:
    """Ground truth: what a person says a field's value is."""

    value: str
    """As `canonical` returns it."""
    places: tuple[Region, ...] = ()
    """Where it stands: the place the person named first, then others; empty where nobody said."""
    holding: bool = False
    """The places are those of whole lines the value stands in."""


def points_at(regions: Sequence[Region], label: LabelledValue) -> bool:
    """Return whether evidence points at a labelled place.

    The box around all regions on a page must have an intersection over union of at least `HIT_IOU` with a
    labelled one on that page. Where those are boxes of whole lines, lying inside for the most part is enough.
    """
    pages: dict[int, list[Box]] = {}
    for region in regions:
        pages.setdefault(region.page, []).append(region.box)
    boxes = {page: enclosing(each) for page, each in pages.items()}
    for place in label.places:
        found = boxes.get(place.page)
        if found is None:
            continue
        if found.iou(place.box) >= HIT_IOU:
            return True
        if label.holding and found.overlap(place.box) >= HIT_IOU * found.area > 0:
            return True
    return False


def judge(
    field: FieldSchema, found: Sequence[Candidate], labels: Sequence[LabelledValue]
) -> NDArray[np.int8]:
    """Return for each candidate: 2 where value and place are a label's, 1 where only the value is, else 0.

    Where no candidate has the value, the one at the place whose text is most like it, if any is, has a slip
    of the recogniser in it and is 2.
    """
    right = np.zeros(len(found), np.int8)
    read = [canonical(value_of(field, candidate.value)) for candidate in found]
    for n, candidate in enumerate(found):
        for label in labels:
            if label.value == read[n]:
                there = not label.places or points_at(candidate.regions, label)
                right[n] = max(right[n], 2 if there else 1)
    if right.any() or field.type not in _WRITTEN:
        return right
    for label in labels:
        if not label.places:
            continue
        place, best, at = label.places[0], ALIKE, None
        for n, candidate in enumerate(found):
            if candidate.layout.page == place.page:
                around = enclosing(region.box for region in candidate.regions)
                if around.iou(place.box) >= HIT_IOU:
                    alike = difflib.SequenceMatcher(None, read[n], label.value).ratio()
                    if alike > best:
                        best, at = alike, n
        if at is not None:
            right[at] = 2
    return right


def groups_of(
    tracks: Mapping[str, TrackCandidates],
    schema: DocumentSchema,
    labels: Mapping[str, Sequence[LabelledValue]],
    complete: Container[str],
    fold: int,
) -> Iterator[Group]:
    """Yield what a document teaches: the judged candidates of each field on each track.

    Parameters
    ----------
    tracks : mapping
        The candidates of each track.
    schema : DocumentSchema
        The document's type.
    labels : mapping
        By key, what people say of the document.
    complete : container of str
        Keys whose absence among the labels says that the document has no such value; of others without a
        label nothing is learnt, because nobody looked.
    fold : int
        Part of the data the document belongs to.
    """
    for found in tracks.values():
        for field in schema.fields:
            own = found.by_field[field.key]
            if not own or (field.key not in labels and field.key not in complete):
                continue
            dense, tokens = found.features(field)
            yield Group(
                f"{schema.doc_type}.{field.key}",
                field.repeated,
                fold,
                dense,
                tokens,
                np.array([bool(c.votes) for c in own]),
                judge(field, own, labels.get(field.key, ())),
            )


def tally(values: Sequence[str], labels: Sequence[LabelledValue]) -> tuple[Tally, list[bool]]:
    """Return the counts of a field's values as a multiset, and of each value whether it is right."""
    left = [label.value for label in labels]
    judged = []
    for value in map(canonical, values):
        judged.append(value in left)
        if judged[-1]:
            left.remove(value)
    return Tally(right=sum(judged), predicted=len(judged), labelled=len(labels)), judged
