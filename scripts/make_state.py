"""Make a small state as `make run` keeps it, for a later version to open: tests/data/state.

`python -m scripts.make_state --checkout DIR --out tests/data/state/0.1.0/state.tar.xz`

DIR is a checkout of the release with its `.venv`. Everything goes through its own commands and API, so the
state is what that release writes. It prints what tests/e2e/test_state_of_releases.py expects of a later
version.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

NOTES = ("01", "02", "03", "04", "05", "06")
UNCORRECTED = "13"
MODEL = "mdl_delivery_notes_v1"


class Release:
    """A release that runs: its command line and its API."""

    def __init__(self, checkout: Path, state: Path) -> None:
        self.checkout = checkout
        known = json.loads((state / "local.json").read_text(encoding="utf-8"))
        self.url, self.keys = known["api_url"], known["keys"]

    def alma(self, *arguments: object, role: str = "admin") -> None:
        """Run a command with the key of a role."""
        subprocess.run(
            [self.checkout / ".venv/bin/alma", *map(str, arguments)],
            cwd=self.checkout,
            env={**_environ(self.checkout), "ALMA_API_URL": self.url, "ALMA_API_KEY": self.keys[role]},
            check=True,
        )

    def call(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Any:
        """Send a request and return what is answered."""
        token = key or self.keys["admin"]
        answer = httpx.request(
            method,
            f"{self.url}/api{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None


def _environ(checkout: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ALMA_", "AWS_"))}
    return {**own, "PYTHONPATH": str(checkout / "layers" / "alma")}


@contextmanager
def running(checkout: Path, state: Path, port: int) -> Iterator[Release]:
    """Run a release as `make run` does, with one sample."""
    samples = state.parent / "samples"
    samples.mkdir()
    shutil.copy(checkout / "samples" / "invoice.pdf", samples)
    demo = subprocess.Popen(
        [
            checkout / ".venv/bin/python", "-m", "infra.local", "--port", str(port),
            "--state", str(state), "--samples", str(samples),
        ],
        cwd=checkout,
        env=_environ(checkout),
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert demo.stdout is not None
        if not any("Ctrl-C stops it" in line for line in demo.stdout):
            sys.exit(f"{checkout} does not run")
        yield Release(checkout, state)
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=60)


def teach(release: Release, folder: Path) -> None:
    """Go round the circle of the README: a type, documents, corrections, a model."""
    notes = release.checkout / "samples" / "delivery-notes"
    release.alma("schema", "put", "delivery_note", notes / "schema.json")
    for each in (*NOTES, UNCORRECTED):  # one by one, so that numbers follow names
        release.alma("drop", notes / f"note-{each}.pdf", "--type", "delivery_note", "--wait")
    rows = (notes / "corrections.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "corrections.jsonl").write_text("".join(rows[: len(NOTES)]), encoding="utf-8")
    release.alma("correct", folder / "corrections.jsonl", role="reviewer")
    release.alma("model", "train", "--type", "delivery_note", "--name", "Delivery notes", "--wait")
    release.alma("model", "digitize", MODEL, 2 + len(NOTES))


def review(release: Release) -> None:
    """Decide fields of the invoice in every way there is, a proposal of an agent among them."""
    fields = release.call("GET", "/v1/documents/1?tracks=all")["fields"]
    seen = {field["id"]: field for field in fields}
    agent = release.call(
        "POST",
        "/v1/keys",
        {"name": "agent", "role": "reviewer", "scopes": ["mcp:read", "mcp:write"], "owner": "the office"},
    )
    proposal = {
        "documentId": 1,
        "field": "seller_name",
        "version": seen["seller_name"]["version"],
        "value": "Harbour Light Chandlers",
        "evidence": {key: seen["seller_name"]["evidence"][key] for key in ("page", "bbox")},
        "comment": "The letterhead has no Ltd.",
    }
    told = release.call(
        "POST",
        "/mcp",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "propose_correction", "arguments": proposal},
        },
        key=agent["token"],
    )
    if told["result"].get("isError"):
        sys.exit(f"the proposal is refused: {told}")
    release.alma("accept", 1, "invoice_number", "--comment", "as printed", role="reviewer")
    release.alma(
        "edit", 1, "due_date", "--value", "2026-04-09", "--comment", "agreed by phone", role="reviewer"
    )
    release.alma("reject", 1, "amount_due", role="reviewer")
    box = seen["total_gross"]["evidence"]["bbox"]
    body = {"key": "iban", "value": "GB33BUKB20201555555555", "evidence": {"page": 1, "bbox": box}}
    release.call("POST", "/v1/documents/1/fields", body, key=release.keys["reviewer"])
    release.call("POST", "/v1/documents/1/claim", {"seconds": 600}, key=release.keys["reviewer"])


def manage(release: Release, folder: Path) -> Mapping[str, str]:
    """Make keys that hold and keys that do not, a document that fails and one that is removed."""
    revoked = release.call("POST", "/v1/keys", {"name": "revoked", "role": "reader"})
    release.call("DELETE", f"/v1/keys/{revoked['id']}")
    old = release.call(
        "POST", "/v1/keys", {"name": "rotated", "role": "reviewer", "scopes": ["documents:read"]}
    )
    new = release.call("POST", f"/v1/keys/{old['id']}/rotate", {"overlapSeconds": 0})
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing more\n")
    with suppress(subprocess.CalledProcessError):  # it says by its status that it cannot be read
        release.alma("drop", folder / "broken.pdf", "--wait")
    removed = release.call("POST", "/v1/documents", {"fileName": "announced.pdf"})
    release.call("DELETE", f"/v1/documents/{removed['documentId']}")
    return {"revoked": revoked["token"], "rotated": old["token"], "replacement": new["token"]}


def pack(state: Path, out: Path) -> None:
    """Write the folder's database, bodies and keys into an archive, the same bytes for the same state."""
    database = sqlite3.connect(state / "data" / "state.sqlite")
    database.executescript("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE; VACUUM;")
    database.close()
    paths = [state / "local.json", state / "data" / "state.sqlite", *(state / "data" / "objects").iterdir()]

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.mtime = info.uid = info.gid = 0
        info.uname = info.gname = ""
        return info

    out.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(out, "w:xz", preset=9) as archive:
        for path in sorted(paths, key=lambda path: (path.stat().st_size, path.name)):
            archive.add(path, str(path.relative_to(state)), filter=plain)


def main() -> int:
    """Make the archive, print what a later version has to answer, and return the exit status."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--port", type=int, default=18000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        state = folder / "state"
        with running(options.checkout.resolve(), state, options.port) as release:
            teach(release, folder)
            review(release)
            tokens = manage(release, folder)
            told = {
                "tokens": {**release.keys, **tokens},
                "documents": release.call("GET", "/v1/documents"),
                "invoice": release.call("GET", "/v1/documents/1?tracks=all"),
                "history": release.call("GET", "/v1/documents/1/history"),
                "own": release.call("POST", f"/v1/models/{MODEL}/digitize", {"documentId": 2 + len(NOTES)}),
                "model": release.call("GET", f"/v1/models/{MODEL}"),
                "datasets": release.call("GET", "/v1/datasets"),
            }
        pack(state, options.out)
    print(json.dumps(told, indent=1, ensure_ascii=False))
    print(f"{options.out}: {options.out.stat().st_size / 2**20:.2f} MiB", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
