"""S3 and SQS reach the functions as on AWS: filters, retries, partial failures, dead letters."""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from infra.local.runtime import Runtime
from tests.patience import HANGS

TEMPLATE = Path(__file__).parents[2] / "data" / "local" / "template.yaml"


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with Runtime(TEMPLATE, retry_seconds=0.1) as running:
        yield running


@pytest.fixture
def s3(runtime: Runtime) -> Any:
    return boto3.client("s3")


@pytest.fixture
def sqs(runtime: Runtime) -> Any:
    return boto3.client("sqs")


def seen(runtime: Runtime, key: str) -> dict[str, Any]:
    """Return how often a function met `key`, and what it noted; waits for deliveries first."""
    assert runtime.drain(15)
    answer = boto3.client("dynamodb").get_item(
        TableName=runtime.resource("Table"), Key={"pk": {"S": "seen"}, "sk": {"S": key}}
    )
    item = answer.get("Item")
    return {"times": int(item["n"]["N"]), "note": item["note"]["S"]} if item else {"times": 0}


def received(runtime: Runtime, queue: str) -> list[str]:
    sqs = boto3.client("sqs")
    url = runtime.resource(queue)
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in messages]


def record_of(runtime: Runtime, key: str) -> dict[str, Any]:
    found = seen(runtime, key)
    (record,) = json.loads(ast.literal_eval(found["note"])["event"])["Records"]
    assert found["times"] == 1
    return dict(record)


def test_a_put_object_reaches_the_function_once_with_an_encoded_key(runtime: Runtime, s3: Any) -> None:
    answer = s3.put_object(Bucket=runtime.resource("Files"), Key="inbox/ä b+c.txt", Body=b"hello")

    record = record_of(runtime, "inbox/ä b+c.txt")
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["eventSource"] == "aws:s3"
    assert record["awsRegion"] == "eu-west-1"
    assert record["s3"]["bucket"]["name"] == "local-files"
    about = record["s3"]["object"]
    assert about["key"] == "inbox/%C3%A4+b%2Bc.txt"
    assert about["size"] == 5
    assert about["eTag"] == answer["ETag"].strip('"')
    assert len(about["sequencer"]) == 16
    assert "versionId" not in about


def test_keys_outside_the_filter_reach_nobody(runtime: Runtime, s3: Any) -> None:
    s3.put_object(Bucket=runtime.resource("Files"), Key="elsewhere/a", Body=b"x")

    assert seen(runtime, "elsewhere/a") == {"times": 0}


def test_a_multipart_upload_is_one_event(runtime: Runtime, s3: Any, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * 6_000_000)
    config = TransferConfig(multipart_threshold=5 * 2**20, multipart_chunksize=5 * 2**20)
    s3.upload_file(str(path), runtime.resource("Files"), "inbox/large", Config=config)

    record = record_of(runtime, "inbox/large")
    assert record["eventName"] == "ObjectCreated:CompleteMultipartUpload"
    assert record["s3"]["object"]["size"] == 6_000_000
    assert s3.head_object(Bucket="local-files", Key="inbox/large")["ETag"].endswith('-2"')


def test_a_copy_is_an_event(runtime: Runtime, s3: Any) -> None:
    s3.put_object(Bucket="local-files", Key="elsewhere/original", Body=b"x")
    s3.copy_object(Bucket="local-files", Key="inbox/copy", CopySource="local-files/elsewhere/original")

    assert record_of(runtime, "inbox/copy")["eventName"] == "ObjectCreated:Copy"


def test_a_browser_post_and_a_presigned_put_are_events(runtime: Runtime, s3: Any) -> None:
    post = s3.generate_presigned_post("local-files", "inbox/posted")
    answer = httpx.post(post["url"], data=post["fields"], files={"file": b"content"})
    url = s3.generate_presigned_url("put_object", {"Bucket": "local-files", "Key": "inbox/put"})
    httpx.put(url, content=b"content").raise_for_status()

    assert answer.status_code == 204
    assert record_of(runtime, "inbox/posted")["eventName"] == "ObjectCreated:Post"
    assert record_of(runtime, "inbox/put")["eventName"] == "ObjectCreated:Put"
    assert s3.get_object(Bucket="local-files", Key="inbox/posted")["Body"].read() == b"content"


