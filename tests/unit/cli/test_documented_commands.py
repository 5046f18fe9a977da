"""What README and docs show of the command exists: names, options, arguments."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from alma.cli import main
from alma.cli.command import Command

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Words that stand for a value which the command would not take as it is written.
STAND_INS = {"ID": "1"}

_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"^ {4}.*$", re.MULTILINE)
_SPAN = re.compile(r"`([^`]+)`")
_COMMAND = re.compile(r"(?:\.venv/bin/|/path/to/)?alma (?=[a-z-])")


def command_lines(text: str) -> list[list[str]]:
    """Return the arguments of every command line in the code blocks of a page."""
    blocks = _FENCED.findall(text) + _INDENTED.findall(_FENCED.sub("", text))
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [arguments(line) for line in map(str.strip, lines) if _COMMAND.match(line)]


def mentions(text: str) -> list[list[str]]:
    """Return the arguments of every command that stands in a sentence, which may be a part of one."""
    spans = _SPAN.findall(_FENCED.sub("", text))
    return [arguments(" ".join(span.split())) for span in spans if _COMMAND.match(" ".join(span.split()))]


def arguments(line: str) -> list[str]:
    """Return a command line's words behind `alma`, without what the shell takes for itself."""
    words = shlex.split(line, comments=True)[1:]
    end = next((at for at, word in enumerate(words) if word in ("|", ">", "&&", ";")), len(words))
    return [STAND_INS.get(word, word) for word in words[:end]]


@pytest.fixture(autouse=True)
def _run_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(_: Command, ctx: Any) -> None:
        return None

    monkeypatch.setattr(Command, "invoke", parsed)
    # These do their work while the line is parsed, and one of them in the files of whoever runs the tests.
    monkeypatch.setattr("typer.completion.install", lambda: ("bash", "nowhere"))
    monkeypatch.setattr("typer.completion.get_completion_script", lambda **_: "")


@pytest.mark.parametrize(
    ("page", "argv"),
    [(page.name, argv) for page in PAGES for argv in command_lines(page.read_text(encoding="utf-8"))],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_command_line_parses(page: str, argv: list[str]) -> None:
    assert main(argv) == 0


@pytest.mark.parametrize(
    ("page", "argv"),
    [(page.name, argv) for page in PAGES for argv in mentions(page.read_text(encoding="utf-8"))],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_command_in_a_sentence_exists_with_its_options(page: str, argv: list[str]) -> None:
    # Help is printed before missing arguments are noticed, after names and options are looked up.
    assert main([*argv, "--help"]) == 0


def test_command_lines_are_found_and_wrong_ones_are_told() -> None:
    text = """
```sh
.venv/bin/alma drop FILE… --wait    # a comment
alma schema get invoice > own.json
aws s3 cp x
```
and `alma
review`, `alma`,

    alma accept ID FIELD
"""

    assert command_lines(text) == [
        ["drop", "FILE…", "--wait"],
        ["schema", "get", "invoice"],
        ["accept", "1", "FIELD"],
    ]
    assert mentions(text) == [["review"]]
    for argv in (["drop", "FILE", "--wiat"], ["page", "1", "ID"], ["schema", "take", "invoice"]):
        with pytest.raises(SystemExit, match="2"):
            main(argv)
    with pytest.raises(SystemExit, match="2"):
        main(["review", "--bogus", "--help"])
