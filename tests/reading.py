"""Files on their way through `ingest` and `extract`: the events that S3 and SQS send."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

from alma.settings import settings
from tests.cloud import Context, client, function


def drop(key: str, body: bytes, sequencer: str = "0A") -> dict[str, Any]:
    """Put a file into the inbox and return the event S3 sends for it."""
    put = client("s3").put_object(Bucket=settings().inbox_bucket, Key=key, Body=body)
    stored = {
        "key": quote_plus(key, safe="/"),
        "size": len(body),
        "eTag": put["ETag"].strip('"'),
        "sequencer": sequencer,
    }
    return {"Records": [{"s3": {"bucket": {"name": settings().inbox_bucket}, "object": stored}}]}


def messages() -> list[dict[str, Any]]:
    """Take everything out of the page queue."""
    sqs = client("sqs")
    found: list[dict[str, Any]] = []
    while got := sqs.receive_message(
        QueueUrl=settings().page_queue, MaxNumberOfMessages=10, VisibilityTimeout=600
    ).get("Messages", []):
        found += [json.loads(message["Body"]) for message in got]
    return found


def extract(message: dict[str, Any]) -> Any:
    """Deliver one message to `extract`."""
    record = {
        "messageId": "m-1",
        "receiptHandle": "r",
        "body": json.dumps(message),
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:pages",
        "awsRegion": "eu-west-1",
    }
    return function("extract").handler({"Records": [record]}, Context())


def ingest(event: dict[str, Any]) -> None:
    """Deliver an event to `ingest`."""
    function("ingest").handler(event, Context())


def archive() -> list[str]:
    """Return the keys in the archive."""
    listed = client("s3").list_objects_v2(Bucket=settings().archive_bucket)
    return [entry["Key"] for entry in listed.get("Contents", [])]


def read_to_the_end() -> None:
    """Deliver messages until none is left."""
    while asked := messages():
        for message in asked:
            assert extract(message) == {"batchItemFailures": []}
