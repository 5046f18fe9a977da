"""An alma as its users see it: files go in through the inbox bucket, answers come out of the API.

`Installation` talks to any alma. `start_local` starts one of its own in a process that can be killed; that
process is `python -m benchmarks.installation`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alma.cli.client import Client
from alma.cli.target import Api

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).resolve().parent.parent
ORGANISATION = "benchmark"
_LIST_PAGE = 50


class InstallationError(Exception):
    """An alma cannot be started or used; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where an alma is, and the key to it.

    Attributes
    ----------
    url : str
        Of the API, without `/api`.
    key : str
        API key of an organisation.
    inbox : str
        `s3://BUCKET/inbox/ORGANISATION/`.
    endpoint_url : str or None
        Of AWS; None for the real one.
    region : str or None
        None for the environment's.
    """

    url: str
    key: str
    inbox: str
    endpoint_url: str | None = None
    region: str | None = None


class Installation:
    """A running alma, used as anybody would: plain boto3 for the inbox, HTTP for the rest."""

    def __init__(self, connection: Connection) -> None:
        bucket, _, prefix = connection.inbox.removeprefix("s3://").partition("/")
        if not bucket or not prefix:
            raise InstallationError(
                f"an inbox looks like s3://BUCKET/inbox/ORGANISATION/, not {connection.inbox!r}"
            )
        self._bucket, self._prefix = bucket, prefix.rstrip("/") + "/"
        self.client = Client(Api(connection.url.rstrip("/"), connection.key))
        self._connection = connection
        self._s3: S3Client | None = None

    def drop(self, path: Path, name: str) -> None:
        """Put a file into the inbox under a name of its own."""
        if self._s3 is None:
            self._s3 = self._connect()
        self._s3.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=path.read_bytes())

    def documents(self) -> list[dict[str, Any]]:
        """Return the summaries of all documents, newest first."""
        return list(self._listed())

    def _listed(self) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self.client.call("GET", "/documents", limit=_LIST_PAGE, cursor=cursor)
            yield from page["documents"]
            cursor = page["nextCursor"]
            if cursor is None:
                return

    def document(self, document_id: int) -> dict[str, Any]:
        """Return a document's fields.

        Raises
        ------
        ApiError
            It failed (422), is gone, or the API does not answer.
        """
        return self.client.call("GET", f"/documents/{document_id}")

    def wait(
        self,
        names: Collection[str],
        *,
        patience: float = 300.0,
        progress: Callable[[int], None] = lambda done: None,
        alive: Callable[[], bool] = lambda: True,
        pause: float = 1.0,
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the documents that the named files became, once all of them are finished.

        Parameters
        ----------
        patience : float
            Seconds without any document or page being finished after which the rest is given up.
        progress : callable
            Told the number of finished documents.
        alive : callable
            Asked at every round; False ends the wait.
        pause : float
            Seconds between two rounds.

        Returns
        -------
        dict
            By file name; a name that is missing became nothing, two entries are one too many.
        """
        last, since = (-1, -1), time.monotonic()
        while True:
            # Newest first: as soon as every name was seen, the rest of the list is older business.
            found = _by_name(self._listed(), set(names), until_all=True)
            each = [summary for group in found.values() for summary in group]
            done = sum(summary["status"] != "processing" for summary in each)
            progress(done)
            state = (done, sum(summary["pagesRead"] for summary in each))
            if state != last:
                last, since = state, time.monotonic()
            finished = done == len(each) and len(found) == len(set(names))
            if finished or not alive() or time.monotonic() - since > patience:
                return _by_name(self._listed(), set(names), until_all=False)
            time.sleep(pause)

    def _connect(self) -> S3Client:
        import boto3
        from botocore.config import Config

        if self._connection.endpoint_url is None:
            return boto3.client("s3", region_name=self._connection.region)
        # The runtime on one machine takes any credentials; botocore insists on some.
        client: S3Client = boto3.client(
            "s3",
            endpoint_url=self._connection.endpoint_url,
            region_name=self._connection.region,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(s3={"addressing_style": "path"}),
        )
        return client


def _by_name(
    summaries: Iterable[dict[str, Any]], names: Collection[str], *, until_all: bool
) -> dict[str, list[dict[str, Any]]]:
    """Return the summaries of the named files; `until_all` stops where each name was seen once."""
    found: dict[str, list[dict[str, Any]]] = {}
    for summary in summaries:
        if summary["fileName"] in names:
            found.setdefault(summary["fileName"], []).append(summary)
            if until_all and len(found) == len(names):
                break
    return found


