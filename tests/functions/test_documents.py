"""Documents over HTTP: announced, listed, read, removed."""

import base64
import io
import json
import re
import urllib.parse

import pytest

from alma import clock
from alma.access.keys import Role
from alma.datamodel.fields import Field, Reading, Status
from alma.datamodel.geometry import Box, Region
from alma.documents import intake, page_records, progress, records
from alma.documents.records import DocumentStatus
from alma.presentation.document import DocumentView
from alma.settings import settings
from alma.storage.table import Item
from tests.cloud import Answer, Tenant, client, seed_fields

pytestmark = pytest.mark.usefixtures("aws")

SEED_FIELDS = [
    {
        "key": "grantor_name",
        "value": "Josiah A. Greaves",
        "confidence": 0.973,
        "status": "accepted",
        "evidence": {"page": 1, "bbox": {"x": 0.142, "y": 0.331, "w": 0.268, "h": 0.041}},
    },
    {
        "key": "parcel_acreage",
        "value": "12.5",
        "confidence": 0.61,
        "status": "escalated",
        "evidence": {"page": 2, "bbox": {"x": 0.557, "y": 0.214, "w": 0.083, "h": 0.029}},
    },
]


def test_digitize_and_get_answer_the_same_fields() -> None:
    tenant = Tenant.create("greaves")
    document = tenant.seed_document(seed_fields())

    posted = tenant.call("digitize", "POST", "/v1/digitize", body={"documentId": document.id})
    got = tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": str(document.id)})

    assert posted.status == got.status == 200
    assert posted.json == got.json
    assert got.json == {
        "documentId": document.id,
        "docType": "deed_of_conveyance",
        "fields": SEED_FIELDS,
    }


def test_tracks_all_adds_what_every_track_reads_and_why_a_person_should_look() -> None:
    place = {"page": 2, "bbox": {"x": 0.557, "y": 0.214, "w": 0.083, "h": 0.029}}
    region = (Region(2, Box(0.557, 0.214, 0.083, 0.029)),)
    acreage = Field(
        "parcel_acreage",
        0,
        (Reading("vision", "12.5", "12,5 acres", 0.61, region), Reading("text", "125", "125", None, ())),
        Status.ESCALATED,
        reasons=("tracks_disagree",),
    )
    tenant = Tenant.create("greaves")
    document = tenant.seed_document([acreage])
    query = {"tracks": "all"}

    got = tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": str(document.id)}, query=query)
    posted = tenant.call("digitize", "POST", "/v1/digitize", body={"documentId": document.id}, query=query)

    assert got.status == 200
    assert posted.json == got.json
    assert got.json["fields"] == [
        {
            "id": "parcel_acreage",
            "key": "parcel_acreage",
            "value": "12.5",
            "confidence": 0.61,
            "status": "escalated",
            "evidence": place,
            "tracks": [
                {
                    "track": "vision",
                    "value": "12.5",
                    "content": "12,5 acres",
                    "confidence": 0.61,
                    "evidence": place,
                },
                {"track": "text", "value": "125", "content": "125", "confidence": None, "evidence": None},
            ],
            "reasons": ["tracks_disagree"],
            "version": 1,
        }
    ]


def test_a_reviewed_value_stands_above_the_tracks_and_does_not_change_them() -> None:
    tenant = Tenant.create("greaves")
    document = tenant.seed_document(seed_fields())

    answer = tenant.call(
        "documents",
        "GET",
        "/v1/documents/{id}",
        path={"id": str(document.id)},
        query={"tracks": "all"},
    )

    shown = [(f["status"], [t["track"] for t in f["tracks"]], f["reasons"]) for f in answer.json["fields"]]
    assert shown == [("accepted", ["vision"], []), ("escalated", ["vision"], ["low_confidence"])]


