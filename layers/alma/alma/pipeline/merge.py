"""Stage: a document takes in the pages of others that are merged into it, and these are removed.

Its own pages stay where they are and the others' follow, so doing it again writes the same. The others are
as they were until all of their pages and decisions are there; only then are they removed, one by one.
"""

from __future__ import annotations

from itertools import chain

from alma.documents import deletion, joining, page_records, records, reviewed_fields
from alma.documents.records import Document
from alma.errors import NotFoundError
from alma.pipeline.split import copy_page


def take_in(document: Document) -> Document:
    """Take in what is merged into a document, and return it after that; others as they are. Idempotent."""
    if not document.joining:
        return document
    if document.pages is None or document.pages < document.joining[0].first:
        organisation = document.organisation
        decided = {
            joined: reviewed_fields.touched(organisation, joined.document_id) for joined in document.joining
        }
        own = reviewed_fields.on_document(document, document.joining[0].first - 1)
        # What an attempt before this one brought is not the document's own.
        beside = reviewed_fields.without(own, chain.from_iterable(decided.values()))
        for joined, fields in decided.items():
            source = records.get(organisation, joined.document_id)
            for page in page_records.list_pages(source):
                copy_page(document, source, page, joined.first + page.number - 1)
            there = [after for _, after in reviewed_fields.moved(fields, joined.first - 1, beside)]
            reviewed_fields.put(organisation, document.id, there)
            beside = [*beside, *there]
        document = joining.pages_taken(document)
    for joined in document.joining:
        try:
            source = records.get(document.organisation, joined.document_id)
        except NotFoundError:
            continue
        joining.keep_file(document, source)
        deletion.remove_merged(source, document.divided_by)
    return joining.end(document)
