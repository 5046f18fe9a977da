"""The proof that nothing is lost: it must notice what it is there to notice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from benchmarks import ingest_many
from benchmarks.ingest_many import many, spread, torture
from benchmarks.installation import Installation, LocalProcess, functions_below, resident_bytes

READY = {"documentId": 1, "status": "ready", "pages": 1, "docType": None}
REFUSED = {
    "documentId": 2,
    "status": "failed",
    "pages": None,
    "error": "empty_file",
    "detail": "Send again.",
}


class Process(LocalProcess):
    """A runtime that needs no process."""

    def __init__(self) -> None:
        self.killed = 0
        self.installation: Installation | None = None

    @property
    def pid(self) -> int:
        return os.getpid()

    def alive(self) -> bool:
        return True

    def kill(self) -> None:
        self.killed += 1

    def start(self, patience: float = 60.0) -> Installation:
        assert self.installation is not None
        return self.installation


class Alma(Installation):
    """An alma in which every file became what the script says of its name."""

    def __init__(self, script: dict[str, list[dict[str, Any]]], strangers: Collection[str] = ()) -> None:
        self.script, self.strangers = script, strangers
        self.dropped: list[str] = []

    def drop(self, path: Path, name: str) -> None:
        self.dropped.append(name)

    def wait(
        self,
        names: Collection[str],
        *,
        patience: float = 0,
        progress: Callable[[int], None] = lambda done: None,
        alive: Callable[[], bool] = lambda: True,
        pause: float = 0,
    ) -> dict[str, list[dict[str, Any]]]:
        progress(len(names) // 2)
        became = {name: self.script[name.partition("-")[2] or name] for name in names}
        return {name: summaries for name, summaries in became.items() if summaries}

    def documents(self) -> list[dict[str, Any]]:
        return [{"fileName": name} for name in [*self.dropped, *self.strangers]]

    def document(self, document_id: int) -> dict[str, Any]:
        return {"fields": []}


def problems(script: dict[str, list[dict[str, Any]]], strangers: Collection[str] = ()) -> list[str]:
    files = {name: Path(name) for name in script}
    return many(Process(), Alma(script, strangers), files, kill=False, patience=0).problems


def test_files_that_are_ready_or_refused_with_a_reason_are_no_problem() -> None:
    assert problems({"a.pdf": [READY], "b.pdf": [REFUSED]}) == []


@pytest.mark.parametrize(
    ("became", "problem"),
    [
        ([], "a.pdf: lost"),
        ([READY, READY], "a.pdf: became 2 documents"),
        ([REFUSED | {"detail": None}], "a.pdf: failed without a reason"),
        ([REFUSED | {"error": "internal_error"}], "a.pdf: failed by a fault of alma: Send again."),
        ([READY | {"status": "processing"}], "a.pdf: still processing"),
    ],
)
def test_a_file_that_is_lost_doubled_stuck_or_failed_without_reason_is_a_problem(
    became: list[dict[str, Any]], problem: str
) -> None:
    assert problems({"a.pdf": became}) == [problem]


def test_a_document_nobody_dropped_is_a_problem() -> None:
    assert problems({"a.pdf": [READY]}, ["ghost.pdf"]) == ["ghost.pdf: nobody dropped it"]


def test_the_runtime_is_killed_once_and_asked_again_after_its_restart() -> None:
    process, alma = Process(), Alma({"a.pdf": [READY], "b.pdf": [READY]})
    process.installation = alma
    files = {name: Path(name) for name in alma.script}
    assert many(process, alma, files, kill=True, patience=0).problems == []
    assert process.killed == 1


def test_an_odd_file_that_ends_otherwise_than_its_manifest_says_is_a_problem(tmp_path: Path) -> None:
    manifest = [{"file": n, "expected": {"error": "empty_file"}} for n in ("a.pdf", "b.pdf")]
    (tmp_path / "MANIFEST.json").write_text(json.dumps(manifest))
    for name in ("a.pdf", "b.pdf", "unlisted.pdf"):
        (tmp_path / name).write_bytes(b"")
    alma = Alma({"a.pdf": [REFUSED], "b.pdf": [READY], "unlisted.pdf": [READY]})
    report = torture(Process(), alma, tmp_path, patience=0)
    assert report.problems == ["b.pdf: expected {'error': 'empty_file'}, got {'pages': 1}"]


def test_too_much_memory_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pdf").write_bytes(b"")
    monkeypatch.setattr(ingest_many, "MEMORY_BYTES", -1)
    report = torture(Process(), Alma({"a.pdf": [READY]}), tmp_path, patience=0)
    assert report.problems == ["a.pdf: 0 MB"]


def test_documents_are_taken_from_all_types_in_turn(tmp_path: Path) -> None:
    rows = [("1", "deed"), ("2", "deed"), ("3", "deed"), ("4", "receipt")]
    for label, _ in rows:
        (tmp_path / f"{label}.pdf").write_bytes(b"")
    lines = [{"id": label, "file": f"{label}.pdf", "doc_type": kind, "fields": []} for label, kind in rows]
    (tmp_path / "labels.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    assert list(spread(tmp_path, 3)) == ["1.pdf", "4.pdf", "2.pdf"]
    assert len(spread(tmp_path, 99)) == 4


def test_memory_is_that_of_a_process_and_none_of_one_that_is_gone() -> None:
    assert resident_bytes(os.getpid()) > 10_000_000
    assert resident_bytes(2**22 + 1) == 0


def test_a_function_is_a_grandchild_of_the_runtime_with_all_it_starts() -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as forker:
        assert forker.stdout is not None
        forker.stdout.readline()
        below = functions_below(os.getpid())
        forker.communicate(b"\n")
    assert len(below) == 1
    assert all(process == function != forker.pid for process, function in below.items())