class LocalProcess:
    """An alma of our own on this machine, in a process that may be killed and started again."""

    def __init__(self, data: Path, logs: Path, parameters: Mapping[str, str] | None = None) -> None:
        self._data, self._logs = data, logs
        self._parameters = [f"{name}={value}" for name, value in (parameters or {}).items()]
        self._ports = (_free_port(), _free_port())
        self._process: subprocess.Popen[bytes] | None = None
        self.connection: Connection | None = None

    @property
    def pid(self) -> int:
        """Process id of the runtime."""
        if self._process is None:
            raise InstallationError("the runtime is not started")
        return self._process.pid

    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, patience: float = 60.0) -> Installation:
        """Start the process and return the alma in it once it answers.

        Raises
        ------
        InstallationError
            It did not come up; the message holds its last line.
        """
        self._data.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        ready = self._data / "ready.json"
        ready.unlink(missing_ok=True)
        options = {
            "--data": self._data.resolve(),
            "--logs": self._logs.resolve(),
            "--port": self._ports[0],
            "--aws-port": self._ports[1],
        }
        command = [sys.executable, "-m", "benchmarks.installation"]
        command += [str(part) for option in options.items() for part in option]
        command += self._parameters
        console = self._logs / "runtime.log"
        with console.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        until = time.monotonic() + patience
        while not ready.exists():
            if not self.alive() or time.monotonic() > until:
                self.stop()
                last = console.read_text(errors="replace").strip().rpartition("\n")[2]
                raise InstallationError(f"alma did not start: {last or 'no answer'}")
            time.sleep(0.05)
        self.connection = Connection(**json.loads(ready.read_text()))
        return Installation(self.connection)

    def kill(self) -> None:
        """End the process at once, without a chance to tidy up."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def stop(self, patience: float = 30.0) -> None:
        """End the process in order; kill it where it does not end."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()


@contextlib.contextmanager
def start_local(
    logs: Path | None = None, parameters: Mapping[str, str] | None = None
) -> Iterator[tuple[LocalProcess, Installation]]:
    """Start an alma of our own, its state thrown away afterwards.

    Parameters
    ----------
    logs : Path, optional
        Folder for its log files.
    parameters : mapping, optional
        Values for the template's parameters.
    """
    with tempfile.TemporaryDirectory(prefix="alma-benchmark-") as scratch:
        process = LocalProcess(Path(scratch) / "data", logs or Path(scratch) / "logs", parameters)
        installation = process.start()
        try:
            yield process, installation
        finally:
            process.stop()


def functions_below(pid: int) -> dict[int, int]:
    """Return the processes that run functions below the runtime `pid`, each with its function's (Linux).

    The runtime starts a process that forks one process for each function's environment, so a function is a
    grandchild; what it starts in turn (the parser of files) belongs to it.
    """
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                stat = (entry / "stat").read_text()
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found: dict[int, int] = {}
    for process in parents:
        chain = [process]
        while chain[-1] in parents and chain[-1] != pid:
            chain.append(parents[chain[-1]])
        if chain[-1] == pid and len(chain) > 2:
            found[process] = chain[-3]
    return found


def resident_bytes(pid: int) -> int:
    """Return the memory a process holds now; 0 where it is gone (Linux)."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def main() -> None:
    """Run an alma with one organisation until a signal comes; write `ready.json` once it answers."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--aws-port", type=int, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("parameters", nargs="*", metavar="NAME=VALUE", help="of the template")
    options = parser.parse_args()
    parameters = dict(given.split("=", 1) for given in options.parameters)

    from infra.local.demo import HIGH_LIMITS
    from infra.local.runtime import Runtime
    from infra.local.template import REGION

    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: stopped.append(received))
    state = options.data / "state"
    with Runtime(
        ROOT / "template.yaml",
        state,
        options.port,
        options.aws_port,
        HIGH_LIMITS | parameters,
        logs=options.logs,
    ) as runtime:
        os.environ.update(
            ALMA_TABLE=runtime.resource("Table"),
            AWS_ENDPOINT_URL=runtime.aws_endpoint_url,
            AWS_DEFAULT_REGION=REGION,
            AWS_REGION=REGION,
            AWS_ACCESS_KEY_ID="local",
            AWS_SECRET_ACCESS_KEY="local",
        )
        key = _key(options.data / "key")
        inbox = f"s3://{runtime.resource('InboxBucket')}/inbox/{ORGANISATION}/"
        ready = Connection(runtime.api_url, key, inbox, runtime.aws_endpoint_url, REGION)
        temporary = options.data / "ready.json.new"
        temporary.write_text(json.dumps({name: getattr(ready, name) for name in Connection.__slots__}))
        temporary.rename(options.data / "ready.json")
        while not stopped:
            time.sleep(0.1)


def _key(path: Path) -> str:
    """Return the organisation's key: the one kept in the file, or a new one."""
    from alma.access import keys, organisations
    from alma.errors import ConflictError

    if path.exists():
        return path.read_text()
    with contextlib.suppress(ConflictError):
        organisations.create(ORGANISATION)
    _, token = keys.create(ORGANISATION, "benchmark", keys.Role.ADMIN)
    path.write_text(token)
    return token


if __name__ == "__main__":
    main()
