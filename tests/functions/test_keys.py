"""Keys: minted once, kept as a hash, revoked for good."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pynamodb.transactions import TransactWrite

from alma.access import authentication, keys
from alma.access.keys import Role
from alma.access.scopes import Scope
from alma.clock import timestamp
from alma.settings import settings
from alma.storage import transactions
from tests.cloud import Answer, Tenant, client, conflict, function

pytestmark = pytest.mark.usefixtures("aws")


def _authorize(token: str | None, name: str = "Authorization") -> dict[str, object]:
    return _authorized({} if token is None else {name: [f"Bearer {token}"]})


def _authorized(headers: dict[str, Any]) -> dict[str, object]:
    app = function("authorizer")
    answer = app.handler(
        {
            "type": "REQUEST",
            "methodArn": "arn:aws:execute-api:eu-west-1:1:x/api/GET/v1/models",
            "headers": {name: values and values[0] for name, values in headers.items()},
            "multiValueHeaders": headers,
        },
        None,
    )
    app.background.submit(int).result()  # what the authorizer does not wait for is done
    effect = answer["policyDocument"]["Statement"][0]["Effect"]
    return {"effect": effect, **answer["context"]}


def test_a_minted_token_is_alma_and_33_base62_characters_and_is_shown_once() -> None:
    tenant = Tenant.create("greaves").mint_all()

    minted = tenant.call("keys", "POST", "/v1/keys", body={"name": "scanner", "role": "reviewer"})

    assert minted.status == 201
    assert re.fullmatch(r"alma_[0-9A-Za-z]{33}", minted.json["token"])
    assert minted.json["role"] == "reviewer"
    assert minted.headers["Cache-Control"] == "no-store"
    listed = tenant.call("keys", "GET", "/v1/keys").json["keys"]
    assert [key["name"] for key in listed if key["id"] == minted.json["id"]] == ["scanner"]
    assert all("token" not in key for key in listed)


def test_nothing_in_the_table_holds_a_token() -> None:
    tenant = Tenant.create("greaves").mint_all()

    rows = client("dynamodb").scan(TableName=settings().table)["Items"]

    secret = tenant.tokens[Role.ADMIN].removeprefix("alma_")[8:]
    assert rows
    assert secret not in repr(rows)


def test_the_authorizer_passes_on_whose_key_it_is() -> None:
    tenant = Tenant.create("greaves").mint_all()

    assert _authorize(tenant.tokens[Role.READER]) == {
        "effect": "Allow",
        "organisation": "greaves",
        "key_id": tenant.ids[Role.READER],
        "user": tenant.ids[Role.READER],
        "role": "reader",
        "scopes": "documents:read models:read export:read mcp:read",
    }


def test_header_names_are_case_insensitive() -> None:
    tenant = Tenant.create("greaves").mint_all()

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
    token = Tenant.create("greaves").mint_all().tokens[Role.ADMIN]
    other = "A" if token[-1] != "A" else "B"

    assert _authorize(token[:-1] + other) == {"effect": "Deny"}


def test_a_revoked_key_is_denied_once_the_authorizer_forgets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenant = Tenant.create("greaves").mint_all()
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
    one, two = Tenant.create("one").mint_all(), Tenant.create("two").mint_all()
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
            "There is no key organisation; the body takes name, role, scopes, owner and expiresAt.",
        ),
    ],
)
def test_a_key_needs_a_name_and_a_known_role(body: dict[str, str], sentence: str) -> None:
    answer = Tenant.create("greaves").mint_all().call("keys", "POST", "/v1/keys", body=body)

    assert (answer.status, answer.json["detail"]) == (400, sentence)


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.READER])
def test_only_an_administrator_sees_or_mints_keys(role: Role) -> None:
    tenant = Tenant.create("greaves").mint_all()

    for method, resource in (("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/{id}")):
        answer = tenant.call("keys", method, resource, path={"id": "x"}, body={"name": "x"}, role=role)
        assert (answer.status, answer.json["error"]) == (403, "forbidden")


# --- two headers -----------------------------------------------------------


def test_either_header_carries_the_key_and_both_may_carry_the_same() -> None:
    token = Tenant.create("greaves").mint_all().tokens[Role.READER]

    assert _authorized({"X-API-Key": [token]})["effect"] == "Allow"
    assert _authorized({"x-api-key": [token], "authorization": [f"Bearer {token}"]})["effect"] == "Allow"
    assert _authorized({"X-API-Key": [token, token]})["effect"] == "Allow"


def test_headers_that_name_different_keys_are_refused_though_both_are_good() -> None:
    tokens = Tenant.create("greaves").mint_all().tokens
    reader, admin = tokens[Role.READER], tokens[Role.ADMIN]

    for headers in (
        {"X-API-Key": [reader], "Authorization": [f"Bearer {admin}"]},
        {"X-API-Key": [reader, admin]},
        {"Authorization": [f"Bearer {reader}", f"Bearer {admin}"]},
        {"X-API-Key": [reader], "Authorization": ["Basic YTpi"]},
        {"X-API-Key": [""], "Authorization": [f"Bearer {admin}"]},
        {"X-API-Key": [f"Bearer {reader}"]},
    ):
        assert _authorized(headers) == {"effect": "Deny"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": [""]},
        {"Authorization": ["   "]},
        {"Authorization": ["Bearer"]},
        {"Authorization": ["Bearer "]},
        {"Authorization": None},
        {"X-API-Key": ["\t"]},
    ],
)
def test_a_header_without_a_key_is_denied_and_is_no_failure(headers: dict[str, Any]) -> None:
    assert _authorized(headers) == {"effect": "Deny"}


# --- scopes ----------------------------------------------------------------


def mint(tenant: Tenant, **body: object) -> Answer:
    return tenant.call("keys", "POST", "/v1/keys", body={"name": "n", **body})


def test_a_key_may_have_fewer_scopes_than_its_role_and_an_owner() -> None:
    minted = mint(
        Tenant.create("greaves").mint_all(),
        role="admin",
        scopes=["models:read", "documents:read"],
        owner="ines@greaves.example",
    )

    assert minted.status == 201
    assert minted.json["scopes"] == ["documents:read", "models:read"]
    assert minted.json["owner"] == "ines@greaves.example"
    assert _authorize(minted.json["token"])["scopes"] == "documents:read models:read"


def test_scopes_do_not_widen_a_role() -> None:
    answer = mint(Tenant.create("greaves").mint_all(), role="reader", scopes=["documents:read", "keys:admin"])

    assert (answer.status, answer.json["detail"]) == (
        400,
        "A reader has no keys:admin; name another role or fewer scopes.",
    )


def test_nobody_gives_what_they_do_not_have() -> None:
    tenant = Tenant.create("greaves").mint_all()
    mine = ["keys:admin", "documents:read"]

    widened = tenant.call("keys", "POST", "/v1/keys", body={"name": "n", "role": "reader"}, scopes=mine)
    assert (widened.status, widened.json["detail"]) == (
        403,
        "Your key has no models:read, export:read, mcp:read, so it cannot give that to another.",
    )
    body = {"name": "n", "role": "reader", "scopes": ["documents:read"]}
    assert tenant.call("keys", "POST", "/v1/keys", body=body, scopes=mine).status == 201
    path = {"id": tenant.ids[Role.ADMIN]}
    rotated = tenant.call("keys", "POST", "/v1/keys/{id}/rotate", path=path, body={}, scopes=mine)
    assert rotated.status == 403


def test_a_key_of_a_version_before_scopes_has_those_of_its_role() -> None:
    tenant = Tenant.create("greaves").mint_all()
    for row in client("dynamodb").scan(TableName=settings().table)["Items"]:
        assert "scopes" not in row  # a row without is what that version wrote

    assert tenant.call("documents", "GET", "/v1/documents", role=Role.READER).status == 200
    assert _authorize(tenant.tokens[Role.REVIEWER])["scopes"] == (
        "documents:read documents:write review:write models:read export:read mcp:read mcp:write"
    )


# --- expiry, use, rotation -------------------------------------------------


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def move(self, **by: int) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    for module in (authentication, keys):
        monkeypatch.setattr(module, "now", moved.now)
        monkeypatch.setattr(module, "timestamp", lambda at=None: timestamp(at or moved.now()))
    return moved


def test_an_expired_key_is_denied_even_while_the_authorizer_remembers_it(clock: Clock) -> None:
    tenant = Tenant.create("greaves").mint_all()
    minted = mint(tenant, expiresAt="2026-11-24T13:00:05+01:00")
    assert minted.json["expiresAt"] == "2026-11-24T12:00:05Z"
    assert _authorize(minted.json["token"])["effect"] == "Allow"

    clock.move(seconds=5)

    assert _authorize(minted.json["token"]) == {"effect": "Deny"}


def test_an_expiry_that_has_passed_is_refused(clock: Clock) -> None:
    answer = mint(Tenant.create("greaves").mint_all(), expiresAt="2026-11-24T12:00:00Z")

    assert (answer.status, answer.json["detail"]) == (
        400,
        "The key would have expired already; give a time to come.",
    )


@pytest.mark.usefixtures("clock")
def test_an_expiry_may_be_a_day_as_in_the_commands() -> None:
    tenant = Tenant.create("greaves").mint_all()

    assert mint(tenant, expiresAt="2027-01-31").json["expiresAt"] == "2027-01-31T00:00:00Z"
    for wrong in ("2027-02-31", "morgen"):
        assert mint(tenant, expiresAt=wrong).json["detail"] == (
            "expiresAt is a day, 2027-01-31, or a time with its zone, 2027-01-31T09:00:00Z."
        )


def test_a_key_that_expires_mints_none_that_outlives_it(clock: Clock) -> None:
    tenant = Tenant.create("greaves").mint_all()
    minted = mint(tenant, role="admin", expiresAt="2026-12-01T00:00:00Z").json
    tenant.ids[Role.ADMIN] = minted["id"]

    refused = mint(tenant)
    assert (refused.status, refused.json["detail"]) == (
        403,
        "Your key expires at 2026-12-01T00:00:00Z; let the new one expire by then.",
    )
    assert mint(tenant, expiresAt="2026-12-02T00:00:00Z").status == 403
    assert mint(tenant, expiresAt="2026-12-01T00:00:00Z").status == 201


def last_use(tenant: Tenant) -> dict[str, str | None]:
    return {key.id: key.last_used_at for key in keys.list_keys(tenant.organisation)}


def test_the_last_use_is_kept_exact_to_five_minutes_and_outlives_the_key(clock: Clock) -> None:
    tenant = Tenant.create("greaves").mint_all()
    token, key_id = tenant.tokens[Role.READER], tenant.ids[Role.READER]
    function("authorizer")._seen.clear()

    assert last_use(tenant)[key_id] is None
    _authorize(token)
    assert last_use(tenant) == {**dict.fromkeys(tenant.ids.values()), key_id: "2026-11-24T12:00:00Z"}
    clock.move(minutes=4)
    function("authorizer")._seen.clear()
    _authorize(token)
    assert last_use(tenant)[key_id] == "2026-11-24T12:00:00Z"
    clock.move(minutes=1)
    function("authorizer")._seen.clear()
    _authorize(token)
    assert last_use(tenant)[key_id] == "2026-11-24T12:05:00Z"
    keys.revoke("greaves", key_id)
    assert last_use(tenant)[key_id] == "2026-11-24T12:05:00Z"


def test_a_key_whose_use_cannot_be_written_down_works(monkeypatch: pytest.MonkeyPatch) -> None:
    token = Tenant.create("greaves").mint_all().tokens[Role.READER]

    def fails(_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(authentication, "note_use", fails)
    assert _authorize(token)["effect"] == "Allow"


def test_writing_down_a_use_does_not_bring_a_revoked_key_back() -> None:
    tenant = Tenant.create("greaves").mint_all()
    caller = authentication.identify(tenant.tokens[Role.READER])
    assert caller is not None
    keys.revoke("greaves", caller.key_id)

    authentication.note_use(caller)

    assert authentication.identify(tenant.tokens[Role.READER]) is None


def rotate(tenant: Tenant, key_id: str, body: object = None) -> Answer:
    return tenant.call("keys", "POST", "/v1/keys/{id}/rotate", path={"id": key_id}, body=body or {})


def test_rotation_gives_the_same_rights_and_the_old_key_goes_on_for_the_overlap(clock: Clock) -> None:
    tenant = Tenant.create("greaves").mint_all()
    old = mint(tenant, role="reviewer", scopes=["documents:write"], owner="ines").json

    new = rotate(tenant, old["id"], {"overlapSeconds": 600})

    assert new.status == 201
    assert new.headers["Cache-Control"] == "no-store"
    same = ("name", "owner", "role", "scopes", "expiresAt")
    assert {name: new.json[name] for name in same} == {name: old[name] for name in same}
    assert new.json["createdBy"] == tenant.ids[Role.ADMIN]
    (listed,) = (key for key in keys.list_keys("greaves") if key.id == old["id"])
    assert (listed.replaced_by, listed.valid_until) == (new.json["id"], "2026-11-24T12:10:00Z")
    assert authentication.identify(old["token"]) is not None
    clock.move(seconds=600)
    assert authentication.identify(old["token"]) is None
    assert authentication.identify(new.json["token"]) is not None


def test_rotation_without_overlap_ends_the_old_key_at_once_and_never_prolongs_one(clock: Clock) -> None:
    tenant = Tenant.create("greaves").mint_all()
    one, two = mint(tenant).json, mint(tenant, expiresAt="2026-11-24T12:01:00Z").json

    rotate(tenant, one["id"], {"overlapSeconds": 0})
    assert authentication.identify(one["token"]) is None
    rotated = rotate(tenant, two["id"], {"overlapSeconds": 604800}).json
    assert rotated["expiresAt"] == "2026-11-24T12:01:00Z"
    clock.move(minutes=1)
    assert authentication.identify(two["token"]) is authentication.identify(rotated["token"]) is None


def test_a_key_is_rotated_once_and_not_when_it_is_not_good() -> None:
    tenant, stranger = Tenant.create("greaves").mint_all(), Tenant.create("stranger").mint_all()
    rotated, revoked = mint(tenant).json["id"], mint(tenant).json["id"]
    assert rotate(tenant, rotated).status == 201
    keys.revoke("greaves", revoked)

    for key_id in (rotated, revoked):
        answer = rotate(tenant, key_id)
        assert (answer.status, answer.json["error"]) == (409, "key_not_good")
    assert rotate(tenant, "key_x").status == 404
    assert rotate(stranger, tenant.ids[Role.READER]).status == 404
    assert rotate(tenant, tenant.ids[Role.READER], {"overlapSeconds": 604801}).status == 400


def test_a_revoked_key_mints_and_rotates_nothing_while_the_authorizer_remembers_it() -> None:
    tenant = Tenant.create("greaves").mint_all()
    reader = tenant.ids[Role.READER]
    keys.revoke("greaves", tenant.ids[Role.ADMIN])
    before = keys.list_keys("greaves")

    for answer in (mint(tenant), rotate(tenant, reader)):
        assert (answer.status, answer.json) == (401, {"error": "unauthorized"})
    assert rotate(tenant, tenant.ids[Role.ADMIN]).status == 409  # itself
    assert keys.list_keys("greaves") == before


def test_a_revoked_key_revokes_nothing_while_the_authorizer_remembers_it(clock: Clock) -> None:
    tenant = Tenant.create("greaves").mint_all()
    reader, admin = tenant.ids[Role.READER], tenant.ids[Role.ADMIN]
    passing = mint(tenant, role="admin", expiresAt="2026-11-24T12:01:00Z").json["id"]
    keys.revoke("greaves", admin)
    before = keys.list_keys("greaves")

    for key_id in (reader, admin, passing):
        for descendants in (None, "true"):
            assert revoke(tenant, key_id, descendants).status == 401
    clock.move(minutes=2)
    tenant.ids[Role.ADMIN] = passing
    assert revoke(tenant, reader).status == 401
    assert keys.list_keys("greaves") == before


def test_a_key_that_is_revoked_at_the_same_moment_revokes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = Tenant.create("greaves").mint_all()
    monkeypatch.setattr(keys, "_check_still_good", lambda by: keys.revoke("greaves", by.key_id))

    assert revoke(tenant, tenant.ids[Role.READER]).status == 401
    assert _authorize(tenant.tokens[Role.READER])["effect"] == "Allow"


def test_a_key_takes_away_no_more_than_it_could_give() -> None:
    tenant = Tenant.create("greaves").mint_all()
    full, like = tenant.ids[Role.ADMIN], mint(tenant, role="admin", scopes=["keys:admin"]).json["id"]
    narrow = mint(tenant, role="admin", scopes=["keys:admin"]).json["id"]

    def call(method: str, resource: str, key_id: str) -> Answer:
        return tenant.call("keys", method, resource, path={"id": key_id}, scopes=["keys:admin"])

    tenant.ids[Role.ADMIN] = narrow
    for key_id in (full, tenant.ids[Role.READER]):
        refused = call("DELETE", "/v1/keys/{id}", key_id)
        assert (refused.status, refused.json["error"]) == (403, "forbidden")
        assert refused.json["detail"].startswith(f"{key_id} has documents:read, ")
        assert call("POST", "/v1/keys/{id}/rotate", key_id).status == 403
    assert [key.id for key in keys.list_keys("greaves") if key.revoked_at] == []
    assert call("DELETE", "/v1/keys/{id}", like).status == 204
    assert call("DELETE", "/v1/keys/{id}", narrow).status == 204  # itself


def test_a_key_may_revoke_its_maker_and_itself_with_all_that_that_made() -> None:
    tenant = Tenant.create("greaves").mint_all()
    maker, sibling = tenant.ids[Role.ADMIN], mint(tenant).json["id"]
    own = mint(tenant, role="admin").json["id"]
    tenant.ids[Role.ADMIN] = own
    child = mint(tenant).json["id"]

    assert revoke(tenant, maker, "true").status == 204

    gone = {key.id for key in keys.list_keys("greaves") if key.revoked_at}
    assert gone == {maker, sibling, own, child}


def test_the_last_administrators_key_goes_and_the_operator_mints_another() -> None:
    tenant = Tenant.create("greaves")

    assert revoke(tenant, tenant.ids[Role.ADMIN]).status == 204

    assert _authorize(tenant.tokens[Role.ADMIN])["effect"] == "Deny"
    _, token = keys.create("greaves", "next", Role.ADMIN)
    assert _authorize(token)["effect"] == "Allow"


def test_an_expired_key_mints_nothing_while_the_authorizer_remembers_it(clock: Clock) -> None:
    tenant = Tenant.create("greaves").mint_all()
    tenant.ids[Role.ADMIN] = mint(tenant, role="admin", expiresAt="2026-11-24T12:01:00Z").json["id"]
    clock.move(minutes=1)

    assert mint(tenant, expiresAt="2026-11-24T12:00:59Z").status == 400
    assert rotate(tenant, tenant.ids[Role.READER]).status == 403


def test_a_key_in_wrong_hands_goes_with_all_that_it_made() -> None:
    tenant = Tenant.create("greaves").mint_all()
    owner, stolen = tenant.ids[Role.ADMIN], mint(tenant, role="admin").json
    spared = mint(tenant).json
    tenant.ids[Role.ADMIN] = stolen["id"]
    minted = mint(tenant, role="admin").json
    taken_over = rotate(tenant, tenant.ids[Role.READER]).json
    tenant.ids[Role.ADMIN] = minted["id"]
    deeper = mint(tenant).json
    heir = rotate(tenant, stolen["id"]).json
    tenant.ids[Role.ADMIN] = owner
    gone = [stolen, minted, taken_over, deeper, heir]

    assert revoke(tenant, stolen["id"], "yes").status == 400
    assert revoke(tenant, stolen["id"]).status == 204
    assert [authentication.identify(each["token"]) is None for each in gone] == [
        True,
        False,
        False,
        False,
        False,
    ]
    assert revoke(tenant, stolen["id"], "true").status == 204

    assert [authentication.identify(each["token"]) for each in gone] == [None] * 5
    assert authentication.identify(spared["token"]) is not None
    listed = {key["id"]: key for key in tenant.call("keys", "GET", "/v1/keys").json["keys"]}
    assert {listed[each["id"]]["revokedBy"] for each in gone} == {owner}


def revoke(tenant: Tenant, key_id: str, descendants: str | None = None) -> Answer:
    query = None if descendants is None else {"descendants": descendants}
    return tenant.call("keys", "DELETE", "/v1/keys/{id}", path={"id": key_id}, query=query)


def test_rows_that_another_transaction_holds_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = Tenant.create("greaves").mint_all()
    held, begin = [0], transactions.transaction

    def contended() -> TransactWrite:
        if held[0]:
            held[0] -= 1
            raise conflict()
        return begin()

    monkeypatch.setattr(transactions, "transaction", contended)
    held[0] = 2
    assert (mint(tenant).status, held[0]) == (201, 0)
    held[0] = 2
    assert (rotate(tenant, tenant.ids[Role.REVIEWER]).status, held[0]) == (201, 0)
    held[0] = 2
    assert (revoke(tenant, tenant.ids[Role.READER]).status, held[0]) == (204, 0)


def test_rows_that_stay_held_are_an_outage_to_come_back_after(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = Tenant.create("greaves").mint_all()

    def held() -> Any:
        raise conflict()

    monkeypatch.setattr(transactions, "transaction", held)
    monkeypatch.setattr("time.sleep", lambda _: None)

    answer = revoke(tenant, tenant.ids[Role.READER])

    assert (answer.status, answer.json["error"], answer.headers["Retry-After"]) == (503, "unavailable", "5")


def test_an_organisation_has_no_more_good_keys_than_it_may(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    four = replace(settings(), max_keys=4)
    monkeypatch.setattr(keys, "settings", lambda: four)
    tenant = Tenant.create("greaves").mint_all()
    assert mint(tenant, expiresAt="2026-11-24T13:00:00Z").status == 201

    refused = mint(tenant)
    assert (refused.status, refused.json["error"]) == (409, "too_many_keys")
    assert refused.json["detail"] == "There are 4 good keys, which is the most; revoke one first."
    assert rotate(tenant, tenant.ids[Role.READER]).status == 201  # one for another
    clock.move(hours=25)
    assert mint(tenant).status == 201


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            {"expiresAt": "9999-12-31T23:59:59-12:00"},
            "The expiry is too far away; leave it out for none.",
        ),
        (
            {"name": "console\u202e"},
            "People read a key's name and owner: it has a control or invisible character, U+202E; "
            "leave it out.",
        ),
        (
            {"owner": "ines\u0000"},
            "People read a key's name and owner: it has a control or invisible character, U+0000; "
            "leave it out.",
        ),
    ],
)
def test_what_cannot_be_kept_or_seen_of_a_key_is_refused(body: dict[str, str], sentence: str) -> None:
    answer = mint(Tenant.create("greaves").mint_all(), **body)

    assert (answer.status, answer.json["detail"]) == (400, sentence)


def test_a_narrowed_key_hands_on_what_there_is_now_and_not_what_its_role_is_given_later() -> None:
    tenant = Tenant.create("greaves").mint_all()
    narrowed = [scope.value for scope in Scope if scope is not Scope.MODELS_WRITE]
    body = {"name": "n", "role": "reader"}

    tenant.call("keys", "POST", "/v1/keys", body=body, scopes=narrowed)
    tenant.call("keys", "POST", "/v1/keys", body=body)

    kept = [sorted(row.get("scopes", {}).get("SS", [])) for row in key_rows() if row["name"]["S"] == "n"]
    assert sorted(kept) == [[], ["documents:read", "export:read", "mcp:read", "models:read"]]


def key_rows() -> list[dict[str, Any]]:
    rows = client("dynamodb").scan(TableName=settings().table)["Items"]
    return [row for row in rows if row["kind"]["S"] == "key"]
