"""Waiting for documents: until all are finished, without losing sight of doubles, and not for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.installation import Connection, Installation, InstallationError


class Listing(Installation):
    """An alma whose list of documents changes from one look to the next; the last state stays."""

    def __init__(self, *states: dict[str, str], doubles: tuple[str, ...] = ()) -> None:
        self.states, self.doubles = list(states), doubles

    def _listed(self) -> Iterator[dict[str, Any]]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        for name, status in [*state.items(), *((name, "ready") for name in self.doubles)]:
            yield {"fileName": name, "status": status, "pagesRead": 0}


def test_the_wait_ends_when_every_file_became_a_finished_document() -> None:
    alma = Listing({}, {"a": "processing"}, {"a": "ready"}, {"a": "ready", "b": "failed"})
    seen: list[int] = []
    found = alma.wait(["a", "b"], progress=seen.append, pause=0)
    assert {name: [s["status"] for s in group] for name, group in found.items()} == {
        "a": ["ready"],
        "b": ["failed"],
    }
    assert seen == [0, 0, 1, 2]


def test_a_file_that_became_two_documents_is_noticed() -> None:
    found = Listing({"a": "ready", "b": "ready"}, doubles=("a",)).wait(["a", "b"], pause=0)
    assert {name: len(group) for name, group in found.items()} == {"a": 2, "b": 1}


def test_a_file_of_which_nothing_comes_ends_the_wait_when_patience_does() -> None:
    assert Listing({"a": "ready"}).wait(["a", "lost"], patience=0.01, pause=0).keys() == {"a"}


def test_a_dead_runtime_ends_the_wait() -> None:
    assert Listing({"a": "processing"}).wait(["a"], alive=lambda: False).keys() == {"a"}


def test_an_inbox_that_is_none_is_refused() -> None:
    with pytest.raises(InstallationError, match=r"not 's3://bucket'"):
        Installation(Connection("http://127.0.0.1", "key", "s3://bucket"))
