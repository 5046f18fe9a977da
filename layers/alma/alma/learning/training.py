"""Learning an organisation's own model of a document type from what its people verified.

A model is tuned from a base: the base's network, with the fields of the type, is trained on the candidates
of the verified documents. How good it is, and how sure it may be of itself, is found on documents it did not
learn from: they are divided into parts, and each part is read by a model that learnt from the others. What is
kept is trained on all of them in the same way.

Nothing here knows where documents come from or where models go, so that a function and `alma train` do the
same. Everything drawn is drawn from seeds: the same documents and base give the same file.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, cast

import numpy as np

from alma.datamodel.examples import LabelledDocument
from alma.datamodel.geometry import Region
from alma.datamodel.schemas import DocumentSchema
from alma.errors import ConflictError
from alma.extraction.resolve import Offer, choose, layouts_by_track, offers, value_of
from alma.extraction.scoring.confidence import Calibration
from alma.extraction.scoring.features import BUCKETS
from alma.extraction.scoring.scorer import Scorer
from alma.learning.calibration import Sample, cross_fitted
from alma.learning.evaluation import Label, canonical, groups_of, tally
from alma.learning.metrics import Tally, confidence_measures, rounded
from alma.learning.model_file import Weights, own_buckets, read_model, write_model
from alma.learning.scorer_training import EMBEDDING, Group, train_member

#: Parts the documents are divided into; with fewer documents each is a part of its own.
FOLDS = 5
#: Documents with verified fields that a model needs.
MIN_DOCUMENTS = 4
#: Seeds of the members of the ensemble.
SEEDS = (0, 1, 2, 3)
#: Groups of a step. With few documents many small steps learn most.
BATCH = 8
#: Passes over the groups, and those there are at most to come to so many steps.
EPOCHS, MOST_EPOCHS, STEPS = 10, 30, 200
#: Members trained at once at most, each in a process of its own.
MOST_PROCESSES = 8

#: Documents after which it is first seen whether all of them fit, and bytes of what they offer where time and
#: memory are bounded.
SAMPLE, MOST_BYTES = 20, 1_000_000_000

Report = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Learned:
    """A model, and what is known of it.

    Attributes
    ----------
    model : bytes
        ONNX, see `alma.extraction.scoring.scorer`.
    card : dict
        What it was made of and how good it is, before and after; see docs/models.md.
    better : bool
        It reads documents it has not seen better than its base does.
    examples : int
        Verified fields it learnt from.
    """

    model: bytes
    card: dict[str, Any]
    better: bool
    examples: int


@dataclass(frozen=True, slots=True)
class _Lesson:
    """A document, what people say of its fields, and the part of the data it is in."""

    document: LabelledDocument
    labels: Mapping[str, Sequence[Label]]
    fold: int

    def known(self, key: str) -> bool:
        """Return whether it is known what a field should be."""
        return key not in self.document.unplaced and (self.document.complete or key in self.labels)

    def offered(self, schema: DocumentSchema) -> dict[str, Offer]:
        """Return what its pages offer. It is not kept: documents take less room than what they offer."""
        return offers(layouts_by_track(self.document.pages), schema)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A value of a document that a track read: what is left of a choice when its pages are forgotten."""

    key: str
    value: str
    probability: float
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """How a model read a document: a row for each value, in it a reading of each track."""

    lesson: _Lesson
    rows: Sequence[Sequence[_Reading]]


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
        The type. Columns of its groups are read by rules and not learnt.
    base : bytes
        The model to start from, and to be better than. Where its network is built otherwise, the new one
        starts from nothing.
    name, base_name : str
        What the model and its base are called.
    calibration : Calibration
        The base's; little data leaves the new model's confidence near it.
    report : callable, optional
        Told what is being done and how much of all is done, 0 to 1.
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
    began = time.monotonic()
    of_base = Scorer(base)
    tell: Report = report or (lambda what, share: None)
    lessons = _lessons(documents, schema)
    # What the base has learnt from says nothing about either of them.
    learnt_before = frozenset(of_base.about.get("learnt_from", ()))
    unseen = [lesson for lesson in lessons if lesson.document.id not in learnt_before]
    if len(unseen) < MIN_DOCUMENTS:
        raise ConflictError(
            f"{base_name} has learnt from all but {len(unseen)} of these documents, so nobody could tell "
            f"whether another model is better: verify {MIN_DOCUMENTS - len(unseen)} more, or train from "
            "alma-base.",
            code="too_few_new_documents",
        )
    groups: list[Group] = []
    for n, lesson in enumerate(lessons):
        known = [f.key for f in schema.fields if lesson.known(f.key)]
        groups += groups_of(lesson.offered(schema), schema, lesson.labels, known, lesson.fold)
        tell("reading", 0.15 * (n + 1) / len(lessons))
        _check_room(groups, n + 1, len(lessons), began, deadline)
    # Measuring reads the documents once more, with two models.
    spare = 1.5 * (time.monotonic() - began)

    fields = sorted(f"{schema.doc_type}.{each.key}" for each in schema.fields)
    parts = sorted({lesson.fold for lesson in lessons})
    *of_parts, whole = _ensembles(
        [[g for g in groups if g.fold != part] for part in (*parts, None)],
        fields,
        base,
        None if deadline is None else deadline - spare,
        lambda share: tell("training", 0.15 + 0.65 * share),
    )
    scorers = [Scorer(write_model(each, {"fields": fields})) for each in of_parts]

    before: list[_Read] = []
    after: list[_Read] = []
    for n, lesson in enumerate(unseen):
        offered = lesson.offered(schema)
        before.append(_Read(lesson, _rows(offered, schema, of_base)))
        after.append(_Read(lesson, _rows(offered, schema, scorers[lesson.fold])))
        tell("measuring", 0.8 + 0.2 * (n + 1) / len(unseen))

    fitted, of_fold, _ = cross_fitted(list(_samples(after, schema.doc_type)), calibration)
    fitted_in = {part: Calibration.from_dict(raw) for part, raw in of_fold.items()}
    old, _ = _measured(before, schema, lambda fold: calibration)
    new, judged = _measured(after, schema, lambda fold: fitted_in.get(fold, calibration))
    examples = sum(len(each) for lesson in lessons for each in lesson.labels.values())
    about = {
        "name": name,
        "doc_type": schema.doc_type,
        "fields": fields,
        "calibration": fitted,
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
            "folds": len(parts),
        },
        "before": _scores(old),
        "after": _scores(new),
        "calibration": confidence_measures(judged),
        "seconds": round(time.monotonic() - began, 1),
        "seed": SEEDS[0],
    }
    better = (_total(new).f1 or 0.0) > (_total(old).f1 or 0.0)
    return Learned(write_model(whole, about), card, better, examples)


