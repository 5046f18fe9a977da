"""The words of documents, as they are kept in the archive."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from alma.documents import Document, PageRecord
from alma.pages import PageText, Track
from alma.storage import objects


def read_words(document: Document, pages: Iterable[PageRecord]) -> list[PageText]:
    """Return what every track read on these pages of a document, in page order.

    Raises
    ------
    NotFoundError
        Words that were recorded are not there: the document was removed.
    """
    wanted = [(page.number, track) for page in pages for track in Track if track in page.tracks]

    def load(where: tuple[int, Track]) -> PageText:
        return PageText.from_json(objects.get(document.organisation, objects.words_key(document.id, *where)))

    with ThreadPoolExecutor(objects.PARALLEL) as pool:
        return list(pool.map(load, wanted))
