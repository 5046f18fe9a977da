"""Page records: what is known of each page of a document, and which tracks have read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alma.datamodel.pages import Track
from alma.documents.records import Document
from alma.errors import NotFoundError
from alma.storage.items.documents import PageItem, page_key, page_prefix


@dataclass(frozen=True, slots=True)
class PageRecord:
    """What is known of a page: who has read it, or why nobody could."""

    number: int
    """1-based."""
    tracks: frozenset[str]
    """Tracks whose words are in the archive."""
    waiting: bool
    """Something on it can be read from its image only."""
    has_image: bool
    """Its image is in the archive."""
    error_code: str | None
    """Why it could not be read, for programs."""
    detail: str | None
    """The same as a sentence."""


def put_page(
    document: Document,
    number: int,
    *,
    width: int,
    height: int,
    has_text: bool,
    waiting: bool,
    has_data: bool = False,
) -> None:
    """Record a page's image and whether the file's own words or data of it are kept; other tracks stay."""
    actions: list[Any] = [
        PageItem.width.set(width),
        PageItem.height.set(height),
        PageItem.waiting.set(waiting),
        PageItem.error_code.remove(),
        PageItem.detail.remove(),
    ]
    tracks = {track.value for track, there in ((Track.TEXT, has_text), (Track.XML, has_data)) if there}
    if tracks:
        actions.append(PageItem.tracks.add(tracks))
    _update_page(document, number, actions)


def begin_page(document: Document, number: int) -> int:
    """Count that recognition of a page begins, and return how often it has."""
    return int(_update_page(document, number, [PageItem.begun.add(1)]).begun)


def page_recognised(document: Document, number: int, turned: int) -> None:
    """Record that a page's words were recognised, and the degrees clockwise that make it upright."""
    _update_page(document, number, [PageItem.turned.set(turned), PageItem.tracks.add({Track.VISION.value})])


def page_failed(document: Document, number: int, code: str, detail: str) -> None:
    """Record why a page could not be read, keeping what is known of it."""
    _update_page(document, number, [PageItem.error_code.set(code), PageItem.detail.set(detail)])


def _update_page(document: Document, number: int, actions: list[Any]) -> PageItem:
    """Change a page's row, making it if it is not there: several may write it, and none first."""
    item = PageItem(document.organisation, page_key(document.id, number))
    always = [
        PageItem.kind.set(PageItem),
        PageItem.document_id.set(document.id),
        PageItem.number.set(number),
    ]
    item.update(actions=[*always, *actions])
    return item


def list_pages(document: Document) -> list[PageRecord]:
    """Return what is known of the document's pages, in order."""
    items = PageItem.query(
        document.organisation, PageItem.sk.startswith(page_prefix(document.id)), consistent_read=True
    )
    return [_page_from_item(item) for item in items]


def get_page(document: Document, number: int) -> PageRecord:
    """Return what is known of one page.

    Raises
    ------
    NotFoundError
        The document has no such page, or nothing of it is known yet.
    """
    item = PageItem.find(document.organisation, page_key(document.id, number))
    if item is None:
        raise NotFoundError(f"Document {document.id} has no page {number}.")
    return _page_from_item(item)


def _page_from_item(item: PageItem) -> PageRecord:
    return PageRecord(
        int(item.number),
        frozenset(item.tracks or ()),
        bool(item.waiting),
        item.width is not None,
        item.error_code,
        item.detail,
    )


def tracks_of_page(document: Document, number: int) -> frozenset[str]:
    """Return the tracks whose words of a page are in the archive; none for a page there is not."""
    item = PageItem.find(document.organisation, page_key(document.id, number))
    return frozenset(() if item is None else item.tracks or ())


def copy_page(source: int, number: int, document: Document, to: int) -> None:
    """Record what is known of page `number` of document `source` as page `to` of another one."""
    page = PageItem.get(document.organisation, page_key(source, number), consistent_read=True)
    page.sk, page.document_id, page.number = page_key(document.id, to), document.id, to
    page.save()
