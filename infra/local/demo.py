"""`make run`: alma on this machine with an organisation, keys and sample documents."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote_plus

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local.errors import LocalRuntimeError
from infra.local.httpd import bind
from infra.local.runtime import Runtime
from infra.local.store import in_use, private_folder
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
#: Documents that are shown of an archive, and names in a sentence; counting ends somewhere.
NEWEST, NAMES, COUNTED = 5, 6, 1000
_SAMPLE_SUFFIXES = (".pdf", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif")

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
        _check_folder(options.state, options.port)
        _check_ports(options.port)
        private_folder(options.state)
        undelivered = _undelivered(options.state / "data" / "state.sqlite")
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
            state = _State(options.state, stop)
            _serve(runtime, state, samples, undelivered, stop)
    except LocalRuntimeError as error:
        return _fail(str(error))
    if state.lost:
        return _fail(
            f"{options.state} was removed while alma ran, and with it what alma knew; start it anew."
        )
    console.print("stopped; the state is kept for the next start")
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with status 2 and a sentence, without the usage above it."""
        sys.exit(_fail(message, 2))


def _options() -> argparse.Namespace:
    parser = _Parser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("--port", help="8000, or what PORT says")
    parser.add_argument("--state", type=Path, default=ROOT / ".alma", help="folder that keeps everything")
    parser.add_argument("--samples", type=Path, default=ROOT / "samples")
    options = parser.parse_args()
    options.state = options.state.expanduser().absolute()
    name = "PORT" if options.port is None else "--port"
    options.port = _port(name, options.port or os.environ.get("PORT") or "8000", parser)
    return options


def _port(name: str, given: str, parser: _Parser) -> int:
    # The port after it is that of AWS.
    if given.isascii() and given.isdecimal() and len(given) < 6 and 0 < int(given) < 65535:
        return int(given)
    parser.error(f"{name} is {given!r}; give a whole number from 1 to 65534, as in `make run PORT=8010`.")


def _fail(sentence: str, status: int = 1) -> int:
    print(f"alma: {sentence}", file=sys.stderr)
    return status


def _check_folder(folder: Path, port: int) -> None:
    """Check that no alma runs with this state.

    Raises
    ------
    LocalRuntimeError
        One does; it says where, and what to do.
    """
    if not in_use(folder / "data"):
        return
    url = str(_local_json_of(folder).get("api_url", "an address that it prints"))
    if url.endswith(f":{port}"):
        raise LocalRuntimeError(f"alma runs already at {url}, with the state in {folder}; use it or stop it.")
    raise LocalRuntimeError(
        f"The state in {folder} is in use by another run, at {url}; use that one, stop it, or give this one "
        f"a folder of its own: `make run PORT={port} STATE=~/alma-{port}/.alma`."
    )


def _check_ports(port: int) -> None:
    """Check that both ports are free.

    Raises
    ------
    LocalRuntimeError
        One is not; it says what runs there and what to do.
    """
    for each, purpose in ((port, "the API"), (port + 1, "AWS")):
        try:
            bind(each, purpose).close()
        except LocalRuntimeError as error:
            if _is_alma(port):
                raise LocalRuntimeError(
                    f"Port {port} is taken: an alma runs there already; use it, stop it, or start this one "
                    f"beside it: `make run PORT={_other(port)}`."
                ) from None
            told = str(error).partition(";")[0]
            raise LocalRuntimeError(f"{told}; choose another one: `make run PORT={_other(port)}`.") from None


def _other(port: int) -> int:
    return port + 10 if port + 10 < 65535 else 8010


