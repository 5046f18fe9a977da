"""One deployed stack for all tests here, with two organisations and a document that has been read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.deploy import stack
from tests.deploy.stack import Caller


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The emulator's URL; this process and those it starts are pointed at it."""
    for needed in (stack.SAM, stack.EMULATOR, stack.BUILD):
        if not needed.exists():
            pytest.fail(f"{needed} is missing; `make test-deploy` makes it")
    scratch = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, stack.emulator(scratch) as url:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name, value in stack.client_environment(url, scratch).items():
            patch.setenv(name, value)
        yield url


@pytest.fixture(scope="session")
def outputs(endpoint: str) -> dict[str, str]:
    """What the deployed stack names."""
    found = stack.deploy()
    stack.bridge_gaps(found["PageQueueUrl"])
    return found


@pytest.fixture(scope="session")
def base(endpoint: str, outputs: dict[str, str]) -> str:
    """The API's URL."""
    api_id = outputs["ApiUrl"].removeprefix("https://").partition(".")[0]
    return f"{endpoint}/_aws/execute-api/{api_id}"


@pytest.fixture(scope="session")
def tokens(outputs: dict[str, str]) -> dict[str, str]:
    """An admin's key of one organisation, a reader's of another."""
    created = {}
    for organisation, role in (("demo", "admin"), ("other", "reader")):
        stack.alma("org", "create", organisation)
        key = stack.alma("key", "create", "--org", organisation, "--name", "test", "--role", role)
        created[organisation] = key["token"]
    return created


@pytest.fixture(scope="session")
def caller(base: str) -> Iterator[Callable[[str | None], Caller]]:
    """Make callers of the API."""
    with ExitStack() as opened:
        yield lambda token: opened.enter_context(Caller(base, token))


@pytest.fixture(scope="session")
def demo(caller: Callable[[str | None], Caller], tokens: dict[str, str]) -> Caller:
    return caller(tokens["demo"])


@pytest.fixture(scope="session")
def other(caller: Callable[[str | None], Caller], tokens: dict[str, str]) -> Caller:
    return caller(tokens["other"])


@pytest.fixture(scope="session")
def deed(outputs: dict[str, str], demo: Caller) -> dict[str, Any]:
    """A file dropped into the inbox, as it is listed once it has been read."""
    path = Path(stack.ROOT / "samples/deed.pdf")
    boto3.client("s3").upload_file(str(path), outputs["InboxBucket"], "inbox/demo/deed.pdf")
    return demo.document_of("deed.pdf", 180)