@pytest.mark.parametrize("tracks", ["text", "ALL", "", "all,text"])
def test_other_tracks_than_all_are_400_with_a_sentence(tracks: str) -> None:
    tenant = Tenant.create("greaves")
    document = tenant.seed_document(seed_fields())

    answer = tenant.call(
        "documents",
        "GET",
        "/v1/documents/{id}",
        path={"id": str(document.id)},
        query={"tracks": tracks},
    )

    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert answer.json["detail"] == "tracks is all, for what every track reads; or leave it out."


@pytest.mark.parametrize(
    ("value", "count", "query", "name"),
    [
        ("x" * 60_000, 80, None, "document-1.json"),
        ("x" * 30_000, 80, {"tracks": "all"}, "document-1-tracks.json"),
        ('"' * 100_000, 22, None, "document-1.json"),  # small enough, but for its escapes on the way
    ],
    ids=["fields", "tracks", "escapes"],
)
def test_an_answer_over_what_lambda_carries_is_a_redirect_to_the_same_body(
    value: str, count: int, query: dict[str, str] | None, name: str
) -> None:
    tenant = Tenant.create("greaves")
    reading = Reading("text", value, value[:4_000], 0.5, (Region(1, Box(0.1, 0.1, 0.1, 0.1)),))
    document = tenant.seed_document([Field("clause", n, (reading,)) for n in range(count)])

    got = tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": str(document.id)}, query=query)
    posted = tenant.call("digitize", "POST", "/v1/digitize", body={"documentId": document.id}, query=query)

    assert (got.status, posted.status) == (303, 303)
    assert f"greaves/exports/{document.id}/{name}" in got.headers["Location"]
    stored = client("s3").get_object(
        Bucket=settings().archive_bucket, Key=f"greaves/exports/{document.id}/{name}"
    )
    assert stored["ContentType"] == "application/json"
    fields = json.loads(stored["Body"].read())["fields"]
    assert [field["value"] for field in fields] == [value] * count


def test_the_rows_of_a_group_come_back_in_order_whichever_door_is_asked() -> None:
    tenant = Tenant.create("greaves")
    place = (Region(1, Box(0.1, 0.1, 0.1, 0.1)),)
    cells = [
        Field(f"line_items.{column}", row, (Reading("text", f"{column} {row}", "", None, place),))
        for row in range(120)
        for column in ("quantity", "amount")
    ]
    document = tenant.seed_document([*seed_fields(), *cells])
    path = {"id": str(document.id)}

    got = tenant.call("documents", "GET", "/v1/documents/{id}", path=path).json
    exported = tenant.call(
        "export",
        "GET",
        "/v1/export/{documentId}",
        path={"documentId": path["id"]},
        query={"format": "csv"},
    )

    assert got["fields"][:2] == SEED_FIELDS
    assert [(f["key"], f["group"], f["row"]) for f in got["fields"][2:6]] == [
        ("line_items.quantity", "line_items", 0),
        ("line_items.amount", "line_items", 0),
        ("line_items.quantity", "line_items", 1),
        ("line_items.amount", "line_items", 1),
    ]
    assert [f["value"] for f in got["fields"][2:]] == [cell.best.value for cell in cells]
    DocumentView.model_validate(got)
    lines = base64.b64decode(exported.body).decode().splitlines()
    assert [line.split(",")[0] for line in lines[-2:]] == [
        "line_items[119].quantity",
        "line_items[119].amount",
    ]


@pytest.mark.parametrize(
    "body",
    ['{"documentId": "4012"}', '{"documentId": 0}', '{"documentId": 1.5}', '{"documentId": true}',
     '{"documentId": null}', "{}", "[]", "", "not json", '{"documentId": 1, "x": 2}', "\x00"],
)  # fmt: skip
def test_a_body_without_a_document_id_is_400_in_the_one_error_shape(body: str) -> None:
    answer = Tenant.create("greaves").call("digitize", "POST", "/v1/digitize", raw=body)

    assert answer.status == 400
    assert set(answer.json) == {"error", "detail", "request_id"}
    assert answer.json["error"] == "bad_request"


