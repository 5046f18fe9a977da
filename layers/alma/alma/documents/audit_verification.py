"""Tamper detection: whether audit trails are whole, and documents are what their trails say.

A trail proves that nothing in it was altered as long as its last digest is right. Who can rewrite a whole
chain and the last digest on the document's row leaves no mark there; only checkpoints that were saved
elsewhere earlier show that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import groupby
from typing import Any

from alma.datamodel.fields import Field, Status
from alma.documents import audit, field_rows, review_state
from alma.documents.audit import Action
from alma.documents.records import DocumentStatus
from alma.documents.review_state import ReviewSummary
from alma.storage.items.documents import (
    AuditItem,
    DocumentItem,
    FieldItem,
    audit_prefix,
    document_key,
    field_key,
    listed_key,
)
from alma.storage.table import Item, UnreadableItem, rows_of

#: Number of entries and last digest of each document's trail, by document.
Checkpoints = dict[str, tuple[int, str]]
_ENTRY = re.compile(r"audit#\d{12}#\d{8}", re.ASCII)
_NUMBER = re.compile(r"\d{12}", re.ASCII)
#: Errors of rows that hold something else than alma writes.
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)
#: Attributes of a field's row that say where it belongs.
_POSITION = ("document_id", "doc_type", "review_key", "review_rank")
_CUT_OFF = "a reading that was cut off looks like this, too: have the document read again, and it goes"
#: Times a document that looks wrong is read: it may be changing at the moment.
_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written."""

    organisation: str
    document_id: int | None
    """None for a row that is of no document."""
    entry: int | None
    """The entry of its trail; None for the document itself."""
    what: str
    """A sentence."""


@dataclass(slots=True)
class Verdict:
    """What was checked, what is wrong, and today's checkpoints."""

    documents: int = 0
    entries: int = 0
    problems: list[Problem] = field(default_factory=list)
    checkpoints: Checkpoints = field(default_factory=dict)


@dataclass(slots=True)
class _Rows:
    """The stored rows of a document that a trail says something of."""

    organisation: str
    document_id: int
    document: DocumentItem | None = None
    stored: list[tuple[FieldItem, Field]] = field(default_factory=list)
    entries: list[AuditItem] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def fields(self) -> list[Field]:
        return [each for _, each in self.stored]

    def add(self, item: Item | UnreadableItem) -> None:
        match item:
            case UnreadableItem():
                self.unreadable.append(item.sk)
            case DocumentItem() if item.sk == document_key(self.document_id):
                self.document = item
            case FieldItem():
                self._add_field(item)
            case AuditItem() if _ENTRY.fullmatch(item.sk):
                self.entries.append(item)
            case _:
                self.strays.append(item.sk)

    def _add_field(self, item: FieldItem) -> None:
        try:
            read = field_rows.from_item(item)
        except _UNREADABLE:
            self.unreadable.append(item.sk)
            return
        # A field is what its key says: under another one it would hide behind the real one.
        if item.sk == field_key(self.document_id, read.key, read.occurrence):
            self.stored.append((item, read))
        else:
            self.strays.append(item.sk)


def verify(organisation: str, against: Mapping[str, Sequence[Any]] | None = None) -> Verdict:
    """Check every trail of an organisation, and its documents against them.

    Parameters
    ----------
    organisation : str
        Whose.
    against : mapping, optional
        Checkpoints of an earlier time: today's trails have to go through them.
    """
    verdict = Verdict()
    expected = dict(against or {})
    for rows in _all(organisation):
        if isinstance(rows, str):
            verdict.problems.append(Problem(organisation, None, None, f"{rows} is no row of a document"))
            continue
        verdict.documents += 1
        verdict.entries += len(rows.entries)
        saved = expected.pop(str(rows.document_id), None)
        found = _problems(rows, saved)
        for _ in range(_LOOKS - 1):
            if not found:
                break
            found = _problems(_one(organisation, rows.document_id), saved)
        verdict.problems += [Problem(organisation, rows.document_id, *each) for each in found]
        if rows.entries:
            verdict.checkpoints[str(rows.document_id)] = (
                _sequence(rows.entries[-1]),
                rows.entries[-1].digest,
            )
    verdict.problems += [
        Problem(organisation, int(document_id), None, "its trail was here when heads were saved, and is gone")
        for document_id in expected
    ]
    return verdict


