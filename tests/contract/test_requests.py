"""What every route makes of its method and parameters, as its row of the table declares them."""

import re
from typing import Any

import pytest
from pydantic.alias_generators import to_camel
from pynamodb.connection.base import Connection

from alma.access.keys import Role
from alma.api.openapi import openapi
from alma.api.operation import Route
from alma.api.request_models import Nothing
from alma.api.routes import ROUTES
from alma.mcp.tool import Tool
from alma.mcp.tools import TOOLS
from alma.storage import objects
from alma.storage.table import INDEXES, PARTITION_KEY, SORT_KEY
from tests.cloud import Context, Tenant, function, proxy_event, seed_fields

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


def test_a_query_parameter_that_comes_twice_is_400() -> None:
    tenant = Tenant.create("greaves")
    event = proxy_event("GET", "/v1/documents", query={"limit": "2"})
    event["multiValueQueryStringParameters"] = {"limit": ["1", "2"]}
    event["requestContext"]["authorizer"] = {
        "organisation": "greaves", "key_id": tenant.ids[Role.READER], "role": "reader"
    }  # fmt: skip

    answer = function("documents").handler(event, Context())

    assert answer["statusCode"] == 400
    assert "The query parameter limit is given twice; give it once." in answer["body"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            {"fileName": "a.pdf", "kind": 1},
            "There is no key kind; the body takes fileName, docType and split.",
        ),
        ({}, "The body is not what this route takes: fileName: Field required."),
    ],
)
def test_a_key_that_a_body_does_not_take_is_refused_with_those_it_takes(body: object, detail: str) -> None:
    answer = Tenant.create("greaves").call("documents", "POST", "/v1/documents", body=body)

    assert (answer.status, answer.json["detail"]) == (400, detail)


def test_a_truth_value_is_true_or_false() -> None:
    tenant = Tenant.create("greaves")

    answer = tenant.call("keys", "DELETE", "/v1/keys/{id}", path={"id": "x"}, query={"descendants": "yes"})

    assert (answer.status, answer.json["detail"]) == (400, "descendants is true or false.")


@pytest.mark.parametrize("row", [row for row in ROUTES if row.method == "GET"], ids=lambda row: row.operation)
def test_head_is_answered_as_get_whose_content_the_gateway_leaves_out(row: Route) -> None:
    tenant = Tenant.create("greaves")
    tenant.seed_document(seed_fields(), doc_type="invoice")
    path = path_of(row)

    got = tenant.call(row.function, "GET", row.resource, path=path)
    head = tenant.call(row.function, "HEAD", row.resource, path=path)

    volatile = {"X-RateLimit-Remaining", "X-RateLimit-Reset", "Location"}
    assert (head.status, bool(head.body)) == (got.status, bool(got.body))
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
        ("application/pdf", "%PDF-1.7"),
        ("image/jpeg", "\x01"),
        ("application/octet-stream", "%PDF-1.7"),
    ],
)
def test_a_form_or_file_where_json_is_needed_is_told_from_json_that_is_broken(
    media_type: str, raw: str
) -> None:
    answer = Tenant.create("greaves").call(
        "digitize", "POST", "/v1/digitize", raw=raw, headers={"Content-Type": media_type}
    )

    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    kind = "form" if "form" in media_type else "file"
    assert f"The body is a {kind} ({media_type.partition(';')[0]})" in answer.json["detail"]
    assert "curl -F file=@deed.pdf" in answer.json["detail"]
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
        (PART.format("a.pdf").replace('"file"', '"deed"') + "--x--", "is called file, not deed"),
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
    if 304 in row.answers:
        declared |= {("header", "If-None-Match")}
    if row.method == "POST" and row.operation != "mcp":
        declared |= {("header", "Idempotency-Key")}
    assert described == declared
    assert {name for place, name in described if place == "path"} == set(path_of(row))
    assert all(each["description"] for each in operation.get("parameters", []))
    assert ("requestBody" in operation) == (row.body is not None or row.operation == "mcp")


