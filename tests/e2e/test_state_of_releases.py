"""What an earlier release stored is opened, read and proven by today's code: tests/data/state."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.demo import HIGH_LIMITS
from infra.local.runtime import Runtime
from tests.e2e.office import run_alma
from tests.patience import HANGS

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / "tests" / "data" / "state" / "0.1.0" / "state.tar.xz"
ADMIN = "alma_WoeBT9DjkTwQ14ZZ00em5oOVC0LrbmI9t"
REVIEWER = "alma_cOOL0VPtiq3mqWGiyPS5Ki1d2FvzmhGc2"
READER = "alma_KycwDXzuo9tJFlx1GjFnVxQ6iWwMzW4MG"
REVOKED = "alma_TdMqjkeamNVfpVBMemYpfZF62JjfmhMGm"
ROTATED = "alma_roxaj0nsxInOtKl8RjpRoVmVKLe1Y5Zw1"
CAME_OF_IT = "alma_oF4vYkwy4XZ8Q4DSRUwyYD8gD0xnTOfJz"
NOTE_13 = 8
READ_BY_THE_MODEL = [
    {
        "key": "note_number", "value": "NG/20481", "confidence": 0.806, "status": "unreviewed",
        "evidence": {"page": 1, "bbox": {"x": 0.36997, "y": 0.21682, "w": 0.07587, "h": 0.009}},
    },
    {
        "key": "recipient", "value": "Inver Cycles Ltd", "confidence": 0.706, "status": "unreviewed",
        "evidence": {"page": 1, "bbox": {"x": 0.37008, "y": 0.16922, "w": 0.12375, "h": 0.01176}},
    },
    {
        "key": "delivered_on", "value": "2026-04-01", "confidence": 0.835, "status": "unreviewed",
        "evidence": {"page": 1, "bbox": {"x": 0.37019, "y": 0.26433, "w": 0.08325, "h": 0.009}},
    },
    {
        "key": "parcels", "value": "5", "confidence": 0.804, "status": "unreviewed",
        "evidence": {"page": 1, "bbox": {"x": 0.37034, "y": 0.28805, "w": 0.00751, "h": 0.00903}},
    },
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the state, where `make run` keeps it."""
    folder = tmp_path_factory.mktemp("state")
    with tarfile.open(STATE) as archive:
        archive.extractall(folder / ".alma", filter="data")
    return folder


@pytest.fixture(scope="module")
def alma(folder: Path) -> Iterator[httpx.Client]:
    """Today's code over that copy, as its admin reaches it."""
    state = folder / ".alma"
    with Runtime(ROOT / "template.yaml", state / "data", name="alma", parameters=HIGH_LIMITS) as runtime:
        described = json.loads((state / "local.json").read_text())
        assert runtime.resource("Table") == described["table"]
        # The addresses of today's run; everything else is as it was left.
        addresses = {"api_url": runtime.api_url, "aws_endpoint_url": runtime.aws_endpoint_url}
        (state / "local.json").write_text(json.dumps(described | addresses))
        headers = {"Authorization": f"Bearer {ADMIN}"}
        with httpx.Client(base_url=f"{runtime.api_url}/api/v1", headers=headers, timeout=HANGS) as http:
            yield http


def fields(alma: httpx.Client, document_id: int) -> dict[str, Any]:
    """Return a document's fields by their ids, with what each track reads."""
    answer = alma.get(f"/documents/{document_id}", params={"tracks": "all"})
    assert answer.status_code == 200
    return {field["id"]: field for field in answer.json()["fields"]}


def test_all_documents_are_listed_with_their_types_and_what_became_of_them(alma: httpx.Client) -> None:
    listed = alma.get("/documents").json()["documents"]

    assert [(each["documentId"], each["fileName"], each["docType"], each["status"]) for each in listed] == [
        (9, "broken.pdf", None, "failed"),
        (8, "note-13.pdf", "delivery_note", "ready"),
        (7, "note-06.pdf", "delivery_note", "ready"),
        (6, "note-05.pdf", "delivery_note", "ready"),
        (5, "note-04.pdf", "delivery_note", "ready"),
        (4, "note-03.pdf", "delivery_note", "ready"),
        (3, "note-02.pdf", "delivery_note", "ready"),
        (2, "note-01.pdf", "delivery_note", "ready"),
        (1, "invoice.pdf", "invoice", "ready"),
    ]
    assert [each["documentId"] for each in alma.get("/documents?docType=invoice").json()["documents"]] == [1]
    failed = alma.get("/documents?status=failed").json()["documents"]
    assert [(each["documentId"], each["error"]) for each in failed] == [(9, "damaged_file")]