@pytest.mark.parametrize("number", ["abc", "0", "-1", "1.5", "1e3", "9" * 40, "", "٤"])
def test_a_path_that_is_no_document_id_is_400(number: str) -> None:
    answer = Tenant.create("greaves").call("documents", "GET", "/v1/documents/{id}", path={"id": number})

    assert (answer.status, answer.json["error"]) == (400, "bad_request")


def test_an_absent_document_is_404_with_the_request_id() -> None:
    answer = Tenant.create("greaves").call("documents", "GET", "/v1/documents/{id}", path={"id": "4012"})

    assert answer.status == 404
    assert answer.json == {
        "error": "not_found",
        "detail": "There is no document 4012 in your organisation; list documents to see those there are.",
        "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    }


def test_a_document_that_is_being_read_is_202_with_retry_after() -> None:
    tenant = Tenant.create("greaves")
    document = intake.announce("greaves", "deed.pdf")
    progress.pages_known(document, 3, [2, 3], "application/pdf")

    answer = tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": str(document.id)})

    assert (answer.status, answer.headers["Retry-After"]) == (202, "2")
    assert answer.json == {
        "documentId": document.id,
        "docType": None,
        "status": "processing",
        "pages": 3,
        "pagesRead": 1,
    }


def test_a_document_that_failed_is_422_with_its_slug_and_sentence() -> None:
    tenant = Tenant.create("greaves")
    document = intake.announce("greaves", "deed.pdf")
    progress.fail(document, "password_protected", "Remove the password and send it again.")

    answer = tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": str(document.id)})
    listed = tenant.call("documents", "GET", "/v1/documents", query={"status": "failed"})

    assert answer.status == 422
    assert answer.json["error"] == "password_protected"
    assert answer.json["detail"] == "Remove the password and send it again."
    assert answer.json["status"] == "failed"
    assert [(d["status"], d["error"]) for d in listed.json["documents"]] == [("failed", "password_protected")]


def test_the_list_is_newest_first_and_pages_through_everything_once() -> None:
    tenant = Tenant.create("greaves")
    ids = [intake.announce("greaves", f"{n}.pdf").id for n in range(7)]

    seen: list[int] = []
    cursor: str | None = None
    while True:
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = tenant.call("documents", "GET", "/v1/documents", query=query).json
        seen += [document["documentId"] for document in page["documents"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break

    assert seen == sorted(ids, reverse=True)


def test_the_list_filters_by_type_and_status() -> None:
    tenant = Tenant.create("greaves")
    deed = tenant.seed_document(doc_type="deed_of_conveyance")
    tenant.seed_document(doc_type="invoice")
    unknown = tenant.seed_document(doc_type=None)
    waiting = intake.announce("greaves", "later.pdf")

    def listed(**query: str) -> list[int]:
        answer = tenant.call("documents", "GET", "/v1/documents", query=query)
        return [document["documentId"] for document in answer.json["documents"]]

    assert listed(docType="deed_of_conveyance") == [deed.id]
    assert listed(docType="deed_of_conveyance", status="processing") == []
    assert listed(status="processing") == [waiting.id]
    assert unknown.id in listed(status="ready")
    assert len(listed()) == 4


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "201"}, {"limit": "many"}, {"cursor": "?"}, {"cursor": "bm8"},
     {"cursor": "W1tb" * 9},

     {"status": "done"}],
)  # fmt: skip
def test_a_wrong_limit_cursor_or_status_is_400(query: dict[str, str]) -> None:
    answer = Tenant.create("greaves").call("documents", "GET", "/v1/documents", query=query)

    assert (answer.status, answer.json["error"]) == (400, "bad_request")


def test_announcing_answers_an_id_and_a_url_into_the_own_inbox() -> None:
    tenant = Tenant.create("greaves")

    answer = tenant.call("documents", "POST", "/v1/documents", body={"fileName": "the deed.pdf"})

    assert answer.status == 201
    assert answer.json["status"] == "processing"
    assert answer.json["upload"]["method"] == "PUT"
    url = urllib.parse.urlsplit(answer.json["upload"]["url"])
    key = f"inbox/greaves/.uploads/{answer.json['documentId']}/the deed.pdf"
    assert urllib.parse.unquote(url.path).endswith(key)