def test_buckets_can_be_named_in_the_host(runtime: Runtime, s3: Any) -> None:
    s3.put_object(Bucket="local-files", Key="elsewhere/hosted", Body=b"x")
    port = runtime.aws_endpoint_url.rpartition(":")[2]
    hosted = boto3.client(
        "s3", endpoint_url=f"http://localhost:{port}", config=Config(s3={"addressing_style": "virtual"})
    )
    url = hosted.generate_presigned_url("get_object", {"Bucket": "local-files", "Key": "elsewhere/hosted"})
    host = f"local-files.localhost:{port}"

    assert url.startswith(f"http://{host}/elsewhere/hosted?")
    answer = httpx.get(url.replace(host, f"127.0.0.1:{port}"), headers={"Host": host})
    assert (answer.status_code, answer.content) == (200, b"x")


def test_a_failing_event_is_tried_again(runtime: Runtime, s3: Any) -> None:
    s3.put_object(Bucket="local-files", Key="inbox/flaky", Body=b"x")

    assert seen(runtime, "inbox/flaky")["times"] == 2
    assert received(runtime, "EventDeadLetters") == []


def test_an_event_that_keeps_failing_goes_to_the_destination_with_the_reason(
    runtime: Runtime, s3: Any
) -> None:
    s3.put_object(Bucket="local-files", Key="inbox/bad", Body=b"x")

    assert seen(runtime, "inbox/bad")["times"] == 2  # one attempt, one retry
    (body,) = received(runtime, "EventDeadLetters")
    record = json.loads(body)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestPayload"]["Records"][0]["s3"]["object"]["key"] == "inbox/bad"
    assert record["responsePayload"]["errorMessage"] == "cannot take inbox/bad"


def test_a_bucket_can_notify_a_queue_and_tells_the_version(runtime: Runtime, s3: Any) -> None:
    answer = s3.put_object(Bucket="local-versions", Key="a.txt", Body=b"x")
    s3.put_object(Bucket="local-versions", Key="a.pdf", Body=b"x")

    (body,) = received(runtime, "Notes")
    assert json.loads(body)["Records"][0]["s3"]["object"]["versionId"] == answer["VersionId"]


def test_messages_reach_the_function_and_leave_the_queue(runtime: Runtime, sqs: Any) -> None:
    sqs.send_message(QueueUrl=runtime.resource("Queue"), MessageBody="fine")

    found = seen(runtime, "fine")
    assert found["times"] == 1
    assert "'ApproximateReceiveCount': '1'" in found["note"].replace('\\"', "'").replace("\\'", "'")
    assert received(runtime, "Queue") == []


def test_only_the_reported_messages_of_a_batch_come_again_until_the_dead_letters(
    runtime: Runtime, sqs: Any
) -> None:
    entries = [{"Id": name, "MessageBody": name} for name in ("good1", "bad1")]
    sqs.send_message_batch(QueueUrl=runtime.resource("Queue"), Entries=entries)

    assert seen(runtime, "bad1")["times"] == 3
    assert seen(runtime, "good1")["times"] == 1
    assert received(runtime, "DeadLetters") == ["bad1"]


def test_a_batch_whose_function_fails_comes_again_until_the_dead_letters(runtime: Runtime, sqs: Any) -> None:
    sqs.send_message(QueueUrl=runtime.resource("Queue"), MessageBody="boom")

    assert seen(runtime, "boom")["times"] == 3
    assert received(runtime, "DeadLetters") == ["boom"]


def test_long_polling_returns_when_a_message_comes_and_holds_nobody_up(runtime: Runtime, sqs: Any) -> None:
    url = runtime.resource("Notes")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(lambda: boto3.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10))
        time.sleep(0.1)
        sqs.send_message(QueueUrl=url, MessageBody="late")
        (message,) = waiting.result(timeout=HANGS)["Messages"]
    assert message["Body"] == "late"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
