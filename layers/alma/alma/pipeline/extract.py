"""Stage: the image of a page becomes words, and the words of a document become fields."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from alma.datamodel.fields import Extraction
from alma.datamodel.pages import PageText, Track
from alma.document_types import catalogue, decision_counts
from alma.documents import page_records, progress
from alma.documents.page_records import PageRecord
from alma.documents.records import Document
from alma.errors import NotFoundError, UnreadableFileError
from alma.extraction.embedded_data import data_of, with_data
from alma.extraction.resolve import extract, with_missing
from alma.pipeline import llm, verification
from alma.settings import settings
from alma.storage import objects

if TYPE_CHECKING:
    from PIL import Image

    from alma.extraction.marks.pictures import Grey
    from alma.ocr import Recognizer

_log = logging.getLogger(__name__)

#: The type of documents that carry an invoice's data.
INVOICE = "invoice"


def read_page(document: Document, page: int) -> Document:
    """Recognise the words of a page if it waits for that, and return the document after it. Idempotent.

    A page that was begun `settings().page_attempts` times and never finished is recorded as unreadable, so
    that its document does not wait for ever: a function that dies of memory or time leaves no other trace.
    """
    if page not in document.pending:
        return document
    if page_records.begin_page(document, page) > settings().page_attempts:
        _log.error("page %s of document %s is given up", page, document.id)
        page_records.page_failed(
            document, page, "unreadable_page", "This page could not be read in several attempts."
        )
    else:
        _recognise(document, page)
    return progress.page_read(document, page)


@lru_cache(maxsize=1)
def _recognizer() -> Recognizer:
    from alma.ocr import Recognizer

    return Recognizer(settings().models)


def _page_image(document: Document, page: int) -> Image.Image:
    from PIL import Image

    png = objects.get(document.organisation, objects.page_image_key(document.id, page))
    return Image.open(io.BytesIO(png))


def _keep(document: Document, text: PageText) -> None:
    objects.put(
        document.organisation,
        objects.words_key(document.id, text.page, text.track),
        text.to_json(),
        "application/json",
    )


def _recognise(document: Document, page: int) -> None:
    layer = _layer_to_complete(document, page)
    if layer is not None and layer.completed:
        return
    image = _page_image(document, page)
    if layer is None:
        text = _recognizer().read(image, page)
    else:
        from alma.ocr.completion import with_pictures

        text = with_pictures(_recognizer(), image, layer)
    _keep(document, text)
    if text.track is Track.VISION:
        page_records.page_recognised(document, page, text.turned)


def _layer_to_complete(document: Document, page: int) -> PageText | None:
    """Return the text layer of a page where it is that, and not the page, which needs a look at the
    picture."""
    if Track.TEXT.value not in page_records.get_page(document, page).tracks:
        return None
    words = objects.get(document.organisation, objects.words_key(document.id, page, Track.TEXT))
    layer = PageText.from_json(words)
    return layer if layer.pictures or layer.completed else None


def _grey_picture(document: Document, page: int) -> Grey | None:
    """Return the grey picture of a page as displayed, or None where there is none."""
    import numpy as np

    try:
        return np.asarray(_page_image(document, page).convert("L"))
    except NotFoundError:
        return None


def check_readable(pages: Sequence[PageRecord]) -> None:
    """Raise the failure of a document none of whose pages could be read.

    Raises
    ------
    UnreadableFileError
        With the reason of the first of them.
    """
    unreadable = [page for page in pages if page.error_code is not None and not page.tracks]
    if not pages or len(unreadable) < len(pages):
        return
    first = unreadable[0]
    sentence = first.detail or ""
    raise UnreadableFileError(
        sentence if len(pages) == 1 else f"Page {first.number}: {sentence}",
        code=first.error_code or "damaged_file",
    )


def fields_of(
    document: Document, words: Sequence[PageText], doc_type: str | None, *, hosted: bool, key_id: str | None
) -> Extraction:
    """Return the fields of a document, missing ones included, from its words and today's document types.

    Parameters
    ----------
    document : Document
        Whose words.
    words : sequence of PageText
        What every track read on its pages.
    doc_type : str or None
        The type it is said to be; classified anew where the organisation does not know that any more.
    hosted : bool
        Whether the hosted model is asked, where one is named.
    key_id : str or None
        Whose run of that model it is; None for the inbox.
    """
    schemas = catalogue.schemas_of(document.organisation)
    extracted = partial(
        extract,
        schemas=schemas,
        decisions=partial(decision_counts.counts_of, document.organisation),
        picture_of=lru_cache(maxsize=2)(partial(_grey_picture, document)),
    )

    def read(pages: Sequence[PageText]) -> Extraction:
        extraction = extracted(pages, doc_type=doc_type if doc_type in schemas else None)
        if extraction.doc_type is None and INVOICE in schemas and data_of(pages):
            # Its pages tell nothing, but it carries an invoice's data.
            return extracted(pages, doc_type=INVOICE)
        return extraction

    words, extraction = verification.verified(
        words, read, partial(_page_image, document), _recognizer, partial(_keep, document)
    )
    if extraction.doc_type is None:
        return extraction
    schema = schemas[extraction.doc_type]
    extraction = with_data(extraction, words, schema)
    if hosted:
        extraction = llm.add_readings(
            extraction, words, schema, organisation=document.organisation, key_id=key_id
        )
    return with_missing(extraction, schema)
