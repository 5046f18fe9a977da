"""Every operation of the API has a command, every command has --json; documents by their names."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import typer.main

from alma.api.routes import ROUTES
from alma.cli import main
from alma.cli.app import app
from tests.patience import HANGS
from tests.unit.cli.conftest import FakeApi

ROOT = Path(__file__).parents[3]

#: The command for each operation of the API; the operator's go to the table, whose rows the routes show.
COMMANDS = {
    "digitize": "get",
    "list_documents": "list",
    "announce_document": "drop",
    "get_document": "get",
    "get_document_file": "file",
    "delete_document": "delete",
    "export_document": "export",
    "get_page": "page",
    "decide_field": "accept",
    "add_field": "add",
    "claim_document": "claim",
    "release_document": "release",
    "extract_again": "extract",
    "split_document": "split",
    "merge_documents": "merge",
    "document_history": "history",
    "review_queue": "review",
    "list_datasets": "dataset list",
    "get_dataset": "dataset pull",
    "list_models": "model list",
    "create_model": "model train",
    "get_model": "model get",
    "delete_model": "model delete",
    "get_model_file": "model download",
    "digitize_with_model": "model digitize",
    "list_schemas": "schema list",
    "get_schema": "schema get",
    "put_schema": "schema put",
    "delete_schema": "schema delete",
    "list_keys": "key list",
    "create_key": "key create",
    "rotate_key": "key rotate",
    "revoke_key": "key revoke",
    "get_usage": "usage",
    "mcp": "mcp",
    "health": "health",
    "openapi": "openapi",
}
#: Routes that only say that there is nothing.
NOT_OFFERED = {"mcp_stream", "mcp_session"}

#: How each command is called that talks to the API.
CALLS: dict[str, list[str]] = {
    "drop": ["README.md"],
    "list": [],
    "get": ["7"],
    "export": ["7"],
    "file": ["7"],
    "page": ["7"],
    "delete": ["7"],
    "history": ["7"],
    "review": [],
    "accept": ["7", "total"],
    "edit": ["7", "total", "--value", "1"],
    "reject": ["7", "total"],
    "escalate": ["7", "total"],
    "add": ["7", "total", "--value", "1"],
    "claim": ["7"],
    "release": ["7"],
    "extract": ["7"],
    "split": ["7", "--at", "2"],
    "merge": ["7", "8"],
    "correct": ["list.jsonl"],
    "schema list": [],
    "schema get": ["receipt"],
    "schema put": ["receipt", "schema.json"],
    "schema delete": ["receipt"],
    "model list": [],
    "model get": ["mdl"],
    "model train": ["--name", "n", "--type", "receipt"],
    "model register": ["README.md", "--name", "n", "--type", "receipt"],
    "model delete": ["mdl"],
    "model download": ["mdl"],
    "model digitize": ["mdl", "7"],
    "dataset list": [],
    "dataset pull": ["."],
    "usage": [],
    "health": [],
    "openapi": [],
}


def commands(group: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command with its words."""
    root: Any = typer.main.get_command(app)
    for name, each in (group or root).commands.items():
        words = f"{path} {name}".strip()
        if hasattr(each, "commands"):
            yield from commands(each, words)
        else:
            yield words, each


ALL = dict(commands())


def test_every_operation_has_a_command() -> None:
    operations = {route.operation for route in ROUTES}
    assert operations - COMMANDS.keys() - NOT_OFFERED == set()
    assert (COMMANDS.keys() | NOT_OFFERED) - operations == set()
    assert set(COMMANDS.values()) <= ALL.keys()


@pytest.mark.parametrize("name", sorted(ALL.keys() - {"mcp"}))
def test_every_command_prints_json_if_asked(name: str) -> None:
    assert "--json" in {spelling for each in ALL[name].params for spelling in each.opts}


