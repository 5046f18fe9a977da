"""The route table, the functions, the API's description and the errors agree."""

import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from alma.access import scopes
from alma.access.keys import Role
from alma.access.scopes import Scope
from alma.api.openapi import openapi
from alma.api.operation import Route
from alma.api.routes import ROUTES
from tests.cloud import Context, Tenant, function, proxy_event

ROOT = Path(__file__).parents[2]


def test_every_function_serves_exactly_its_rows() -> None:
    for name in {row.function for row in ROUTES}:
        assert set(function(name).handler.operations) == {
            row.operation for row in ROUTES if row.function == name
        }


def test_a_function_that_misses_a_row_does_not_import() -> None:
    from alma.api.dispatch import serve

    with pytest.raises(ValueError, match="the table says"):
        serve("models", ROUTES, {})


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("row", [row for row in ROUTES if row.scope], ids=lambda row: row.operation)
def test_a_protected_route_without_a_caller_is_exactly_unauthorized(row: Route) -> None:
    answer = Tenant("nobody").call(row.function, row.method, row.resource, role=None)

    assert (answer.status, answer.json) == (401, {"error": "unauthorized"})


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("row", "role"),
    [(row, role) for row in ROUTES if row.scope for role in Role if row.scope not in scopes.of_role(role)],
    ids=lambda value: getattr(value, "operation", value),
)
def test_a_role_without_the_scope_of_a_route_is_forbidden(row: Route, role: Role) -> None:
    answer = Tenant.create("greaves").call(row.function, row.method, row.resource, role=role)

    assert answer.status == 403
    assert set(answer.refusal) == {"error", "detail", "request_id"}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("row", [row for row in ROUTES if row.scope], ids=lambda row: row.operation)
def test_all_other_scopes_together_do_not_open_a_route(row: Route) -> None:
    others = [scope for scope in Scope if scope is not row.scope]

    answer = Tenant.create("greaves").call(row.function, row.method, row.resource, scopes=others)

    assert (answer.status, answer.refusal["error"]) == (403, "forbidden")
    assert answer.refusal["detail"] == f"This needs a key with the scope {row.scope}; yours does not have it."


def test_what_anybody_may_ask_is_written_down() -> None:
    assert {row.operation for row in ROUTES if row.scope is None} == {"health", "openapi"}


def test_what_each_scope_opens_is_written_down() -> None:
    opened = {scope.value: {row.operation for row in ROUTES if row.scope is scope} for scope in Scope}
    assert opened == {
        "documents:read": {
            "digitize", "list_documents", "get_document", "get_document_file", "digitize_with_model",
            "list_schemas", "get_schema",
            "document_history", "review_queue", "get_page",
        },
        "documents:write": {"announce_document", "delete_document", "extract_again"},
        "review:write": {
            "decide_field", "add_field", "claim_document", "release_document", "split_document",
            "merge_documents",
        },
        "review:admin": set(),
        "models:read": {"list_models", "get_model", "get_model_file"},
        "models:write": {"create_model", "delete_model", "put_schema", "delete_schema"},
        "export:read": {"export_document", "list_datasets", "get_dataset"},
        "keys:admin": {"list_keys", "create_key", "rotate_key", "revoke_key", "get_usage"},
        "mcp:read": {"mcp", "mcp_stream", "mcp_session"},
        "mcp:write": set(),
    }  # fmt: skip


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.operation)
def test_every_answer_says_what_is_left_of_the_limit(row: Route) -> None:
    tenant = Tenant.create("greaves")
    for role in (Role.ADMIN, Role.READER, None):
        answer = tenant.call(row.function, row.method, row.resource, path={"id": "x"}, role=role)

        assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= set(answer.headers)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("name", sorted({row.function for row in ROUTES}))
def test_a_matched_route_without_a_row_is_refused(name: str) -> None:
    answer = Tenant.create("greaves").call(name, "PATCH", "/v1/nothing")

    assert (answer.status, answer.refusal["error"]) == (403, "forbidden")


@pytest.mark.usefixtures("aws")
def test_what_nobody_expected_is_500_in_the_one_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    from alma.models import registry

    def explode(organisation: str) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(registry, "list_models", explode)
    event = proxy_event("GET", "/v1/models")
    event["requestContext"]["authorizer"] = {"organisation": "x", "key_id": "k", "role": "admin"}

    answer = function("models").handler(event, Context())

    assert answer["statusCode"] == 500
    assert "secret" not in answer["body"]
    assert '"error": "internal_error"' in answer["body"]


def test_the_description_is_valid_openapi_3_1_and_names_every_route() -> None:
    described = openapi()

    OpenAPIV31SpecValidator(described).validate()
    assert described["openapi"] == "3.1.0"
    listed = {(m.upper(), path) for path, methods in described["paths"].items() for m in methods}
    assert listed == {(row.method, row.resource) for row in ROUTES}


def test_both_headers_and_the_scope_are_described_for_every_route_with_a_key() -> None:
    described = openapi()

    assert described["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert described["components"]["securitySchemes"]["apiKey"]["name"] == "X-API-Key"
    for row in ROUTES:
        operation = described["paths"][row.resource][row.method.lower()]
        scope = [row.scope.value] if row.scope else None
        assert operation["security"] == ([{"bearer": scope}, {"apiKey": scope}] if scope else [])
        assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} == set(
            operation["responses"]["429"]["headers"]
        )


def test_what_may_be_304_is_described_with_its_headers() -> None:
    paths = openapi()["paths"]
    conditional = {
        path: operation
        for path, methods in paths.items()
        for operation in methods.values()
        if "304" in operation["responses"]
    }

    assert set(conditional) == {"/v1/documents/{id}", "/v1/pages/{documentId}/{file}"}
    for operation in conditional.values():
        assert "If-None-Match" in {each["name"] for each in operation["parameters"] if each["in"] == "header"}
        assert all("ETag" in operation["responses"][status]["headers"] for status in ("200", "304"))


def test_what_a_repeat_with_an_idempotency_key_may_be_answered_is_described() -> None:
    for path, methods in openapi()["paths"].items():
        for method, operation in methods.items():
            keyed = "Idempotency-Key" in {each["name"] for each in operation.get("parameters", [])}
            assert keyed == (method == "post" and path != "/mcp")
            answers = operation["responses"]
            if keyed:
                assert "Retry-After" in answers["409"]["headers"]
                assert (
                    "The Idempotency-Key came with another request before." in answers["422"]["description"]
                )
            kept = (
                {status for status in answers if status < "400"} | {"404", "409", "422"} if keyed else set()
            )
            assert kept == {
                each for each in answers if "Idempotency-Replayed" in answers[each].get("headers", {})
            }


@pytest.mark.usefixtures("aws")
def test_the_description_is_served_to_anybody() -> None:
    answer = function("portal").handler(proxy_event("GET", "/v1/openapi.json"), Context())

    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"] == "application/json"


def test_what_the_description_says_of_paths_is_said_in_full() -> None:
    described = openapi()
    described["paths"] = list(described["paths"].values())  # their names follow the server's address

    assert not re.findall(r"(?<!/api)/v1/[^ \"]*", json.dumps(described["paths"] + [described["components"]]))


@pytest.mark.usefixtures("aws")
def test_health_says_ok() -> None:
    answer = function("portal").handler(proxy_event("GET", "/v1/health"), Context())

    assert answer["body"] == '{"status": "ok", "version": "0.1.0"}'