@pytest.mark.parametrize(
    "name",
    ["", "../../other/x.pdf", "a/b.pdf", "a\\b.pdf", "x\n.pdf", "x" * 256, "..", "\u202epdf.x", "😀" * 100],
)
def test_a_file_name_with_folders_or_controls_is_400(name: str) -> None:
    answer = Tenant.create("greaves").call("documents", "POST", "/v1/documents", body={"fileName": name})

    assert answer.status == 400


def test_a_reader_may_not_announce_or_remove() -> None:
    tenant = Tenant.create("greaves")

    announced = tenant.call(
        "documents", "POST", "/v1/documents", body={"fileName": "x.pdf"}, role=Role.READER
    )
    removed = tenant.call("documents", "DELETE", "/v1/documents/{id}", path={"id": "1"}, role=Role.READER)

    assert (announced.status, removed.status) == (403, 403)
    assert removed.json["detail"] == (
        "This needs a key with the scope documents:write; yours does not have it."
    )


def test_an_upload_that_never_came_is_a_failure_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    tenant = Tenant.create("greaves")
    document = intake.announce("greaves", "deed.pdf")
    late = clock.now() + timedelta(seconds=settings().upload_seconds + 1)
    monkeypatch.setattr(clock, "now", lambda: late)

    answer = tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": str(document.id)})

    assert (answer.status, answer.json["error"]) == (422, "upload_missing")


def test_removing_a_document_leaves_nothing_of_it() -> None:
    tenant = Tenant.create("greaves").mint_all()
    s3 = client("s3")
    key = "inbox/greaves/deed.pdf"
    put = s3.put_object(Bucket=settings().inbox_bucket, Key=key, Body=b"%PDF")
    document = intake.arrive("greaves", key, put["ETag"], "1")
    assert document is not None
    page_records.put_page(document, 1, width=10, height=10, has_text=False, waiting=True)
    s3.put_object(Bucket=settings().archive_bucket, Key=f"greaves/pages/{document.id}/p1.png", Body=b"png")
    from alma.datamodel.fields import Extraction

    progress.finish(document, Extraction(None, None, seed_fields()))
    before = len(list(Item.query("greaves")))

    answer = tenant.call("documents", "DELETE", "/v1/documents/{id}", path={"id": str(document.id)})

    assert (answer.status, answer.body) == (204, "")
    assert "Contents" not in s3.list_objects_v2(Bucket=settings().inbox_bucket)
    assert "Contents" not in s3.list_objects_v2(Bucket=settings().archive_bucket)
    after = len(list(Item.query("greaves")))
    # The document, its page, its file, two fields and three lookups (a time, two words) are gone; the trail
    # is there and has an end.
    assert before - after == 8 - 1


def test_a_file_delivered_twice_is_one_document_and_changed_content_is_another() -> None:
    Tenant.create("greaves")

    first = intake.arrive("greaves", "inbox/greaves/a.pdf", "etag-1", "1")
    again = intake.arrive("greaves", "inbox/greaves/a.pdf", "etag-1", "1")
    changed = intake.arrive("greaves", "inbox/greaves/a.pdf", "etag-2", "1")

    assert first is not None
    assert again is not None
    assert changed is not None
    assert first.id == again.id != changed.id
    assert (first.attempts, again.attempts) == (1, 2)


def test_a_finished_document_has_nothing_left_to_do_when_its_file_is_delivered_again() -> None:
    Tenant.create("greaves")
    document = intake.arrive("greaves", "inbox/greaves/a.pdf", "etag-1", "1")
    assert document is not None
    progress.fail(document, "damaged_file", "x")

    assert intake.arrive("greaves", "inbox/greaves/a.pdf", "etag-1", "1") is None
    assert records.get("greaves", document.id).status is DocumentStatus.FAILED


