"""The operator's commands against the table; the others are driven end to end."""

import io
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from alma.access import authentication
from alma.cli import main, target
from alma.cli.client import ApiError, Client

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
    caller = authentication.identify(json.loads(printed)["token"])
    assert caller is not None
    assert (caller.organisation, caller.role) == ("greaves", "admin")


def test_without_json_the_token_alone_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "org", "create", "greaves")
    _, printed = run(capsys, "key", "create", "--org", "greaves", "--name", "n")

    assert authentication.identify(printed.strip()) is not None


def test_a_revoked_key_is_listed_and_does_not_work(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "org", "create", "greaves")
    minted = json.loads(run(capsys, "key", "create", "--org", "greaves", "--name", "n", "--json")[1])

    assert run(capsys, "key", "revoke", minted["id"], "--org", "greaves")[0] == 0

    listed = json.loads(run(capsys, "key", "list", "--org", "greaves", "--json")[1])["keys"]
    assert [key["id"] for key in listed if key["revokedAt"]] == [minted["id"]]
    assert authentication.identify(minted["token"]) is None


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


def test_a_key_with_scopes_owner_and_expiry_and_its_replacement(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "org", "create", "greaves")
    _, printed = run(
        capsys, "key", "create", "--org", "greaves", "--name", "n", "--role", "reviewer", "--json",
        "--scopes", "documents:read, export:read", "--owner", "ines", "--expires", "2099-01-31",
    )  # fmt: skip
    minted = json.loads(printed)

    status, printed = run(
        capsys, "key", "rotate", minted["id"], "--org", "greaves", "--overlap", "0", "--json"
    )

    rotated = json.loads(printed)
    assert status == 0
    assert minted["expiresAt"] == rotated["expiresAt"] == "2099-01-31T00:00:00Z"
    assert minted["scopes"] == rotated["scopes"] == ["documents:read", "export:read"]
    assert rotated["owner"] == "ines"
    assert authentication.identify(minted["token"]) is None
    assert authentication.identify(rotated["token"]) is not None
    shown = run(capsys, "key", "list", "--org", "greaves")[1]
    assert "ines" in shown


@pytest.mark.parametrize("option", [("--scopes", "documents:burn"), ("--expires", "soon")])
def test_an_option_that_is_none_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["key", "create", "--org", "greaves", "--name", "n", *option])

    assert "scopes are documents:read" in capsys.readouterr().err or option[0] == "--expires"


def test_an_organisations_quota_is_set_and_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "org", "create", "greaves")

    assert "greaves may have 500 pages a month read" in run(capsys, "org", "quota", "greaves", "500")[1]
    assert "any number of pages" in run(capsys, "org", "quota", "greaves", "0")[1]
    _, printed = run(capsys, "org", "quota", "greaves", "default", "--json")
    assert json.loads(printed)["monthly_pages"] is None
    assert run(capsys, "org", "quota", "nobody", "1", "--json")[0] == 1
    assert run(capsys, "org", "quota", "greaves", "-1", "--json")[0] == 1


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
    assert (
        "Set ALMA_API_URL and ALMA_API_KEY, store them with `alma login`, or start alma on this machine with "
        "`make run`." in said
    )
    assert "name the deployed stack with --stack, or run it in the folder in which `make run` runs" in said


