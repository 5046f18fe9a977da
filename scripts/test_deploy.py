"""Deploy the build into an emulator of AWS and send files through the deployed stack.

What `infra/local` runs is the source; this runs what `sam build` made: `sam deploy` creates the whole stack
in the emulator, whose functions then run from their packages and layers, on the template's Python, with the
permissions of their own roles and nothing else. Known gaps of the emulator: the gateway's own answers
(status, body) are not those of the template, and memory, TTL and the 6 MB limit are not enforced.

Usage: python scripts/test_deploy.py --sam .venv-sam/bin/sam --emulator .venv-deploy/bin/ministack
(`make test-deploy` builds and runs it)
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import boto3
import httpx
from botocore.config import Config

from alma.cli.client import Client
from alma.cli.correct import correct, read_list
from alma.cli.target import Api

ROOT = Path(__file__).parents[1]
STACK = "alma-test"
REGION: Literal["eu-west-1"] = "eu-west-1"
BUILD = ROOT / ".aws-sam" / "build"
LOG = ROOT / ".aws-sam" / "test-deploy.log"
PARAMETERS = {"KeepData": "Delete", "TableDeletionProtection": "false", "KeyCacheSeconds": "0"}

T = TypeVar("T")


class Failed(Exception):
    """The deployed stack does not do what it should; the text says what was seen."""


def expect(condition: object, seen: object) -> None:
    """Raise Failed with what was seen unless the condition holds."""
    if not condition:
        raise Failed(str(seen))


def wait_for(what: str, probe: Callable[[], T | None], seconds: float) -> T:
    """Return the probe's first answer that is not None.

    Raises
    ------
    Failed
        There was none in time.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = probe()
        if answer is not None:
            return answer
        time.sleep(0.3)
    raise Failed(f"{what}: nothing after {seconds:.0f} s")


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print a line with the time that the body took."""
    started = time.monotonic()
    print(f"{title:<72}", end="", flush=True)
    yield
    print(f"ok {time.monotonic() - started:6.1f} s", flush=True)


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def use(endpoint: str, certificate: Path) -> None:
    """Point this process and the programs it starts at the emulator."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ.update(
        AWS_ENDPOINT_URL=endpoint,
        AWS_CA_BUNDLE=str(certificate),
        SSL_CERT_FILE=str(certificate),
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_EC2_METADATA_DISABLED="true",
        SAM_CLI_TELEMETRY="0",
    )


@contextmanager
def emulator(program: Path, scratch: Path) -> Iterator[str]:
    """Run the emulator on loopback and yield its URL; it and every function's process end with the body."""
    port = free_port()
    # Functions inherit this environment, so it holds nothing of the caller's.
    environment = {
        "PATH": f"{program.parent}:/usr/bin:/bin",
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
            [program], env=environment, cwd=scratch, stdout=log, stderr=log, start_new_session=True
        )
    url = f"https://127.0.0.1:{port}"
    try:
        use(url, scratch / "ministack-tls" / "server.crt")
        wait_for("the emulator", lambda: _answers(process, url), 60)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(process: subprocess.Popen[bytes], url: str) -> bool | None:
    if process.poll() is not None:
        raise Failed(f"the emulator ended with status {process.returncode}")
    try:
        return httpx.get(f"{url}/_ministack/health", timeout=2).is_success or None
    except (httpx.TransportError, FileNotFoundError):  # the certificate is made at the start
        return None


def run(*command: str | Path) -> str:
    """Run a program and return what it printed.

    Raises
    ------
    Failed
        It failed; with its last lines.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise Failed(f"{' '.join(map(str, command[:3]))} ended with status {done.returncode}:\n{last}")
    return done.stdout


def alma(*arguments: str) -> Any:
    """Run a command of the operator's tool and return its JSON."""
    return json.loads(run(Path(sys.executable).parent / "alma", *arguments, "--json"))


