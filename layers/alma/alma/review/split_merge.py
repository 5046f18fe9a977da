"""Split and merge by hand: what a person says a document is, where alma cut wrongly or not at all.

The request changes rows only, all in one transaction: the document and those merged into it are read anew
from then on, and the page queue moves pages and fields over. What people decided goes with its page.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from alma.access import organisations
from alma.documents import audit, changes, records
from alma.documents.records import Document, DocumentStatus
from alma.errors import BadRequestError, ConflictError
from alma.review import claims
from alma.storage import queue
from alma.storage.items.documents import AuditItem, DocumentItem
from alma.storage.transactions import retry, transaction

#: Documents that one request may make of one, or of which it may make one.
MAX_PARTS, MAX_MERGED = 200, 40

_READY: Any = DocumentItem.status == DocumentStatus.READY.value


def ranges_from(first_pages: Sequence[int], pages: int) -> list[tuple[int, int]]:
    """Return the page ranges of documents of which the second and the later ones begin on these pages."""
    firsts = [1, *first_pages]
    return list(zip(firsts, [*(first - 1 for first in first_pages), pages], strict=True))


def split(
    organisation: str,
    document_id: int,
    actor: str,
    *,
    at: Sequence[int] | None = None,
    ranges: Sequence[tuple[int, int]] | None = None,
) -> Document:
    """Have a document split, and return it as it is then: its `parts` have their numbers.

    It stays the first part. Asked for once more while it waits, the same is asked for again.

    Parameters
    ----------
    at : sequence of int, optional
        Pages on which the second and further parts begin.
    ranges : sequence of (int, int), optional
        First and last page of every part, in order; instead of `at`. Pages of none go.

    Raises
    ------
    NotFoundError
        The organisation has no such document.
    ConflictError
        It is not ready, waits to be read again, or another key works on it.
    BadRequestError
        It has no such pages, or the parts are not in order.
    """
    ids: list[int] = []

    def plan(row: DocumentItem) -> changes.Change[Document] | changes.Unchanged[Document]:
        document = records.from_item(row)
        if document.parts and document.status is DocumentStatus.PROCESSING:
            return changes.Unchanged(_same(document, at, ranges))
        records.ready(row)
        _refuse_busy(document, actor)
        wanted = _checked(document, at, ranges)
        if not ids:
            second = organisations.next_document_id(organisation, len(wanted) - 1)
            ids.extend([document_id, *range(second, second + len(wanted) - 1)])
        parts = [[number, first, last] for number, (first, last) in zip(ids, wanted, strict=True)]
        last = wanted[0][1]
        actions = [
            *_read_anew(organisation, actor),
            DocumentItem.parts.set(parts),
            DocumentItem.pending_parts.set(set(ids[1:])),
            DocumentItem.pages.set(last),
        ]
        if not document.scattered:
            begin = document.page_range[0] if document.page_range else 1
            actions += [DocumentItem.first_page.set(begin), DocumentItem.last_page.set(begin + last - 1)]
        event = audit.Event(
            audit.Action.SPLIT,
            before={"pages": document.pages},
            after={"documents": [_part(*part) for part in parts]},
        )
        condition = _READY & claims.free_for(actor)
        return changes.Change(event, [], document.doc_type, document, actions, condition)

    changes.change(organisation, document_id, actor, plan)
    queue.send_pages(organisation, document_id, [0])
    return records.get(organisation, document_id)


def merge(organisation: str, document_id: int, others: Sequence[int], actor: str) -> Document:
    """Have others merged into a document, and return it as it is then.

    Their pages follow its own in this order. Asked for once more while it waits, the same
    is asked for again.

    Raises
    ------
    NotFoundError
        The organisation lacks one of them.
    ConflictError
        One of them is not ready, waits to be read again, or another key works on it.
    BadRequestError
        One is named twice.
    """
    if len({document_id, *others}) != len(others) + 1:
        raise BadRequestError(
            "documents names each document once, and not the one that they are merged into."
        )

    def attempt() -> None:
        row = records.row_of(organisation, document_id)
        document = records.from_item(row)
        if document.joining and [each.document_id for each in document.joining] == list(others):
            return
        rows = [row, *(records.row_of(organisation, number) for number in others)]
        documents = [records.ready(each) for each in rows]
        for each in documents:
            _refuse_busy(each, actor)
        _write_merge(rows, documents, actor)

    retry(attempt)
    queue.send_pages(organisation, document_id, [0])
    return records.get(organisation, document_id)


def _write_merge(rows: Sequence[DocumentItem], documents: Sequence[Document], actor: str) -> None:
    """Write that documents are merged into the first of them, in one transaction."""
    target, *sources = documents
    first, joining, parts = (target.pages or 0) + 1, [], [_part(target.id, 1, target.pages or 0)]
    for source in sources:
        pages = source.pages or 0
        joining.append([source.id, first, pages])
        parts.append(_part(source.id, first, first + pages - 1))
        first += pages
    own = [DocumentItem.joining.set(joining), *_range_of(documents)]
    given = [DocumentItem.merged_into.set(target.id)]
    events = [
        audit.Event(audit.Action.MERGED, before={"pages": target.pages}, after={"documents": parts}),
        *(audit.Event(audit.Action.MERGED, after={"into": target.id}) for _ in sources),
    ]
    with transaction() as write:
        for row, event, actions in zip(rows, events, [own, *[given] * len(sources)], strict=True):
            entry = audit.next_item(row, actor, event)
            write.update(
                DocumentItem(row.pk, row.sk),
                actions=[
                    *_read_anew(row.pk, actor),
                    *actions,
                    DocumentItem.audit_count.set(entry.sequence),
                    DocumentItem.audit_head.set(entry.digest),
                ],
                condition=changes.as_read(row) & _READY & claims.free_for(actor),
            )
            write.save(entry, condition=AuditItem.pk.does_not_exist())


def _range_of(documents: Sequence[Document]) -> list[Any]:
    """Return what makes a row say where in its file the pages of documents are that become one."""
    target = documents[0]
    ranges = [each.page_range for each in documents if each.file_key == target.file_key]
    known = [each for each in ranges if each is not None]
    if len(known) == len(documents) and all(before[1] + 1 == after[0] for before, after in pairwise(known)):
        return [DocumentItem.first_page.set(known[0][0]), DocumentItem.last_page.set(known[-1][1])]
    return [
        DocumentItem.first_page.remove(),
        DocumentItem.last_page.remove(),
        DocumentItem.scattered.set(True),
    ]


def _read_anew(organisation: str, actor: str) -> list[Any]:
    """Return what makes the row of a document that is ready one that is being read, and out of the queue."""
    return [
        DocumentItem.status.set(DocumentStatus.PROCESSING.value),
        DocumentItem.status_key.set(f"{organisation}#{DocumentStatus.PROCESSING.value}"),
        DocumentItem.resolutions.set(0),
        DocumentItem.divided_by.set(actor),
        DocumentItem.review_key.remove(),
        DocumentItem.review_rank.remove(),
        DocumentItem.re_extraction_failure.remove(),
    ]


def _refuse_busy(document: Document, actor: str) -> None:
    claims.refuse_others(document, actor)
    if document.re_extraction == "queued":
        raise ConflictError(
            f"Document {document.id} waits to be read again; split or merge it when that is done.",
            code="not_ready",
        )


def _checked(
    document: Document, at: Sequence[int] | None, ranges: Sequence[tuple[int, int]] | None
) -> list[tuple[int, int]]:
    """Return the page ranges of the parts, after checking them against the document's pages."""
    pages = document.pages or 0
    has = f"Document {document.id} has pages 1 to {pages}"
    if at is not None:
        if list(at) != sorted(set(at)) or not all(2 <= page <= pages for page in at):
            raise BadRequestError(
                f"at is ascending pages from 2 to {pages} on which further documents begin."
            )
        return ranges_from(at, pages)
    wanted, after = list(ranges or ()), 0
    for first, last in wanted:
        if not after < first <= last <= pages:
            raise BadRequestError(f"{has}; each part of them begins after the one before it.")
        after = last
    if not wanted or wanted[0][0] != 1:
        raise BadRequestError(
            "The first part begins on page 1: it keeps the number of the document. To be rid of the first "
            "pages split them off, and remove the document that keeps them."
        )
    if wanted == [(1, pages)]:
        raise BadRequestError(f"{has}, and all of them in one part are what it is.")
    return wanted


def _same(document: Document, at: Sequence[int] | None, ranges: Sequence[tuple[int, int]] | None) -> Document:
    """Return a document that is being split, if it is what is asked for."""
    parts = [(part.first, part.last) for part in document.parts]
    wanted = ranges_from(at, parts[-1][1]) if at is not None else list(ranges or ())
    if parts != wanted:
        raise ConflictError(
            f"Document {document.id} is being split in another way; wait for that.", code="not_ready"
        )
    return document


def _part(document_id: int, first: int, last: int) -> dict[str, Any]:
    return {"documentId": document_id, "pages": [first, last]}