class _Portal(BaseHTTPRequestHandler):
    """An API whose one document is so large that its fields wait elsewhere."""

    keys_seen: list[str | None]
    announced: list[str | None]
    in_the_way: list[tuple[int, str]]
    refuses = 0

    def do_POST(self) -> None:
        """Take an announcement once nothing is in the way any more; status 0 is a connection that is lost."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.announced.append(self.headers["Idempotency-Key"])
        status, code = self.in_the_way.pop(0) if self.in_the_way else (201, "")
        if status == 0:
            self.close_connection = True
            return
        body = json.dumps(
            {"documentId": 7} if status == 201 else {"error": code, "detail": "Not now.", "request_id": "r"}
        ).encode()
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        type(self).keys_seen.append(self.headers["Authorization"])
        if self.refuses:
            self.send_response(self.refuses)
            self.send_header("Content-Length", "24")
            self.end_headers()
            self.wfile.write(b'{"error":"unauthorized"}')
            return
        if self.path.startswith("/api/v1/documents/6"):
            self.send_response(303)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/{self.path[8:]}")  # type: ignore[attr-defined]
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        reading = {"value": "12.5", "confidence": None, "evidence": {"page": 2, "bbox": {}}}
        field: dict[str, object] = {"key": "acreage", "status": "escalated", **reading}
        if "tracks=all" in self.path:
            field |= {
                "reasons": ["only_hosted"],
                "tracks": [{"track": "hosted", "content": "12,5", **reading}],
            }
        body = json.dumps({"documentId": 6, "docType": "deed_of_conveyance", "fields": [field]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Portal]]:
    _Portal.keys_seen, _Portal.announced, _Portal.in_the_way = [], [], []
    with HTTPServer(("127.0.0.1", 0), _Portal) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("ALMA_API_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("ALMA_API_KEY", "alma_x")
        yield _Portal
        server.shutdown()


def test_a_redirect_to_a_large_answer_is_followed_without_the_key(
    capsys: pytest.CaptureFixture[str], portal: type[_Portal]
) -> None:
    status, printed = run(capsys, "get", "6", "--json")

    assert (status, json.loads(printed)["documentId"]) == (0, 6)
    assert portal.keys_seen == ["Bearer alma_x", None]


@pytest.mark.parametrize(
    "in_the_way",
    [
        [(429, "rate_limited")],
        [(503, "unavailable")],
        [(0, "")],
        [(0, ""), (409, "idempotency_in_progress")],
    ],
    ids=["too soon", "not answered in time", "lost", "lost while it was served"],
)
def test_a_call_that_did_not_come_through_is_made_again_as_the_same(
    in_the_way: list[tuple[int, str]], portal: type[_Portal]
) -> None:
    attempts, portal.in_the_way = len(in_the_way) + 1, list(in_the_way)
    api = Client(target.api())

    assert api.call("POST", "/documents", {"fileName": "a.pdf"}) == {"documentId": 7}
    [key] = set(portal.announced)
    assert len(portal.announced) == attempts
    api.call("POST", "/documents", {"fileName": "a.pdf"})
    assert portal.announced[-1] not in (key, None)


def test_a_conflict_is_not_asked_again(portal: type[_Portal]) -> None:
    portal.in_the_way = [(409, "conflict")]

    with pytest.raises(ApiError, match="Not now"):
        Client(target.api()).call("POST", "/documents", {"fileName": "a.pdf"})
    assert len(portal.announced) == 1


def test_tracks_are_printed_below_their_field_with_the_reasons(
    capsys: pytest.CaptureFixture[str], portal: type[_Portal]
) -> None:
    status, printed = run(capsys, "get", "6", "--tracks")

    assert status == 0
    assert "escalated: only_hosted" in printed
    assert "hosted" in printed.split("only_hosted")[1]


def test_a_list_goes_on_through_its_pages_and_says_if_there_is_more(
    portal: type[_Portal], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def listed(_: Client, method: str, path: str, **query: Any) -> dict[str, Any]:
        asked.append((query["limit"], query["cursor"]))
        first = 0 if query["cursor"] is None else int(query["cursor"])
        about = {"docType": None, "status": "ready", "error": None, "pages": 1, "createdAt": ""}
        rows = [
            {"documentId": number, "fileName": "a.pdf", **about}
            for number in range(first, min(first + query["limit"], 450))
        ]
        end = first + len(rows)
        return {"documents": rows, "nextCursor": None if end == 450 else str(end)}

    monkeypatch.setattr(Client, "call", listed)

    assert len(json.loads(run(capsys, "list", "--limit", "500", "--json")[1])["documents"]) == 450
    assert asked == [(200, None), (200, "200"), (100, "400")]
    assert "the newest 3; there are more (--limit)" in run(capsys, "list", "--limit", "3")[1]
    with pytest.raises(SystemExit):
        main(["list", "--limit", "0"])


# --- a key of one's own -----------------------------------------------------

TOKEN = "alma_" + "k" * 33


@pytest.fixture
def away(portal: type[_Portal], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, Path]:
    """A folder from which nothing is known of any alma; the address of one, and where a key would be."""
    url = os.environ["ALMA_API_URL"]
    for name in ("ALMA_API_URL", "ALMA_API_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return url, tmp_path / "config" / "alma" / "credentials.json"


def log_in(monkeypatch: pytest.MonkeyPatch, url: str, key: str = TOKEN) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(key + "\n"))
    return main(["login", "--url", url])


def test_a_stored_key_is_found_from_any_folder_and_readable_by_nobody_else(
    away: tuple[str, Path],
    portal: type[_Portal],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, file = away

    # An address as people copy it, of the endpoint for agents.
    assert log_in(monkeypatch, f"{url}/api/mcp/") == 0
    assert json.loads(file.read_text()) == {"url": url, "key": TOKEN}
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert TOKEN not in capsys.readouterr().out

    assert run(capsys, "get", "6", "--json")[0] == 0
    assert portal.keys_seen[-2:] == [f"Bearer {TOKEN}", None]

    assert main(["logout"]) == 0
    assert not file.exists()
    assert main(["get", "6"]) == 1


@pytest.mark.parametrize("key", ["", "sk-something", "alma_short", f"{TOKEN} more"])
def test_what_is_no_key_is_not_stored(
    away: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    url, file = away

    assert log_in(monkeypatch, url, key) == 1
    assert "A key is alma_ and 33 letters and digits" in capsys.readouterr().err.replace("\n", " ")
    assert not file.exists()


def test_a_key_that_the_api_refuses_is_not_stored(
    away: tuple[str, Path], portal: type[_Portal], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, file = away

    monkeypatch.setattr(portal, "refuses", 401)
    assert log_in(monkeypatch, url) == 1
    assert log_in(monkeypatch, "http://127.0.0.1:9") == 1
    assert not file.exists()
    # Good for something else than what was asked to try it.
    monkeypatch.setattr(portal, "refuses", 403)
    assert log_in(monkeypatch, url) == 0


def test_a_stored_key_is_never_sent_to_another_address(
    away: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url, _ = away
    log_in(monkeypatch, url)
    monkeypatch.setenv("ALMA_API_URL", "https://elsewhere.test")

    assert main(["get", "6"]) == 1
    assert f"Set ALMA_API_KEY too: the key that is known is for {url}." in capsys.readouterr().err.replace(
        "\n", " "
    )


def test_an_agents_key_is_stored_apart_and_the_alma_here_comes_last(
    away: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, file = away
    log_in(monkeypatch, url)
    monkeypatch.setattr("sys.stdin", io.StringIO("alma_" + "a" * 33))
    assert main(["login", "--url", url, "--agent"]) == 0
    local = tmp_path / ".alma" / "local.json"
    local.parent.mkdir()
    local.write_text(json.dumps({"api_url": url, "api_key": "alma_local"}))
    local.chmod(0o600)

    assert (target.api(agent=True).key, target.api().key) == ("alma_" + "a" * 33, TOKEN)
    assert main(["logout", "--agent"]) == 0
    assert target.api(agent=True).key == target.api().key == TOKEN
    assert file.exists()
    assert main(["logout"]) == 0
    assert target.api(agent=True).key == target.api().key == "alma_local"


def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(
    away: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALMA_API_URL", away[0])
    for key in ("secret\nkey", "kľúč"):
        monkeypatch.setenv("ALMA_API_KEY", key)
        assert main(["get", "6"]) == 1
        said = capsys.readouterr().err
        assert "copy it again" in said
        assert key not in said
    monkeypatch.setenv("ALMA_API_KEY", f"{TOKEN}\n")
    assert main(["get", "6"]) == 0
