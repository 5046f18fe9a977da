"""Data sets over HTTP and on disk: verified fields of a type, and the pages they stand on."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from alma.access.keys import Role
from alma.api.routes import ROUTES
from alma.cli import main
from alma.datamodel.examples import Example, LabelledDocument, read_folder
from alma.datamodel.fields import Field, Reading, Status
from alma.datamodel.geometry import Box, Region, Word
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import shipped_schemas
from alma.documents import deletion, field_rows, listing, page_records, records
from alma.documents.records import Document
from alma.models import datasets
from alma.settings import settings
from alma.storage import objects
from alma.storage.items.documents import DocumentItem, document_key
from tests.cloud import Answer, Tenant, client, seed_fields
from tests.reading import FIVE_RECEIPTS, archive, drop, ingest, read_to_the_end

pytestmark = pytest.mark.usefixtures("aws")

LINE = (
    '{"text":"Josiah A. Greaves","field_key":"grantor_name","doc_type":"deed_of_conveyance",'
    '"page_number":1,"bbox":{"x":0.142,"y":0.331,"w":0.268,"h":0.041},'
    '"image_key":"pages/%d/p1.png","status":"accepted"}\n'
)
IMAGE = b"\x89PNG page %d of %d"


def words(page: int, track: Track) -> PageText:
    """Return two words of a page."""
    clear = None if track is Track.TEXT else 0.9731
    return PageText(
        page,
        1240.5,
        1754.0,
        track,
        (
            Word("Josiah", Box(0.142, 0.331, 0.1, 0.041), 0, clear),
            Word("Greaves\ud800", Box(0.25, 0.331, 0.16, 0.041), 0, clear),
        ),
        turned=90,
        unreadable=1,
    )


def seed(tenant: Tenant, fields: Sequence[Field] = (), doc_type: str = "deed_of_conveyance") -> Document:
    """Return a document of two pages with verified fields; its second page was recognised, too."""
    document = tenant.seed_document(fields or seed_fields(), doc_type)
    for page in (1, 2):
        page_records.put_page(document, page, width=1241, height=1754, has_text=True, waiting=page == 2)
        image = objects.page_image_key(document.id, page)
        objects.put(tenant.organisation, image, IMAGE % (page, document.id), "image/png")
        for track in (Track.TEXT, Track.VISION)[:page]:
            key = objects.words_key(document.id, page, track)
            text = words(page, track).to_json().encode(errors="backslashreplace")
            objects.put(tenant.organisation, key, text, "application/json")
    page_records.page_recognised(document, 2, 90)
    set_verified(document, sum(field.status.verified for field in fields or seed_fields()))
    return document


def set_verified(document: Document, count: int) -> None:
    """Write how many fields of a document a person stands behind."""
    row = DocumentItem(document.organisation, document_key(document.id))
    row.update(actions=[DocumentItem.verified.set(count)])


def get(tenant: Tenant, doc_type: str = "deed_of_conveyance", **query: str) -> Answer:
    """Ask for a data set."""
    return tenant.call(
        "datasets", "GET", "/v1/datasets/{docType}", path={"docType": doc_type}, query=query, role=Role.READER
    )


def page(tenant: Tenant, document_id: int | str, file: str, headers: dict[str, str] | None = None) -> Answer:
    """Ask for a page."""
    return tenant.call(
        "datasets",
        "GET",
        "/v1/pages/{documentId}/{file}",
        path={"documentId": str(document_id), "file": file},
        role=Role.READER,
        headers=headers,
    )


def stored(url: str) -> tuple[bytes, str | None]:
    """Return what a presigned URL leads to, and the name it is saved by."""
    parts = urlsplit(url)
    assert parts.netloc == f"{settings().archive_bucket}.s3.eu-west-1.amazonaws.com"
    found = client("s3").get_object(Bucket=settings().archive_bucket, Key=unquote(parts.path[1:]))
    disposition = parse_qs(parts.query).get("response-content-disposition", [None])[0]
    return found["Body"].read(), disposition


def content(answer: Answer) -> bytes:
    """Return the body of an answer as it travels."""
    return base64.b64decode(answer.body) if answer.encoded else answer.body.encode()


def lines(answer: Answer) -> str:
    """Return the lines a data set redirects to."""
    assert answer.status == 303
    return stored(answer.headers["Location"])[0].decode()


# --- over HTTP -------------------------------------------------------------


def test_the_types_with_verified_documents_are_listed() -> None:
    greaves = Tenant.create("greaves")
    seed(greaves)
    seed(greaves)
    seed(greaves, doc_type="contract")
    greaves.seed_document(seed_fields()[1:], "invoice")

    answer = greaves.call("datasets", "GET", "/v1/datasets", role=Role.READER)

    assert (answer.status, answer.json) == (
        200,
        {
            "datasets": [
                {"docType": "contract", "documents": 1, "examples": 1},
                {"docType": "deed_of_conveyance", "documents": 2, "examples": 2},
            ]
        },
    )


def test_a_data_set_redirects_to_the_lines_of_all_verified_documents_of_the_type() -> None:
    greaves = Tenant.create("greaves")
    first, _other, unverified = seed(greaves), seed(greaves, doc_type="contract"), seed(greaves)
    last = seed(greaves)
    set_verified(unverified, 0)

    answer = get(greaves, format="jsonl")

    assert (answer.status, answer.body) == (303, "")
    body, disposition = stored(answer.headers["Location"])
    assert body.decode() == LINE % first.id + LINE % last.id
    assert disposition == 'attachment; filename="deed_of_conveyance.jsonl"'


def test_lines_of_a_document_are_those_of_its_export_in_the_order_of_the_schema() -> None:
    greaves = Tenant.create("greaves")
    place = (Region(2, Box(0.1, 0.2, 0.3, 0.04)), Region(2, Box(0.1, 0.25, 0.3000049, 0.04)))
    fields = [
        Field("line_items.amount", row, (reading,), Status.EDITED, reviewed=reading)
        for row, reading in enumerate(
            Reading("vision", f"{row}.00", f"{row},00", None, place) for row in (1, 2, 2)
        )
    ]
    rejected = replace(seed_fields()[0], status=Status.REJECTED)
    placeless = replace(seed_fields()[0], key="total", reviewed=Reading("vision", "1", "1", None, ()))
    document = seed(greaves, [*fields, rejected, placeless, Field("deed_date", 0, ())])

    found = lines(get(greaves, format="jsonl"))
    alone = greaves.call(
        "export",
        "GET",
        "/v1/export/{documentId}",
        path={"documentId": str(document.id)},
        query={"format": "jsonl"},
    )

    # The third row says the same of the same place as the second: it teaches nothing more.
    assert [json.loads(line)["text"] for line in found.splitlines()] == ["1.00", "2.00"]
    assert json.loads(found.splitlines()[0]) == {
        "text": "1.00",
        "field_key": "line_items.amount",
        "doc_type": "deed_of_conveyance",
        "page_number": 2,
        "bbox": {"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.09},
        "image_key": f"pages/{document.id}/p2.png",
        "status": "edited",
    }
    assert content(alone).decode() == found


def test_the_manifest_names_the_schema_and_says_which_documents_are_complete() -> None:
    greaves = Tenant.create("greaves")
    decided = [
        seed_fields()[0],
        Field("deed_date", 0, (), Status.REJECTED),
        Field("line_items.amount", 0, seed_fields()[1].readings),
    ]
    missing = [seed_fields()[0], Field("deed_date", 0, (), Status.ESCALATED)]
    seed(greaves, decided), seed(greaves, missing)
    schema = greaves.call(
        "schemas", "GET", "/v1/schemas/{docType}", path={"docType": "deed_of_conveyance"}
    ).json

    answer = get(greaves, format="json")

    assert answer.status == 200
    assert answer.json == {
        "docType": "deed_of_conveyance",
        "schema": schema["definition"],
        "documents": [
            {"documentId": 1, "pages": 2, "complete": True, "examples": 1},
            {"documentId": 2, "pages": 2, "complete": False, "examples": 1},
        ],
        "examples": 2,
        "nextCursor": None,
    }


def test_a_data_set_can_be_had_in_parts() -> None:
    greaves = Tenant.create("greaves")
    numbers = [seed(greaves).id for _ in range(5)]

    found: list[str] = []
    cursor: dict[str, str] = {}
    for size in (2, 2, 1):
        part = {"limit": "2", **cursor}
        manifest = get(greaves, format="json", **part).json
        assert len(manifest["documents"]) == size
        found.append(lines(get(greaves, format="jsonl", **part)))
        cursor = {"cursor": manifest["nextCursor"]}

    assert cursor == {"cursor": None}
    assert "".join(found) == "".join(LINE % number for number in numbers)
    assert len([key for key in archive() if "/exports/datasets/" in key]) == 3


def test_a_type_without_verified_fields_is_an_empty_file() -> None:
    greaves = Tenant.create("greaves")

    assert lines(get(greaves, "invoice", format="jsonl")) == ""
    assert get(greaves, "invoice", format="json").json["documents"] == []


@pytest.mark.parametrize(
    ("doc_type", "query", "status", "error"),
    [
        ("no_such_type", {"format": "jsonl"}, 404, "not_found"),
        ("no_such_type", {"format": "json"}, 404, "not_found"),
        ("Not/A Type", {}, 404, "not_found"),
        ("invoice", {"format": "csv"}, 400, "bad_request"),
        ("invoice", {"limit": "0"}, 400, "bad_request"),
        ("invoice", {"limit": "ten"}, 400, "bad_request"),
        ("invoice", {"limit": "10001", "format": "json"}, 400, "bad_request"),
        ("invoice", {"cursor": "…"}, 400, "bad_request"),
    ],
)
def test_what_is_no_data_set_is_refused(
    doc_type: str, query: dict[str, str], status: int, error: str
) -> None:
    answer = get(Tenant.create("greaves"), doc_type, **query)

    assert (answer.status, answer.json["error"]) == (status, error)
    assert set(answer.json) == {"error", "detail", "request_id"}


def test_a_data_set_of_many_megabytes_is_written_in_parts_while_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    greaves = Tenant.create("greaves")
    reading = Reading("vision", "x" * 100_000, "x", None, (Region(1, Box(0.1, 0.1, 0.1, 0.1)),))
    fields = [Field("note", n, (reading,), Status.EDITED, reviewed=reading) for n in range(1)]
    seed(greaves, fields)
    # As many as 150 documents of that size would have, without the time it takes to write them.
    once = datasets._verified("greaves", "deed_of_conveyance", 1)
    monkeypatch.setattr(listing, "list_verified", lambda *_, **__: (list(range(1, 151)), None))
    monkeypatch.setattr(datasets, "_verified", lambda *_: once)

    body, _ = stored(get(greaves, format="jsonl").headers["Location"])

    assert len(body.splitlines()) == 150
    key = "greaves/exports/datasets/deed_of_conveyance/1-150.jsonl"
    head = client("s3").head_object(Bucket=settings().archive_bucket, Key=key)
    assert head["ETag"].endswith('-2"')  # of two parts
    assert head["ContentType"] == "application/x-ndjson"
    tags = client("s3").get_object_tagging(Bucket=settings().archive_bucket, Key=key)["TagSet"]
    assert tags == [{"Key": "alma-keep", "Value": "day"}]


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_what_cannot_be_read_in_time_is_told_before_the_time_is_up(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    greaves = Tenant.create("greaves")
    for _ in range(2):
        seed(greaves)
    monkeypatch.setattr("tests.cloud.Context.get_remaining_time_in_millis", lambda _: 3900)

    answer = get(greaves, format=form)

    assert (answer.status, answer.json["error"]) == (503, "dataset_too_large")
    assert answer.json["detail"].startswith(
        "1 of 2 documents could be read in time; ask for fewer with limit"
    )
    assert [key for key in archive() if "/datasets/" in key] == []


def test_a_removed_document_is_gone_from_the_data_set_and_from_its_last_file() -> None:
    greaves = Tenant.create("greaves")
    kept, removed = seed(greaves), seed(greaves)
    seed(greaves, doc_type="contract")
    get(greaves, format="jsonl"), get(greaves, "contract", format="jsonl")

    deletion.delete("greaves", removed.id)

    assert [key for key in archive() if "/exports/" in key] == []
    assert lines(get(greaves, format="jsonl")) == LINE % kept.id
    assert [each.id for each in datasets.documents_of("greaves", "deed_of_conveyance")] == [kept.id]


def test_a_document_that_is_removed_while_a_data_set_is_made_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    greaves = Tenant.create("greaves")
    kept, gone, other = seed(greaves), seed(greaves), seed(greaves, doc_type="contract")
    both = [kept.id, gone.id, other.id]
    deletion.delete("greaves", gone.id)
    monkeypatch.setattr(listing, "list_verified", lambda *_, **__: (both, None))

    assert lines(get(greaves, format="jsonl")) == LINE % kept.id


def test_a_data_set_holds_only_the_callers_own() -> None:
    owner, stranger = Tenant.create("owner"), Tenant.create("stranger")
    seed(owner)

    assert stranger.call("datasets", "GET", "/v1/datasets").json == {"datasets": []}
    assert lines(get(stranger, format="jsonl")) == ""
    assert get(stranger, format="json").json["documents"] == []


# --- pages -----------------------------------------------------------------


def test_an_image_key_below_v1_redirects_to_the_image() -> None:
    greaves = Tenant.create("greaves")
    seed(greaves)
    _, document_id, file = json.loads(lines(get(greaves)))["image_key"].split("/")

    answer = page(greaves, document_id, file)

    assert (answer.status, answer.body) == (303, "")
    assert stored(answer.headers["Location"])[0] == b"\x89PNG page 1 of 1"


def test_the_words_of_a_page_are_those_in_the_archive_track_by_track() -> None:
    greaves = Tenant.create("greaves")
    document = seed(greaves)

    answer = page(greaves, document.id, "p2.json")

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    body = json.loads(content(answer))
    assert list(body) == ["page", "tracks"]
    assert body["page"] == 2
    assert [PageText.from_dict(track) for track in body["tracks"]] == [
        words(2, Track.TEXT),
        words(2, Track.VISION),
    ]
    assert body["tracks"][1] == {
        "page": 2,
        "width": 1240.5,
        "height": 1754.0,
        "track": "vision",
        "turned": 90,
        "unreadable": 1,
        "words": [
            ["Josiah", 0.142, 0.331, 0.1, 0.041, 0, 0.9731],
            ["Greaves\ud800", 0.25, 0.331, 0.16, 0.041, 0, 0.9731],
        ],
    }


def test_words_that_the_client_has_are_304_and_an_image_is_a_redirect_all_the_same() -> None:
    greaves = Tenant.create("greaves")
    document = seed(greaves)

    tag = page(greaves, document.id, "p1.json").headers["ETag"]
    known = page(greaves, document.id, "p1.json", {"If-None-Match": f"W/{tag}"})
    image = page(greaves, document.id, "p1.png", {"If-None-Match": "*"})

    assert (known.status, known.body, known.headers["ETag"]) == (304, "", tag)
    assert image.status == 303
    assert "ETag" not in image.headers


def test_words_too_many_for_an_answer_are_a_redirect(monkeypatch: pytest.MonkeyPatch) -> None:
    greaves = Tenant.create("greaves")
    document = seed(greaves)
    small = replace(settings(), max_inline_bytes=100)
    monkeypatch.setattr("alma.api.answers.settings", lambda: small)

    answer = page(greaves, document.id, "p1.json")

    assert answer.status == 303
    assert json.loads(stored(answer.headers["Location"])[0])["page"] == 1


@pytest.mark.parametrize(
    ("file", "status"),
    [
        ("p3.png", 404),
        ("p3.json", 404),
        ("p99999.json", 404),
        ("p0.png", 400),
        ("p01.png", 400),
        ("p1.PNG", 400),
        ("p1.jpg", 400),
        ("p1.vision.json", 400),
        ("p1.png\n", 400),
        ("../p1.png", 400),
        ("p١.png", 400),
    ],
)
def test_a_page_that_is_none_is_refused(file: str, status: int) -> None:
    greaves = Tenant.create("greaves")
    document = seed(greaves)

    answer = page(greaves, document.id, file)

    assert (answer.status, set(answer.json)) == (status, {"error", "detail", "request_id"})


def test_a_page_without_an_image_or_words_says_so() -> None:
    greaves = Tenant.create("greaves")
    document = greaves.seed_document(seed_fields())
    page_records.page_failed(document, 1, "damaged_file", "It is damaged.")

    assert page(greaves, document.id, "p1.png").status == 404
    words_of_it = page(greaves, document.id, "p1.json")
    assert (words_of_it.status, words_of_it.encoded) == (200, True)
    assert page(greaves, "x", "p1.json").status == 400


@pytest.mark.parametrize("file", ["p1.png", "p1.json"])
def test_another_organisations_page_is_absent(file: str) -> None:
    owner, stranger = Tenant.create("owner"), Tenant.create("stranger")
    document = seed(owner)

    assert page(stranger, document.id, file).status == 404
    seed(stranger)
    deletion.delete("stranger", 1)
    assert page(stranger, document.id, file).status == 404


def test_a_document_of_a_divided_file_has_pages_of_its_own_from_1() -> None:
    greaves = Tenant.create("greaves")
    ingest(drop("inbox/greaves/receipts.pdf", FIVE_RECEIPTS))
    read_to_the_end()
    third, fields = records.read("greaves", 3)
    assert third.page_range == (3, 3)
    total = next(field for field in fields if field.key == "total")
    accept(third, total)

    (line,) = lines(get(greaves, "receipt")).splitlines()
    example = Example.from_json(line)

    assert (example.image_key, example.page_number, example.text) == ("pages/3/p1.png", 1, "8.20")
    assert page(greaves, 3, "p1.png").status == 303
    assert page(greaves, 3, "p3.png").status == 404
    found = json.loads(content(page(greaves, 3, "p1.json")))
    assert found["page"] == found["tracks"][0]["page"] == 1
    read = [word[0] for word in found["tracks"][0]["words"]]
    assert {"UNIHAKKA", "8.20"} <= set(read)


def accept(document: Document, field: Field) -> None:
    """Write a field as accepted, as a review does."""
    accepted = replace(field, status=Status.ACCEPTED, reviewed=field.best)
    field_rows.to_item(document.organisation, document.id, document.doc_type, accepted).save()
    set_verified(document, 1)


# --- on disk ---------------------------------------------------------------


class Portal(BaseHTTPRequestHandler):
    """The functions and the archive over HTTP, for the command line tool."""

    tenant: Tenant
    broken: set[str]

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if path.path.startswith("/archive/"):
            key = unquote(path.path.removeprefix("/archive/"))
            body = client("s3").get_object(Bucket=settings().archive_bucket, Key=key)["Body"].read()
            self._answer(200, {}, body, cut=path.path in self.broken)
            return
        query = {name: values[-1] for name, values in parse_qs(path.query).items()}
        names = path.path.removeprefix("/api").split("/")
        for row in ROUTES:
            pattern = row.resource.split("/")
            pairs = list(zip(pattern, names, strict=False))
            if (
                row.method == "GET"
                and len(pattern) == len(names)
                and all(a == b or a[:1] == "{" for a, b in pairs)
            ):
                given = {a.strip("{}"): unquote(b) for a, b in pairs if a[:1] == "{"}
                found = self.tenant.call(row.function, "GET", row.resource, path=given, query=query)
                break
        headers = dict(found.headers)
        if "Location" in headers:
            headers["Location"] = f"http://{self.headers['Host']}/archive{urlsplit(headers['Location']).path}"
        self._answer(found.status, headers, content(found))

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + cut))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Portal]]:
    Portal.tenant, Portal.broken = Tenant.create("greaves"), set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("ALMA_API_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("ALMA_API_KEY", "alma_x")
        yield Portal
        server.shutdown()


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Return the command's exit status and what it printed."""
    status = main(argv)
    return status, capsys.readouterr().out


