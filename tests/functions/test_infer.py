"""Documents read by models of their organisation, each in a process of its own."""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from alma.access.keys import Role
from alma.datamodel.examples import Example, LabelledDocument
from alma.datamodel.fields import Extraction, Field, Reading, Status
from alma.datamodel.schemas import shipped_schemas
from alma.documents import intake, page_records, progress, records
from alma.documents.page_words import read_words
from alma.extraction.sandbox.guarded import GuardedScorer
from alma.extraction.scoring.features import DENSE
from alma.models import inference, registry
from alma.models.inference import WarmModels
from alma.sandbox import Child
from alma.settings import settings
from alma.storage import objects
from alma.storage.items.models import ModelItem
from examples import own_model
from tests import scorers
from tests.cloud import Answer, Tenant, seed_fields
from tests.reading import FIVE_RECEIPTS, SHOPS, drop, ingest, read_to_the_end, receipt
from tests.registering import registered
from tests.unit.files.making_pdfs import pdf_of_pages

pytestmark = pytest.mark.usefixtures("aws")

CALIBRATION = {"weights": [0.0] * 16, "biases": {"receipt": 3.0}}


@pytest.fixture(autouse=True)
def _no_model_outlives_its_test() -> Iterator[None]:
    yield
    inference.warm.close()


@pytest.fixture
def greaves() -> Tenant:
    """An organisation with one receipt, document 1."""
    return with_receipt("greaves")


def with_receipt(organisation: str) -> Tenant:
    tenant = Tenant.create(organisation)
    ingest(drop(f"inbox/{organisation}/receipt.pdf", pdf_of_pages(receipt(*SHOPS[0]))))
    read_to_the_end()
    return tenant


def ready(tenant: Tenant, content: bytes | None = None) -> str:
    """Register a model that believes the rules, and return its id."""
    model = registered(tenant, content or scorers.scorer(about={"calibration": CALIBRATION}))
    assert model["status"] == "ready", model
    identifier: str = model["id"]
    return identifier


def digitize(
    tenant: Tenant,
    model: str,
    document: int = 1,
    role: Role = Role.READER,
    headers: dict[str, str] | None = None,
) -> Answer:
    return tenant.call(
        "infer",
        "POST",
        "/v1/models/{id}/digitize",
        path={"id": model},
        body={"documentId": document},
        role=role,
        headers=headers,
    )


def get(tenant: Tenant, **query: str) -> Any:
    answer = tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": "1"}, query=query)
    assert answer.status == 200
    return answer.json


def values(answer: Any) -> dict[str, Any]:
    return {field["key"]: (field["value"], field["confidence"]) for field in answer["fields"]}


def test_a_document_is_read_by_a_model_of_ones_own(greaves: Tenant) -> None:
    model = ready(greaves)

    answer = digitize(greaves, model)

    assert answer.status == 200
    found = answer.json
    assert list(found) == ["documentId", "docType", "model", "fields"]
    assert (found["documentId"], found["docType"], found["model"]) == (1, "receipt", model)
    assert values(found) == {
        "company": ("GERBANG ALAF RESTAURANTS SDN BHD", 0.953),
        "date": ("2018-03-12", 0.953),
        "address": ("LEVEL 6, BANGUNAN TH, 46350 PETALING JAYA", 0.953),
        "total": ("17.35", 0.953),
    }
    total = next(field for field in found["fields"] if field["key"] == "total")
    assert list(total) == ["key", "value", "confidence", "status", "evidence"]
    assert (total["status"], total["evidence"]["page"]) == ("unreviewed", 1)


def test_its_readings_stay_with_the_document_as_a_track_of_their_own(greaves: Tenant) -> None:
    before = get(greaves)
    model = ready(greaves)
    digitize(greaves, model)
    digitize(greaves, model)

    tracks = {
        field["key"]: [reading["track"] for reading in field["tracks"]]
        for field in get(greaves, tracks="all")["fields"]
        if "group" not in field
    }

    assert {key: sorted(each) for key, each in tracks.items()} == {
        key: [model, "text"] for key in ("company", "date", "address", "total")
    }
    # The rows of tables are no work of a model, and stay.
    rows = [field for field in before["fields"] if "group" in field]
    assert rows == [field for field in get(greaves)["fields"] if "group" in field]


