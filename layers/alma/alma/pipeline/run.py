"""What a message of the page queue has done: the work of the `extract` function."""

from __future__ import annotations

import logging

from alma.documents import instances, page_records, progress, records
from alma.documents.page_words import read_words
from alma.documents.records import Document, DocumentStatus
from alma.errors import UnreadableFileError
from alma.pipeline import extract, finish, merge, split
from alma.review import re_extraction

_log = logging.getLogger(__name__)

_NOT_READ_AGAIN = (
    f"Reading it again failed {progress.MAX_RESOLUTIONS} times; its fields are as they were. Ask once "
    "more, or have the operator look at the log."
)


def process(organisation: str, document_id: int, page: int) -> None:
    """Read a page of a document; after its last one, take the document through all stages. Idempotent.

    Parameters
    ----------
    organisation, document_id : str, int
        The document.
    page : int
        1-based; 0 where no page is to be read.
    """
    with finish.purged_if_removed(organisation, document_id):
        document = records.get(organisation, document_id)
        if document.status is DocumentStatus.PROCESSING:
            document = extract.read_page(document, page)
            if document.pending:
                return
            try:
                _resolve(document)
            except UnreadableFileError as error:
                progress.fail(document, error.code, error.detail)
        # Of one that is finished too: whoever did it may have been cut off here.
        finish.count(organisation, document_id)


def _resolve(document: Document) -> None:
    """Take a document whose pages are all read from words to fields.

    Raises
    ------
    UnreadableFileError
        No page could be read, or it was begun too often.
    """
    if document.pending_parts:
        return split.ask_for_parts(document)
    if document.merged_into is not None:
        return  # what it says now is the other document's
    attempt = progress.begin_resolution(document)
    if attempt > progress.MAX_RESOLUTIONS:
        _log.error("document %s is given up", document.id)
        instances.release_source(document)  # the first document of its file waits for it no longer
        raise UnreadableFileError(
            "The fields of this document could not be told; split it.", code="too_complex"
        )

    document = merge.take_in(split.take_pages(document))
    pages = split.own_pages(document)
    extract.check_readable(pages)
    words = read_words(document, pages)

    document = split.split(document, words, len(pages))
    if document.pending_parts:
        return split.ask_for_parts(document)

    extraction = extract.fields_of(
        document,
        words,
        document.requested_type,
        # A service that does not answer in time can then delay a document and never lose it.
        hosted=attempt < progress.MAX_RESOLUTIONS,
        key_id=document.announced_by,
    )
    finish.ready(document, extraction, words)


def re_extract(
    organisation: str, document_id: int, doc_type: str | None, actor: str, asked: int | None
) -> None:
    """Resolve the fields of a ready document anew from its words; what people decided stays. Idempotent.

    Nothing happens where the document is not ready or is gone, or where this was done or asked for as another
    type since. After it the document waits for it no longer; where it raises, the message comes again. One
    that fails time after time is given up, and the document says so.

    Parameters
    ----------
    organisation, document_id : str, int
        The document.
    doc_type : str or None
        The type it is; None for the one it has.
    actor : str
        Id of the key that asked for it.
    asked : int or None
        When, as the document's row says it; None where it does not.
    """
    with finish.purged_if_removed(organisation, document_id):
        document = records.get(organisation, document_id)
        attempt = re_extraction.begin(organisation, document_id, asked)
        if attempt is None:
            return
        if attempt > progress.MAX_RESOLUTIONS:  # cut off each time: too large, or too slow
            _log.error("re-extraction of document %s is given up", document_id)
            return re_extraction.end(organisation, document_id, asked, failure=_NOT_READ_AGAIN)
        try:
            if document.status is DocumentStatus.READY:
                words = read_words(document, page_records.list_pages(document))
                extraction = extract.fields_of(
                    document, words, doc_type or document.doc_type, hosted=True, key_id=actor
                )
                re_extraction.keep(organisation, document_id, extraction, actor)
        except Exception:
            if attempt == progress.MAX_RESOLUTIONS:
                re_extraction.end(organisation, document_id, asked, failure=_NOT_READ_AGAIN)
            raise
        re_extraction.end(organisation, document_id, asked)
