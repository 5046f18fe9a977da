"""Limits: a key and an address may send so many requests, and every answer says how many are left."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from threading import Lock
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from alma.access import authentication, keys, rate_limits
from alma.access.keys import Role
from alma.access.rate_limit_classes import RateLimitClass
from alma.access.rate_limits import Bucket
from alma.api.routes import ROUTES
from alma.documents import intake, progress
from alma.settings import settings
from alma.storage import token_bucket
from tests.cloud import Answer, Tenant, client, function, seed_fields

pytestmark = pytest.mark.usefixtures("aws")

SECOND = 1_000_000
Limit = Callable[..., None]


class Clock:
    """What the limiter takes for the time, in microseconds."""

    def __init__(self) -> None:
        self.at = 1_764_000_000 * SECOND

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    standing = Clock()
    monkeypatch.setattr(rate_limits, "_microseconds", standing)
    return standing


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Limit:
    def switch_on(**given: str) -> None:
        limited = replace(settings(), **{f"limit_{family}": text for family, text in given.items()})  # type: ignore[arg-type]
        monkeypatch.setattr(rate_limits, "settings", lambda: limited)

    return switch_on


def read(tenant: Tenant, role: Role = Role.READER, address: str = "192.0.2.1") -> Answer:
    return tenant.call("documents", "GET", "/v1/documents", role=role, address=address)


def mint(tenant: Tenant, role: Role = Role.ADMIN, address: str = "192.0.2.1") -> Answer:
    body = {"name": "n", "scopes": ["documents:read"]}
    return tenant.call("keys", "POST", "/v1/keys", body=body, role=role, address=address)


def standing(answer: Answer) -> tuple[str, str, str]:
    return tuple(answer.headers[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset"))  # type: ignore[return-value]


def rows() -> dict[tuple[str, str], dict[str, dict[str, str]]]:
    found = client("dynamodb").scan(TableName=settings().table)["Items"]
    return {(row["pk"]["S"], row["sk"]["S"]): row for row in found if row["pk"]["S"].startswith("limit#")}


@pytest.fixture
def one_update_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Condition and update of a row are one step in DynamoDB; in moto two threads can come between them."""
    update, lock = token_bucket._update, Lock()

    def atomic(*arguments: Any) -> int:
        with lock:
            return update(*arguments)

    monkeypatch.setattr(token_bucket, "_update", atomic)


@pytest.mark.usefixtures("one_update_at_a_time")
def test_80_calls_at_once_on_one_key_let_in_exactly_the_burst(clock: Clock, limit: Limit) -> None:
    limit(reading="600/60")
    tenant = Tenant.create("greaves").mint_all()
    read(tenant, Role.ADMIN)  # imports are not what this is about

    with ThreadPoolExecutor(80) as pool:
        answers = list(pool.map(lambda _: read(tenant).status, range(80)))

    assert (answers.count(200), answers.count(429)) == (60, 20)


