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

#: Lines of README's code blocks by how they begin: where a test runs the same, or why none does.
RUN = {
    "make run": "tests/e2e/test_demo.py: infra.local",
    "curl -X POST http://127.0.0.1:8000/api/v1/digitize": "tests/e2e/test_main_job.py: /api/v1/digitize",
    'curl "http://127.0.0.1:8000/api/v1/documents?': "tests/e2e/test_state_of_releases.py: /documents?{",
    "curl -X PATCH": "tests/e2e/test_main_job.py: http.patch",
    "aws s3 cp": "tests/e2e/test_main_job.py: upload_file",
    "alma drop": 'tests/e2e/test_main_job.py: alma("drop"',
    "alma list": 'tests/functions/test_cli.py: main(["list"',
    "alma get": 'tests/e2e/test_main_job.py: alma("get"',
    "alma export": 'tests/e2e/test_main_job.py: alma("export"',
    "alma schema get": 'tests/unit/cli/test_hostile_text.py: ("schema", "get", "t")',
    "alma schema put": 'tests/e2e/test_flywheel.py: alma("schema", "put"',
    "alma correct": 'tests/e2e/test_flywheel.py: alma("correct"',
    "alma model train": 'tests/e2e/test_flywheel.py: "train", "--type", "delivery_note", "--name"',
    "alma model digitize": 'tests/e2e/test_flywheel.py: alma("model", "digitize"',
    "alma dataset pull": 'tests/e2e/test_flywheel.py: alma("dataset", "pull"',
    "alma org create": 'tests/e2e/office.py: alma("org", "create"',
    "alma key create": 'tests/e2e/office.py: alma("key", "create"',
    "alma login": 'tests/e2e/test_agent.py: "alma.cli", "login"',
    "alma review": 'tests/e2e/test_agent.py: alma("review"',
    "alma accept": 'tests/e2e/test_agent.py: alma("accept", "registration-turned.jpg"',
    "env -u ALMA_API_KEY .venv/bin/python -m examples.agent": "tests/e2e/test_agent.py: agent.review",
    "make build": "Makefile: test-deploy: $(EMULATOR) build",
}
NOT_RUN = {
    "make test": "it would run itself",
    "export": "no program",
    ".venv-sam/bin/sam deploy --guided": "it asks; `make test-deploy` deploys without being asked",
    "python -m benchmarks.": "half an hour, and documents that are not in the repository",
    "python -m scripts.train_": "minutes, and documents that are not in the repository",
    "python -m scripts.calibrate_": "minutes, and documents that are not in the repository",
}

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


def pasted(text: str) -> list[str]:
    """Return the command lines of a page's shell blocks."""
    blocks = "\n".join(re.findall(r"^```sh$(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    return [line.strip() for line in blocks.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "samples" / "README.md"], ids=lambda page: page.name)
def test_what_is_pasted_names_the_program_that_setup_made(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    indented = [line.strip() for line in _INDENTED.findall(_FENCED.sub("", text))]
    spans = [span for span in _SPAN.findall(_FENCED.sub("", text)) if "python -m" in span]
    bare = re.compile(r"(alma|python3?|pytest|ruff|mypy|sam) ")
    assert [line for line in (*pasted(text), *indented, *spans) if bare.match(line)] == []


def test_every_command_of_the_readme_is_run_by_a_test_or_named_as_not_run() -> None:
    lines = [line.removeprefix(".venv/bin/") for line in pasted(PAGES[0].read_text(encoding="utf-8"))]
    known = [*RUN, *NOT_RUN]
    assert [line for line in lines if sum(line.startswith(each) for each in known) != 1] == []
    assert [each for each in known if not any(line.startswith(each) for line in lines)] == []


@pytest.mark.parametrize("command", RUN)
def test_a_test_of_the_readme_is_there(command: str) -> None:
    path, _, call = RUN[command].partition(": ")
    assert call in (ROOT / path).read_text(encoding="utf-8")
