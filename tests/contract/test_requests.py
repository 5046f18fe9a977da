"""What every route makes of its method and parameters, as its row of the table declares them."""

import re

import pytest

from alma.api.openapi import openapi
from alma.api.operation import Route
from alma.api.request_models import Nothing
from alma.api.routes import ROUTES
from tests.cloud import Tenant, function, seed_fields

pytestmark = pytest.mark.usefixtures("aws")

#: A value for each path parameter.
PATH = {"id": "1", "documentId": "1", "docType": "invoice", "file": "p1.png", "field": "total"}
WITH_QUERY = [row for row in ROUTES if row.query is not None]


def path_of(row: Route) -> dict[str, str]:
    return {name: PATH[name] for name in re.findall(r"{(\w+)}", row.resource)}


@pytest.mark.parametrize("row", WITH_QUERY, ids=lambda row: row.operation)
def test_an_unknown_query_parameter_is_refused_and_the_known_ones_are_named(row: Route) -> None:
    answer = Tenant.create("greaves").call(
        row.function, row.method, row.resource, path=path_of(row), query={"colour": "red"}
    )

    known = [field.alias for field in row.query.model_fields.values()] if row.query else []
    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert answer.json["detail"].startswith("There is no query parameter colour; this route takes ")
    assert all(str(name) in answer.json["detail"] for name in known)
    if not known:
        assert answer.json["detail"].endswith("takes no query parameters.")


@pytest.mark.parametrize(
    ("resource", "query", "detail"),
    [
        ("/v1/documents", {"limit": "0"}, "limit is a whole number from 1 to 200."),
        ("/v1/documents", {"limit": "1e2"}, "limit is a whole number from 1 to 200."),
        ("/v1/documents", {"limit": "\u0665"}, "limit is a whole number from 1 to 200."),
        ("/v1/documents", {"status": "done"}, "status is one of processing, ready and failed."),
        ("/v1/review-queue", {"maxConfidence": "nan"}, "maxConfidence is a number from 0 to 1."),
        ("/v1/review-queue", {"maxConfidence": "sure"}, "maxConfidence is a number from 0 to 1."),
        ("/v1/review-queue", {"status": "accepted"}, "status is one of escalated and unreviewed."),
    ],
)
def test_a_malformed_query_parameter_says_what_it_should_be(
    resource: str, query: dict[str, str], detail: str
) -> None:
    name = "documents" if resource == "/v1/documents" else "reviews"

    answer = Tenant.create("greaves").call(name, "GET", resource, query=query)

    assert (answer.status, answer.json["detail"]) == (400, detail)


def test_a_truth_value_is_true_or_false() -> None:
    tenant = Tenant.create("greaves")

    answer = tenant.call("keys", "DELETE", "/v1/keys/{id}", path={"id": "x"}, query={"descendants": "yes"})

    assert (answer.status, answer.json["detail"]) == (400, "descendants is true or false.")


@pytest.mark.parametrize("row", [row for row in ROUTES if row.method == "GET"], ids=lambda row: row.operation)
def test_head_answers_as_get_without_a_body(row: Route) -> None:
    tenant = Tenant.create("greaves")
    tenant.seed_document(seed_fields(), doc_type="invoice")
    path = path_of(row)

    got = tenant.call(row.function, "GET", row.resource, path=path)
    head = tenant.call(row.function, "HEAD", row.resource, path=path)

    volatile = {"X-RateLimit-Remaining", "X-RateLimit-Reset", "Location"}
    assert (head.status, head.body) == (got.status, "")
    assert {name: head.headers[name] for name in set(head.headers) - volatile} == {
        name: got.headers[name] for name in set(got.headers) - volatile
    }


def methods_of(resource: str) -> set[str]:
    """Return the methods that do something at a resource."""
    taken = {row.method for row in ROUTES if row.resource == resource and set(row.answers) != {405}}
    return taken | ({"HEAD"} if "GET" in taken else set())


