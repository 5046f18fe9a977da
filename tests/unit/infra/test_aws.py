"""The AWS endpoint of this machine serves programs, not web pages, and keeps what they put."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from infra.local.runtime import Runtime

TEMPLATE = Path(__file__).parents[2] / "data" / "local" / "template.yaml"
PUT_ITEM = {
    "x-amz-target": "DynamoDB_20120810.PutItem",
    "Content-Type": "application/x-amz-json-1.0",
    "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/dynamodb/aws4_request, Signature=0",
}
ITEM = {"TableName": "local-Table", "Item": {"pk": {"S": "token#x"}, "sk": {"S": "token"}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the state that exists already, for everybody to read."""
    path = tmp_path_factory.mktemp("alma") / "data"
    path.mkdir(mode=0o755)
    (path / "state.sqlite").touch(mode=0o644)
    return path


@pytest.fixture(scope="module")
def runtime(folder: Path) -> Iterator[Runtime]:
    before = os.umask(0o022)
    try:
        with Runtime(TEMPLATE, folder) as running:
            yield running
    finally:
        os.umask(before)


def client(runtime: Runtime, service: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=runtime.aws_endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


def items(runtime: Runtime) -> list[Any]:
    return list(client(runtime, "dynamodb").scan(TableName="local-Table")["Items"])


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.test"},
        {"Host": "files.localhost.evil.test:8001"},
    ],
)
def test_what_a_web_page_sends_is_refused(runtime: Runtime, headers: dict[str, str]) -> None:
    answer = httpx.post(runtime.aws_endpoint_url, json=ITEM, headers=PUT_ITEM | headers)
    preflight = httpx.options(
        runtime.aws_endpoint_url, headers={"Access-Control-Request-Headers": "x-amz-target", **headers}
    )
    listed = httpx.get(f"{runtime.aws_endpoint_url}/local-files", headers=headers)

    for refused in (answer, preflight, listed):
        assert refused.status_code == 403
        assert refused.text == "The AWS endpoint of this machine takes no requests of web pages.\n"
        assert not [name for name in refused.headers if name.startswith("access-control-")]
    assert items(runtime) == []


def test_a_presigned_url_is_for_programs_not_for_pages(runtime: Runtime) -> None:
    url = client(runtime, "s3").generate_presigned_url(
        "put_object", Params={"Bucket": "local-files", "Key": "a"}
    )

    assert httpx.put(url, content=b"x", headers={"Origin": "http://evil.test"}).status_code == 403
    answer = httpx.put(url, content=b"x")
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_an_object_is_put_over_one_that_is_there_without_a_signature(runtime: Runtime) -> None:
    url = f"{runtime.aws_endpoint_url}/local-files/again.pdf"  # as `aws s3 cp --no-sign-request` does

    assert [httpx.put(url, content=body).status_code for body in (b"1", b"2")] == [200, 200]
    assert httpx.get(url).content == b"2"


@pytest.mark.parametrize(
    "path", ["/moto-api/", "/moto-api/reset", "/%6doto-api/reset", "/latest/meta-data/iam/", "/favicon.ico"]
)
def test_there_is_nothing_beside_aws(runtime: Runtime, path: str) -> None:
    client(runtime, "s3").put_object(Bucket="local-files", Key="kept", Body=b"x")

    for method in ("GET", "POST"):
        assert httpx.request(method, runtime.aws_endpoint_url + path).status_code == 404
    assert client(runtime, "s3").get_object(Bucket="local-files", Key="kept")["Body"].read() == b"x"


def test_other_services_are_not_run(runtime: Runtime) -> None:
    signed = {"Authorization": PUT_ITEM["Authorization"].replace("dynamodb", "sts")}
    form = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}

    assert httpx.post(runtime.aws_endpoint_url, data=form, headers=signed).status_code == 404


def test_an_object_that_is_opened_in_a_browser_runs_nothing(runtime: Runtime) -> None:
    s3 = client(runtime, "s3")
    s3.put_object(Bucket="local-files", Key="page", Body=b"<script>", ContentType="text/html")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "local-files", "Key": "page"})

    answer = httpx.get(url)

    assert "script-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/pdf",
        "application/json",
        "",
    ],
)
def test_what_is_put_is_kept_whatever_its_type(runtime: Runtime, media_type: str) -> None:
    s3 = client(runtime, "s3")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "local-files", "Key": "typed"})
    body = b"key=1&file=\xff\x00--x\r\n"

    answer = httpx.put(url, content=body, headers={"Content-Type": media_type} if media_type else {})

    assert answer.status_code == 200
    found = s3.get_object(Bucket="local-files", Key="typed")
    assert found["Body"].read() == body
    assert found["ContentType"] == (media_type or "binary/octet-stream")


def test_the_state_is_its_users_alone(runtime: Runtime, folder: Path) -> None:
    client(runtime, "s3").put_object(Bucket="local-files", Key="private", Body=b"x")
    assert httpx.get(f"{runtime.api_url}/api/open").status_code == 200

    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    loose = {
        str(path.relative_to(folder)): oct(mode)
        for path, mode in modes.items()
        if mode & 0o077 and folder / "cache" not in (path, *path.parents)
    }
    assert (modes[folder], loose) == (0o700, {})
