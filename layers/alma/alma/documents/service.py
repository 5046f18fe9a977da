"""The documents of one organisation, as both doors offer them: typed results, no JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alma.datamodel.fields import Field
from alma.datamodel.pages import PageText, Track
from alma.document_types import catalogue
from alma.documents import audit, deletion, instances, intake, listing, page_records, records
from alma.documents.errors import DocumentFailedError, DocumentProcessingError
from alma.documents.listing import Criteria, Listing
from alma.documents.page_records import PageRecord
from alma.documents.page_words import page_as_json, read_words
from alma.documents.records import Document, DocumentStatus
from alma.errors import NotFoundError
from alma.presentation.document import Claim, DocumentContent, FilePart, ReExtraction
from alma.presentation.files import File, FileLink
from alma.settings import settings
from alma.storage import objects

if TYPE_CHECKING:
    from alma.datamodel.geometry import Box
    from alma.datamodel.schemas import FieldType
    from alma.documents.text_search import SearchPage
    from alma.presentation.page_images import PageImage


@dataclass(frozen=True, slots=True)
class Announcement:
    """A document whose file is expected, and where to send it."""

    document: Document
    upload_url: str
    expires_in: int
    """Seconds the URL holds."""


@dataclass(frozen=True, slots=True)
class PageReading:
    """The lines that one track read on a page."""

    document: Document
    text: PageText
    tracks: Sequence[Track]
    """Everyone who read something on the page."""


@dataclass(frozen=True, slots=True)
class DocumentService:
    """What one organisation can see of its documents, and have done with them.

    Every method raises `NotFoundError` for a document that is absent or another organisation's; those that
    need its fields or pages raise `DocumentProcessingError` or `DocumentFailedError` for one without.
    """

    organisation: str
    actor: str = audit.ALMA
    """Id of the key that what is done is done with."""

    def list_documents(
        self, wanted: Criteria = listing.ALL, *, cursor: str | None = None, limit: int = 50
    ) -> Listing:
        """List documents, newest first; raises `BadRequestError` for a malformed cursor."""
        found = listing.list_documents(self.organisation, wanted, cursor=cursor, limit=limit)
        return replace(found, documents=records.with_claimants(self.organisation, found.documents))

    def announce(self, file_name: str, doc_type: str | None, *, whole: bool) -> Announcement:
        """Announce a file: make its document and the presigned URL to upload it to.

        Raises
        ------
        BadRequestError
            There is no such document type.
        """
        document = intake.announce(
            self.organisation, file_name, doc_type, whole=whole, announced_by=self.actor
        )
        return _expecting(document)

    def announced(self, document_id: int) -> Announcement:
        """Return an announced document again, with a fresh URL to upload its file to."""
        return _expecting(records.get(self.organisation, document_id))

    def receive(self, file_name: str, file: bytes, doc_type: str | None, *, whole: bool) -> Document:
        """Make the document of a file that came with the request, and have it read; raises as `announce`."""
        document = intake.announce(
            self.organisation, file_name, doc_type, whole=whole, announced_by=self.actor
        )
        objects.put_inbox(document.object_key, file)
        return document

    def delete(self, document_id: int) -> None:
        """Delete a document with everything that was made of it."""
        deletion.delete(self.organisation, document_id, actor=self.actor)

    def content(self, document_id: int, *, missing: bool = False) -> DocumentContent:
        """Return a document's fields; with `missing` also those that were looked for and not found,
        which are else only named.
        """
        document, fields = self.ready(document_id)
        if missing:
            [named] = records.with_claimants(self.organisation, [document])
            return content_of(named, fields)
        content = content_of(document, [field for field in fields if not field.missing])
        return replace(content, missing=[field.id for field in fields if field.wanted])

    def file(self, document_id: int) -> FileLink:
        """Return where the file is that a document was sent as; that of a further instance is the whole file.

        Raises
        ------
        NotFoundError
            No file has come yet, or another one was put in its place since.
        """
        document = records.get(self.organisation, document_id)
        etag, key = document.etag, document.object_key
        if etag is None or objects.inbox_size(key, etag) is None:
            raise NotFoundError(
                f"The file of document {document_id} is not there: it has not come, or was replaced since."
            )
        name = key.rpartition("/")[2]  # of what was sent, where the document is a file attached to that
        url = objects.inbox_url(key, file_name=name)
        media_type = document.media_type or "application/octet-stream"
        return FileLink(url, settings().download_seconds, media_type, name)

    def export(
        self,
        document_id: int,
        format: str,  # noqa: A002  # the API's own word
        *,
        all_columns: bool = False,
        bom: bool = False,
    ) -> File:
        """Export a document's fields as a file; raises `BadRequestError` for what no file can be."""
        from alma.presentation.exports import Format, export

        # A file holds fields only, not what is not there or is to come.
        content = replace(self.content(document_id), missing=(), re_extraction=None)
        if format == Format.XLSX:
            content = replace(content, types=self.field_types(content.doc_type))
        return export(content, format, all_columns=all_columns, bom=bom)

    def field_types(self, doc_type: str | None) -> Mapping[str, FieldType]:
        """Return the type of each field and column of a document type, by key."""
        return catalogue.field_types(self.organisation, doc_type)

    def publish(self, document_id: int, file: File) -> FileLink:
        """Store a file that is too large for an answer beside its document, and return where to get it."""
        key = objects.export_key(document_id, file.file_name)
        objects.put(self.organisation, key, file.body, file.media_type)
        if not records.exists(self.organisation, document_id):  # removed meanwhile, with what was made of it
            objects.delete(self.organisation, key)
            raise records.absent(document_id)
        return self._link(key, file.file_name, file.media_type)

    def published(self, document_id: int, file_name: str, media_type: str) -> FileLink:
        """Return where to get a file that was published, by a fresh URL."""
        records.get(self.organisation, document_id)
        return self._link(objects.export_key(document_id, file_name), file_name, media_type)

    def search(
        self, text: str, *, cursor: str | None = None, limit: int = 10, doc_type: str | None = None
    ) -> SearchPage:
        """Search file names, values and pages for a text; raises `BadRequestError` for a malformed cursor."""
        from alma.documents.text_search import search  # what folds text takes long to import

        return search(self.organisation, text, cursor=cursor, limit=limit, doc_type=doc_type)

    def page_lines(self, document_id: int, page: int, *, track: Track | None = None) -> PageReading:
        """Return the lines of a page as a track read them; without `track`, whichever read most.

        Raises
        ------
        NotFoundError
            The page is absent, or has no such text.
        """
        document, record = self._page(document_id, page)
        read: dict[Track, PageText] = {
            text.track: text for text in read_words(document, [record]) if text.track is not Track.XML
        }
        if not read:
            _check_read(document)
        chosen = (
            max(read.values(), key=lambda text: len(text.words), default=None)
            if track is None
            else read.get(track)
        )
        if chosen is None:
            raise NotFoundError(
                f"Page {page} of document {document_id} has no text of the track {track or 'text or vision'}."
            )
        return PageReading(document, chosen, list(read))

    def page_words(self, document_id: int, page: int) -> File:
        """Return the words of a page, of every track, as a JSON file."""
        document = records.get(self.organisation, document_id)
        body = page_as_json(document, page_records.get_page(document, page))
        return File(body, "application/json", f"p{page}.json")

    def page_image(self, document_id: int, page: int, *, part: Box | None, max_bytes: int) -> PageImage:
        """Return a page, or a part of it, as a picture within so many bytes; raises as `page_image_link`."""
        from alma.presentation.page_images import view

        original = self.page_image_link(document_id, page)
        png = objects.get(self.organisation, objects.page_image_key(document_id, page))
        return view(png, part, max_bytes=max_bytes, original=original)

    def page_image_link(self, document_id: int, page: int) -> FileLink:
        """Return where the image of a page (PNG) is.

        Raises
        ------
        NotFoundError
            The page is absent, or has no image.
        """
        document, record = self._page(document_id, page)
        if not record.has_image:
            raise NotFoundError(f"Page {page} of document {document_id} has no image.")
        key = objects.page_image_key(document.id, page)
        return self._link(key, f"document-{document.id}-p{page}.png", "image/png")

    def ready(self, document_id: int) -> tuple[Document, Sequence[Field]]:
        """Return a document that has been read and its fields, missing ones included."""
        document, fields = records.read(self.organisation, document_id)
        _check_read(document)
        return document, fields

    def _page(self, document_id: int, page: int) -> tuple[Document, PageRecord]:
        document = records.get(self.organisation, document_id)
        if document.pages is None:
            # Which pages there are is not known yet, or never will be.
            _check_read(document)
        return document, page_records.get_page(document, page)

    def _link(self, key: str, file_name: str, media_type: str) -> FileLink:
        url = objects.download_url(self.organisation, key, file_name=file_name)
        return FileLink(url, settings().download_seconds, media_type, file_name)


