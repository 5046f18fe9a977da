"""Listings of documents: by age, type and status, through the table's indexes."""

from __future__ import annotations

from dataclasses import dataclass

from alma import pagination
from alma.documents import records
from alma.documents.records import Document, DocumentStatus
from alma.errors import BadRequestError
from alma.storage.items.documents import DocumentItem, listed_key

MAX_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a listing and the cursor of the next."""

    documents: list[Document]
    next_cursor: str | None


def list_documents(
    organisation: str,
    *,
    cursor: str | None = None,
    limit: int = 50,
    doc_type: str | None = None,
    status: DocumentStatus | None = None,
) -> Listing:
    """Return documents, newest first.

    Parameters
    ----------
    cursor : str, optional
        `next_cursor` of the listing before.
    limit : int
        At most this many, 1 to 200.
    doc_type, status : optional
        Only documents of this type, in this status.

    Raises
    ------
    BadRequestError
        The limit is out of range or the cursor malformed.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequestError(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    before = pagination.number(cursor)
    condition = None if before is None else DocumentItem.listed < listed_key(before)
    # Each filter has its index; with both, the type is queried and the status is a filter on top, which may
    # need several rounds to fill a page.
    if doc_type is not None:
        index, partition = DocumentItem.documents_by_type, f"{organisation}#{doc_type}"
    elif status is not None:
        index, partition = DocumentItem.documents_by_status, f"{organisation}#{status.value}"  # type: ignore[assignment]
    else:
        index, partition = DocumentItem.documents, organisation  # type: ignore[assignment]
    filtered = DocumentItem.status == status.value if doc_type and status else None
    found = [
        records.from_item(item)
        for item in index.query(
            partition,
            range_key_condition=condition,
            filter_condition=filtered,
            scan_index_forward=False,
            limit=limit + 1,
            page_size=limit + 1 if filtered is None else 1000,
        )
    ]
    more = len(found) > limit
    found = found[:limit]
    return Listing(found, pagination.encode(str(found[-1].id)) if more else None)


def list_verified(
    organisation: str, doc_type: str, *, cursor: str | None = None, limit: int | None = None
) -> tuple[list[int], str | None]:
    """Return the ids of a type's documents with verified fields, oldest first, and a cursor of the rest.

    Parameters
    ----------
    cursor : str, optional
        The cursor of the call before.
    limit : int, optional
        At most this many; None for all.

    Raises
    ------
    BadRequestError
        The cursor is malformed.
    """
    after = pagination.number(cursor)
    found = [
        int(item.document_id)
        for item in DocumentItem.documents_by_type.query(
            f"{organisation}#{doc_type}",
            range_key_condition=None if after is None else DocumentItem.listed > listed_key(after),
            filter_condition=DocumentItem.verified > 0,
            limit=None if limit is None else limit + 1,
            page_size=None if limit is None else 1000,
            attributes_to_get=["kind", "document_id"],
        )
    ]
    if limit is None or len(found) <= limit:
        return found, None
    return found[:limit], pagination.encode(str(found[limit - 1]))


def count_verified(organisation: str) -> dict[str, tuple[int, int]]:
    """Return, by document type, the number of documents with verified fields and of these fields."""
    counts: dict[str, tuple[int, int]] = {}
    for item in DocumentItem.documents.query(
        organisation,
        filter_condition=(DocumentItem.verified > 0) & DocumentItem.doc_type.exists(),
        attributes_to_get=["kind", "doc_type", "verified"],
    ):
        documents, fields = counts.get(item.doc_type, (0, 0))
        counts[item.doc_type] = documents + 1, fields + int(item.verified)
    return counts


def cursor_after(document: Document) -> str:
    """Return the cursor with which a listing goes on after a document."""
    return pagination.encode(str(document.id))