def test_no_route_takes_parameters_by_accident() -> None:
    assert not Nothing.model_fields


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.operation)
def test_what_is_an_organisations_is_kept_by_nobody_on_the_way(row: Route) -> None:
    tenant = Tenant.create("greaves")
    tenant.seed_document(seed_fields(), doc_type="invoice")

    for role in (Role.ADMIN, None):
        answer = tenant.call(row.function, row.method, row.resource, path=path_of(row), role=role)
        assert answer.headers.get("Cache-Control") == (None if row.scope is None else "no-store"), answer
    other = tenant.call(row.function, "PROPFIND", row.resource, path=path_of(row))
    assert (other.status, other.headers["Cache-Control"]) == (405, "no-store")


def test_a_file_that_an_answer_redirects_to_is_kept_by_nobody_either() -> None:
    assert "response-cache-control=no-store" in objects.download_url("greaves", "pages/1/p1.png")


#: Longest partition key and sort key of DynamoDB, in bytes.
LONGEST = {PARTITION_KEY: 2048, SORT_KEY: 1024} | {name: 1024 for _, name in INDEXES.values() if name != "pk"}
TOO_LONG = ("x" * 2100, "7" * 1100, "\N{MATHEMATICAL SCRIPT CAPITAL A}" * 600, "")


@pytest.fixture
def keys_asked_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that goes into a request to the table: moto is kinder about keys than DynamoDB."""
    asked: list[str] = []
    dispatch = Connection.dispatch

    def record(self: Connection, operation: str, kwargs: dict[str, Any]) -> Any:
        def look(value: object) -> None:
            if isinstance(value, dict):
                for each in value.values():
                    look(each)
            elif isinstance(value, list):
                for each in value:
                    look(each)
            elif isinstance(value, str):
                asked.append(value)

        look(kwargs)
        return dispatch(self, operation, kwargs)

    monkeypatch.setattr(Connection, "dispatch", record)
    return asked


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.operation)
def test_a_text_that_is_too_long_for_a_key_is_refused_before_the_table_is_asked(
    row: Route, keys_asked_for: list[str]
) -> None:
    tenant = Tenant.create("greaves")
    tenant.seed_document(seed_fields(), doc_type="invoice")
    parameters = {
        "path": list(path_of(row)),
        "query": [str(field.alias) for field in row.query.model_fields.values()] if row.query else [],
        "body": list(row.body.model_fields) if row.body else [],
    }
    for place, names in parameters.items():
        for name in names:
            for text in TOO_LONG:
                sent: dict[str, Any] = {"path": path_of(row), "query": {}, "body": {}}
                alias = to_camel(name) if place == "body" and row.operation != "put_schema" else name
                sent[place] = sent[place] | {alias: text}
                options = {**sent, "body": sent["body"] if row.body else None, "query": sent["query"] or None}
                answer = tenant.call(row.function, row.method, row.resource, **options)
                assert answer.status < 500, (place, name, text[:20], answer.body)
                assert text == "" or answer.status in (400, 403, 404, 405), (place, name, answer.body)
    assert [text[:40] for text in keys_asked_for if len(text.encode()) > LONGEST[SORT_KEY]] == []


@pytest.mark.parametrize("tool", list(TOOLS), ids=lambda tool: tool.name)
def test_agents_texts_that_are_too_long_for_a_key_are_refused(
    tool: type[Tool], keys_asked_for: list[str]
) -> None:
    tenant = Tenant.create("greaves")
    tenant.seed_document(seed_fields(), doc_type="invoice")
    for field in tool.model_fields.values():
        for text in TOO_LONG[:3]:
            arguments = {"documentId": 1, str(field.alias): text}
            params = {"name": tool.name, "arguments": arguments}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            answer = tenant.call("mcp", "POST", "/mcp", body=message)
            assert answer.json["result"].get("isError") is True, (field.alias, answer.json)
    assert [text[:40] for text in keys_asked_for if len(text.encode()) > LONGEST[SORT_KEY]] == []


def test_a_month_that_is_empty_is_none() -> None:
    answer = Tenant.create("greaves").call("keys", "GET", "/v1/usage", query={"month": ""})

    assert (answer.status, answer.json["detail"]) == (400, "month is a year and a month, such as 2026-11.")


def test_a_page_that_is_still_read_is_documented() -> None:
    row = next(row for row in ROUTES if row.operation == "get_page")

    assert 202 in row.answers
    assert "202" in openapi()["paths"][row.resource]["get"]["responses"]
