"""The route table, the functions, the API's description and the errors agree."""

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from alma.http.openapi import openapi
from alma.http.routes import ROUTES, Route
from alma.keys import Role
from tests.cloud import Context, Tenant, function, proxy_event


def test_every_function_serves_exactly_its_rows() -> None:
    for name in {row.function for row in ROUTES}:
        assert callable(function(name).handler)  # `serve` refuses at import what the table does not say


def test_a_function_that_misses_a_row_does_not_import() -> None:
    from alma.http.dispatch import serve

    with pytest.raises(ValueError, match="the table says"):
        serve("models", {})


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("row", [row for row in ROUTES if row.roles], ids=lambda row: row.operation)
def test_a_protected_route_without_a_caller_is_exactly_unauthorized(row: Route) -> None:
    answer = Tenant("nobody").call(row.function, row.method, row.resource, role=None)

    assert (answer.status, answer.json) == (401, {"error": "unauthorized"})


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("row", "role"),
    [(row, role) for row in ROUTES if row.roles for role in Role if role not in row.roles],
    ids=lambda value: getattr(value, "operation", value),
)
def test_a_role_that_the_table_does_not_name_is_forbidden(row: Route, role: Role) -> None:
    answer = Tenant.create("greaves").call(row.function, row.method, row.resource, role=role)

    assert answer.status == 403
    assert set(answer.json) == {"error", "detail", "request_id"}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("name", sorted({row.function for row in ROUTES}))
def test_a_matched_route_without_a_row_is_refused(name: str) -> None:
    answer = Tenant.create("greaves").call(name, "PATCH", "/v1/nothing")

    assert (answer.status, answer.json["error"]) == (403, "forbidden")


def test_what_nobody_expected_is_500_in_the_one_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    from alma import models

    def explode(organisation: str) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(models, "list_models", explode)
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


def test_the_description_is_served_to_anybody() -> None:
    answer = function("portal").handler(proxy_event("GET", "/v1/openapi.json"), Context())

    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"] == "application/json"


def test_health_says_ok() -> None:
    answer = function("portal").handler(proxy_event("GET", "/v1/health"), Context())

    assert answer["body"] == '{"status": "ok", "version": "0.1.0"}'
