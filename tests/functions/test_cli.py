"""The operator's commands against the table; the others are driven end to end."""

import json
from pathlib import Path

import pytest

from alma import keys
from alma.cli import main

pytestmark = pytest.mark.usefixtures("aws")


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Return the command's exit status and what it printed."""
    status = main(argv)
    return status, capsys.readouterr().out


def test_an_organisation_and_a_key_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "org", "create", "greaves", "--json")[0] == 0
    status, printed = run(
        capsys, "key", "create", "--org", "greaves", "--name", "n", "--role", "admin", "--json"
    )

    assert status == 0
    caller = keys.identify(json.loads(printed)["token"])
    assert caller is not None
    assert (caller.organisation, caller.role) == ("greaves", "admin")


def test_without_json_the_token_alone_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "org", "create", "greaves")
    _, printed = run(capsys, "key", "create", "--org", "greaves", "--name", "n")

    assert keys.identify(printed.strip()) is not None


def test_a_revoked_key_is_listed_and_does_not_work(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "org", "create", "greaves")
    minted = json.loads(run(capsys, "key", "create", "--org", "greaves", "--name", "n", "--json")[1])

    assert run(capsys, "key", "revoke", minted["id"], "--org", "greaves")[0] == 0

    listed = json.loads(run(capsys, "key", "list", "--org", "greaves", "--json")[1])["keys"]
    assert [key["id"] for key in listed if key["revokedAt"]] == [minted["id"]]
    assert keys.identify(minted["token"]) is None


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (("org", "create", "Not An Id", "--json"), "bad_request"),
        (("key", "create", "--org", "nobody", "--name", "n", "--json"), "not_found"),
        (("key", "revoke", "key_x", "--org", "nobody", "--json"), "not_found"),
    ],
)
def test_a_refusal_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], error: str
) -> None:
    status, printed = run(capsys, *argv)

    assert (status, json.loads(printed)["error"]) == (1, error)


def test_an_organisation_cannot_be_created_twice(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "org", "create", "greaves")

    status, printed = run(capsys, "org", "create", "greaves", "--json")

    assert (status, json.loads(printed)["error"]) == (1, "conflict")


def test_without_an_installation_the_command_says_what_to_give(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ALMA_API_URL", "ALMA_API_KEY", "ALMA_TABLE"):
        monkeypatch.delenv(name, raising=False)

    assert main(["get", "1"]) == 1
    assert main(["org", "create", "greaves"]) == 1

    said = capsys.readouterr().err.replace("\n", " ")
    assert "Set ALMA_API_URL and ALMA_API_KEY, or start alma on this machine with `make run`." in said
    assert "Name the deployed stack with --stack" in said
