"""`Idempotency-Key`: a POST that comes again is answered as it was the first time, and not done again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import pytest
from pynamodb.connection.base import Connection

from alma import clock
from alma.access.keys import Role
from alma.api import idempotency
from alma.api.operation import Route
from alma.api.routes import ROUTES
from alma.datamodel.fields import Extraction
from alma.documents import intake, progress
from alma.errors import UnavailableError
from alma.settings import settings
from alma.storage import objects
from alma.storage.items.idempotency import IdempotencyItem
from alma.storage.transactions import conditional_write
from tests.cloud import Answer, Tenant, client, seed_fields

pytestmark = pytest.mark.usefixtures("aws")

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
POSTS = [row for row in ROUTES if row.method == "POST" and row.operation != "mcp"]
BODIES: dict[str, Any] = {
    "digitize": {"documentId": 1},
    "announce_document": {"fileName": "deed.pdf"},
    "add_field": {"key": "grantee_name", "value": "Eliza Boone"},
    "claim_document": {"seconds": 60},
    "release_document": None,
    "extract_again": {},
    "create_model": {"name": "Deeds", "docType": "deed_of_conveyance", "source": "upload"},
    "digitize_with_model": {"documentId": 1},
    "create_key": {"name": "scanner", "role": "reader"},
    "rotate_key": {"overlapSeconds": 60},
    "split_document": {"at": [2]},
    "merge_documents": {"documents": [8]},
}
#: Whose model or document is not there, which is an answer too.
ABSENT = {"digitize_with_model": "mdl_deeds_v1", "split_document": "9", "merge_documents": "9"}


class Clock:
    """What alma takes for the time of its records."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> Clock:
    given = Clock()
    monkeypatch.setattr(clock, "now", given)
    return given


@pytest.fixture
def greaves() -> Tenant:
    """An organisation with one deed that was read, document 1."""
    tenant = Tenant.create("greaves").mint_all()
    tenant.seed_document(seed_fields())
    return tenant


def announce(tenant: Tenant, key: str = KEY, name: str = "deed.pdf", role: Role = Role.ADMIN) -> Answer:
    headers, body = {"Idempotency-Key": key}, {"fileName": name}
    return tenant.call("documents", "POST", "/v1/documents", body=body, role=role, headers=headers)


def send(tenant: Tenant, row: Route, key: str = KEY) -> Answer:
    """Send a request that a route takes."""
    identifier = {"rotate_key": tenant.ids[Role.REVIEWER], **ABSENT}
    path = {"id": identifier.get(row.operation, "1")} if "{id}" in row.resource else None
    headers, body = {"Idempotency-Key": key}, BODIES[row.operation]
    return tenant.call(row.function, row.method, row.resource, path=path, body=body, headers=headers)


def form(boundary: str, content: str) -> str:
    head = 'Content-Disposition: form-data; name="file"; filename="deed.pdf"'
    return f"--{boundary}\r\n{head}\r\n\r\n{content}\r\n--{boundary}--\r\n"


def digitize(tenant: Tenant, key: str = KEY, document_id: int = 1) -> Answer:
    headers, body = {"Idempotency-Key": key}, {"documentId": document_id}
    return tenant.call("digitize", "POST", "/v1/digitize", body=body, headers=headers)


def rows() -> dict[tuple[str, str], Any]:
    """Everything in the table but rate limits and what is kept for repeats."""
    found = client("dynamodb").scan(TableName=settings().table)["Items"]
    return {
        (row["pk"]["S"], row["sk"]["S"]): row
        for row in found
        if not row["pk"]["S"].startswith(("limit#", "idempotency#"))
    }


def documents(tenant: Tenant) -> list[int]:
    listed = tenant.call("documents", "GET", "/v1/documents").json["documents"]
    return [each["documentId"] for each in listed]


def told(answer: Answer) -> Any:
    """What an answer says, without the URL to upload to, which is signed anew."""
    body = answer.json if answer.body else None
    return {name: each for name, each in body.items() if name != "upload"} if body else None


@pytest.mark.parametrize(
    "row", [row for row in POSTS if row.function != "keys"], ids=lambda row: row.operation
)
def test_a_repeat_of_any_post_gets_the_first_answer_and_changes_nothing(row: Route, greaves: Tenant) -> None:
    first = send(greaves, row)
    left = rows()

    again = send(greaves, row)

    assert (first.status < 300, "Idempotency-Replayed" in first.headers) == (
        row.operation not in ABSENT,
        False,
    )
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.status, told(again)) == (first.status, told(first))
    assert again.headers.get("Content-Type") == first.headers.get("Content-Type")
    assert rows() == left


