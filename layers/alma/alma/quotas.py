"""Quotas: pages an organisation may have read in a month (UTC).

A document's pages are counted when their number is known and before anything is done with them. Its row and
the month's change together or not at all, so however often a document is begun, it counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pynamodb.exceptions import TransactWriteError
from pynamodb.transactions import TransactWrite

from alma import organisations
from alma.clock import now
from alma.documents import Document, DocumentStatus
from alma.errors import UnreadableFileError
from alma.settings import settings
from alma.storage.table import DocumentItem, QuotaItem, document_key, refusals, write_together


class QuotaExceededError(UnreadableFileError):
    """A document has more pages than are left of the month's."""

    code = "quota_exceeded"


@dataclass(frozen=True, slots=True)
class Quota:
    """Pages of a month: those counted, and how many there may be; None for any number."""

    used: int
    limit: int | None


def get(organisation: str, month: str) -> Quota:
    """Return what an organisation has used of its pages in a month, `2026-11`."""
    return Quota(_used(organisation, month), _limit(organisation))


def count(document: Document, pages: int, size: int) -> None:
    """Count the pages of a document that is about to be read, once, and note the size of its file in bytes.

    Raises
    ------
    QuotaExceededError
        They are more than are left.
    """
    month, limit = now().strftime("%Y-%m"), _limit(document.organisation)

    def write(transact: TransactWrite) -> None:
        transact.update(
            DocumentItem(document.organisation, document_key(document.id)),
            actions=[DocumentItem.counted_pages.set(pages), DocumentItem.file_bytes.set(size)],
            condition=(DocumentItem.status == DocumentStatus.PROCESSING.value)
            & DocumentItem.counted_pages.does_not_exist(),
        )
        left = None
        if limit is not None:
            left = QuotaItem.pages <= limit - pages
            if pages <= limit:
                left = QuotaItem.pages.does_not_exist() | left
        transact.update(
            QuotaItem(document.organisation, _key(month)),
            actions=[QuotaItem.kind.set(QuotaItem), QuotaItem.pages.add(pages)],
            condition=left,
        )

    try:
        write_together(write)
    except TransactWriteError as error:
        match refusals(error):
            case [True, _]:
                return  # counted already, or on its way out
            case [False, True]:
                pass
            case _:
                raise
        used = _used(document.organisation, month)
        opens = (now().replace(day=1) + timedelta(days=32)).replace(day=1)
        raise QuotaExceededError(
            f"The file has {pages} pages, and {used} of the {limit} pages of this month are used; drop it "
            f"again from {opens:%Y-%m-%d} on, or have the quota raised."
        ) from None


def _limit(organisation: str) -> int | None:
    own = organisations.get(organisation).monthly_pages
    return (settings().monthly_pages if own is None else own) or None


def _used(organisation: str, month: str) -> int:
    try:
        return int(QuotaItem.get(organisation, _key(month), consistent_read=True).pages)
    except QuotaItem.DoesNotExist:
        return 0


def _key(month: str) -> str:
    return f"quota#{month}"
