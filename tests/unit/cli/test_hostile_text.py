"""What a server says reaches a terminal as text: no escape sequence, no turned direction, anywhere."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

import alma.cli
from alma.cli import main
from tests.unit.cli.conftest import FakeApi

#: A window title, a NUL, CSI in one character, turned direction, half a character, two without width.
TEXT = "a\x1b]0;owned\x07\0\x9b2J\u202efdp.exe\u2066\ud800\u200b\ufeff"
OBEYED = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
SHOWN = "a]0;owned2Jfdp.exe"

DOCUMENT = {
    "documentId": 7,
    "fileName": TEXT,
    "docType": TEXT,
    "status": "failed",
    "error": TEXT,
    "detail": TEXT,
    "pages": 1,
    "createdAt": TEXT,
}
READING = {"value": TEXT, "confidence": 0.5, "evidence": None}
FIELD = READING | {
    "id": "total",
    "key": TEXT,
    "version": 1,
    "status": TEXT,
    "reasons": [TEXT],
    "tracks": [READING | {"track": TEXT, "comment": TEXT}],
}
MODEL = {
    "id": TEXT,
    "name": TEXT,
    "docType": TEXT,
    "baseModel": TEXT,
    "status": TEXT,
    "detail": TEXT,
    "trainedExamples": 1,
    "createdAt": TEXT,
}
ENTRY = {
    "sequence": 1,
    "at": TEXT,
    "by": TEXT,
    "action": TEXT,
    "field": TEXT,
    "before": {"value": TEXT},
    "after": {"value": TEXT},
    "comment": TEXT,
}
COUNTS = dict.fromkeys(("requests", "pages", "fields", "modelRuns", "bytes"), 1)
ANSWERS: dict[tuple[str, ...], tuple[str, str, Any]] = {
    ("list",): ("GET", "/documents", {"documents": [DOCUMENT], "nextCursor": None}),
    ("get", "7"): ("GET", "/documents/7", {"documentId": 7, "docType": TEXT, "fields": [FIELD]}),
    ("history", "7"): ("GET", "/documents/7/history", {"entries": [ENTRY], "nextCursor": None}),
    ("review",): (
        "GET",
        "/review-queue",
        {"items": [{"documentId": 7, "fileName": TEXT, "field": FIELD}], "nextCursor": None},
    ),
    ("model", "list"): ("GET", "/models", {"models": [MODEL]}),
    ("model", "get", "m"): ("GET", "/models/m", MODEL),
    ("model", "train", "--name", "n", "--type", "t"): ("POST", "/models", MODEL),
    ("model", "digitize", "m", "7"): (
        "POST",
        "/models/m/digitize",
        {"documentId": 7, "docType": TEXT, "fields": [FIELD]},
    ),
    ("schema", "list"): (
        "GET",
        "/schemas",
        {"schemas": [{"docType": TEXT, "origin": TEXT, "description": TEXT, "fields": [TEXT]}]},
    ),
    ("schema", "get", "t"): ("GET", "/schemas/t", {"docType": "t", "definition": {"description": TEXT}}),
    ("dataset", "list"): (
        "GET",
        "/datasets",
        {"datasets": [{"docType": TEXT, "documents": 1, "examples": 1}]},
    ),
    ("usage",): (
        "GET",
        "/usage",
        {
            "month": TEXT,
            "quota": {"used": 1, "limit": None},
            "total": COUNTS,
            "keys": [COUNTS | {"keyId": TEXT, "name": TEXT}],
        },
    ),
}


@pytest.mark.parametrize("argv", ANSWERS, ids=" ".join)
def test_hostile_text_is_shown_without_what_a_terminal_obeys(
    api: FakeApi, argv: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    method, path, body = ANSWERS[argv]
    api.say(method, path, body)

    assert main(argv) == 0

    printed = capsys.readouterr()
    assert OBEYED.findall(printed.out + printed.err) == []
    assert SHOWN in printed.out or json.dumps(TEXT)[1:4] in printed.out


@pytest.mark.parametrize("argv", ANSWERS, ids=" ".join)
def test_json_has_it_whole_and_escaped(
    api: FakeApi, argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    method, path, body = ANSWERS[argv]
    api.say(method, path, body)

    assert main([*argv, "--json"]) == 0

    printed = capsys.readouterr().out
    assert OBEYED.findall(printed) == []
    assert TEXT in str(_texts(json.loads(printed)))


def _texts(found: Any) -> Any:
    """Return all texts of a JSON value as one."""
    if isinstance(found, dict):
        return "".join(map(_texts, found.values()))
    return "".join(map(_texts, found)) if isinstance(found, list) else str(found)


def test_an_error_of_the_server_is_a_text_too(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    api.say("GET", "/documents/7", {"error": "bad", "detail": TEXT}, 400)

    assert main(["get", "7"]) == 1
    assert main(["get", "7", "--json"]) == 1

    printed = capsys.readouterr()
    assert OBEYED.findall(printed.out + printed.err) == []
    assert SHOWN in printed.err
    assert json.loads(printed.out)["detail"] == TEXT


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff"])
def test_an_answer_that_is_none_is_a_sentence(
    api: FakeApi, body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    api.say("GET", "/models", body)

    assert main(["model", "list"]) == 1
    assert capsys.readouterr().err == "alma: An unexpected answer, status 200.\n"


def test_only_output_prints() -> None:
    printing = {
        (path.name, ast.unparse(node.func))
        for path in Path(alma.cli.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and re.fullmatch(r"print|typer\.echo|sys\.std(out|err)\.write", ast.unparse(node.func))
    }

    # app: the version and the system's own errors.
    assert printing == {("output.py", "print"), ("app.py", "print")}
