"""What keeps the package easy to find one's way in, beside the import contracts of pyproject.toml."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "alma"
PACKAGE = LAYER / "alma"
MOST_LINES = 500
#: Names that say nothing of what is in a module.
GENERIC = {"base", "common", "core", "helper", "helpers", "misc", "shared", "util", "utils"}

#: Who may: the settings, and the command line, which finds the installation that the settings then name.
MAY_READ_THE_ENVIRONMENT = {"alma.settings", "alma.cli.target"}


@cache
def modules() -> dict[str, Path]:
    """Return the files of the package by the dotted name that imports them."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(LAYER).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(body: list[ast.stmt]) -> Iterator[str]:
    """Yield what statements import when a module is loaded: not what functions or type checkers import."""
    for statement in body:
        match statement:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names):
                for name in names:
                    inner = f"{module}.{name.name}"
                    yield inner if inner in modules() else module
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
                yield from imported(otherwise)
            case ast.If(body=inside, orelse=otherwise):
                yield from imported([*inside, *otherwise])
            case ast.ClassDef(body=inside) | ast.With(body=inside):
                yield from imported(inside)
            case ast.Try(body=inside, handlers=handlers, orelse=otherwise, finalbody=finally_):
                yield from imported([*inside, *otherwise, *finally_])
                for handler in handlers:
                    yield from imported(handler.body)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the names along one circle of a graph, the first again at the end; none if there is none."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for each in sorted(graph[name]):
            if found := visit(each, [*way, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


def reads_the_environment(module: ast.Module) -> bool:
    """Return whether code asks `os` for environment variables, under any name."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in names)
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and any(name.name in names for name in node.names)
        )
        for node in ast.walk(module)
    )


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name: set(imported(tree(path).body)) & set(modules()) for name, path in modules().items()}
    assert circle(graph) == []


def test_a_circle_is_seen() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_imports_are_absolute() -> None:
    relative = {
        name
        for name, path in modules().items()
        if any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree(path)))
    }
    assert relative == set()


def test_only_the_settings_and_the_command_line_read_the_environment() -> None:
    readers = {name for name, path in modules().items() if reads_the_environment(tree(path))}
    assert readers - MAY_READ_THE_ENVIRONMENT == set()


@pytest.mark.parametrize(
    "code",
    ["os.environ['X']", "os.getenv('X')", "from os import environ", "import os as o; o.environ.get('X')"],
)
def test_reading_the_environment_is_seen(code: str) -> None:
    assert reads_the_environment(ast.parse(code))


def test_a_file_can_be_read_in_one_sitting() -> None:
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules().items()}
    assert {name for name, count in lines.items() if count > MOST_LINES} == set()


def test_a_class_has_its_name_to_itself() -> None:
    homes = defaultdict(set)
    for name, path in modules().items():
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].add(name)
    assert {name for name, found in homes.items() if len(found) > 1} == set()


def test_a_room_has_each_name_once_and_no_name_says_nothing() -> None:
    homes = defaultdict(set)
    for name in modules():
        _, _, within = name.partition(".")
        room, _, rest = within.rpartition(".")[0].partition(".")
        homes[room, name.rpartition(".")[2]].add(rest)
    assert {key for key, found in homes.items() if len(found) > 1 and key[0]} == set()
    assert {name for name in modules() if name.rpartition(".")[2] in GENERIC} == set()


def test_handlers_know_the_package_and_nothing_below_it() -> None:
    """No rule of business needs a client of AWS, so a handler has none."""
    for path in sorted((ROOT / "functions").glob("*/app.py")):
        names = {
            each.name if isinstance(node, ast.Import) else str(node.module)
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for each in node.names
        }
        below = {name.partition(".")[0] for name in names} & {"boto3", "botocore", "pynamodb", "os"}
        assert below == set(), path


def test_the_machine_for_one_knows_nothing_of_documents_but_for_its_demo() -> None:
    knowing = {
        path.stem
        for path in (ROOT / "infra" / "local").glob("*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "alma"
    }
    assert knowing == {"demo"}
