"""Inverted index of file names and of times of arrival, as small items in the partition of the organisation.

A name has an item for each of its words, with the name from that word on in the sort key: what somebody types
is a range of these. They are written in the transaction that makes the document, and removed in the one that
removes it; those of an upload that never comes go by themselves, later than its row.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from alma.documents import names
from alma.storage.items.documents import (
    ARRIVED_PREFIX,
    NAME_PREFIX,
    DocumentItem,
    LookupItem,
    arrived_key,
    name_key,
)
from alma.storage.transactions import Transaction

#: Entries of the index of names that are read for one text; where more begin so, it tells little.
MAX_MATCHES: Final = 1000
#: Characters of a name in a sort key, which has 1,024 bytes; the whole name is compared once it is read.
_MAX_TEXT = 100
#: The table removes what expired in no order, within days.
_OUTLIVES_ROW = timedelta(days=7)

#: When a document arrived, and its number: newest last.
Position = tuple[str, int]


def of_row(row: DocumentItem) -> list[LookupItem]:
    """Return the lookups that a document has."""
    number, arrived = int(row.document_id), row.created_at
    keys = {name_key(each[:_MAX_TEXT], number) for each in names.beginnings(_folded_name(row))}
    expires = None if row.expires_at is None else row.expires_at + _OUTLIVES_ROW
    return [
        LookupItem(row.pk, key, document_id=number, created_at=arrived, expires_at=expires)
        for key in [arrived_key(arrived, number), *sorted(keys)]
    ]


def _folded_name(row: DocumentItem) -> str:
    """Return a document's name as its lookups have it: another version of Unicode may fold it otherwise."""
    return row.folded_name or names.folded(row.file_name)


def save(transact: Transaction, row: DocumentItem) -> None:
    """Write a document's lookups in a transaction. Idempotent."""
    for each in of_row(row):
        transact.save(each)


def delete(transact: Transaction, row: DocumentItem) -> None:
    """Remove a document's lookups in a transaction. Idempotent."""
    for each in of_row(row):
        transact.delete(each)


def renew(transact: Transaction, row: DocumentItem) -> None:
    """Write a document's lookups in a transaction, by its name as it is folded today. Idempotent.

    The row is changed here too, and has to be written with its `folded_name`.
    """
    before = {each.sk: each for each in of_row(row)}
    row.folded_name = names.folded(row.file_name) or None
    after = of_row(row)
    for key in before.keys() - {each.sk for each in after}:
        transact.delete(before[key])
    for each in after:
        transact.save(each)


def named(organisation: str, wanted: str) -> set[Position] | None:
    """Return the documents that a folded text may name; None where they are too many to read."""
    found = [
        (item.created_at, int(item.document_id))
        for item in LookupItem.query(
            organisation,
            LookupItem.sk.startswith(NAME_PREFIX + wanted[:_MAX_TEXT]),
            limit=MAX_MATCHES + 1,
        )
    ]
    return None if len(found) > MAX_MATCHES else set(found)


def arrived(
    organisation: str, first: str | None, last: str | None, *, before: Position | None, page_size: int
) -> Iterator[Position]:
    """Yield the documents that arrived in a range of times, both inclusive, newest first.

    Parameters
    ----------
    first, last : str or None
        Times as `clock.timestamp` writes them; None for no bound.
    before : Position, optional
        Only documents older than this.
    page_size : int
        Items that are read at once.
    """
    begin = ARRIVED_PREFIX + (first or "")
    end = f"{ARRIVED_PREFIX}{last or ''}~"  # "~" sorts after everything a key may hold
    if before is not None:
        created_at, number = before
        end = min(end, arrived_key(created_at, number - 1))
    if begin > end:
        return
    for item in LookupItem.query(
        organisation, LookupItem.sk.between(begin, end), scan_index_forward=False, page_size=page_size
    ):
        yield item.created_at, int(item.document_id)
