"""Back-fill: the documents of earlier releases get what listings find them by."""

from __future__ import annotations

from typing import Any

from alma.access import organisations
from alma.documents import changes, lookups, names, records, review_state
from alma.documents.records import DocumentStatus
from alma.errors import NotFoundError
from alma.storage.items.documents import DocumentItem
from alma.storage.transactions import retry, transaction


def reindex(organisation: str) -> int:
    """Write the lookups and the state of review of every document, and return how many there are. Idempotent.

    From then on listings rely on them; until then they look through the documents themselves.

    Raises
    ------
    NotFoundError
        There is no such organisation.
    UnavailableError
        Others were faster each time.
    """
    organisations.get(organisation)
    ids = [
        int(item.document_id)
        for item in DocumentItem.documents.query(organisation, attributes_to_get=["kind", "document_id"])
    ]
    for document_id in ids:
        retry(lambda number=document_id: _reindex(organisation, number))  # type: ignore[misc]
    organisations.set_documents_indexed(organisation)
    return len(ids)


def _reindex(organisation: str, document_id: int) -> None:
    try:
        row = records.row_of(organisation, document_id)
    except NotFoundError:
        return  # removed in the meantime
    # Nothing of it has changed, its file has not arrived: else its lookups would expire, or not, as before.
    unchanged: Any = changes.as_read(row) & (DocumentItem.status == row.status)
    expiry = DocumentItem.expires_at
    unchanged &= expiry.does_not_exist() if row.expires_at is None else expiry == row.expires_at
    name = names.folded(row.file_name)
    actions: list[Any] = []
    if name and name != row.folded_name:
        actions.append(DocumentItem.folded_name.set(name))
    if row.status == DocumentStatus.READY.value and review_state.of_row(row) is None:
        _, fields = records.read(organisation, document_id)
        actions += review_state.actions(row, review_state.of_fields(fields))
    with transaction() as write:
        if actions:
            write.update(DocumentItem(row.pk, row.sk), actions=actions, condition=unchanged)
        else:
            write.condition_check(DocumentItem, row.pk, row.sk, condition=unchanged)
        lookups.renew(write, row)
