"""Listings of documents, newest first: each filter has an index, and one of those given is read.

It is the one that usually leaves the fewest documents: the name, then the time of arrival, the confidence,
the state of review, the type, the status. What it yields is looked at for the other filters, so many rows a
call; a page may be short, or empty, and have a cursor.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import groupby, islice
from typing import Any, Final

from alma import pagination
from alma.access import organisations
from alma.documents import field_rows, lookups, names, records, review_state
from alma.documents.lookups import Position
from alma.documents.records import Document, DocumentStatus
from alma.documents.review_state import PARTITIONS, ReviewState
from alma.errors import BadRequestError
from alma.storage.items.documents import DocumentItem, FieldItem, document_key, field_prefix, listed_key

MAX_LIMIT = 200
#: Documents that one call looks at.
LOOKED_AT: Final = 1000
#: Documents of earlier releases whose fields one call reads, because their rows do not say what is to review.
_FIELDS_READ: Final = 100
#: Fields below a confidence that are read to find their documents; where there are more, those that wait are
#: looked at instead.
_UNSURE_FIELDS: Final = 500
#: Rows that are read at once where filters leave some out.
_BATCH: Final = 200
#: Documents that are fetched at once by their numbers.
_FETCHED: Final = 50
_POSITION = re.compile(r"(?:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) )?(\d{1,12})", re.ASCII)

_Candidates = Iterator[tuple[Position, DocumentItem | None]]


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which documents to list: those of which all that is given holds."""

    doc_type: str | None = None
    status: DocumentStatus | None = None
    name: str | None = None
    """What the file's name begins with, or goes on with from one of its words; as `names.folded` gives it."""
    arrived_from: str | None = None
    """Not earlier than this, as `clock.timestamp` writes it."""
    arrived_to: str | None = None
    """Not later than this."""
    review: ReviewState | None = None
    confidence_below: float | None = None
    """A field that waits is less sure than this."""

    @property
    def dated(self) -> bool:
        """Times are given: documents are sorted by them, else by number, which is nearly the same."""
        return self.arrived_from is not None or self.arrived_to is not None

    @property
    def reviewed(self) -> bool:
        """Something of the fields is asked for."""
        return self.review is not None or self.confidence_below is not None

    @property
    def filters(self) -> int:
        """How many filters are given."""
        given = (self.doc_type, self.status, self.name, self.review, self.confidence_below)
        return sum(each is not None for each in given) + self.dated

    def names_document(self, file_name: str, created_at: str) -> bool:
        """Tell whether a document has such a name and arrived at such a time."""
        named = self.name is None or names.matches(file_name, self.name)
        return named and self.arrived(created_at)

    def arrived(self, created_at: str) -> bool:
        """Tell whether a document arrived at such a time."""
        return (self.arrived_from is None or self.arrived_from <= created_at) and (
            self.arrived_to is None or created_at <= self.arrived_to
        )


