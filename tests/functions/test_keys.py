"""Keys: minted once, kept as a hash, revoked for good."""

import re

import pytest

from alma import keys
from alma.keys import Role
from alma.settings import settings
from tests.cloud import Tenant, client

pytestmark = pytest.mark.usefixtures("aws")


def _authorize(token: str | None, name: str = "Authorization") -> dict[str, object]:
    from tests.cloud import function

    headers = {} if token is None else {name: [f"Bearer {token}"]}
    app = function("authorizer")
    answer = app.handler(
        {
            "type": "REQUEST",
            "methodArn": "arn:aws:execute-api:eu-west-1:1:x/api/GET/v1/models",
            "headers": {name: values[0] for name, values in headers.items()},
            "multiValueHeaders": headers,
        },
        None,
    )
    effect = answer["policyDocument"]["Statement"][0]["Effect"]
    return {"effect": effect, **answer["context"]}


def test_a_minted_token_is_alma_and_33_base62_characters_and_is_shown_once() -> None:
    tenant = Tenant.create("greaves")

    minted = tenant.call("keys", "POST", "/v1/keys", body={"name": "scanner", "role": "reviewer"})

    assert minted.status == 201
    assert re.fullmatch(r"alma_[0-9A-Za-z]{33}", minted.json["token"])
    assert minted.json["role"] == "reviewer"
    assert minted.headers["Cache-Control"] == "no-store"
    listed = tenant.call("keys", "GET", "/v1/keys").json["keys"]
    assert [key["name"] for key in listed if key["id"] == minted.json["id"]] == ["scanner"]
    assert all("token" not in key for key in listed)


def test_nothing_in_the_table_holds_a_token() -> None:
    tenant = Tenant.create("greaves")

    rows = client("dynamodb").scan(TableName=settings().table)["Items"]

    secret = tenant.tokens[Role.ADMIN].removeprefix("alma_")[8:]
    assert rows
    assert secret not in repr(rows)


def test_the_authorizer_passes_on_whose_key_it_is() -> None:
    tenant = Tenant.create("greaves")

    assert _authorize(tenant.tokens[Role.READER]) == {
        "effect": "Allow",
        "organisation": "greaves",
        "key_id": tenant.ids[Role.READER],
        "role": "reader",
    }


def test_header_names_are_case_insensitive() -> None:
    tenant = Tenant.create("greaves")

    assert _authorize(tenant.tokens[Role.READER], "authorization")["effect"] == "Allow"


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "alma_",
        "alma_7Qb3kP9wY2hC8tD0vN5xM1aZ6sR4fL2gJ",
        "alma_7Qb3kP9wY2hC8tD0vN5xM1aZ6sR4fL2g",
        "sk_7Qb3kP9wY2hC8tD0vN5xM1aZ6sR4fL2gJ",
        "x" * 100_000,
    ],
)
def test_a_missing_malformed_or_unknown_token_is_denied(token: str | None) -> None:
    assert _authorize(token) == {"effect": "Deny"}


def test_a_token_with_the_right_beginning_and_the_wrong_end_is_denied() -> None:
    token = Tenant.create("greaves").tokens[Role.ADMIN]
    other = "A" if token[-1] != "A" else "B"

    assert _authorize(token[:-1] + other) == {"effect": "Deny"}


def test_a_revoked_key_is_denied_once_the_authorizer_forgets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.cloud import function

    tenant = Tenant.create("greaves")
    token, key_id = tenant.tokens[Role.READER], tenant.ids[Role.READER]
    clock = [1000.0]
    monkeypatch.setattr(function("authorizer").time, "time", lambda: clock[0])
    assert _authorize(token)["effect"] == "Allow"

    assert tenant.call("keys", "DELETE", "/v1/keys/{id}", path={"id": key_id}).status == 204

    clock[0] += 30
    assert _authorize(token) == {"effect": "Deny"}
    revoked = {key.id: key.revoked_at for key in keys.list_keys("greaves")}
    assert revoked[key_id] is not None


def test_revoking_twice_is_fine_and_another_organisations_key_is_absent() -> None:
    one, two = Tenant.create("one"), Tenant.create("two")
    path = {"id": one.ids[Role.READER]}

    assert two.call("keys", "DELETE", "/v1/keys/{id}", path=path).status == 404
    assert one.call("keys", "DELETE", "/v1/keys/{id}", path=path).status == 204
    assert one.call("keys", "DELETE", "/v1/keys/{id}", path=path).status == 204


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "The body is not what this route takes: name: Field required."),
        (
            {"name": "x", "role": "owner"},
            "The body is not what this route takes: role: Input should be 'admin', 'reviewer' or 'reader'.",
        ),
        (
            {"name": "x", "organisation": "other"},
            "The body is not what this route takes: organisation: Extra inputs are not permitted.",
        ),
    ],
)
def test_a_key_needs_a_name_and_a_known_role(body: dict[str, str], sentence: str) -> None:
    answer = Tenant.create("greaves").call("keys", "POST", "/v1/keys", body=body)

    assert (answer.status, answer.json["detail"]) == (400, sentence)


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.READER])
def test_only_an_administrator_sees_or_mints_keys(role: Role) -> None:
    tenant = Tenant.create("greaves")

    for method, resource in (("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/{id}")):
        answer = tenant.call("keys", method, resource, path={"id": "x"}, body={"name": "x"}, role=role)
        assert (answer.status, answer.json["error"]) == (403, "forbidden")