def _check_room(groups: Sequence[Group], done: int, whole: int, began: float, deadline: float | None) -> None:
    """Tell early that there is more to learn from than fits; reading and measuring take as long as training.

    Raises
    ------
    ConflictError
        It does not fit.
    """
    if deadline is None or done % SAMPLE:
        return
    needed = (time.monotonic() - began) / done * whole * 4
    bytes_ = sum(g.dense.nbytes + g.tokens.nbytes for g in groups) / done * whole
    if began + needed > deadline or bytes_ > MOST_BYTES:
        raise _too_much()


def _too_much() -> ConflictError:
    return ConflictError(
        "There is more to learn from than this has time and memory for: train the model with `alma train` "
        "and register the file it writes.",
        code="too_much_to_train",
    )


# --- what is learnt from --------------------------------------------------------------------------------


def _lessons(documents: Sequence[LabelledDocument], schema: DocumentSchema) -> list[_Lesson]:
    """Return the documents that teach, in parts as equal as can be; their order does not matter.

    Raises
    ------
    ConflictError
        There are too few of them.
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
        _Lesson(document, labels[document.id], n % min(FOLDS, len(order))) for n, document in enumerate(order)
    ]


def _labels(document: LabelledDocument, schema: DocumentSchema) -> dict[str, list[Label]]:
    """Return what people say of the fields of a document, those of groups left out."""
    found: dict[str, list[Label]] = {}
    for example in document.examples:
        if schema.field(example.field_key) is not None and example.field_key not in document.unplaced:
            # Boxes that people draw hold a value rather than fit it.
            place = Region(example.page_number, example.bbox)
            label = Label(canonical(example.text), (place,), holding=True)
            found.setdefault(example.field_key, []).append(label)
    return found


# --- training -------------------------------------------------------------------------------------------


def _started(base: bytes, fields: Sequence[str]) -> list[Weights | None]:
    """Return what each member starts from: the base's, with these fields alone; None where that cannot be.

    A field the base does not know starts as the one without a name.
    """
    members, about = read_model(base)
    if not members or members[0]["embedding"].shape != (BUCKETS, EMBEDDING):
        return [None for _ in SEEDS]
    known = {each: n for n, each in enumerate(about["fields"], start=1)}
    rows = [0, *(known.get(each, 0) for each in fields)]
    tokens = np.arange(BUCKETS, dtype=np.int64)[:, None]
    started: list[Weights | None] = []
    for n in range(len(SEEDS)):
        member = members[n % len(members)]
        own = np.zeros_like(member["own"])
        for number, row in enumerate(rows):
            there, here = (own_buckets(tokens, np.full(BUCKETS, at, np.int64))[:, 0] for at in (row, number))
            own[here] = member["own"][there]
        started.append({**member, "own": own, **{k: member[k][rows] for k in ("field", "skip", "bias")}})
    return started


def _ensembles(
    taught: Sequence[Sequence[Group]],
    fields: Sequence[str],
    base: bytes,
    deadline: float | None,
    tell: Callable[[float], None],
) -> list[list[Weights]]:
    """Return an ensemble for each of several sets of groups.

    Raises
    ------
    ConflictError
        One of the sets is empty, or there is no time.
    """
    if not all(taught):
        raise ConflictError(
            "Hardly anything on the pages of these documents can be a value of the verified fields: check "
            "the types of the fields.",
            code="nothing_to_learn",
        )
    started = _started(base, fields)
    jobs = [
        _Job(groups, fields, seed, start)
        for groups in taught
        for seed, start in zip(SEEDS, started, strict=True)
    ]
    members = _trained(jobs, deadline, tell)
    return [members[at : at + len(SEEDS)] for at in range(0, len(members), len(SEEDS))]


@dataclass(frozen=True, slots=True)
class _Job:
    """A member to be trained."""

    groups: Sequence[Group]
    fields: Sequence[str]
    seed: int
    start: Weights | None

    def run(self) -> Weights:
        return train_member(
            self.groups, self.fields, self.seed, self.epochs, start=self.start, batch=BATCH, anonymous=0.0
        )

    @property
    def epochs(self) -> int:
        """Passes over the groups."""
        return min(max(EPOCHS, STEPS * BATCH // len(self.groups)), MOST_EPOCHS)

    @property
    def size(self) -> int:
        """How long it takes, in any unit."""
        return len(self.groups) * self.epochs


def _trained(jobs: Sequence[_Job], deadline: float | None, tell: Callable[[float], None]) -> list[Weights]:
    """Return the members that jobs train, in their order.

    Processes share the work where they can be forked: threads would wait for each other, and AWS Lambda has
    no semaphores for pools. What is trained is the same.
    """
    done: dict[int, Weights] = {}
    whole = sum(job.size for job in jobs)
    began = time.monotonic()

    def note(n: int, weights: Weights, at_once: int) -> None:
        done[n] = weights
        tell(sum(jobs[i].size for i in done) / whole)
        # Whoever is first says how long all will take.
        if deadline is not None and len(done) == 1:
            needed = (time.monotonic() - began) / jobs[n].size * whole / at_once
            if began + needed > deadline:
                raise _too_much()

    if sys.platform != "linux":
        for n, job in enumerate(jobs):
            note(n, job.run(), 1)
        return [done[n] for n in range(len(jobs))]

    context = multiprocessing.get_context("fork")
    processes = min(len(os.sched_getaffinity(0)), len(jobs), MOST_PROCESSES)
    workers: dict[Connection[Any, Any], BaseProcess] = {}
    try:
        for first in range(processes):
            ours, theirs = context.Pipe(duplex=False)
            share = range(first, len(jobs), processes)
            worker = context.Process(target=_work, args=(theirs, jobs, share), daemon=True)
            worker.start()
            theirs.close()
            workers[ours] = worker
        waiting = list(workers)
        while waiting:
            for ready in cast("list[Connection[Any, Any]]", wait(waiting)):
                try:
                    n, weights = ready.recv()
                except EOFError:
                    waiting.remove(ready)
                else:
                    note(n, weights, processes)
    finally:
        for ours, running in workers.items():
            running.terminate()
            running.join()
            ours.close()
    if len(done) < len(jobs):
        raise RuntimeError("a process that trained ended early")
    return [done[n] for n in range(len(jobs))]


def _work(answers: Connection[Any, Any], jobs: Sequence[_Job], share: Iterable[int]) -> None:
    for n in share:
        answers.send((n, jobs[n].run()))
    answers.close()


# --- what is measured -----------------------------------------------------------------------------------


def _rows(offered: Mapping[str, Offer], schema: DocumentSchema, scorer: Scorer) -> list[list[_Reading]]:
    """Return how a model reads a document: for each value, what each track makes of it."""
    return [
        [
            _Reading(
                each.key,
                canonical(value_of(each, choice.candidate.value)),
                choice.signals.probability,
                choice.signals.vector(),
            )
            for choice in row.values()
        ]
        for each, rows in choose(offered, schema, scorer)
        for row in rows
    ]


def _samples(reads: Sequence[_Read], doc_type: str) -> Iterator[Sample]:
    """Yield every reading of a field of which it is known what it should be."""
    for read in reads:
        for row in read.rows:
            for reading in row:
                if read.lesson.known(reading.key):
                    _, (right,) = tally([reading.value], read.lesson.labels.get(reading.key, ()))
                    yield Sample(doc_type, reading.key, reading.vector, right, read.lesson.fold)


def _measured(
    reads: Sequence[_Read], schema: DocumentSchema, calibrations: Callable[[int], Calibration]
) -> tuple[dict[str, Tally], list[tuple[float, bool]]]:
    """Return the counts of each field, and the confidence of each value with whether it is right."""
    tallies = {each.key: Tally() for each in schema.fields}
    judged: list[tuple[float, bool]] = []
    for read in reads:
        model = calibrations(read.lesson.fold)
        shown: dict[str, list[tuple[float | None, _Reading]]] = {key: [] for key in tallies}
        for row in read.rows:
            sure = [(model.unrounded(schema.doc_type, r.key, r.vector), r) for r in row]
            best = max(sure, key=lambda pair: (-1.0 if pair[0] is None else pair[0], pair[1].probability))
            shown[best[1].key].append(best)
        for key, each in shown.items():
            if read.lesson.known(key):
                labels = read.lesson.labels.get(key, ())
                counts, right = tally([reading.value for _, reading in each], labels)
                tallies[key].add(counts)
                judged += [(p, r) for (p, _), r in zip(each, right, strict=True) if p is not None]
    return tallies, judged


def _total(tallies: Mapping[str, Tally]) -> Tally:
    total = Tally()
    for each in tallies.values():
        total.add(each)
    return total


def _scores(tallies: Mapping[str, Tally]) -> dict[str, Any]:
    """Return the counts as the card shows them; fields nobody verified are left out."""
    total = _total(tallies)
    return {
        "micro_f1": rounded(total.f1),
        "precision": rounded(total.precision),
        "recall": rounded(total.recall),
        "fields": {
            key: {
                "f1": rounded(each.f1),
                "precision": rounded(each.precision),
                "recall": rounded(each.recall),
                "n": each.labelled,
            }
            for key, each in tallies.items()
            if each.labelled or each.predicted
        },
    }
