"""The training function: verified fields become a model, or a reason why not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alma.documents import intake
from alma.errors import UnavailableError
from alma.learning.training import Learned
from alma.models import registry, training_job
from alma.settings import settings
from alma.storage import objects
from alma.storage.items.models import ModelItem
from tests.cloud import Answer, Context, Tenant, client, function
from tests.reading import drop, ingest, read_to_the_end

pytestmark = pytest.mark.usefixtures("aws")

NOTES = Path(__file__).resolve().parents[2] / "samples" / "delivery-notes"
LABELS: list[dict[str, Any]] = [
    json.loads(line) for line in (NOTES / "labels.jsonl").read_text().splitlines()
]
CARD = {"before": {"micro_f1": 0.5}, "after": {"micro_f1": 0.9}}


@pytest.fixture
def carriers() -> Tenant:
    """An organisation with delivery notes."""
    tenant = Tenant.create("carriers")
    schema = json.loads((NOTES / "schema.json").read_text())
    path = {"docType": "delivery_note"}
    assert tenant.call("schemas", "PUT", "/v1/schemas/{docType}", path=path, body=schema).status == 201
    return tenant


def corrected(tenant: Tenant, row: dict[str, Any]) -> int:
    """Upload a note and state what stands on it; return its number."""
    document = intake.announce(tenant.organisation, row["file"], "delivery_note")
    ingest(drop(document.object_key, (NOTES / row["file"]).read_bytes()))
    read_to_the_end()
    path = {"id": str(document.id)}
    resource = "/v1/documents/{id}/fields"
    found = tenant.call("documents", "GET", "/v1/documents/{id}", path=path, query={"tracks": "all"})
    for field in row["fields"]:
        place = {"evidence": {"page": field["page"], "bbox": field["bbox"]}} if field["bbox"] else {}
        value = {"value": field.get("normalized", field["value"])}
        shown = next((each for each in found.json["fields"] if each["key"] == field["key"]), None)
        if shown is None:
            body = {"key": field["key"], **value, **place}
            answer = tenant.call("reviews", "POST", resource, path=path, body=body)
        else:
            body = {"action": "edit", "version": shown["version"], **value, **place}
            answer = tenant.call(
                "reviews", "PATCH", f"{resource}/{{field}}", path=path | {"field": shown["id"]}, body=body
            )
        assert answer.status in (200, 201), answer.body
    return document.id


def asked(tenant: Tenant, **more: str) -> str:
    """Ask for a model of delivery notes; return its id."""
    answer = post(tenant, **more)
    assert answer.status == 202, answer.body
    return str(answer.json["id"])


def post(tenant: Tenant, **more: str) -> Answer:
    body = {"name": "notes", "docType": "delivery_note", **more}
    return tenant.call("models", "POST", "/v1/models", body=body)


def deliver() -> list[dict[str, str]]:
    """Deliver what is in the queue; return the messages that have to come again."""
    sqs = client("sqs")
    got = sqs.receive_message(QueueUrl=settings().model_queue, MaxNumberOfMessages=10).get("Messages", [])
    return train(*(message["Body"] for message in got))


def train(*bodies: str) -> list[dict[str, str]]:
    event = {
        "Records": [
            {
                "messageId": f"m{n}",
                "receiptHandle": "r",
                "body": body,
                "attributes": {},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:alma-test-models",
                "awsRegion": "eu-west-1",
            }
            for n, body in enumerate(bodies)
        ]
    }
    failures: list[dict[str, str]] = function("train").handler(event, Context())["batchItemFailures"]
    return failures


def message(model: str) -> str:
    return json.dumps({"organisation": "carriers", "modelId": model})


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch) -> list[Learned | Exception]:
    """What the next trainings give, so that what happens around them can be seen without learning."""
    results: list[Learned | Exception] = []

    def learn(*_: Any, **__: Any) -> Learned:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(training_job, "learn", learn)
    return results


def view(tenant: Tenant, model: str) -> dict[str, Any]:
    found: dict[str, Any] = tenant.call("models", "GET", "/v1/models/{id}", path={"id": model}).json
    return found


def test_a_model_that_is_better_is_kept_with_its_card_and_what_tells_its_file(
    carriers: Tenant, learner: list[Learned | Exception]
) -> None:
    # What is really learnt from notes: tests/e2e/test_flywheel.py.
    corrected(carriers, LABELS[0])
    learner.append(Learned(b"onnx", CARD, True, 4))
    model = asked(carriers)

    assert deliver() == []

    found = view(carriers, model)
    assert (found["status"], found["trainedExamples"]) == ("ready", 4)
    digest = hashlib.sha256(b"onnx").hexdigest()
    assert found["card"] == CARD | {"sha256": digest}
    assert objects.get("carriers", objects.model_key(model, digest)) == b"onnx"


def test_three_notes_are_too_few_and_the_model_says_how_many_more(carriers: Tenant) -> None:
    for row in LABELS[:3]:
        corrected(carriers, row)
    model = asked(carriers)

    assert deliver() == []

    found = view(carriers, model)
    assert (found["status"], found["error"]) == ("failed", "too_few_documents")
    assert "verify fields of 1 more" in found["detail"]


def test_a_model_that_is_no_better_is_rejected_with_the_figures_and_leaves_no_file(
    carriers: Tenant, learner: list[Learned | Exception]
) -> None:
    corrected(carriers, LABELS[0])
    learner.append(Learned(b"onnx", CARD | {"after": {"micro_f1": 0.5}}, False, 4))
    model = asked(carriers)

    assert deliver() == []

    found = view(carriers, model)
    assert (found["status"], found["error"]) == ("rejected", "not_better")
    assert "its F1 was 0.500 and that of alma-base 0.500" in found["detail"]
    assert found["card"]["after"] == {"micro_f1": 0.5}
    file = carriers.call("models", "GET", "/v1/models/{id}/file", path={"id": model})
    assert file.status == 409


def test_a_message_that_comes_twice_trains_once(carriers: Tenant, learner: list[Learned | Exception]) -> None:
    corrected(carriers, LABELS[0])
    learner.append(Learned(b"onnx", CARD, True, 4))
    model = asked(carriers)

    assert train(message(model), message(model)) == []
    assert view(carriers, model)["status"] == "ready"


def test_of_two_trainings_of_one_model_at_once_the_later_begun_counts_and_its_file_is_the_card_s(
    carriers: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrected(carriers, LABELS[0])
    model = asked(carriers)
    begun: list[bytes] = []

    def learn(*_: Any, **__: Any) -> Learned:
        begun.append(b"slow" if not begun else b"quick")
        content = begun[-1]
        if content == b"slow":  # the message comes again meanwhile
            assert train(message(model)) == []
        return Learned(content, CARD, True, 4)

    monkeypatch.setattr(training_job, "learn", learn)
    assert train(message(model)) == []

    found = registry.get_ready("carriers", model)
    assert registry.content(found) == b"quick"


def test_a_base_that_was_replaced_by_a_stranger_s_file_is_not_opened(
    carriers: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrected(carriers, LABELS[0])
    learned = Learned(b"first", CARD, True, 4)
    monkeypatch.setattr(training_job, "learn", lambda *_, **__: learned)
    first = asked(carriers)
    deliver()
    second = asked(carriers, baseModel=first)
    row = ModelItem.get("carriers", f"model#{first}")
    row.update(actions=[ModelItem.origin.set("registered")])

    assert deliver() == []
    assert view(carriers, second)["error"] == "wrong_base"


def test_a_value_without_a_place_is_neither_taught_nor_taken_for_absent(
    carriers: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = LABELS[0] | {"fields": [dict(field) for field in LABELS[0]["fields"]]}
    missing = next(field for field in row["fields"] if field["key"] == "recipient")
    missing |= {"bbox": None, "value": "Nobody & Daughters", "normalized": "Nobody & Daughters"}
    corrected(carriers, row)
    asked(carriers)
    taught: list[Any] = []

    def learn(documents: Any, *_: Any, **__: Any) -> Learned:
        taught.extend(documents)
        return Learned(b"onnx", CARD, True, 4)

    monkeypatch.setattr(training_job, "learn", learn)
    assert deliver() == []
    (document,) = taught
    assert (document.complete, document.unplaced) == (True, {"recipient"})
    assert {each.field_key for each in document.examples} == {"note_number", "delivered_on", "parcels"}


def test_a_service_that_is_out_of_reach_has_the_training_tried_again(
    carriers: Tenant, learner: list[Learned | Exception]
) -> None:
    corrected(carriers, LABELS[0])
    learner += [UnavailableError("not now"), Learned(b"onnx", CARD, True, 4)]
    model = asked(carriers)

    assert train(message(model)) == [{"itemIdentifier": "m0"}]
    assert view(carriers, model)["status"] == "training"
    assert train(message(model)) == []
    assert view(carriers, model)["status"] == "ready"


def test_a_training_that_dies_without_a_word_is_given_up_the_third_time(
    carriers: Tenant, learner: list[Learned | Exception]
) -> None:
    corrected(carriers, LABELS[0])
    learner += [MemoryError(), MemoryError()]
    model = asked(carriers)

    assert train(message(model)) == [{"itemIdentifier": "m0"}]
    assert train(message(model)) == [{"itemIdentifier": "m0"}]
    assert train(message(model)) == []
    assert view(carriers, model)["error"] == "training_crashed"


def test_a_model_removed_while_it_is_trained_leaves_nothing(
    carriers: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrected(carriers, LABELS[0])
    model = asked(carriers)

    def learn(*_: Any, **__: Any) -> Learned:
        registry.delete("carriers", model)
        return Learned(b"onnx", CARD, True, 4)

    monkeypatch.setattr(training_job, "learn", learn)
    assert deliver() == []
    assert registry.list_models("carriers") == []
    bucket = client("s3").list_objects_v2(Bucket=settings().archive_bucket, Prefix="carriers/models/")
    assert "Contents" not in bucket


def test_the_documents_of_another_organisation_teach_nothing(
    carriers: Tenant, learner: list[Learned | Exception]
) -> None:
    corrected(carriers, LABELS[0])
    rivals = Tenant.create("rivals")
    schema = json.loads((NOTES / "schema.json").read_text())
    rivals.call("schemas", "PUT", "/v1/schemas/{docType}", path={"docType": "delivery_note"}, body=schema)

    assert (post(rivals).status, post(rivals).json["error"]) == (409, "no_examples")

    model = asked(carriers)  # and nothing it could learn: the learner would fail
    assert train(json.dumps({"organisation": "rivals", "modelId": model})) == []
    assert view(carriers, model)["status"] == "training"


def test_what_a_model_is_tuned_from_is_the_base_that_was_asked_for(
    carriers: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrected(carriers, LABELS[0])
    bases: list[tuple[bytes, str]] = []

    def learn(_documents: Any, _schema: Any, base: bytes, *, base_name: str, **__: Any) -> Learned:
        bases.append((base, base_name))
        return Learned(b"first" if base_name == "alma-base" else b"second", CARD, True, 4)

    monkeypatch.setattr(training_job, "learn", learn)
    monkeypatch.setattr(training_job, "Scorer", lambda _: replace_calibration())
    first = asked(carriers)
    deliver()
    asked(carriers, baseModel=first)
    deliver()
    assert bases[1] == (b"first", first)


def replace_calibration() -> Any:
    """Return what a model trained here says of itself."""
    from alma.extraction.scoring.confidence import shipped_calibration

    class Trained:
        calibration = replace(shipped_calibration(), biases={})

    return Trained()
