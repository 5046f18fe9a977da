"""From pages in the archive to fields: the work of the `extract` function."""

from __future__ import annotations

import io
import logging
from functools import lru_cache
from typing import TYPE_CHECKING

from alma.datamodel.fields import Extraction
from alma.datamodel.pages import PageText, Track
from alma.document_types import catalogue
from alma.documents import deletion, instances, page_records, progress, records
from alma.documents.page_words import read_words
from alma.documents.records import Document, DocumentStatus
from alma.errors import NotFoundError
from alma.extraction.resolve import extract, with_missing
from alma.metering import usage
from alma.pipeline import split
from alma.pipeline.llm import second_reading
from alma.review import re_extraction
from alma.settings import settings
from alma.storage import objects

if TYPE_CHECKING:
    from alma.ocr import Recognizer

_log = logging.getLogger(__name__)


def recognise(organisation: str, document_id: int, page: int) -> None:
    """Read one page with ONNX; whoever reads the last one resolves the document's fields.

    Doing it twice changes nothing. A page that was begun `settings().page_attempts` times and never finished
    is recorded as unreadable, so that its document does not wait for ever, whatever happened: the function
    may have run out of memory or time, which leaves no other trace.

    Parameters
    ----------
    organisation, document_id : str, int
        The document.
    page : int
        1-based; 0 where there is nothing to read but the document to resolve.
    """
    try:
        document = records.get(organisation, document_id)
        if document.status is not DocumentStatus.PROCESSING:
            usage.count_document(organisation, document_id)  # whoever finished it may have been cut off
            return
        if page in document.pending:
            _read_page(document, page)
            document = progress.page_read(document, page)
        if not document.pending:
            _resolve(document)
            usage.count_document(organisation, document_id)
    except NotFoundError:
        if records.exists(organisation, document_id):
            raise  # something of the document is not there, and somebody must know
        _log.info("document %s of %s was removed while it was read", document_id, organisation)
        deletion.purge(organisation, document_id)


def read_again(organisation: str, document_id: int, doc_type: str | None, actor: str) -> None:
    """Resolve the fields of a document anew from the words in the archive; what people decided stays.

    Doing it twice changes nothing, and neither does asking for a document that is not ready or is gone.

    Parameters
    ----------
    organisation, document_id : str, int
        The document.
    doc_type : str or None
        The type it is; None for the one it has.
    actor : str
        Id of the key that asked for it.
    """
    try:
        document = records.get(organisation, document_id)
        if document.status is not DocumentStatus.READY:
            return
        words = read_words(document, page_records.list_pages(document))
        extraction = _extraction(document, words, doc_type or document.doc_type, hosted=True, asked_by=actor)
        re_extraction.keep_again(organisation, document_id, extraction, actor)
    except NotFoundError:
        if records.exists(organisation, document_id):
            raise
        _log.info("document %s of %s was removed before it was read again", document_id, organisation)
        deletion.purge(organisation, document_id)


@lru_cache(maxsize=1)
def _recognizer() -> Recognizer:
    from alma.ocr import Recognizer

    return Recognizer(settings().models)


def _read_page(document: Document, page: int) -> None:
    from PIL import Image

    if page_records.begin_page(document, page) > settings().page_attempts:
        _log.error("page %s of document %s is given up", page, document.id)
        page_records.page_failed(
            document, page, "unreadable_page", "This page could not be read in several attempts."
        )
        return
    png = objects.get(document.organisation, objects.page_image_key(document.id, page))
    with Image.open(io.BytesIO(png)) as image:
        text = _recognizer().read(image, page)
    objects.put(
        document.organisation,
        objects.words_key(document.id, page, Track.VISION),
        text.to_json(),
        "application/json",
    )
    page_records.page_recognised(document, page, text.turned)


def _resolve(document: Document) -> None:
    """Turn the words of all pages into fields, or into a failure when no page could be read.

    A file that turns out to hold several documents is divided first, and its first one resolved when the
    others have taken over their pages.
    """
    if document.unmoved:
        split.ask_for_instances(document)
        return
    begun = progress.begin_resolution(document)
    if begun > progress.MAX_RESOLUTIONS:
        _log.error("document %s is given up", document.id)
        instances.release_source(document)
        progress.fail(document, "too_complex", "The fields of this document could not be told; split it.")
        return
    document = split.move_pages(document)
    pages = page_records.list_pages(document)
    unreadable = [page for page in pages if page.error is not None and not page.tracks]
    if pages and len(unreadable) == len(pages):
        first = unreadable[0]
        sentence = first.detail or ""
        progress.fail(
            document,
            first.error or "damaged_file",
            sentence if len(pages) == 1 else f"Page {first.number}: {sentence}",
        )
        return
    words = read_words(document, pages)
    document = split.divide(document, words, len(pages))
    if document.unmoved:
        split.ask_for_instances(document)
        return
    # The last attempt goes without the hosted model: a service that does not answer in time can then delay a
    # document and never lose it.
    extraction = _extraction(
        document,
        words,
        document.requested_type,
        hosted=begun < progress.MAX_RESOLUTIONS,
        asked_by=document.announced_by,
    )
    progress.finish(document, extraction, unread_lines=sum(text.unreadable for text in words))
    if not records.exists(document.organisation, document.id):
        deletion.purge(document.organisation, document.id)


def _extraction(
    document: Document, words: list[PageText], doc_type: str | None, *, hosted: bool, asked_by: str | None
) -> Extraction:
    """Return the fields of a document, missing ones included, from its words and today's document types."""
    schemas = catalogue.schemas_of(document.organisation)
    # A type that was removed since it was named is not known any more.
    extraction = extract(words, schemas, doc_type if doc_type in schemas else None)
    if extraction.doc_type is None:
        return extraction
    schema = schemas[extraction.doc_type]
    if hosted:
        extraction = second_reading(
            extraction, words, schema, organisation=document.organisation, key_id=asked_by
        )
    return with_missing(extraction, schema)
