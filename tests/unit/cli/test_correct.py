"""Correcting from a list: what counts as the same value, and what is left alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from alma.cli.client import ApiError, Client
from alma.cli.correct import Truth, correct, read_list, same_text
from alma.datamodel.geometry import Box
from alma.errors import BadRequestError

PLACE = {"page": 1, "bbox": {"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.02}}
BOX = Box(0.1, 0.2, 0.3, 0.02)


class Api:
    """What of the API a correction talks to."""

    def __init__(self, *fields: dict[str, Any], refuses: Sequence[str] = ()) -> None:
        self.fields, self.refuses = fields, refuses
        self.sent: list[tuple[str, str, str | None]] = []

    def call(self, method: str, path: str, body: Any = None, **_: object) -> dict[str, Any]:
        if method == "GET":
            return {"fields": list(self.fields)}
        named = path.removeprefix("/documents/7/fields").removeprefix("/")
        if named in self.refuses:
            raise ApiError(409, "claimed", "somebody works on it")
        self.sent.append((body.get("action", "add"), named or body["key"], body.get("value")))
        return {}


def shown(key: str, value: str | None, status: str = "unreviewed", number: int = 0) -> dict[str, Any]:
    name = f"{key}[{number}]" if number else key
    evidence = None if value is None else PLACE
    return {"id": name, "key": key, "value": value, "status": status, "version": 1, "evidence": evidence}


def run(api: Api, *truths: Truth, **more: Any) -> dict[str, int]:
    return dict(correct(cast(Client, api), 7, truths, **more))


@pytest.mark.parametrize(
    ("value", "truth", "same"),
    [
        ("12.50", "12.5", True),
        ("1250", "12.50", False),
        ("-12.50", "12.50", False),
        ("2026-03-09", "2026-03-09", True),
        ("Penrose Boatyard, Ltd.", "PENROSE BOATYARD LTD", True),
        ("NG/20037", "NG 20037", True),
    ],
)
def test_numbers_are_the_same_as_numbers_and_text_by_its_letters(value: str, truth: str, same: bool) -> None:
    assert same_text({"value": value}, Truth("x", truth)) is same


def test_right_values_are_accepted_wrong_ones_edited_missing_ones_added_and_others_rejected() -> None:
    api = Api(shown("total", "9.90"), shown("date", "2026-01-02"), shown("tax", "1.00"))
    done = run(api, Truth("total", "9.9", 1, BOX), Truth("date", "2026-02-01", 1, BOX), Truth("who", "Ann"))

    assert api.sent == [
        ("accept", "total", None),
        ("edit", "date", "2026-02-01"),
        ("reject", "tax", None),
        ("add", "who", "Ann"),
    ]
    assert done == {"accept": 1, "edit": 1, "reject": 1, "add": 1}


def test_a_right_value_at_the_wrong_place_is_moved() -> None:
    api = Api(shown("total", "9.90"))
    run(api, Truth("total", "9.90", 1, Box(0.5, 0.9, 0.1, 0.02)))
    assert api.sent == [("edit", "total", "9.90")]


def test_a_second_run_and_what_a_colleague_decided_change_nothing() -> None:
    api = Api(
        shown("total", "9.90", "accepted"), shown("tax", "1.00", "edited"), shown("no", "1", "rejected")
    )
    assert run(api, Truth("total", "9.90", 1, BOX)) == {}


def test_with_a_partial_list_unnamed_fields_are_left_to_a_person() -> None:
    api = Api(shown("total", "9.90"), shown("tax", "1.00"))
    run(api, Truth("total", "9.90"), complete=frozenset())
    assert api.sent == [("accept", "total", None)]


def test_what_is_refused_is_counted_and_the_rest_goes_on() -> None:
    api = Api(shown("total", "9.90"), shown("date", "2026-01-02"), refuses=["total"])
    assert run(api, Truth("total", "9.90"), Truth("date", "2026-01-02")) == {"refused": 1, "accept": 1}


def test_a_list_that_is_none_says_which_line(tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text(json.dumps({"file": "a/note.pdf", "fields": []}) + "\n" + json.dumps({"file": "b.pdf"}))
    with pytest.raises(BadRequestError, match="line 2"):
        read_list(path)
