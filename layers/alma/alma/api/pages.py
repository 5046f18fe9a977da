"""Pages over the API: their text, words and images; and the route."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from alma.access.scopes import Scope
from alma.api.errors import ErrorView, FailedDocument, Processing
from alma.api.geometry import PageNumber
from alma.api.operation import Route
from alma.api.request_models import DocumentId, Path, PathDocumentId, Query, sentence
from alma.datamodel.geometry import Box, Word, enclosing
from alma.datamodel.pages import Track
from alma.documents.service import PageReading
from alma.presentation.document import BoxView, Unit, rounded
from alma.presentation.view import View

# --- what is sent ----------------------------------------------------------


class PageOfDocument(Query):
    """A page of a document."""

    document_id: DocumentId
    page: PageNumber = 1


#: What a page of a document is asked for by.
PAGE_FILE = r"^p([1-9][0-9]{0,4})\.(png|json)$"


def _page_file(name: str) -> str:
    if re.fullmatch(PAGE_FILE, name) is None:
        raise sentence("A page is called p1.png for its image, p1.json for its words.")
    return name


class PagePath(Path):
    """`/v1/pages/{documentId}/{file}`."""

    document_id: PathDocumentId
    file: Annotated[
        str,
        Field(
            description="The page, counted from 1 in its document, and what of it.",
            json_schema_extra={"pattern": PAGE_FILE},
        ),
        AfterValidator(_page_file),
    ]

    @property
    def page(self) -> int:
        """1-based."""
        return int(self.file[1:].partition(".")[0])

    @property
    def is_image(self) -> bool:
        """Whether its image is asked for, or its words."""
        return self.file.endswith(".png")


# --- what is answered ------------------------------------------------------


class WordView(View):
    """A word where it stands."""

    text: str
    bbox: BoxView
    confidence: Unit | None = Field(
        description="How sure recognition is of it; null where the file itself says it."
    )


class LineView(View):
    """A line of text where it stands."""

    text: str
    bbox: BoxView
    words: list[WordView] = Field(
        default=[], exclude_if=lambda words: not words, description="Only given if they are asked for."
    )

    @classmethod
    def of(cls, line: Sequence[Word], *, with_words: bool) -> LineView:
        """Return the view of a line, which has a word at least."""
        words = [
            WordView(text=word.text, bbox=_box(word.box), confidence=rounded(word.confidence))
            for word in line
            if with_words
        ]
        text = " ".join(word.text for word in line)
        return cls(text=text, bbox=_box(enclosing(word.box for word in line)), words=words)


def _box(box: Box) -> BoxView:
    return BoxView(**box.to_dict())


class PageTextView(View):
    """The text of a page, in reading order."""

    document_id: int
    page: int = Field(description="1-based page of the document.")
    pages: int = Field(description="How many pages the document has.")
    track: Track = Field(
        description="Who read it. text: the file's own text; vision: recognition on the page image; xml: no "
        "words, but what an electronic invoice says as data."
    )
    tracks: list[Track] = Field(description="Everyone who read something on the page.")
    turned: int = Field(description="Degrees clockwise that make the page upright; boxes are not turned.")
    unread_lines: int = Field(description="Lines that were seen and could not be read.")
    lines: list[LineView]
    next_cursor: str | None = Field(
        description="Send it as cursor for the lines after these; null at the end."
    )

    @classmethod
    def of(cls, page: PageReading, *, start: int, limit: int, with_words: bool) -> PageTextView:
        """Return the view of what one track read on a page, from line `start` on."""
        text = page.text
        lines = text.lines()
        return cls(
            document_id=page.document.id,
            page=text.page,
            pages=page.document.pages or text.page,
            track=text.track,
            tracks=list(page.tracks),
            turned=text.turned,
            unread_lines=text.unreadable,
            lines=[LineView.of(line, with_words=with_words) for line in lines[start : start + limit]],
            next_cursor=str(start + limit) if start + limit < len(lines) else None,
        )


class TrackWords(View):
    """The words of a page as one track reads them."""

    page: int
    width: float
    height: float = Field(description="Of the page as displayed; the unit does not matter, the ratio does.")
    track: Track
    turned: int = Field(description="Degrees clockwise that make the page upright; boxes are not turned.")
    unreadable: int = Field(description="Lines that were seen and could not be read.")
    words: list[tuple[str, float, float, float, float, int, float | None]] = Field(
        description="[text, x, y, w, h, line, confidence]: boxes in the unit square of the page."
    )
    data: list[tuple[str, str]] = Field(
        default=[], description="[field, value as written] of the track xml; only given there."
    )


class PageWords(View):
    """The words of a page."""

    page: int
    tracks: list[TrackWords]


# --- the routes ------------------------------------------------------------

ROUTES = (
    Route(
        "GET",
        "/v1/pages/{documentId}/{file}",
        "datasets",
        "get_page",
        "Download the image of a page (p1.png, a redirect) or its words (p1.json): /api/v1/ + an image_key.",
        Scope.DOCUMENTS_READ,
        {
            200: PageWords,
            202: Processing,
            303: None,
            304: None,
            400: ErrorView,
            404: ErrorView,
            422: FailedDocument,
        },
        path=PagePath,
    ),
)
