"""The words of documents, as they are stored in the archive."""

from __future__ import annotations

from collections.abc import Iterable

from alma.concurrency import in_order
from alma.datamodel.pages import PageText, Track
from alma.documents.page_records import PageRecord
from alma.documents.records import Document
from alma.errors import NotFoundError
from alma.storage import objects


def read_words(
    document: Document, pages: Iterable[PageRecord], *, workers: int = objects.PARALLEL
) -> list[PageText]:
    """Return what every track read on these pages of a document, in page order.

    Raises
    ------
    NotFoundError
        Words that were recorded are not there: the document was removed.
    """
    wanted = [(page.number, track) for page in pages for track in Track if track in page.tracks]

    def load(where: tuple[int, Track]) -> PageText:
        return PageText.from_json(stored_words(document, *where))

    return list(in_order(load, wanted, workers))


def page_as_json(document: Document, page: PageRecord) -> bytes:
    """Return one page as `{"page": N, "tracks": [...]}`, a `PageText` for each track as it is stored.

    Raises
    ------
    NotFoundError
        As in `read_words`.
    """
    tracks = [stored_words(document, page.number, track) for track in Track if track in page.tracks]
    return b'{"page":%d,"tracks":[%s]}' % (page.number, b",".join(tracks))


def stored_words(document: Document, page: int, track: Track) -> bytes:
    """Return what a track read on a page, as `PageText` wrote it.

    Raises
    ------
    NotFoundError
        As in `read_words`.
    """
    try:
        return objects.get(document.organisation, objects.words_key(document.id, page, track))
    except NotFoundError:
        raise NotFoundError(
            f"The words of page {page} of document {document.id} are not there; if it is not being removed, "
            "upload it again."
        ) from None