@pytest.mark.parametrize(
    ("method", "resource"),
    [
        (method, resource)
        for resource in sorted({row.resource for row in ROUTES})
        for method in ("OPTIONS", "PUT", "TRACE", "PROPFIND")
        if method not in methods_of(resource)
    ],
)
def test_a_method_that_a_route_does_not_take_is_405_with_those_it_takes(method: str, resource: str) -> None:
    row = next(row for row in ROUTES if row.resource == resource)

    answer = Tenant.create("greaves").call(row.function, method, resource, path=path_of(row))

    assert (answer.status, answer.refusal["error"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == ", ".join(sorted(methods_of(resource)))


@pytest.mark.parametrize(
    ("media_type", "raw"),
    [
        (
            "multipart/form-data; boundary=x",
            '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--',
        ),
        ("application/x-www-form-urlencoded", "fileName=deed.pdf"),
    ],
)
def test_a_form_where_json_is_needed_is_told_from_json_that_is_broken(media_type: str, raw: str) -> None:
    answer = Tenant.create("greaves").call(
        "digitize", "POST", "/v1/digitize", raw=raw, headers={"Content-Type": media_type}
    )

    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert f"The body is a form ({media_type.partition(';')[0]})" in answer.json["detail"]
    assert "application/json" in answer.json["detail"]
    assert "POST /api/v1/documents" in answer.json["detail"]


PART = '--x\r\nContent-Disposition: form-data; name="file"; filename="{}"\r\n\r\n%PDF\r\n'


@pytest.mark.parametrize(
    ("form", "says"),
    [
        (PART.format("a.pdf"), "not well formed"),
        (PART.format("a.pdf") * 2 + "--x--", "one file"),
        (PART.format("a.pdf") * 9 + "--x--", "not well formed"),
        ("--y--", "not well formed"),
        (PART.format("a\u202e.pdf") + "--x--", "fileName"),
        (
            PART.format("a.pdf") + '--x\r\nContent-Disposition: form-data; name="kind"\r\n\r\nb\r\n--x--',
            "kind",
        ),
    ],
)
def test_a_form_that_is_no_file_is_refused_in_a_sentence(form: str, says: str) -> None:
    answer = Tenant.create("greaves").call(
        "documents",
        "POST",
        "/v1/documents",
        raw=form,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )

    assert answer.status == 400
    assert says in answer.json["detail"]


def test_the_name_of_a_file_in_a_form_has_no_folders() -> None:
    tenant = Tenant.create("greaves")
    headers = {"Content-Type": 'multipart/form-data; boundary="x"'}
    form = PART.format("../b/deed.pdf") + "--x--\r\n"

    assert tenant.call("documents", "POST", "/v1/documents", raw=form, headers=headers).status == 201
    [listed] = tenant.call("documents", "GET", "/v1/documents").json["documents"]
    assert listed["fileName"] == "deed.pdf"


def test_json_that_curl_calls_a_form_is_json() -> None:
    answer = Tenant.create("greaves").call(
        "documents",
        "POST",
        "/v1/documents",
        raw='{"fileName": "deed.pdf"}',
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert answer.status == 201


def test_options_needs_no_key() -> None:
    answer = Tenant("nobody").call("documents", "OPTIONS", "/v1/documents", role=None)

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")


def test_the_authorizer_lets_options_pass_as_nobody() -> None:
    event = {"methodArn": "arn:aws:execute-api:…", "multiValueHeaders": {}}

    options = function("authorizer").handler(event | {"httpMethod": "OPTIONS"}, None)
    get = function("authorizer").handler(event | {"httpMethod": "GET"}, None)

    assert (options["policyDocument"]["Statement"][0]["Effect"], options["context"]) == ("Allow", {})
    assert get["policyDocument"]["Statement"][0]["Effect"] == "Deny"


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.operation)
def test_the_description_names_exactly_the_parameters_that_are_validated(row: Route) -> None:
    operation = openapi()["paths"][row.resource][row.method.lower()]
    described = {(each["in"], each["name"]) for each in operation.get("parameters", [])}

    declared = {("path", field.alias) for field in row.path.model_fields.values()}
    if row.query is not None:
        declared |= {("query", field.alias) for field in row.query.model_fields.values()}
    assert described == declared
    assert {name for place, name in described if place == "path"} == set(path_of(row))
    assert all(each["description"] for each in operation.get("parameters", []))
    assert ("requestBody" in operation) == (row.body is not None or row.operation == "mcp")


def test_no_route_takes_parameters_by_accident() -> None:
    assert not Nothing.model_fields
