"""Looking for tampering: whether trails are whole, and documents are what their trails say.

A trail proves that nothing in it was altered as long as its last digest is right. Who can rewrite a whole
chain and the head on the document's row leaves no mark there; only digests that were kept elsewhere earlier
(`heads`, `against`) show that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from typing import Any

from alma import audit, fieldrows
from alma.audit import Action
from alma.fields import Field
from alma.storage.table import AuditItem, DocumentItem, FieldItem, Item, audit_prefix, document_key

#: Number of entries and last digest of each document's trail, by document.
Heads = dict[str, tuple[int, str]]
_ENTRY = re.compile(r"audit#\d{12}#\d{8}")
#: Times a document that looks wrong is read: it may be changing at the moment.
_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written.

    Attributes
    ----------
    organisation, document_id : str, int
        The document.
    entry : int or None
        The entry of its trail; None for the document itself.
    what : str
        A sentence.
    """

    organisation: str
    document_id: int
    entry: int | None
    what: str


@dataclass(slots=True)
class Verdict:
    """What was looked at, what is wrong, and the heads of all trails."""

    documents: int = 0
    entries: int = 0
    problems: list[Problem] = field(default_factory=list)
    heads: Heads = field(default_factory=dict)


@dataclass(slots=True)
class _Rows:
    """Everything the table holds of a document that a trail says something of."""

    organisation: str
    document_id: int
    document: DocumentItem | None = None
    fields: list[Field] = field(default_factory=list)
    entries: list[AuditItem] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)

    def add(self, item: Item) -> None:
        match item:
            case DocumentItem():
                self.document = item
            case FieldItem():
                self.fields.append(fieldrows.from_item(item))
            case AuditItem() if _ENTRY.fullmatch(item.sk):
                self.entries.append(item)
            case _:
                self.strays.append(item.sk)


def verify(organisation: str, against: Mapping[str, Sequence[Any]] | None = None) -> Verdict:
    """Check every trail of an organisation, and its documents against them.

    Parameters
    ----------
    organisation : str
        Whose.
    against : mapping, optional
        `heads` of an earlier time: today's trails have to go through them.
    """
    verdict = Verdict()
    expected = dict(against or {})
    for rows in _all(organisation):
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
            verdict.heads[str(rows.document_id)] = (_sequence(rows.entries[-1]), rows.entries[-1].digest)
    verdict.problems += [
        Problem(organisation, int(document_id), None, "its trail was here when heads were saved, and is gone")
        for document_id in expected
    ]
    return verdict


def _all(organisation: str) -> Iterator[_Rows]:
    """Yield what is there of each document: two walks through the partition, side by side."""
    walks = (
        Item.query(organisation, Item.sk.startswith(prefix), consistent_read=True)
        for prefix in ("audit#", "document#")
    )
    for number, items in groupby(merge(*walks, key=_number), key=_number):
        rows = _Rows(organisation, int(number) if number.isdecimal() else 0)
        for item in items:
            rows.add(item)
        yield rows


def _one(organisation: str, document_id: int) -> _Rows:
    rows = _Rows(organisation, document_id)
    key = document_key(document_id)
    # The document first: entries and fields that are written meanwhile are seen on the next look.
    for condition in (Item.sk.startswith(key), Item.sk.startswith(audit_prefix(document_id))):
        for item in Item.query(organisation, condition, consistent_read=True):
            rows.add(item)
    return rows


def _number(item: Item) -> str:
    return str(item.sk.split("#")[1])


def _sequence(entry: AuditItem) -> int:
    return int(entry.sk.split("#")[2])


_Found = list[tuple[int | None, str]]


def _problems(rows: _Rows, saved: Sequence[Any] | None) -> _Found:
    found = [*_of_chain(rows), *_of_head(rows)]
    if saved is not None:
        found += _of_saved(rows, int(saved[0]), str(saved[1]))
    # What a broken trail says of the fields proves nothing.
    return found or [*_of_fields(rows)]


def _of_chain(rows: _Rows) -> Iterator[tuple[int | None, str]]:
    closed = bool(rows.entries) and rows.entries[-1].action == Action.DELETED
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


def _of_fields(rows: _Rows) -> Iterator[tuple[int | None, str]]:
    """Yield the fields that are not what their last decision made them, and readings nobody read."""
    if rows.document is None:
        return
    decided: dict[str, tuple[AuditItem, dict[str, Any]]] = {}
    extraction: tuple[AuditItem, dict[str, Any]] | None = None
    for entry in rows.entries:
        content = json.loads(entry.content or "{}")
        if Action(entry.action).decides:
            decided[entry.subject or ""] = (entry, content)
        elif entry.action == Action.EXTRACTED:
            extraction = (entry, content.get("after") or {})
    there = {each.id: each for each in rows.fields}
    for subject, (entry, content) in decided.items():
        each = there.pop(subject, None)
        if each is None:
            yield _sequence(entry), f"field {subject}, which it decides, is gone"
        elif not _agrees(each, entry, content):
            yield _sequence(entry), f"field {subject} is not what it made of it"
    for each in there.values():
        if each.touched or each.reviewed is not None:
            yield None, f"field {each.id} is {each.status.value}, and no entry says who decided that"
    verified = sum(each.status.verified for each in rows.fields)
    if int(rows.document.verified or 0) != verified:
        yield (
            None,
            f"{verified} of its fields are verified, and its row says {int(rows.document.verified or 0)}",
        )
    if extraction is not None and extraction[1].get("readings") != audit.readings_digest(rows.fields):
        yield _sequence(extraction[0]), "what was read then is not what the fields hold"


def _agrees(each: Field, entry: AuditItem, content: Mapping[str, Any]) -> bool:
    said, now = content.get("after") or {}, audit.state_of(each) or {}
    # Of a field nobody stands behind, readings go on: only the status is the decision.
    keys = ("status", "value", "evidence") if each.status.verified else ("status",)
    return (
        all(said.get(key) == now.get(key) for key in keys)
        and (each.reviewed is None) != each.status.verified
        and (each.reviewed_by, each.reviewed_at, each.comment)
        == (entry.actor, entry.at, content.get("comment"))
    )
