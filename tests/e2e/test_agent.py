"""An agent at the desk beside the reviewer: over the bridge, with the official client."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from examples import agent
from infra.local.runtime import Runtime
from tests.e2e.office import Office, open_office

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture(scope="module")
def office(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Office]:
    """An organisation with a sample, some fields of which wait for a person."""
    with open_office(runtime, tmp_path_factory.mktemp("archive"), "archive") as opened:
        opened.alma("drop", str(SAMPLES / "registration-turned.jpg"), "--wait")
        yield opened


def bridge(office: Office, **environ: str) -> StdioServerParameters:
    """Return how a desktop agent starts `alma mcp --stdio`."""
    environ |= {"ALMA_API_URL": office.runtime.api_url, "PATH": os.environ["PATH"]}
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "alma.cli", "mcp", "--stdio"],
        env={"ALMA_API_KEY": office.token, **environ},
        cwd=office.folder,
    )


def test_an_agent_corrects_a_date_and_a_reviewer_sees_why_and_accepts_it(office: Office) -> None:
    listed = office.http.get("/api/v1/documents").json()["documents"]
    [form] = [each["documentId"] for each in listed if each["docType"] == "registration_form"]
    [before] = [each for each in office.alma("get", str(form))["fields"] if each["key"] == "file_date"]
    # It was taken for that of the signature.
    assert (before["value"], before["status"]) == ("1971-04-09", "unreviewed")

    async def at_work() -> list[dict[str, Any]]:
        async with Client(bridge(office)) as client:
            return await agent.review(client)

    [proposed] = asyncio.run(at_work())

    field = proposed["field"]
    *_, proposal = field["tracks"]
    assert (proposed["documentId"], field["id"], field["value"]) == (form, "file_date", "1971-04-09")
    assert (proposal["track"][:10], proposal["value"], proposal["content"]) == (
        "agent:key_",
        "1971-04-14",
        "APR 14 1971",
    )
    assert proposal["comment"] == "It was filed when it was received, and the stamp says APR 14 1971."

    queue = office.alma("review", "--type", "registration_form")["items"]
    assert field in [each["field"] for each in queue]
    accepted = office.alma("accept", "registration-turned.jpg", "file_date", "--track", proposal["track"])
    assert (accepted["status"], accepted["value"]) == ("accepted", "1971-04-14")
    assert accepted["evidence"] == proposal["evidence"]
    assert asyncio.run(at_work()) == []
    assert office.alma("audit", "verify", "--org", "archive")["problems"] == []


def test_the_example_says_in_a_sentence_why_it_cannot_work(office: Office) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.agent"],
        env={**os.environ, "ALMA_API_URL": office.runtime.api_url, "ALMA_API_KEY": "alma_nobodys"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "The archive cannot be read: The key is malformed, expired or revoked; check ALMA_API_KEY, or log in "
        "with another.\n"
    )


@pytest.mark.parametrize(("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_the_bridge_speaks_the_revision_the_client_asks_for(office: Office, mode: Any, version: str) -> None:
    async def session() -> tuple[str | None, int]:
        async with Client(bridge(office), mode=mode) as client:
            return client.protocol_version, len((await client.list_tools()).tools)

    assert asyncio.run(session()) == (version, 11)


def test_a_desktop_agent_needs_no_key_in_its_configuration(office: Office, tmp_path: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = subprocess.run(
        [sys.executable, "-m", "alma.cli", "login", "--url", office.runtime.api_url],
        input=office.token,
        env={**os.environ, **home},
        text=True,
        check=False,
    )
    assert done.returncode == 0

    async def session() -> int:
        # As such programs start others: elsewhere, with next to no environment.
        agent = StdioServerParameters(
            command=sys.executable, args=["-m", "alma.cli", "mcp", "--stdio"], env=home, cwd=tmp_path
        )
        async with Client(agent) as client:
            found = await client.call_tool("list_documents", {})
            assert found.structured_content is not None
            return len(found.structured_content["documents"])

    assert asyncio.run(session()) == 1