def test_what_was_read_stands_where_it_stood(alma: httpx.Client) -> None:
    answer = alma.post("/digitize", json={"documentId": 1}).json()

    assert (answer["documentId"], answer["docType"], len(answer["fields"])) == (1, "invoice", 31)
    assert answer["fields"][1] == {
        "key": "buyer_name",
        "value": "Penrose Boatyard Ltd",
        "confidence": 0.96,
        "status": "unreviewed",
        "evidence": {"page": 1, "bbox": {"x": 0.08201, "y": 0.2262, "w": 0.18097, "h": 0.01161}},
    }
    quantity = fields(alma, 1)["line_items[2].quantity"]
    assert (quantity["value"], quantity["group"], quantity["row"]) == ("3", "line_items", 2)


def test_what_people_and_agents_said_is_kept(alma: httpx.Client) -> None:
    found = fields(alma, 1)

    said = ("value", "status", "version", "reviewedBy", "comment")
    assert [found["invoice_number"][key] for key in said] == [
        "HLC-20417", "accepted", 2, "key_cOOL0VPt", "as printed",
    ]  # fmt: skip
    assert [found["due_date"][key] for key in said] == [
        "2026-04-09", "edited", 2, "key_cOOL0VPt", "agreed by phone",
    ]  # fmt: skip
    assert [track["value"] for track in found["due_date"]["tracks"]] == ["2026-04-08"]
    assert found["amount_due"]["status"] == "rejected"
    assert (found["iban"]["value"], found["iban"]["status"], found["iban"]["tracks"]) == (
        "GB33BUKB20201555555555", "edited", [],
    )  # fmt: skip
    assert (found["seller_name"]["status"], found["seller_name"]["reasons"]) == (
        "escalated", ["low_confidence", "proposed"],
    )  # fmt: skip
    assert found["seller_name"]["tracks"][1] == {
        "track": "agent:key_4eQc58C0",
        "value": "Harbour Light Chandlers",
        "content": "Harbour Light Chandlers",
        "confidence": None,
        "evidence": {"page": 1, "bbox": {"x": 0.08294, "y": 0.0665, "w": 0.43048, "h": 0.02151}},
        "comment": "The letterhead has no Ltd.",
    }


def test_the_history_is_what_happened(alma: httpx.Client) -> None:
    entries = alma.get("/documents/1/history").json()["entries"]

    assert [(each["action"], each["field"], each["by"], each["at"]) for each in entries] == [
        ("extracted", None, "alma", "2026-11-27T18:01:55Z"),
        ("proposed", "seller_name", "key_4eQc58C0", "2026-11-27T18:02:38Z"),
        ("accepted", "invoice_number", "key_cOOL0VPt", "2026-11-27T18:02:39Z"),
        ("edited", "due_date", "key_cOOL0VPt", "2026-11-27T18:02:41Z"),
        ("rejected", "amount_due", "key_cOOL0VPt", "2026-11-27T18:02:42Z"),
        ("added", "iban", "key_cOOL0VPt", "2026-11-27T18:02:42Z"),
    ]
    assert entries[3]["before"]["value"] == "2026-04-08"
    assert entries[3]["after"]["value"] == "2026-04-09"
    assert entries[-1]["digest"] == "e18dbb8d2c40b21614c0e6694b894eed8fd37fc09eddf077f26542f62424fa5f"


def test_stored_keys_open_what_they_opened(alma: httpx.Client) -> None:
    def status(token: str, method: str = "GET", path: str = "/documents/1") -> int:
        return alma.request(method, path, headers={"Authorization": f"Bearer {token}"}).status_code

    assert [status(token) for token in (ADMIN, REVIEWER, READER, CAME_OF_IT)] == [200, 200, 200, 200]
    assert [status(token) for token in (REVOKED, ROTATED)] == [401, 401]
    assert [status(token, path="/keys") for token in (ADMIN, REVIEWER)] == [200, 403]
    assert status(CAME_OF_IT, "DELETE", "/documents/1") == 403  # it came with the one scope of its forerunner
    names = {key["name"]: (key["role"], key["scopes"]) for key in alma.get("/keys").json()["keys"]}
    assert names["agent"] == ("reviewer", ["mcp:read", "mcp:write"])
    assert names["rotated"] == ("reviewer", ["documents:read"])