def files(folder: Path) -> list[str]:
    """Return the files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_pull_brings_lines_manifest_words_and_the_images_that_lines_name(
    portal: type[Portal], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    seed(portal.tenant), seed(portal.tenant, doc_type="contract")

    status, printed = run(capsys, "dataset", "pull", str(tmp_path / "deeds"))

    assert status == 0
    assert "deeds/deed_of_conveyance.jsonl: 1 examples of 1 documents" in printed
    assert files(tmp_path / "deeds") == [
        "contract.jsonl",
        "contract.manifest.json",
        "deed_of_conveyance.jsonl",
        "deed_of_conveyance.manifest.json",
        "pages/1/p1.json",
        "pages/1/p1.png",
        "pages/1/p2.json",
        "pages/2/p1.json",
        "pages/2/p1.png",
        "pages/2/p2.json",
    ]
    assert (tmp_path / "deeds/deed_of_conveyance.jsonl").read_text() == LINE % 1
    assert (tmp_path / "deeds/pages/1/p1.png").read_bytes() == b"\x89PNG page 1 of 1"


def test_what_was_pulled_is_what_the_function_learns_from(
    portal: type[Portal], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts of two documents, with boxes over several lines and a document without an example."""
    monkeypatch.setattr("alma.cli.datasets._PART", 2)
    place = (Region(2, Box(0.1, 0.2, 0.123456, 0.04)), Region(2, Box(0.1, 0.25, 1 / 3, 0.04)))
    reading = Reading("vision", "12.5 \ud800 acres\u2028", "12.5", 0.61, place)
    edited = Field("parcel_acreage", 0, (reading,), Status.EDITED, reviewed=reading)
    placeless = replace(edited, reviewed=replace(reading, regions=()))
    for fields in ([edited], [placeless], [seed_fields()[0], edited], seed_fields(), [edited]):
        seed(portal.tenant, fields)

    status, printed = run(
        capsys, "dataset", "pull", str(tmp_path), "--type", "deed_of_conveyance", "--no-images", "--json"
    )
    schema, pulled = read_folder(tmp_path / "deed_of_conveyance.jsonl")

    assert (status, json.loads(printed)) == (
        0,
        {
            "datasets": [
                {
                    "docType": "deed_of_conveyance",
                    "file": str(tmp_path / "deed_of_conveyance.jsonl"),
                    "documents": 5,
                    "examples": 5,
                    "pages": 10,
                    "images": 0,
                }
            ]
        },
    )
    assert [name for name in files(tmp_path) if name.endswith(".png")] == []
    assert pulled == list(datasets.documents_of("greaves", "deed_of_conveyance"))
    without_a_place = frozenset({"parcel_acreage"})
    assert pulled[1] == LabelledDocument(2, pulled[1].pages, (), True, without_a_place)
    assert pulled[1].pages == (words(1, Track.TEXT), words(2, Track.TEXT), words(2, Track.VISION))
    assert [document.complete for document in pulled] == [True, True, True, False, True]
    assert schema == shipped_schemas()["deed_of_conveyance"]