def test_a_file_that_failed_is_read_again_when_it_is_dropped_again() -> None:
    Tenant.create("greaves")
    first = intake.arrive("greaves", "inbox/greaves/a.pdf", "etag-1", "1")
    assert first is not None
    progress.fail(first, "too_many_pages", "x")

    assert intake.arrive("greaves", "inbox/greaves/a.pdf", "etag-1", "1") is None
    again = intake.arrive("greaves", "inbox/greaves/a.pdf", "etag-1", "2")

    assert again is not None
    assert (again.id, again.attempts) == (first.id + 1, 1)


def test_removing_an_old_document_leaves_newer_content_of_the_same_name() -> None:
    tenant = Tenant.create("greaves")
    s3 = client("s3")
    key = "inbox/greaves/deed.pdf"
    first = s3.put_object(Bucket=settings().inbox_bucket, Key=key, Body=b"one")
    document = intake.arrive("greaves", key, first["ETag"].strip('"'), "1")
    assert document is not None
    s3.put_object(Bucket=settings().inbox_bucket, Key=key, Body=b"two")

    assert (
        tenant.call("documents", "DELETE", "/v1/documents/{id}", path={"id": str(document.id)}).status == 204
    )
    assert s3.get_object(Bucket=settings().inbox_bucket, Key=key)["Body"].read() == b"two"


def test_a_late_finish_touches_nothing_that_people_may_have_reviewed() -> None:
    from alma.datamodel.fields import Extraction

    tenant = Tenant.create("greaves")
    document = tenant.seed_document(seed_fields())

    progress.finish(document, Extraction("invoice", None, seed_fields()[:1]))

    finished, fields = records.read("greaves", document.id)
    assert finished.doc_type == "deed_of_conveyance"
    assert [field.key for field in fields] == ["grantor_name", "parcel_acreage"]


def test_five_hundred_values_of_a_repeated_field_come_back_in_order() -> None:
    from alma.datamodel.fields import Extraction, Field, Reading

    Tenant.create("greaves")
    document = intake.announce("greaves", "deed.pdf")
    readings = [Reading("text", f"Party {n}", f"Party {n}", None, ()) for n in range(500)]
    fields = [Field("party", n, (reading,)) for n, reading in enumerate(readings)]

    progress.finish(document, Extraction("contract", None, fields))

    _, kept = records.read("greaves", document.id)
    assert [field.best.value for field in kept] == [f"Party {n}" for n in range(500)]


def test_a_storage_that_asks_to_slow_down_is_503_with_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    tenant = Tenant.create("greaves")

    def slow(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "x"}}, "Query")

    monkeypatch.setattr(records, "read", slow)
    answer = tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": "1"})

    assert (answer.status, answer.json["error"], answer.headers["Retry-After"]) == (503, "unavailable", "5")


def test_announcing_an_unknown_type_names_the_known_ones() -> None:
    answer = Tenant.create("greaves").call(
        "documents", "POST", "/v1/documents", body={"fileName": "x.pdf", "docType": "novel"}
    )

    assert answer.status == 400
    assert "deed_of_conveyance" in answer.json["detail"]


def test_an_announced_file_becomes_its_document_and_a_second_upload_one_of_its_own() -> None:
    Tenant.create("greaves")
    announced = intake.announce("greaves", "deed.pdf")

    arrived = intake.arrive("greaves", announced.object_key, "etag-1", "1")
    second = intake.arrive("greaves", announced.object_key, "etag-2", "1")

    assert arrived is not None
    assert second is not None
    assert arrived.id == announced.id
    assert second.id != announced.id


def test_a_page_taken_off_twice_counts_once_and_the_last_leaves_none_pending() -> None:
    Tenant.create("greaves")
    document = intake.announce("greaves", "deed.pdf")
    document = progress.pages_known(document, 2, [1, 2], "application/pdf")

    assert progress.page_read(document, 1).pending == {2}
    assert progress.page_read(document, 1).pending == {2}
    assert progress.page_read(document, 2).pending == frozenset()
    assert progress.page_read(document, 2).pages_read == 2


