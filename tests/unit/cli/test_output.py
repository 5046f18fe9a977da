"""What is printed: JSON or tables, and text of documents literally."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from alma.cli import main, tables
from alma.cli.client import ApiError, Client
from alma.cli.output import Output

BRACKETS = "party[/x]"
READING = {"value": "[red]1[/]", "confidence": 0.5, "evidence": None}
PROPOSAL = {"track": "agent:[/]", "comment": "[/dim]"} | READING
FIELD = {"id": BRACKETS, "key": BRACKETS, "version": 1, "status": "escalated", "reasons": ["[/]"]} | READING
COUNTS = dict.fromkeys(("requests", "pages", "fields", "modelRuns", "bytes"), 1)
F1 = {"micro_f1": 0.5, "fields": {BRACKETS: {"f1": 0.5, "n": 1}}}

TABLES: dict[str, Any] = {
    "documents": lambda: tables.documents_table(
        [
            {
                "documentId": 1,
                "fileName": BRACKETS,
                "docType": BRACKETS,
                "status": "failed",
                "error": "[/]",
                "pages": None,
                "createdAt": "",
            }
        ]
    ),
    "fields": lambda: tables.fields_table(
        {"documentId": 1, "docType": BRACKETS, "fields": [FIELD | {"tracks": [PROPOSAL]}]}, BRACKETS
    ),
    "queue": lambda: tables.queue_table(
        [{"documentId": 1, "fileName": BRACKETS, "field": FIELD | {"tracks": [PROPOSAL]}}]
    ),
    "history": lambda: tables.history_table(
        [
            {
                "sequence": 1,
                "at": "",
                "by": BRACKETS,
                "action": BRACKETS,
                "field": BRACKETS,
                "before": {"value": BRACKETS},
                "after": {"value": BRACKETS},
                "comment": BRACKETS,
            }
        ]
    ),
    "schemas": lambda: tables.schemas_table(
        [{"docType": BRACKETS, "origin": "own", "description": BRACKETS, "fields": [BRACKETS]}]
    ),
    "datasets": lambda: tables.datasets_table([{"docType": BRACKETS, "documents": 1, "examples": 1}]),
    "models": lambda: tables.models_table(
        [
            {
                "id": "mdl",
                "name": BRACKETS,
                "docType": BRACKETS,
                "baseModel": BRACKETS,
                "status": "ready",
                "trainedExamples": 1,
                "createdAt": "",
            }
        ]
    ),
    "card": lambda: tables.card_table(
        {
            "name": BRACKETS,
            "base_model": BRACKETS,
            "data": {"documents": 1, "examples": 1},
            "before": F1,
            "after": F1,
        }
    ),
    "keys": lambda: tables.keys_table(
        [
            {
                "id": "key",
                "name": BRACKETS,
                "owner": BRACKETS,
                "role": "reader",
                "scopes": [],
                "hint": "[/]",
                "createdAt": "",
                "lastUsedAt": None,
                "revokedAt": None,
                "expiresAt": None,
            }
        ]
    ),
    "usage": lambda: tables.usage_table(
        {
            "month": "2026-11",
            "quota": {"used": 1, "limit": None},
            "total": COUNTS,
            "keys": [{"keyId": "key", "name": BRACKETS} | COUNTS],
        }
    ),
}


@pytest.mark.parametrize("table", TABLES)
def test_brackets_in_a_table_are_shown_as_they_are(table: str) -> None:
    page = io.StringIO()

    Console(file=page, width=300).print(TABLES[table]())

    assert BRACKETS in page.getvalue()


def test_a_message_with_brackets_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALMA_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ALMA_API_KEY", "alma_x")
    monkeypatch.setattr(Client, "call", lambda *_, **__: {"documentId": 1, "fields": []})

    assert main(["accept", "1", BRACKETS]) == 1
    assert capsys.readouterr().err == f"alma: There is no field {BRACKETS} in document 1.\n"
    assert main(["drop", "[/bold] [red].pdf"]) == 1
    assert capsys.readouterr().err == "alma: [/bold] [red].pdf is not a file.\n"


def test_what_became_of_a_file_with_brackets_in_its_name_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    def refuse(*_: object) -> dict[str, Any]:
        raise ApiError(422, "damaged_file", "It says [/] and :smile:")

    monkeypatch.setenv("ALMA_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ALMA_API_KEY", "alma_x")
    monkeypatch.setattr(Client, "upload", lambda *_, **__: 7)
    monkeypatch.setattr(Client, "wait", refuse)
    file = tmp_path / "[b]a[x] :smile:.pdf"
    file.write_bytes(b"")

    assert main(["drop", str(file)]) == 0
    assert main(["drop", str(file), "--wait"]) == 1

    assert capsys.readouterr().out == (
        "7  [b]a[x] :smile:.pdf\n7  [b]a[x] :smile:.pdf  damaged_file: It says [/] and :smile:\n"
    )


def test_a_terminal_is_given_no_escape_sequence_of_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\x1b]0;title\x07b\x9b2Jc"
    page = io.StringIO()

    Output(as_json=False).show({}, hostile)
    Output(as_json=False).warn(hostile)
    Console(file=page).print(tables.datasets_table([{"docType": hostile, "documents": 1, "examples": 1}]))

    printed = capsys.readouterr()
    assert not {"\x1b", "\x07", "\x9b"} & set(printed.out + printed.err + page.getvalue())
    assert printed.out == "a]0;titleb2Jc\n"


def test_output_is_json_or_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (True, False):
        output = Output(as_json)
        output.remark("not the answer")
        output.show({"name": "Ľ"}, lambda: ["for people", "several lines"])
        output.fail("slug", "It cannot be done.")

    printed = capsys.readouterr()
    assert printed.out == (
        '{\n  "name": "Ľ"\n}\n{"error": "slug", "detail": "It cannot be done."}\nfor people\nseveral lines\n'
    )
    assert printed.err == "not the answer\nalma: It cannot be done.\n"
    assert json.loads(printed.out.splitlines()[3])["error"] == "slug"
