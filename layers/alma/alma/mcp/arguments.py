"""Arguments of tools as clients really send them, before they are refused.

The published `inputSchema` is strict, and what fits it is taken as it is. Of what does not, some can be
meant in one way only, and is taken so; docs/mcp.md names it all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from alma.mcp.tool import Tool

_T = TypeVar("_T", bound=Tool)

#: What clients send to tools that require nothing, because their models must be given some argument.
_STAND_INS = frozenset({"random_string", "dummy"})
#: Empty is an answer here, and leaving it out another.
_MEANT_EMPTY = frozenset({"value"})
#: An object that came as text may hold numbers that did.
_ROUNDS = 3

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,20})?")
_TRUTH = {"true": True, "false": False}
_LEFT_OUT = object()


def validated(tool: type[_T], sent: dict[str, Any]) -> _T:
    """Return the call of a tool.

    Raises
    ------
    ValidationError
        What was sent does not fit, however it is read.
    """
    optional = {info.alias or name for name, info in tool.model_fields.items() if not info.is_required()}
    given = {
        name: value
        for name, value in sent.items()
        if name not in optional or not (value is None or (value == "" and name not in _MEANT_EMPTY))
    }
    nothing_required = len(optional) == len(tool.model_fields)
    for _ in range(_ROUNDS):
        try:
            return tool.model_validate(given)
        except ValidationError as error:
            wrong = [(each, _meant(each, nothing_required)) for each in error.errors(include_url=False)]
            if all(meant is None for _, meant in wrong):
                raise
        for each, meant in wrong:
            if meant is not None:
                given = _replaced(given, each["loc"], meant)
    return tool.model_validate(given)


def _meant(error: ErrorDetails, nothing_required: bool) -> object | None:
    """Return what a refused argument means, `_LEFT_OUT` for nothing at all, None where it cannot be told."""
    match error["type"], error["input"]:
        case "extra_forbidden", _ if nothing_required and error["loc"][0] in _STAND_INS:
            return _LEFT_OUT
        case "int_type", str(text) if _WHOLE.fullmatch(text):
            return int(text)
        case "int_type", float(number) if number.is_integer() and abs(number) < 2**53:
            return int(number)
        case "float_type", str(text) if _DECIMAL.fullmatch(text):
            return float(text)
        case "bool_type", str(text):
            return _TRUTH.get(text.lower())
        case "model_type", str(text):
            return _json_object(text)
    return None


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _replaced(given: dict[Any, Any], path: Sequence[int | str], meant: object) -> dict[Any, Any]:
    """Return arguments with another value at the path of one."""
    name, *rest = path
    changed = dict(given)
    if rest:
        if isinstance(given.get(name), dict):
            changed[name] = _replaced(given[name], rest, meant)
    elif meant is _LEFT_OUT:
        changed.pop(name, None)
    else:
        changed[name] = meant
    return changed