def deploy(sam: Path, architecture: str) -> dict[str, str]:
    """Deploy the build and return the stack's outputs."""
    boto3.client("s3").create_bucket(
        Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    overrides = [f"{key}={value}" for key, value in {"Architecture": architecture, **PARAMETERS}.items()]
    run(
        *(sam, "deploy", "--stack-name", STACK, "--region", REGION, "--s3-bucket", "artifacts"),
        *("--no-resolve-s3", "--no-confirm-changeset", "--no-progressbar"),
        *("--parameter-overrides", *overrides),
    )
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
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
        for resource in boto3.client("cloudformation").describe_stack_resources(StackName=STACK)[
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
        self._client = httpx.Client(base_url=base, headers=headers, timeout=60, follow_redirects=True)

    def get(self, path: str) -> httpx.Response:
        """Answer of a GET."""
        return self._client.get(path)

    def post(self, path: str, body: object) -> httpx.Response:
        """Answer of a POST with a JSON body."""
        return self._client.post(path, json=body, headers={"Accept": "application/json, text/event-stream"})

    def delete(self, path: str) -> httpx.Response:
        """Answer of a DELETE."""
        return self._client.delete(path)

    def outcome(self, file_name: str) -> dict[str, Any] | None:
        """Return the listed document of a file once it is no longer being read."""
        answer = self.get("/api/v1/documents")
        expect(answer.status_code == 200, f"{answer.status_code} {answer.text}")
        for document in answer.json()["documents"]:
            if document["fileName"] == file_name and document["status"] != "processing":
                found: dict[str, Any] = document
                return found
        return None


def check(outputs: dict[str, str], endpoint: str) -> None:
    """Send files and requests through the deployed stack."""
    api_id = outputs["ApiUrl"].removeprefix("https://").partition(".")[0]
    base = f"{endpoint}/_aws/execute-api/{api_id}"
    inbox = outputs["InboxBucket"]

    with step("the operator creates two organisations and their keys"):
        tokens = {}
        for organisation, role in (("demo", "admin"), ("other", "reader")):
            alma("org", "create", organisation, "--stack", STACK)
            created = alma(
                *("key", "create", "--org", organisation, "--name", "test", "--role", role),
                *("--stack", STACK),
            )
            tokens[organisation] = created["token"]
        demo, other = (Caller(base, tokens[name]) for name in ("demo", "other"))

    with step("what needs no key answers"):
        health = wait_for("health", lambda: _ok(Caller(base, None).get("/api/v1/health")), 60)
        expect(health.json()["status"] == "ok", health.text)
        openapi = Caller(base, None).get("/api/v1/openapi.json")
        expect(openapi.json()["openapi"].startswith("3.1"), openapi.text[:200])

    with step("a request without a good key is refused"):
        for token in (None, "alma_" + "0" * 33, "nonsense"):
            answer = Caller(base, token).get("/api/v1/models")
            # 401 by the template's gateway responses, which the emulator leaves out.
            expect(answer.status_code in (401, 403), f"{token}: {answer.status_code} {answer.text}")

    with step("a file dropped into the inbox is read"):
        boto3.client("s3").upload_file(str(ROOT / "samples/deed.pdf"), inbox, "inbox/demo/deed.pdf")
        document = wait_for("deed.pdf", lambda: demo.outcome("deed.pdf"), 180)
        expect(document["status"] == "ready", document)
        expect(document["docType"] == "deed_of_conveyance", document)
    number = document["documentId"]

    with step("digitize answers with fields and their evidence"):
        answer = demo.post("/api/v1/digitize", {"documentId": number})
        expect(answer.status_code == 200, f"{answer.status_code} {answer.text}")
        fields = {field["key"]: field for field in answer.json()["fields"]}
        expect("grantor_name" in fields, answer.text)
        box = fields["grantor_name"]["evidence"]["bbox"]
        expect(0 < box["w"] < 1 and 0 < box["h"] < 1, box)
        expect(demo.get(f"/api/v1/documents/{number}").json() == answer.json(), "GET differs from digitize")

    with step("every export format arrives, binary ones whole"):
        for kind in ("csv", "xlsx", "xml", "json", "jsonl"):
            answer = demo.get(f"/api/v1/export/{number}?format={kind}")
            expect(answer.status_code == 200, f"{kind}: {answer.status_code} {answer.text}")
            expect("attachment" in answer.headers["content-disposition"], answer.headers)
            if kind == "csv":
                expect(answer.text.startswith("field_key,value,confidence,"), answer.text)
            if kind == "xlsx":
                expect(zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None, "xlsx is damaged")

    with step("an announced file is uploaded to its presigned URL and read"):
        announced = demo.post("/api/v1/documents", {"fileName": "receipt.jpg"})
        expect(announced.status_code == 201, f"{announced.status_code} {announced.text}")
        receipt = (ROOT / "samples/receipt.jpg").read_bytes()
        put = httpx.put(announced.json()["upload"]["url"], content=receipt, timeout=60)
        expect(put.is_success, f"{put.status_code} {put.text}")
        document = wait_for("receipt.jpg", lambda: demo.outcome("receipt.jpg"), 180)
        expect((document["status"], document["docType"]) == ("ready", "receipt"), document)

    with step("a file that cannot be read becomes a failed document with its reason"):
        boto3.client("s3").put_object(Bucket=inbox, Key="inbox/demo/notes.txt", Body=b"just text\n")
        document = wait_for("notes.txt", lambda: demo.outcome("notes.txt"), 60)
        expect((document["status"], document["error"]) == ("failed", "unsupported_type"), document)

    with step("corrected notes train a model, and a note is read by it"):
        _train(Client(Api(base, tokens["demo"])))

    with step("an agent lists the tools and calls one"):
        listed = demo.post("/api/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        names = {tool["name"] for tool in listed.json()["result"]["tools"]}
        expect({"list_documents", "get_document_fields", "export_document"} <= names, listed.text)
        arguments = {"name": "get_document_fields", "arguments": {"documentId": number}}
        called = demo.post(
            "/api/mcp", {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": arguments}
        )
        expect(not called.json()["result"].get("isError"), called.text)

    with step("another organisation finds nothing, a reader mints no key"):
        for answer in (
            other.get(f"/api/v1/documents/{number}"),
            other.post("/api/v1/digitize", {"documentId": number}),
            other.get(f"/api/v1/export/{number}?format=csv"),
        ):
            expect(answer.status_code == 404, f"{answer.status_code} {answer.text}")
        expect(other.get("/api/v1/documents").json()["documents"] == [], "another organisation's documents")
        answer = other.post("/api/v1/keys", {"name": "x", "role": "admin"})
        expect(answer.status_code == 403, f"{answer.status_code} {answer.text}")

    with step("a key is minted, used, listed and revoked"):
        minted = demo.post("/api/v1/keys", {"name": "second", "role": "reader"})
        expect(minted.status_code == 201, f"{minted.status_code} {minted.text}")
        second = Caller(base, minted.json()["token"])
        expect(second.get("/api/v1/models").status_code == 200, "the new key does not work")
        expect(len(demo.get("/api/v1/keys").json()["keys"]) == 2, "the new key is not listed")
        expect(demo.delete(f"/api/v1/keys/{minted.json()['id']}").status_code == 204, "not revoked")
        expect(second.get("/api/v1/models").status_code in (401, 403), "a revoked key still works")

    with step("a deleted document is gone with its objects"):
        archive = outputs["ArchiveBucket"]
        prefix = f"demo/pages/{number}/"
        objects = boto3.client("s3").list_objects_v2(Bucket=archive, Prefix=prefix)
        expect(objects["KeyCount"] == 2, f"{objects['KeyCount']} page images")
        answer = demo.delete(f"/api/v1/documents/{number}")
        expect(answer.status_code == 204, f"{answer.status_code} {answer.text}")
        expect(demo.get(f"/api/v1/documents/{number}").status_code == 404, "still there")
        objects = boto3.client("s3").list_objects_v2(Bucket=archive, Prefix=prefix)
        expect(objects["KeyCount"] == 0, f"{objects['KeyCount']} page images left")

    with step("nothing was given up"):
        for queue in ("PageDeadLettersUrl", "EventDeadLettersUrl", "ModelDeadLettersUrl"):
            attributes = boto3.client("sqs").get_queue_attributes(
                QueueUrl=outputs[queue], AttributeNames=["ApproximateNumberOfMessages"]
            )["Attributes"]
            expect(attributes["ApproximateNumberOfMessages"] == "0", f"{queue}: {attributes}")


def _train(client: Client) -> None:
    """Walk the circle: describe a type, upload, correct, train, digitize with the model, register it anew."""
    notes = ROOT / "samples/delivery-notes"
    client.call("PUT", "/schemas/delivery_note", json.loads((notes / "schema.json").read_text()))
    known = read_list(notes / "corrections.jsonl")[:6]
    for name, truths in known:
        number = client.upload(notes / name, lambda _: None, split=False, doc_type="delivery_note")
        client.wait(number, 120)
        correct(client, number, truths)
    history = client.call("GET", f"/documents/{number}/history")["entries"]
    expect(len(history) >= 4, history)
    model = client.call("POST", "/models", {"name": "notes", "docType": "delivery_note"})["id"]
    trained = client.wait_for_model(model)
    expect(trained["status"] == "ready", trained)
    unknown = client.upload(notes / "note-13.pdf", lambda _: None, split=False, doc_type="delivery_note")
    client.wait(unknown, 120)
    read = client.call("POST", f"/models/{model}/digitize", {"documentId": unknown})
    values = {field["key"]: field["value"] for field in read["fields"]}
    expect((read["model"], values.get("note_number")) == (model, "NG/20481"), read)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        client.fetch(f"/models/{model}/file", path)
        body = {"name": "again", "docType": "delivery_note", "source": "upload"}
        again = client.upload_model(path, body, lambda _: None)["id"]
        expect(client.wait_for_model(again)["status"] == "ready", client.call("GET", f"/models/{again}"))
    client.call("DELETE", f"/models/{again}")


def _ok(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 200 else None


def main() -> int:
    """Return 0 where everything answered as it should."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sam", type=Path, required=True)
    parser.add_argument("--emulator", type=Path, required=True)
    parser.add_argument("--architecture", choices=("arm64", "x86_64"), required=True)
    options = parser.parse_args()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="alma-deploy-", ignore_cleanup_errors=True) as scratch,
            emulator(options.emulator.absolute(), Path(scratch)) as endpoint,
        ):
            with step("sam deploy creates the stack"):
                outputs = deploy(options.sam.absolute(), options.architecture)
                bridge_gaps(outputs["PageQueueUrl"])
            check(outputs, endpoint)
    except Failed as failure:
        print(f"FAILED\n{failure}\nThe emulator's log: {LOG}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
