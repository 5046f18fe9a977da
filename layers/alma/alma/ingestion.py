"""From a file in the inbox to pages in the archive: the work of the `ingest` function."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from alma import documents, organisations
from alma.documents import MAX_ATTEMPTS, Document
from alma.errors import NotFoundError, UnreadableFileError
from alma.files.isolation import read_file
from alma.settings import settings
from alma.storage import objects, queue

_log = logging.getLogger(__name__)


def ingest(object_key: str, etag: str) -> Document | None:
    """Split a dropped file into pages and have them read.

    Safe to run twice, at once or after a crash: the file's row decides which document it is, pages are
    written over with the same content, and pages already known are not asked for again.

    Parameters
    ----------
    object_key : str
        `inbox/ORGANISATION/…`, decoded.
    etag : str
        Tells one content of a key from the next.

    Returns
    -------
    Document or None
        As it stands afterwards; None where there was nothing to do.
    """
    organisation, _, name = object_key.removeprefix(objects.INBOX).partition("/")
    if not name or name.endswith("/"):
        return None  # a folder marker, as the S3 console makes them
    try:
        organisations.get(organisation)
    except NotFoundError:
        _log.warning("a file was dropped for an organisation that does not exist: %s", organisation)
        return None
    document = documents.arrive(organisation, object_key, etag)
    if document is None:
        return None
    if document.attempts > MAX_ATTEMPTS:
        documents.fail(
            document,
            "too_complex",
            "Reading this file was begun three times and never came to an end; split it or save it anew.",
        )
        return documents.get(organisation, document.id)
    if document.pages is None:
        try:
            document = _split(document)
        except UnreadableFileError as error:
            documents.fail(document, error.slug, error.detail)
            return documents.get(organisation, document.id)
    queue.send_pages(organisation, document.id, sorted(document.pending) or [0])
    return document


def _split(document: Document) -> Document:
    """Store every page's image and own text; return the document with its pages known."""
    waiting: list[int] = []
    with tempfile.TemporaryDirectory(prefix="alma-") as folder:
        path = Path(folder) / "file"
        try:
            objects.fetch_inbox(document.object_key, path)
        except NotFoundError as error:
            raise UnreadableFileError(error.detail, code="file_missing") from error
        with read_file(path, settings()) as file:
            for page in file:
                if page.error is not None:
                    documents.page_failed(document, page.number, page.error.slug, page.error.detail)
                    continue
                objects.put(
                    document.organisation,
                    objects.page_image_key(document.id, page.number),
                    page.image,
                    "image/png",
                )
                if page.text is not None:
                    objects.put(
                        document.organisation,
                        objects.words_key(document.id, page.number, page.text.track),
                        page.text.to_json(),
                        "application/json",
                    )
                if page.needs_vision:
                    waiting.append(page.number)
                documents.put_page(
                    document,
                    page.number,
                    width=page.width,
                    height=page.height,
                    has_text=page.text is not None,
                )
        return documents.pages_known(document, file.pages, waiting, file.kind.media_type)
