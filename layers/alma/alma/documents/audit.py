"""The audit trail of a document: every change to it, chained, so that none can be altered unseen.

Each entry's digest covers the entry and the digest before it; the document's row holds the number of entries
and the last digest, and both are written together with the change itself. What was changed (`content`) is
kept beside with a digest of its own: when a document is deleted its contents go and the chain stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from alma import pagination
from alma.clock import timestamp
from alma.datamodel.fields import Field, Reading, evidence_of
from alma.documents import records
from alma.errors import BadRequestError
from alma.storage.items.documents import AuditItem, DocumentItem, audit_key, audit_prefix

#: Who acts where no key does.
ALMA = "alma"
#: What the first entry follows.
START = "0" * 64
MAX_LIMIT = 100


class Action(StrEnum):
    """What happened to a document."""

    EXTRACTED = "extracted"
    FAILED = "failed"
    ACCEPTED = "accepted"
    EDITED = "edited"
    REJECTED = "rejected"
    ESCALATED = "escalated"
    ADDED = "added"
    PROPOSED = "proposed"
    SPLIT = "split"
    MERGED = "merged"
    DELETED = "deleted"

    @property
    def decides(self) -> bool:
        """A person, or an agent that proposes, said something of a field."""
        return self not in (Action.EXTRACTED, Action.FAILED, Action.SPLIT, Action.MERGED, Action.DELETED)


@dataclass(frozen=True, slots=True)
class Event:
    """A change that is to be recorded."""

    action: Action
    subject: str | None = None
    """Id of the field; None for the document as a whole."""
    before: dict[str, Any] | None = None
    """What it was, as JSON; None where there was nothing."""
    after: dict[str, Any] | None = None
    """What it became, as JSON; None where nothing is left."""
    comment: str | None = None
    """What the person or the agent said."""
    at: str = field(default_factory=timestamp)
    """ISO 8601."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a trail."""

    sequence: int
    """Its place, 1 for the first."""
    actor: str
    """Id of the key it was done with, or `alma`."""
    event: Event
    """Without `before`, `after` and `comment` once the document is deleted."""
    digest: str
    previous: str
    """Digest of the entry before."""


@dataclass(frozen=True, slots=True)
class History:
    """Entries of a trail, oldest first, and the cursor of those that follow."""

    entries: list[Entry]
    next_cursor: str | None


def next_item(row: DocumentItem, actor: str, event: Event) -> AuditItem:
    """Return the row of the entry that follows those of a document, as its row was read."""
    sequence = int(row.audit_count or 0) + 1
    document_id = int(row.document_id)
    content = canonical({"after": event.after, "before": event.before, "comment": event.comment})
    item = AuditItem(
        row.pk,
        audit_key(document_id, sequence),
        document_id=document_id,
        sequence=sequence,
        at=event.at,
        actor=actor,
        action=event.action.value,
        subject=event.subject,
        content=content,
        content_digest=sha256(content),
        previous=row.audit_head or START,
    )
    item.digest = digest_of(item)
    return item


def digest_of(item: AuditItem) -> str:
    """Return the digest an entry must have; where it stands is taken from its key, not from what it says."""
    _, document, sequence = item.sk.split("#")
    return sha256(
        canonical(
            {
                "organisation": item.pk,
                "document": int(document),
                "sequence": int(sequence),
                "at": item.at,
                "actor": item.actor,
                "action": item.action,
                "subject": item.subject,
                "content_digest": item.content_digest,
                "previous": item.previous,
            }
        )
    )


def canonical(value: object) -> str:
    """Return a value as JSON of one form."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256(text: str) -> str:
    """Return the digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def state_of(field: Field | None) -> dict[str, Any] | None:
    """Return what a trail keeps of a field: its status and why, its version, its value and its place."""
    if field is None:
        return None
    best = None if field.missing else field.best
    return {
        "status": field.status.value,
        "reasons": list(field.reasons),
        "version": field.version,
        "value": best and best.value,
        "evidence": best and evidence_of(best.regions),
    }