def test_an_xlsx_is_a_workbook_and_its_headers_save_it_under_a_sensible_name() -> None:
    import base64

    import openpyxl

    tenant = Tenant.create("greaves")
    document = tenant.seed_document(seed_fields())

    answer = tenant.call(
        "export",
        "GET",
        "/v1/export/{documentId}",
        path={"documentId": str(document.id)},
        query={"format": "xlsx"},
    )

    assert answer.status == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="document-{document.id}.xlsx"'
    sheet = openpyxl.load_workbook(io.BytesIO(base64.b64decode(answer.body))).active
    assert sheet is not None
    assert [cell.value for cell in sheet[2]][:2] == ["grantor_name", "Josiah A. Greaves"]


def test_a_large_export_is_a_redirect_to_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    tenant = Tenant.create("greaves")
    document = tenant.seed_document(seed_fields())
    small = replace(settings(), max_inline_bytes=10)
    monkeypatch.setattr("alma.api.answers.settings", lambda: small)

    answer = tenant.call(
        "export",
        "GET",
        "/v1/export/{documentId}",
        path={"documentId": str(document.id)},
        query={"format": "csv"},
    )

    assert answer.status == 303
    assert f"greaves/exports/{document.id}/document-{document.id}.csv" in answer.headers["Location"]
    stored = (
        client("s3")
        .get_object(
            Bucket=settings().archive_bucket,
            Key=f"greaves/exports/{document.id}/document-{document.id}.csv",
        )["Body"]
        .read()
    )
    assert stored.startswith(b"field_key,value,confidence,page_number,bbox,source")


def test_a_required_field_that_was_not_found_is_shown_with_the_tracks_only() -> None:
    tenant = Tenant.create("greaves")
    missing = Field("total", 0, (), Status.ESCALATED, reasons=("required_missing",))
    document = tenant.seed_document([*seed_fields(), missing])
    path = {"id": str(document.id)}

    plain = tenant.call("documents", "GET", "/v1/documents/{id}", path=path)
    tracks = tenant.call("documents", "GET", "/v1/documents/{id}", path=path, query={"tracks": "all"})
    exported = tenant.call("export", "GET", "/v1/export/{documentId}", path={"documentId": str(document.id)})

    assert "total" not in [field["key"] for field in plain.json["fields"]]
    assert tracks.json["fields"][-1] == {
        "id": "total",
        "key": "total",
        "value": None,
        "confidence": None,
        "status": "escalated",
        "evidence": None,
        "tracks": [],
        "reasons": ["required_missing"],
        "version": 1,
    }
    assert "total" not in exported.body


@pytest.mark.parametrize("query", [{}, {"tracks": "all"}], ids=["fields", "tracks"])
def test_a_document_that_is_as_the_client_knows_it_is_304(query: dict[str, str]) -> None:
    tenant = Tenant.create("greaves")
    document = tenant.seed_document(seed_fields())

    def get(method: str = "GET", **headers: str) -> Answer:
        path = {"id": str(document.id)}
        route = "/v1/documents/{id}"
        return tenant.call("documents", method, route, path=path, query=query, headers=headers)

    first = get()
    tag = first.headers["ETag"]
    assert re.fullmatch('"[0-9a-f]{32}"', tag)
    assert get("HEAD").headers["ETag"] == tag

    known = [tag, f"W/{tag}", "*", f'"a,b", W/{tag}', f'"x" ,{tag},"y"']
    assert get("HEAD").json == first.json
    for answer in [get(**{"If-None-Match": each}) for each in known] + [
        get("HEAD", **{"If-None-Match": tag})
    ]:
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, "", tag)
        assert "Content-Type" not in answer.headers
    for other in ['"x"', tag.strip('"'), "", f'"{tag[1:5]}"']:
        answer = get(**{"If-None-Match": other})
        assert (answer.status, answer.json) == (200, first.json)

    decided = {"action": "accept", "version": 1}
    path = {"id": str(document.id), "field": "parcel_acreage"}
    tenant.call("reviews", "PATCH", "/v1/documents/{id}/fields/{field}", path=path, body=decided)
    changed = get(**{"If-None-Match": tag})
    assert changed.status == 200
    assert changed.headers["ETag"] != tag