def test_what_is_sent_over_the_limit_is_told_when_to_come_back(clock: Clock, limit: Limit) -> None:
    limit(reading="6/3")
    tenant = Tenant.create("greaves").mint_all()

    assert [standing(read(tenant)) for _ in range(3)] == [
        ("3", "2", "1764000010"),
        ("3", "1", "1764000020"),
        ("3", "0", "1764000030"),
    ]
    clock.at += 500_000
    refused = read(tenant)
    assert refused.status == 429
    assert refused.json == {
        "error": "rate_limited",
        "detail": "Too many requests with this key; try again in 10 seconds.",
        "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    }
    assert refused.headers["Retry-After"] == "10"
    assert standing(refused) == ("3", "0", "1764000030")
    clock.at += 9_500_000
    assert read(tenant).status == 200
    assert read(tenant).status == 429


def test_a_rested_key_has_its_burst_again_and_no_more(clock: Clock, limit: Limit) -> None:
    limit(reading="60/3")
    tenant = Tenant.create("greaves").mint_all()
    read(tenant)

    clock.at += 86_400 * SECOND

    assert [read(tenant).status for _ in range(4)] == [200, 200, 200, 429]


def test_refused_requests_do_not_put_off_the_next_that_is_let_in(clock: Clock, limit: Limit) -> None:
    limit(reading="60/1")
    tenant = Tenant.create("greaves").mint_all()
    assert read(tenant).status == 200

    for _ in range(10):
        clock.at += 90_000
        assert read(tenant).status == 429
    clock.at += 100_000
    assert read(tenant).status == 200


def advance(bucket: Bucket, now: int) -> tuple[bool, int]:
    return token_bucket.advance(
        "limit#key#x",
        "reading",
        now=now,
        interval=bucket.interval,
        tolerance=bucket.tolerance,
        keep=60,
        counter=None,
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_table_decides_as_the_generic_cell_rate_algorithm_does(seed: int) -> None:
    random, bucket, stored, at = Random(seed), Bucket(600, 5), 0, 1_764_000_000 * SECOND
    for _ in range(60):
        at += random.choice((0, 0, 10_000, 90_000, 100_000, 400_000))
        if random.random() < 0.3:
            token_bucket._last.clear()  # as another process, which has not seen the row
        following = max(stored, at) + bucket.interval
        expected = following - at <= bucket.tolerance
        stored = following if expected else stored

        assert advance(bucket, at) == (expected, stored)


def test_a_clock_that_is_ahead_gives_its_lead_away_once() -> None:
    at, skew, let_in = 1_764_000_000 * SECOND, 3 * SECOND, 0

    for half_second in range(13):  # a process that is right and one that is ahead, in turns
        token_bucket._last.clear()
        now = at + half_second * SECOND // 2 + (skew if half_second % 2 else 0)
        while advance(Bucket(60, 5), now)[0]:
            let_in += 1

    # The burst, and a token for each second up to 8.5, which the process that is ahead saw last: its lead is
    # given away once, though it had six turns.
    assert let_in == 5 + 8


def test_one_update_decides_and_two_where_another_process_was_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, update = [0], token_bucket._update

    def counted(*arguments: object) -> int:
        calls[0] += 1
        return update(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(token_bucket, "_update", counted)

    def take() -> int:
        calls[0] = 0
        advance(Bucket(60, 3), SECOND)
        return calls[0]

    token_bucket._last.clear()
    assert take() == 1  # nobody was here before
    assert take() == 1  # it is known where the row stands
    token_bucket._last.clear()
    assert take() == 2  # it is not
    assert take() == 1  # refused


def test_families_have_buckets_of_their_own(clock: Clock, limit: Limit) -> None:
    limit(reading="60/1", writing="60/2")
    tenant = Tenant.create("greaves").mint_all()

    assert (read(tenant, Role.ADMIN).status, read(tenant, Role.ADMIN).status) == (200, 429)
    announced = tenant.call("documents", "POST", "/v1/documents", body={"fileName": "a.pdf"})
    assert (announced.status, announced.headers["X-RateLimit-Limit"]) == (201, "2")


def test_every_route_has_a_family_and_these_are_not_the_ordinary_ones() -> None:
    special = {
        row.operation: row.rate_limit_class.value
        for row in ROUTES
        if row.rate_limit_class
        is not (RateLimitClass.READING if row.method == "GET" else RateLimitClass.WRITING)
    }
    assert special == {
        "digitize": "reading",
        "digitize_with_model": "models",
        "extract_again": "models",
        "create_model": "models",
        "export_document": "export",
        "list_datasets": "export",
        "get_dataset": "export",
        "create_key": "minting",
        "rotate_key": "minting",
        "mcp": "mcp",
        "mcp_stream": "mcp",
        "mcp_session": "mcp",
    }


def test_many_keys_behind_one_address_share_four_times_the_limit(clock: Clock, limit: Limit) -> None:
    limit(reading="60/2")
    tenants = [Tenant.create(name) for name in ("one", "two", "three")]

    answers = [read(tenant, role) for tenant in tenants for role in Role for _ in range(2)]

    assert [answer.status for answer in answers] == [200] * 8 + [429] * 10
    assert answers[-1].json["detail"] == "Too many requests from this address; try again in 1 second."
    assert standing(answers[-1])[:2] == ("8", "0")
    assert read(tenants[2], address="192.0.2.2").status == 429  # what the address refused, the key has paid
    clock.at += SECOND
    assert read(tenants[2], address="192.0.2.2").status == 200


def test_no_header_says_where_a_request_comes_from(clock: Clock, limit: Limit) -> None:
    limit(reading="60/1")

    def health(claimed: str) -> int:
        headers = {"X-Forwarded-For": claimed, "Forwarded": f"for={claimed}", "X-Real-IP": claimed}
        return Tenant("nobody").call("portal", "GET", "/v1/health", role=None, headers=headers).status

    assert [health(f"198.51.100.{number}") for number in range(5)] == [200] * 4 + [429]


def test_an_address_of_version_6_is_its_network(clock: Clock, limit: Limit) -> None:
    limit(reading="60/1")
    portal = Tenant("nobody")

    def health(address: str) -> int:
        return portal.call("portal", "GET", "/v1/health", role=None, address=address).status

    assert [health(f"2001:db8:0:1::{number}") for number in range(5)] == [200] * 4 + [429]
    assert health("2001:db8:0:2::1") == 200
    assert {partition for partition, _ in rows()} == {
        "limit#anybody#2001:db8:0:1::/64",
        "limit#anybody#2001:db8:0:2::/64",
    }


def test_minting_has_a_bucket_by_key_and_one_by_address(clock: Clock, limit: Limit) -> None:
    limit(minting="5/1")
    tenants = [Tenant.create(name) for name in ("one", "two", "three", "four", "five")]

    assert [mint(tenants[0]).status for _ in range(2)] == [201, 429]
    assert mint(tenants[0], address="192.0.2.9").status == 429  # the key, from another address
    assert [mint(tenant).status for tenant in tenants[1:]] == [201, 201, 201, 429]  # the address, with others
    assert read(tenants[4]).status == 200


def test_who_may_not_mint_takes_nothing_from_those_who_may(clock: Clock, limit: Limit) -> None:
    limit(minting="5/1", reading="60/2")
    tenant = Tenant.create("greaves").mint_all()

    assert [mint(tenant, Role.READER).status for _ in range(3)] == [403, 403, 429]
    assert mint(tenant).status == 201


def test_who_comes_without_a_key_takes_nothing_from_those_who_have_one(clock: Clock, limit: Limit) -> None:
    limit(reading="60/1")
    tenant = Tenant.create("greaves").mint_all()

    health = [tenant.call("portal", "GET", "/v1/health", role=None).status for _ in range(5)]

    assert health == [200] * 4 + [429]
    assert read(tenant, address="127.0.0.1").status == 200


def test_what_an_agent_does_is_limited_as_it_is_elsewhere(clock: Clock, limit: Limit) -> None:
    limit(mcp="600/60", export="60/2")
    tenant = Tenant.create("greaves").mint_all()
    tenant.seed_document(seed_fields())
    call = {"name": "export_document", "arguments": {"documentId": 1}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}

    def told() -> Any:
        answer = tenant.call("mcp", "POST", "/mcp", body=message, role=Role.READER)
        assert answer.status == 200
        return json.loads(base64.b64decode(answer.body))["result"]

    by_tool = [told().get("isError", False) for _ in range(3)]
    by_route = tenant.call(
        "export", "GET", "/v1/export/{documentId}", path={"documentId": "1"}, role=Role.READER
    )

    assert (by_tool, by_route.status) == ([False, False, True], 429)
    counted = tenant.call("keys", "GET", "/v1/usage").json["keys"]
    assert {each["name"]: each["requests"] for each in counted}["reader"] == 3  # messages, each once
    assert json.loads(told()["content"][0]["text"]) == {
        "error": "rate_limited",
        "detail": "Too many requests with this key; try again in 1 second.",
    }


def test_keys_that_a_user_mints_or_rotates_share_the_users_bucket(clock: Clock, limit: Limit) -> None:
    limit(minting="5/3")
    tenant = Tenant.create("greaves").mint_all()
    first = tenant.call("keys", "POST", "/v1/keys", body={"name": "n", "role": "admin"}, address="192.0.2.1")
    path = {"id": first.json["id"]}
    second = tenant.call("keys", "POST", "/v1/keys/{id}/rotate", path=path, body={}, address="192.0.2.2")
    callers = [authentication.identify(answer.json["token"]) for answer in (first, second)]

    assert [caller.root_key_id for caller in callers if caller] == [tenant.ids[Role.ADMIN]] * 2
    # Two were made with the first key; a third is left, for whichever key of the line, from anywhere.
    standings = [
        rate_limits.take(RateLimitClass.MINTING, caller, f"192.0.2.{number}")
        for number, caller in enumerate(callers, start=3)
    ]
    assert [each.refusal is None for each in standings] == [True, False]
    assert str(standings[1].refusal) == "Too many requests by this user; try again in 12 seconds."
    assert mint(tenant, address="192.0.2.9").status == 429


def test_rotation_is_minting(clock: Clock, limit: Limit) -> None:
    limit(minting="5/1")
    tenant = Tenant.create("greaves").mint_all()
    path = {"id": tenant.ids[Role.READER]}

    statuses = [
        tenant.call("keys", "POST", "/v1/keys/{id}/rotate", path=path, body={}).status for _ in range(2)
    ]

    assert statuses == [201, 429]


def test_answers_of_every_kind_say_what_is_left(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    from alma.api import answers as api_answers

    tenant = Tenant.create("greaves").mint_all()
    waiting = intake.announce("greaves", "deed.pdf")
    failed = intake.announce("greaves", "deed.pdf")
    progress.fail(failed, "damaged_file", "It is damaged.")
    ready = tenant.seed_document(seed_fields())

    def get(number: object) -> Answer:
        return tenant.call("documents", "GET", "/v1/documents/{id}", path={"id": str(number)})

    found = [get(waiting.id), get(failed.id), get(ready.id), get(99), get("x")]
    small = replace(settings(), max_inline_bytes=1)
    monkeypatch.setattr(api_answers, "settings", lambda: small)
    found.append(get(ready.id))
    found.append(tenant.call("documents", "DELETE", "/v1/documents/{id}", path={"id": str(ready.id)}))
    found.append(tenant.call("mcp", "GET", "/mcp"))
    found.append(tenant.call("mcp", "POST", "/mcp", raw="no json"))
    found.append(tenant.call("documents", "PATCH", "/v1/nothing"))

    assert [answer.status for answer in found] == [202, 422, 200, 404, 400, 303, 204, 405, 415, 403]
    assert all(standing(answer)[0] == "100000" for answer in found)


# --- the limiter's own troubles --------------------------------------------


@pytest.fixture
def out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens where the limiter's rows are."""
    nowhere = botocore.session.get_session().create_client(
        "dynamodb",
        region_name="eu-west-1",
        endpoint_url="http://127.0.0.1:9",
        config=Config(connect_timeout=0.2, retries={"total_max_attempts": 1}),
    )
    monkeypatch.setattr(token_bucket, "_client", lambda: nowhere)


@pytest.mark.usefixtures("out_of_reach")
def test_reads_and_ordinary_writes_stay_open_without_the_limiter(limit: Limit) -> None:
    limit(reading="60/1", writing="60/1")
    tenant = Tenant.create("greaves").mint_all()

    for _ in range(3):
        answer = read(tenant)
        assert (answer.status, standing(answer)[:2]) == (200, ("1", "1"))
        assert tenant.call("documents", "POST", "/v1/documents", body={"fileName": "a.pdf"}).status == 201


@pytest.mark.usefixtures("out_of_reach")
def test_no_key_is_minted_or_rotated_without_the_limiter() -> None:
    tenant = Tenant.create("greaves").mint_all()
    before = keys.list_keys("greaves")

    path = {"id": tenant.ids[Role.READER]}
    for answer in (mint(tenant), tenant.call("keys", "POST", "/v1/keys/{id}/rotate", path=path, body={})):
        assert (answer.status, answer.json["error"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "5"
        assert "X-RateLimit-Limit" in answer.headers
    assert keys.list_keys("greaves") == before
    # Taking one away needs no permission of the limiter's.
    assert tenant.call("keys", "DELETE", "/v1/keys/{id}", path=path).status == 204


def test_a_refusal_by_the_table_itself_counts_as_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = replace(settings(), table="not-there")
    monkeypatch.setattr(token_bucket, "settings", lambda: gone)
    tenant = Tenant.create("greaves").mint_all()

    assert read(tenant).status == 200
    assert mint(tenant).status == 503


def test_a_key_that_is_revoked_while_it_is_in_use_is_let_in_no_longer(
    clock: Clock, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(reading="600/60")
    tenant = Tenant.create("greaves").mint_all()
    token, seconds = tenant.tokens[Role.READER], [1000.0]
    authorizer = function("authorizer")
    monkeypatch.setattr(authorizer.time, "time", lambda: seconds[0])

    def call() -> int:
        event = {"methodArn": "arn", "multiValueHeaders": {"X-API-Key": [token]}}
        policy = authorizer.handler(event, None)["policyDocument"]["Statement"][0]["Effect"]
        return read(tenant).status if policy == "Allow" else 401

    answers = []
    for number in range(80):
        if number == 20:
            keys.revoke("greaves", tenant.ids[Role.READER])
        answers.append(call())
        seconds[0] += 1  # two calls a second of the bucket's, one a second of the authorizer's
    authorizer.background.submit(int).result()

    last = max(number for number, status in enumerate(answers) if status == 200)
    assert 19 <= last < 20 + settings().key_cache_seconds
    assert answers[last + 1 :] == [401] * (79 - last)


# --- rows ------------------------------------------------------------------


def test_no_row_of_the_limiter_is_in_an_organisations_partition_and_all_go_by_themselves(
    clock: Clock, limit: Limit
) -> None:
    limit(reading="60/2")
    tenant = Tenant.create("greaves").mint_all()
    read(tenant)

    key = ("limit#key#greaves#" + tenant.ids[Role.READER], "reading")
    found = rows()
    assert set(found) == {key, ("limit#address#192.0.2.1", "reading")}
    assert found[key]["expires_at"] == {"N": str(1_764_000_000 + 400 * 86400)}
    assert found["limit#address#192.0.2.1", "reading"]["expires_at"] == {"N": str(1_764_000_000 + 3600 + 2)}


@pytest.mark.parametrize(
    "text", ["", "60", "60/0", "0/60", "-1/5", "60/5/5", "1e3/5", "10000001/1", "1/10000001", "9" * 5000]
)
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="A limit is RATE/BURST"):
        Bucket.parse(text)


def test_refusals_and_failures_of_the_limiter_are_figures(
    clock: Clock, limit: Limit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED")
    limit(reading="60/1")
    tenant = Tenant.create("greaves").mint_all()
    read(tenant)
    read(tenant)
    gone = replace(settings(), table="not-there")
    monkeypatch.setattr(token_bucket, "settings", lambda: gone)
    read(tenant)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]

    assert [line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"] for line in lines] == [
        "RateLimited",
        "LimiterFailures",
    ]