def state_of_reading(reading: Reading) -> list[Any]:
    """Return all that a reading says, as JSON."""
    regions = [region.to_dict() for region in reading.regions]
    said = [reading.track, reading.value, reading.content, reading.confidence, regions]
    return said if reading.comment is None else [*said, reading.comment]


def fields_digest(fields: Iterable[Field]) -> str:
    """Return a digest of the fields an extraction left: where they stand in review and all their readings.

    What agents propose is no work of an extraction: entries of its own hold it.
    """
    left = sorted(
        (
            field.key,
            field.occurrence,
            field.version,
            field.status.value,
            list(field.reasons),
            [state_of_reading(reading) for reading in field.readings if not reading.proposed],
        )
        for field in fields
    )
    return sha256(canonical(left))


def extracted(
    fields: Sequence[Field],
    doc_type: str | None,
    *,
    before: dict[str, Any] | None = None,
    track: str | None = None,
    kept: Sequence[Field] = (),
) -> Event:
    """Return the event of an extraction that left a document with these fields.

    Parameters
    ----------
    fields : sequence of Field
        All fields, as the table keeps them from then on, versions included.
    doc_type : str or None
        The document's type now.
    before : dict, optional
        What was known before: the type it had.
    track : str, optional
        The one track that was read, where it was one.
    kept : sequence of Field, optional
        Those of them that people had decided before a split or a merge, by which the document came to them.
    """
    after: dict[str, Any] = {
        "docType": doc_type,
        "fields": len(fields),
        "fieldsDigest": fields_digest(fields),
    }
    if track is not None:
        after["track"] = track
    if kept:
        after["kept"] = {field.id: _kept(field) for field in kept}
    return Event(Action.EXTRACTED, None, before, after)


def _kept(field: Field) -> dict[str, Any]:
    state = state_of(field) or {}
    proposed = [state_of_reading(reading) for reading in field.readings if reading.proposed]
    said = [field.reviewed_by, field.reviewed_at, field.comment]
    return state | {"said": said} | ({"proposals": proposed} if proposed else {})


def history(organisation: str, document_id: int, *, cursor: str | None = None, limit: int = 50) -> History:
    """Return the entries of a document's trail, oldest first; a deleted document keeps its trail.

    Raises
    ------
    BadRequestError
        The cursor or the limit is malformed.
    NotFoundError
        The organisation has neither such a document nor a trail of it.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequestError(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    after = pagination.number(cursor) or 0
    items = AuditItem.query(
        organisation,
        AuditItem.sk.between(audit_key(document_id, after + 1), audit_prefix(document_id) + "~"),
        consistent_read=True,
        limit=limit + 1,
    )
    found = [_from_item(item) for item in items]
    if not found:
        records.row_of(organisation, document_id)
    more, found = len(found) > limit, found[:limit]
    return History(found, pagination.encode(str(found[-1].sequence)) if more else None)


def as_json(item: AuditItem) -> dict[str, Any]:
    """Return an entry as another document's trail takes it along."""
    entry = _from_item(item)
    event = entry.event
    return {
        "at": event.at,
        "by": entry.actor,
        "action": event.action.value,
        "field": event.subject,
        "before": event.before,
        "after": event.after,
        "comment": event.comment,
    }


def erase(organisation: str, document_id: int) -> None:
    """Remove what a document's trail says of its content; the chain of digests stays. Idempotent."""
    prefix = AuditItem.sk.startswith(audit_prefix(document_id))
    for item in AuditItem.query(organisation, prefix, consistent_read=True):
        if item.content is not None:
            item.update(actions=[AuditItem.content.remove()])


def _from_item(item: AuditItem) -> Entry:
    content = json.loads(item.content) if item.content else {}
    event = Event(
        Action(item.action),
        item.subject,
        content.get("before"),
        content.get("after"),
        content.get("comment"),
        item.at,
    )
    return Entry(int(item.sequence), item.actor, event, item.digest, item.previous)
