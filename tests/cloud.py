"""alma's resources in moto, and organisations with documents, for tests without the local runtime."""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any, Final

import boto3
from pynamodb.exceptions import CancellationReason, TransactWriteError, VerboseClientError

from alma.access import keys, organisations
from alma.access.keys import Role
from alma.access.scopes import of_role
from alma.datamodel.fields import Extraction, Field, Reading, Status
from alma.datamodel.geometry import Box, Region
from alma.documents import intake, progress
from alma.documents.records import Document
from alma.settings import settings
from alma.storage.table import EXPIRY, INDEXES, PARTITION_KEY, SORT_KEY

REGION: Final = "eu-west-1"


@cache
def client(service: str) -> Any:
    """Return a client; making one takes longer than most tests, and moto stays behind it."""
    return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]


def create() -> None:
    """Create the table, the buckets and the queue."""
    attributes = {PARTITION_KEY, SORT_KEY} | {name for pair in INDEXES.values() for name in pair}
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName=settings().table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in sorted(attributes)],
        KeySchema=_keys(PARTITION_KEY, SORT_KEY),
        GlobalSecondaryIndexes=[
            {
                "IndexName": name,
                "KeySchema": _keys(*pair),
                "Projection": {"ProjectionType": "ALL"},
            }
            for name, pair in INDEXES.items()
        ],
    )
    dynamodb.update_time_to_live(
        TableName=settings().table,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRY},
    )
    s3 = client("s3")
    for bucket in (settings().inbox_bucket, settings().archive_bucket):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for queue in ("alma-test-pages", "alma-test-models"):
        client("sqs").create_queue(QueueName=queue)


def _keys(partition: str, sort: str) -> Any:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


@cache
def function(name: str) -> ModuleType:
    """Return the handler module of a function."""
    return importlib.import_module(f"functions.{name}.app")


@dataclass
class Answer:
    """What a handler answered."""

    status: int
    headers: dict[str, str]
    body: str
    encoded: bool

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(base64.b64decode(self.body) if self.encoded else self.body)

    @property
    def refusal(self) -> Any:
        """The one error shape, which stands inside JSON-RPC's where the door speaks that."""
        return self.json["error"]["data"] if "jsonrpc" in self.json else self.json


class _OnDemand(dict[Role, str]):
    """What belongs to the key of a role, which is minted when it is asked for: few tests need all."""

    def __init__(self, mint: Callable[[Role], None]) -> None:
        super().__init__()
        self._mint = mint

    def __missing__(self, role: Role) -> str:
        self._mint(role)
        return self[role]


@dataclass
class Tenant:
    """An organisation with a key per role, and the doors as it sees them."""

    organisation: str
    tokens: dict[Role, str] = field(init=False)
    ids: dict[Role, str] = field(init=False)

    def __post_init__(self) -> None:
        """Have keys minted as they are needed."""
        self.tokens, self.ids = _OnDemand(self._mint), _OnDemand(self._mint)

    @classmethod
    def create(cls, organisation: str) -> Tenant:
        """Create the organisation."""
        organisations.create(organisation)
        return cls(organisation)

    def _mint(self, role: Role) -> None:
        key, self.tokens[role] = keys.create(self.organisation, role.value, role)
        self.ids[role] = key.id

    def mint_all(self) -> Tenant:
        """Have a key of every role, and return the tenant."""
        for role in Role:
            assert self.ids[role]
        return self

    def call(
        self,
        function_name: str,
        method: str,
        resource: str,
        *,
        path: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        body: object = None,
        raw: str | None = None,
        role: Role | None = Role.ADMIN,
        scopes: Iterable[str] | None = None,
        address: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a REST API (v1) proxy event to a function, as the gateway does after the authorizer."""
        event = proxy_event(method, resource, path=path, query=query, body=body, raw=raw, headers=headers)
        if role is not None:
            event["requestContext"]["authorizer"] = {
                "organisation": self.organisation,
                "key_id": self.ids[role],
                "role": role.value,
                "scopes": " ".join(of_role(role) if scopes is None else scopes),
            }
        event["requestContext"]["identity"]["sourceIp"] = address
        answer = function(function_name).handler(event, Context())
        return Answer(answer["statusCode"], answer["headers"], answer["body"], answer["isBase64Encoded"])

    def seed_document(
        self,
        fields: Sequence[Field] = (),
        doc_type: str | None = "deed_of_conveyance",
        file_name: str = "deed.pdf",
    ) -> Document:
        """Put a finished document with these fields into the table."""
        document = intake.announce(self.organisation, file_name)
        document = progress.pages_known(document, 2, [], "application/pdf")
        progress.finish(document, Extraction(doc_type, None, list(fields)))
        return document


def proxy_event(
    method: str,
    resource: str,
    *,
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    body: object = None,
    raw: str | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return a REST API (v1) proxy event."""
    sent = {"Accept": "*/*", **({"Content-Type": "application/json"} if body is not None else {})}
    sent |= headers or {}
    return {
        "resource": resource,
        "path": resource,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {k: [v] for k, v in (query or {}).items()} or None,
        "pathParameters": path,
        "stageVariables": None,
        "requestContext": {
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "stage": "api",
            "httpMethod": method,
            "resourcePath": resource,
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": raw if raw is not None else None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


class Context:
    """The part of the Lambda context that anything of ours looks at."""

    function_name = "test"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:test"
    aws_request_id = "3f1c2f6e-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Return plenty."""
        return 30_000


def conflict() -> TransactWriteError:
    """Return what DynamoDB says when two transactions meet at a row; moto never does."""
    cause = VerboseClientError(
        {"Error": {"Code": "TransactionCanceledException"}},
        "TransactWriteItems",
        cancellation_reasons=[CancellationReason(code="TransactionConflict")],
    )
    return TransactWriteError("held", cause)


def seed_fields() -> list[Field]:
    """Return the two fields of the seed's deed 4012."""
    grantor = Reading(
        "vision",
        "Josiah A. Greaves",
        "Josiah A. Greaves",
        0.973,
        (Region(1, Box(0.142, 0.331, 0.268, 0.041)),),
    )
    acreage = Reading("vision", "12.5", "12.5", 0.61, (Region(2, Box(0.557, 0.214, 0.083, 0.029)),))
    return [
        Field("grantor_name", 0, (grantor,), Status.ACCEPTED, reviewed=grantor),
        Field("parcel_acreage", 0, (acreage,), Status.ESCALATED, reasons=("low_confidence",)),
    ]
