"""An organisation on the running alma, and its people at the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from infra.local.runtime import Runtime
from infra.local.template import REGION
from tests.patience import HANGS


@dataclass
class Office:
    """An organisation on the running alma, and the folder its people work in."""

    runtime: Runtime
    folder: Path
    http: httpx.Client

    @property
    def token(self) -> str:
        """The organisation's key."""
        return self.http.headers["Authorization"].removeprefix("Bearer ")

    def alma(self, *argv: str) -> Any:
        """Run the command line tool and return its JSON."""
        done = run_alma(self.folder, *argv, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def alma_text(self, *argv: str) -> str:
        """Run the command line tool and return what it prints."""
        done = run_alma(self.folder, *argv)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait(self, document_id: int) -> httpx.Response:
        """Poll a document as the portal says: until it is no longer 202."""
        until = time.monotonic() + HANGS
        while True:
            answer = self.http.get(f"/api/v1/documents/{document_id}")
            if answer.status_code != 202 or time.monotonic() > until:
                return answer
            assert answer.headers["Retry-After"] == "2"
            time.sleep(0.1)


def run_alma(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run the command line tool in a folder, with nothing of alma in the environment."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ALMA_", "AWS_"))}
    return subprocess.run(
        [sys.executable, "-m", "alma.cli", *argv],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )


@contextmanager
def open_office(runtime: Runtime, folder: Path, name: str) -> Iterator[Office]:
    """Create an organisation as an operator does, and a key for its people in their folder."""
    with httpx.Client(base_url=runtime.api_url, timeout=HANGS) as http:
        office = Office(runtime, folder, http)
        state = folder / ".alma" / "local.json"
        state.parent.mkdir()
        described = {
            "api_url": runtime.api_url,
            "aws_endpoint_url": runtime.aws_endpoint_url,
            "table": runtime.resource("Table"),
            "region": REGION,
            "api_key": "",
        }
        state.write_text(json.dumps(described))
        state.chmod(0o600)
        office.alma("org", "create", name)
        minted = office.alma("key", "create", "--org", name, "--name", "k", "--role", "admin")
        http.headers["Authorization"] = f"Bearer {minted['token']}"
        state.write_text(json.dumps({**described, "api_key": minted["token"]}))
        yield office
