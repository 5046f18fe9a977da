"""Full-text search of an organisation's documents, without an index.

Documents are read one after the other, newest first: name, field values, then the words of their pages. A
call looks at so many documents and pages and says where the next one goes on.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, islice

from alma.datamodel.fields import Field
from alma.datamodel.geometry import Region, enclosing
from alma.datamodel.pages import PageText
from alma.documents import listing as document_listing
from alma.documents import page_records
from alma.documents import records as document_records
from alma.documents.page_words import read_words
from alma.documents.records import Document, DocumentStatus
from alma.errors import BadRequestError, NotFoundError
from alma.extraction.values.text import fold

#: Documents that one call looks at, and pages, whichever comes first.
MAX_DOCUMENTS = 50
MAX_PAGES = 200
#: Documents that one call may return.
MAX_LIMIT = 50
#: Shorter texts are nearly everywhere.
MIN_TEXT = 2
#: Places and fields that are shown of one document.
MAX_PASSAGES = 5
MAX_FIELDS = 20
#: Characters shown of the lines of one place.
MAX_LINES_TEXT = 500

#: Words of a page: the first, and the one after the last.
WordSpan = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Passage:
    """A place on a page: the lines it touches, and the words themselves."""

    text: str
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A document that the text stands in."""

    document: Document
    fields: tuple[Field, ...]
    """The first fields whose best value holds the text."""
    passages: tuple[Passage, ...]
    """The first places on its pages."""
    places: int
    """How many places there are."""
    unsearched_pages: int
    """Pages whose words were not looked at because the document has too many."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The hits of one call, and the cursor of the next."""

    hits: list[SearchHit]
    """Newest document first."""
    documents: int
    """Documents that were looked at."""
    next_cursor: str | None
    """Where to go on; None where all documents have been looked at."""


def search(
    organisation: str,
    text: str,
    *,
    cursor: str | None = None,
    limit: int = 10,
    doc_type: str | None = None,
) -> SearchPage:
    """Return the documents whose words, fields or file name contain a text, newest first.

    Capitals, accents and line breaks do not matter. The text has to stand as it is: several words are a
    phrase. Only documents that have been read are looked at.

    Parameters
    ----------
    organisation : str
        Whose documents.
    text : str
        What to find.
    cursor : str, optional
        `next_cursor` of the call before.
    limit : int
        At most this many documents.
    doc_type : str, optional
        Only documents of this type.

    Raises
    ------
    BadRequestError
        The text is too short, the limit out of range, or the cursor malformed.
    """
    wanted = _folded(text)
    if len(wanted) < MIN_TEXT:
        raise BadRequestError(f"text has at least {MIN_TEXT} characters.")
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequestError(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    listing = document_listing.list_documents(
        organisation,
        document_listing.Criteria(doc_type=doc_type, status=DocumentStatus.READY),
        cursor=cursor,
        limit=MAX_DOCUMENTS,
    )
    hits: list[SearchHit] = []
    pages = 0
    for looked, document in enumerate(listing.documents):
        pages += document.pages or 0
        if looked and (len(hits) == limit or pages > MAX_PAGES):
            return SearchPage(hits, looked, document_listing.cursor_after(listing.documents[looked - 1]))
        try:
            hit = _look(document, wanted)
        except NotFoundError:
            continue  # removed in the meantime
        if hit.fields or hit.places or wanted in _folded(document.file_name):
            hits.append(hit)
    return SearchPage(hits, len(listing.documents), listing.next_cursor)


def _look(document: Document, wanted: str) -> SearchHit:
    """Return the fields and the passages of a document that hold a folded text."""
    _, fields = document_records.read(document.organisation, document.id)
    records = page_records.list_pages(document)
    by_page: dict[int, tuple[PageText, list[WordSpan]]] = {}
    for page in read_words(document, records[:MAX_PAGES]):
        places = places_of(page, wanted)
        # What two tracks read in one place is one place.
        if page.page not in by_page or len(places) > len(by_page[page.page][1]):
            by_page[page.page] = page, places
    found = [(page, span) for _, (page, spans) in sorted(by_page.items()) for span in spans]
    return SearchHit(
        document,
        tuple(islice((field for field in fields if not field.missing and _holds(field, wanted)), MAX_FIELDS)),
        tuple(_passage(page, *span) for page, span in found[:MAX_PASSAGES]),
        len(found),
        max(0, len(records) - MAX_PAGES),
    )


def places_of(page: PageText, wanted: str) -> list[WordSpan]:
    """Return where a folded text stands among the words of a page."""
    words = [_folded(word.text) for word in page.words]
    starts = list(accumulate((len(word) + 1 for word in words), initial=0))
    running = " ".join(words)
    found = []
    at = running.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        found.append((bisect_right(starts, at) - 1, bisect_right(starts, end - 1)))
        at = running.find(wanted, end)
    return found


def _passage(page: PageText, first: int, end: int) -> Passage:
    words = page.words[first:end]
    numbers = sorted({word.line for word in words})
    lines = [" ".join(word.text for word in page.words if word.line == number) for number in numbers]
    regions = [
        Region(page.page, enclosing(word.box for word in words if word.line == number)) for number in numbers
    ]
    return Passage(" ".join(lines)[:MAX_LINES_TEXT], tuple(regions))


def _holds(field: Field, wanted: str) -> bool:
    return wanted in _folded(field.best.value) or wanted in _folded(field.best.content)


def _folded(text: str) -> str:
    return " ".join(fold(text).split())
