"""Asynchronous delivery: S3 to functions and queues, queues to functions, failures to dead letters.

At-least-once, as on AWS, with shorter delays: a failed asynchronous event is retried after a second instead
of a minute, the messages of a failed batch after a second instead of the visibility timeout.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote_plus

from moto.sqs.exceptions import ReceiptHandleIsInvalid

from infra.local.aws import Aws
from infra.local.errors import LocalRuntimeError
from infra.local.functions import Function, Functions, Result
from infra.local.store import Store
from infra.local.template import REGION, Resource, Stack

_LOG = logging.getLogger(__name__)
_SWEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Subscription:
    """Notification configuration of a bucket; `target` is a function or the name of a queue."""

    event: str
    prefix: str
    suffix: str
    target: Function | str

    def matches(self, event: str, key: str) -> bool:
        return fnmatchcase(event, self.event) and key.startswith(self.prefix) and key.endswith(self.suffix)


@dataclass(frozen=True, slots=True)
class _Asynchronous:
    """Asynchronous invocation configuration of a function; queues by name."""

    retries: int
    on_failure: str | None
    dead_letters: str | None


class Dispatcher:
    """Delivers S3 notifications and SQS messages to the functions of a stack.

    Parameters
    ----------
    stack : Stack
        Notifications and event source mappings.
    functions : Functions
        Their targets.
    store : Store
        Persists pending events.
    workers : int
        Concurrent deliveries to one function.
    retry_seconds : float
        Delay before a failed delivery is retried; twice as long for the second retry of an event.
    """

    def __init__(
        self, stack: Stack, functions: Functions, store: Store, workers: int, retry_seconds: float
    ) -> None:
        self._functions, self._store, self._workers = functions, store, workers
        self._retry_seconds = retry_seconds
        self._subscriptions = {
            resource.name: list(_subscriptions(resource, functions))
            for _, resource in stack.of("AWS::S3::Bucket")
        }
        self._asynchronous = {name: _asynchronous(name, stack, functions) for name in functions.by_name}
        self._mappings = [r.properties for _, r in stack.of("AWS::Lambda::EventSourceMapping")]
        for mapping in self._mappings:
            if ":sqs:" not in mapping["EventSourceArn"] or "FilterCriteria" in mapping:
                raise LocalRuntimeError("The local runtime delivers from SQS only, and without filters.")
        self._pending: dict[str, dict[int, tuple[float, bytes, int]]] = {}
        self._busy = 0
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, aws: Aws) -> None:
        """Start the threads; pending events of an earlier run come first."""
        self._aws = aws
        self._arrived = threading.Condition(aws.lock)
        for identifier, function, payload, attempt in self._store.events():
            self._pending.setdefault(function, {})[identifier] = (0.0, payload, attempt)
        targets = {
            s.target.name
            for each in self._subscriptions.values()
            for s in each
            if not isinstance(s.target, str)
        }
        for name in targets | self._pending.keys():
            if name in self._functions.by_name:
                self._run(self._deliver_events, self._functions.by_name[name])
        for mapping in self._mappings:
            if mapping.get("Enabled", True):
                self._run(self._poll, mapping)
        self._threads.append(threading.Thread(target=self._sweep, daemon=True))
        for thread in self._threads:
            thread.start()

    def _run(self, target: Callable[[Any], None], argument: Any) -> None:
        def forever() -> None:
            while not self._stopping.is_set():
                try:
                    target(argument)
                except Exception:  # the top of a thread: logged, and delivery goes on
                    _LOG.exception("A delivery failed; going on")
                    self._stopping.wait(1.0)

        self._threads += [threading.Thread(target=forever, daemon=True) for _ in range(self._workers)]

    def stop(self) -> None:
        """Start no further delivery; those under way are repeated at the next start."""
        self._stopping.set()
        with self._aws.lock:
            self._arrived.notify_all()
            self._aws.messages_arrived.notify_all()

    def join(self) -> None:
        """Wait for the threads; their functions have to be stopped before."""
        for thread in self._threads:
            thread.join()

    def idle(self) -> bool:
        """Return whether nothing is pending or under way, in queues that a function consumes."""
        with self._aws.lock:
            queues = [self._aws.queues.queues[_queue(each["EventSourceArn"])] for each in self._mappings]
            return not (self._busy or any(self._pending.values()) or any(queue._messages for queue in queues))

    # ------------------------------------------------------------ S3

    def on_object(self, event: str, bucket: str, key: Any) -> None:
        """Enqueue a notification of S3, in the transaction of the request that caused it."""
        for subscription in self._subscriptions.get(bucket, ()):
            if not subscription.matches(event, key.name):
                continue
            message = json.dumps(object_event(event, bucket, key))
            if isinstance(subscription.target, str):
                self._aws.queues.send_message(subscription.target, message)
            else:
                self._enqueue(subscription.target.name, message.encode())

    def _enqueue(self, function: str, payload: bytes) -> None:
        identifier = self._store.add_event(function, payload)
        self._pending.setdefault(function, {})[identifier] = (0.0, payload, 0)
        self._arrived.notify_all()

    def _deliver_events(self, function: Function) -> None:
        while True:
            taken = self._next_event(function.name)
            if taken is None:
                return
            identifier, payload, attempt = taken
            result = function.invoke(payload)
            with self._aws.lock:
                self._busy -= 1
                if not (result.error and self._stopping.is_set()):
                    self._settle(function, identifier, payload, attempt + 1, result)

    def _next_event(self, name: str) -> tuple[int, bytes, int] | None:
        with self._arrived:
            while not self._stopping.is_set():
                waiting = self._pending.get(name, {})
                now = time.monotonic()
                for identifier, (due, payload, attempt) in waiting.items():
                    if due <= now:
                        del waiting[identifier]
                        self._busy += 1
                        return identifier, payload, attempt
                next_due = min((due for due, _, _ in waiting.values()), default=now + 60)
                self._arrived.wait(max(next_due - now, 0.01))
        return None

    def _settle(
        self, function: Function, identifier: int, payload: bytes, attempts: int, result: Result
    ) -> None:
        """Delete a delivered event, schedule the retry of a failed one, or send it to its destination."""
        configuration = self._asynchronous[function.name]
        if result.error and attempts <= configuration.retries:
            due = time.monotonic() + self._retry_seconds * attempts
            self._pending.setdefault(function.name, {})[identifier] = (due, payload, attempts)
            with self._store.transaction():
                self._store.save_event(identifier, attempts)
            self._arrived.notify_all()
            return
        with self._store.transaction():
            if result.error and configuration.on_failure:
                record = json.dumps(_failure_record(function, payload, attempts, result))
                self._aws.queues.send_message(configuration.on_failure, record)
            if result.error and configuration.dead_letters:
                self._aws.queues.send_message(configuration.dead_letters, payload.decode())
            self._aws.persist()
            self._store.save_event(identifier, None)

    # ------------------------------------------------------------ SQS

    def _poll(self, mapping: dict[str, Any]) -> None:
        function = self._functions.of(mapping["FunctionName"])
        queue = _queue(mapping["EventSourceArn"])
        partial = "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", [])
        while not self._stopping.is_set():
            batch = self._next_batch(mapping, queue)
            if not batch:
                continue
            event = {"Records": [_record(each, mapping["EventSourceArn"]) for each in batch]}
            result = function.invoke(json.dumps(event).encode())
            failed = _failed_messages(batch, result, partial)
            with self._aws.lock:
                self._busy -= 1
                if result.error and self._stopping.is_set():
                    return
                for message in batch:
                    with suppress(ReceiptHandleIsInvalid):  # deleted meanwhile
                        if message.id in failed:
                            self._aws.queues.change_message_visibility(
                                queue, message.receipt_handle, int(self._retry_seconds)
                            )
                        else:
                            self._aws.queues.delete_message(queue, message.receipt_handle)
                self._aws.persist()

    def _next_batch(self, mapping: dict[str, Any], name: str) -> list[Any]:
        size = int(mapping.get("BatchSize", 10))
        window = float(mapping.get("MaximumBatchingWindowInSeconds", 0))
        arrived = self._aws.messages_arrived
        with arrived:
            queue = self._aws.queues.queues[name]
            if not queue.messages:
                arrived.wait(0.25 if queue._messages else 5.0)  # a message becomes visible without a signal
                return []
            if window and len(queue.messages) < size:
                arrived.wait_for(lambda: len(queue.messages) >= size or self._stopping.is_set(), window)
            batch: list[Any] = self._aws.queues.receive_message(
                name, size, 0, queue.visibility_timeout, ["All"]
            )
            self._aws.persist()
            self._busy += bool(batch)
            return batch

    def _sweep(self) -> None:
        while not self._stopping.wait(_SWEEP_SECONDS):
            self._aws.sweep(time.time())


def _subscriptions(bucket: Resource, functions: Functions) -> Iterator[_Subscription]:
    configuration = bucket.properties.get("NotificationConfiguration", {})
    unknown = configuration.keys() - {"LambdaConfigurations", "QueueConfigurations"}
    if unknown:
        raise LocalRuntimeError(
            f"The local runtime does not know {', '.join(sorted(unknown))} of {bucket.name}."
        )
    for each in configuration.get("LambdaConfigurations", []):
        yield _Subscription(each["Event"], *_filter(each), functions.of(each["Function"]))
    for each in configuration.get("QueueConfigurations", []):
        yield _Subscription(each["Event"], *_filter(each), _queue(each["Queue"]))


def _filter(configuration: dict[str, Any]) -> tuple[str, str]:
    rules = configuration.get("Filter", {}).get("S3Key", {}).get("Rules", [])
    by_name = {rule["Name"].lower(): rule["Value"] for rule in rules}
    return by_name.get("prefix", ""), by_name.get("suffix", "")


def _asynchronous(name: str, stack: Stack, functions: Functions) -> _Asynchronous:
    function = next(r for _, r in stack.of("AWS::Lambda::Function") if r.name == name)
    dead_letters = function.properties.get("DeadLetterConfig", {}).get("TargetArn")
    settings = next(
        (
            r.properties
            for _, r in stack.of("AWS::Lambda::EventInvokeConfig")
            if functions.of(r.properties["FunctionName"]).name == name
        ),
        {},
    )
    on_failure = settings.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    for target in filter(None, (on_failure, dead_letters)):
        if ":sqs:" not in target:
            raise LocalRuntimeError(f"The local runtime sends failures of {name} to SQS only.")
    return _Asynchronous(
        retries=int(settings.get("MaximumRetryAttempts", 2)),
        on_failure=_queue(on_failure) if on_failure else None,
        dead_letters=_queue(dead_letters) if dead_letters else None,
    )


def _queue(arn: str) -> str:
    return arn.rpartition(":")[2]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def object_event(event: str, bucket: str, key: Any) -> dict[str, Any]:
    """Return S3's event message, structure version 2.1, for one object of moto."""
    about = {
        "key": quote_plus(key.name, safe="/"),
        "size": key.size,
        "eTag": key.etag.strip('"'),
        "sequencer": f"{time.time_ns():016X}",
    }
    if key._is_versioned:
        about["versionId"] = key.version_id
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": REGION,
                "eventTime": _now(),
                "eventName": event.removeprefix("s3:"),
                "userIdentity": {"principalId": "AWS:local"},
                "requestParameters": {"sourceIPAddress": "127.0.0.1"},
                "responseElements": {
                    "x-amz-request-id": uuid.uuid4().hex[:16].upper(),
                    "x-amz-id-2": "local",
                },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "local",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "local"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": about,
                },
            }
        ]
    }


