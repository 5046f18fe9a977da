"""Files, documents, their fields and pages, and the audit trail.

A document sorts right before its fields, so that one Query brings both back.

====  =====================================  ============================================
pk    sk                                     item
====  =====================================  ============================================
ORG   file#DIGEST                            FileItem: which document a file became
ORG   document#000000004012                  DocumentItem
ORG   document#000000004012#field#KEY#00000  FieldItem
ORG   page#000000004012#00001                PageItem
ORG   audit#000000004012#00000001            AuditItem: one change, chained
ORG   name#NAME FROM A WORD ON#000000004012  LookupItem: of each word of a file's name
ORG   arrived#TIME#000000004012              LookupItem: of the time it arrived
====  =====================================  ============================================
"""

from __future__ import annotations

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    NumberSetAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from alma.storage.table import Item

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


class DocumentsByReviewIndex(GlobalSecondaryIndex["DocumentItem"]):  # type: ignore[no-untyped-call]
    """An organisation's documents of one state of review by age: partitions of their own in `ReviewIndex`."""

    class Meta(_Everything):
        index_name = "review"

    review_key = UnicodeAttribute(hash_key=True)
    review_rank = UnicodeAttribute(range_key=True)


class ReviewIndex(GlobalSecondaryIndex["FieldItem"]):  # type: ignore[no-untyped-call]
    """An organisation's fields that wait for a person, the most urgent first; decided ones are not in it."""

    class Meta(_Everything):
        index_name = "review"

    review_key = UnicodeAttribute(hash_key=True)
    review_rank = UnicodeAttribute(range_key=True)


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
    folded_name = UnicodeAttribute(null=True)  # as its lookups have it, whatever folds names today
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
    # Split and merge by hand. On a part: from which document it takes its pages, and which of that one's. On
    # a document that is being split: its parts, [number, first page, last page] each; on one that takes
    # others in: these, [number, first page here, pages] each; on those, which one. Both: who asked for it.
    # After a merge: the pages are not one range of the file, and the further files they came from, [file
    # key, object key, etag, first document] each.
    taken_from = NumberAttribute(null=True)
    taken_first = NumberAttribute(null=True)
    taken_last = NumberAttribute(null=True)
    parts = JSONAttribute(null=True)
    joining = JSONAttribute(null=True)
    merged_into = NumberAttribute(null=True)
    divided_by = UnicodeAttribute(null=True)
    scattered = BooleanAttribute(null=True)
    further_files = JSONAttribute(null=True)
    pages = NumberAttribute(null=True)
    pending = NumberSetAttribute(null=True)
    attempts = NumberAttribute(default=0)
    resolutions = NumberAttribute(default=0)
    unread_lines = NumberAttribute(default=0)
    warning = JSONAttribute(null=True)  # what could not be read: reason and sentence
    attachments = JSONAttribute(null=True)
    # Files attached to the file that are read, as [name, first page, last page] over all of its pages.
    attached_files = JSONAttribute(null=True)
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
    # how many wait and how many required ones were not found (none of the three on older rows),
    # and how long its audit trail is and the last digest of it.
    claimed_by = UnicodeAttribute(null=True)
    claimed_until = NumberAttribute(null=True)
    # A re-extraction that waits: when it was asked for (milliseconds since 1970), as which type and how often
    # it was begun; or why the last one failed, a sentence.
    re_extraction = NumberAttribute(null=True)
    re_extraction_type = UnicodeAttribute(null=True)
    re_extraction_attempts = NumberAttribute(null=True)
    re_extraction_failure = UnicodeAttribute(null=True)
    deleting = BooleanAttribute(null=True, attr_name="leaving")  # its removal has begun
    verified = NumberAttribute(default=0)
    escalated = NumberAttribute(null=True)
    unreviewed = NumberAttribute(null=True)
    missing = NumberAttribute(null=True)
    # Once it is ready: its state of review, and the confidence of the least sure field that waits.
    review_key = UnicodeAttribute(null=True)
    review_rank = UnicodeAttribute(null=True)
    least_confidence = NumberAttribute(null=True)
    audit_count = NumberAttribute(default=0)
    audit_head = UnicodeAttribute(null=True)

    documents = DocumentsIndex()
    documents_by_status = DocumentsByStatusIndex()
    documents_by_type = DocumentsByTypeIndex()
    documents_by_review = DocumentsByReviewIndex()


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
    """One change to a document, chained to the one before: see `alma.documents.audit`."""

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


class LookupItem(Item, discriminator="lookup"):
    """An entry of an index in the table itself: written and removed together with the document."""

    document_id = NumberAttribute()
    created_at = UnicodeAttribute()  # of the document
    expires_at = TTLAttribute(null=True)


#: What the sort keys of lookups begin with.
NAME_PREFIX, ARRIVED_PREFIX = "name#", "arrived#"


def name_key(text: str, document_id: int) -> str:
    """Return the sort key of a lookup by name; the text is folded and holds letters, digits and spaces."""
    return f"{NAME_PREFIX}{text}#{listed_key(document_id)}"


def arrived_key(created_at: str, document_id: int) -> str:
    """Return the sort key of a lookup by time of arrival."""
    return f"{ARRIVED_PREFIX}{created_at}#{listed_key(document_id)}"


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
