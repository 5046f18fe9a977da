"""Several records in one file: from one drop to as many documents."""

from typing import Any

import pytest

from alma.documents import deletion, instances, page_records, progress, records
from alma.documents.records import DocumentStatus
from alma.extraction import resolve
from alma.pipeline import extract as pipeline_extract
from alma.pipeline import split
from alma.settings import settings
from alma.storage import objects, queue
from alma.storage.table import Item
from tests.cloud import Answer, Tenant, client
from tests.reading import FIVE_RECEIPTS, archive, drop, extract, ingest, messages, read_to_the_end

pytestmark = pytest.mark.usefixtures("aws")


def read(tenant: Tenant, document_id: int) -> Answer:
    """Return what GET says of a document."""
    return tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": str(document_id)})


def remove(tenant: Tenant, document_id: int) -> int:
    """Remove a document over HTTP and return the status."""
    return tenant.call("documents", "DELETE", "/v1/documents/{id}", path={"id": str(document_id)}).status


def total_of(answer: Answer) -> tuple[str, int]:
    """Return the total of a receipt and the page it stands on."""
    (field,) = [field for field in answer.json["fields"] if field["key"] == "total"]
    return field["value"], field["evidence"]["page"]


def listed(tenant: Tenant) -> list[dict[str, Any]]:
    """Return the listing, oldest first."""
    found = tenant.call("documents", "GET", "/v1/documents").json["documents"]
    return sorted(found, key=lambda document: int(document["documentId"]))


def inbox() -> list[str]:
    """Return the keys of the inbox."""
    stored = client("s3").list_objects_v2(Bucket=settings().inbox_bucket)
    return [entry["Key"] for entry in stored.get("Contents", [])]


def rows_but_of_the_organisation() -> list[str]:
    """Return the sort keys of everything that is kept of documents."""
    return [item.sk for item in Item.query("greaves") if item.sk.startswith(("document", "page", "file"))]


@pytest.fixture
def greaves() -> Tenant:
    """An organisation into whose folder five receipts were dropped as one file."""
    tenant = Tenant.create("greaves")
    ingest(drop("inbox/greaves/receipts.pdf", FIVE_RECEIPTS))
    return tenant


def test_a_file_of_five_receipts_becomes_five_documents_with_their_own_fields(greaves: Tenant) -> None:
    read_to_the_end()

    answers = [read(greaves, number) for number in (1, 2, 3, 4, 5)]
    assert [answer.status for answer in answers] == [200] * 5
    assert [answer.json["docType"] for answer in answers] == ["receipt"] * 5
    assert [total_of(answer) for answer in answers] == [
        ("17.35", 1),
        ("243.10", 1),
        ("8.20", 1),
        ("33.90", 1),
        ("71.04", 1),
    ]
    assert answers[0].json["pageRange"] == {"first": 1, "last": 1}
    assert answers[0].json["instances"] == [2, 3, 4, 5]
    assert answers[3].json["pageRange"] == {"first": 4, "last": 4}
    assert answers[3].json["instanceOf"] == 1
    assert "instances" not in answers[3].json
    assert "instanceOf" not in answers[0].json


def test_each_keeps_its_own_pages_and_the_list_says_which(greaves: Tenant) -> None:
    read_to_the_end()

    assert archive() == sorted(
        f"greaves/{key}"
        for number in (1, 2, 3, 4, 5)
        for key in (f"pages/{number}/p1.png", f"words/{number}/p1.text.json")
    )
    assert [
        (row["documentId"], row["pages"], row["pageRange"]["first"], row.get("instanceOf"))
        for row in listed(greaves)
    ] == [(1, 1, 1, None), (2, 1, 2, 1), (3, 1, 3, 1), (4, 1, 4, 1), (5, 1, 5, 1)]


def test_the_json_export_says_what_the_document_says(greaves: Tenant) -> None:
    read_to_the_end()

    exported = greaves.call(
        "export", "GET", "/v1/export/{documentId}", path={"documentId": "2"}, query={"format": "json"}
    )
    import base64
    import json

    body = base64.b64decode(exported.body).decode() if exported.encoded else exported.body
    assert json.loads(body) == read(greaves, 2).json


