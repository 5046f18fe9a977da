"""The review queue: an organisation's fields that wait for a person, the most urgent first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from alma import pagination
from alma.datamodel.fields import Field, Status
from alma.documents import field_rows, listing, records
from alma.documents.listing import ALL, Criteria
from alma.documents.records import Document, DocumentStatus
from alma.errors import BadRequestError
from alma.storage.items.documents import DocumentItem, FieldItem, document_key, field_prefix

MAX_LIMIT = 200
#: Rows of the index that are looked at for one page: those of documents still being read, and what filters
#: leave out, are passed over.
_LOOKED_AT = 5000
#: Rows that are read at once with a filter and, at least, without one.
_BATCH, _LEAST = 1000, 100
#: Documents of a name whose fields are read themselves; of more, the queue is looked through.
_FEW = 20
_RANK = re.compile(r"[01]#(?:[-.]|\d\.\d{6})#\d{12}#[a-z][a-z0-9_.]{0,128}#\d{5}")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A field that waits, and its document."""

    document: Document
    field: Field


@dataclass(frozen=True, slots=True)
class Queue:
    """A page of the queue and the cursor of the next."""

    items: list[Waiting]
    next_cursor: str | None


def waiting(
    organisation: str,
    *,
    doc_type: str | None = None,
    key: str | None = None,
    max_confidence: float | None = None,
    status: Status | None = None,
    of: Criteria = ALL,
    limit: int = 50,
    cursor: str | None = None,
) -> Queue:
    """Return fields that wait: escalated ones first, then by confidence, unknown before low before high.

    A page may be empty and have a cursor all the same, where many that wait are none of those asked for.

    Parameters
    ----------
    organisation : str
        Whose.
    doc_type, key : str, optional
        Only fields of documents of this type, only those of this key.
    max_confidence : float, optional
        Only fields at most this sure; those of unknown confidence are among them.
    status : Status, optional
        Only escalated or only unreviewed ones.
    of : Criteria
        Only fields of documents of this name, that arrived in this range.
    limit : int
        At most this many, 1 to 200.
    cursor : str, optional
        `next_cursor` of the page before.

    Raises
    ------
    BadRequestError
        A limit, confidence or status is out of range, or the cursor malformed.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequestError(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    if status is not None and status not in field_rows.RANKS:
        raise BadRequestError("status is escalated or unreviewed: other fields do not wait.")
    if max_confidence is not None and not 0 <= max_confidence <= 1:
        raise BadRequestError("maxConfidence is a number from 0 to 1.")
    after = _position(organisation, cursor)
    prefixes = [prefix for each, prefix in field_rows.RANKS.items() if status in (None, each)]
    filtered = doc_type is not None or key is not None or of != ALL
    named = None if of.name is None else listing.matching_ids(organisation, of.name)
    found: list[Waiting] = []
    last = None
    batch_size = _BATCH if filtered else max(limit, _LEAST)
    ranges = _ranges(prefixes, after, max_confidence)
    rows = (
        _rows(organisation, ranges, batch_size)
        if named is None or len(named) > _FEW
        else _rows_of(organisation, named, ranges)
    )
    looked_at = islice(rows, _LOOKED_AT)
    while batch := list(islice(looked_at, batch_size)):
        wanted = {
            item.sk
            for item in batch
            if doc_type in (None, item.doc_type)
            and key in (None, item.key)
            and (named is None or int(item.document_id) in named)
        }
        known = _documents(organisation, {int(item.document_id) for item in batch if item.sk in wanted})
        for item in batch:
            document = known.get(int(item.document_id)) if item.sk in wanted else None
            if document is not None and _is_wanted(document, of):
                if len(found) == limit:
                    return Queue(found, _cursor(organisation, last))
                found.append(Waiting(document, field_rows.from_item(item)))
            last = item.review_rank
    # Where the look ended before the queue did, the next one goes on from there.
    return Queue(found, _cursor(organisation, last) if next(rows, None) is not None else None)


def _is_wanted(document: Document, of: Criteria) -> bool:
    return document.status is DocumentStatus.READY and of.names_document(
        document.file_name, document.created_at
    )


def _ranges(
    prefixes: list[str], after: str | None, max_confidence: float | None
) -> Iterator[tuple[str, str]]:
    """Yield the ranges of ranks that are left after that of a cursor, in order."""
    for prefix in prefixes:
        # "~" sorts after everything a rank may hold.
        end = f"{prefix}{'' if max_confidence is None else f'{max_confidence:.6f}#'}~"
        if after is not None and after >= end:
            continue
        # A cursor's rank is the last that was seen: what follows it begins with it and one character more.
        yield prefix if after is None else max(prefix, after + "!"), end


def _rows(organisation: str, ranges: Iterator[tuple[str, str]], page_size: int) -> Iterator[FieldItem]:
    for begin, end in ranges:
        # Filters are applied by whoever counts what is looked at: DynamoDB would go on until it finds some.
        yield from FieldItem.review.query(
            organisation,
            range_key_condition=FieldItem.review_rank.between(begin, end),
            page_size=page_size + 1,
        )


def _rows_of(
    organisation: str, documents: Iterable[int], ranges: Iterator[tuple[str, str]]
) -> Iterator[FieldItem]:
    """Yield the same of a few documents, from their own rows."""
    waiting_rows = [
        item
        for number in documents
        for item in FieldItem.query(organisation, FieldItem.sk.startswith(field_prefix(number)))
        if item.review_rank is not None
    ]
    waiting_rows.sort(key=lambda item: str(item.review_rank))
    for begin, end in ranges:
        yield from (item for item in waiting_rows if begin <= item.review_rank <= end)


def _documents(organisation: str, ids: set[int]) -> dict[int, Document]:
    rows = DocumentItem.batch_get([(organisation, document_key(number)) for number in sorted(ids)])
    return {int(row.document_id): records.from_item(row) for row in rows}


def _position(organisation: str, cursor: str | None) -> str | None:
    """Return the rank that a cursor stands for; one of another organisation is refused."""
    if cursor is None:
        return None
    owner, _, rank = pagination.decode(cursor).partition(" ")
    if owner != organisation or not _RANK.fullmatch(rank):
        raise pagination.bad_cursor()
    return rank


def _cursor(organisation: str, rank: str | None) -> str | None:
    return None if rank is None else pagination.encode(f"{organisation} {rank}")
