"""Stage: a file in the inbox becomes pages in the archive; the work of the `ingest` function."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path

from alma.access import organisations
from alma.documents import intake, page_records, progress, records
from alma.documents.intake import MAX_ATTEMPTS
from alma.documents.records import AttachedFile, Document
from alma.errors import BadRequestError, NotFoundError, UnreadableFileError
from alma.files.bundle import Bundle
from alma.files.isolation import FilePage
from alma.metering import quotas, usage
from alma.pipeline import finish
from alma.settings import settings
from alma.storage import objects, queue

_log = logging.getLogger(__name__)


def ingest(object_key: str, etag: str, sequencer: str) -> Document | None:
    """Store the pages of a file that has landed in the inbox, and ask for each to be read. Idempotent.

    The file's row decides which document it is, pages are written over with the same content, and a file that
    was cut off is taken up where it stopped.

    Parameters
    ----------
    object_key : str
        `inbox/ORGANISATION/…`, decoded.
    etag : str
        Tells one content of a key from the next.
    sequencer : str
        Tells one upload from the next.

    Returns
    -------
    Document or None
        As it stands afterwards; None where there was nothing to do.
    """
    if object_key.endswith("/"):
        return None  # a folder marker, as the S3 console makes them
    organisation, _, name = object_key.removeprefix(objects.INBOX).partition("/")
    try:
        organisations.get(organisations.check_id(organisation if name else ""))
    except (BadRequestError, NotFoundError):
        _log.warning(
            "%r belongs to no organisation: it stays in the inbox, unread; `alma org create` makes one, "
            "then copy it to inbox/ORGANISATION/ again",
            object_key,
        )
        return None
    if not objects.in_inbox(object_key) and not intake.is_known(organisation, object_key, etag):
        return None  # removed with its document, and delivered once more
    document = intake.arrive(organisation, object_key, etag, sequencer)
    if document is None:
        return None
    with finish.purged_if_removed(organisation, document.id):
        try:
            if document.pages is None:
                document = _store_pages(document, etag)
            queue.send_pages(organisation, document.id, sorted(document.pending) or [0])
        except UnreadableFileError as error:
            progress.fail(document, error.code, error.detail)
            finish.count(organisation, document.id)
            document = records.get(organisation, document.id)
        return document
    return None


def _store_pages(document: Document, etag: str) -> Document:
    """Store every page's image and own text; return the document with its pages known."""
    if document.attempts > MAX_ATTEMPTS:
        raise UnreadableFileError(
            "Reading this file was begun several times and never came to an end; split it or save it anew.",
            code="too_complex",
        )
    known = page_records.list_pages(document)
    with tempfile.TemporaryDirectory(prefix="alma-") as folder:
        path = Path(folder) / "file"
        objects.fetch_inbox(document.object_key, etag, path)
        with Bundle(path, settings(), first_page=len(known) + 1) as file:
            size = path.stat().st_size
            if quotas.count(document, file.pages, size):
                usage.count_file(document, file.pages, size)
            for page in file:
                _store_page(document, page)
    waiting = [page.number for page in page_records.list_pages(document) if page.waiting]
    attached = tuple(
        AttachedFile(part.name, part.first, part.last) for part in file.parts if part.name is not None
    )
    return progress.pages_known(
        document, file.pages, waiting, file.kind.media_type, file.attachments, attached
    )


def _store_page(document: Document, page: FilePage) -> None:
    if page.error is not None:
        page_records.page_failed(document, page.number, page.error.code, page.error.detail)
        return
    objects.put(
        document.organisation,
        objects.page_image_key(document.id, page.number),
        page.image,
        "image/png",
    )
    for text in (page.text, page.data):
        if text is not None:
            objects.put(
                document.organisation,
                objects.words_key(document.id, page.number, text.track),
                replace(text, page=page.number).to_json(),
                "application/json",
            )
    # The row goes last: a page that has one is complete, and is not read again.
    page_records.put_page(
        document,
        page.number,
        width=page.width,
        height=page.height,
        has_text=page.text is not None,
        has_data=page.data is not None,
        waiting=page.needs_vision,
    )
