"""A change to a document: its fields, its row and the entry of its audit trail, the entry last.

The number of entries on the document's row is the version of the whole: every change counts it up and is
written only if it is as it was read. So what a change was planned from cannot have changed meanwhile, and
entries cannot get lost. Who loses against another reads again and plans anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from alma.datamodel.fields import Field
from alma.documents import audit, field_rows, lookups, records, review_state
from alma.errors import ConflictError, NotFoundError
from alma.storage.items.documents import DocumentItem, FieldItem
from alma.storage.table import MAX_ITEM, Item, size_of
from alma.storage.transactions import Transaction, retry, transaction

#: Fields in one transaction, which takes a hundred actions: the document's row and the entry are two.
_TRANSACTION = 98

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field before and after; None before for a new one, None after for one that goes."""

    before: Field | None
    after: Field | None


@dataclass(frozen=True, slots=True)
class Change(Generic[_R]):
    """What is to become of a document, and what whoever plans it wants to know once it has."""

    event: audit.Event
    """The entry of the audit trail."""
    fields: Sequence[FieldChange]
    """The fields it touches."""
    doc_type: str | None
    """Type of the document after it."""
    result: _R
    """What `change` returns if this is the plan that was written."""
    actions: Sequence[Any] = ()
    """Further actions on the document's row."""
    condition: Any = None
    """What must hold of the row beside its version."""
    overwrite: bool = False
    """Fields are written whatever is there: an attempt that was cut off may have left some."""


@dataclass(frozen=True, slots=True)
class Unchanged(Generic[_R]):
    """The plan that nothing is to be written, and what is to be known all the same."""

    result: _R


def change(
    organisation: str,
    document_id: int,
    actor: str,
    plan: Callable[[DocumentItem], Change[_R] | Unchanged[_R]],
) -> _R:
    """Optimistic locking: write a change as planned from the document's row; return the plan's result.

    Parameters
    ----------
    organisation, document_id : str, int
        The document.
    actor : str
        Id of the key, or `audit.ALMA`.
    plan : callable
        From the document's row to what is to become of it; reads what it needs after the row. Called again
        when somebody else was faster.

    Raises
    ------
    NotFoundError
        The organisation has no such document (any more).
    ConflictError
        The change is more than a row holds (`too_large`).
    UnavailableError
        Others were faster each time.
    """

    def attempt() -> _R:
        row = records.row_of(organisation, document_id)
        planned = plan(row)
        if isinstance(planned, Change):
            _write(row, actor, planned)
        return planned.result

    return retry(attempt)


def end(organisation: str, document_id: int, actor: str) -> None:
    """Remove a document's row and close its trail, whose contents are gone before. Idempotent.

    Raises
    ------
    UnavailableError
        Others were faster each time.
    """

    def attempt() -> None:
        try:
            row = records.row_of(organisation, document_id)
        except NotFoundError:
            return
        audit.erase(organisation, document_id)
        entry = audit.next_item(row, actor, audit.Event(audit.Action.DELETED))
        entry.content = None
        with transaction() as write:
            # Only with the trail as it was erased: what is recorded meanwhile has to be erased, too.
            write.delete(row, condition=as_read(row))
            lookups.delete(write, row)
            write.save(entry, condition=type(entry).pk.does_not_exist())

    retry(attempt)


def as_read(row: DocumentItem) -> Any:
    """Return the condition that nothing was recorded for a document since its row was read."""
    count = int(row.audit_count or 0)
    unchanged: Any = DocumentItem.audit_count == count
    if count == 0:
        # Rows of documents that are older than the trail do not say.
        return DocumentItem.pk.exists() & (unchanged | DocumentItem.audit_count.does_not_exist())
    return unchanged


