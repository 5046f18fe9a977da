"""Schemas' patterns under a budget of time."""

import time

import pytest

from alma.datamodel.schemas import PLACEHOLDERS
from alma.extraction.values import patterns
from alma.extraction.values.patterns import Matcher, compiled


def test_every_placeholder_stands_for_something() -> None:
    for name in PLACEHOLDERS:
        assert compiled(f"(?P<value>{{{name}}})")


def test_matches_come_from_the_left_and_no_more_than_asked() -> None:
    found = Matcher().find(r"(?P<value>\d+)", "1 of 22 and 333", most=2)
    assert [match["value"] for match in found] == ["1", "22"]


@pytest.mark.parametrize(
    "evil",
    [
        r"(?P<value>(?:a+)+$)",
        r"(?P<value>(?:a|aa)+)b",
        r"(?P<value>(?:.*a){25}b)",
        r"(?P<value>(?:a?){100}a{100}b)",
    ],
)
def test_a_search_that_explodes_is_given_up(evil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SEARCH_SECONDS", 0.05)
    begun = time.monotonic()
    assert Matcher().find(evil, "a" * 30_000 + "!") == []
    assert time.monotonic() - begun < 5  # unbounded it would take years


def test_when_the_budget_of_a_document_is_spent_nothing_more_is_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patterns, "SEARCH_SECONDS", 0.05)
    matcher = Matcher(seconds=0.01)
    matcher.find(r"(?P<value>(?:a|aa)+)b", "a" * 30_000 + "!")
    assert matcher.find("(?P<value>a)", "a") == []
