"""The command as a program: start-up, wrong usage, completion, closed pipes, tracebacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import alma.cli
from alma.cli import main

TOKEN = "alma_" + "s" * 33


class Archive(BaseHTTPRequestHandler):
    """An API with more documents than a pipe holds."""

    def do_GET(self) -> None:
        about = {"docType": None, "status": "ready", "error": None, "pages": 1, "createdAt": ""}
        documents = [{"documentId": i, "fileName": "n" * 2000, **about} for i in range(100)]
        body = json.dumps({"documents": documents, "nextCursor": None}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with HTTPServer(("127.0.0.1", 0), Archive) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield {**os.environ, "ALMA_API_URL": url, "ALMA_API_KEY": TOKEN, "XDG_CONFIG_HOME": str(tmp_path)}
        server.shutdown()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", [("list", "--json"), ("list",), ("logout",), ("export", "7", "-o", "-")])
def test_a_closed_pipe_ends_quietly(
    environment: dict[str, str], argv: tuple[str, ...], unbuffered: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "alma.cli", *argv],
        env=environment | {"PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

    assert (process.returncode, said) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", [("list", "--json"), ("list",), ("logout",), ("export", "7", "-o", "-")])
def test_a_full_disk_is_one_line(environment: dict[str, str], argv: tuple[str, ...], unbuffered: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "alma.cli", *argv],
            env=environment | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, "alma: [Errno 28] No space left on device\n")


def test_a_traceback_shows_no_key(environment: dict[str, str]) -> None:
    program = (
        "from alma.cli import main\n"
        "from alma.cli.client import Client\n"
        "def fail(self, *_, **__):\n"
        "    key = self._api.key\n"
        "    raise RuntimeError('a bug')\n"
        "Client.call = fail\n"
        "main(['get', '1'])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "RuntimeError: a bug" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_help_imports_nothing_that_only_some_commands_need() -> None:
    program = (
        "import sys\n"
        "from alma.cli import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = {'boto3', 'numpy', 'onnxruntime', 'pydantic', 'pynamodb', 'rich', 'urllib3'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ((), "Missing command."),
        (("lst",), "No such command 'lst'. Did you mean 'list'?"),
        (("key",), "Missing command."),
        (("get",), "Missing argument 'DOCUMENT'."),
        (("page", "6", "six"), "Invalid value for 'PAGE'"),
        (("get", "6", "--track"), "No such option: --track"),
        (("list", "--limit", "0"), "Invalid value for '--limit'"),
        (("export", "6", "--format", "doc"), "'doc' is not one of"),
        (("edit", "6", "total", "--box", "1,2"), "a box is four numbers: x,y,w,h"),
        (("org", "quota", "greaves", "many"), "give a whole number, or default"),
        (("mcp",), "Missing option '--stdio'."),
    ],
)
def test_wrong_usage_is_status_2_and_a_sentence(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)

    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert sentence in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("path", [(), ("key",), ("key", "create")])
def test_every_level_has_help(capsys: pytest.CaptureFixture[str], path: tuple[str, ...], option: str) -> None:
    assert main([*path, option]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: {' '.join(['alma', *path])} [OPTIONS]")


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"alma {alma.__version__}\n"


def test_the_shell_completes_commands_and_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["--help"])
    printed = capsys.readouterr().out
    assert "--install-completion" in printed
    assert "--show-completion" in printed

    monkeypatch.setenv("_ALMA_COMPLETE", "complete_bash")
    for words, completed in (
        ("alma mod", "model"),
        ("alma model reg", "register"),
        ("alma get --tr", "--tracks"),
    ):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        assert main([]) == 0
        assert capsys.readouterr().out.split() == [completed]


def test_the_environment_is_read_in_one_module() -> None:
    readers = [
        path.name
        for path in Path(alma.cli.__file__).parent.glob("*.py")
        if "environ" in path.read_text(encoding="utf-8").replace("environment", "")
    ]

    assert readers == ["target.py"]


def test_the_base_model_has_one_name() -> None:
    named = [
        path.name
        for path in Path(alma.__file__).parent.rglob("*.py")
        if '"alma-base"' in path.read_text(encoding="utf-8")
    ]

    assert named == ["fields.py"]
