"""Lambda functions: the real runtime client (awslambdaric) in processes with timeouts and memory limits."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any

from infra.local.errors import LocalRuntimeError
from infra.local.httpd import bind
from infra.local.store import private_folder
from infra.local.template import REGION, Resource, Stack

_LOG = logging.getLogger(__name__)
#: Largest event and largest answer of a synchronous call, in bytes.
PAYLOAD_LIMIT = 6 * 2**20
_START_SECONDS = 60.0
#: Third-party modules that the zygote imports ahead, since most functions do; absent ones are skipped.
_PRELOADED = (
    "awslambdaric.lambda_runtime_marshaller",
    "boto3",
    "pydantic",
    "pynamodb.models",
    "aws_lambda_powertools",
)


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of an invocation."""

    payload: bytes
    """JSON: what the function returned, or `{"errorType", "errorMessage", …}`."""
    error: str | None
    """Type of the error; None when the function returned."""
    request_id: str


class Functions:
    """All functions of a stack.

    Parameters
    ----------
    stack : Stack
        Functions and layers with their limits, handlers and environments.
    endpoint : str
        URL of the AWS endpoint.
    logs : Path
        Folder for one log file per function.
    concurrency : int
        Concurrent invocations of one function.
    """

    def __init__(self, stack: Stack, endpoint: str, logs: Path, concurrency: int = 4) -> None:
        private_folder(logs)
        layers = {r.reference: r.folder for _, r in stack.of("AWS::Lambda::LayerVersion") if r.folder}
        self._zygote = _Zygote()
        self.by_name = {
            resource.name: Function(key, resource, layers, endpoint, logs, concurrency, self._zygote)
            for key, resource in stack.of("AWS::Lambda::Function")
        }

    def of(self, reference: str) -> Function:
        """Return a function by name, by ARN (with or without alias), or by API Gateway's integration URI."""
        name = reference.partition(":function:")[2].partition("/")[0].partition(":")[0] or reference
        try:
            return self.by_name[name]
        except KeyError:
            raise LocalRuntimeError(
                f"The template refers to the function {name}, which is not there."
            ) from None

    def shared_environment(self) -> dict[str, str]:
        """Return the environment variables that all functions have in common, the AWS endpoint among them."""
        first, *others = (function.environment for function in self.by_name.values())
        return {
            name: value
            for name, value in first.items()
            if all(other.get(name) == value for other in others)
            and not name.startswith(("AWS_LAMBDA_", "AWS_EXECUTION_", "PYTHON", "_", "LAMBDA_"))
            and name not in ("PATH", "HOME", "LANG", "TZ")
        }

    def start(self) -> None:
        """Start the zygote, which imports what most functions need."""
        self._zygote.start()

    def stop(self) -> None:
        """End every process."""
        self._zygote.stop()
        for function in self.by_name.values():
            function.close()


class Function:
    """One function and its execution environments."""

    def __init__(
        self,
        key: str,
        resource: Resource,
        layers: Mapping[str, Path],
        endpoint: str,
        logs: Path,
        concurrency: int,
        zygote: _Zygote,
    ) -> None:
        properties = resource.properties
        if resource.folder is None:
            raise LocalRuntimeError(f"The function {key} has no folder (CodeUri); images are not supported.")
        self.key, self.name, self.arn = key, resource.name, resource.arn
        self.timeout = float(properties.get("Timeout", 3))
        self.memory = int(properties.get("MemorySize", 128))
        self.handler = str(properties["Handler"])
        self.log = logs / f"{key}.log"
        own = [layers[each] for each in properties.get("Layers", []) if each in layers]
        self.folders = [resource.folder]
        for layer in own:
            self.folders += [layer / "python", layer] if (layer / "python").is_dir() else [layer]
        variables = properties.get("Environment", {}).get("Variables", {})
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.environ.get("HOME", "/"),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": os.pathsep.join(map(str, self.folders)),
            "_HANDLER": self.handler,
            "LAMBDA_TASK_ROOT": str(resource.folder),
            "AWS_EXECUTION_ENV": "AWS_Lambda_python",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_MAX_ATTEMPTS": "3",
            "AWS_XRAY_SDK_ENABLED": "false",
            "POWERTOOLS_TRACE_DISABLED": "true",
            **{name: _unpacked_path(str(value), own) for name, value in variables.items()},
        }
        self._zygote = zygote
        self._free = threading.BoundedSemaphore(concurrency)
        self._idle: list[_Environment] = []
        self._lock = threading.Lock()

    def invoke(self, event: bytes, timeout: float | None = None) -> Result:
        """Invoke the function synchronously.

        Parameters
        ----------
        event : bytes
            JSON.
        timeout : float, optional
            Seconds, where that is less than the function's own timeout.
        """
        request_id = str(uuid.uuid4())
        seconds = min(self.timeout, timeout or self.timeout)
        with self._free:
            with self._lock:
                environment = self._idle.pop() if self._idle else None
            if environment is None or environment.ended:
                environment = _Environment(self, self._zygote)
            kind, payload = environment.call(event, request_id, seconds)
            if kind in ("response", "error"):
                with self._lock:
                    self._idle.append(environment)
            else:
                environment.close()
        if kind == "response" and len(payload) <= PAYLOAD_LIMIT:
            return Result(payload, None, request_id)
        if kind == "response":
            detail = f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_LIMIT} bytes)."
            payload = _failure("Function.ResponseSizeTooLarge", detail)
        return self._failed(payload, request_id)

    def _failed(self, payload: bytes, request_id: str) -> Result:
        try:
            about = json.loads(payload)
        except ValueError:
            about = {}
        kind = str(about.get("errorType", "Unhandled"))
        # No failures: an authorizer raises `Unauthorized` to deny, and a process may be killed on stop.
        if about.get("errorMessage") != "Unauthorized" and not self._zygote.stopped:
            _LOG.error("%s: %s: %s (see %s)", self.key, kind, about.get("errorMessage", ""), self.log)
        return Result(payload, kind, request_id)

    def close(self) -> None:
        """End the idle environments."""
        with self._lock:
            for environment in self._idle:
                environment.close()
            self._idle.clear()


