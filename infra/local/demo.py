"""`make run`: alma on this machine with an organisation, keys and sample documents."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local.errors import LocalRuntimeError
from infra.local.runtime import Runtime
from infra.local.store import private_folder
from infra.local.template import REGION

ROOT = Path(__file__).resolve().parents[2]
ORGANISATION = "demo"
#: Rate limits that no trial, benchmark or test reaches by accident.
HIGH_LIMITS = {
    f"Limit{family}": "60000/6000" for family in ("Reading", "Writing", "Models", "Export", "Mcp", "Minting")
}
ROLES = ("admin", "reviewer", "reader")
#: Timeout for reading the samples in the first run, which then serves all the same.
SAMPLES_SECONDS = 300

console = Console()


def main() -> int:
    """Start alma, set the demo up, serve until interrupted; return the exit status."""
    options = _options()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    models = ROOT / "layers" / "vision" / "models"
    if not any(models.glob("*.onnx")):
        return _fail("The OCR models are missing; `make setup` fetches them.")
    samples = sorted(path for path in options.samples.glob("*") if path.suffix in _SAMPLE_SUFFIXES)
    if not samples:
        return _fail(f"There are no sample documents in {options.samples}; name a folder with --samples.")
    try:
        private_folder(options.state)
        # The AWS endpoint's port is the next one, so that it stays the same from start to start.
        with Runtime(
            ROOT / "template.yaml",
            options.state / "data",
            port=options.port,
            aws_port=options.port + 1,
            name="alma",
            parameters=HIGH_LIMITS,
            logs=options.state / "logs",
        ) as runtime:
            _serve(runtime, options.state, samples, stop)
    except LocalRuntimeError as error:
        return _fail(str(error))
    console.print("stopped; the state is kept for the next start")
    return 0


_SAMPLE_SUFFIXES = (".pdf", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
    parser.add_argument("--state", type=Path, default=ROOT / ".alma", help="folder that keeps everything")
    parser.add_argument("--samples", type=Path, default=ROOT / "samples")
    return parser.parse_args()


def _fail(sentence: str) -> int:
    print(f"alma: {sentence}", file=sys.stderr)
    return 1


def _serve(runtime: Runtime, state: Path, samples: list[Path], stop: threading.Event) -> None:
    known = _read_state(state)
    first = not known.get("samples_dropped")
    described = _local_json(runtime, known)
    _write_state(state, described)
    if first:
        _drop(runtime, described["inbox"], samples)
        described["samples_dropped"] = True
        _write_state(state, described)
    from alma.cli.client import Client
    from alma.cli.tables import documents_table, fields_table
    from alma.cli.target import Api

    client = Client(Api(runtime.api_url, described["api_key"]))
    documents = _wait(client, len(samples) if first else 0, stop)
    if stop.is_set():
        return
    if first:
        for document in reversed(documents):
            if document["status"] == "ready":
                found = client.call("GET", f"/documents/{document['documentId']}")
                console.print(fields_table(found, document["fileName"]))
    if not first or any(document["status"] != "ready" for document in documents):
        console.print(documents_table(documents))
    ready = [document["documentId"] for document in documents if document["status"] == "ready"]
    _print_hints(described, ready, state)
    stop.wait()


def _local_json(runtime: Runtime, known: dict[str, Any]) -> dict[str, Any]:
    """Return the content of local.json, with the keys that it has where they are still valid."""
    # The package reads the table's name when it is imported.
    os.environ |= {
        "ALMA_TABLE": runtime.resource("Table"),
        "AWS_ENDPOINT_URL": runtime.aws_endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    from alma.access import authentication, keys, organisations
    from alma.errors import ConflictError

    with contextlib.suppress(ConflictError):
        organisations.create(ORGANISATION, "Demo")
    tokens: dict[str, str] = {}
    for role in ROLES:
        token = known.get("keys", {}).get(role, "")
        caller = authentication.identify(token)
        if caller is None or (caller.organisation, caller.role.value) != (ORGANISATION, role):
            _, token = keys.create(ORGANISATION, f"demo {role}", keys.Role(role))
        tokens[role] = token
    return {
        **known,
        "api_url": runtime.api_url,
        "aws_endpoint_url": runtime.aws_endpoint_url,
        "inbox": f"s3://{runtime.resource('InboxBucket')}/inbox/{ORGANISATION}/",
        "organisation": ORGANISATION,
        "api_key": tokens["admin"],
        "keys": tokens,
        "region": REGION,
        "table": runtime.resource("Table"),
    }


def _read_state(state: Path) -> dict[str, Any]:
    try:
        found = json.loads((state / "local.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_state(state: Path, described: dict[str, Any]) -> None:
    """Replace local.json atomically."""
    path = state / "local.json"
    draft = path.with_suffix(".draft")
    # It holds tokens: for this user alone.
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(described, stream, indent=2)
        stream.write("\n")
    draft.replace(path)


def _drop(runtime: Runtime, inbox: str, samples: list[Path]) -> None:
    import boto3

    bucket, _, prefix = inbox.removeprefix("s3://").partition("/")
    s3 = boto3.client("s3", endpoint_url=runtime.aws_endpoint_url)
    for path in samples:
        s3.upload_file(str(path), bucket, prefix + path.name)


def _wait(client: Any, expected: int, stop: threading.Event) -> list[dict[str, Any]]:
    """Wait until at least `expected` documents are there and none is being read; return all of them."""
    until = time.monotonic() + SAMPLES_SECONDS
    with Progress(
        TextColumn("reading"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task("", total=expected or None)
        while True:
            documents: list[dict[str, Any]] = client.call("GET", "/documents", limit=200)["documents"]
            busy = [document for document in documents if document["status"] == "processing"]
            done = len(documents) - len(busy)
            progress.update(
                task,
                completed=done,
                total=max(expected, len(documents)),
                description=", ".join(_progress_of(document) for document in busy[:2]),
            )
            if (len(documents) >= expected and not busy) or stop.is_set() or time.monotonic() > until:
                return documents
            stop.wait(0.2)


def _progress_of(document: dict[str, Any]) -> str:
    pages = f" {document['pagesRead']}/{document['pages']}" if document["pages"] else ""
    return f"{document['fileName']}{pages}"


def _print_hints(described: dict[str, Any], ready: list[int], state: Path) -> None:
    url, key = described["api_url"], described["api_key"]
    number = ready[-1] if ready else 1
    message = (
        '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": '
        f'{{"name": "get_document_fields", "arguments": {{"documentId": {number}}}}}}}'
    )
    lines = f"""
