"""Patterns are tried in a process of its own, where they can exhaust nothing else."""

import re

import pytest

from alma.errors import BadRequestError
from alma.extraction.values import pattern_trial


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(?x)(?P<value>a{1 0 0 0 0 0 0 0 0})", "needs too much memory"),
        ("(?P<value>{e})", "is not a regular expression"),
    ],
)
def test_what_no_rule_sees_ends_in_the_trial(pattern: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_trial, "_BRACES", re.compile(r"\{[^}]*\}"))

    with pytest.raises(BadRequestError) as refused:
        pattern_trial.check(["(?P<value>fine)", pattern])

    assert why in refused.value.detail
    assert repr(pattern) in refused.value.detail


def test_patterns_that_take_too_long_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_trial, "PROBES", ("a",))
    many = [f"(?P<value>{'{PLACE}' * 8}{n})" for n in range(300)]
    pattern_trial.check(many[:3])
    monkeypatch.setattr(pattern_trial, "TRIAL_SECONDS", 1)

    with pytest.raises(BadRequestError, match="take more than 1 s to try"):
        pattern_trial.check(many)
