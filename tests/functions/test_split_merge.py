"""Split and merge by hand: what people decided goes with its page, and nothing is lost on the way."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from alma.access.scopes import Role
from alma.documents import (
    audit_verification,
    deletion,
    instances,
    joining,
    page_records,
    progress,
    reviewed_fields,
)
from alma.storage import objects, queue
from tests.cloud import Answer, Tenant
from tests.functions.test_splitting import inbox, listed, read, remove, rows_but_of_the_organisation
from tests.reading import FIVE_RECEIPTS, archive, drop, extract, ingest, messages, read_to_the_end

pytestmark = pytest.mark.usefixtures("aws")


def ask(tenant: Tenant, what: str, document_id: int, body: object, **more: Any) -> Answer:
    """Ask for a split or a merge."""
    path = {"id": str(document_id)}
    return tenant.call("reviews", "POST", f"/v1/documents/{{id}}/{what}", path=path, body=body, **more)


def fields_of(tenant: Tenant, document_id: int) -> list[dict[str, Any]]:
    """Return the fields of a document with their versions and what was said of them."""
    path, query = {"id": str(document_id)}, {"tracks": "all"}
    return list(tenant.call("documents", "GET", "/v1/documents/{id}", path=path, query=query).json["fields"])


def decide(tenant: Tenant, document_id: int, field: dict[str, Any], **body: Any) -> None:
    """Decide a field as it is shown."""
    answer = tenant.call(
        "reviews",
        "PATCH",
        "/v1/documents/{id}/fields/{field}",
        path={"id": str(document_id), "field": field["id"]},
        body={"version": field["version"], **body},
    )
    assert answer.status == 200, answer.body


def history(tenant: Tenant, document_id: int) -> list[dict[str, Any]]:
    """Return the entries of a document's trail."""
    path = {"id": str(document_id)}
    return list(tenant.call("reviews", "GET", "/v1/documents/{id}/history", path=path).json["entries"])


def decided(tenant: Tenant, document_id: int) -> list[tuple[str, str, str, int | None]]:
    """Return what people have decided of a document: field, value, status, page."""
    return [
        (each["id"], each["value"], each["status"], each["evidence"] and each["evidence"]["page"])
        for each in fields_of(tenant, document_id)
        if "reviewedBy" in each
    ]


def problems() -> list[Any]:
    """Return what `alma audit verify` finds."""
    return audit_verification.verify("greaves").problems


@pytest.fixture
def greaves() -> Tenant:
    """An organisation with five receipts that were sent as one document, of which fields are decided."""
    tenant = Tenant.create("greaves")
    tenant.call("documents", "POST", "/v1/documents", body={"fileName": "r.pdf", "split": False})
    ingest(drop("inbox/greaves/.uploads/1/r.pdf", FIVE_RECEIPTS))
    read_to_the_end()
    total = next(each for each in fields_of(tenant, 1) if each["key"] == "total")
    evidence = {"page": 4, "bbox": {"x": 0.3, "y": 0.4, "w": 0.1, "h": 0.02}}
    decide(tenant, 1, total, action="edit", value="33.90", evidence=evidence, comment="the fourth")
    company = next(each for each in fields_of(tenant, 1) if each["key"] == "company")
    decide(tenant, 1, company, action="edit", value="GERBANG ALAF RESTAURANTS SDN BHD")
    return tenant


def test_a_document_is_split_by_pages_and_each_part_is_read_anew(greaves: Tenant) -> None:
    answer = ask(greaves, "split", 1, {"at": [2, 4]})

    assert (answer.status, answer.json) == (
        202,
        {
            "documentId": 1,
            "status": "processing",
            "documents": [
                {"documentId": 1, "first": 1, "last": 1},
                {"documentId": 2, "first": 2, "last": 3},
                {"documentId": 3, "first": 4, "last": 5},
            ],
        },
    )
    read_to_the_end()
    assert [
        (row["documentId"], row["status"], row["pages"], row["pageRange"]) for row in listed(greaves)
    ] == [
        (1, "ready", 1, {"first": 1, "last": 1}),
        (2, "ready", 2, {"first": 2, "last": 3}),
        (3, "ready", 2, {"first": 4, "last": 5}),
    ]
    assert read(greaves, 1).json["instances"] == [2, 3]
    assert read(greaves, 3).json["instanceOf"] == 1
    assert [each["value"] for each in read(greaves, 2).json["fields"] if each["key"] == "total"] == ["243.10"]
    assert archive() == sorted(
        f"greaves/{key}"
        for document, pages in ((1, 1), (2, 2), (3, 2))
        for page in range(1, pages + 1)
        for key in (f"pages/{document}/p{page}.png", f"words/{document}/p{page}.text.json")
    )
    assert problems() == []


