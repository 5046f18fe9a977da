"""The benchmark's bookkeeping: which documents are measured, and that none disappears from the figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from alma.cli.client import ApiError
from benchmarks import accuracy
from benchmarks.installation import Installation
from scripts.labelled.labels import read_labels

DATE = {"key": "date", "value": "2020-01-02", "confidence": 0.9, "status": "unreviewed", "evidence": None}
READY = {"status": "ready", "pages": 1}


class Scripted(Installation):
    """An alma that answers as told: by the id of the label, what the file became and its fields."""

    def __init__(self, script: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]] | None]]) -> None:
        self.script = script
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
        progress(len(names))
        found = {}
        for name in names:
            label = name.partition("-")[2].rpartition(".")[0]
            summaries = [{"documentId": label, **summary} for summary in self.script[label][0]]
            if summaries:
                found[name] = summaries
        return found

    def document(self, document_id: Any) -> dict[str, Any]:
        fields = self.script[document_id][1]
        if fields is None:
            raise ApiError(503, "unavailable", "Try again later.")
        return {"documentId": 1, "docType": "receipt", "fields": fields}


def labelled(folder: Path, ids: Collection[str], doc_type: str = "receipt") -> list[dict[str, Any]]:
    rows = []
    for label in ids:
        (folder / f"{label}.png").write_bytes(b"")
        fields = [{"key": "date", "value": "02/01/2020", "normalized": "2020-01-02", "page": 1, "bbox": None}]
        rows.append({"id": label, "file": f"{label}.png", "doc_type": doc_type, "fields": fields})
    (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_labels(folder)


def test_a_document_that_came_to_nothing_counts_as_one_without_fields(tmp_path: Path) -> None:
    failed = {"status": "failed", "error": "damaged_file", "detail": "The file is cut off.", "pages": None}
    alma = Scripted(
        {
            "good": ([READY], [DATE]),
            "lost": ([], None),
            "twice": ([READY, READY], [DATE]),
            "failed": ([failed], None),
            "slow": ([{"status": "processing", "pages": 1}], None),
            "gone": ([READY], None),
        }
    )
    run = accuracy.measure(alma, tmp_path, labelled(tmp_path, alma.script))
    summary = run.summary()
    assert run.problems == [
        "lost lost: no document came of it",
        "twice became 2 documents",
        "failed failed: damaged_file: The file is cut off.",
        "slow was still being read when patience ended",
        "gone its fields could not be fetched: Try again later.",
    ]
    assert run.faults == 4
    assert summary["documents"] == 6
    assert summary["doctype_accuracy"] == pytest.approx(1 / 6, abs=1e-4)
    assert summary["types"]["receipt"]["fields"]["date"] == {
        "precision": 1.0,
        "recall": pytest.approx(1 / 6, abs=1e-4),
        "f1": pytest.approx(2 / 7, abs=1e-4),
        "n": 6,
    }


def test_the_summary_has_the_documented_keys(tmp_path: Path) -> None:
    alma = Scripted({"one": ([READY], [DATE])})
    summary = accuracy.measure(alma, tmp_path, labelled(tmp_path, ["one"])).summary()
    measures = [
        "documents",
        "doctype_accuracy",
        "micro_f1",
        "evidence",
        "seconds_per_page",
        "ece",
        "auroc",
        "errors",
        "coverage_at_99",
        "coverage_at_95",
    ]
    assert list(summary) == [*measures, "types"]
    assert list(summary["types"]["receipt"]) == [*measures, "fields"]
    assert summary["auroc"] is None


def test_a_failed_document_is_no_success_for_a_type_alma_does_not_claim(tmp_path: Path) -> None:
    alma = Scripted({"will": ([], None)})
    summary = accuracy.measure(alma, tmp_path, labelled(tmp_path, ["will"], "handwritten_will")).summary()
    assert summary["doctype_accuracy"] == 0.0


def test_answers_are_kept_where_asked_for(tmp_path: Path) -> None:
    alma = Scripted({"one": ([READY], [DATE])})
    accuracy.measure(alma, tmp_path, labelled(tmp_path, ["one"]), keep=tmp_path / "answers")
    kept = json.loads((tmp_path / "answers" / "one.json").read_text())
    assert kept["fields"][0]["value"] == "2020-01-02"


def test_a_second_run_drops_the_files_under_names_of_its_own(tmp_path: Path) -> None:
    alma = Scripted({"one": ([READY], [DATE])})
    rows = labelled(tmp_path, ["one"])
    accuracy.measure(alma, tmp_path, rows)
    accuracy.measure(alma, tmp_path, rows)
    assert len(set(alma.dropped)) == 2


def test_a_limit_draws_the_same_documents_every_time() -> None:
    rows = [{"id": str(n), "doc_type": kind} for kind in ("deed", "receipt") for n in range(50)]
    drawn = accuracy.chosen(rows, None, 5, seed=1)
    assert drawn == accuracy.chosen(rows, None, 5, seed=1)
    assert [row["doc_type"] for row in drawn] == ["deed"] * 5 + ["receipt"] * 5


def test_types_are_chosen_by_the_label_s_name_or_by_alma_s() -> None:
    rows = [{"id": "1", "doc_type": "deed"}, {"id": "2", "doc_type": "receipt"}]
    assert accuracy.chosen(rows, ["deed_of_conveyance"], None, 0) == accuracy.chosen(rows, ["deed"], None, 0)


def test_a_folder_without_labels_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"labels\.jsonl does not exist"):
        read_labels(tmp_path)


def test_a_label_without_its_file_is_named(tmp_path: Path) -> None:
    labelled(tmp_path, ["one"])
    (tmp_path / "one.png").unlink()
    with pytest.raises(SystemExit, match=r"line 1: one\.png is not there"):
        read_labels(tmp_path)