def _is_alma(port: int) -> bool:
    """Tell whether alma's gateway listens, by an answer for which no function has to start."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/no-such-path", timeout=2).close()
    except urllib.error.HTTPError as answer:
        return b'"request_id"' in answer.read(1000)
    except (OSError, http.client.HTTPException):
        return False
    return False


def _local_json_of(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "local.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class _State:
    """The folder that keeps everything; somebody may remove it while alma runs."""

    def __init__(self, folder: Path, stop: threading.Event) -> None:
        self.folder = folder
        self.lost = False
        self._stop = stop
        self._database = folder / "data" / "state.sqlite"
        self._inode = self._database.stat().st_ino
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            try:
                self.lost = self._database.stat().st_ino != self._inode
            except OSError:
                self.lost = True
            if self.lost:
                self._stop.set()

    def read(self) -> dict[str, Any]:
        """Return what local.json holds; nothing where it is malformed."""
        return _local_json_of(self.folder)

    def write(self, described: dict[str, Any]) -> None:
        """Replace local.json atomically."""
        path = self.folder / "local.json"
        draft = path.with_suffix(".draft")
        # It holds tokens: for this user alone.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(described, stream, indent=2)
            stream.write("\n")
        draft.replace(path)


def _undelivered(database: Path) -> list[str]:
    """Return the S3 keys of the files that arrived before alma was stopped, and were not begun."""
    if not database.is_file():
        return []
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            payloads = [row[0] for row in connection.execute("SELECT payload FROM events ORDER BY id")]
        keys = [
            unquote_plus(record["s3"]["object"]["key"])
            for payload in payloads
            for record in json.loads(payload)["Records"]
        ]
    except (sqlite3.Error, ValueError, LookupError, TypeError):
        return []  # the runtime says what is wrong with it
    return [key for key in keys if key.startswith(f"inbox/{ORGANISATION}/")]


def _serve(
    runtime: Runtime, state: _State, samples: list[Path], undelivered: list[str], stop: threading.Event
) -> None:
    known = state.read()
    described = _local_json(runtime, known)
    state.write(described)
    if not known.get("samples_dropped"):
        _drop(runtime, described["inbox"], samples)
        described["samples_dropped"] = True
        state.write(described)
        ready = _show_samples(described, len(samples), stop)
    else:
        ready = _show_archive(undelivered)
    if stop.is_set():
        return
    waiting = _being_read(undelivered)
    if waiting:
        print(f"still being read: {_listed(waiting)}", flush=True)
    _print_hints(described, ready, state.folder)
    if waiting and _wait_until_read(stop):
        print("everything is read that had been left", flush=True)
    stop.wait()


def _show_samples(described: dict[str, Any], expected: int, stop: threading.Event) -> list[int]:
    """Wait for the samples and show their fields; return the numbers of those that were read."""
    from alma.cli.client import Client
    from alma.cli.tables import documents_table, fields_table
    from alma.cli.target import Api

    client = Client(Api(described["api_url"], described["api_key"]))
    documents = _wait(client, expected, stop)
    if stop.is_set():
        return []
    ready = [document for document in reversed(documents) if document["status"] == "ready"]
    for document in ready:
        found = client.call("GET", f"/documents/{document['documentId']}")
        console.print(fields_table(found, document["fileName"]))
    if len(ready) < len(documents):
        console.print(documents_table(documents))
    return [document["documentId"] for document in ready]


def _show_archive(undelivered: list[str]) -> list[int]:
    """Show the newest documents and how many there are; return the numbers of those that can be read.

    In this process: the functions that would answer are only starting, beside those that go on reading.
    """
    from alma.cli.tables import documents_table
    from alma.documents.listing import list_documents

    newest = list_documents(ORGANISATION, limit=NEWEST)
    rows = [
        {
            "documentId": document.id,
            "fileName": document.file_name,
            "docType": document.doc_type,
            "status": document.status.value,
            "error": document.error_code,
            "pages": document.pages,
            "createdAt": document.created_at,
            "review": None if document.review is None else asdict(document.review),
            **({"uploadUntil": document.upload_until} if _is_awaited(document, undelivered) else {}),
        }
        for document in newest.documents
    ]
    console.print(documents_table(rows))
    if newest.next_cursor is not None:
        counts = Counter(
            "announced" if _is_awaited(each, undelivered) else each.status.value
            for each in _documents(COUNTED)
        )
        total = sum(counts.values())
        by_status = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        print(
            f"the newest {len(newest.documents)} of {'more than ' * (total >= COUNTED)}{total} documents "
            f"({by_status}); all of them: .venv/bin/alma list --limit {COUNTED}"
        )
    return [document.id for document in newest.documents if document.status.value == "ready"]


def _documents(most: int, status: Any = None) -> Iterator[Any]:
    """Yield the newest documents."""
    from alma.documents.listing import MAX_LIMIT, Criteria, list_documents

    cursor, wanted = None, Criteria(status=status)
    while most > 0:
        page = list_documents(ORGANISATION, wanted, cursor=cursor, limit=min(most, MAX_LIMIT))
        yield from page.documents
        most, cursor = most - len(page.documents), page.next_cursor
        if cursor is None:
            return


def _being_read(undelivered: Collection[str] = ()) -> list[str]:
    """Return the files that are being read; what was announced and never sent is none."""
    from alma.documents.records import DocumentStatus

    begun = [
        each for each in _documents(COUNTED, DocumentStatus.PROCESSING) if not _is_awaited(each, undelivered)
    ]
    without_document = set(undelivered) - {each.object_key for each in begun}
    return [key.rpartition("/")[2] for key in undelivered if key in without_document] + [
        each.file_name + (f" ({each.pages_read} of {each.pages} pages)" if each.pages else "")
        for each in begun
    ]


def _is_awaited(document: Any, undelivered: Collection[str]) -> bool:
    """Tell whether a document was announced, and its file has not come."""
    return document.upload_until is not None and document.object_key not in undelivered


def _listed(names: list[str]) -> str:
    from alma.cli.output import visible

    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return visible(", ".join(names[:NAMES])) + more


def _wait_until_read(stop: threading.Event) -> bool:
    """Wait until nothing is being read; return whether that came."""
    quiet = 0
    while not stop.wait(1):
        # A file may be between its event and its first attempt.
        quiet = 0 if _being_read() else quiet + 1
        if quiet == 3:
            return True
    return False


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
    if not organisations.documents_indexed(ORGANISATION):  # it is of an earlier release
        from alma.documents import reindexing

        reindexing.reindex(ORGANISATION)
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
        TextColumn("{task.description}", markup=False),
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
    from alma.cli.output import visible

    pages = f" {document['pagesRead']}/{document['pages']}" if document["pages"] else ""
    return visible(f"{document['fileName']}{pages}")


def _stored_elsewhere(url: str) -> str | None:
    """Return the address of another API that commands would take before this one."""
    from alma.cli import target

    try:
        stored = target.stored()
    except target.TargetError:
        return None
    return None if stored is None or stored.url == url else stored.url


def _print_hints(described: dict[str, Any], ready: list[int], state: Path) -> None:
    url, key = described["api_url"], described["api_key"]
    number = ready[-1] if ready else 1
    message = (
        '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": '
        f'{{"name": "get_document_fields", "arguments": {{"documentId": {number}}}}}}}'
    )
    lines = f"""
alma serves on {url}   (AWS endpoint {described["aws_endpoint_url"]}, state in {state})

Paste into another terminal; {ROOT}/.venv/bin/alma then works from any folder,
but for operators' commands (org, key, audit verify): those reach the table, from {state.parent} only:

  export ALMA_API_URL={url}
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
    if elsewhere := _stored_elsewhere(url):
        print(f"\n`alma login` stored {elsewhere}: without the two exports below, commands go there.")
    # Plain print: these lines are for pasting, so nothing may wrap or colour them.
    print(lines, flush=True)