def steps(
    before: Sequence[Field], after: Sequence[Field], row: DocumentItem, *, rewrite: bool = False
) -> list[FieldChange]:
    """Return what leads from the fields of a document to others, each that changes with its next version.

    Fields that stay as they are are left out, unless their rows have to be written anyway (`rewrite`).

    A new field's version is one no field of the document has had, so that nobody mistakes it for one that
    stood in its place before.
    """
    known = {(field.key, field.occurrence): field for field in before}
    found = []
    for field in after:
        old = known.pop((field.key, field.occurrence), None)
        if old is None:
            found.append(FieldChange(None, replace(field, version=int(row.audit_count or 0) + 1)))
            continue
        same = replace(field, version=old.version)
        if same != old:
            found.append(FieldChange(old, replace(same, version=old.version + 1)))
        elif same.order != old.order or rewrite:
            found.append(FieldChange(old, same))
    return found + [FieldChange(old, None) for old in known.values()]


def _write(row: DocumentItem, actor: str, planned: Change[Any]) -> None:
    """Write a change onto the row as it was read. Many fields take several transactions, the entry last."""
    condition = as_read(row) if planned.condition is None else as_read(row) & planned.condition
    entry = audit.next_item(row, actor, planned.event)
    _check_fits(entry)
    actions = [
        DocumentItem.audit_count.set(entry.sequence),
        DocumentItem.audit_head.set(entry.digest),
        *planned.actions,
    ]
    actions += _counted(row, planned)
    starts = range(0, len(planned.fields), _TRANSACTION)
    *earlier, last = [planned.fields[start : start + _TRANSACTION] for start in starts] or [()]
    for batch in earlier:
        with transaction() as write:
            write.condition_check(DocumentItem, row.pk, row.sk, condition=condition)
            _write_fields(write, row, planned, batch)
    with transaction() as write:
        write.update(DocumentItem(row.pk, row.sk), actions=actions, condition=condition)
        write.save(entry, condition=type(entry).pk.does_not_exist())
        _write_fields(write, row, planned, last)


def _counted(row: DocumentItem, planned: Change[Any]) -> Iterator[Any]:
    """Return the actions on what the row says of its fields: the verified ones, what is left to review."""
    if planned.event.action is audit.Action.SPLIT:
        return  # counted when it has been read anew
    before = [each.before for each in planned.fields if each.before is not None]
    after = [each.after for each in planned.fields if each.after is not None]
    extracted = planned.event.action is audit.Action.EXTRACTED
    verified = sum(each.status.verified for each in after)
    more = verified - sum(each.status.verified for each in before)
    if extracted and row.status != records.DocumentStatus.READY.value:
        yield DocumentItem.verified.set(verified)
    elif more:
        yield DocumentItem.verified.add(more)
    if row.status != records.DocumentStatus.READY.value:
        if extracted:  # and so ready, with these fields alone
            yield from review_state.actions(row, review_state.of_fields(after))
        return
    known = None if extracted else review_state.of_row(row)
    summary = None if known is None else known.changed(before, after)
    if summary is None:
        _, fields = records.read(row.pk, int(row.document_id))
        left = {each.id: each for each in fields}
        for field in before:
            left.pop(field.id, None)
        summary = review_state.of_fields((left | {each.id: each for each in after}).values())
    yield from review_state.actions(row, summary)


def _write_fields(
    write: Transaction, row: DocumentItem, planned: Change[Any], batch: Sequence[FieldChange]
) -> None:
    for each in batch:
        before, after = each.before, each.after
        condition: Any
        if planned.overwrite:
            condition = None
        elif before is None:
            condition = FieldItem.pk.does_not_exist()
        else:
            condition = FieldItem.version == before.version
        kept = after or before
        if kept is None:
            continue
        item = field_rows.to_item(row.pk, int(row.document_id), planned.doc_type, kept)
        if after is None:
            write.delete(item, condition=condition)
        else:
            _check_fits(item)
            write.save(item, condition=condition)


def _check_fits(item: Item) -> None:
    if size_of(item) > MAX_ITEM:
        raise ConflictError(
            f"This is more than can be kept of one field ({MAX_ITEM // 1024} KB with all that was read and "
            "said of it); say less.",
            code="too_large",
        )
