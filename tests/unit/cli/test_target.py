"""Whom commands talk to, and that no key goes where it was not meant to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alma.cli import main, target
from alma.cli.target import Api
from tests.unit.cli.conftest import KEY, FakeApi

STORED, AGENTS = "alma_" + "s" * 33, "alma_" + "a" * 33


def local(folder: Path, api_url: str, key: str = "alma_local", **more: Any) -> Path:
    """Write what the runtime writes, or what an archive that was unpacked has in its place."""
    path = folder / ".alma" / "local.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"api_url": api_url, "api_key": key, **more}))
    path.chmod(0o600)
    return path


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the sentence with which a command ends that knows nobody to talk to."""
    assert main(["model", "list"]) == 1
    return capsys.readouterr().err.removeprefix("alma: ").replace("\n", " ")


def test_the_order_is_environment_login_this_machine(
    server: FakeApi, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local(folder, server.url)
    assert target.api() == target.api(agent=True) == Api(server.url, "alma_local")

    target.store(Api("https://alma.test", STORED))
    assert target.api() == target.api(agent=True) == Api("https://alma.test", STORED)

    target.store(Api("https://agents.test", AGENTS), agent=True)
    assert target.api() == Api("https://alma.test", STORED)
    assert target.api(agent=True) == Api("https://agents.test", AGENTS)

    monkeypatch.setenv("ALMA_API_URL", "https://named.test/api")
    monkeypatch.setenv("ALMA_API_KEY", KEY)
    assert target.api() == target.api(agent=True) == Api("https://named.test", KEY)


def test_from_any_folder_with_both_variables(api: FakeApi) -> None:
    api.say("GET", "/models", {"models": []})

    assert main(["model", "list"]) == 0
    assert api.seen[0].key == f"Bearer {KEY}"


def test_a_key_from_the_environment_is_not_sent_to_an_address_from_a_file(
    server: FakeApi, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    local(folder, server.url)
    target.store(Api(server.url, STORED))
    monkeypatch.setenv("ALMA_API_KEY", KEY)

    said = refused(capsys)
    for argv in (["drop", str(folder / ".alma" / "local.json")], ["mcp", "--stdio"]):
        assert main(argv) == 1

    assert said.strip() == "Set ALMA_API_URL too, to the address that the key in ALMA_API_KEY is for."
    assert server.seen == []


@pytest.mark.parametrize("which", ["api_key", "keys", "stored"])
def test_a_key_in_the_environment_that_a_file_has_stands_for_that_files_address(
    server: FakeApi, folder: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    keys = {"reader": KEY} if which == "keys" else {}
    local(folder, server.url, KEY if which == "api_key" else "alma_local", keys=keys)
    target.store(Api("https://alma.test", KEY if which == "stored" else STORED))
    monkeypatch.setenv("ALMA_API_KEY", KEY)

    assert target.api() == Api("https://alma.test" if which == "stored" else server.url, KEY)


def test_an_address_in_the_environment_names_the_file_that_has_its_key(
    server: FakeApi, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    local(folder, server.url)
    target.store(Api("https://alma.test", STORED))
    monkeypatch.setenv("ALMA_API_URL", f"{server.url}/api/v1/")
    assert target.api() == Api(server.url, "alma_local")

    monkeypatch.setenv("ALMA_API_URL", "https://elsewhere.test")
    assert "the key that is known is for https://alma.test" in refused(capsys)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.test",
        "http://127.0.0.1.elsewhere.test",
        "http://127.0.0.1@elsewhere.test",
        "http://127.0.0.1:80@elsewhere.test",
        "http://127.0.0.1\\@elsewhere.test",
        "http://elsewhere.test#127.0.0.1",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "file:///etc/passwd",
        "",
    ],
)
@pytest.mark.parametrize("name", ["api_url", "aws_endpoint_url"])
def test_a_file_in_a_folder_names_this_machine_or_nothing(
    server: FakeApi, folder: Path, capsys: pytest.CaptureFixture[str], name: str, url: str
) -> None:
    named = {"api_url": server.url, "aws_endpoint_url": server.url, "table": "t", "region": "eu-west-1"}
    path = local(folder, **(named | {name: url}))

    sentence = f"{path} is not used: it names {url}, which is not on this machine"
    assert sentence in refused(capsys)
    assert main(["org", "create", "greaves"]) == 1
    assert sentence in capsys.readouterr().err.replace("\n", " ")
    assert server.seen == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000/", "http://[::1]:8000/api"])
def test_addresses_of_this_machine(folder: Path, url: str) -> None:
    local(folder, url)
    assert target.api().key == "alma_local"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners")
def test_a_file_of_somebody_else_or_that_others_write_is_not_used(
    server: FakeApi, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = local(folder, server.url)
    for mode in (0o620, 0o602):
        path.chmod(mode)
        assert f"{path} is not used: others can write it (chmod go-w)." in refused(capsys)
    path.chmod(0o644)
    assert target.api().key == "alma_local"

    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    assert f"{path} is not used: it belongs to another user." in refused(capsys)
    # Nothing of it is looked at where something better is known.
    target.store(Api("https://alma.test", STORED))
    assert target.api().key == STORED


@pytest.mark.parametrize("content", ["[]", "{}", '{"api_url": "http://127.0.0.1"}', "no json"])
def test_a_file_that_is_something_else_is_a_sentence(
    folder: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = local(folder, "http://127.0.0.1")
    path.write_text(content)

    assert "start alma again." in refused(capsys)


def test_credentials_for_aws_are_not_sent_to_an_endpoint_from_a_file(server: FakeApi, folder: Path) -> None:
    local(folder, server.url, aws_endpoint_url=server.url, table="t", region="eu-west-1")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("ALMA_", "AWS_"))
    }
    environment |= {
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "token",
        "AWS_PROFILE": "none",
    }

    done = subprocess.run(
        [sys.executable, "-m", "alma.cli", "org", "create", "greaves"],
        env=environment,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 1
    signed = [each.key or "" for each in server.seen]
    assert signed
    assert all("Credential=local/" in each and "x-amz-security-token" not in each for each in signed)


def test_whoami_says_where_commands_go_and_why(
    server: FakeApi, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = local(folder, server.url, KEY)
    assert main(["whoami"]) == 0
    assert capsys.readouterr().out == f"{server.url} with the key alma_kkkkkkkk…, from {path}\n"

    stored = target.store(Api("https://agents.test", AGENTS), agent=True)
    assert main(["whoami", "--agent", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"url": "https://agents.test", "key": "alma_aaaaaaaa…", "source": str(stored)}
    assert server.seen == []


def test_health_and_the_description(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    api.say("GET", "/health", {"status": "ok", "version": "1.2"})
    api.say("GET", "/openapi.json", {"openapi": "3.1.0"})

    assert main(["health"]) == 0
    assert capsys.readouterr().out == f"{api.url} answers, version 1.2\n"
    assert main(["openapi"]) == 0
    assert json.loads(capsys.readouterr().out) == {"openapi": "3.1.0"}