def test_every_post_but_the_agents_is_tried_here() -> None:
    assert {row.operation for row in POSTS} == set(BODIES)
    assert {row.operation for row in ROUTES if row.takes_idempotency_key} == set(BODIES)


def test_what_is_sent_without_a_key_is_done_each_time(greaves: Tenant) -> None:
    body = {"fileName": "deed.pdf"}
    sent = [greaves.call("documents", "POST", "/v1/documents", body=body) for _ in range(2)]

    assert [answer.json["documentId"] for answer in sent] == [2, 3]


def test_other_methods_take_no_notice_of_a_key(greaves: Tenant) -> None:
    headers = {"Idempotency-Key": "\x00 none at all"}
    path = {"id": "1"}
    got = [
        greaves.call("documents", method, "/v1/documents/{id}", path=path, headers=headers)
        for method in ("GET", "DELETE", "DELETE")
    ]

    assert [answer.status for answer in got] == [200, 204, 404]
    assert not any("Idempotency-Replayed" in answer.headers for answer in got)


@pytest.mark.parametrize(
    "key", ["", "  ", "x" * 256, '"unfinished', '"a"b', "clé", "tab\there", '""', '"a" "b"']
)
def test_a_malformed_key_is_refused_in_a_sentence_and_nothing_is_done(key: str, greaves: Tenant) -> None:
    refused = announce(greaves, key)

    assert (refused.status, refused.json["error"]) == (400, "bad_request")
    assert refused.json["detail"] == (
        "An Idempotency-Key is 1 to 255 printable ASCII characters, such as a UUID; it may stand in "
        "double quotes."
    )
    assert documents(greaves) == [1]


@pytest.mark.parametrize("key", ["x" * 255, "order 7, again", f'"{KEY}"', r'"a \"b\" \\"'])
def test_a_key_is_any_printable_text_in_quotes_or_not(key: str, greaves: Tenant) -> None:
    assert [announce(greaves, key).json["documentId"] for _ in range(2)] == [2, 2]


def test_quotes_are_no_part_of_the_key(greaves: Tenant) -> None:
    assert [announce(greaves, key).json["documentId"] for key in (KEY, f'"{KEY}"')] == [2, 2]


def test_the_same_key_with_another_request_is_422(greaves: Tenant) -> None:
    announce(greaves)
    left = rows()

    for refused in (
        announce(greaves, name="other.pdf"),
        digitize(greaves),
        greaves.call(
            "documents",
            "POST",
            "/v1/documents",
            raw=form("b", "x"),
            headers={"Content-Type": "multipart/form-data; boundary=b", "Idempotency-Key": KEY},
        ),
    ):
        assert (refused.status, refused.json["error"]) == (422, "idempotency_key_reused")
        assert "Idempotency-Replayed" not in refused.headers
    assert rows() == left


def test_the_same_key_for_another_document_or_with_another_query_is_422(greaves: Tenant) -> None:
    greaves.seed_document(seed_fields())
    headers, body = {"Idempotency-Key": KEY}, {"documentId": 1}
    query = {"tracks": "all"}

    assert digitize(greaves).status == 200
    assert digitize(greaves, document_id=2).status == 422
    asked = greaves.call("digitize", "POST", "/v1/digitize", body=body, query=query, headers=headers)
    assert asked.status == 422


def test_a_request_that_is_only_spelled_otherwise_is_the_same(greaves: Tenant) -> None:
    first = announce(greaves)
    raw = '{ "split": true,  "fileName": "deed.pdf" }'

    again = greaves.call("documents", "POST", "/v1/documents", raw=raw, headers={"Idempotency-Key": KEY})

    assert (again.status, told(again)) == (201, told(first))


def test_a_form_with_another_boundary_is_the_same_and_makes_one_document(greaves: Tenant) -> None:
    def post(boundary: str, content: str) -> Answer:
        return greaves.call(
            "documents",
            "POST",
            "/v1/documents",
            raw=form(boundary, content),
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}", "Idempotency-Key": KEY},
        )

    first, again, other = post("one", "x"), post("two", "x"), post("three", "y")

    assert (first.status, again.status, other.status) == (201, 201, 422)
    assert first.json == again.json == {"documentId": 2, "status": "processing"}