def test_what_people_decided_goes_with_its_page_and_keeps_who_and_why(greaves: Tenant) -> None:
    before = next(each for each in fields_of(greaves, 1) if each["key"] == "total")

    ask(greaves, "split", 1, {"at": [2, 4]})
    read_to_the_end()

    (total,) = [each for each in fields_of(greaves, 3) if each["key"] == "total"]
    for name in ("value", "status", "reviewedBy", "reviewedAt", "comment"):
        assert total[name] == before[name]
    assert total["evidence"] == before["evidence"] | {"page": 1}
    first = history(greaves, 3)[0]
    assert (first["action"], first["after"]["from"], first["after"]["pages"]) == ("split", 1, [4, 5])
    taken = first["after"]["history"]
    assert [(each["action"], each["field"], each["comment"]) for each in taken] == [
        ("edited", "total", "the fourth")
    ]
    assert [entry["action"] for entry in history(greaves, 1)] == [
        "extracted", "edited", "edited", "split", "extracted",
    ]  # fmt: skip
    assert [each[:3] for each in decided(greaves, 1)] == [
        ("company", "GERBANG ALAF RESTAURANTS SDN BHD", "edited")
    ]
    (total,) = [each for each in fields_of(greaves, 1) if each["key"] == "total"]
    assert (total["value"], "reviewedBy" in total) == ("17.35", False)


def test_pages_of_no_part_go_and_the_file_stays_whole(greaves: Tenant) -> None:
    parts = [{"first": 1, "last": 1}, {"first": 3, "last": 3}, {"first": 5, "last": 5}]

    assert ask(greaves, "split", 1, {"parts": parts}).status == 202
    read_to_the_end()

    assert [row["pageRange"] for row in listed(greaves)] == parts
    assert len(archive()) == 6
    assert inbox() == ["inbox/greaves/.uploads/1/r.pdf"]
    for number in (1, 2, 3):
        path = {"id": str(number)}
        assert greaves.call("documents", "GET", "/v1/documents/{id}/file", path=path).status == 303


def test_pages_and_fields_are_counted_once(greaves: Tenant) -> None:
    def used() -> tuple[int, int]:
        totals = greaves.call("keys", "GET", "/v1/usage").json["total"]
        return totals["pages"], totals["fields"]

    before = used()
    ask(greaves, "split", 1, {"at": [3]})
    read_to_the_end()
    ask(greaves, "merge", 1, {"documents": [2]})
    read_to_the_end()

    assert used() == before


def test_a_part_can_be_split_again(greaves: Tenant) -> None:
    ask(greaves, "split", 1, {"at": [3]})
    read_to_the_end()

    assert ask(greaves, "split", 2, {"at": [2]}).json["documents"] == [
        {"documentId": 2, "first": 1, "last": 1},
        {"documentId": 3, "first": 2, "last": 3},
    ]
    read_to_the_end()

    assert [row["pageRange"] for row in listed(greaves)] == [
        {"first": 1, "last": 2},
        {"first": 3, "last": 3},
        {"first": 4, "last": 5},
    ]
    assert [each[:2] for each in decided(greaves, 3)] == [("total", "33.90")]
    assert problems() == []