def _expecting(document: Document) -> Announcement:
    return Announcement(document, objects.upload_url(document.object_key), settings().upload_seconds)


def content_of(document: Document, fields: Sequence[Field], *, model: str | None = None) -> DocumentContent:
    """Return what an answer about a document shows; `model` is the one that was asked for it."""
    return DocumentContent(
        document.id,
        document.doc_type,
        fields,
        model=model,
        part=_file_part(document),
        claim=_claim(document),
        re_extraction=_re_extraction(document),
        warning=document.warning,
        read_attachments=[each.name for each in document.attached_files],
        unread_attachments=document.attachments,
        file_name=document.file_name,
    )


def _check_read(document: Document) -> None:
    """Raise what tells that a document has not been read, or could not be."""
    if document.status is DocumentStatus.PROCESSING:
        raise DocumentProcessingError(
            document.id, document.doc_type, document.pages, document.pages_read, document.upload_until
        )
    if document.status is DocumentStatus.FAILED:
        raise DocumentFailedError(document.id, document.error_code, document.detail)


def _file_part(document: Document) -> FilePart | None:
    """Return where a document stands in its file, if that holds several."""
    if document.page_range is None:
        return None
    first, last = document.page_range
    return FilePart(first, last, document.instance_of, instances.siblings(document))


def _re_extraction(document: Document) -> ReExtraction | None:
    """Return that a document waits to be read again, or that this failed."""
    if document.re_extraction is None:
        return None
    return ReExtraction(document.re_extraction, document.re_extraction_detail)


def _claim(document: Document) -> Claim | None:
    """Return who works on a document now."""
    if document.claimed_by is None or document.claimed_until is None:
        return None
    return Claim(document.claimed_by, document.claimed_until, document.claimed_by_name)