def _unpacked_path(value: str, layers: list[Path]) -> str:
    """Map a path below /opt to the folder of the layer that has it."""
    if value.startswith("/opt/"):
        for layer in layers:
            if (layer / value.removeprefix("/opt/")).exists():
                return str(layer / value.removeprefix("/opt/"))
    return value


def _failure(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


class _Zygote:
    """The process that forks execution environments; see `infra.local.zygote`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._exits: dict[str, queue.Queue[tuple[str, bytes]]] = {}

    def start(self) -> None:
        with self._lock:
            if self.stopped or (self._process is not None and self._process.poll() is None):
                return
            root = Path(__file__).resolve().parents[2]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.zygote", *_PRELOADED],
                cwd=root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(root), "AWS_LAMBDA_RUNTIME_API": ""},
            )
            threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                report = json.loads(line)
                waiting = self._exits.pop(report["exited"], None)
                if waiting:
                    waiting.put(("exit", str(report["status"]).encode()))
        for identifier in list(self._exits):
            self._exits.pop(identifier).put(("exit", b"killed"))

    def send(self, request: dict[str, Any], outcome: queue.Queue[tuple[str, bytes]] | None = None) -> None:
        if outcome is not None:
            self._exits[request["start"]] = outcome
        with self._lock:
            process = self._process
            if process is None or process.stdin is None:
                if outcome is not None:
                    outcome.put(("exit", b"stopped"))
                return
            try:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            except OSError:
                return  # it has ended; `_listen` reports that to those who wait

    def stop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
            self.stopped = True
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait()


class _Environment:
    """Execution environment: one process of a function, and the Runtime API it talks to."""

    def __init__(self, function: Function, zygote: _Zygote) -> None:
        self.function, self._zygote = function, zygote
        self.id = uuid.uuid4().hex
        self.ended = False
        self._events: queue.Queue[tuple[bytes, str, float] | None] = queue.Queue()
        self._outcomes: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._listener = bind(0, "a function")
        port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        zygote.start()
        zygote.send(
            {
                "start": self.id,
                "handler": function.handler,
                "environment": {**function.environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"},
                "folders": [str(folder) for folder in function.folders],
                "memory": function.memory,
                "log": str(function.log),
            },
            self._outcomes,
        )

    def call(self, event: bytes, request_id: str, seconds: float) -> tuple[str, bytes]:
        """Return how the invocation ended (response, error, init, exit, timeout) and the payload."""
        self._events.put((event, request_id, seconds))
        try:
            kind, payload = self._outcomes.get(timeout=_START_SECONDS)
            if kind == "started":
                kind, payload = self._outcomes.get(timeout=seconds)
        except queue.Empty:
            message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
            return "timeout", _failure("Sandbox.Timedout", message)
        if kind == "exit":
            message = f"RequestId: {request_id} Error: Runtime exited with status {payload.decode()}"
            return kind, _failure("Runtime.ExitError", message)
        return kind, payload

    def close(self) -> None:
        if not self.ended:
            self.ended = True
            self._zygote.send({"kill": self.id})
            self._events.put(None)
            with suppress(OSError):  # not every system lets a listening socket be shut down
                self._listener.shutdown(SHUT_RDWR)
            self._listener.close()

    def _accept(self) -> None:
        environment = self

        class Handler(_RuntimeApi):
            owner = environment

        while not self.ended:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=_converse, args=(Handler, connection, address), daemon=True).start()


def _converse(handler: type[_RuntimeApi], connection: socket, address: Any) -> None:
    with connection:
        try:
            handler(connection, address, None)  # type: ignore[arg-type]
        except OSError:
            return  # the process has ended; the zygote reports it


class _RuntimeApi(BaseHTTPRequestHandler):
    """The HTTP interface between Lambda and a runtime (version 2018-06-01)."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    owner: _Environment

    def do_GET(self) -> None:
        waiting = self.owner._events.get()
        if waiting is None:
            self.close_connection = True
            return
        event, request_id, seconds = waiting
        self.owner._outcomes.put(("started", b""))
        self._reply(
            200,
            event,
            {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": self.owner.function.arn,
                "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            },
        )

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._reply(202, b"", {})
        ending = self.path.rpartition("/")[2]
        kind = "init" if self.path.endswith("init/error") else ending
        self.owner._outcomes.put((kind, body))

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        return
