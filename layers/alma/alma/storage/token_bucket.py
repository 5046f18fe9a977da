"""Token buckets as rows: when the next request would be due, advanced by conditional updates alone.

=====================================  ==============  ================================================
pk                                     sk              row
=====================================  ==============  ================================================
limit#key#ORG#KEY                      CLASS           bucket of a key; counts its requests by month
limit#address#ADDRESS                  CLASS           bucket of an address; gone an hour after its use
limit#anybody#ADDRESS                  CLASS           the same for requests without a key
=====================================  ==============  ================================================

No row stands in an organisation's partition: what one key or address does is a partition of its own, and its
limit is far below what a partition takes.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from alma.settings import settings
from alma.storage.table import EXPIRY, PARTITION_KEY, SORT_KEY, client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_REMEMBERED = 1000
#: Where a row stood last, as this process saw it: tells which of the two updates will hold.
_last: OrderedDict[tuple[str, str], int] = OrderedDict()


class OutOfReachError(Exception):
    """The limiter's rows cannot be written now."""


@lru_cache(maxsize=1)
def _client() -> DynamoDBClient:
    # Its own, and impatient: whether a request may pass is not worth waiting for.
    return client(Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1}))


def advance(
    partition: str,
    limit_class: str,
    *,
    now: int,
    interval: int,
    tolerance: int,
    keep: int,
    counter: str | None,
) -> tuple[bool, int]:
    """Generic cell rate algorithm: advance the arrival time by `interval` if it stays in `now + tolerance`.

    An idle bucket starts from `now`, a busy one from where it stands, and no update can choose: these are two
    whose conditions exclude each other. Nothing is read before. The one that this process expects to hold
    goes first and nearly always decides; where its condition does not hold, the answer says where the row is.
    Arrival times only grow, so three updates are the most.

    Parameters
    ----------
    partition, limit_class : str
        The row.
    now, interval, tolerance : int
        Microseconds.
    keep : int
        Seconds that the row stays after it has become idle.
    counter : str, optional
        Attribute that counts what was let in.

    Returns
    -------
    bool, int
        Whether the request is let in, and the arrival time after that.

    Raises
    ------
    OutOfReachError
        Nothing can be said.
    """
    row = (partition, limit_class)
    stands = _last.get(row, 0)
    latest = now + tolerance - interval
    for _ in range(3):
        try:
            stands = _update(row, stands <= now, now, latest, interval, keep, counter)
            return True, stands
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                raise OutOfReachError from error
            stands = _arrival(error.response.get("Item"))
        except BotoCoreError as error:
            raise OutOfReachError from error
        finally:
            _remember(row, stands)
        if stands > latest:
            return False, stands
    raise OutOfReachError


def _update(
    row: tuple[str, str], idle: bool, now: int, latest: int, interval: int, keep: int, counter: str | None
) -> int:
    """Conditional update of an idle or of a busy bucket; return its arrival time after that."""
    names = {"#at": "arrival", "#expiry": EXPIRY, "#kind": "kind"}
    values: dict[str, Any] = {
        ":now": {"N": str(now)},
        ":expiry": {"N": str(now // 1_000_000 + keep)},
        ":kind": {"S": "limit"},
    }
    if idle:
        moved, condition = ":next", "attribute_not_exists(#at) OR #at <= :now"
        values[":next"] = {"N": str(now + interval)}
    else:
        moved, condition = "#at + :interval", "#at > :now AND #at <= :latest"
        values |= {":interval": {"N": str(interval)}, ":latest": {"N": str(latest)}}
    expression = f"SET #at = {moved}, #expiry = :expiry, #kind = :kind"
    if counter is not None:
        expression += " ADD #counter :one"
        names["#counter"] = counter
        values[":one"] = {"N": "1"}
    answer = _client().update_item(
        TableName=settings().table,
        Key={PARTITION_KEY: {"S": row[0]}, SORT_KEY: {"S": row[1]}},
        UpdateExpression=expression,
        ConditionExpression=condition,
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
        ReturnValues="UPDATED_NEW",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    return _arrival(answer.get("Attributes"))


def counted(partition: str, counter: str) -> int:
    """Return how many requests of all classes were let in under `counter`."""
    answer = _client().query(
        TableName=settings().table,
        KeyConditionExpression="#pk = :pk",
        ProjectionExpression="#counter",
        ExpressionAttributeNames={"#pk": PARTITION_KEY, "#counter": counter},
        ExpressionAttributeValues={":pk": {"S": partition}},
    )
    return sum(int(row[counter]["N"]) for row in answer["Items"] if counter in row)


def _arrival(row: Any) -> int:
    return int(row["arrival"]["N"]) if row and "arrival" in row else 0


def _remember(row: tuple[str, str], stands: int) -> None:
    _last[row] = stands
    _last.move_to_end(row)
    if len(_last) > _REMEMBERED:
        _last.popitem(last=False)
