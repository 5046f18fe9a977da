"""What the local AWS has acknowledged is there after a restart, however the process ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.errors import LocalRuntimeError
from infra.local.runtime import Runtime

TEMPLATE = Path(__file__).parents[2] / "data" / "local" / "template.yaml"
ROOT = Path(__file__).parents[3]
_SERVE = """
import sys, time
from pathlib import Path
from infra.local.runtime import Runtime
with Runtime(Path(sys.argv[1]), Path(sys.argv[2])) as runtime:
    print(runtime.aws_endpoint_url, flush=True)
    time.sleep(60)
"""


def clients(endpoint: str) -> tuple[Any, Any, Any]:
    options: dict[str, Any] = {
        "endpoint_url": endpoint,
        "region_name": "eu-west-1",
        "aws_access_key_id": "x",
        "aws_secret_access_key": "x",
    }
    return boto3.client("s3", **options), boto3.client("dynamodb", **options), boto3.client("sqs", **options)


def test_nothing_acknowledged_is_lost_when_the_process_is_killed_at_any_moment(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    for round_ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(TEMPLATE), str(tmp_path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None
        with process.stdout:
            s3, dynamodb, sqs = clients(process.stdout.readline().decode().strip())
            notes = sqs.get_queue_url(QueueName="local-Notes")["QueueUrl"]
            for number in range(round_ * 100, round_ * 100 + 15 + 7 * round_):
                s3.put_object(Bucket="local-files", Key=f"inbox/{number}", Body=str(number).encode() * 1000)
                dynamodb.put_item(TableName="local-Table", Item={"pk": {"S": "o"}, "sk": {"S": str(number)}})
                sqs.send_message(QueueUrl=notes, MessageBody=str(number))
                acknowledged.append(number)
            process.send_signal(signal.SIGKILL)
            process.wait()

    with Runtime(TEMPLATE, tmp_path) as runtime:
        assert runtime.drain(20)
        s3, dynamodb, sqs = clients(runtime.aws_endpoint_url)
        for number in acknowledged:
            body = s3.get_object(Bucket="local-files", Key=f"inbox/{number}")["Body"].read()
            assert body == str(number).encode() * 1000
        items = dynamodb.query(
            TableName="local-Table",
            KeyConditionExpression="pk = :o",
            ExpressionAttributeValues={":o": {"S": "o"}},
        )["Items"]
        assert {int(item["sk"]["S"]) for item in items} == set(acknowledged)
        delivered = dynamodb.query(
            TableName="local-Table",
            KeyConditionExpression="pk = :o AND begins_with(sk, :inbox)",
            ExpressionAttributeValues={":o": {"S": "seen"}, ":inbox": {"S": "inbox/"}},
        )["Items"]
        assert {int(item["sk"]["S"].removeprefix("inbox/")) for item in delivered} == set(acknowledged)
        messages: set[int] = set()
        notes = runtime.resource("Notes")
        while batch := sqs.receive_message(QueueUrl=notes, MaxNumberOfMessages=10).get("Messages"):
            messages |= {int(message["Body"]) for message in batch}
        assert messages == set(acknowledged)


def test_objects_keep_their_versions_metadata_tags_and_times(tmp_path: Path) -> None:
    with Runtime(TEMPLATE, tmp_path) as runtime:
        s3, *_ = clients(runtime.aws_endpoint_url)
        s3.put_object(
            Bucket="local-versions",
            Key="a",
            Body=b"1",
            ContentType="text/plain",
            Metadata={"under_score": "kept"},
            Tagging="t=1",
        )
        s3.put_object(Bucket="local-versions", Key="a", Body=b"22")
        s3.delete_object(Bucket="local-versions", Key="a")
        s3.put_object(Bucket="local-versions", Key="empty", Body=b"")
        s3.put_object(Bucket="local-files", Key="gone", Body=b"x")
        s3.put_object(Bucket="local-files", Key="twice", Body=b"old")
        s3.put_object(Bucket="local-files", Key="twice", Body=b"new")
        s3.delete_objects(Bucket="local-files", Delete={"Objects": [{"Key": "gone"}]})
        before = s3.list_object_versions(Bucket="local-versions")

    with Runtime(TEMPLATE, tmp_path) as runtime:
        s3, *_ = clients(runtime.aws_endpoint_url)
        after = s3.list_object_versions(Bucket="local-versions")
        assert after["Versions"] == before["Versions"]
        assert after["DeleteMarkers"] == before["DeleteMarkers"]
        oldest = next(each for each in after["Versions"] if each["Key"] == "a" and each["Size"] == 1)
        found = s3.get_object(Bucket="local-versions", Key="a", VersionId=oldest["VersionId"])
        assert found["Body"].read() == b"1"
        assert found["ContentType"] == "text/plain"
        assert found["Metadata"] == {"under_score": "kept"}
        tags = s3.get_object_tagging(Bucket="local-versions", Key="a", VersionId=oldest["VersionId"])
        assert tags["TagSet"] == [{"Key": "t", "Value": "1"}]
        assert s3.get_object(Bucket="local-versions", Key="empty")["Body"].read() == b""
        assert s3.get_object(Bucket="local-files", Key="twice")["Body"].read() == b"new"
        assert [each["Key"] for each in s3.list_objects_v2(Bucket="local-files")["Contents"]] == ["twice"]
        assert len(list((tmp_path / "objects").iterdir())) == 3  # two versions of a, one of twice


def test_a_key_is_what_the_path_spells() -> None:
    signature = "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host"
    with (
        Runtime(TEMPLATE) as runtime,
        httpx.Client(headers={"Authorization": f"{signature}, Signature=0"}) as client,
    ):
        s3, *_ = clients(runtime.aws_endpoint_url)
        for path, key in {
            "a;b=1": "a;b=1",
            "a//b": "a//b",
            "a%2Fb%20c": "a/b c",
            "%C3%A9+~": "é+~",
            "a:b@c%3F": "a:b@c?",
        }.items():
            # As bytes: the client would spell some of them in another way.
            target = httpx.URL(runtime.aws_endpoint_url).copy_with(raw_path=f"/local-files/{path}".encode())
            assert client.put(target, content=b"x").status_code == 200
            assert s3.get_object(Bucket="local-files", Key=key)["Body"].read() == b"x"
            (found,) = s3.list_objects_v2(Bucket="local-files")["Contents"]
            assert found["Key"] == key
            s3.delete_object(Bucket="local-files", Key=key)


def test_items_of_every_type_deletions_and_transactions_are_kept(tmp_path: Path) -> None:
    item = {
        "pk": {"S": "o"},
        "sk": {"S": "all"},
        "n": {"N": "1.50"},
        "b": {"B": b"\x00\xff"},
        "bs": {"BS": [b"\x01", b"\x02"]},
        "ns": {"NS": ["1", "2"]},
        "t": {"BOOL": False},
        "z": {"NULL": True},
        "m": {"M": {"l": {"L": [{"S": ""}, {"B": b"\x03"}, {"M": {}}]}}},
    }
    with Runtime(TEMPLATE, tmp_path) as runtime:
        _, dynamodb, _ = clients(runtime.aws_endpoint_url)
        dynamodb.put_item(TableName="local-Table", Item=item)
        for key in ("a", "b", "c"):
            dynamodb.put_item(TableName="local-Table", Item={"pk": {"S": "o"}, "sk": {"S": key}})
        dynamodb.delete_item(TableName="local-Table", Key={"pk": {"S": "o"}, "sk": {"S": "a"}})
        increment = {
            "TableName": "local-Table",
            "Key": {"pk": {"S": "o"}, "sk": {"S": "b"}},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
        delete: dict[str, Any] = {"TableName": "local-Table", "Key": {"pk": {"S": "o"}, "sk": {"S": "c"}}}
        dynamodb.transact_write_items(TransactItems=[{"Update": increment}, {"Delete": delete}])
        with pytest.raises(ClientError, match="TransactionCanceledException"):
            dynamodb.transact_write_items(
                TransactItems=[
                    {"Update": increment},
                    {"Delete": {**delete, "ConditionExpression": "attribute_exists(pk)"}},
                ]
            )

    with Runtime(TEMPLATE, tmp_path) as runtime:
        _, dynamodb, _ = clients(runtime.aws_endpoint_url)
        found = dynamodb.scan(TableName="local-Table")["Items"]
        assert found == [item, {"pk": {"S": "o"}, "sk": {"S": "b"}, "n": {"N": "1"}}]


def test_queries_page_through_a_partition_in_order_and_through_an_index(tmp_path: Path) -> None:
    with Runtime(TEMPLATE) as runtime:
        _, dynamodb, _ = clients(runtime.aws_endpoint_url)
        for number in range(7):
            for owner in ("o", "p"):
                dynamodb.put_item(
                    TableName="local-Table",
                    Item={
                        "pk": {"S": owner},
                        "sk": {"S": f"d#{number}"},
                        **({"listed": {"S": str(9 - number)}} if number % 2 else {}),
                    },
                )
        pages = dynamodb.get_paginator("query").paginate(
            TableName="local-Table",
            KeyConditionExpression="pk = :o AND begins_with(sk, :d)",
            ExpressionAttributeValues={":o": {"S": "o"}, ":d": {"S": "d#"}},
            PaginationConfig={"PageSize": 3},
        )
        assert [[item["sk"]["S"] for item in page["Items"]] for page in pages] == [
            ["d#0", "d#1", "d#2"],
            ["d#3", "d#4", "d#5"],
            ["d#6"],
        ]
        pages = dynamodb.get_paginator("query").paginate(
            TableName="local-Table",
            IndexName="listing",
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": "p"}},
            ScanIndexForward=False,
            PaginationConfig={"PageSize": 2},
        )
        assert [[item["sk"]["S"] for item in page["Items"]] for page in pages] == [["d#1", "d#3"], ["d#5"]]


def test_items_go_when_their_time_to_live_is_over() -> None:
    with Runtime(TEMPLATE) as runtime:
        _, dynamodb, _ = clients(runtime.aws_endpoint_url)
        for key, expiry in (("old", "1000"), ("new", "2000")):
            dynamodb.put_item(
                TableName="local-Table",
                Item={"pk": {"S": "o"}, "sk": {"S": key}, "expires_at": {"N": expiry}},
            )
        assert runtime.expire(now=1500) == 1
        assert [item["sk"]["S"] for item in dynamodb.scan(TableName="local-Table")["Items"]] == ["new"]


def test_a_second_run_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with (
        Runtime(TEMPLATE, tmp_path),
        pytest.raises(
            LocalRuntimeError, match=r"^The data folder .* is in use by another run; stop that one"
        ),
    ):
        Runtime(TEMPLATE, tmp_path).start()


def test_damaged_data_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"not a database at all" * 100)

    with pytest.raises(LocalRuntimeError, match=r"is damaged .* delete or move that folder to start empty"):
        Runtime(TEMPLATE, tmp_path).start()


def test_a_taken_port_is_refused_by_its_number() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalRuntimeError, match=f"^Port {port} for the API is taken by another program"):
            Runtime(TEMPLATE, port=port).start()


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(
        LocalRuntimeError, match=r"^The data folder .*file/data cannot be used: Not a directory"
    ):
        Runtime(TEMPLATE, tmp_path / "file" / "data").start()


def test_the_environment_of_this_process_is_as_before_after_a_run() -> None:
    before = dict(os.environ)
    with Runtime(TEMPLATE, parameters={"Greeting": "salut"}) as runtime:
        assert os.environ["TABLE"] == "local-Table"
        assert os.environ["AWS_ENDPOINT_URL"] == runtime.aws_endpoint_url
        assert "GREETING" not in os.environ  # one function has its own
    assert dict(os.environ) == before
    with pytest.raises((BotoCoreError, ClientError)):
        clients(runtime.aws_endpoint_url)[0].list_buckets()