def test_its_runs_are_counted_for_the_key_that_asked(greaves: Tenant) -> None:
    model = ready(greaves)
    digitize(greaves, model)
    digitize(greaves, model)
    digitize(greaves, "mdl_of_nobody")

    told = greaves.call("keys", "GET", "/v1/usage").json["keys"]

    assert {key["name"]: key["modelRuns"] for key in told} == {"admin": 0, "reader": 2, None: 0}


def test_without_numbers_of_its_own_a_models_confidence_is_unknown(greaves: Tenant) -> None:
    before = values(get(greaves))
    model = ready(greaves, scorers.scorer())

    assert values(digitize(greaves, model).json)["total"] == ("17.35", None)
    # So what was known before stays the best.
    assert values(get(greaves)) == before


def test_what_people_decided_is_shown_as_they_decided_it() -> None:
    tenant = Tenant.create("greaves")
    ingest(drop("inbox/greaves/receipt.pdf", pdf_of_pages(receipt(*SHOPS[0]))))
    said = Reading("text", "18.00", "18.00", None, ())
    document = progress.pages_known(records.get("greaves", 1), 1, [], "application/pdf")
    only_text = Reading("text", "note", "note", 0.9, ())
    progress.finish(
        document,
        Extraction(
            "receipt",
            None,
            [
                Field("total", 0, (said,), Status.EDITED, reviewed=said),
                Field("company", 0, (), Status.REJECTED),
                Field("unheard_of", 0, (only_text,)),
            ],
        ),
    )
    model = ready(tenant)

    found = digitize(tenant, model).json

    assert [(f["key"], f["value"], f["status"]) for f in found["fields"] if f["key"] == "total"] == [
        ("total", "18.00", "edited")
    ]
    assert "unheard_of" not in values(found)
    company = next(field for field in found["fields"] if field["key"] == "company")
    assert (company["value"], company["status"]) == ("GERBANG ALAF RESTAURANTS SDN BHD", "rejected")


def test_a_document_of_another_type_is_refused(greaves: Tenant) -> None:
    deed = greaves.seed_document(seed_fields())
    unknown = greaves.seed_document(doc_type=None)

    model = ready(greaves)
    for document in (deed, unknown):
        answer = digitize(greaves, model, document.id)
        assert (answer.status, answer.json["error"]) == (409, "wrong_doc_type")
        assert "use a model for that" in answer.json["detail"]


def test_a_document_without_fields_answers_as_digitize_does(greaves: Tenant) -> None:
    model = ready(greaves)
    waiting = intake.announce("greaves", "a.pdf")
    broken = intake.announce("greaves", "b.pdf")
    progress.fail(broken, "damaged_file", "It is damaged.")

    assert digitize(greaves, model, waiting.id).status == 202
    failed = digitize(greaves, model, broken.id)
    assert (failed.status, failed.json["error"]) == (422, "damaged_file")
    assert digitize(greaves, model, 99).status == 404
    assert digitize(greaves, "mdl_nothing_v1").status == 404


def test_neither_models_nor_documents_cross_organisations(greaves: Tenant) -> None:
    model = ready(greaves)
    stranger = Tenant.create("stranger")
    own = ready(stranger)
    assert own == model

    assert digitize(stranger, own, 1).status == 404
    assert digitize(greaves, model).status == 200