def test_documents_of_a_file_are_merged_and_what_people_decided_stays(greaves: Tenant) -> None:
    ask(greaves, "split", 1, {"at": [2, 4]})
    read_to_the_end()

    answer = ask(greaves, "merge", 1, {"documents": [2, 3]})

    assert (answer.status, answer.json["documents"]) == (
        202,
        [
            {"documentId": 1, "first": 1, "last": 1},
            {"documentId": 2, "first": 2, "last": 3},
            {"documentId": 3, "first": 4, "last": 5},
        ],
    )
    read_to_the_end()
    assert [(row["documentId"], row["pages"], row["pageRange"]) for row in listed(greaves)] == [
        (1, 5, {"first": 1, "last": 5})
    ]
    assert sorted(decided(greaves, 1)) == [
        ("company", "GERBANG ALAF RESTAURANTS SDN BHD", "edited", 1),
        ("total", "33.90", "edited", 4),
    ]
    assert len(archive()) == 10
    assert [entry["action"] for entry in history(greaves, 2)] == ["split", "extracted", "merged", "deleted"]
    assert history(greaves, 1)[-2]["after"] == {
        "documents": [
            {"documentId": 1, "pages": [1, 1]},
            {"documentId": 2, "pages": [2, 3]},
            {"documentId": 3, "pages": [4, 5]},
        ]
    }
    assert problems() == []


def test_documents_of_several_files_are_merged_in_the_order_given(greaves: Tenant) -> None:
    ingest(drop("inbox/greaves/more.pdf", FIVE_RECEIPTS))
    read_to_the_end()
    (date,) = [each for each in fields_of(greaves, 4) if each["key"] == "date"]
    decide(greaves, 4, date, action="accept")

    assert ask(greaves, "merge", 3, {"documents": [6, 4]}).status == 202
    read_to_the_end()

    rows = {row["documentId"]: row for row in listed(greaves)}
    assert sorted(rows) == [1, 2, 3, 5]
    assert (rows[3]["pages"], rows[3].get("pageRange")) == (3, None)
    assert ("2018-06-02", "accepted") in [each[1:3] for each in decided(greaves, 3)]
    assert ask(greaves, "merge", 1, {"documents": [3]}).status == 202
    read_to_the_end()
    assert [remove(greaves, number) for number in (2, 5)] == [204, 204]
    assert inbox() == ["inbox/greaves/.uploads/1/r.pdf", "inbox/greaves/more.pdf"]
    assert remove(greaves, 1) == 204
    assert (inbox(), archive(), rows_but_of_the_organisation()) == ([], [], [])


def test_everything_goes_with_the_last_part(greaves: Tenant) -> None:
    ask(greaves, "split", 1, {"at": [2, 4]})
    read_to_the_end()

    assert [remove(greaves, number) for number in (1, 3, 2)] == [204] * 3

    assert (inbox(), archive(), rows_but_of_the_organisation()) == ([], [], [])


@pytest.mark.parametrize(
    "body",
    [
        {"at": [1]},
        {"at": [6]},
        {"at": [3, 2]},
        {"at": []},
        {},
        {"at": [2], "parts": [{"first": 1, "last": 2}]},
        {"parts": [{"first": 2, "last": 3}]},
        {"parts": [{"first": 1, "last": 3}, {"first": 3, "last": 4}]},
        {"parts": [{"first": 1, "last": 5}]},
        {"parts": [{"first": 1, "last": 6}]},
    ],
)
def test_pages_that_there_are_not_are_refused(greaves: Tenant, body: object) -> None:
    answer = ask(greaves, "split", 1, body)

    assert (answer.status, answer.refusal["error"]) == (400, "bad_request")
    assert listed(greaves)[0]["status"] == "ready"


@pytest.mark.parametrize("body", [{"documents": []}, {"documents": [1]}, {"documents": [2, 2]}, {}])
def test_a_merge_names_others_once_each(greaves: Tenant, body: object) -> None:
    assert ask(greaves, "merge", 1, body).status == 400


def test_what_somebody_else_works_on_is_neither_split_nor_merged(greaves: Tenant) -> None:
    ask(greaves, "split", 1, {"at": [3]})
    read_to_the_end()
    ask(greaves, "claim", 2, {}, role=Role.REVIEWER)

    for answer in (ask(greaves, "split", 2, {"at": [2]}), ask(greaves, "merge", 1, {"documents": [2]})):
        assert (answer.status, answer.refusal["error"]) == (409, "claimed")
    assert ask(greaves, "merge", 1, {"documents": [2]}, role=Role.REVIEWER).status == 202


def test_what_is_being_read_or_waits_to_be_is_neither_split_nor_merged(greaves: Tenant) -> None:
    ask(greaves, "extract", 1, {})
    waits = ask(greaves, "split", 1, {"at": [3]})
    read_to_the_end()
    ask(greaves, "split", 1, {"at": [3]})

    another, merged = ask(greaves, "split", 1, {"at": [2]}), ask(greaves, "merge", 1, {"documents": [2]})

    assert [answer.status for answer in (waits, another)] == [409, 409]
    assert merged.status in (404, 409)
    assert waits.refusal["error"] == another.refusal["error"] == "not_ready"
    assert remove(greaves, 1) == 409