def test_a_pull_that_broke_off_goes_on_where_it_did(
    portal: type[Portal], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    seed(portal.tenant), seed(portal.tenant)
    portal.broken = {"/archive/greaves/pages/2/p1.png"}

    assert run(capsys, "dataset", "pull", str(tmp_path))[0] == 1
    assert [name for name in files(tmp_path) if name.endswith((".png", ".manifest.json"))] == [
        "pages/1/p1.png"
    ]
    portal.broken = set()
    before = (tmp_path / "pages/1/p1.png").stat().st_mtime_ns

    assert run(capsys, "dataset", "pull", str(tmp_path))[0] == 0
    assert (tmp_path / "pages/1/p1.png").stat().st_mtime_ns == before
    assert (tmp_path / "pages/2/p1.png").read_bytes() == b"\x89PNG page 1 of 2"
    assert [name for name in files(tmp_path) if name.endswith((".part", ".new", ".piece"))] == []


def test_a_data_set_that_changes_while_it_is_pulled_is_asked_for_again(
    portal: type[Portal],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seed(portal.tenant)
    real = datasets.manifest
    calls: list[str] = []

    def reviewed_meanwhile(organisation: str, doc_type: str, part: datasets.Part) -> object:
        if not calls:
            seed(portal.tenant)
        calls.append(doc_type)
        return real(organisation, doc_type, part)

    monkeypatch.setattr(datasets, "manifest", reviewed_meanwhile)

    assert run(capsys, "dataset", "pull", str(tmp_path))[0] == 0
    assert len(calls) == 2
    assert [each.id for each in read_folder(tmp_path / "deed_of_conveyance.jsonl")[1]] == [1, 2]


def test_without_anything_verified_pull_says_what_to_do(
    portal: type[Portal], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(capsys, "dataset", "pull", str(tmp_path)) == (
        0,
        "nothing is verified yet; accept or edit fields first\n",
    )
    assert run(capsys, "dataset", "pull", str(tmp_path), "--type", "no_such_type", "--json")[0] == 1
    assert json.loads(run(capsys, "dataset", "list", "--json")[1]) == {"datasets": []}
    seed(portal.tenant)
    assert "deed_of_conveyance" in run(capsys, "dataset", "list")[1]