def _all(organisation: str) -> Iterator[_Rows | str]:
    """Yield the rows of each document, and the keys of rows that are of none: a merge of two Queries."""
    walks = (rows_of(organisation, Item.sk.startswith(prefix)) for prefix in ("audit#", "document#"))
    for number, items in groupby(merge(*walks, key=_number), key=_number):
        if not _NUMBER.fullmatch(number):
            yield from (item.sk for item in items)
            continue
        rows = _Rows(organisation, int(number))
        for item in items:
            rows.add(item)
        yield rows


def _one(organisation: str, document_id: int) -> _Rows:
    rows = _Rows(organisation, document_id)
    key = document_key(document_id)
    # The document first: entries and fields that are written meanwhile are seen on the next look.
    for condition in (Item.sk.startswith(key), Item.sk.startswith(audit_prefix(document_id))):
        for item in rows_of(organisation, condition):
            rows.add(item)
    return rows


def _number(item: Item | UnreadableItem) -> str:
    return str(item.sk.split("#")[1])


def _sequence(entry: AuditItem) -> int:
    return int(entry.sk.split("#")[2])


_Found = list[tuple[int | None, str]]


def _problems(rows: _Rows, saved: Sequence[Any] | None) -> _Found:
    if rows.unreadable:
        return [(None, f"its row {each} cannot be read") for each in rows.unreadable]
    found = [*_of_chain(rows), *_of_head(rows)]
    if saved is not None:
        found += _of_saved(rows, int(saved[0]), str(saved[1]))
    if found:  # what a broken trail says of the fields proves nothing
        return found
    try:
        return [*_of_fields(rows)]
    except _UNREADABLE:
        return [(None, "its trail is whole and says what alma does not write")]


def _of_chain(rows: _Rows) -> Iterator[tuple[int | None, str]]:
    deleting = rows.document is not None and bool(rows.document.deleting)
    closed = deleting or (bool(rows.entries) and rows.entries[-1].action == Action.DELETED)
    yield from ((None, f"{stray} is no row of it") for stray in rows.strays)
    previous, expected = audit.START, 1
    for entry in rows.entries:
        sequence = _sequence(entry)
        if sequence != expected:
            one = sequence == expected + 1
            gone = f"entry {expected} is" if one else f"entries {expected} to {sequence - 1} are"
            yield sequence, f"{gone} missing before it"
        if entry.digest != audit.digest_of(entry) or entry.sequence != sequence:
            yield sequence, "it was changed, or stands where it was not written"
        elif entry.previous != previous and sequence == expected:
            yield sequence, "it does not follow the entry before it: one of the two was put there later"
        if entry.content is None:
            if not closed:
                yield sequence, "its content was removed, and the document was not deleted"
        elif audit.sha256(entry.content) != entry.content_digest:
            yield sequence, "its content was changed"
        previous, expected = entry.digest, sequence + 1


def _of_head(rows: _Rows) -> Iterator[tuple[int | None, str]]:
    """Yield what does not fit between the trail and the document's row."""
    last = rows.entries[-1] if rows.entries else None
    closed = last is not None and last.action == Action.DELETED
    if rows.document is None:
        if not closed:
            yield None, "its row is gone, and no entry says that it was deleted"
        return
    if closed:
        yield None, "its trail says that it was deleted, and it is there"
        return
    if rows.document.deleting:
        yield None, "its deletion was not finished; remove it again"
    count, sequence = int(rows.document.audit_count or 0), 0 if last is None else _sequence(last)
    if sequence < count:
        yield None, f"its trail ends at entry {sequence}, and {count} were written: the end was cut off"
    elif sequence > count:
        yield sequence, f"it was put there later: {count} were written"
    elif last is not None and rows.document.audit_head != last.digest:
        yield sequence, "it is not the entry that the document's row names as the last"
    elif last is None and rows.document.status != "processing":
        yield None, "it has no trail"


