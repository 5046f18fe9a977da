"""The circle of the README on the delivery notes: read, corrected, trained, read better, and proven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.runtime import Runtime
from tests.e2e.office import Office, open_office, run_alma

NOTES = Path(__file__).resolve().parents[2] / "samples" / "delivery-notes"
LABELS: list[dict[str, Any]] = [
    json.loads(line) for line in (NOTES / "labels.jsonl").read_text().splitlines()
]
TRUTH = {
    row["file"]: {field["key"]: field.get("normalized", field["value"]) for field in row["fields"]}
    for row in LABELS
}
CORRECTED, LEFT = LABELS[:12], LABELS[12:]


@pytest.fixture(scope="module")
def office(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An organisation that delivers things."""
    with open_office(runtime, tmp_path_factory.mktemp("carriers"), "carriers") as opened:
        yield opened


@pytest.fixture(scope="module")
def ids(office: Office) -> dict[str, int]:
    """Numbers of the notes, twelve of them corrected."""
    office.alma("schema", "put", "delivery_note", str(NOTES / "schema.json"))
    files = [str(NOTES / row["file"]) for row in LABELS]
    dropped = office.alma("drop", *files, "--type", "delivery_note", "--wait")["documents"]
    office.alma("correct", str(NOTES / "corrections.jsonl"))
    return {each["fileName"]: each["documentId"] for each in dropped}


@pytest.fixture(scope="module")
def model(office: Office, ids: dict[str, int]) -> dict[str, Any]:
    """The model trained on them."""
    trained: dict[str, Any] = office.alma(
        "model", "train", "--type", "delivery_note", "--name", "Delivery notes", "--wait"
    )
    return trained


def right(fields: list[dict[str, Any]], name: str) -> int:
    """Return how many values of a note are right."""
    return sum(TRUTH[name].get(field["key"]) == field["value"] for field in fields)


def test_a_model_trained_on_twelve_corrected_notes_is_ready_and_says_what_it_gained(
    model: dict[str, Any],
) -> None:
    assert (model["id"], model["status"]) == ("mdl_delivery_notes_v1", "ready")
    card = model["card"]
    assert card["data"]["documents"] == 12
    assert card["before"]["micro_f1"] < 0.7 < card["after"]["micro_f1"]


def test_notes_nobody_corrected_are_read_better_by_the_model(
    office: Office, ids: dict[str, int], model: dict[str, Any]
) -> None:
    before = after = 0
    for row in LEFT:
        number = ids[row["file"]]
        before += right(office.http.get(f"/api/v1/documents/{number}").json()["fields"], row["file"])
        answer = office.http.post(f"/api/v1/models/{model['id']}/digitize", json={"documentId": number})
        assert answer.json()["model"] == model["id"]
        assert all(field["evidence"]["page"] == 1 for field in answer.json()["fields"])
        after += right(answer.json()["fields"], row["file"])
    assert before <= 6
    assert after >= 10
    named = LEFT[0]["file"]
    assert named == "note-13.pdf"
    assert office.alma("model", "digitize", model["id"], named)["documentId"] == ids[named]


def test_a_corrected_note_keeps_what_the_reviewer_said_when_the_model_reads_it(
    office: Office, ids: dict[str, int], model: dict[str, Any]
) -> None:
    row = CORRECTED[2]
    answer = office.http.post(
        f"/api/v1/models/{model['id']}/digitize", json={"documentId": ids[row["file"]]}
    ).json()
    assert {field["status"] for field in answer["fields"]} <= {"accepted", "edited"}
    assert right(answer["fields"], row["file"]) == 4


def test_a_model_trained_on_a_laptop_gives_the_same_fields(
    office: Office, ids: dict[str, int], model: dict[str, Any]
) -> None:
    office.alma("dataset", "pull", "notes", "--type", "delivery_note")
    folder = office.folder / "notes"
    assert len((folder / "delivery_note.jsonl").read_text().splitlines()) == 48
    (office.folder / "own.onnx").write_text("an earlier one")
    train = ("train", "notes/delivery_note.jsonl", "--base", "alma-base", "--out", "own.onnx", "--force")
    office.alma(*train)
    own = office.alma(
        "model", "register", "own.onnx", "--type", "delivery_note", "--name", "laptop", "--wait"
    )
    assert own["status"] == "ready"
    for row in LEFT:
        body = {"documentId": ids[row["file"]]}
        there = office.http.post(f"/api/v1/models/{model['id']}/digitize", json=body).json()
        here = office.http.post(f"/api/v1/models/{own['id']}/digitize", json=body).json()
        assert here["fields"] == there["fields"]


def test_the_audit_trail_of_all_that_is_whole(office: Office, ids: dict[str, int]) -> None:
    history = office.http.get(f"/api/v1/documents/{ids[CORRECTED[0]['file']]}/history").json()["entries"]
    assert [entry["sequence"] for entry in history] == list(range(1, len(history) + 1))
    done = run_alma(office.folder, "audit", "verify", "--org", "carriers")
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_organisation_sees_neither_model_nor_data_set(
    office: Office, model: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with open_office(office.runtime, tmp_path_factory.mktemp("rivals"), "rivals") as rivals:
        assert rivals.http.get("/api/v1/models").json() == {"models": []}
        assert rivals.http.get(f"/api/v1/models/{model['id']}").status_code == 404
        assert rivals.http.get("/api/v1/datasets/delivery_note?format=jsonl").status_code == 404
        assert rivals.http.get("/api/v1/pages/1/p1.png").status_code == 404