def test_neither_another_organisation_nor_another_key_meets_it(greaves: Tenant) -> None:
    rival = Tenant.create("rival").mint_all()
    rival.seed_document(seed_fields())

    assert announce(greaves).json["documentId"] == 2
    assert announce(greaves, role=Role.REVIEWER).json["documentId"] == 3
    assert announce(rival, name="theirs.pdf").json["documentId"] == 2
    assert announce(rival, name="theirs.pdf").headers["Idempotency-Replayed"] == "true"
    assert announce(greaves).json["documentId"] == 2


def test_who_may_not_ask_gets_no_first_answer(greaves: Tenant) -> None:
    assert announce(greaves).status == 201
    body, headers = {"fileName": "deed.pdf"}, {"Idempotency-Key": KEY}

    refused = greaves.call(
        "documents", "POST", "/v1/documents", body=body, headers=headers, scopes=["documents:read"]
    )

    assert (refused.status, refused.json["error"]) == (403, "forbidden")


def test_of_many_at_once_one_is_done(greaves: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock()

    def atomic(action: Callable[[], object]) -> bool:
        # Condition and write are one step in DynamoDB; in moto two threads can come between them.
        with lock:
            return conditional_write(action)

    monkeypatch.setattr(idempotency, "conditional_write", atomic)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: announce(greaves), range(8)))

    assert {answer.status for answer in answers} <= {201, 409}
    assert {answer.json["documentId"] for answer in answers if answer.status == 201} == {2}
    for answer in answers:
        if answer.status == 409:
            assert (answer.json["error"], answer.headers["Retry-After"]) == ("idempotency_in_progress", "2")
    assert documents(greaves) == [2, 1]
    assert [told(announce(greaves))["documentId"] for _ in range(2)] == [2, 2]


class KilledError(BaseException):
    """The end of a process: nothing of ours sees it."""


