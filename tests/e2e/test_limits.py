"""Limits over HTTP: several processes decide at once, and the table alone keeps them in step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from infra.local.runtime import Runtime
from tests.e2e.office import Office, open_office

ROOT = Path(__file__).resolve().parents[2]
BURST = 20


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An organisation whose keys get one token a minute, so none while a test runs."""
    parameters = {"LimitReading": f"1/{BURST}"}
    with (
        Runtime(ROOT / "template.yaml", parameters=parameters) as runtime,
        open_office(runtime, tmp_path_factory.mktemp("limited"), "limited") as opened,
    ):
        yield opened


def test_80_calls_at_once_on_one_key_let_in_exactly_the_burst(office: Office) -> None:
    with (
        httpx.Client(base_url=office.runtime.api_url, timeout=60) as http,
        ThreadPoolExecutor(80) as pool,
    ):
        headers = {"X-API-Key": office.token}
        answers = list(pool.map(lambda _: http.get("/api/v1/documents", headers=headers), range(80)))

    assert Counter(answer.status_code for answer in answers) == {200: BURST, 429: 80 - BURST}
    for refused in (answer for answer in answers if answer.status_code == 429):
        assert set(refused.json()) == {"error", "detail", "request_id"}
        assert refused.json()["error"] == "rate_limited"
        assert (refused.headers["X-RateLimit-Limit"], refused.headers["X-RateLimit-Remaining"]) == ("20", "0")
        assert 0 < int(refused.headers["Retry-After"]) <= 60
