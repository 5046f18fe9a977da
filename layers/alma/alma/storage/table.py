"""The one DynamoDB table, as pynamodb models.

Partition key = the organisation, so no read can cross it; the only other partitions are `token#…`, which the
authorizer reads before an organisation is known, and `limit#…`, see `storage/arrivals.py`. Sort keys sort a
document right before its fields: one Query brings both back.

=====================  =======================================  =====================================
pk                     sk                                       item
=====================  =======================================  =====================================
ORG                    organisation                             OrganisationItem
ORG                    key#ID                                   KeyItem (never the token)
token#LOOKUP           token                                    TokenItem (salted hash of the token)
ORG                    file#DIGEST                              FileItem: which document a file became
ORG                    document#000000004012                    DocumentItem
ORG                    document#000000004012#field#KEY#00000    FieldItem
ORG                    page#000000004012#00001                  PageItem
ORG                    audit#000000004012#00000001              AuditItem: one change, chained
ORG                    model#ID                                 ModelItem
ORG                    modelversions#STEM                       CounterItem: last version of a name
ORG                    schema#DOCTYPE                           SchemaItem: a document type of its own
ORG                    quota#2026-11                            QuotaItem: pages counted in a month
ORG                    usage#2026-11#KEY                        UsageItem: what a key used; or `inbox`
=====================  =======================================  =====================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

from pynamodb.attributes import (
    BooleanAttribute,
    DiscriminatorAttribute,
    JSONAttribute,
    NumberAttribute,
    NumberSetAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
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
_DIGITS = 12  # of a documentId in a sort key: newest last, and last is what a backward Query reads first


class _Everything:
    """What the indexes share; pynamodb wants a Meta class per index."""

    projection = AllProjection()


class DocumentsIndex(GlobalSecondaryIndex["DocumentItem"]):  # type: ignore[no-untyped-call]
    """An organisation's documents by age."""

    class Meta(_Everything):
        index_name = "documents"

    pk = UnicodeAttribute(hash_key=True)
    listed = UnicodeAttribute(range_key=True)


class DocumentsByStatusIndex(GlobalSecondaryIndex["DocumentItem"]):  # type: ignore[no-untyped-call]
    """An organisation's documents of one status by age."""

    class Meta(_Everything):
        index_name = "documents_by_status"

    status_key = UnicodeAttribute(hash_key=True)
    listed = UnicodeAttribute(range_key=True)


class DocumentsByTypeIndex(GlobalSecondaryIndex["DocumentItem"]):  # type: ignore[no-untyped-call]
    """An organisation's documents of one type by age."""

    class Meta(_Everything):
        index_name = "documents_by_type"

    type_key = UnicodeAttribute(hash_key=True)
    listed = UnicodeAttribute(range_key=True)


class ReviewIndex(GlobalSecondaryIndex["FieldItem"]):  # type: ignore[no-untyped-call]
    """An organisation's fields that wait for a person, the most urgent first; decided ones are not in it."""

    class Meta(_Everything):
        index_name = "review"

    review_key = UnicodeAttribute(hash_key=True)
    review_rank = UnicodeAttribute(range_key=True)


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
    def find(cls, pk: str, sk: str) -> Self | None:
        """Return an item as the last write left it; None where there is none."""
        try:
            return cls.get(pk, sk, consistent_read=True)
        except cls.DoesNotExist:
            return None


class OrganisationItem(Item, discriminator="organisation"):
    """An organisation and its document counter."""

    name = UnicodeAttribute()
    created_at = UnicodeAttribute()
    last_document_id = NumberAttribute(default=0)
    monthly_pages = NumberAttribute(null=True)


class KeyItem(Item, discriminator="key"):
    """What an administrator sees of a key."""

    key_id = UnicodeAttribute()
    name = UnicodeAttribute()
    role = UnicodeAttribute()
    hint = UnicodeAttribute()
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute(null=True)
    # The operator's key that it descends from; absent where it is that one.
    root_key_id = UnicodeAttribute(null=True, attr_name="line")
    owner = UnicodeAttribute(null=True)
    # Narrower than its role; absent where the role decides.
    scopes = UnicodeSetAttribute(null=True)
    valid_until = UnicodeAttribute(null=True)
    revoked_at = UnicodeAttribute(null=True)
    revoked_by = UnicodeAttribute(null=True)
    replaced_by = UnicodeAttribute(null=True)
    # Of a revoked key; while it is good, on its token's row.
    last_used_at = UnicodeAttribute(null=True)


