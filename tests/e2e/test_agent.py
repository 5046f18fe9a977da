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
def office(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An organisation with samples, some fields of which wait for a person."""
    with open_office(runtime, tmp_path_factory.mktemp("archive"), "archive") as opened:
        files = [str(SAMPLES / name) for name in ("deed.pdf", "invoice.pdf")]
        opened.alma("drop", *files, "--wait")
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


def escalate_one(office: Office) -> None:
    """Have a person ask about a value that is part of a line."""
    listed = office.http.get("/api/v1/documents").json()["documents"]
    [deed] = [each for each in listed if each["fileName"] == "deed.pdf"]
    body = {"action": "escalate", "version": 1, "comment": "Is that all?"}
    answer = office.http.patch(f"/api/v1/documents/{deed['documentId']}/fields/grantor_name", json=body)
    assert answer.status_code == 200, answer.text


def test_an_agent_proposes_and_a_reviewer_sees_and_accepts_it(office: Office) -> None:
    escalate_one(office)

    async def at_work() -> list[dict[str, Any]]:
        async with Client(bridge(office)) as client:
            return await agent.review(client, most=1)

    [proposed] = asyncio.run(at_work())
    document, field = proposed["documentId"], proposed["field"]
    proposal = field["tracks"][-1]
    assert (field["status"], proposal["track"][:10]) == ("escalated", "agent:key_")

    queue = office.http.get("/api/v1/review-queue?status=escalated").json()["items"]
    assert field in [each["field"] for each in queue]
    shown = office.http.get(f"/api/v1/documents/{document}?tracks=all").json()["fields"]
    assert field in shown
    accepted = office.http.patch(
        f"/api/v1/documents/{document}/fields/{field['id']}",
        json={"action": "accept", "version": field["version"], "track": proposal["track"]},
    )
    assert (accepted.status_code, accepted.json()["status"], accepted.json()["value"]) == (
        200,
        "accepted",
        proposal["value"],
    )
    assert office.alma("audit", "verify", "--org", "archive")["problems"] == []


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

    assert asyncio.run(session()) == 2
