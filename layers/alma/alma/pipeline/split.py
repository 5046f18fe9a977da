"""Stage: a file that holds several documents becomes these, each with pages of its own.

The document that a file became when it arrived stays its first instance. When all pages are read, it records
which others there are and gives them their numbers; their rows are made, and each is asked for with a message
of its own. Whoever takes such a message moves the pages over and resolves the document as any other; whoever
moves the last ones asks for the first document, which keeps what is left. So every step is small and
idempotent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alma.datamodel.pages import PageText
from alma.documents import instances, page_records, progress
from alma.documents.records import Document
from alma.extraction.classification.boundaries import page_ranges
from alma.storage import objects, queue


def split(document: Document, words: Sequence[PageText], pages: int) -> Document:
    """Record which documents a file holds, where there are several; return its first as it is after that.

    Parameters
    ----------
    document : Document
        What the file became.
    words : sequence of PageText
        What every track read on its pages.
    pages : int
        Number of its pages.
    """
    if document.instance_of is not None or document.instances or document.file_key is None:
        return document
    if document.divided_by is not None:
        return document  # a person has said what it is
    ranges = [
        each for first, last in _files(document, pages) for each in _documents(document, words, first, last)
    ]
    return document if len(ranges) == 1 else instances.divide(document, ranges)


def _files(document: Document, pages: int) -> list[tuple[int, int]]:
    """Return the pages of the file and of each that is attached to it; a mail has none of its own."""
    attached = [(each.first, each.last) for each in document.attached_files]
    own = attached[0][0] - 1 if attached else pages
    return [(1, own), *attached] if own else attached


def _documents(document: Document, words: Sequence[PageText], first: int, last: int) -> list[tuple[int, int]]:
    """Return the documents that one file's pages are."""
    if document.whole:
        return [(first, last)]
    own = [replace(text, page=text.page - first + 1) for text in words if first <= text.page <= last]
    return [(begin + first - 1, end + first - 1) for begin, end in page_ranges(own, last - first + 1)]


def ask_for_parts(document: Document) -> None:
    """Make the instances of a file that have not taken their pages, and have them resolved. Idempotent."""
    for instance in document.parts or document.instances:
        if instance.document_id in document.pending_parts:
            instances.put_instance(document, instance)
            queue.send_pages(document.organisation, instance.document_id, [0])


def take_pages(document: Document) -> Document:
    """Move the pages of an instance of a file over to it, and return it after that; others as they are."""
    if document.source is None:
        return document
    number, (first, last) = document.source
    if document.pages is None:
        source = replace(document, id=number)
        for page in page_records.list_pages(source):
            if first <= page.number <= last:
                copy_page(document, source, page, page.number - first + 1)
        instances.take_fields(document)
        document = progress.pages_known(document, last - first + 1, [], document.media_type or "")
    instances.release_source(document)
    return document


def own_pages(document: Document) -> list[page_records.PageRecord]:
    """Return what is known of a document's pages, after removing those that no document took. Idempotent."""
    pages = page_records.list_pages(document)
    count = len(pages) if document.pages is None else document.pages
    left = [page.number for page in pages if page.number > count]
    if left:
        instances.remove_pages(document.organisation, document.id, left)
    return [page for page in pages if page.number <= count]


def copy_page(document: Document, source: Document, page: page_records.PageRecord, to: int) -> None:
    """Copy a page of one document, with its words, to a page of another. Idempotent."""
    organisation = document.organisation
    if page.has_image:
        image = objects.page_image_key(source.id, page.number)
        objects.copy(organisation, image, objects.page_image_key(document.id, to))
    for track in sorted(page.tracks):
        text = PageText.from_json(objects.get(organisation, objects.words_key(source.id, page.number, track)))
        objects.put(
            organisation,
            objects.words_key(document.id, to, track),
            replace(text, page=to).to_json(),
            "application/json",
        )
    page_records.copy_page(source.id, page.number, document, to)
