"""Lessons: verified documents, divided into parts for cross-validation."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alma.datamodel.examples import LabelledDocument
from alma.datamodel.geometry import Region
from alma.datamodel.schemas import DocumentSchema
from alma.errors import ConflictError
from alma.extraction.resolve import layouts_by_track
from alma.extraction.scoring.track_candidates import TrackCandidates, candidates_by_track
from alma.learning.evaluation import LabelledValue, canonical, groups_of
from alma.learning.scorer_training import Group

#: Parts the documents are divided into; with fewer documents each is a part of its own.
FOLDS = 5
#: Documents with verified fields that a model needs.
MIN_DOCUMENTS = 4


@dataclass(frozen=True, slots=True)
class Lesson:
    """A document, what people say of its fields, and the part of the data it is in."""

    document: LabelledDocument
    labels: Mapping[str, Sequence[LabelledValue]]
    fold: int

    def known(self, key: str) -> bool:
        """Return whether it is known what a field should be."""
        return key not in self.document.unplaced and (self.document.complete or key in self.labels)

    def candidates(self, schema: DocumentSchema, *, sentences: bool = True) -> dict[str, TrackCandidates]:
        """Return the candidates of each track. Not cached: documents take less room than these."""
        return candidates_by_track(layouts_by_track(self.document.pages), schema, sentences=sentences)

    def groups(self, schema: DocumentSchema) -> Iterator[Group]:
        """Yield the judged candidates of each field that is known."""
        known = [field.key for field in schema.fields if self.known(field.key)]
        return groups_of(self.candidates(schema), schema, self.labels, known, self.fold)


def lessons_of(documents: Sequence[LabelledDocument], schema: DocumentSchema) -> list[Lesson]:
    """Return the documents that teach, in parts as equal as can be; their order does not matter.

    Raises
    ------
    ConflictError
        There are too few of them (`too_few_documents`).
    """
    labels = {document.id: _labels(document, schema) for document in documents}
    order = sorted(
        (document for document in documents if labels[document.id]),
        key=lambda d: (zlib.crc32(str(d.id).encode()), d.id),
    )
    if len(order) < MIN_DOCUMENTS:
        raise ConflictError(
            f"A model of {schema.doc_type} needs {MIN_DOCUMENTS} documents with verified fields and there "
            f"are {len(order)}: verify fields of {MIN_DOCUMENTS - len(order)} more.",
            code="too_few_documents",
        )
    return [
        Lesson(document, labels[document.id], n % min(FOLDS, len(order))) for n, document in enumerate(order)
    ]


def unseen_by(learnt_before: frozenset[int], lessons: Sequence[Lesson], base_name: str) -> list[Lesson]:
    """Return the documents a base has not learnt from: what it has says nothing about how good it is.

    Raises
    ------
    ConflictError
        There are too few of them (`too_few_new_documents`).
    """
    unseen = [lesson for lesson in lessons if lesson.document.id not in learnt_before]
    if len(unseen) < MIN_DOCUMENTS:
        raise ConflictError(
            f"{base_name} has learnt from all but {len(unseen)} of these documents, so nobody could tell "
            f"whether another model is better: verify {MIN_DOCUMENTS - len(unseen)} more, or train from "
            "alma-base.",
            code="too_few_new_documents",
        )
    return unseen


def _labels(document: LabelledDocument, schema: DocumentSchema) -> dict[str, list[LabelledValue]]:
    """Return what people say of the fields of a document, those of groups left out."""
    found: dict[str, list[LabelledValue]] = {}
    for example in document.examples:
        if schema.field(example.field_key) is not None and example.field_key not in document.unplaced:
            # Boxes that people draw hold a value rather than fit it.
            place = Region(example.page_number, example.bbox)
            label = LabelledValue(canonical(example.text), (place,), holding=True)
            found.setdefault(example.field_key, []).append(label)
    return found
