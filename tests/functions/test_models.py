"""An organisation's models over HTTP, and the check of those that it brings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from onnx import TensorProto, helper

from alma.access.keys import Role
from alma.extraction.scoring.features import BUCKETS, DENSE, TOKENS
from alma.models import registry
from alma.models.registry import ModelStatus
from alma.settings import settings
from alma.storage import objects
from alma.storage.items.documents import DocumentItem, document_key
from alma.storage.items.models import ModelItem
from tests import scorers
from tests.cloud import Answer, Context, Tenant, client, function
from tests.reading import drop
from tests.registering import announced, check, create, get, inbox, registered, upload

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def greaves() -> Tenant:
    return Tenant.create("greaves")


def delete(tenant: Tenant, model: str) -> int:
    return tenant.call("models", "DELETE", "/v1/models/{id}", path={"id": model}).status


def verified(tenant: Tenant, doc_type: str = "receipt") -> None:
    """Give an organisation a document of which people verified a field."""
    document = tenant.seed_document(doc_type=doc_type)
    DocumentItem(tenant.organisation, document_key(document.id)).update(
        actions=[DocumentItem.verified.set(1)]
    )


def kept() -> list[str]:
    return [
        each["Key"]
        for each in client("s3").list_objects_v2(Bucket=settings().archive_bucket).get("Contents", [])
    ]


def trainings() -> list[Any]:
    got = client("sqs").receive_message(QueueUrl=settings().model_queue, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in got.get("Messages", [])]


def set_limits(monkeypatch: pytest.MonkeyPatch, **limits: Any) -> None:
    changed = replace(settings(), **limits)
    monkeypatch.setattr("alma.models.validation.settings", lambda: changed)


# --- training ----------------------------------------------------------------


def test_a_model_is_trained_from_what_people_verified(greaves: Tenant) -> None:
    verified(greaves)

    answer = create(greaves, name="Our receipts v2")

    assert (answer.status, answer.headers["Retry-After"]) == (202, "10")
    made = answer.json
    assert made == {
        "id": "mdl_our_receipts_v1",
        "name": "Our receipts v2",
        "baseModel": "alma-base",
        "docType": "receipt",
        "status": "training",
        "trainedExamples": 0,
        "createdAt": made["createdAt"],
        "origin": "trained",
        "createdBy": greaves.ids[Role.ADMIN],
        "finishedAt": None,
        "error": None,
        "detail": None,
        "card": None,
    }
    assert trainings() == [{"organisation": "greaves", "modelId": "mdl_our_receipts_v1"}]
    assert get(greaves, "mdl_our_receipts_v1") == made


def test_without_verified_fields_of_the_type_there_is_nothing_to_train_on(greaves: Tenant) -> None:
    greaves.seed_document(doc_type="receipt")
    verified(greaves, "invoice")
    verified(Tenant.create("other"))

    answer = create(greaves)

    assert (answer.status, answer.json["error"]) == (409, "no_examples")
    assert "review some documents" in answer.json["detail"]
    assert (registry.list_models("greaves"), trainings()) == ([], [])


def test_one_training_of_a_type_at_a_time(greaves: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    verified(greaves)
    verified(greaves, "invoice")
    assert create(greaves).status == 202

    second = create(greaves)

    assert (second.status, second.json["error"]) == (409, "already_training")
    assert create(greaves, docType="invoice").status == 202
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=61)
    monkeypatch.setattr("alma.models.registry.now", lambda: later)
    assert create(greaves).json["id"] == "mdl_our_receipts_v3"


def test_a_model_whose_training_cannot_be_queued_is_not_there(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified(greaves)

    def refuse(organisation: str, model_id: str) -> None:
        raise ConnectionError("the queue is away")

    monkeypatch.setattr("alma.storage.queue.send_model", refuse)

    assert create(greaves).status == 500
    assert registry.list_models("greaves") == []


def test_an_organisation_has_at_most_fifty_models(greaves: Tenant) -> None:
    for number in range(50):
        ModelItem(
            "greaves", f"model#mdl_{number}", model_id=f"mdl_{number}", name="n", base_model="alma-base",
            status="ready", created_at="2026-01-01T00:00:00Z",
        ).save()  # fmt: skip

    answer = create(greaves, source="upload")

    assert (answer.status, answer.json["error"]) == (409, "too_many_models")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"docType": "nothing"}, "docType is one of ad_buy_form"),
        ({"docType": None}, "docType"),
        ({"name": ""}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"source": "magic"}, "source"),
        (
            {"baseModel": "mdl_x_v1"},
            "baseModel is alma-base, or the id of a ready model of yours for receipt",
        ),
        ({"epochs": 3}, "epochs"),
    ],
)
def test_a_body_that_is_not_one_says_what_to_send(greaves: Tenant, body: Any, told: str) -> None:
    answer = create(greaves, **body)

    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert told in answer.json["detail"]


def test_a_model_can_be_tuned_from_a_ready_one_of_the_same_type_that_was_trained_here(
    greaves: Tenant,
) -> None:
    verified(greaves)
    base = registered(greaves, scorers.scorer())["id"]

    refused = create(greaves, baseModel=base)
    assert (refused.status, "cannot be trained further" in refused.json["detail"]) == (400, True)
    row = ModelItem.get("greaves", f"model#{base}")
    row.update(actions=[ModelItem.origin.set("trained")])
    assert create(greaves, baseModel=base).json["baseModel"] == base
    assert create(greaves, baseModel=base, docType="invoice").status == 400
    assert create(Tenant.create("other"), baseModel=base).status == 400


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("Barbados deeds — v3", "mdl_barbados_deeds_v1"),
        ("Reçus d'été", "mdl_recus_d_ete_v1"),
        ("契约", "mdl_receipt_v1"),
        ("v2", "mdl_v2_v1"),
        ("x" * 100, "mdl_" + "x" * 40 + "_v1"),
        ("<script>alert(1)</script>", "mdl_script_alert_1_script_v1"),
    ],
)
def test_ids_are_made_of_names(greaves: Tenant, name: str, identifier: str) -> None:
    assert announced(greaves, name=name) == identifier
    assert get(greaves, identifier)["name"] == name


def test_versions_count_up(greaves: Tenant) -> None:
    assert [announced(greaves) for _ in range(3)] == [f"mdl_our_receipts_v{n}" for n in (1, 2, 3)]
    assert delete(greaves, "mdl_our_receipts_v2") == 204
    assert announced(greaves) == "mdl_our_receipts_v4"


# --- registering -------------------------------------------------------------


def test_a_model_trained_elsewhere_is_announced_uploaded_checked_and_ready(greaves: Tenant) -> None:
    content = scorers.scorer()
    answer = create(greaves, source="upload")
    made = answer.json
    assert (answer.status, made["status"], made["origin"]) == (201, "uploading", "registered")
    assert set(made["upload"]) == {"method", "url", "expiresIn"}
    assert f"/models/greaves/{made['id']}.onnx?" in made["upload"]["url"]

    check(upload(greaves, made["id"], content))

    found = get(greaves, made["id"])
    assert (found["status"], found["error"], found["detail"]) == ("ready", None, None)
    card = found["card"]
    assert card == {
        "origin": "registered",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "opset": 17,
        "operators": ["Gemm"],
        "fields": list(scorers.FIELDS),
        "secondsPer1000": card["secondsPer1000"],
        "peakMemory": card["peakMemory"],
    }
    assert 0 < card["secondsPer1000"] < 2
    assert kept() == [f"greaves/models/{made['id']}/{card['sha256']}.onnx"]
    assert inbox() == []


def test_a_tree_ensemble_is_a_scorer_too(greaves: Tenant) -> None:
    assert registered(greaves, scorers.of_trees())["card"]["operators"] == ["TreeEnsembleRegressor"]


def test_a_file_is_opened_as_what_it_was_checked_as(greaves: Tenant) -> None:
    # ONNX Runtime takes a file that says ORTM in its fifth to eighth byte for its own format, in which
    # anything may stand that was not checked.
    content = scorers.scorer(producer="ORTM and more")
    assert content[4:8] == b"ORTM"

    assert registered(greaves, content)["status"] == "ready"


def test_an_id_never_comes_again(greaves: Tenant) -> None:
    verified(greaves)
    first = create(greaves, name="Notes").json["id"]
    assert delete(greaves, first) == 204

    assert (first, create(greaves, name="Notes").json["id"]) == ("mdl_notes_v1", "mdl_notes_v2")


def test_the_file_is_the_organisations_own(greaves: Tenant) -> None:
    made = registered(greaves, scorers.scorer())
    ready, digest = made["id"], made["card"]["sha256"]
    waiting = announced(greaves)

    def fetch(model: str) -> Answer:
        return greaves.call("models", "GET", "/v1/models/{id}/file", path={"id": model}, role=Role.READER)

    assert fetch(ready).status == 303
    assert f"/greaves/models/{ready}/{digest}.onnx?" in fetch(ready).headers["Location"]
    assert (fetch(waiting).status, fetch(waiting).json["error"]) == (409, "model_not_ready")


def test_a_removed_model_is_gone_with_its_file(greaves: Tenant) -> None:
    model = registered(greaves, scorers.scorer())["id"]

    assert (delete(greaves, model), delete(greaves, model)) == (204, 404)
    assert kept() == []
    assert greaves.call("models", "GET", "/v1/models").json == {"models": []}


def test_a_model_whose_file_never_comes_is_shown_as_failed(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = announced(greaves)
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=21)
    monkeypatch.setattr("alma.models.registry.now", lambda: later)

    found = get(greaves, model)

    assert (found["status"], found["error"]) == ("failed", "upload_missing")
    assert "register it again" in found["detail"]


def test_a_training_that_never_ends_is_shown_as_failed_after_a_day(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified(greaves)
    model = create(greaves).json["id"]
    assert get(greaves, model)["status"] == "training"

    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=25)
    monkeypatch.setattr("alma.models.registry.now", lambda: later)
    found = get(greaves, model)
    assert (found["status"], found["error"]) == ("failed", "given_up")


def metadata(**about: Any) -> Callable[[], bytes]:
    return lambda: scorers.scorer(about=about)


def tensors(*shapes: tuple[str, int, list[Any]]) -> list[Any]:
    return [helper.make_tensor_value_info(*shape) for shape in shapes]


DENSE_INPUT = ("dense", TensorProto.FLOAT, ["N", len(DENSE)])
TOKENS_INPUT = ("tokens", TensorProto.INT64, ["N", TOKENS])
FIELD_INPUT = ("field", TensorProto.INT64, ["N"])


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: b"", "not_onnx", "export"),
        (lambda: b"\x89PNG\r\n\x1a\n not a model", "not_onnx", "export"),
        (lambda: scorers.scorer()[:200], "not_onnx", "export"),
        (
            lambda: scorers.scorer([helper.make_node("Gemm", ["dense", "nothing"], ["logits"])]),
            "not_onnx",
            "no valid ONNX model",
        ),
        (scorers.external, "external_data", "save_as_external_data=False"),
        (scorers.loop, "unsupported_operator", "Loop"),
        (scorers.of_a_domain_of_its_own, "unsupported_operator", "com.example"),
        (
            lambda: scorers.scorer([helper.make_node("RandomUniformLike", ["dense"], ["logits"])]),
            "unsupported_operator",
            "RandomUniformLike",
        ),
        (lambda: scorers.scorer(opset=11), "unsupported_operator", "13 to 21"),
        (
            lambda: scorers.scorer(inputs=tensors(DENSE_INPUT, TOKENS_INPUT)),
            "wrong_inputs",
            f"tokens int64 (N, {TOKENS})",
        ),
        (
            lambda: scorers.scorer(
                inputs=tensors(DENSE_INPUT, ("tokens", TensorProto.INT32, ["N", TOKENS]), FIELD_INPUT)
            ),
            "wrong_inputs",
            "int64",
        ),
        (
            lambda: scorers.scorer(
                inputs=tensors(("dense", TensorProto.FLOAT, [1, len(DENSE)]), TOKENS_INPUT, FIELD_INPUT)
            ),
            "wrong_inputs",
            "N left open",
        ),
        (
            lambda: scorers.scorer(
                [helper.make_node("ReduceMean", ["dense"], ["logits"], axes=[1], keepdims=0)],
                outputs=tensors(("logits", TensorProto.FLOAT, ["N"])),
            ),
            "wrong_outputs",
            "(N, M)",
        ),
        (
            lambda: scorers.scorer(*scorers.nodes_and_weights(scorers.votes_for_rules(17))),
            "wrong_outputs",
            "1 to 16",
        ),
        (
            lambda: scorers.scorer([helper.make_node("Transpose", ["dense"], ["logits"])]),
            "wrong_outputs",
            "(N, M)",
        ),
        (scorers.not_a_number, "wrong_outputs", "finite"),
        (lambda: scorers.scorer(metadata=None), "wrong_features", "no metadata entry named alma"),
        (lambda: scorers.scorer(metadata="[1]"), "wrong_features", "no JSON object"),
        (lambda: scorers.scorer(metadata="[" * 100_000), "wrong_features", "no JSON object"),
        (metadata(dense=DENSE[1:]), "wrong_features", "other features"),
        (metadata(buckets=BUCKETS + 1), "wrong_features", "other features"),
        (metadata(doc_type="invoice"), "wrong_features", "doc_type"),
        (metadata(fields=[]), "wrong_features", "1 to 2000"),
        (metadata(fields=["invoice.total_gross"]), "wrong_features", "receipt.company"),
        (metadata(fields=["receipt.total"] * 2), "wrong_features", "twice"),
        (metadata(calibration={"weights": [1.0], "biases": {}}), "wrong_features", "a number for each"),
        (
            metadata(calibration={"weights": [float("nan")] * 16, "biases": {}}),
            "wrong_features",
            "finite",
        ),
        (scorers.bloated, "model_too_large_in_memory", "more memory"),
        (scorers.bloated_when_opened, "model_too_large_in_memory", "more memory"),
        (scorers.out_of_range, "model_crashed", "indices"),
    ],
)
def test_a_model_that_is_no_scorer_is_refused_with_the_reason(
    greaves: Tenant, make: Callable[[], bytes], error: str, told: str
) -> None:
    found = registered(greaves, make())

    assert (found["status"], found["error"]) == ("failed", error)
    assert told in found["detail"]
    assert found["card"] is None
    assert kept() == []


def test_a_model_with_a_calibration_of_its_own_is_fine(greaves: Tenant) -> None:
    calibration = {"weights": [0.0] * 16, "biases": {"receipt": 2.0}}
    assert registered(greaves, scorers.scorer(about={"calibration": calibration}))["status"] == "ready"


def test_a_model_that_is_too_slow_is_refused(greaves: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    set_limits(monkeypatch, model_seconds=1)

    found = registered(greaves, scorers.slow())

    assert (found["status"], found["error"]) == ("failed", "model_too_slow")
    assert "within 1 seconds" in found["detail"]


def test_a_model_that_only_just_answers_is_too_slow(greaves: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alma.models.validation.MOST_SECONDS", 0.0)

    found = registered(greaves, scorers.scorer())

    assert (found["error"], "5000 candidates" in found["detail"]) == ("model_too_slow", True)


def test_a_file_that_is_too_large_is_refused_before_it_is_fetched(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limits(monkeypatch, max_model_bytes=100)

    def fetch(key: str, etag: str) -> bytes:
        raise AssertionError("fetched")

    monkeypatch.setattr("alma.storage.objects.read_inbox", fetch)

    found = registered(greaves, scorers.scorer())

    assert (found["status"], found["error"]) == ("failed", "model_too_large")
    assert "make the model smaller" in found["detail"]


def test_a_model_delivered_twice_is_checked_once(greaves: Tenant) -> None:
    model = announced(greaves)
    event = upload(greaves, model, scorers.scorer())
    check(event)
    first = get(greaves, model)

    check(event)
    check(upload(greaves, model, scorers.loop()))

    assert get(greaves, model) == first
    assert inbox() == []
    digest = first["card"]["sha256"]
    assert kept() == [f"greaves/models/{model}/{digest}.onnx"]
    assert hashlib.sha256(objects.get("greaves", objects.model_key(model, digest))).hexdigest() == digest


def test_another_content_that_comes_during_the_check_changes_nothing(greaves: Tenant) -> None:
    model = announced(greaves)
    first = upload(greaves, model, scorers.scorer())
    assert registry.begin_check("greaves", model, first["Records"][0]["s3"]["object"]["eTag"]) is not None

    check(upload(greaves, model, scorers.of_trees()))
    assert get(greaves, model)["status"] == "checking"
    check(first)

    found = get(greaves, model)
    assert (found["status"], found["error"]) == ("failed", "upload_replaced")


def test_a_file_for_a_model_that_is_gone_or_was_never_announced_is_removed(greaves: Tenant) -> None:
    model = announced(greaves)
    event = upload(greaves, model, scorers.scorer())
    assert delete(greaves, model) == 204

    check(event)
    check(drop("models/greaves/mdl_unheard_of_v1.onnx", b"x"))
    check(drop("models/greaves/../readme.txt", b"x"))

    assert (inbox(), kept(), registry.list_models("greaves")) == ([], [], [])


def test_a_model_removed_while_it_is_checked_leaves_no_file(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = announced(greaves)
    event = upload(greaves, model, scorers.scorer())
    put = objects.put

    def put_late(*arguments: Any) -> None:
        assert delete(greaves, model) == 204
        put(*arguments)

    monkeypatch.setattr("alma.storage.objects.put", put_late)
    check(event)

    assert (inbox(), kept(), registry.list_models("greaves")) == ([], [], [])


def test_a_model_that_brings_the_check_down_again_and_again_is_given_up(greaves: Tenant) -> None:
    model = announced(greaves)
    event = upload(greaves, model, scorers.scorer())
    etag = event["Records"][0]["s3"]["object"]["eTag"]
    for _ in range(registry.MOST_ATTEMPTS):
        assert registry.begin_check("greaves", model, etag) is not None  # and then the function died

    check(event)

    assert get(greaves, model)["error"] == "model_crashed"


def test_ingest_makes_no_document_of_a_model(greaves: Tenant) -> None:
    model = announced(greaves)
    function("ingest").handler(upload(greaves, model, scorers.scorer()), Context())

    assert greaves.call("documents", "GET", "/v1/documents").json["documents"] == []
    assert get(greaves, model)["status"] == ModelStatus.UPLOADING


def test_lists_show_the_type_and_no_more_than_was_promised(greaves: Tenant) -> None:
    model = registered(greaves, scorers.scorer())

    (listed,) = greaves.call("models", "GET", "/v1/models", role=Role.READER).json["models"]

    assert listed == {
        "id": "mdl_our_receipts_v1",
        "name": "Our receipts",
        "baseModel": "alma-base",
        "docType": "receipt",
        "status": "ready",
        "trainedExamples": 0,
        "createdAt": model["createdAt"],
    }