class TokenItem(Item, discriminator="token"):
    """What the authorizer needs of a key."""

    organisation = UnicodeAttribute()
    key_id = UnicodeAttribute()
    root_key_id = UnicodeAttribute(null=True, attr_name="line")
    role = UnicodeAttribute()
    scopes = UnicodeSetAttribute(null=True)
    valid_until = UnicodeAttribute(null=True)
    last_used_at = UnicodeAttribute(null=True)
    salt = UnicodeAttribute()
    digest = UnicodeAttribute()


class FileItem(Item, discriminator="file"):
    """The document that a file, once dropped, became: what makes a second delivery change nothing.

    `instances` are those that are left of a file of several documents; it goes with the last of them.
    """

    document_id = NumberAttribute()
    object_key = UnicodeAttribute()
    sequencer = UnicodeAttribute()
    instances = NumberSetAttribute(null=True)


class DocumentItem(Item, discriminator="document"):
    """A document and its progress."""

    document_id = NumberAttribute()
    listed = UnicodeAttribute()
    status = UnicodeAttribute()
    status_key = UnicodeAttribute()
    doc_type = UnicodeAttribute(null=True)
    doc_type_confidence = NumberAttribute(null=True)
    type_key = UnicodeAttribute(null=True)
    requested_type = UnicodeAttribute(null=True)
    file_name = UnicodeAttribute()
    object_key = UnicodeAttribute()
    etag = UnicodeAttribute(null=True)
    file_key = UnicodeAttribute(null=True)
    media_type = UnicodeAttribute(null=True)
    whole = BooleanAttribute(null=True)
    first_page = NumberAttribute(null=True)
    last_page = NumberAttribute(null=True)
    instance_of = NumberAttribute(null=True)
    instances = JSONAttribute(null=True)
    pending_parts = NumberSetAttribute(null=True, attr_name="unmoved")
    pages = NumberAttribute(null=True)
    pending = NumberSetAttribute(null=True)
    attempts = NumberAttribute(default=0)
    resolutions = NumberAttribute(default=0)
    unread_lines = NumberAttribute(default=0)
    error_code = UnicodeAttribute(null=True, attr_name="error")
    detail = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    finished_at = UnicodeAttribute(null=True)
    expires_at = TTLAttribute(null=True)
    # Metering: whose it is, what it counted for the month's quota, and whether it is in the usage.
    announced_by = UnicodeAttribute(null=True)
    counted_pages = NumberAttribute(null=True)
    file_bytes = NumberAttribute(null=True)
    metered = BooleanAttribute(null=True)
    # Review: who works on it until when (seconds since 1970), how many of its fields a person stands behind,
    # and the head of its audit trail.
    claimed_by = UnicodeAttribute(null=True)
    claimed_until = NumberAttribute(null=True)
    leaving = BooleanAttribute(null=True)  # its removal has begun
    verified = NumberAttribute(default=0)
    audit_count = NumberAttribute(default=0)
    audit_head = UnicodeAttribute(null=True)

    documents = DocumentsIndex()
    documents_by_status = DocumentsByStatusIndex()
    documents_by_type = DocumentsByTypeIndex()


class FieldItem(Item, discriminator="field"):
    """A field with every track's reading."""

    document_id = NumberAttribute()
    key = UnicodeAttribute()
    occurrence = NumberAttribute()
    order = NumberAttribute()
    status = UnicodeAttribute()
    readings = JSONAttribute()
    reviewed = JSONAttribute(null=True)
    reasons = JSONAttribute(null=True)
    version = NumberAttribute(default=1)
    reviewed_by = UnicodeAttribute(null=True)
    reviewed_at = UnicodeAttribute(null=True)
    comment = UnicodeAttribute(null=True)
    # Only while it waits for a person.
    review_key = UnicodeAttribute(null=True)
    review_rank = UnicodeAttribute(null=True)
    doc_type = UnicodeAttribute(null=True)

    review = ReviewIndex()


