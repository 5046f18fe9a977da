"""Usage: what each key of an organisation caused in a month (UTC).

Pages and bytes are counted when a file is about to be read, with the quota (`alma.metering.quotas`), so
that both say the same and nobody gets round it by removing a document in time; fields when a document comes
to its end. They are those of the key that announced it, or of the inbox where it was dropped. What was
counted is marked on the document's row first, and so counted once. Requests are counted by the limiter,
whose rows are written for every request anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from alma import telemetry
from alma.access import keys, rate_limits
from alma.clock import now
from alma.concurrency import in_order
from alma.documents import records
from alma.documents.records import Document, DocumentStatus
from alma.storage import token_bucket
from alma.storage.failures import TableError
from alma.storage.items.documents import DocumentItem, document_key
from alma.storage.items.metering import UsageItem
from alma.storage.transactions import conditional_write
from alma.telemetry import Metric

_log = logging.getLogger(__name__)
_INBOX = "inbox"
#: Keys whose requests are read at once; each has a partition of its own.
_READERS = 16


@dataclass(frozen=True, slots=True)
class Amounts:
    """What was used: requests let in, pages, fields and bytes of finished documents, runs of models."""

    requests: int = 0
    pages: int = 0
    fields: int = 0
    model_runs: int = 0
    bytes: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        """Return the sums."""
        return Amounts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What one key used; `key_id` and `name` are None for files dropped into the inbox."""

    key_id: str | None
    name: str | None
    amounts: Amounts


def count_file(document: Document, pages: int, size: int) -> None:
    """Count a file that is about to be read: its pages, and its size in bytes."""
    _add(document.organisation, document.announced_by, Amounts(pages=pages, bytes=size))


def count_document(organisation: str, document_id: int) -> None:
    """Count the fields of a document that has come to its end, unless it was counted or is gone."""
    item = DocumentItem.find(organisation, document_key(document_id))
    if item is None or item.metered or item.status == DocumentStatus.PROCESSING.value:
        return
    ready = item.status == DocumentStatus.READY.value
    found = records.read(organisation, document_id)[1] if ready else []
    marked = conditional_write(
        lambda: item.update(
            actions=[DocumentItem.metered.set(True)],
            condition=DocumentItem.pk.exists() & DocumentItem.metered.does_not_exist(),
        )
    )
    if not marked:
        return
    if ready:
        fields_read = sum(1 for field in found if field.readings)
        _add(organisation, item.announced_by, Amounts(fields=fields_read))
    telemetry.count(
        {Metric.DOCUMENTS: 1, Metric.PAGES: int(item.pages or 0), Metric.FAILURES: int(not ready)}
    )


def count_model_run(organisation: str, key_id: str | None) -> None:
    """Count that a model was run over a document; None for the key where nobody's caused it.

    It has been run by then, so whoever waits for its readings gets them even where nothing can be counted.
    """
    try:
        _add(organisation, key_id, Amounts(model_runs=1))
    except TableError:
        _log.warning("a run of a model is not counted", exc_info=True)


def _add(organisation: str, key_id: str | None, amounts: Amounts) -> None:
    row = UsageItem(organisation, f"{_prefix(now().strftime('%Y-%m'))}{key_id or _INBOX}")
    actions: list[Any] = [UsageItem.kind.set(UsageItem)]
    if key_id is not None:
        actions.append(UsageItem.key_id.set(key_id))
    row.update(
        actions=[
            *actions,
            UsageItem.pages.add(amounts.pages),
            UsageItem.fields.add(amounts.fields),
            UsageItem.model_runs.add(amounts.model_runs),
            UsageItem.file_bytes.add(amounts.bytes),
        ]
    )


def of_month(organisation: str, month: str) -> list[KeyUsage]:
    """Return what was used in a month, `2026-11`: by key, the oldest first, then through the inbox."""
    rows = UsageItem.query(organisation, UsageItem.sk.startswith(_prefix(month)), consistent_read=True)
    kept = {row.key_id: _from_item(row) for row in rows}
    found = [key for key in keys.list_keys(organisation) if key.created_at[:7] <= month]
    counter = rate_limits.counter_of(month)

    def requests(key: keys.Key) -> int:
        return token_bucket.counted(rate_limits.key_partition(organisation, key.id), counter)

    used = []
    for key, count in zip(found, in_order(requests, found, _READERS), strict=True):
        amounts = replace(kept.pop(key.id, Amounts()), requests=count)
        if amounts != Amounts():
            used.append(KeyUsage(key.id, key.name, amounts))
    return [*used, *(KeyUsage(key_id, None, amounts) for key_id, amounts in kept.items())]


def total(used: Iterable[KeyUsage]) -> Amounts:
    """Return the sums over all keys."""
    return sum((each.amounts for each in used), Amounts())


def _from_item(item: UsageItem) -> Amounts:
    return Amounts(
        pages=int(item.pages),
        fields=int(item.fields),
        model_runs=int(item.model_runs),
        bytes=int(item.file_bytes),
    )


def _prefix(month: str) -> str:
    return f"usage#{month}#"
