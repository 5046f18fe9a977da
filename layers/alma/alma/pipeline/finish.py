"""Stage: the fields are kept and the document can be used; its usage is counted, its leftovers removed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from alma.datamodel.fields import Extraction, Field
from alma.datamodel.pages import PageText
from alma.documents import deletion, progress, records, reviewed_fields
from alma.documents.records import Document
from alma.errors import NotFoundError
from alma.metering import usage
from alma.review import re_extraction

_log = logging.getLogger(__name__)


def ready(document: Document, extraction: Extraction, words: Sequence[PageText]) -> None:
    """Keep the fields and make the document ready, unless that is done or it was removed. Idempotent.

    What people had decided before a split or a merge, of pages that it has now, stays.
    """
    kept: list[Field] = []
    if document.divided_by is not None:
        kept = reviewed_fields.on_document(document, document.pages or 0)
        extraction = re_extraction.merged(document.organisation, kept, extraction)
    unread = sum(text.unreadable for text in words)
    progress.finish(document, extraction, kept=kept, unread_lines=unread)
    if not records.exists(document.organisation, document.id):
        deletion.purge(document.organisation, document.id)


def count(organisation: str, document_id: int) -> None:
    """Count the usage of a document that is ready or has failed. Idempotent."""
    usage.count_document(organisation, document_id)


@contextmanager
def purged_if_removed(organisation: str, document_id: int) -> Iterator[None]:
    """End stages quietly whose document was removed meanwhile, and remove what they have written since.

    Raises
    ------
    NotFoundError
        The document is there and something of it is not.
    """
    try:
        yield
    except NotFoundError:
        if records.exists(organisation, document_id):
            raise
        _log.info("document %s of %s was removed while it was worked on", document_id, organisation)
        deletion.purge(organisation, document_id)
