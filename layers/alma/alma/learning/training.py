"""Learning an organisation's own model of a document type from what its people verified.

A model is tuned from a base: the base's network, with the fields of the type, is trained on the candidates
of the verified documents. How good it is, and how sure it may be of itself, is found by cross-validation:
the documents are divided into parts, and each part is read by a model that learnt from the others. What is
kept is trained on all of them in the same way.

Nothing here knows where documents come from or where models go, so that a function and `alma train` do the
same. Everything drawn is drawn from seeds: the same documents and base give the same file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alma.datamodel.examples import LabelledDocument
from alma.datamodel.schemas import DocumentSchema
from alma.extraction.scoring.confidence import Calibration
from alma.extraction.scoring.scorer import Scorer
from alma.learning.calibration import cross_fitted
from alma.learning.ensemble import SEEDS, too_much_to_train, train_ensembles
from alma.learning.holdout import HoldoutReading, measure, samples_of, scores_of, total
from alma.learning.lessons import Lesson, lessons_of, unseen_by
from alma.learning.metrics import Tally, confidence_measures
from alma.learning.model_file import Weights, write_model
from alma.learning.scorer_training import Group

#: Documents after which it is first seen whether all of them fit, and bytes of their features where time and
#: memory are bounded.
SAMPLE, MOST_BYTES = 20, 1_000_000_000
#: Shares of the work that are done when its stages end: reading, training.
READ, TRAINED = 0.15, 0.8

Report = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Learned:
    """A model, and what is known of it."""

    model: bytes
    """ONNX, see `alma.extraction.scoring.scorer`."""
    card: dict[str, Any]
    """What it was made of and how good it is, before and after; see docs/models.md."""
    better: bool
    """It reads documents it has not seen better than its base does."""
    examples: int
    """Verified fields it learnt from."""


def learn(
    documents: Sequence[LabelledDocument],
    schema: DocumentSchema,
    base: bytes,
    *,
    name: str,
    base_name: str,
    calibration: Calibration,
    report: Report | None = None,
    deadline: float | None = None,
) -> Learned:
    """Return the model of a type that verified documents teach.

    Parameters
    ----------
    documents : sequence of LabelledDocument
        Of that type; their order does not matter.
    schema : DocumentSchema
        The type. Columns of its groups, checkboxes and signatures are read by rules and not learnt.
    base : bytes
        The model to start from, and to be better than. Where its network is built otherwise, the new one
        starts from nothing.
    name, base_name : str
        What the model and its base are called.
    calibration : Calibration
        The base's; little data leaves the new model's confidence near it.
    report : callable, optional
        Called with the stage and the share of all the work that is done, 0 to 1.
    deadline : float, optional
        `time.monotonic()` by which it has to be done.

    Raises
    ------
    ConflictError
        There are too few documents (`too_few_documents`), too few that the base has not learnt from
        (`too_few_new_documents`), their pages offer nothing (`nothing_to_learn`), or
        it cannot be done in time (`too_much_to_train`).
    ValueError
        The base is no scorer, or was trained with other features.
    """
    schema = schema.without_marks()
    run = _Run(schema, report or (lambda stage, share: None), deadline)
    base_scorer = Scorer(base)
    lessons = lessons_of(documents, schema)
    learnt_before = frozenset(base_scorer.about.get("learnt_from", ()))
    unseen = unseen_by(learnt_before, lessons, base_name)
    fields = sorted(f"{schema.doc_type}.{each.key}" for each in schema.fields)

    groups = run.read(lessons)
    of_parts, whole = run.train(groups, sorted({lesson.fold for lesson in lessons}), fields, base)
    scorers = {part: Scorer(write_model(each, {"fields": fields})) for part, each in of_parts.items()}
    before, after = run.read_holdout(unseen, base_scorer, scorers)
    figures = _Figures.of(before, after, schema, calibration)

    examples = sum(len(each) for lesson in lessons for each in lesson.labels.values())
    about = {
        "name": name,
        "doc_type": schema.doc_type,
        "fields": fields,
        "calibration": figures.calibration,
        "base": base_name,
        "documents": len(lessons),
        "examples": examples,
        "learnt_from": sorted(learnt_before | {lesson.document.id for lesson in lessons}),
    }
    card = {
        "name": name,
        "doc_type": schema.doc_type,
        "base_model": base_name,
        "data": {
            "documents": len(lessons),
            "examples": examples,
            "complete_documents": sum(lesson.document.complete for lesson in lessons),
        },
        "holdout": {
            "method": "each part of the documents is read by a model that learnt from the others",
            "documents": len(unseen),
            "folds": len(of_parts),
        },
        "before": scores_of(figures.before),
        "after": scores_of(figures.after),
        "calibration": confidence_measures(figures.judged),
        "seconds": round(time.monotonic() - run.began, 1),
        "seed": SEEDS[0],
    }
    return Learned(write_model(whole, about), card, figures.better, examples)


@dataclass(slots=True)
class _Run:
    """The stages of learning, within the time there is."""

    schema: DocumentSchema
    report: Report
    deadline: float | None
    began: float = field(default_factory=time.monotonic)

    def read(self, lessons: Sequence[Lesson]) -> list[Group]:
        """Return the judged candidates of all documents; raises ConflictError where there are too many."""
        groups: list[Group] = []
        for n, lesson in enumerate(lessons):
            groups += lesson.groups(self.schema)
            self.report("reading", READ * (n + 1) / len(lessons))
            self._check_room(groups, n + 1, len(lessons))
        return groups

    def train(
        self, groups: Sequence[Group], parts: Sequence[int], fields: Sequence[str], base: bytes
    ) -> tuple[dict[int, list[Weights]], list[Weights]]:
        """Return for each part the ensemble that learnt from the others, and the one that learnt from all."""
        # Measuring reads the documents once more, with two models.
        spare = 1.5 * (time.monotonic() - self.began)
        *of_parts, whole = train_ensembles(
            [[g for g in groups if g.fold != part] for part in (*parts, None)],
            fields,
            base,
            None if self.deadline is None else self.deadline - spare,
            lambda share: self.report("training", READ + (TRAINED - READ) * share),
        )
        return dict(zip(parts, of_parts, strict=True)), whole

    def read_holdout(
        self, unseen: Sequence[Lesson], base: Scorer, scorers: Mapping[int, Scorer]
    ) -> tuple[list[HoldoutReading], list[HoldoutReading]]:
        """Return how the base, and the model that did not learn from it, reads each document."""
        before: list[HoldoutReading] = []
        after: list[HoldoutReading] = []
        for n, lesson in enumerate(unseen):
            tracks = lesson.candidates(self.schema)
            known = tracks if base.sees_sentences else lesson.candidates(self.schema, sentences=False)
            before.append(HoldoutReading.of(lesson, known, self.schema, base))
            after.append(HoldoutReading.of(lesson, tracks, self.schema, scorers[lesson.fold]))
            self.report("measuring", TRAINED + (1 - TRAINED) * (n + 1) / len(unseen))
        return before, after

    def _check_room(self, groups: Sequence[Group], done: int, whole: int) -> None:
        """Refuse early what does not fit: reading and measuring take as long as training.

        Raises
        ------
        ConflictError
            It does not fit.
        """
        if self.deadline is None or done % SAMPLE:
            return
        needed = (time.monotonic() - self.began) / done * whole * 4
        size = sum(g.dense.nbytes + g.tokens.nbytes for g in groups) / done * whole
        if self.began + needed > self.deadline or size > MOST_BYTES:
            raise too_much_to_train()


@dataclass(frozen=True, slots=True)
class _Figures:
    """How good the base and the new model are on documents they have not learnt from."""

    calibration: dict[str, Any]
    """Of the new model, fitted to all its readings."""
    before: dict[str, Tally]
    after: dict[str, Tally]
    judged: list[tuple[float, bool]]
    """The new model's confidence out of fold, with whether the value is right."""

    @classmethod
    def of(
        cls,
        before: Sequence[HoldoutReading],
        after: Sequence[HoldoutReading],
        schema: DocumentSchema,
        calibration: Calibration,
    ) -> _Figures:
        fitted, of_fold, _ = cross_fitted(list(samples_of(after, schema.doc_type)), calibration)
        fitted_in = {part: Calibration.from_dict(raw) for part, raw in of_fold.items()}
        old, _ = measure(before, schema, lambda fold: calibration)
        new, judged = measure(after, schema, lambda fold: fitted_in.get(fold, calibration))
        return cls(fitted, old, new, judged)

    @property
    def better(self) -> bool:
        """The new model's F1 over all fields is higher."""
        return (total(self.after).f1 or 0.0) > (total(self.before).f1 or 0.0)