def test_a_document_of_several_pages_keeps_them_and_counts_evidence_within_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(split, "page_ranges", lambda *_: [(1, 1), (2, 3), (4, 5)])
    tenant = Tenant.create("greaves")
    ingest(drop("inbox/greaves/receipts.pdf", FIVE_RECEIPTS))

    read_to_the_end()

    assert [(row["pages"], row["pageRange"]) for row in listed(tenant)] == [
        (1, {"first": 1, "last": 1}),
        (2, {"first": 2, "last": 3}),
        (2, {"first": 4, "last": 5}),
    ]
    assert [key for key in archive() if "/3/" in key] == [
        "greaves/pages/3/p1.png",
        "greaves/pages/3/p2.png",
        "greaves/words/3/p1.text.json",
        "greaves/words/3/p2.text.json",
    ]
    pages = {field["evidence"]["page"] for field in read(tenant, 3).json["fields"]}
    assert pages <= {1, 2}


def test_what_stands_between_two_documents_is_kept_with_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "page_ranges", lambda *_: [(1, 1), (3, 4)])
    tenant = Tenant.create("greaves")
    ingest(drop("inbox/greaves/receipts.pdf", FIVE_RECEIPTS))

    read_to_the_end()

    assert [(row["pages"], row["pageRange"]) for row in listed(tenant)] == [
        (1, {"first": 1, "last": 1}),
        (2, {"first": 3, "last": 4}),
    ]
    assert archive() == [
        "greaves/pages/1/p1.png",
        "greaves/pages/2/p1.png",
        "greaves/pages/2/p2.png",
        "greaves/words/1/p1.text.json",
        "greaves/words/2/p1.text.json",
        "greaves/words/2/p2.text.json",
    ]


def test_every_message_twice_changes_nothing(greaves: Tenant) -> None:
    delivered = []
    while asked := messages():
        for message in asked:
            extract(message)
            extract(message)
        delivered += asked
    before = [read(greaves, number).json for number in (1, 2, 3, 4, 5)]
    kept = archive()
    for message in delivered:
        extract(message)

    assert [row["documentId"] for row in listed(greaves)] == [1, 2, 3, 4, 5]
    assert [read(greaves, number).json for number in (1, 2, 3, 4, 5)] == before
    assert archive() == kept
    assert messages() == []


