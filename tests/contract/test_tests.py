"""Every test can fail: it asserts, or expects an error, itself or through a helper beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(module: ast.AST) -> Iterator[Function]:
    """Yield all functions of a module, methods among them."""
    yield from (node for node in ast.walk(module) if isinstance(node, Function))


def can_fail(function: Function, beside: dict[str, Function], seen: frozenset[str] = frozenset()) -> bool:
    """Return whether a function asserts something, or calls one beside it that does."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant | ast.Tuple):
            return True
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in ("raises", "warns", "fail") or name.startswith("assert_"):
            return True
        if name in beside and name not in seen and can_fail(beside[name], beside, seen | {name}):
            return True
    return False


def idle(source: str) -> list[str]:
    """Return the names of a module's tests that cannot fail but by accident."""
    found = {function.name: function for function in functions(ast.parse(source))}
    return [name for name, each in found.items() if name.startswith("test_") and not can_fail(each, found)]


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.stem)
def test_every_test_asserts_something(path: Path) -> None:
    assert idle(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "body", ["run()", "assert True", "assert (x == 1, 'never false')", "check()\ndef check(): run()"]
)
def test_a_test_that_asserts_nothing_is_seen(body: str) -> None:
    first, _, beside = body.partition("\n")
    assert idle(f"def test_nothing(): {first}\n{beside}\n") == ["test_nothing"]