class PageItem(Item, discriminator="page"):
    """A page: its image and who has read it."""

    document_id = NumberAttribute()
    number = NumberAttribute()
    width = NumberAttribute(null=True)
    height = NumberAttribute(null=True)
    turned = NumberAttribute(null=True)
    tracks = UnicodeSetAttribute(null=True)
    waiting = BooleanAttribute(default=False)
    begun = NumberAttribute(default=0)
    error_code = UnicodeAttribute(null=True, attr_name="error")
    detail = UnicodeAttribute(null=True)


class AuditItem(Item, discriminator="audit"):
    """One change to a document, chained to the one before: see alma/audit.py."""

    document_id = NumberAttribute()
    sequence = NumberAttribute()
    at = UnicodeAttribute()
    actor = UnicodeAttribute()
    action = UnicodeAttribute()
    subject = UnicodeAttribute(null=True)
    content = UnicodeAttribute(null=True)
    content_digest = UnicodeAttribute()
    previous = UnicodeAttribute()
    digest = UnicodeAttribute()


class ModelItem(Item, discriminator="model"):
    """A model of the organisation's own."""

    model_id = UnicodeAttribute()
    name = UnicodeAttribute()
    base_model = UnicodeAttribute()
    doc_type = UnicodeAttribute(null=True)
    origin = UnicodeAttribute(null=True)
    status = UnicodeAttribute()
    trained_examples = NumberAttribute(default=0)
    attempts = NumberAttribute(default=0)
    etag = UnicodeAttribute(null=True)  # of the upload that is checked
    error_code = UnicodeAttribute(null=True, attr_name="error")
    detail = UnicodeAttribute(null=True)
    card = JSONAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute(null=True)
    finished_at = UnicodeAttribute(null=True)


class CounterItem(Item, discriminator="counter"):
    """A number that only grows."""

    last = NumberAttribute(default=0)


class SchemaItem(Item, discriminator="schema"):
    """A document type of the organisation's own."""

    doc_type = UnicodeAttribute()
    definition = UnicodeAttribute()
    updated_at = UnicodeAttribute()


class QuotaItem(Item, discriminator="quota"):
    """The pages that were counted in a month."""

    pages = NumberAttribute()


class UsageItem(Item, discriminator="usage"):
    """What a key used in a month; without `key_id`, what came through the inbox."""

    key_id = UnicodeAttribute(null=True)
    pages = NumberAttribute()
    fields = NumberAttribute()
    model_runs = NumberAttribute()
    file_bytes = NumberAttribute()


#: What the sort keys of an organisation's API keys begin with.
KEY_PREFIX = "key#"


def key_key(key_id: str) -> str:
    """Return the sort key of an API key."""
    return KEY_PREFIX + key_id.removeprefix("key_")


def token_key(key_id: str) -> tuple[str, str]:
    """Return partition and sort key of the row that an API key's token is checked against."""
    return f"token#{key_id.removeprefix('key_')}", "token"


def document_key(document_id: int) -> str:
    """Return the sort key of a document; its fields' keys begin with it."""
    return f"document#{document_id:0{_DIGITS}d}"


def listed_key(document_id: int) -> str:
    """Return the position of a document in the listings."""
    return f"{document_id:0{_DIGITS}d}"


def field_prefix(document_id: int) -> str:
    """Return what the sort keys of a document's fields begin with."""
    return document_key(document_id) + "#field#"


def field_key(document_id: int, key: str, occurrence: int) -> str:
    """Return the sort key of a field; a second extraction of it meets the same row."""
    return f"{field_prefix(document_id)}{key}#{occurrence:05d}"


def page_prefix(document_id: int) -> str:
    """Return what the sort keys of a document's pages begin with."""
    return f"page#{document_id:0{_DIGITS}d}#"


def page_key(document_id: int, number: int) -> str:
    """Return the sort key of a page."""
    return f"{page_prefix(document_id)}{number:05d}"


def audit_prefix(document_id: int) -> str:
    """Return what the sort keys of a document's audit trail begin with."""
    return f"audit#{document_id:0{_DIGITS}d}#"


def audit_key(document_id: int, sequence: int) -> str:
    """Return the sort key of an entry of a document's audit trail; the first is 1."""
    return f"{audit_prefix(document_id)}{sequence:08d}"


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
