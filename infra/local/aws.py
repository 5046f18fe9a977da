"""The AWS endpoint: moto's S3, DynamoDB and SQS behind one lock, persisted with every request."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from socket import socket
from typing import Any
from urllib.parse import unquote

from moto.core.model_instances import reset_model_data
from moto.core.request import Request as MotoRequest
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, s3_backends
from moto.sqs.models import Message, sqs_backends
from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

from infra.local import emulation
from infra.local.httpd import Answer, Request, Response, Server
from infra.local.store import Store
from infra.local.template import ACCOUNT, REGION, Stack

_LARGEST_BODY = 5 * 2**30
_KEY_ATTRIBUTES = (
    "encryption",
    "kms_key_id",
    "bucket_key_enabled",
    "checksum_algorithm",
    "checksum_value",
    "checksum_type",
    "checksum_parts",
    "website_redirect_location",
)
_MESSAGE_ATTRIBUTES = (
    "id",
    "body",
    "system_attributes",
    "sent_timestamp",
    "approximate_first_receive_timestamp",
    "approximate_receive_count",
    "deduplication_id",
    "group_id",
    "sequence_number",
    "delayed_until",
)
#: DynamoDB operations that are refused: the request does not name the items it changes.
_UNSUPPORTED = (
    "ExecuteStatement",
    "BatchExecuteStatement",
    "ExecuteTransaction",
    "RestoreTable",
    "ImportTable",
)

#: For requests without one (`--no-sign-request`): moto refuses those of objects that are there.
_SIGNATURE = (
    f"AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/s3/aws4_request, SignedHeaders=host, Signature=0"
)
#: What moto serves beside AWS: its own controls, and credentials of an instance.
_MOTOS_OWN = ("/moto-api", "/latest/meta-data", "/latest/api", "/favicon.ico")
#: An object that somebody opens in a browser is shown, and does nothing.
_FOR_BROWSERS = {
    "Content-Security-Policy": "script-src 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}

Notification = Callable[[str, str, Any], None]


def _backend_app(service: Any) -> Any:
    """Return moto's application for a service of the stack; for any other, one that has nothing."""
    if service in ("s3", "dynamodb", "sqs"):
        return create_backend_app(service)
    return Response(f"{service} is not run on this machine.\n", 404, content_type="text/plain")


def _signed(request: Request) -> Request:
    """Return a request as one that is signed, in its header or its URL; nobody here looks at signatures."""
    if request.header("authorization") or "Signature=" in request.target:
        return request
    return replace(request, headers=[*request.headers, ("Authorization", _SIGNATURE)])


