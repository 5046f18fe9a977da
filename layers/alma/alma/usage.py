"""Usage: what each key of an organisation caused in a month (UTC).

Pages, fields and bytes are counted when a document comes to its end, together with a mark on its row, so
once; they are those of the key that announced it, or of the inbox where it was dropped. Requests are counted
by the limiter, whose rows are written for every request anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from pynamodb.exceptions import TransactWriteError
from pynamodb.transactions import TransactWrite

from alma import documents, keys, limits, metrics
from alma.clock import now
from alma.documents import DocumentStatus
from alma.metrics import Metric
from alma.storage import arrivals
from alma.storage.table import DocumentItem, UsageItem, document_key, refused, write_together

_INBOX = "inbox"


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


def count_document(organisation: str, document_id: int) -> None:
    """Count a document that has come to its end, unless it was counted or is gone. Twice is fine."""
    try:
        item = DocumentItem.get(organisation, document_key(document_id), consistent_read=True)
    except DocumentItem.DoesNotExist:
        return
    if item.metered or item.status == DocumentStatus.PROCESSING.value:
        return
    found = documents.read(organisation, document_id)[1] if item.status == DocumentStatus.READY.value else []
    amounts = Amounts(
        pages=int(item.pages or 0),
        fields=sum(1 for field in found if field.readings),
        bytes=int(item.file_bytes or 0),
    )

    def write(transact: TransactWrite) -> None:
        transact.update(
            DocumentItem(organisation, item.sk),
            actions=[DocumentItem.metered.set(True)],
            condition=DocumentItem.pk.exists() & DocumentItem.metered.does_not_exist(),
        )
        row, actions = _addition(organisation, item.announced_by, amounts)
        transact.update(row, actions=actions)

    try:
        write_together(write)
    except TransactWriteError as error:
        if not refused(error):
            raise
        return
    failed = item.status == DocumentStatus.FAILED.value
    metrics.count({Metric.DOCUMENTS: 1, Metric.PAGES: amounts.pages, Metric.FAILURES: int(failed)})


def count_model_run(organisation: str, key_id: str) -> None:
    """Count that a model of the organisation's own was run over a document."""
    row, actions = _addition(organisation, key_id, Amounts(model_runs=1))
    row.update(actions=actions)


def _addition(organisation: str, key_id: str | None, amounts: Amounts) -> tuple[UsageItem, list[Any]]:
    """Return the row of a key's month, and what adds to it."""
    row = UsageItem(organisation, f"{_prefix(now().strftime('%Y-%m'))}{key_id or _INBOX}")
    actions: list[Any] = [UsageItem.kind.set(UsageItem)]
    if key_id is not None:
        actions.append(UsageItem.key_id.set(key_id))
    actions += [
        UsageItem.pages.add(amounts.pages),
        UsageItem.fields.add(amounts.fields),
        UsageItem.model_runs.add(amounts.model_runs),
        UsageItem.file_bytes.add(amounts.bytes),
    ]
    return row, actions


def of_month(organisation: str, month: str) -> list[KeyUsage]:
    """Return what was used in a month, `2026-11`: by key, the oldest first, then through the inbox."""
    rows = UsageItem.query(organisation, UsageItem.sk.startswith(_prefix(month)), consistent_read=True)
    kept = {row.key_id: _from_item(row) for row in rows}
    used = []
    for key in keys.list_keys(organisation):
        amounts = kept.pop(key.id, Amounts())
        if key.created_at[:7] <= month:
            counter, partition = limits.counter_of(month), limits.key_partition(organisation, key.id)
            amounts = replace(amounts, requests=arrivals.counted(partition, counter))
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
