"""A stack running on one machine: `with Runtime(Path("template.yaml"), data=None) as runtime: …`."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from infra.local.functions import Functions
from infra.local.httpd import Server, bind
from infra.local.store import Store
from infra.local.template import REGION, Stack, load

#: The API's host in the template's outputs.
_CLOUD_HOST = f"https://local.execute-api.{REGION}.amazonaws.com"
#: Resource types that are run, and those that mean nothing on one machine.
_RUN = ("AWS::Lambda::", "AWS::ApiGateway::", "AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SQS::Queue")
_NOT_NEEDED = ("AWS::IAM::", "AWS::Logs::", "AWS::CloudWatch::", "AWS::SNS::", "AWS::WAFv2::", "AWS::KMS::")
_LOG = logging.getLogger(__name__)


def _set_environment(variables: Mapping[str, str | None]) -> dict[str, str | None]:
    """Set variables (None: unset); return their values before."""
    before = {name: os.environ.get(name) for name in variables}
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    return before


class Runtime:
    """The services a SAM template needs, on loopback, until it is stopped.

    While it runs, `os.environ` holds what all functions share (`environment`), so that code of theirs, and
    plain boto3, works in this process too.

    Parameters
    ----------
    template : Path
        The SAM template.
    data : Path or None
        Folder for all state, and for the log files below `logs`; None for a temporary one.
    port, aws_port : int
        Ports of the API and of AWS; 0 for any free one.
    parameters : mapping, optional
        Values for the template's parameters.
    name : str
        Name of the stack.
    workers : int
        Asynchronous deliveries (S3, SQS) to one function at the same time.
    retry_seconds : float
        Delay before a failed delivery is retried.
    logs : Path, optional
        Folder of the functions' log files.

    Raises
    ------
    LocalRuntimeError
        Raised by `start`: a port is taken, the data folder is in use or damaged, the template cannot be run.
    """

    def __init__(
        self,
        template: Path,
        data: Path | None = None,
        port: int = 0,
        aws_port: int = 0,
        parameters: Mapping[str, str] | None = None,
        *,
        name: str = "local",
        workers: int = 1,
        retry_seconds: float = 1.0,
        logs: Path | None = None,
    ) -> None:
        self._template, self._data, self._logs = template, data, logs
        self._ports = (port, aws_port)
        self._parameters, self._name = parameters, name
        self._workers, self._retry_seconds = workers, retry_seconds
        self._exit = ExitStack()
        self.api_url = ""
        self.aws_endpoint_url = ""
        self.outputs: dict[str, str] = {}
        self.environment: dict[str, str] = {}

    def start(self) -> None:
        """Start everything; return when requests are served."""
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise

    def _start(self) -> None:
        listener = bind(self._ports[0], "the API")
        self._exit.callback(listener.close)
        aws_listener = bind(self._ports[1], "AWS")
        self._exit.callback(aws_listener.close)
        self.api_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.aws_endpoint_url = f"http://127.0.0.1:{aws_listener.getsockname()[1]}"
        folder = self._data
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="local-runtime-"))
            self._exit.callback(shutil.rmtree, folder, ignore_errors=True)
        store = Store(folder)
        self._exit.callback(store.close)
        self.stack: Stack = load(
            self._template,
            name=self._name,
            endpoint=self.aws_endpoint_url,
            parameters=self._parameters,
            cache=folder / "cache",
        )
        for key, resource in self.stack.resources.items():
            if not resource.kind.startswith(_RUN + _NOT_NEEDED):
                _LOG.warning("%s is not run: the local runtime does not know %s.", key, resource.kind)
        functions = Functions(self.stack, self.aws_endpoint_url, self._logs or folder / "logs")
        self._exit.callback(functions.stop)
        self.environment = functions.shared_environment()
        self._exit.callback(_set_environment, _set_environment(self.environment))
        functions.start()  # its imports run in parallel with ours

        from infra.local.aws import Aws
        from infra.local.events import Dispatcher
        from infra.local.gateway import REQUEST_LIMIT, Gateway

        gateway = Gateway(self.stack, functions, self.api_url)
        dispatcher = self._dispatcher = Dispatcher(
            self.stack, functions, store, self._workers, self._retry_seconds
        )
        aws = self._aws = Aws(self.stack, store, dispatcher.on_object)
        self._exit.callback(aws.stop)
        aws.start()
        aws.serve(aws_listener)
        dispatcher.start(aws)
        self._exit.callback(dispatcher.join)
        self._exit.callback(functions.stop)
        self._exit.callback(dispatcher.stop)
        self._exit.callback(Server(listener, gateway.admit, REQUEST_LIMIT).stop)
        self.outputs = {
            key: value.replace(_CLOUD_HOST, self.api_url) for key, value in self.stack.outputs.items()
        }

    def stop(self) -> None:
        """Stop; deliveries under way are repeated at the next start with the same data folder."""
        self._exit.close()

    def __enter__(self) -> Runtime:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def resource(self, logical_id: str) -> str:
        """Return what `Ref` gives for a resource: a bucket's or table's name, a queue's URL."""
        return self.stack.resources[logical_id].reference

    def expire(self, now: float) -> int:
        """Delete the items that have expired at `now` (seconds since the epoch); return how many.

        Happens every minute without this call.
        """
        return self._aws.sweep(now)

    def drain(self, timeout: float) -> bool:
        """Wait until no event and no message is left to deliver; return False on timeout.

        Parameters
        ----------
        timeout : float
            Seconds.
        """
        deadline = time.monotonic() + timeout
        while not self._dispatcher.idle():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True