def test_another_organisations_document_is_not_there(greaves: Tenant) -> None:
    other = Tenant.create("other")

    assert ask(other, "split", 1, {"at": [2]}).status == 404
    assert ask(greaves, "merge", 1, {"documents": [77]}).status == 404


def test_the_same_asked_for_again_makes_no_more_documents(greaves: Tenant) -> None:
    first, again = ask(greaves, "split", 1, {"at": [3]}), ask(greaves, "split", 1, {"at": [3]})
    headers = {"Idempotency-Key": "one"}
    read_to_the_end()
    merged = [ask(greaves, "merge", 1, {"documents": [2]}, headers=headers) for _ in range(2)]
    read_to_the_end()
    merged.append(ask(greaves, "merge", 1, {"documents": [2]}, headers=headers))

    assert first.json == again.json
    assert [answer.json for answer in merged] == [merged[0].json] * 3
    assert [row["documentId"] for row in listed(greaves)] == [1]


STEPS = [
    (instances, "put_instance"), (page_records, "copy_page"), (instances, "take_fields"),
    (progress, "pages_known"), (instances, "release_source"), (progress, "finish"), (objects, "copy"),
    (objects, "delete_pages"), (queue, "send_pages"), (reviewed_fields, "put"), (reviewed_fields, "remove"),
    (joining, "pages_taken"), (joining, "keep_file"), (joining, "end"), (deletion, "remove_merged"),
]  # fmt: skip


def test_killed_after_every_step_nothing_is_lost(greaves: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver = killed_after_every_step(monkeypatch)

    ask(greaves, "split", 1, {"at": [2, 4]})
    deliver()
    assert [row["pages"] for row in listed(greaves)] == [1, 2, 2]
    assert [each[:2] for each in decided(greaves, 3)] == [("total", "33.90")]
    ask(greaves, "merge", 1, {"documents": [2, 3]})
    deliver()

    assert [(row["documentId"], row["status"], row["pages"]) for row in listed(greaves)] == [(1, "ready", 5)]
    assert sorted(each[0] for each in decided(greaves, 1)) == ["company", "total"]
    assert len(archive()) == 10
    assert problems() == []


def test_killed_after_every_step_a_merge_counts_what_stands_nowhere_once(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(greaves, "split", 1, {"at": [2, 3]})
    read_to_the_end()
    for document, value in ((2, "20.00"), (3, "30.00")):
        total = next(each for each in fields_of(greaves, document) if each["key"] == "total")
        place = {"evidence": {"page": 1, "bbox": {"x": 0.1, "y": 0.1, "w": 0.1, "h": 0.1}}}
        decide(greaves, document, total, action="edit", value=value, **(place if document == 2 else {}))
    ask(greaves, "merge", 2, {"documents": [3]})
    read_to_the_end()
    before = [each[1:] for each in decided(greaves, 2) if each[0].startswith("total")]
    assert ("20.00", "edited", 1) in before
    assert ("30.00", "edited", None) in before
    deliver = killed_after_every_step(monkeypatch)

    ask(greaves, "merge", 1, {"documents": [2]})
    deliver()

    after = [each[1:] for each in decided(greaves, 1) if each[0].startswith("total")]
    assert sorted(after) == sorted((value, status, page and page + 1) for value, status, page in before)
    assert problems() == []


def killed_after_every_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what delivers all messages, each to workers that die at their first step, their second, …"""
    left = [10**6]
    # So many workers do not die of one document: it would be given up.
    monkeypatch.setattr(progress, "MAX_RESOLUTIONS", 10**6)

    def mortal(module: Any, name: str) -> None:
        real = getattr(module, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == -1:
                raise ConnectionError("killed")
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, step)

    def deliver() -> None:
        while asked := messages():
            for message in asked:
                for survived in count():
                    left[0] = survived
                    if not extract(message)["batchItemFailures"]:
                        break
        left[0] = 10**6

    for module, name in STEPS:
        mortal(module, name)
    return deliver
