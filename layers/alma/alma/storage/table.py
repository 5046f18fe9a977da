"""The one DynamoDB table: its names, what its items have in common, and how they are read.

Partition key = the organisation, so no read can cross it; the only other partitions are `token#…`, which the
authorizer reads before an organisation is known, `limit#…` (`alma.storage.token_bucket`) and
`idempotency#ORG`. The rows stand in `alma.storage.items`, a module for each family.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

from pynamodb.attributes import DiscriminatorAttribute, UnicodeAttribute
from pynamodb.models import Model
from pynamodb.pagination import ResultIterator

from alma.settings import aws_region, settings

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient

#: Everything a table has to agree on with template.yaml; a contract test compares them.
PARTITION_KEY, SORT_KEY, EXPIRY = "pk", "sk", "expires_at"
INDEXES = {
    "documents": ("pk", "listed"),
    "documents_by_status": ("status_key", "listed"),
    "documents_by_type": ("type_key", "listed"),
    "review": ("review_key", "review_rank"),
}


class Item(Model):
    """Anything in the table."""

    class Meta:
        table_name = settings().table
        region = aws_region()
        connect_timeout_seconds = 2
        read_timeout_seconds = 5

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = DiscriminatorAttribute()

    @classmethod
    def _get_schema(cls) -> Any:
        """Return the schema with all indexes of the table.

        pynamodb knows those of the items imported by the time of the first request, and keeps that: whoever
        asks for a listing afterwards would be told that its index is not there.
        """
        schema: Any = super()._get_schema()
        schema["global_secondary_indexes"] = [
            {
                "index_name": name,
                "key_schema": [
                    {"AttributeName": partition, "KeyType": "HASH"},
                    {"AttributeName": sort, "KeyType": "RANGE"},
                ],
                "projection": {"ProjectionType": "ALL"},
            }
            for name, (partition, sort) in INDEXES.items()
        ]
        known = {each["AttributeName"] for each in schema["attribute_definitions"]}
        schema["attribute_definitions"] += [
            {"AttributeName": name, "AttributeType": "S"}
            for name in sorted({each for pair in INDEXES.values() for each in pair} - known)
        ]
        return schema

    @classmethod
    def find(cls, pk: str, sk: str) -> Self | None:
        """Return an item as the last write left it; None where there is none."""
        try:
            return cls.get(pk, sk, consistent_read=True)
        except cls.DoesNotExist:
            return None


def client(config: Config) -> DynamoDBClient:
    """Return a plain client with a configuration of its own, for what the models cannot say."""
    # From the models' session: another would read botocore's descriptions of the service once more.
    session = Item._get_connection().connection.session
    return cast(
        "DynamoDBClient", session.create_client("dynamodb", region_name=Item.Meta.region, config=config)
    )


#: Bytes of an item that DynamoDB keeps, names of attributes among them; some are left to be sure.
MAX_ITEM = 390 * 1024


def size_of(item: Item) -> int:
    """Return the bytes of an item as DynamoDB counts them: names and values in UTF-8."""
    return sum(len(name) + _size(value) for name, value in item.serialize().items())


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_size(each) for each in value.values())
    if isinstance(value, list):
        return sum(_size(each) for each in value)
    return len(str(value).encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """A row that is none of the table's: attributes of another type, a kind nobody knows."""

    sk: str


def rows_of(partition: str, condition: Any) -> Iterator[Item | UnreadableItem]:
    """Yield the rows of a partition that a condition holds of, in order, unreadable ones among them."""
    yield from ResultIterator(
        Item._get_connection().query,
        (partition,),
        {"range_key_condition": condition, "consistent_read": True},
        map_fn=_from_raw,
    )


def _from_raw(raw: dict[str, Any]) -> Item | UnreadableItem:
    try:
        return Item.from_raw_data(raw)
    except (ValueError, TypeError, KeyError, AttributeError):
        return UnreadableItem(raw[SORT_KEY]["S"])
