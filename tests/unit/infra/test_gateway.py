"""The local gateway answers as API Gateway's REST API does."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.runtime import Runtime
from tests.patience import HANGS

TEMPLATE = Path(__file__).parents[2] / "data" / "local" / "template.yaml"


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with Runtime(TEMPLATE) as running:
        yield running


@pytest.fixture
def api(runtime: Runtime) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"{runtime.api_url}/api", headers={"Authorization": "Bearer good"}, timeout=HANGS
    ) as client:
        yield client


def event_of(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    event: dict[str, Any] = response.json()
    return event


def test_the_event_names_route_path_and_parameters(api: httpx.Client) -> None:
    event = event_of(api.get("/things/7?x=1&x=2&empty="))

    assert event["resource"] == "/things/{id}"
    assert event["path"] == "/things/7"
    assert event["httpMethod"] == "GET"
    assert event["pathParameters"] == {"id": "7"}
    assert event["queryStringParameters"] == {"x": "2", "empty": ""}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "empty": [""]}
    assert event["requestContext"]["path"] == "/api/things/7"
    assert event["requestContext"]["stage"] == "api"
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


def test_the_domain_is_the_gateways_own_whatever_host_is_asked_for(api: httpx.Client) -> None:
    event = event_of(api.get("/things/7", headers={"Host": "alma.localhost:99"}))

    assert event["requestContext"]["domainName"] == "localhost"


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST", "localhost."])
def test_every_name_of_this_machine_is_served(api: httpx.Client, host: str) -> None:
    assert api.get("/things/7", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.test", "127.0.0.1.evil.test", "localhost.evil.test", "evil.test:8000", "[", "", "0.0.0.0"]
)
def test_a_name_that_somebody_else_resolved_to_this_machine_is_refused(api: httpx.Client, host: str) -> None:
    response = api.get("/things/7", headers={"Host": host})

    assert (response.status_code, response.json()["error"]) == (403, "forbidden")
    assert response.json()["detail"] == "This machine answers for 127.0.0.1 and localhost only."


def test_who_is_refused_is_so_before_the_body_is_sent(runtime: Runtime) -> None:
    address = httpx.URL(runtime.api_url)
    with socket.create_connection((address.host, address.port or 0), timeout=HANGS) as client:
        client.sendall(
            b"POST /api/things/7 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer other\r\n"
            b"Content-Length: 9000000\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 401 ")
    with socket.create_connection((address.host, address.port or 0), timeout=HANGS) as client:
        client.sendall(
            b"POST /api/things/7 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n"
            b"Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"{}")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_a_connection_goes_on_after_a_refused_body(api: httpx.Client) -> None:
    for content in (b"x" * 100_000, iter([b"x" * 70_000, b"y"])):
        assert (
            api.post("/things/1", headers={"Authorization": "Bearer other"}, content=content).status_code
            == 401
        )
        assert api.post("/things/1", content=b"x").status_code == 200


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
def test_a_method_that_nobody_knows_is_501_in_json(api: httpx.Client, method: str) -> None:
    response = api.request(method, "/things/1")

    assert (response.status_code, response.json()["error"]) == (501, "not_implemented")
    assert response.json()["detail"] == f"This server knows no method {method}."
    assert "request_id" in response.json()


@pytest.mark.parametrize(
    "header", [b"Content-Length: many", b"Content-Length: -1", b"Transfer-Encoding: chunked"]
)
def test_a_length_that_is_none_is_400_in_json(runtime: Runtime, header: bytes) -> None:
    address = httpx.URL(runtime.api_url)
    with socket.create_connection((address.host, address.port or 0), timeout=HANGS) as client:
        client.sendall(b"POST /api/open HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\nzz\r\n")
        answer = b""
        while part := client.recv(4096):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"] == "bad_request"


def test_absent_parameters_and_bodies_are_null(api: httpx.Client) -> None:
    event = event_of(api.get("/open"))

    assert event["pathParameters"] is None
    assert event["queryStringParameters"] is None
    assert event["multiValueQueryStringParameters"] is None
    assert event["stageVariables"] is None
    assert event["body"] is None
    assert event["isBase64Encoded"] is False


def test_path_parameters_are_decoded_and_an_encoded_slash_stays_in_its_segment(api: httpx.Client) -> None:
    assert event_of(api.get("/things/a%20b%2Fc"))["pathParameters"] == {"id": "a b/c"}


def test_a_greedy_parameter_takes_the_rest_of_the_path(api: httpx.Client) -> None:
    assert event_of(api.get("/files/a/b%20c/d"))["pathParameters"] == {"path": "a/b c/d"}


def test_a_trailing_slash_is_ignored(api: httpx.Client) -> None:
    assert event_of(api.get("/things/7/"))["path"] == "/things/7"


def test_repeated_headers_arrive_in_order(api: httpx.Client) -> None:
    event = event_of(api.get("/open", headers=[("X-Tag", "a"), ("X-Tag", "b")]))

    assert event["multiValueHeaders"]["X-Tag"] == ["a", "b"]
    assert event["headers"]["X-Tag"] == "b"


def test_bodies_of_binary_media_types_arrive_as_base64(api: httpx.Client) -> None:
    event = event_of(api.post("/open", content=b"\xff\x00"))

    assert (event["body"], event["isBase64Encoded"]) == ("/wA=", True)


def test_a_base64_answer_is_decoded(api: httpx.Client) -> None:
    response = api.get("/things/1?answer=binary")

    assert response.content == bytes(range(256))
    assert response.headers["content-type"] == "application/octet-stream"


def test_an_answer_may_set_a_header_several_times_and_some_names_are_kept(api: httpx.Client) -> None:
    response = api.get("/things/1?answer=headers")

    assert response.status_code == 201
    assert response.text == "made"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.headers["x-one"] == "1"
    assert response.headers["x-amzn-remapped-www-authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/json"


def test_204_has_no_body(api: httpx.Client) -> None:
    response = api.get("/things/1?answer=empty")

    assert (response.status_code, response.content) == (204, b"")


def test_any_serves_head_and_head_has_no_body(api: httpx.Client) -> None:
    response = api.head("/things/1")

    assert (response.status_code, response.content) == (200, b"")
    assert int(response.headers["content-length"]) > 100


@pytest.mark.parametrize("method", ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"])
def test_any_hands_each_method_on_as_it_is(api: httpx.Client, method: str) -> None:
    event = event_of(api.request(method, "/things/1"))

    assert (event["httpMethod"], event["resource"]) == (method, "/things/{id}")
    assert event["requestContext"]["authorizer"]["principalId"] == "someone"


@pytest.mark.parametrize("answer", ["malformed", "unknown-key", "raise", "exit", "memory"])
def test_a_failure_or_a_malformed_answer_is_502(api: httpx.Client, answer: str) -> None:
    response = api.get(f"/things/1?answer={answer}")

    assert response.status_code == 502
    assert response.json() == {"message": "Internal server error"}


def test_a_function_that_cannot_be_imported_is_502(api: httpx.Client) -> None:
    assert api.get("/broken").status_code == 502


def test_a_function_that_runs_out_of_time_is_502_and_works_again_afterwards(api: httpx.Client) -> None:
    assert api.get("/slow").status_code == 502
    assert api.get("/slow?again=1").text == "goodbye"


def test_an_answer_over_6_mb_is_502_and_one_below_passes(api: httpx.Client) -> None:
    assert len(api.get("/things/1?answer=large&size=6000000").content) == 6_000_000
    assert api.get("/things/1?answer=large&size=6300000").status_code == 502


def test_a_request_over_10_mb_is_413(api: httpx.Client) -> None:
    response = api.post("/open", content=b"x" * (10 * 2**20 + 1))

    assert response.status_code == 413
    assert response.json()["detail"] == "Request Too Long"


def test_unknown_routes_and_methods_are_403_in_the_templates_words(api: httpx.Client) -> None:
    elsewhere = str(api.base_url.copy_with(path="/v2"))
    for response in (api.get("/nowhere"), api.delete("/open"), api.get(elsewhere)):
        assert response.status_code == 403
        assert response.json() == {
            "error": "refused",
            "detail": "Missing Authentication Token",
            "request_id": response.headers["x-amzn-requestid"],
        }
        assert response.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


def test_deny_is_answered_with_the_templates_access_denied(api: httpx.Client) -> None:
    response = api.get("/things/1", headers={"Authorization": "Bearer other"})

    assert (response.status_code, response.text) == (401, '{"error":"unauthorized"}')
    assert "www-authenticate" not in response.headers


def test_raising_unauthorized_is_answered_with_the_templates_unauthorized(api: httpx.Client) -> None:
    response = api.get("/things/1", headers={"Authorization": "Bearer none"})

    assert (response.status_code, response.text) == (401, '{"error":"unauthorized"}')
    assert response.headers["www-authenticate"] == "Bearer"


def test_an_authorizer_that_breaks_is_500(api: httpx.Client) -> None:
    response = api.get("/things/1", headers={"Authorization": "Bearer fail"})

    assert (response.status_code, response.json()) == (500, {"message": None})


def test_without_caching_the_authorizer_is_asked_every_time_and_even_without_a_header(
    api: httpx.Client,
) -> None:
    first, second = (
        int(event_of(api.get("/things/1"))["requestContext"]["authorizer"]["calls"]) for _ in range(2)
    )
    assert second == first + 1
    del api.headers["Authorization"]
    assert api.get("/things/1").status_code == 401


def test_with_caching_the_authorizer_is_asked_once_and_never_without_a_header(api: httpx.Client) -> None:
    first, second = (event_of(api.get("/cached"))["requestContext"]["authorizer"]["calls"] for _ in range(2))
    assert first == second
    del api.headers["Authorization"]
    response = api.get("/cached")
    assert (response.status_code, response.headers["x-amzn-errortype"]) == (401, "UnauthorizedException")


def test_an_authorizers_context_reaches_the_function_as_strings(api: httpx.Client) -> None:
    context = event_of(api.get("/things/1"))["requestContext"]["authorizer"]

    assert context["principalId"] == "someone"
    assert context["flag"] == "true"
    assert context["name"] == "x"


def test_functions_see_the_templates_environment_their_own_values_and_their_layers(
    api: httpx.Client,
) -> None:
    assert api.get("/things/1?answer=environment").text == "hello from the layer"
    assert api.get("/slow?own=1").text == "goodbye"


def test_every_answer_carries_a_request_id(api: httpx.Client) -> None:
    response = api.get("/open")

    assert response.headers["x-amzn-requestid"] == json.loads(response.text)["requestContext"]["requestId"]


def test_a_body_in_chunks_is_read_whole(api: httpx.Client) -> None:
    event = event_of(api.post("/open", content=iter([b"ab", b"cd"])))

    assert event["body"] == "YWJjZA=="