def _of_saved(rows: _Rows, count: int, digest: str) -> _Found:
    there = {_sequence(entry): entry.digest for entry in rows.entries}
    if there.get(count) == digest:
        return []
    return [(count, "it is not the entry of the saved heads: the trail was written anew since")]


@dataclass(slots=True)
class _TrailState:
    """What a whole trail says of its document and of the fields."""

    status: str = DocumentStatus.PROCESSING.value
    doc_type: str | None = None
    extraction: AuditItem | None = None
    """The last extraction, or the failure."""
    extracted: dict[str, Any] = field(default_factory=dict)
    """The fields that the last extraction left, as its entry says."""
    decided: dict[str, tuple[AuditItem, dict[str, Any]]] = field(default_factory=dict)
    """By field: the entry of its last decision, and what that says."""
    since: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    """By field decided after the last extraction: what it was before."""
    proposed: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By field and track: what agents propose."""
    moving: bool = False
    """It is being split or merged: which fields are kept is said when it has been read anew."""


def _replayed(entries: Sequence[AuditItem]) -> _TrailState:
    """Return what replaying a trail comes to."""
    state = _TrailState()
    for entry in entries:
        content, action = json.loads(entry.content or "{}"), Action(entry.action)
        if action.decides:
            state.decided[entry.subject or ""] = (entry, content)
            state.since.setdefault(entry.subject or "", content["before"])
            if action is Action.PROPOSED:
                proposal = content["after"]["proposal"]
                state.proposed.setdefault(entry.subject or "", {})[proposal[0]] = proposal
        elif action is Action.EXTRACTED:
            state.extraction, state.extracted, state.since = entry, content["after"], {}
            state.status, state.doc_type = DocumentStatus.READY.value, state.extracted["docType"]
            if state.moving:
                kept = state.extracted.get("kept", {})
                state.moving = False
                state.decided = {field: (entry, {"after": each}) for field, each in kept.items()}
                state.proposed = {
                    field: {proposal[0]: proposal for proposal in each["proposals"]}
                    for field, each in kept.items()
                    if "proposals" in each
                }
        elif action in (Action.SPLIT, Action.MERGED):
            state.moving, state.status = True, DocumentStatus.PROCESSING.value
        elif action is Action.FAILED:
            state.extraction, state.status = entry, DocumentStatus.FAILED.value
    return state


def _of_fields(rows: _Rows) -> Iterator[tuple[int | None, str]]:
    """Yield what of the document's row and its fields is not what the trail made of them."""
    if rows.document is None:
        return
    state = _replayed(rows.entries)
    yield from _of_row(rows.document, state)
    if state.moving:
        return
    # Each looks at what the one before has found right.
    yield from (
        [*_of_decisions(rows, state)]
        or [*_of_queue_position(rows, state)]
        or [*_of_extraction(rows, state)]
        or [*_of_review_state(rows.document, review_state.of_fields(rows.fields))]
    )
    verified = sum(each.status.verified for each in rows.fields)
    recorded = int(rows.document.verified or 0)
    if recorded != verified:
        yield None, f"{verified} of its fields are verified, and its row says {recorded}"


def _of_review_state(row: DocumentItem, left: ReviewSummary) -> Iterator[tuple[int | None, str]]:
    """Yield what the row says of what is left to review and is not so; rows of older releases say nothing."""
    if row.escalated is None or row.status != DocumentStatus.READY.value:
        return
    recorded = {"escalated": row.escalated, "unreviewed": row.unreviewed, "missing": row.missing}
    for name, count in recorded.items():
        if int(count or 0) != getattr(left, name):
            yield None, f"{getattr(left, name)} of its fields are {name}, and its row says {int(count or 0)}"
    if row.review_key is None:
        return
    place = (review_state.partition_key(row.pk, left.partition), listed_key(int(row.document_id)))
    if (row.review_key, row.review_rank) != place:
        yield None, "it is not listed by its state of review"
    least = None if row.least_confidence is None else float(row.least_confidence)
    if least != left.least_confidence:
        yield (
            None,
            f"the least sure of its fields that wait is {left.least_confidence}, and its row says {least}",
        )