@pytest.mark.parametrize("survived", [0, 1, 2, 8, 9, 10, 11, 12, 13, 14, 20, 27, 33])
def test_killed_after_any_write_the_same_five_documents_come_out(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    """The step after `survived` others dies, wherever that is, and its message is delivered again."""
    left = [survived]

    def mortal(module: Any, name: str) -> None:
        real = getattr(module, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == -1:
                raise ConnectionError("killed")
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, step)

    for module, name in [
        (instances, "divide"), (instances, "put_instance"), (page_records, "copy_page"),
        (progress, "pages_known"), (instances, "release_source"), (progress, "finish"),
        (objects, "copy"), (objects, "delete_pages"), (queue, "send_pages"),
    ]:  # fmt: skip
        mortal(module, name)
    deaths = 0
    while asked := messages():
        for message in asked:
            while extract(message)["batchItemFailures"]:
                deaths += 1

    assert deaths == 1
    answers = [read(greaves, number) for number in (1, 2, 3, 4, 5)]
    assert [total_of(answer) for answer in answers] == [
        (total, 1) for total in ("17.35", "243.10", "8.20", "33.90", "71.04")
    ]
    assert len(listed(greaves)) == 5
    assert len(archive()) == 10


def test_an_instance_can_be_removed_and_the_others_and_the_file_stay(greaves: Tenant) -> None:
    read_to_the_end()

    assert remove(greaves, 3) == 204

    assert [row["documentId"] for row in listed(greaves)] == [1, 2, 4, 5]
    assert read(greaves, 1).json["instances"] == [2, 4, 5]
    assert inbox() == ["inbox/greaves/receipts.pdf"]
    assert not [key for key in archive() if "/3/" in key]


def test_the_first_can_be_removed_and_the_others_stay(greaves: Tenant) -> None:
    read_to_the_end()

    assert remove(greaves, 1) == 204

    assert [row["documentId"] for row in listed(greaves)] == [2, 3, 4, 5]
    assert total_of(read(greaves, 2)) == ("243.10", 1)
    assert inbox() == ["inbox/greaves/receipts.pdf"]


def test_the_file_goes_with_its_last_document_and_nothing_is_left(greaves: Tenant) -> None:
    read_to_the_end()

    assert [remove(greaves, number) for number in (4, 1, 5, 2, 3)] == [204] * 5

    assert inbox() == []
    assert archive() == []
    assert rows_but_of_the_organisation() == []


def test_the_event_once_more_after_the_first_was_removed_makes_no_new_documents(greaves: Tenant) -> None:
    read_to_the_end()
    remove(greaves, 1)

    ingest(drop("inbox/greaves/receipts.pdf", FIVE_RECEIPTS, sequencer="0B"))

    assert messages() == []
    assert [row["documentId"] for row in listed(greaves)] == [2, 3, 4, 5]


@pytest.mark.parametrize("delivered", [1, 3])
def test_removing_the_first_while_the_file_is_divided_leaves_nothing(greaves: Tenant, delivered: int) -> None:
    (first,) = messages()
    extract(first)
    further = messages()
    for message in further[: delivered - 1]:
        extract(message)

    assert remove(greaves, 1) == 204
    for message in [first, *further]:
        extract(message)

    assert listed(greaves) == []
    assert archive() == []
    assert inbox() == []
    assert rows_but_of_the_organisation() == []


def test_removing_an_instance_before_it_is_read_leaves_the_others(greaves: Tenant) -> None:
    (first,) = messages()
    extract(first)
    further = messages()

    assert remove(greaves, 3) == 204
    for message in further:
        extract(message)
    read_to_the_end()

    assert [(row["documentId"], row["status"]) for row in listed(greaves)] == [
        (number, "ready") for number in (1, 2, 4, 5)
    ]
    assert len(archive()) == 8


def test_a_file_removed_in_the_moment_it_is_divided_is_gone(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    (message,) = messages()
    divide = instances.divide

    def late(*args: Any) -> Any:
        deletion.delete("greaves", 1)
        return divide(*args)

    monkeypatch.setattr(instances, "divide", late)
    extract(message)

    assert listed(greaves) == []
    assert archive() == []
    assert inbox() == []
    assert rows_but_of_the_organisation() == []


def test_two_who_divide_a_file_at_once_make_the_same_documents(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    (message,) = messages()
    divide = instances.divide

    def overtaken(*args: Any) -> Any:
        divide(*args)
        return divide(*args)

    monkeypatch.setattr(instances, "divide", overtaken)
    extract(message)
    read_to_the_end()

    assert [row["documentId"] for row in listed(greaves)] == [1, 2, 3, 4, 5]


def test_a_sender_can_say_that_a_file_is_one_document() -> None:
    tenant = Tenant.create("greaves")
    announced = tenant.call(
        "documents", "POST", "/v1/documents", body={"fileName": "receipts.pdf", "split": False}
    )
    key = f"inbox/greaves/.uploads/{announced.json['documentId']}/receipts.pdf"

    ingest(drop(key, FIVE_RECEIPTS))
    read_to_the_end()

    (row,) = listed(tenant)
    assert (row["documentId"], row["pages"]) == (1, 5)
    assert "pageRange" not in row


def test_a_type_said_by_the_sender_holds_for_every_document_of_the_file() -> None:
    tenant = Tenant.create("greaves")
    tenant.call("documents", "POST", "/v1/documents", body={"fileName": "r.pdf", "docType": "invoice"})

    ingest(drop("inbox/greaves/.uploads/1/r.pdf", FIVE_RECEIPTS))
    read_to_the_end()

    assert [row["docType"] for row in listed(tenant)] == ["invoice"] * 5


def test_a_further_document_that_cannot_be_resolved_does_not_hold_up_the_first(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = resolve.extract

    def poisoned(words: Any, *args: Any, **kwargs: Any) -> Any:
        if any(word.text == "8.20" for page in words for word in page.words):
            raise RuntimeError("a bug")
        return real(words, *args, **kwargs)

    (first,) = messages()
    extract(first)
    monkeypatch.setattr(pipeline_extract, "extract", poisoned)
    while asked := messages():
        for message in asked:
            while extract(message)["batchItemFailures"]:
                pass

    assert [(row["documentId"], row["status"]) for row in listed(greaves)] == [
        (1, "ready"),
        (2, "ready"),
        (3, "failed"),
        (4, "ready"),
        (5, "ready"),
    ]
    assert records.get("greaves", 3).status is DocumentStatus.FAILED