def test_a_document_that_is_being_read_or_not_there_is_no_304() -> None:
    tenant = Tenant.create("greaves")
    document = intake.announce("greaves", "deed.pdf")

    for document_id, status in ((document.id, 202), (999, 404)):
        path, headers = {"id": str(document_id)}, {"If-None-Match": "*"}
        answer = tenant.call("documents", "GET", "/v1/documents/{id}", path=path, headers=headers)
        assert answer.status == status
        assert "ETag" not in answer.headers


def test_required_fields_that_were_not_found_are_named_beside_the_fields() -> None:
    tenant = Tenant.create("greaves")
    missing = Field("total", 0, (), Status.ESCALATED, reasons=("required_missing",))
    document, whole = tenant.seed_document([*seed_fields(), missing]), tenant.seed_document(seed_fields())

    def body(document_id: int, **query: str) -> dict[str, object]:
        path = {"id": str(document_id)}
        answer = tenant.call("documents", "GET", "/v1/documents/{id}", path=path, query=query)
        DocumentView.model_validate(answer.json)
        shown: dict[str, object] = answer.json
        return shown

    assert body(document.id)["missing"] == ["total"]
    assert body(document.id)["fields"] == SEED_FIELDS
    assert "missing" not in body(document.id, tracks="all")
    assert "missing" not in body(whole.id)


@pytest.mark.parametrize(
    ("file_name", "disposition"),
    [
        ("deed.txt", "attachment; filename=\"deed.txt\"; filename*=UTF-8''deed.txt"),
        (
            'Übergabe; "1".txt',
            "attachment; filename=\"_bergabe_ _1_.txt\"; filename*=UTF-8''%C3%9Cbergabe%3B%20%221%22.txt",
        ),
    ],
)
def test_the_original_file_comes_back_under_its_own_name(file_name: str, disposition: str) -> None:
    tenant = Tenant.create("greaves")
    key = f"inbox/greaves/{file_name}"
    path = {"id": str(dropped(key))}

    answer = tenant.call("documents", "GET", "/v1/documents/{id}/file", path=path)

    where = urllib.parse.urlsplit(answer.headers["Location"])
    asked = {name: values[0] for name, values in urllib.parse.parse_qs(where.query).items()}
    assert (answer.status, urllib.parse.unquote(where.path).endswith(key)) == (303, True)
    assert asked["response-content-disposition"] == disposition
    assert asked["response-content-type"] == "application/octet-stream"


def test_a_file_that_was_replaced_or_never_came_is_absent() -> None:
    tenant = Tenant.create("greaves")
    announced = tenant.seed_document().id
    replaced = dropped("inbox/greaves/a.txt")
    client("s3").put_object(Bucket=settings().inbox_bucket, Key="inbox/greaves/a.txt", Body=b"another")

    for document_id in (announced, replaced, 99):
        path = {"id": str(document_id)}
        answer = tenant.call("documents", "GET", "/v1/documents/{id}/file", path=path)
        assert (answer.status, answer.json["error"]) == (404, "not_found")


def test_a_file_is_nobody_elses() -> None:
    owner, stranger = Tenant.create("greaves"), Tenant.create("stranger")
    path = {"id": str(dropped("inbox/greaves/a.txt"))}

    assert owner.call("documents", "GET", "/v1/documents/{id}/file", path=path).status == 303
    assert stranger.call("documents", "GET", "/v1/documents/{id}/file", path=path).status == 404


def dropped(key: str) -> int:
    """Drop a file, and return the number of its document."""
    put = client("s3").put_object(Bucket=settings().inbox_bucket, Key=key, Body=b"the deed")
    document = intake.arrive("greaves", key, put["ETag"].strip('"'), "1")
    assert document is not None
    return document.id