def _of_row(row: DocumentItem, state: _TrailState) -> Iterator[tuple[int | None, str]]:
    at = None if state.extraction is None else _sequence(state.extraction)
    if row.status != state.status:
        yield at, f"the document is {state.status} since, and its row says {row.status or 'nothing'}"
    if row.doc_type != state.doc_type:
        yield at, f"the document is of type {state.doc_type} since, and its row says {row.doc_type}"
    type_key = None if row.doc_type is None else f"{row.pk}#{row.doc_type}"
    listed = (listed_key(int(row.document_id)), f"{row.pk}#{row.status}", type_key)
    if (row.listed, row.status_key, row.type_key) != listed:
        yield None, "it is not listed by its number, status and type"


def _of_decisions(rows: _Rows, state: _TrailState) -> Iterator[tuple[int | None, str]]:
    for each in rows.fields:
        proposed = {r.track: audit.state_of_reading(r) for r in each.readings if r.proposed}
        if proposed != state.proposed.get(each.id, {}):
            yield None, f"what agents proposed for field {each.id} is not what its trail says"
    there = {each.id: each for each in rows.fields}
    for subject, (entry, content) in state.decided.items():
        decided = there.pop(subject, None)
        if decided is None:
            yield _sequence(entry), f"field {subject}, which it decides, is gone"
        elif not _agrees(decided, entry, content):
            yield _sequence(entry), f"field {subject} is not what it made of it"
        elif subject in state.since and decided.version != content["after"]["version"]:
            yield _sequence(entry), f"field {subject} was written since, and no entry says so; {_CUT_OFF}"
    for each in there.values():
        if each.touched or each.reviewed is not None:
            yield None, f"field {each.id} is {each.status.value}, and no entry says who decided that"
        elif each.comment is not None or each.reviewed_at is not None:
            yield None, f"field {each.id} has a comment or a date, and no entry says whose"


def _agrees(each: Field, entry: AuditItem, content: Mapping[str, Any]) -> bool:
    """Tell whether a field is what the entry of its last decision made of it."""
    recorded, now = content["after"], audit.state_of(each) or {}
    # Of a field nobody stands behind, readings go on: only the status is the decision.
    keys = ("status", "reasons", *(("value", "evidence") if each.status.verified else ()))
    return (
        all(recorded[key] == now[key] for key in keys)
        and (each.reviewed is None) != each.status.verified
        and [each.reviewed_by, each.reviewed_at, each.comment]
        # A proposal leaves what a person has said of the field, and says what that was.
        == recorded.get("said", [entry.actor, entry.at, content.get("comment")])
    )


def _of_queue_position(rows: _Rows, state: _TrailState) -> Iterator[tuple[int | None, str]]:
    for item, each in rows.stored:
        expected = field_rows.to_item(rows.organisation, rows.document_id, state.doc_type, each)
        if any(getattr(item, name) != getattr(expected, name) for name in _POSITION):
            yield None, f"field {each.id} is not in the place of the review queue that it should have"


def _of_extraction(rows: _Rows, state: _TrailState) -> Iterator[tuple[int | None, str]]:
    if state.extraction is None or state.status != DocumentStatus.READY.value:
        return
    at, as_left = _sequence(state.extraction), [*_as_extracted(rows.fields, state)]
    if len(as_left) != state.extracted["fields"]:
        yield (
            at,
            f"it left {state.extracted['fields']} fields, and {len(as_left)} of them are there; {_CUT_OFF}",
        )
    elif audit.fields_digest(as_left) != state.extracted["fieldsDigest"]:
        yield at, f"what was read then is not what the fields hold; {_CUT_OFF}"


def _as_extracted(fields: Sequence[Field], state: _TrailState) -> Iterator[Field]:
    """Yield the fields as the last extraction left them: without what people have decided and added since."""
    for each in fields:
        before = state.since.get(each.id)
        if before is not None:
            yield replace(
                each,
                status=Status(before["status"]),
                reasons=tuple(before["reasons"]),
                version=before["version"],
            )
        elif each.id not in state.since:
            yield each
