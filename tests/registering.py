"""Models on their way through `models` and `check`: announced, uploaded, checked."""

from __future__ import annotations

from typing import Any

from alma.access.keys import Role
from alma.settings import settings
from alma.storage import objects
from tests.cloud import Answer, Context, Tenant, client, function
from tests.reading import drop

RECEIPTS = {"name": "Our receipts", "docType": "receipt"}


def create(tenant: Tenant, **body: object) -> Answer:
    return tenant.call("models", "POST", "/v1/models", body={**RECEIPTS, **body}, role=Role.ADMIN)


def get(tenant: Tenant, model: str) -> Any:
    answer = tenant.call("models", "GET", "/v1/models/{id}", path={"id": model}, role=Role.READER)
    assert answer.status == 200
    return answer.json


def announced(tenant: Tenant, **body: object) -> str:
    """Announce a model and return its id."""
    answer = create(tenant, source="upload", **body)
    assert answer.status == 201
    identifier: str = answer.json["id"]
    return identifier


def upload(tenant: Tenant, model: str, content: bytes) -> dict[str, Any]:
    """Put a model's file where it is expected and return the event of S3."""
    return drop(objects.model_upload_key(tenant.organisation, model), content)


def check(event: dict[str, Any]) -> None:
    function("check").handler(event, Context())


def registered(tenant: Tenant, content: bytes, **body: object) -> Any:
    """Register a model, have it checked, and return what it is then."""
    model = announced(tenant, **body)
    check(upload(tenant, model, content))
    assert inbox() == []
    return get(tenant, model)


def inbox() -> list[str]:
    """Return the models that wait in the inbox."""
    listed = client("s3").list_objects_v2(Bucket=settings().inbox_bucket, Prefix=objects.MODEL_INBOX)
    return [each["Key"] for each in listed.get("Contents", [])]