@pytest.mark.parametrize("name", CALLS)
def test_a_failure_is_json_too(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ALMA_API_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.setenv("ALMA_API_KEY", "alma_x")
        (folder / "README.md").write_text("x")
        (folder / "schema.json").write_text("{}")
        (folder / "list.jsonl").write_text('{"file": "a.pdf", "fields": []}\n')

        assert main([*name.split(), *CALLS[name], "--json"]) == 1

    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"] == "unreachable"
    assert printed.err == ""


FIELD = {"id": "total", "key": "total", "value": "1.00", "version": 3, "status": "unreviewed", "tracks": []}


@pytest.mark.parametrize(
    ("argv", "method", "path", "body"),
    [
        (["delete", "7"], "DELETE", "/documents/7", b""),
        (["claim", "7"], "POST", "/documents/7/claim", {"seconds": 600}),
        (["claim", "7", "--seconds", "60"], "POST", "/documents/7/claim", {"seconds": 60}),
        (["release", "7"], "POST", "/documents/7/release", b""),
        (["extract", "7"], "POST", "/documents/7/extract", {}),
        (["split", "7", "--at", "3", "--at", "5"], "POST", "/documents/7/split", {"at": [3, 5]}),
        (
            ["split", "7", "--pages", "1-2", "--pages", "4"],
            "POST",
            "/documents/7/split",
            {"parts": [{"first": 1, "last": 2}, {"first": 4, "last": 4}]},
        ),
        (["merge", "7", "9", "8"], "POST", "/documents/7/merge", {"documents": [9, 8]}),
        (["extract", "7", "--type", "invoice"], "POST", "/documents/7/extract", {"docType": "invoice"}),
        (
            ["escalate", "7", "total", "--comment", "blurred"],
            "PATCH",
            "/documents/7/fields/total",
            {"action": "escalate", "version": 3, "comment": "blurred"},
        ),
        (
            ["add", "7", "items.amount", "--row", "0", "--page", "1", "--box", "0.1,0.2,0.3,0.4"],
            "POST",
            "/documents/7/fields",
            {
                "key": "items.amount",
                "row": 0,
                "evidence": {"page": 1, "bbox": {"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}},
            },
        ),
        (
            ["add", "7", "total", "--value", "1"],
            "POST",
            "/documents/7/fields",
            {"key": "total", "value": "1"},
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_command_sends_what_the_route_takes(
    api: FakeApi, argv: list[str], method: str, path: str, body: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = FIELD | {"documentId": 7, "claimedBy": "key", "expiresAt": "2026-11-27T18:00:00Z"}
    answer["documents"] = [{"documentId": 7, "first": 1, "last": 2}]
    api.say("GET", "/documents/7", {"documentId": 7, "fields": [FIELD]})
    api.say(method, path, b"" if argv[0] in ("delete", "release") else answer)

    assert main(argv) == 0
    assert capsys.readouterr().out
    assert api.asked()[-1] == (method, path, body)

    assert main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_waiting_for_a_document_to_be_read_again_ends_when_it_is(
    api: FakeApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = {"documentId": 7, "docType": "receipt", "fields": [FIELD]}
    api.say("POST", "/documents/7/extract", {"documentId": 7, "status": "ready", "reExtraction": "queued"})
    api.say("GET", "/documents/7", read | {"reExtraction": "queued"})
    monkeypatch.setattr(time, "sleep", lambda _: api.say("GET", "/documents/7", read))

    assert main(["extract", "7", "--wait", "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == read
    assert [each[0] for each in api.asked()] == ["POST", "GET", "GET"]


def test_waiting_for_a_document_that_cannot_be_read_again_says_why(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    read = {"documentId": 7, "docType": "receipt", "fields": [FIELD]}
    failed = {"reExtraction": "failed", "reExtractionDetail": "Reading it again failed 3 times."}
    api.say("POST", "/documents/7/extract", {"documentId": 7, "status": "ready", "reExtraction": "queued"})
    api.say("GET", "/documents/7", read | failed)

    assert main(["extract", "7", "--wait", "--json"]) == 1

    assert json.loads(capsys.readouterr().out) == {
        "error": "not_read_again",
        "detail": "Reading it again failed 3 times.",
    }


def test_the_queue_is_filtered(api: FakeApi) -> None:
    api.say("GET", "/review-queue", {"items": [], "nextCursor": None})

    assert main(["review", "--status", "escalated", "--max-confidence", "0.5", "--json"]) == 0
    assert api.seen[0].query == "limit=50&status=escalated&maxConfidence=0.5"


def test_a_document_is_shown_with_its_files_name_and_what_its_fields_are_called(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    read = {"key": "party", "confidence": None, "status": "unreviewed", "evidence": None, "reasons": ["x"]}
    fields = [
        {"id": "party", "value": "Acme", "tracks": [{"track": "text"}], **read},
        {"id": "party[1]", "value": "Bell", "tracks": [{"track": "text"}], **read},
        {"id": "total", "value": None, "tracks": [], **read, "key": "total"},
    ]
    api.say(
        "GET", "/documents/7", {"documentId": 7, "docType": "t", "fileName": "deed.pdf", "fields": fields}
    )

    assert main(["get", "7"]) == 0

    printed = capsys.readouterr().out
    assert "7 · deed.pdf · t" in printed
    assert "party[1]" in printed
    assert printed.endswith("not found, though the type requires it: total\n")
    assert api.seen[0].query == "tracks=all"
    assert main(["get", "7", "--json"]) == 0
    assert api.seen[1].query == ""


def test_a_document_whose_file_has_not_arrived_says_until_when_it_can_be_sent(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    processing = {"documentId": 7, "status": "processing", "uploadUntil": "2026-11-27T10:15:00Z"}
    api.say("GET", "/documents/7", processing, 202)

    assert main(["get", "7"]) == 0
    assert capsys.readouterr().out == (
        "the file of document 7 has not arrived yet; it can be sent until 2026-11-27T10:15:00Z\n"
    )


def test_a_list_without_hits_is_a_sentence(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    api.say("GET", "/documents", {"documents": [], "nextCursor": None})

    assert main(["list"]) == 0
    assert capsys.readouterr().out == "There is no such document.\n"


@pytest.mark.parametrize("option", [("--confidence-below", "2"), ("--from", "gestern"), ("--name", "#")])
def test_a_filter_that_is_none_is_wrong_usage(option: tuple[str, str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["list", *option])


def test_the_file_of_a_document_comes_back_from_where_the_api_says(
    api: FakeApi, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Against an API that answers as the route is described: a redirect to a presigned URL."""
    api.say("GET", "/documents/7/file", b"", 303, {"Location": f"{api.url}/presigned?signature=x"})
    name = "attachment; filename=\"na_ve.pdf\"; filename*=UTF-8''..%2Fna%C3%AFve.pdf"
    api.say("GET", "/presigned", b"%PDF", headers={"Content-Disposition": name})

    assert main(["file", "7"]) == 0

    assert (folder / "naïve.pdf").read_bytes() == b"%PDF"
    assert capsys.readouterr().out == "naïve.pdf (4 bytes)\n"
    assert [each.key is None for each in api.seen] == [False, True]
    assert main(["file", "7"]) == 1
    assert main(["file", "7", "-o", "copy.pdf"]) == 0


def test_a_page_is_text_words_or_an_image(
    api: FakeApi, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [["one", 0, 0, 0, 0, 0, None], ["two", 0, 0, 0, 0, 0, None], ["three", 0, 0, 0, 0, 1, None]]
    page = {"page": 2, "tracks": [{"track": "text", "words": words}]}
    api.say("GET", "/pages/7/p2.json", page)
    api.say("GET", "/pages/7/p2.png", b"", 303, {"Location": f"{api.url}/presigned"})
    api.say("GET", "/presigned", b"png")

    assert main(["page", "7", "2"]) == 0
    assert capsys.readouterr().out == "one two\nthree\n"
    assert main(["page", "7", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == page
    assert main(["page", "7", "2", "--image"]) == 0
    assert (folder / "document-7-p2.png").read_bytes() == b"png"
    api.say("GET", "/pages/7/p1.json", {"documentId": 7, "status": "processing"}, 202)
    assert main(["page", "7"]) == 1
    assert "still being read" in capsys.readouterr().err
    assert main(["page", "7", "-o", "x"]) == 1


def test_lists_are_filtered_by_the_api_and_show_what_is_left_to_review(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {"review": {"escalated": 2, "unreviewed": 17, "missing": 1}}
    documents = [named(9, "may.pdf", **counts), named(8, "june.pdf", status="processing")]
    api.say("GET", "/documents", {"documents": documents, "nextCursor": None})
    api.say("GET", "/review-queue", {"items": [], "nextCursor": None})

    filters = ["--name", "a#1 / b", "--from", "2026-05-14", "--to", "2026-05-15T10:00:00+02:00"]
    assert main(["list", *filters, "--review", "waiting", "--confidence-below", "0.5"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert main(["review", *filters]) == 0

    rows = [[cell.strip() for cell in line.split("│")] for line in printed if ".pdf" in line]
    assert [row[-3:-1] for row in rows] == [["2+17", "2026-11-27"], ["", "2026-11-27"]]
    documented = {
        "name": ["a#1 / b"],
        "from": ["2026-05-14"],
        "to": ["2026-05-15T10:00:00+02:00"],
        "limit": ["50"],
    }
    assert [parse_qs(each.query) for each in api.seen] == [
        documented | {"review": ["waiting"], "confidenceBelow": ["0.5"]},
        documented,
    ]


# --- documents by the names of their files ----------------------------------


def named(number: int, name: str, **more: Any) -> dict[str, Any]:
    about = {"docType": None, "status": "ready", "error": None, "pages": 1, "createdAt": "2026-11-27"}
    return {"documentId": number, "fileName": name} | about | more


@pytest.fixture
def archive(api: FakeApi) -> FakeApi:
    documents = [
        named(33, "twice.pdf", status="failed"),
        named(18, "note-13.pdf"),
        named(17, "note-1.pdf"),
        named(9, "twice.pdf"),
        named(8, "scan", pageRange={"first": 3, "last": 4}),
        named(5, "scan", pageRange={"first": 1, "last": 2}),
        named(4, "scan.pdf"),
        named(3, "[/x].tar.pdf"),
    ]
    api.say("GET", "/documents", {"documents": documents, "nextCursor": None})
    for each in documents:
        found = {"documentId": each["documentId"], "docType": None, "fields": []}
        api.say("GET", f"/documents/{each['documentId']}", found)
        api.say("POST", "/models/mdl/digitize", found)
    return api


@pytest.mark.parametrize(
    ("name", "number"),
    [("note-13.pdf", 18), ("note-13", 18), ("note-1.pdf", 17), ("[/x].tar", 3), ("scan.pdf", 4), ("17", 17)],
)
def test_a_document_is_found_by_the_name_of_its_file(archive: FakeApi, name: str, number: int) -> None:
    assert main(["get", name]) == 0
    assert archive.asked()[-1][:2] == ("GET", f"/documents/{number}")
    asked = [parse_qs(each.query)["name"] for each in archive.seen[:-1]]
    assert asked == ([] if name == "17" else [[name]])  # the API looks for it, not the command

    assert main(["model", "digitize", "mdl", name]) == 0
    assert archive.asked()[-1] == ("POST", "/models/mdl/digitize", {"documentId": number})


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("twice.pdf", "give one's number: 33 (failed, 2026-11-27), 9 (ready, 2026-11-27)."),
        ("scan", "8 (ready, 2026-11-27, pages 3 to 4), 5 (ready, 2026-11-27, pages 1 to 2)."),
        ("nothing[/].pdf", "There is no document of a file nothing[/].pdf; `alma list` shows their names."),
    ],
)
def test_a_name_of_several_or_of_none_is_refused(
    archive: FakeApi, name: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for argv in (["get", name], ["delete", name], ["accept", name, "total"]):
        assert main(argv) == 1
        assert sentence in capsys.readouterr().err
    assert {each.path for each in archive.seen} == {"/documents"}


# --- what is sent ------------------------------------------------------------


@pytest.fixture
def inbox(api: FakeApi) -> FakeApi:
    api.say("POST", "/documents", {"documentId": 7, "upload": {"url": f"{api.url}/put"}}, 201)
    api.say("PUT", "/put", b"")
    return api


def sent(api: FakeApi) -> list[str]:
    return [each.body["fileName"] for each in api.seen if each.method == "POST"]


def test_a_folder_is_sent_with_those_in_it(
    inbox: FakeApi, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("b/two.PDF", "a.png", "b/c/three.tiff", "notes.txt", ".hidden.pdf", ".git/four.pdf"):
        (folder / "box" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "box" / name).write_text("x")
    (folder / "secret.pdf").write_text("x")
    (folder / "box" / "link.pdf").symlink_to(folder / "secret.pdf")
    (folder / "box" / "up").symlink_to(folder)

    assert main(["drop", "box"]) == 1
    assert capsys.readouterr().err == "alma: box is a folder; -r sends the files in it.\n"
    assert main(["drop", "-r", "box"]) == 0

    assert sent(inbox) == ["a.png", "two.PDF", "three.tiff"]
    assert "not sent, being of other kinds: box/notes.txt\n" in capsys.readouterr().err
    assert main(["drop", "-r", "box/.git/.."]) == 0
    assert main(["drop", "box/notes.txt"]) == 0
    (folder / "empty").mkdir()
    assert main(["drop", "-r", "empty"]) == 1


def test_a_file_that_is_refused_does_not_stop_the_others(
    inbox: FakeApi, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from alma.cli.client import ApiError, Client

    upload = Client.upload

    def refuse_some(self: Client, path: Path, *arguments: Any, **more: Any) -> int:
        if path.name.startswith("bad"):
            raise ApiError(400, "bad_request", "a name has no control characters")
        if path.name.startswith("gone"):
            raise ApiError(0, "unreachable", "it does not answer")
        return upload(self, path, *arguments, **more)

    monkeypatch.setattr(Client, "upload", refuse_some)
    for name in ("a.pdf", "bad.pdf", "c.pdf", "gone.pdf", "e.pdf"):
        (folder / name).write_text("x")

    assert main(["drop", "a.pdf", "bad.pdf", "c.pdf", "--json"]) == 1
    answers = json.loads(capsys.readouterr().out)["documents"]
    assert [each.get("documentId", each.get("error")) for each in answers] == [7, "bad_request", 7]

    # What stops them all: those that were sent are told, and that the others were not.
    assert main(["drop", "a.pdf", "gone.pdf", "e.pdf"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "7  a.pdf",
        "–  gone.pdf  unreachable: it does not answer",
        "–  e.pdf  not_sent: It was not tried.",
    ]
    assert main(["drop", "gone.pdf", "e.pdf", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"] == "unreachable"


# --- what docs/cli.md says ---------------------------------------------------


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_every_command_is_on_the_page(page: str) -> None:
    listed = set(re.findall(r"^\| `alma ([a-z]+(?: [a-z]+)?)", page, re.MULTILINE))
    assert listed == ALL.keys()


def test_exit_statuses_are_on_the_page(page: str) -> None:
    assert re.findall(r"^\| (\d+) \|", page, re.MULTILINE) == ["0", "1", "2", "130", "141"]


def test_what_is_read_of_the_environment_is_on_the_page(page: str) -> None:
    source = (ROOT / "layers/alma/alma/cli/target.py").read_text(encoding="utf-8")
    read = re.findall(r'environ(?:\.get\(|\[|\.setdefault\()"([A-Z_]+)"', source)
    assert {name for name in read if not name.startswith(("AWS_", "OPENBLAS"))} == set(
        re.findall(r"^\| `([A-Z_]+)`", page, re.MULTILINE)
    ) - {"COLUMNS", "NO_COLOR"}


def test_an_interrupted_command_ends_with_130(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = os.environ | {
            "ALMA_API_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "ALMA_API_KEY": "alma_x",
        }
        with subprocess.Popen(
            [sys.executable, "-m", "alma.cli", "get", "7"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell lets what it starts in the background ignore it, this suite for one.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            connection, _ = silent.accept()
            assert connection.recv(1)  # it has asked, and waits for the answer
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=HANGS)
            connection.close()

    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
