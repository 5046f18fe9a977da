"""Ensembles: members tuned from those of a base, several at once in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from alma.errors import ConflictError
from alma.extraction.scoring.features import BUCKETS, DENSE
from alma.learning.model_file import Weights, own_buckets, read_model
from alma.learning.scorer_training import EMBEDDING, Group, train_member

#: Seeds of the members of the ensemble.
SEEDS = (0, 1, 2, 3)
#: Groups of a step. With few documents many small steps learn most.
BATCH = 8
#: Passes over the groups, and those there are at most to come to so many steps.
EPOCHS, MOST_EPOCHS, STEPS = 10, 30, 200
#: Members trained at once at most, each in a process of its own.
MOST_PROCESSES = 8

Progress = Callable[[float], None]


def too_much_to_train() -> ConflictError:
    """Return the refusal of more documents than there is time or memory for."""
    return ConflictError(
        "There is more to learn from than this has time and memory for: train the model with `alma train` "
        "and register the file it writes.",
        code="too_much_to_train",
    )


def train_ensembles(
    taught: Sequence[Sequence[Group]],
    fields: Sequence[str],
    base: bytes,
    deadline: float | None,
    progress: Progress,
) -> list[list[Weights]]:
    """Return an ensemble for each of several sets of groups.

    Parameters
    ----------
    taught : sequence of sequence of Group
        What each ensemble learns from.
    fields : sequence of str
        `TYPE.KEY` of the fields they are to know.
    base : bytes
        The ONNX file they start from.
    deadline : float or None
        `time.monotonic()` by which all of them have to be trained.
    progress : callable
        Called with the share of the work that is done, 0 to 1.

    Raises
    ------
    ConflictError
        One of the sets is empty (`nothing_to_learn`), or there is no time (`too_much_to_train`).
    """
    if not all(taught):
        raise ConflictError(
            "Hardly anything on the pages of these documents can be a value of the verified fields: check "
            "the types of the fields.",
            code="nothing_to_learn",
        )
    started = _start_weights(base, fields)
    jobs = [
        _Job(groups, fields, seed, start)
        for groups in taught
        for seed, start in zip(SEEDS, started, strict=True)
    ]
    done = _Done(jobs, deadline, progress)
    # Not threads, which would wait for each other, nor a pool: AWS Lambda has no semaphores for one.
    if sys.platform == "linux":
        _run_in_processes(jobs, done)
    else:
        for n, job in enumerate(jobs):
            done.note(n, job.run(), at_once=1)
    members = done.in_order()
    return [members[at : at + len(SEEDS)] for at in range(0, len(members), len(SEEDS))]


def _start_weights(base: bytes, fields: Sequence[str]) -> list[Weights | None]:
    """Return what each member starts from: the base's, with these fields alone; None where that cannot be.

    A field the base does not know starts as the one without a name.
    """
    members, about = read_model(base)
    if not members or members[0]["embedding"].shape != (BUCKETS, EMBEDDING):
        return [None for _ in SEEDS]
    members = [_with_all_features(member, about["dense"]) for member in members]
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


def _with_all_features(member: Weights, names: Sequence[str]) -> Weights:
    """Return a member that sees all of today's features; those it does not know count for nothing yet."""
    if list(names) == list(DENSE):
        return member
    known = [DENSE.index(name) for name in names]

    def spread(weights: NDArray[np.float32], fill: float = 0.0) -> NDArray[np.float32]:
        wide = np.full((*weights.shape[:-1], len(DENSE)), fill, np.float32)
        wide[..., known] = weights
        return wide

    return {
        **member,
        "mean": spread(member["mean"]),
        "scale": spread(member["scale"], 1.0),
        "skip": spread(member["skip"]),
        "w1": np.concatenate([spread(member["w1"][:, : len(names)]), member["w1"][:, len(names) :]], axis=1),
    }


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


class _Done:
    """The members that are trained, and whether there is time for the others."""

    def __init__(self, jobs: Sequence[_Job], deadline: float | None, progress: Progress) -> None:
        self._jobs, self._deadline, self._progress = jobs, deadline, progress
        self._whole = sum(job.size for job in jobs)
        self._began = time.monotonic()
        self._members: dict[int, Weights] = {}

    def note(self, n: int, weights: Weights, *, at_once: int) -> None:
        """Take the member of job `n`; raises ConflictError where the first says that all take too long."""
        self._members[n] = weights
        self._progress(sum(self._jobs[i].size for i in self._members) / self._whole)
        if self._deadline is not None and len(self._members) == 1:
            needed = (time.monotonic() - self._began) / self._jobs[n].size * self._whole / at_once
            if self._began + needed > self._deadline:
                raise too_much_to_train()

    def in_order(self) -> list[Weights]:
        """Return the members of all jobs."""
        if len(self._members) < len(self._jobs):
            raise RuntimeError("a process that trained ended early")
        return [self._members[n] for n in range(len(self._jobs))]


def _run_in_processes(jobs: Sequence[_Job], done: _Done) -> None:
    """Share the jobs among forked processes, one a processor."""
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
                    done.note(n, weights, at_once=processes)
    finally:
        for ours, running in workers.items():
            running.terminate()
            running.join()
            ours.close()


def _work(answers: Connection[Any, Any], jobs: Sequence[_Job], share: Iterable[int]) -> None:
    for n in share:
        answers.send((n, jobs[n].run()))
    answers.close()