class Aws:
    """moto's S3, DynamoDB and SQS with the resources of a stack.

    Parameters
    ----------
    stack : Stack
        Resources to create.
    store : Store
        Where state is persisted.
    on_object : callable
        Called under the lock, inside the request's transaction, with event name (`s3:ObjectCreated:Put`),
        bucket and object, for every notification S3 would send.
    """

    def __init__(self, stack: Stack, store: Store, on_object: Notification) -> None:
        self.stack, self.store, self._on_object = stack, store, on_object
        self.lock = threading.RLock()
        self._undo = ExitStack()
        self._changed: dict[tuple[str, str], None] = {}
        self._notifications: dict[tuple[str, str, str], tuple[str, Any]] = {}
        self._known: dict[str, dict[str, int]] = {}
        self._app = DomainDispatcherApplication(_backend_app)
        self.messages_arrived = threading.Condition(self.lock)

    # ------------------------------------------------------------ life

    def start(self) -> None:
        """Create the stack's resources and restore the state of an earlier run."""
        self._reset()
        emulation.patch(
            self._undo,
            bodies=self.store.bodies,
            on_key_changed=self._key_changed,
            on_notification=self._notified,
        )
        # Any: moto's types say less than its code does.
        self.tables: Any = dynamodb_backends[ACCOUNT][REGION]
        self.buckets: Any = s3_backends[ACCOUNT]["aws"]
        self.queues: Any = sqs_backends[ACCOUNT][REGION]
        self._create()
        self._load()

    def serve(self, listener: socket) -> None:
        """Serve requests on a bound socket, in a thread."""
        self._undo.callback(Server(listener, self.admit, limit=_LARGEST_BODY).stop)

    def stop(self) -> None:
        """Stop serving and undo the patches of moto."""
        self._undo.close()
        self._reset()

    @staticmethod
    def _reset() -> None:
        for backends in (s3_backends, dynamodb_backends, sqs_backends):
            backends.reset()
        reset_model_data()

    def _create(self) -> None:
        for _, resource in self.stack.of("AWS::SQS::Queue"):
            properties = {k: v for k, v in resource.properties.items() if k not in ("QueueName", "Tags")}
            properties.pop("RedrivePolicy", None)
            self.queues.create_queue(resource.name, **properties)
        for _, resource in self.stack.of("AWS::SQS::Queue"):
            if policy := resource.properties.get("RedrivePolicy"):
                self.queues.set_queue_attributes(resource.name, {"RedrivePolicy": policy})
        for _, resource in self.stack.of("AWS::S3::Bucket"):
            FakeBucket.create_from_cloudformation_json(
                resource.name, {"Properties": resource.properties}, ACCOUNT, REGION
            )
            if status := resource.properties.get("VersioningConfiguration", {}).get("Status"):
                self.buckets.put_bucket_versioning(resource.name, status)
        for _, resource in self.stack.of("AWS::DynamoDB::Table"):
            Table.create_from_cloudformation_json(
                resource.name, {"Properties": resource.properties}, ACCOUNT, REGION
            )
            if ttl := resource.properties.get("TimeToLiveSpecification"):
                self.tables.update_time_to_live(resource.name, ttl)

    # ------------------------------------------------------------ requests

    def admit(self, request: Request) -> Response | Answer:
        """Refuse what a web page sends: loopback is no authentication, and signatures are not looked at.

        A page of another name has an Origin, is cross-site, or has had its name resolved to this machine.
        """
        path = unquote(request.target.partition("?")[0])
        if (
            not request.names_this_machine
            or any(name.lower() == "origin" for name, _ in request.headers)
            or request.header("sec-fetch-site").lower() == "cross-site"
        ):
            return Response(
                "The AWS endpoint of this machine takes no requests of web pages.\n",
                403,
                _FOR_BROWSERS,
                content_type="text/plain",
            )
        if path.startswith(_MOTOS_OWN):
            return Response("There is nothing here.\n", 404, _FOR_BROWSERS, content_type="text/plain")
        return self.answer

    def answer(self, request: Request) -> Response:
        """Answer one request; what it changed is persisted before the response leaves."""
        request = _signed(self._with_bucket_in_path(request))
        service, _, operation = request.header("x-amz-target").rpartition(".")
        touched: list[tuple[str, dict[str, Any]]] = []
        if service == "AmazonSQS" and operation == "ReceiveMessage":
            return self._receive(request)
        if service.startswith("DynamoDB"):
            if operation in _UNSUPPORTED:
                detail = f"{operation} is not supported by the local runtime"
                body = json.dumps({"__type": "ValidationException", "message": detail}).encode()
                return Response(body, 400, content_type="application/x-amz-json-1.0")
            touched = _touched_items(operation, json.loads(request.body or b"{}"))
        return self._through_moto(request, touched)

    def _with_bucket_in_path(self, request: Request) -> Request:
        """Return a request to `BUCKET.localhost` as one to `localhost/BUCKET`; moto confuses the two."""
        name, dot, rest = request.header("host").partition(".localhost")
        if not dot or name not in self.buckets.buckets:
            return request
        headers = [each for each in request.headers if each[0].lower() != "host"]
        target = f"/{name}{request.target}"
        return replace(request, target=target, headers=[*headers, ("Host", f"localhost{rest}")])

    def _through_moto(self, request: Request, touched: Iterable[tuple[str, dict[str, Any]]] = ()) -> Response:
        target = request.target.replace(";", "%3B")  # or a key would end there, as if parameters followed
        url = f"http://{request.header('host') or '127.0.0.1'}{target}"
        translated = MotoRequest.from_primitives(request.method, url, Headers(request.headers), request.body)
        with self.lock:
            response = Response(*run_wsgi_app(self._app, translated.environ, buffered=True))
            self.persist(touched)
        for name, _ in list(response.headers):
            if name.lower().startswith("access-control-"):
                del response.headers[name]  # what a bucket's CORS says is for pages, which are not served
        response.headers.extend(_FOR_BROWSERS)
        return response

    def _receive(self, request: Request) -> Response:
        """ReceiveMessage: long polling without holding the lock."""
        wanted = json.loads(request.body or b"{}")
        wait = wanted.get("WaitTimeSeconds")
        if wait is None:
            queue = self.queues.queues.get(wanted.get("QueueUrl", "").rpartition("/")[2])
            wait = queue.receive_message_wait_time_seconds if queue else 0
        deadline = time.monotonic() + min(int(wait), 20)
        request = replace(request, body=json.dumps({**wanted, "WaitTimeSeconds": 0}).encode())
        while True:
            response = self._through_moto(request)
            remaining = deadline - time.monotonic()
            if response.status_code != 200 or b'"Messages"' in response.data or remaining <= 0:
                return response
            with self.messages_arrived:
                self.messages_arrived.wait(min(remaining, 0.5))

    # ------------------------------------------------------------ state

    def persist(self, items: Iterable[tuple[str, dict[str, Any]]] = ()) -> None:
        """Save what changed since the last call, in one transaction; the caller holds the lock.

        Parameters
        ----------
        items : iterable of (str, dict)
            Table, and item or its key, that a request named.
        """
        obsolete: list[Path] = []
        with self.store.transaction():
            for table, attributes in items:
                self._persist_item(table, attributes)
            for bucket, key in self._changed:
                obsolete += self._persist_object(bucket, key)
            for (bucket, _, _), (event, found) in self._notifications.items():
                self._on_object(event, bucket, found)
            self._persist_messages()
        self._changed.clear()
        self._notifications.clear()
        for path in obsolete:
            path.unlink(missing_ok=True)

    def _persist_item(self, name: str, attributes: dict[str, Any]) -> None:
        table = self.tables.tables.get(name.rpartition("/")[2])
        if table is None or not all(key in attributes for key in table.table_key_attrs):
            return  # moto has refused the request
        key = {each: attributes[each] for each in table.table_key_attrs}
        item = table.get_item(*(DynamoType(value) for value in key.values()))
        body = None if item is None else {k: emulation.plain(v) for k, v in item.attrs.items()}
        self.store.save_item(table.name, json.dumps(key), body)

    def _persist_object(self, bucket_name: str, key: str) -> list[Path]:
        bucket = self.buckets.buckets.get(bucket_name)
        versions = [] if bucket is None else bucket.keys.getlist(key, [])
        for version in versions:
            if getattr(version, "multipart", None):
                for part in version.multipart.parts.values():
                    if part._value_buffer.path:
                        part._value_buffer.path.unlink(missing_ok=True)
                version.multipart = None
        return self.store.save_object(bucket_name, key, [self._description_of(each) for each in versions])

    def _description_of(self, version: Any) -> tuple[dict[str, Any], Path | None]:
        common = {"version": version._version_id, "modified": version.last_modified.isoformat()}
        if isinstance(version, FakeDeleteMarker):
            return {**common, "deleted": True}, None
        return {
            **common,
            "versioned": version._is_versioned,
            "etag": version.etag.strip('"'),
            "size": version.contentsize,
            "metadata": dict(version.metadata),
            "storage": version.storage_class,
            "tags": self.buckets.tagger.get_tag_dict_for_resource(version.arn),
            **{name: getattr(version, name) for name in _KEY_ATTRIBUTES if getattr(version, name)},
        }, version._value_buffer.path

    def _persist_messages(self) -> None:
        for name, queue in self.queues.queues.items():
            known = self._known.setdefault(name, {})
            current = {message.id: message for message in queue._messages}
            for identifier in known.keys() - current.keys():
                self.store.save_message(name, identifier, None)
                del known[identifier]
            arrived = False
            for identifier, message in current.items():
                received = message.approximate_receive_count
                if known.get(identifier) != received:
                    arrived = arrived or identifier not in known
                    known[identifier] = received
                    body = {each: getattr(message, each) for each in _MESSAGE_ATTRIBUTES}
                    body["message_attributes"] = json.loads(
                        json.dumps(message.message_attributes, default=lambda b: base64.b64encode(b).decode())
                    )
                    self.store.save_message(name, identifier, body)
            if arrived:
                self.messages_arrived.notify_all()

    def _key_changed(self, store: Any, key: str) -> None:
        name = next((b.name for b in self.buckets.buckets.values() if b.keys is store), None)
        if name is not None:
            self._changed[name, key] = None

    def _notified(self, event: str, bucket: Any, key: Any) -> None:
        if isinstance(key, FakeKey):
            self._changed[bucket.name, key.name] = None
            # moto sends both a Put and a CompleteMultipartUpload for the latter: the last one holds.
            family = str(getattr(event, "value", event)).split(":")[1]
            self._notifications[bucket.name, key.name, family] = (str(getattr(event, "value", event)), key)

    def _load(self) -> None:
        for table_name, attributes in self.store.items():
            if table := self.tables.tables.get(table_name):
                emulation.restore_item(table, attributes)
        for bucket_name, key, description, path in self.store.objects():
            if bucket_name not in self.buckets.buckets:
                self.buckets.create_bucket(bucket_name, REGION)
            self._restore_object(self.buckets.buckets[bucket_name], key, description, path)
        self.store.remove_orphans()
        for queue_name, description in self.store.messages():
            queue = self.queues.queues.get(queue_name)
            if queue is not None:
                self._restore_message(queue, description)
        self._changed.clear()

    def _restore_object(self, bucket: Any, name: str, about: dict[str, Any], path: Path | None) -> None:
        modified = datetime.fromisoformat(about["modified"])
        version: Any
        if about.get("deleted"):
            version = FakeDeleteMarker(key=bucket.keys.get(name))
            version.name = name
        else:
            version = FakeKey(
                name,
                b"",
                ACCOUNT,
                REGION,
                storage=about["storage"],
                etag=about["etag"],
                is_versioned=about["versioned"],
                bucket_name=bucket.name,
            )
            version._value_buffer = emulation.Body(self.store.bodies, path)
            version.contentsize = about["size"]
            for attribute in _KEY_ATTRIBUTES:
                setattr(version, attribute, about.get(attribute))
            version.set_metadata(about["metadata"])
        version._version_id = about["version"]
        version.last_modified = modified
        bucket.keys.setlist(name, [*bucket.keys.getlist(name, []), version])
        if about.get("tags"):
            tags = self.buckets.tagger.convert_dict_to_tags_input(about["tags"])
            self.buckets.tagger.tag_resource(version.arn, tags)

    def _restore_message(self, queue: Any, description: dict[str, Any]) -> None:
        """Restore a message as visible: whoever had received it is gone."""
        message = Message(description["id"], description["body"])
        for name, value in description.items():
            setattr(message, name, value)
        queue._messages.append(message)
        self._known.setdefault(queue.name, {})[message.id] = message.approximate_receive_count

    def sweep(self, now: float) -> int:
        """Delete expired items (time to live); return how many.

        Parameters
        ----------
        now : float
            Seconds since the epoch.
        """
        with self.lock:
            gone = []
            for table in self.tables.tables.values():
                attribute = table.ttl.get("AttributeName")
                if table.ttl["TimeToLiveStatus"] != "ENABLED" or not attribute:
                    continue
                for item in table.all_items():
                    expiry = item.attrs.get(attribute)
                    if expiry is not None and expiry.type == "N" and 0 < float(expiry.value) <= now:
                        table.delete_item(item.hash_key, item.range_key)
                        gone.append((table.name, {k: emulation.plain(v) for k, v in item.attrs.items()}))
            self.persist(gone)
        return len(gone)


def _touched_items(operation: str, request: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return table and item (or its key) of all that a DynamoDB request may change."""
    match operation:
        case "PutItem":
            return [(request.get("TableName", ""), request.get("Item", {}))]
        case "UpdateItem" | "DeleteItem":
            return [(request.get("TableName", ""), request.get("Key", {}))]
        case "BatchWriteItem":
            return [
                (
                    table,
                    each.get("PutRequest", {}).get("Item") or each.get("DeleteRequest", {}).get("Key") or {},
                )
                for table, requests in request.get("RequestItems", {}).items()
                for each in requests
            ]
        case "TransactWriteItems":
            return [
                (each.get("TableName", ""), each.get("Item") or each.get("Key") or {})
                for action in request.get("TransactItems", [])
                for each in action.values()
            ]
    return []
