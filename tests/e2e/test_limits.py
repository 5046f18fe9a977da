"""Limits over HTTP: several processes decide at once, and the table alone keeps them in step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from infra.local.runtime import Runtime
from tests.e2e.conftest import MINTED_AT_ONCE
from tests.e2e.office import Office, open_office
from tests.patience import HANGS


@pytest.fixture(scope="module")
def office(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An organisation whose keys get a token to mint a minute, so none while a test runs."""
    with open_office(runtime, tmp_path_factory.mktemp("limited"), "limited") as opened:
        yield opened


def mint(http: httpx.Client, token: str) -> httpx.Response:
    return http.post("/api/v1/keys", headers={"X-API-Key": token}, json={"name": "n"})


def test_80_calls_at_once_on_one_key_let_in_exactly_the_burst(office: Office) -> None:
    with (
        httpx.Client(base_url=office.runtime.api_url, timeout=HANGS) as http,
        ThreadPoolExecutor(80) as pool,
    ):
        answers = list(pool.map(lambda _: mint(http, office.token), range(80)))

    assert Counter(answer.status_code for answer in answers) == {
        201: MINTED_AT_ONCE,
        429: 80 - MINTED_AT_ONCE,
    }
    for refused in (answer for answer in answers if answer.status_code == 429):
        assert set(refused.json()) == {"error", "detail", "request_id"}
        assert refused.json()["error"] == "rate_limited"
        assert refused.headers["X-RateLimit-Limit"] == str(MINTED_AT_ONCE)
        assert refused.headers["X-RateLimit-Remaining"] == "0"
        assert 0 < int(refused.headers["Retry-After"]) <= 60
    # Reading is another bucket.
    assert len(office.http.get("/api/v1/keys").json()["keys"]) == MINTED_AT_ONCE + 1
