"""The build, deployed by `sam deploy` into an emulator of AWS.

What `infra/local` runs is the source; this runs what `sam build` made: `sam deploy` creates the whole stack
in the emulator, whose functions then run from their packages and layers, on the template's Python, with the
permissions of their own roles and nothing else. Known gaps of the emulator: the gateway's own answers
(status, body) are not those of the template, and memory, TTL and the 6 MB limit are not enforced.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import boto3
import httpx
from botocore.config import Config

ROOT = Path(__file__).parents[2]
SAM = ROOT / ".venv-sam/bin/sam"
EMULATOR = ROOT / ".venv-deploy/bin/python"
BUILD = ROOT / ".aws-sam/build"
LOG = ROOT / ".aws-sam/test-deploy.log"
NAME = "alma-deployed"
REGION: Literal["eu-west-1"] = "eu-west-1"
PARAMETERS = {
    "Architecture": "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
    "KeepData": "Delete",
    "TableDeletionProtection": "false",
    "KeyCacheSeconds": "0",
}

T = TypeVar("T")


def wait_for(what: str, probe: Callable[[], T | None], seconds: float) -> T:
    """Return the probe's first answer that is not None; fail where there is none in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = probe()
        if answer is not None:
            return answer
        time.sleep(0.3)
    raise AssertionError(f"{what}: nothing after {seconds:.0f} s; the emulator's log is {LOG}")


def run(*command: str | Path) -> str:
    """Run a program and return what it printed; fail with its last lines where it failed."""
    # The settings of the other tests would come before those of the stack.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ALMA_")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    last = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
    assert done.returncode == 0, f"{' '.join(map(str, command[:3]))} ended with {done.returncode}:\n{last}"
    return done.stdout


def alma(*arguments: str) -> Any:
    """Run a command of the operator's tool on the stack and return its JSON."""
    return json.loads(run(Path(sys.executable).parent / "alma", *arguments, "--stack", NAME, "--json"))


# ---------------------------------------------------------------- the emulator


@contextmanager
def emulator(scratch: Path) -> Iterator[str]:
    """Run the emulator on loopback and yield its URL; it and every function's process end with the body."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    # Functions inherit this environment, so it holds nothing of the caller's.
    environment = {
        "PATH": f"{EMULATOR.parent}:/usr/bin:/bin",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "GATEWAY_PORT": str(port),
        "AUTH": "true",  # requests are signed, and the policies of roles and buckets decide
        "USE_SSL": "1",  # which refuse anything but TLS
        "IOT_MTLS_ENABLED": "0",  # opens a port of its own
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            [EMULATOR, Path(__file__).with_name("emulated_aws.py")],
            env=environment,
            cwd=scratch,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    url = f"https://127.0.0.1:{port}"
    certificate = scratch / "ministack-tls" / "server.crt"
    try:
        wait_for("the emulator", lambda: _answers(process, url, certificate), 60)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(process: subprocess.Popen[bytes], url: str, certificate: Path) -> bool | None:
    assert process.poll() is None, f"the emulator ended with status {process.returncode}; see {LOG}"
    if not certificate.exists():  # made at the start
        return None
    trusted = ssl.create_default_context(cafile=certificate)
    try:
        return httpx.get(f"{url}/_ministack/health", timeout=2, verify=trusted).is_success or None
    except httpx.TransportError:
        return None


def client_environment(endpoint: str, scratch: Path) -> dict[str, str]:
    """Return the variables that point programs at the emulator."""
    certificate = str(scratch / "ministack-tls" / "server.crt")
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CA_BUNDLE": certificate,
        "SSL_CERT_FILE": certificate,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
    }


# ---------------------------------------------------------------- the stack


def deploy() -> dict[str, str]:
    """Deploy the build and return the stack's outputs."""
    boto3.client("s3").create_bucket(
        Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    run(
        *(SAM, "deploy", "--stack-name", NAME, "--region", REGION, "--s3-bucket", "artifacts"),
        *("--no-resolve-s3", "--no-confirm-changeset", "--no-progressbar"),
        *("--parameter-overrides", *(f"{key}={value}" for key, value in PARAMETERS.items())),
    )
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def bridge_gaps(page_queue: str) -> None:
    """Make up for where the emulator differs from AWS.

    - It compares the template's ExtractConcurrency as text and then polls no queue: the number is set again.
    - It has an IAM action sqs:SendMessageBatch, where AWS asks for sqs:SendMessage.
    - It unpacks layers beside /opt, not into it: the models are named where the build put them.
    - It takes the escaped */* of the API's binary media types as it stands, and its update of an API knows
      no escapes: the list is sent as one, which the client's own validation would refuse.
    """
    physical = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in boto3.client("cloudformation").describe_stack_resources(StackName=NAME)[
            "StackResources"
        ]
    }
    client = boto3.client("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        client.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": 2})

    extract = physical["ExtractFunction"]
    variables = client.get_function_configuration(FunctionName=extract)["Environment"]["Variables"]
    variables["ALMA_MODELS_DIR"] = str(BUILD / "VisionLayer" / "models")
    client.update_function_configuration(FunctionName=extract, Environment={"Variables": variables})

    boto3.client("apigateway", config=Config(parameter_validation=False)).update_rest_api(
        restApiId=physical["Api"],
        patchOperations=[{"op": "replace", "path": "/binaryMediaTypes", "value": ["*/*"]}],
    )

    arn = f"arn:aws:sqs:{REGION}:000000000000:{page_queue.rpartition('/')[2]}"
    statement = {"Effect": "Allow", "Action": "sqs:SendMessageBatch", "Resource": arn}
    boto3.client("iam").put_role_policy(
        RoleName=physical["IngestFunctionRole"],
        PolicyName="batches",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


class Caller:
    """The API as one key sees it."""

    def __init__(self, base: str, token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=base, headers=headers, timeout=60, follow_redirects=True)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def post(self, path: str, body: object) -> httpx.Response:
        return self.http.post(path, json=body, headers={"Accept": "application/json, text/event-stream"})

    def delete(self, path: str) -> httpx.Response:
        return self.http.delete(path)

    def document_of(self, file_name: str, seconds: float) -> dict[str, Any]:
        """Wait until a file is no longer being read and return its document as it is listed."""

        def read() -> dict[str, Any] | None:
            answer = self.get("/api/v1/documents")
            assert answer.status_code == 200, answer.text
            for document in answer.json()["documents"]:
                if document["fileName"] == file_name and document["status"] != "processing":
                    found: dict[str, Any] = document
                    return found
            return None

        return wait_for(file_name, read, seconds)