ALL = Criteria()


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a listing and the cursor of the next."""

    documents: list[Document]
    next_cursor: str | None


def list_documents(
    organisation: str, wanted: Criteria = ALL, *, cursor: str | None = None, limit: int = 50
) -> Listing:
    """Return documents, newest first.

    Parameters
    ----------
    wanted : Criteria
        Only these.
    cursor : str, optional
        `next_cursor` of the listing before, of the same criteria.
    limit : int
        At most this many, 1 to 200.

    Raises
    ------
    BadRequestError
        The limit is out of range or the cursor malformed.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequestError(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    candidates = _candidates(organisation, wanted, _position(cursor, wanted), limit)
    check = _Check(wanted)
    found: list[Document] = []
    for looked_at, (position, row) in enumerate(candidates, 1):
        if row is not None and check.holds(row):
            found.append(records.from_item(row))
        if len(found) == limit or looked_at == LOOKED_AT or check.fields_read == _FIELDS_READ:
            more = next(candidates, None) is not None
            return Listing(found, _cursor(position, wanted) if more else None)
    return Listing(found, None)


def matching_ids(organisation: str, name: str) -> set[int] | None:
    """Return the documents that a folded text may name; None where they are too many, or not all indexed."""
    if not organisations.documents_indexed(organisation):
        return None
    found = lookups.named(organisation, name)
    return None if found is None else {number for _, number in found}


class _Check:
    """Whether rows are as wanted, and of how many the fields had to be read for that."""

    def __init__(self, wanted: Criteria) -> None:
        self._wanted = wanted
        self.fields_read = 0

    def holds(self, row: DocumentItem) -> bool:
        wanted = self._wanted
        return (
            wanted.doc_type in (None, row.doc_type)
            and (wanted.status is None or wanted.status is records.status_of(row))
            and wanted.names_document(row.file_name, row.created_at)
            and (not wanted.reviewed or self._holds_of_fields(row))
        )

    def _holds_of_fields(self, row: DocumentItem) -> bool:
        if row.status != DocumentStatus.READY.value:
            return False
        summary = review_state.of_row(row)
        if summary is None:
            self.fields_read += 1
            fields = FieldItem.query(
                row.pk,
                FieldItem.sk.startswith(field_prefix(int(row.document_id))),
                attributes_to_get=field_rows.IN_REVIEW,
            )
            summary = review_state.of_fields(map(field_rows.from_item, fields))
        state, below = self._wanted.review, self._wanted.confidence_below
        return (state is None or summary.is_in(state)) and (below is None or summary.is_below(below))


def _candidates(organisation: str, wanted: Criteria, before: Position | None, limit: int) -> _Candidates:
    """Return documents among which all wanted ones are, newest first, by the most telling index."""
    indexed = (
        wanted.name is not None or wanted.dated or wanted.reviewed
    ) and organisations.documents_indexed(organisation)
    if indexed and wanted.name is not None:
        matches = lookups.named(organisation, wanted.name)
        if matches is not None:
            in_range = (each for each in matches if wanted.arrived(each[0]))
            return _fetched(organisation, _sorted(in_range, wanted, before))
    batch = limit + 1 if wanted.filters < 2 else max(limit + 1, _BATCH)
    if indexed and wanted.dated:
        first, last = wanted.arrived_from, wanted.arrived_to
        arrived = lookups.arrived(organisation, first, last, before=before, page_size=batch)
        return _fetched(organisation, arrived)
    if wanted.confidence_below is not None and not wanted.dated:
        unsure = _unsure(organisation, wanted.confidence_below)
        if unsure is not None:
            return _fetched(organisation, _sorted((("", each) for each in unsure), wanted, before))
    condition = None if before is None else DocumentItem.listed < listed_key(before[1])
    if indexed and wanted.reviewed:
        rank = None if before is None else DocumentItem.review_rank < listed_key(before[1])
        states = PARTITIONS[wanted.review or ReviewState.WAITING]
        keys = [review_state.partition_key(organisation, state) for state in states]
        return _merged([_rows(DocumentItem.documents_by_review, key, rank, batch) for key in keys])
    # Reached with filters that are not this index's only where documents may not be in theirs.
    batch = max(batch, _BATCH) if wanted.name is not None or wanted.dated or wanted.reviewed else batch
    if wanted.doc_type is not None:
        key = f"{organisation}#{wanted.doc_type}"
        return _merged([_rows(DocumentItem.documents_by_type, key, condition, batch)])
    status = DocumentStatus.READY if wanted.reviewed else wanted.status
    if status is not None:
        # A file that has not come has failed by now, and no row says so.
        also = [DocumentStatus.PROCESSING] if status is DocumentStatus.FAILED else []
        keys = [f"{organisation}#{each.value}" for each in (status, *also)]
        return _merged([_rows(DocumentItem.documents_by_status, key, condition, batch) for key in keys])
    return _merged([_rows(DocumentItem.documents, organisation, condition, batch)])


def _rows(index: Any, key: str, condition: Any, page_size: int) -> Iterator[DocumentItem]:
    yield from index.query(key, range_key_condition=condition, scan_index_forward=False, page_size=page_size)


def _merged(streams: list[Iterator[DocumentItem]]) -> _Candidates:
    rows = merge(*streams, key=lambda row: -int(row.document_id))
    for number, copies in groupby(rows, key=lambda row: int(row.document_id)):
        # One that changed while it was read is in two partitions: as it is now counts.
        row = max(copies, key=lambda row: int(row.audit_count or 0))
        yield (row.created_at, number), row


def _sorted(positions: Iterable[Position], wanted: Criteria, before: Position | None) -> Iterator[Position]:
    """Yield positions in the order of a listing, after that of its cursor."""

    def key(position: Position) -> Any:
        return position if wanted.dated else position[1]

    rest = (each for each in positions if before is None or key(each) < key(before))
    yield from sorted(rest, key=key, reverse=True)


def _fetched(organisation: str, positions: Iterator[Position]) -> _Candidates:
    """Yield the documents at positions; None for one that is gone."""
    while chunk := list(islice(positions, _FETCHED)):
        keys = [(organisation, document_key(number)) for _, number in chunk]
        rows = {int(row.document_id): row for row in DocumentItem.batch_get(keys, consistent_read=True)}
        for position in chunk:
            yield position, rows.get(position[1])


def _unsure(organisation: str, below: float) -> set[int] | None:
    """Return the documents with fields that wait and are less sure; None where these are too many to read."""
    found: set[int] = set()
    left = _UNSURE_FIELDS
    for prefix in field_rows.RANKS.values():
        # Unknown confidence sorts before every digit.
        between = FieldItem.review_rank.between(f"{prefix}0", f"{prefix}{below:.6f}")
        rows = list(
            FieldItem.review.query(
                organisation,
                range_key_condition=between,
                limit=left + 1,
                attributes_to_get=["kind", "document_id"],
            )
        )
        left -= len(rows)
        if left < 0:
            return None
        found |= {int(row.document_id) for row in rows}
    return found


def _position(cursor: str | None, wanted: Criteria) -> Position | None:
    if cursor is None:
        return None
    stands = _POSITION.fullmatch(pagination.decode(cursor))
    if stands is None or (stands[1] is not None) != wanted.dated:
        raise pagination.bad_cursor()
    return stands[1] or "", int(stands[2])


def _cursor(position: Position, wanted: Criteria) -> str:
    created_at, number = position
    return pagination.encode(f"{created_at} {number}" if wanted.dated else str(number))


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