def _record(message: Any, source: str) -> dict[str, Any]:
    """Return a message as a record of Lambda's SQS event."""
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
    }
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {
            name: {
                "dataType": value["DataType"],
                **{k[0].lower() + k[1:]: v for k, v in value.items() if k in ("StringValue", "BinaryValue")},
            }
            for name, value in message.message_attributes.items()
        },
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": source,
        "awsRegion": REGION,
    }


def _failed_messages(batch: list[Any], result: Result, partial: bool) -> set[str]:
    """Return the ids of the messages to redeliver: all of them where the response is malformed."""
    everything = {message.id for message in batch}
    if result.error:
        return everything
    if not partial:
        return set()
    answer = json.loads(result.payload or b"null")
    if not answer:
        return set()
    try:
        failed = {each["itemIdentifier"] for each in answer.get("batchItemFailures") or []}
    except (AttributeError, KeyError, TypeError):
        return everything
    return failed if failed <= everything else everything


def _failure_record(function: Function, payload: bytes, attempts: int, result: Result) -> dict[str, Any]:
    """Return the invocation record that Lambda sends to an on-failure destination."""
    return {
        "version": "1.0",
        "timestamp": _now(),
        "requestContext": {
            "requestId": result.request_id,
            "functionArn": f"{function.arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": json.loads(payload),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": json.loads(result.payload or b"null"),
    }