def test_an_answer_too_large_for_lambda_is_a_redirect(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    model = ready(greaves)
    small = replace(settings(), max_inline_bytes=100)
    monkeypatch.setattr("alma.api.answers.settings", lambda: small)

    answer = digitize(greaves, model)

    assert answer.status == 303
    assert f"/greaves/exports/1/document-1-{model}.json?" in answer.headers["Location"]


def test_a_repeat_with_an_idempotency_key_runs_no_model(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ready(greaves)
    key = {"Idempotency-Key": "8e03978e"}
    first = digitize(greaves, model, headers=key)
    processes = started(monkeypatch)
    inference.warm.close()

    again = digitize(greaves, model, headers=key)

    assert (again.status, again.json, again.headers["Idempotency-Replayed"]) == (200, first.json, "true")
    assert processes == []


# --- processes ---------------------------------------------------------------


def started(monkeypatch: pytest.MonkeyPatch) -> list[GuardedScorer]:
    """Return a list of the model processes that are started from now on."""
    seen: list[GuardedScorer] = []

    class Seen(GuardedScorer):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            seen.append(self)

    monkeypatch.setattr(inference, "GuardedScorer", Seen)
    return seen


def kept(tenant: Tenant, number: int) -> registry.Model:
    """Return a ready model whose file is in the archive, without a check."""
    content = scorers.scorer()
    model_id = f"mdl_kept_v{number}"
    ModelItem(
        tenant.organisation,
        f"model#{model_id}",
        model_id=model_id,
        name="kept",
        base_model="alma-base",
        doc_type="receipt",
        status="ready",
        created_at="2026-05-14T09:21:00Z",
        card={"sha256": hashlib.sha256(content).hexdigest()},
    ).save()
    key = objects.model_key(model_id, hashlib.sha256(content).hexdigest())
    objects.put(tenant.organisation, key, content, "application/octet-stream")
    return registry.get(tenant.organisation, model_id)


def pid_of(scorer: GuardedScorer) -> int:
    return scorer._child._process.pid


def test_a_model_is_kept_warm_for_the_next_document(greaves: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ready(greaves)
    seen = started(monkeypatch)

    assert [digitize(greaves, model).status for _ in range(3)] == [200] * 3
    assert [scorer.alive for scorer in seen] == [True]


def test_the_model_asked_longest_ago_makes_room_and_none_serves_two_organisations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenants = [Tenant.create(name) for name in ("greaves", "stranger")]
    first, second, third, fourth = (kept(tenant, number) for tenant in tenants for number in (1, 2))
    assert (first.id, first.card) == (third.id, third.card)
    warm = WarmModels(most=3)
    seen = started(monkeypatch)

    ours, other, theirs = (warm.get(model) for model in (first, second, third))
    assert len({pid_of(scorer) for scorer in seen}) == 3
    assert warm.get(first) is ours
    newest = warm.get(fourth)

    assert [scorer.alive for scorer in (ours, other, theirs, newest)] == [True, False, True, True]
    assert warm.get(third) is theirs
    warm.close()
    assert [scorer.alive for scorer in seen] == [False] * 4


def test_a_model_that_dies_between_two_calls_is_started_anew(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ready(greaves)
    seen = started(monkeypatch)
    digitize(greaves, model)
    os.kill(pid_of(seen[0]), signal.SIGKILL)
    os.waitid(os.P_PID, pid_of(seen[0]), os.WEXITED | os.WNOWAIT)

    assert digitize(greaves, model).status == 200
    assert len(seen) == 2


def test_a_model_that_dies_in_mid_call_costs_that_call_only(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ready(greaves)
    seen = started(monkeypatch)
    digitize(greaves, model)
    answer_of, send_to = GuardedScorer._answer, Child.send
    sent: list[int] = []

    def stopped(child: Child, data: Any, until: float) -> None:
        sent.append(len(data))
        if len(sent) == 4:  # the last of what it needs, so that it cannot have answered before
            os.kill(pid_of(seen[0]), signal.SIGSTOP)
        send_to(child, data, until)

    def shot(scorer: GuardedScorer, until: float) -> Any:
        os.kill(pid_of(scorer), signal.SIGKILL)
        return answer_of(scorer, until)

    with monkeypatch.context() as patched:
        patched.setattr(GuardedScorer, "_answer", shot)
        patched.setattr(Child, "send", stopped)
        answer = digitize(greaves, model)

    assert (answer.status, answer.json["error"]) == (409, "model_failed")
    assert "model_crashed" in answer.json["detail"]
    assert answer.json["detail"].endswith("Digitizing without it goes on.")
    assert digitize(greaves, model).status == 200


def test_a_model_that_hangs_is_ended(greaves: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ready(greaves)
    seen = started(monkeypatch)
    digitize(greaves, model)
    os.kill(pid_of(seen[0]), signal.SIGSTOP)
    seen[0]._seconds = 1

    answer = digitize(greaves, model)

    assert (answer.status, "model_too_slow" in answer.json["detail"]) == (409, True)
    assert not seen[0].alive
    assert digitize(greaves, model).status == 200


def treacherous() -> bytes:
    """Return a scorer that is well as long as candidates are made up, and fails on real ones."""
    at = DENSE.index("type_name")
    constants = [
        numpy_helper.from_array(np.array([at]), "from"),
        numpy_helper.from_array(np.array([at + 1]), "to"),
        numpy_helper.from_array(np.array([1]), "axis"),
        numpy_helper.from_array(np.array(1, np.float32), "one"),
        numpy_helper.from_array(np.zeros((1, 2), np.float32), "table"),
    ]
    nodes = [
        helper.make_node("Slice", ["dense", "from", "to", "axis"], ["is_name"]),
        helper.make_node("Equal", ["is_name", "one"], ["real"]),
        helper.make_node("Cast", ["real"], ["number"], to=TensorProto.INT64),
        helper.make_node("Squeeze", ["number", "axis"], ["row"]),
        helper.make_node("Gather", ["table", "row"], ["logits"]),
    ]
    return scorers.scorer(nodes, constants)


def test_a_model_that_fails_on_real_documents_says_so_each_time(greaves: Tenant) -> None:
    before = get(greaves, tracks="all")
    model = ready(greaves, treacherous())

    for _ in range(2):
        answer = digitize(greaves, model)
        assert (answer.status, answer.json["error"]) == (409, "model_failed")
    assert get(greaves, tracks="all") == before


def test_a_file_that_is_not_what_was_checked_is_not_run(greaves: Tenant) -> None:
    model = ready(greaves)
    key = registry.file_key(registry.get("greaves", model))
    objects.put("greaves", key, scorers.of_trees(), "application/octet-stream")

    answer = digitize(greaves, model)

    assert (answer.status, "model_damaged" in answer.json["detail"]) == (409, True)


def test_the_process_of_a_model_knows_no_credentials(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hunter2")
    seen = started(monkeypatch)
    digitize(greaves, ready(greaves))

    with open(f"/proc/{pid_of(seen[0])}/environ", "rb") as environment:
        names = {each.partition(b"=")[0].decode() for each in environment.read().split(b"\0") if each}

    assert [name for name in names if name.startswith(("AWS", "ALMA"))] == []
    # Nor can it look into this process, which has them: prctl(PR_GET_DUMPABLE).
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0


# --- a model of one's own, from a data set to fields ---------------------------


def test_a_model_trained_on_ones_own_machine_reads_the_next_document() -> None:
    tenant = Tenant.create("greaves")
    ingest(drop("inbox/greaves/receipts.pdf", FIVE_RECEIPTS))
    read_to_the_end()
    learnt_from = [labelled("greaves", number) for number in (1, 2, 3, 4)]

    model = ready(tenant, own_model.train(shipped_schemas()["receipt"], learnt_from))

    assert values(digitize(tenant, model, 5).json) == {
        "company": ("POPULAR BOOK CO. (M) SDN BHD", None),
        "date": ("2018-04-15", None),
        "address": ("NO 8, JALAN 7/118B, 56000 KUALA LUMPUR", None),
        "total": ("71.04", None),
    }


def labelled(organisation: str, document_id: int) -> LabelledDocument:
    """Return a document as a data set has it whose fields people accepted."""
    document, fields = records.read(organisation, document_id)
    examples = tuple(
        Example(
            field.best.value,
            field.key,
            document.doc_type,
            field.best.regions[0].page,
            field.best.regions[0].box,
            objects.page_image_key(document_id, field.best.regions[0].page),
            Status.ACCEPTED,
        )
        for field in fields
        if field.group is None and not field.missing
    )
    return LabelledDocument(
        document_id, tuple(read_words(document, page_records.list_pages(document))), examples, complete=True
    )