alma serves on {url}   (AWS endpoint {described["aws_endpoint_url"]}, state in {state})

Paste into another terminal:

  export ALMA_API_KEY={key}
  curl -X POST {url}/api/v1/digitize -H "Authorization: Bearer $ALMA_API_KEY" \\
      -H "Content-Type: application/json" -d '{{ "documentId": {number} }}'
  curl {url}/api/v1/documents -H "Authorization: Bearer $ALMA_API_KEY"
  curl {url}/api/v1/documents/{number} -H "Authorization: Bearer $ALMA_API_KEY"
  curl -L "{url}/api/v1/export/{number}?format=csv" -H "Authorization: Bearer $ALMA_API_KEY" \\
      -o document-{number}.csv
  curl {url}/api/v1/models -H "Authorization: Bearer $ALMA_API_KEY"
  curl -X POST {url}/api/mcp -H "Authorization: Bearer $ALMA_API_KEY" \\
      -H "Content-Type: application/json" -d '{message}'

Read a file of your own:

  .venv/bin/alma drop FILE --wait
  aws s3 cp FILE {described["inbox"]} --no-sign-request --endpoint-url {described["aws_endpoint_url"]}

Give an agent a key of its own, and a client this archive (the README has other clients):

  .venv/bin/alma key create --org {ORGANISATION} --name agent --role reviewer \\
      --scopes mcp:read,mcp:write,models:read | .venv/bin/alma login --agent --url {url}
  claude mcp add alma -- {ROOT}/.venv/bin/alma mcp --stdio

Ctrl-C stops it; everything is kept for the next start.
"""
    # Plain print: these lines are for pasting, so nothing may wrap or colour them.
    print(lines, flush=True)