def test_a_claim_whose_process_died_ends_with_its_time(
    greaves: Tenant, standing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(intake, "announce", die)
        with pytest.raises(KilledError):
            announce(greaves)

    held = announce(greaves)
    assert (held.status, held.json["error"]) == (409, "idempotency_in_progress")
    assert held.headers["Retry-After"] == "2"
    assert announce(greaves, name="other.pdf").status == 422
    standing.at += timedelta(seconds=32)  # the gateway gives a function 29, the context here 30
    taken = announce(greaves)
    assert (taken.status, "Idempotency-Replayed" in taken.headers) == (201, False)
    assert announce(greaves).headers["Idempotency-Replayed"] == "true"


def test_who_comes_back_after_its_time_takes_nothing_from_the_repeat(
    greaves: Tenant, standing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = intake.announce

    def slowly(*given: Any, **options: Any) -> Any:
        monkeypatch.setattr(intake, "announce", real)
        standing.at += timedelta(seconds=32)
        assert announce(greaves).json["documentId"] == 2
        return real(*given, **options)

    monkeypatch.setattr(intake, "announce", slowly)

    assert announce(greaves).json["documentId"] == 3
    assert announce(greaves).json["documentId"] == 2


@pytest.mark.parametrize(
    ("failure", "status"), [(RuntimeError("broken"), 500), (UnavailableError("Not now."), 503)]
)
def test_what_failed_on_our_side_is_done_when_it_comes_again(
    failure: Exception, status: int, greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr(intake, "announce", fail)
        assert announce(greaves).status == status

    again = announce(greaves)
    assert (again.status, "Idempotency-Replayed" in again.headers) == (201, False)


def test_what_was_refused_as_not_valid_can_be_mended_with_the_same_key(greaves: Tenant) -> None:
    def post(body: dict[str, Any]) -> Answer:
        headers = {"Idempotency-Key": KEY}
        return greaves.call("documents", "POST", "/v1/documents", body=body, headers=headers)

    assert post({"file": "deed.pdf"}).status == 400
    assert post({"fileName": "deed.pdf", "docType": "no_such_type"}).status == 400
    assert post({"fileName": "deed.pdf"}).status == 201


def test_what_came_too_fast_is_done_when_it_comes_again(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [1_764_000_000_000_000]
    limited = replace(settings(), limit_writing="60/1")
    monkeypatch.setattr("alma.access.rate_limits._microseconds", lambda: at[0])
    monkeypatch.setattr("alma.access.rate_limits.settings", lambda: limited)
    assert announce(greaves, "another").status == 201
    assert announce(greaves).status == 429
    at[0] += 1_000_000

    assert announce(greaves).json["documentId"] == 3


def test_a_document_that_is_still_read_can_be_asked_for_again_with_the_same_key(greaves: Tenant) -> None:
    waiting = announce(greaves, "another").json["documentId"]

    asked = [digitize(greaves, document_id=waiting) for _ in range(2)]

    assert [(answer.status, "Idempotency-Replayed" in answer.headers) for answer in asked] == [
        (202, False)
    ] * 2


def test_a_refusal_of_the_operation_is_an_answer_too(greaves: Tenant) -> None:
    first, again = digitize(greaves, document_id=7), digitize(greaves, document_id=7)

    assert (first.status, again.status, again.headers["Idempotency-Replayed"]) == (404, 404, "true")
    assert again.json == first.json


def test_a_key_is_free_again_after_a_day(greaves: Tenant, standing: Clock) -> None:
    assert announce(greaves).json["documentId"] == 2
    standing.at += timedelta(hours=23, minutes=59)
    assert announce(greaves).json["documentId"] == 2
    standing.at += timedelta(minutes=1)
    assert announce(greaves, name="other.pdf").json["documentId"] == 3


def test_all_that_is_kept_is_removed_by_the_table_after_a_day(greaves: Tenant, standing: Clock) -> None:
    announce(greaves)
    digitize(greaves, "another")

    found = client("dynamodb").scan(TableName=settings().table)["Items"]
    kept = [row for row in found if row["pk"]["S"] == "idempotency#greaves"]
    assert sorted(row["kind"]["S"] for row in kept) == ["answer", "answer", "idempotency", "idempotency"]
    tomorrow = int(datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp())
    assert {row["expires_at"]["N"] for row in kept} == {str(tomorrow)}
    assert KEY not in str(kept)


def test_an_upload_that_is_announced_again_has_a_url_that_is_good(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = announce(greaves).json
    later = replace(settings(), upload_seconds=77)
    monkeypatch.setattr(objects, "settings", lambda: later)
    monkeypatch.setattr("alma.documents.service.settings", lambda: later)

    again = announce(greaves).json

    assert (first["upload"]["expiresIn"], again["upload"]["expiresIn"]) == (900, 77)
    assert "X-Amz-Expires=77" in again["upload"]["url"]
    assert again["upload"]["url"].partition("?")[0] == first["upload"]["url"].partition("?")[0]


def test_a_redirect_that_is_asked_for_again_leads_there_by_a_fresh_url(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(settings(), max_inline_bytes=10)
    monkeypatch.setattr("alma.api.answers.settings", lambda: small)
    first = digitize(greaves)
    later = replace(settings(), download_seconds=77)
    monkeypatch.setattr(objects, "settings", lambda: later)

    again = digitize(greaves)

    assert (first.status, again.status) == (303, 303)
    assert "X-Amz-Expires=77" in again.headers["Location"]
    assert again.headers["Location"].partition("?")[0] == first.headers["Location"].partition("?")[0]


def test_a_body_that_no_row_can_hold_is_kept_in_the_archive_for_a_day(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_MOST_IN_A_ROW", 10)
    first, again = digitize(greaves), digitize(greaves)

    assert (again.status, again.json) == (200, first.json)
    bucket = settings().archive_bucket
    [stored] = client("s3").list_objects_v2(Bucket=bucket, Prefix="greaves/exports/1/answer-")["Contents"]
    tags = client("s3").get_object_tagging(Bucket=bucket, Key=stored["Key"])["TagSet"]
    assert [f"{tag['Key']}={tag['Value']}" for tag in tags] == [objects.PASSING]


@pytest.mark.parametrize("in_a_row", [300 * 1024, 10])
def test_what_was_answered_about_a_document_goes_with_it(
    in_a_row: int, greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_MOST_IN_A_ROW", in_a_row)
    assert digitize(greaves).status == 200
    assert greaves.call("documents", "DELETE", "/v1/documents/{id}", path={"id": "1"}).status == 204

    again = digitize(greaves)

    assert (again.status, again.json["error"]) == (404, "not_found")
    found = client("dynamodb").scan(TableName=settings().table)["Items"]
    assert "Josiah" not in str([row for row in found if row["pk"]["S"].startswith("idempotency#")])
    assert "Contents" not in client("s3").list_objects_v2(Bucket=settings().archive_bucket, Prefix="greaves/")


def delete(tenant: Tenant, document_id: int) -> int:
    return tenant.call("documents", "DELETE", "/v1/documents/{id}", path={"id": str(document_id)}).status


def kept() -> str:
    """All that is kept of requests with a key."""
    found = client("dynamodb").scan(TableName=settings().table)["Items"]
    return str([row for row in found if row["pk"]["S"].startswith("idempotency#")])


def bodies() -> list[str]:
    """The keys of the bodies that are kept, but for what tells one attempt from another."""
    found = client("dynamodb").scan(TableName=settings().table)["Items"]
    rows = [row["sk"]["S"].rpartition("#")[0] for row in found if row["kind"]["S"] == "answer"]
    stored = client("s3").list_objects_v2(Bucket=settings().archive_bucket).get("Contents", [])
    return rows + [each["Key"].partition("answer-")[0] for each in stored if "/answer-" in each["Key"]]


@pytest.mark.parametrize("in_a_row", [300 * 1024, 10])
def test_a_document_that_is_removed_before_its_answer_is_kept_leaves_none(
    in_a_row: int, greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_MOST_IN_A_ROW", in_a_row)
    store = idempotency._store

    def removed_first(*given: Any) -> None:
        assert delete(greaves, 1) == 204
        store(*given)

    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "_store", removed_first)
        assert digitize(greaves).status == 200

    assert bodies() == []
    again = digitize(greaves)
    assert (again.status, again.json["error"]) == (404, "not_found")
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_redirect_is_not_published_for_a_document_that_is_removed_meanwhile(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(settings(), max_inline_bytes=10)
    monkeypatch.setattr("alma.api.answers.settings", lambda: small)
    put = objects.put

    def removed_first(*given: Any, **options: Any) -> None:
        assert delete(greaves, 1) == 204
        put(*given, **options)

    monkeypatch.setattr(objects, "put", removed_first)

    assert digitize(greaves).status == 404
    assert "Contents" not in client("s3").list_objects_v2(Bucket=settings().archive_bucket, Prefix="greaves/")


def test_an_answer_without_a_body_is_404_once_its_document_is_gone(greaves: Tenant) -> None:
    [row] = [row for row in POSTS if row.operation == "release_document"]
    assert send(greaves, row).status == 204
    assert delete(greaves, 1) == 204

    assert send(greaves, row).status == 404


def test_what_announced_a_document_goes_with_it(greaves: Tenant) -> None:
    first = announce(greaves, name="Deed of Josiah.pdf")
    sent = greaves.call(
        "documents",
        "POST",
        "/v1/documents",
        raw=form("b", "x"),
        headers={"Content-Type": "multipart/form-data; boundary=b", "Idempotency-Key": "another"},
    )
    assert (first.json["documentId"], sent.json["documentId"]) == (2, 3)
    for secret in ("Josiah", "X-Amz-Signature", "X-Amz-Credential"):
        assert secret not in kept()

    assert sorted(bodies()) == ["answer#000000000002", "answer#000000000003"]

    assert (delete(greaves, 2), delete(greaves, 3)) == (204, 204)

    assert bodies() == []
    assert announce(greaves, name="Deed of Josiah.pdf").status == 404


def test_what_made_a_model_goes_with_it(greaves: Tenant) -> None:
    [row] = [row for row in POSTS if row.operation == "create_model"]
    model_id = send(greaves, row).json["id"]
    assert bodies() == [f"answer#{model_id}"]
    assert "X-Amz-Signature" not in kept()

    gone = greaves.call("models", "DELETE", "/v1/models/{id}", path={"id": model_id})
    assert gone.status == 204

    assert bodies() == []
    assert send(greaves, row).status == 404


def test_what_is_kept_of_a_redirect_is_not_signed(greaves: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(settings(), max_inline_bytes=10)
    monkeypatch.setattr("alma.api.answers.settings", lambda: small)

    assert "X-Amz-Signature" in digitize(greaves).headers["Location"]
    assert "document-1.json" in kept()
    assert "X-Amz-Signature" not in kept()


def test_bodies_are_not_read_to_remove_them(greaves: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        assert digitize(greaves, f"key {number}").status == 200
    read: list[str] = []
    dispatch = Connection.dispatch

    def watch(self: Connection, operation: str, kwargs: dict[str, Any]) -> Any:
        answer = dispatch(self, operation, kwargs)
        if operation == "Query":
            read.append(str(answer["Items"]))
        return answer

    monkeypatch.setattr(Connection, "dispatch", watch)
    assert delete(greaves, 1) == 204

    assert sum(each.count("'answer#") for each in read) == 3
    assert not any("'body'" in each for each in read)


def test_a_document_that_is_still_read_is_reviewed_with_the_same_key_once_it_is(greaves: Tenant) -> None:
    document = intake.announce("greaves", "deed.pdf")

    def add() -> Answer:
        return greaves.call(
            "reviews",
            "POST",
            "/v1/documents/{id}/fields",
            path={"id": str(document.id)},
            body={"key": "grantee_name", "value": "Eliza Boone"},
            headers={"Idempotency-Key": KEY},
        )

    waits = add()
    progress.finish(document, Extraction("deed_of_conveyance", None, []))
    done = add()

    assert (waits.status, waits.json["error"]) == (409, "not_ready")
    assert (done.status, "Idempotency-Replayed" in done.headers) == (201, False)


def test_a_document_that_could_not_be_read_is_refused_for_good(greaves: Tenant) -> None:
    document = intake.announce("greaves", "deed.pdf")
    progress.fail(document, "damaged_file", "It is damaged.")
    path, headers = {"id": str(document.id)}, {"Idempotency-Key": KEY}

    def again() -> Answer:
        resource = "/v1/documents/{id}/extract"
        return greaves.call("reviews", "POST", resource, path=path, headers=headers, body={})

    assert [(each.status, each.json["error"]) for each in (again(), again())] == [(409, "not_ready")] * 2
    assert again().headers["Idempotency-Replayed"] == "true"


def test_a_document_that_another_works_on_can_be_claimed_with_the_same_key_afterwards(
    greaves: Tenant,
) -> None:
    path = {"id": "1"}

    def claim(role: Role) -> Answer:
        return greaves.call(
            "reviews",
            "POST",
            "/v1/documents/{id}/claim",
            path=path,
            body={"seconds": 60},
            role=role,
            headers={"Idempotency-Key": KEY},
        )

    assert claim(Role.ADMIN).status == 200
    refused = claim(Role.REVIEWER)
    assert (refused.status, refused.json["error"]) == (409, "claimed")
    assert greaves.call("reviews", "POST", "/v1/documents/{id}/release", path=path).status == 204

    done = claim(Role.REVIEWER)
    assert (done.status, "Idempotency-Replayed" in done.headers) == (200, False)


def test_a_model_that_is_not_ready_yet_can_be_asked_with_the_same_key(greaves: Tenant) -> None:
    rows_of = {row.operation: row for row in POSTS}
    made, digitizing = rows_of["create_model"], rows_of["digitize_with_model"]
    assert send(greaves, made, "another").json["id"] == "mdl_deeds_v1"

    asked = [send(greaves, digitizing) for _ in range(2)]

    assert [(each.status, each.json["error"]) for each in asked] == [(409, "model_not_ready")] * 2
    assert not any("Idempotency-Replayed" in each.headers for each in asked)


def test_a_claim_whose_own_answer_was_lost_holds(greaves: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    save = IdempotencyItem.save

    def twice(self: IdempotencyItem, *given: Any, **options: Any) -> Any:
        save(self, *given, **options)
        return save(self, *given, **options)  # as the SDK does

    monkeypatch.setattr(IdempotencyItem, "save", twice)

    assert [digitize(greaves).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("operation", ["create_key", "rotate_key"])
def test_a_token_is_shown_once_and_a_repeat_names_the_key(operation: str, greaves: Tenant) -> None:
    [row] = [row for row in POSTS if row.operation == operation]
    minted = send(greaves, row)
    left = rows()

    again = send(greaves, row)

    assert minted.status == 201
    assert (again.status, again.json["error"]) == (409, "token_shown_once")
    assert again.json["keyId"] == minted.json["id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert rows() == left
    everything = client("dynamodb").scan(TableName=settings().table)["Items"]
    assert minted.json["token"] not in str(everything)
    assert minted.json["token"] not in again.body
