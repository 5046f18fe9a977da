"""Quotas: pages an organisation may have read in a month (UTC).

A document's pages are counted when their number is known and before anything is done with them. First its own
row is marked, so that it counts once, however often it is begun; then the month's row is added to. These are
two writes and no transaction: every file of an organisation adds to that one row, and transactions that meet
on a row fail each other. Who is cut off between the two has counted nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from alma.access import organisations
from alma.clock import now
from alma.documents.records import Document, DocumentStatus
from alma.errors import UnreadableFileError
from alma.settings import settings
from alma.storage.items.documents import DocumentItem, document_key
from alma.storage.items.metering import QuotaItem
from alma.storage.transactions import conditional_write


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


def count(document: Document, pages: int, size: int) -> bool:
    """Count the pages of a document that is about to be read, once, and note the size of its file in bytes.

    Returns
    -------
    bool
        Whether they were counted now; False where they had been, or where the document is on its way out.

    Raises
    ------
    QuotaExceededError
        They are more than are left.
    """
    month, limit = now().strftime("%Y-%m"), _limit(document.organisation)
    row = DocumentItem(document.organisation, document_key(document.id))
    marked = conditional_write(
        lambda: row.update(
            actions=[DocumentItem.counted_pages.set(pages), DocumentItem.file_bytes.set(size)],
            condition=(DocumentItem.status == DocumentStatus.PROCESSING.value)
            & DocumentItem.counted_pages.does_not_exist(),
        )
    )
    if not marked:
        return False
    left = None
    if limit is not None:
        left = QuotaItem.pages <= limit - pages
        if pages <= limit:
            left = QuotaItem.pages.does_not_exist() | left
    added = conditional_write(
        lambda: QuotaItem(document.organisation, _key(month)).update(
            actions=[QuotaItem.kind.set(QuotaItem), QuotaItem.pages.add(pages)], condition=left
        )
    )
    if not added:
        raise QuotaExceededError(_refusal(pages, limit or 0, _used(document.organisation, month)))
    return True


def _refusal(pages: int, limit: int, used: int) -> str:
    if pages > limit:
        return (
            f"The file has {pages} pages, and {limit} may be read in a month; divide it, or have the quota "
            "raised."
        )
    opens = (now().replace(day=1) + timedelta(days=32)).replace(day=1)
    return (
        f"The file has {pages} pages, and {used} of the {limit} pages of this month are used; drop it "
        f"again from {opens:%Y-%m-%d} on, or have the quota raised."
    )


def _limit(organisation: str) -> int | None:
    own = organisations.get(organisation).monthly_pages
    return (settings().monthly_pages if own is None else own) or None


def _used(organisation: str, month: str) -> int:
    item = QuotaItem.find(organisation, _key(month))
    return 0 if item is None else int(item.pages)


def _key(month: str) -> str:
    return f"quota#{month}"
