"""`make run`: from an empty folder to fields, killed, and started again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.patience import HANGS

ROOT = Path(__file__).resolve().parents[2]
END = "Ctrl-C stops it"


def free_port() -> int:
    """Return a port that is free, and whose neighbour is."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def start(folder: Path, port: int) -> subprocess.Popen[str]:
    """Start the demo as `make run` does."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ALMA_", "AWS_"))}
    return subprocess.Popen(
        [
            sys.executable, "-m", "infra.local", "--port", str(port),
            "--state", str(folder / "state"), "--samples", str(folder / "samples"),
        ],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def output_until_ready(demo: subprocess.Popen[str]) -> str:
    """Return what the demo prints until it serves, or until it ends."""
    printed = ""
    assert demo.stdout is not None
    for line in demo.stdout:
        printed += line
        if END in line:
            break
    return printed


@pytest.fixture
def folder(tmp_path: Path, models_dir: Path) -> Path:
    """A folder with one sample, for speed."""
    (tmp_path / "samples").mkdir()
    shutil.copy(ROOT / "samples" / "invoice.pdf", tmp_path / "samples")
    return tmp_path


def test_it_reads_the_samples_survives_a_kill_and_starts_warm(folder: Path) -> None:
    port = free_port()
    demo = start(folder, port)
    try:
        first = output_until_ready(demo)
        demo.send_signal(signal.SIGKILL)
        demo.communicate()
        described = json.loads((folder / "state" / "local.json").read_text())
        demo = start(folder, port)
        second = output_until_ready(demo)
        again = json.loads((folder / "state" / "local.json").read_text())
        listed = httpx.get(
            f"{described['api_url']}/api/v1/documents",
            headers={"Authorization": f"Bearer {described['keys']['reader']}"},
            timeout=HANGS,
        ).json()
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=HANGS)
        assert demo.returncode == 0
    finally:
        demo.kill()
        demo.communicate()

    assert "HLC-20417" in first  # the invoice's number, in the table of fields
    assert "unreviewed" in first
    assert f"export ALMA_API_KEY={described['api_key']}" in first
    assert "invoice.pdf" in second
    assert again == described
    assert (folder / "state").stat().st_mode & 0o777 == 0o700
    assert described["api_url"] == f"http://127.0.0.1:{port}"
    assert described["inbox"].endswith("/inbox/demo/")
    assert set(described["keys"]) == {"admin", "reviewer", "reader"}
    assert [document["status"] for document in listed["documents"]] == ["ready"]


def test_a_taken_port_is_one_clear_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])

        demo = start(folder, port)
        printed, _ = demo.communicate(timeout=HANGS)

    assert demo.returncode == 1
    assert len(printed.splitlines()) == 1
    assert f"Port {port} for the API is taken" in printed
    assert f"`make run PORT={port + 10}`" in printed


@pytest.mark.parametrize("given", ["xyz", "0", "65535", "-1", "8000.5"])
def test_a_port_that_is_none_is_one_clear_line(given: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.local"],
        cwd=ROOT,
        env=os.environ | {"PORT": given},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"alma: PORT is {given!r}; give a whole number from 1 to 65534, as in `make run PORT=8010`.\n"
    )


def test_what_a_killed_run_left_is_named_at_once_and_a_state_that_is_removed_is_noticed(folder: Path) -> None:
    port = free_port()
    demo = start(folder, port)
    try:
        output_until_ready(demo)
        described = json.loads((folder / "state" / "local.json").read_text())
        environ = {"ALMA_API_URL": described["api_url"], "ALMA_API_KEY": described["api_key"]}
        names = [f"scan[red] {number}.jpg" for number in range(8)]
        for name in names:
            shutil.copy(ROOT / "samples" / "receipt.jpg", folder / name)
        subprocess.run(
            [sys.executable, "-m", "alma.cli", "drop", *names],
            cwd=folder,
            env=os.environ | environ,
            check=True,
        )
        # Announced, and never sent: nothing that anybody could wait for.
        httpx.post(
            f"{described['api_url']}/api/v1/documents",
            headers={"Authorization": f"Bearer {described['api_key']}"},
            json={"fileName": "never.pdf"},
            timeout=HANGS,
        ).raise_for_status()
        demo.send_signal(signal.SIGKILL)
        demo.communicate()

        demo = start(folder, port)
        printed = output_until_ready(demo)
        beside = start(folder, port)
        told, _ = beside.communicate(timeout=HANGS)
        elsewhere = free_port()
        beside = start(folder, elsewhere)
        told_elsewhere, _ = beside.communicate(timeout=HANGS)
        shutil.rmtree(folder / "state", ignore_errors=True)
        shutil.rmtree(folder / "state", ignore_errors=True)  # what was written meanwhile
        rest, _ = demo.communicate(timeout=HANGS)
    finally:
        demo.kill()
        demo.communicate()

    [line] = [each for each in printed.splitlines() if each.startswith("still being read: ")]
    assert "scan[red] 7.jpg" in line or "more" in line
    assert "never.pdf" not in line
    # Before they were read, that is.
    assert printed.count("processing") > 2
    assert "the newest 5 of 10 documents" in printed
    assert "never.pdf" in printed
    assert "scan[red] 0.jpg" not in printed.partition("still being read")[0]
    assert f"export ALMA_API_URL={described['api_url']}" in printed
    state = folder / "state"
    assert told == (
        f"alma: alma runs already at {described['api_url']}, with the state in {state}; use it or stop it.\n"
    )
    assert told_elsewhere == (
        f"alma: The state in {state} is in use by another run, at {described['api_url']}; use that one, "
        "stop it, or give this one a folder of its own: "
        f"`make run PORT={elsewhere} STATE=~/alma-{elsewhere}/.alma`.\n"
    )
    assert demo.returncode == 1
    assert "the state is kept" not in rest
    assert f"alma: {folder / 'state'} was removed while alma ran" in rest


def test_missing_samples_are_one_clear_line(folder: Path) -> None:
    (folder / "samples" / "invoice.pdf").unlink()

    demo = start(folder, free_port())
    printed, _ = demo.communicate(timeout=HANGS)

    assert demo.returncode == 1
    assert printed.startswith("alma: There are no sample documents in ")
    assert len(printed.splitlines()) == 1