def test_the_type_and_what_was_verified_of_it_are_there(alma: httpx.Client) -> None:
    definition = alma.get("/schemas/delivery_note").json()["definition"]
    assert [field["key"] for field in definition["fields"]] == [
        "note_number", "recipient", "delivered_on", "parcels",
    ]  # fmt: skip
    assert alma.get("/datasets").json()["datasets"][0] == {
        "docType": "delivery_note", "documents": 6, "examples": 24,
    }  # fmt: skip
    rows = alma.get("/datasets/delivery_note", params={"format": "jsonl"}, follow_redirects=True)
    assert len(rows.text.splitlines()) == 24


def test_the_model_of_its_own_reads_what_it_read_then(alma: httpx.Client) -> None:
    model = alma.get("/models/mdl_delivery_notes_v1").json()
    assert (model["status"], model["origin"], model["trainedExamples"]) == ("ready", "trained", 24)
    assert model["card"]["after"]["micro_f1"] == 0.9167

    answer = alma.post("/models/mdl_delivery_notes_v1/digitize", json={"documentId": NOTE_13})

    assert answer.json() == {
        "documentId": NOTE_13,
        "docType": "delivery_note",
        "model": "mdl_delivery_notes_v1",
        "fields": READ_BY_THE_MODEL,
    }


def test_pages_are_there_as_images_and_words(alma: httpx.Client) -> None:
    image = alma.get(f"/pages/{NOTE_13}/p1.png", follow_redirects=True)
    words = alma.get(f"/pages/{NOTE_13}/p1.json", follow_redirects=True)

    assert image.content.startswith(b"\x89PNG")
    assert "NG/20481" in [word[0] for track in words.json()["tracks"] for word in track["words"]]


def test_no_trail_was_broken(folder: Path, alma: httpx.Client) -> None:
    assert alma.get("/health").status_code == 200
    done = run_alma(folder, "audit", "verify", "--json")

    assert (done.returncode, json.loads(done.stdout)["problems"]) == (0, [])


def test_filters_find_what_was_stored_before_there_were_any_and_after_the_reindex_command(
    folder: Path, alma: httpx.Client
) -> None:
    def found(query: str) -> list[int]:
        page = alma.get(f"/documents?{query}").json()
        assert page["nextCursor"] is None
        return [each["documentId"] for each in page["documents"]]

    def every() -> list[list[int]]:
        return [
            found(query)
            for query in (
                "name=note 1", "name=INVOICE", "from=2026-11-27&to=2026-11-27&name=note-0", "from=2026-11-28",
                "review=escalated", "review=missing", "review=done", "confidenceBelow=0.5", "name=note",
            )
        ]  # fmt: skip

    before = every()
    done = run_alma(folder, "org", "reindex", "--json")

    [reindexed] = json.loads(done.stdout)["organisations"]
    assert (done.returncode, reindexed["documents"]) == (0, 9)
    assert every() == before
    assert before[:4] == [[8], [1], [7, 6, 5, 4, 3, 2], []]
    assert before[-1] == [8, 7, 6, 5, 4, 3, 2]
    assert json.loads(run_alma(folder, "audit", "verify", "--json").stdout)["problems"] == []


def test_reviewing_goes_on_where_it_stopped(alma: httpx.Client) -> None:
    """Last here: it changes the copy."""
    waiting = alma.get("/review-queue", params={"status": "escalated"}).json()["items"]
    assert (waiting[0]["documentId"], waiting[0]["field"]["id"]) == (1, "seller_name")

    decided = alma.patch(
        "/documents/1/fields/seller_name",
        json={"action": "accept", "version": 2, "track": "agent:key_4eQc58C0"},
        headers={"Authorization": f"Bearer {REVIEWER}"},
    )

    assert (decided.status_code, decided.json()["value"]) == (200, "Harbour Light Chandlers")
    announced = alma.post("/documents", json={"fileName": "next.pdf"}).json()
    assert announced["documentId"] == 11  # 10 was removed, and no number comes twice
