"""An organisation's documents as the doors offer them, whichever door it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alma import pagination
from alma.api.views import (
    DocumentList,
    ModelList,
    ModelSummary,
    PageTextView,
    SchemaList,
    SchemaSummary,
    SearchResult,
)
from alma.datamodel.fields import Field, Status
from alma.datamodel.pages import Track
from alma.document_types import catalogue
from alma.documents import audit, instances, page_records, records
from alma.documents import listing as document_listing
from alma.documents.page_records import PageRecord
from alma.documents.page_words import page_as_json, read_words
from alma.documents.records import Document, DocumentStatus
from alma.errors import AlmaError, BadRequestError, NotFoundError
from alma.models import registry
from alma.presentation.document import Claim, FilePart, project, project_field
from alma.presentation.page_images import PageImage, view
from alma.review import queue
from alma.settings import settings
from alma.storage import objects

if TYPE_CHECKING:
    from alma.datamodel.geometry import Box
    from alma.presentation.exports import Exported, ExportLink
    from alma.review.decisions import Proposal


class DocumentProcessingError(AlmaError):
    """The document is still being read; asking again later helps."""

    code = "still_processing"
    status = 202

    def __init__(self, document: Document) -> None:
        read = f"{document.pages_read} of {document.pages} pages read" if document.pages else "not begun"
        super().__init__(f"Document {document.id} is still being read ({read}); ask again in a moment.")
        self.document = document


class DocumentFailedError(AlmaError):
    """The document could not be read; the code and the sentence are the document's own."""

    status = 422

    def __init__(self, document: Document) -> None:
        super().__init__(document.detail or "The document could not be read.", code=document.error_code)
        self.document = document


@dataclass(frozen=True, slots=True)
class Archive:
    """What one organisation can see, and have done with it.

    Attributes
    ----------
    organisation : str
        Whose.
    actor : str
        Id of the key that what is done is done with.
    """

    organisation: str
    actor: str = audit.ALMA

    def list_documents(
        self,
        *,
        cursor: str | None = None,
        limit: int = 50,
        doc_type: str | None = None,
        status: str | None = None,
    ) -> dict[str, Any]:
        """Return a `DocumentList` as JSON, newest first.

        Raises
        ------
        BadRequestError
            One of the arguments is not one.
        """
        try:
            wanted = None if status is None else DocumentStatus(status)
        except ValueError:
            raise BadRequestError("status is one of processing, ready and failed.") from None
        listing = document_listing.list_documents(
            self.organisation, cursor=cursor, limit=limit, doc_type=doc_type, status=wanted
        )
        return DocumentList.of(listing).model_dump(mode="json")

    def document(self, document_id: int, *, tracks: bool = False) -> dict[str, Any]:
        """Return a document's fields as JSON (`DocumentView`).

        With `tracks` also missing ones, and with each what to decide it by.

        Raises
        ------
        NotFoundError
            Absent, or another organisation's.
        DocumentProcessingError, DocumentFailedError
            There are no fields yet, or never.
        """
        if not tracks:
            document, fields = self._found(document_id)
            return project(document.id, document.doc_type, fields, part=_part(document))
        document, fields = self.ready(document_id)
        return project(
            document.id,
            document.doc_type,
            fields,
            part=_part(document),
            tracks=True,
            claim=_claim(document),
        )

    def answer(
        self, document_id: int, *, tracks: str | None = None, max_inline: int
    ) -> Exported | ExportLink:
        """Return a document's fields as the body of an answer, or a link where it is over `max_inline` bytes.

        Parameters
        ----------
        document_id : int
            Number of the document.
        tracks : str, optional
            `all` for what every track reads; None for the best value alone.
        max_inline : int
            Bytes an answer may have.

        Raises
        ------
        BadRequestError
            `tracks` is something else.
        NotFoundError, DocumentProcessingError, DocumentFailedError
            As in `document`.
        """
        if tracks not in (None, "all"):
            raise BadRequestError("tracks is all, for what every track reads; or leave it out.")
        document, fields = self._found(document_id) if tracks is None else self.ready(document_id)
        claim = _claim(document) if tracks is not None else None
        return self._answer(document, fields, tracks=tracks is not None, claim=claim, max_inline=max_inline)

    def answer_of_model(
        self, document: Document, fields: Sequence[Field], model: str, *, max_inline: int
    ) -> Exported | ExportLink:
        """Return what a model reads of a document as the body of an answer, or a link as `answer`."""
        return self._answer(document, fields, model=model, max_inline=max_inline)

    def _answer(
        self,
        document: Document,
        fields: Sequence[Field],
        *,
        model: str | None = None,
        tracks: bool = False,
        claim: Claim | None = None,
        max_inline: int,
    ) -> Exported | ExportLink:
        from alma.presentation.exports import Exported, Format, json

        suffix = "-tracks" if tracks else f"-{model}" if model else ""
        exported = Exported(
            json.write(
                document.id,
                document.doc_type,
                fields,
                _part(document),
                model=model,
                tracks=tracks,
                claim=claim,
            ),
            Format.JSON.media_type,
            f"document-{document.id}{suffix}.json",
        )
        # The body is a string in the function's own JSON: quotes and backslashes travel escaped once more.
        escapes = exported.body.count(b'"') + exported.body.count(b"\\")
        if len(exported.body) + escapes <= max_inline:
            return exported
        return self._link(document.id, exported)

    def export(
        self,
        document_id: int,
        format: str,  # noqa: A002  # the API's own word
        *,
        max_inline: int,
    ) -> Exported | ExportLink:
        """Return a document's fields as a file, or a link where it has more than `max_inline` bytes.

        Raises
        ------
        BadRequestError
            There is no such format.
        NotFoundError, DocumentProcessingError, DocumentFailedError
            As in `document`.
        """
        from alma.presentation.exports import export

        document, fields = self._found(document_id)
        exported = export(document.id, document.doc_type, fields, format, _part(document))
        if len(exported.body) <= max_inline:
            return exported
        return self._link(document_id, exported)

    def search(
        self, text: str, *, cursor: str | None = None, limit: int = 10, doc_type: str | None = None
    ) -> dict[str, Any]:
        """Return the documents that a text stands in as JSON (`SearchResult`), newest first.

        Raises
        ------
        BadRequestError
            One of the arguments is not one.
        """
        from alma.documents.text_search import (
            search,  # what folds text takes long to import, and this alone needs it
        )

        found = search(self.organisation, text, cursor=cursor, limit=limit, doc_type=doc_type)
        return SearchResult.of(found).model_dump(mode="json")

    def page_text(
        self,
        document_id: int,
        page: int,
        *,
        track: str | None = None,
        words: bool = False,
        cursor: str | None = None,
        limit: int = 200,
    ) -> dict[str, Any]:
        """Return the lines of a page as JSON (`PageTextView`).

        Parameters
        ----------
        document_id, page : int
            Number of the document, and of its page.
        track : str, optional
            Who is to have read it; None for whoever read most.
        words : bool
            Whether each line comes with its words.
        cursor : str, optional
            `nextCursor` of the lines before.
        limit : int
            At most this many lines.

        Raises
        ------
        BadRequestError
            The cursor is not one.
        NotFoundError
            The document or the page is absent, or another organisation's, or the page has no such text.
        DocumentProcessingError, DocumentFailedError
            Nobody has read the page yet, or could.
        """
        start = pagination.offset(cursor, "lines")
        document, record = self._page(document_id, page)
        read = {text.track: text for text in read_words(document, [record])}
        if not read:
            _check_read(document)
        chosen = (
            max(read.values(), key=lambda text: len(text.words), default=None)
            if track is None
            else read.get(Track(track))
        )
        if chosen is None:
            raise NotFoundError(
                f"Page {page} of document {document_id} has no text of the track {track or 'text or vision'}."
            )
        view = PageTextView.of(document, chosen, list(read), start=start, limit=limit, with_words=words)
        return view.model_dump(mode="json")

    def page_image(self, document_id: int, page: int, *, part: Box | None, max_bytes: int) -> PageImage:
        """Return a page, or a part of it, as a picture of at most so many bytes.

        Raises
        ------
        NotFoundError
            The document or the page is absent, or another organisation's, or the page has no image.
        DocumentProcessingError, DocumentFailedError
            Nobody has looked at its pages yet, or could.
        """
        original = self.page_image_link(document_id, page)
        png = objects.get(self.organisation, objects.page_image_key(document_id, page))
        return view(png, part, max_bytes=max_bytes, original=original)

    def page_image_link(self, document_id: int, page: int) -> ExportLink:
        """Return where the image of a page (PNG) is; the errors are those of `page_image`."""
        document, record = self._page(document_id, page)
        if not record.has_image:
            raise NotFoundError(f"Page {page} of document {document_id} has no image.")
        key, name = objects.page_image_key(document.id, page), f"document-{document.id}-p{page}.png"
        return self._link_to(key, name, "image/png")

    def schemas(self) -> dict[str, Any]:
        """Return the organisation's document types as JSON (`SchemaList`)."""
        types = catalogue.list_types(self.organisation)
        return SchemaList(schemas=[SchemaSummary.of(each) for each in types]).model_dump(mode="json")

    def models(self) -> dict[str, Any]:
        """Return the organisation's models as JSON (`ModelList`)."""
        found = registry.list_models(self.organisation)
        return ModelList(models=[ModelSummary.of(model) for model in found]).model_dump(mode="json")

    def review_queue(
        self,
        *,
        doc_type: str | None = None,
        key: str | None = None,
        max_confidence: float | None = None,
        status: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> dict[str, Any]:
        """Return a page of the fields that wait for a person as JSON (`ReviewQueue`).

        Raises
        ------
        BadRequestError
            One of the arguments is not one.
        """
        try:
            wanted = None if status is None else Status(status)
        except ValueError:
            raise BadRequestError("status is escalated or unreviewed: other fields do not wait.") from None
        found = queue.waiting(
            self.organisation,
            doc_type=doc_type,
            key=key,
            max_confidence=max_confidence,
            status=wanted,
            limit=limit,
            cursor=cursor,
        )
        return {"items": [_waiting(each) for each in found.items], "nextCursor": found.next_cursor}

    def propose(self, document_id: int, proposal: Proposal) -> dict[str, Any]:
        """Propose what a field is, and return it as JSON (`FieldView`); the errors are those of `reviews`."""
        from alma.review import (
            decisions,  # what parses values takes long to import, and no other door needs it
        )

        return project_field(decisions.propose(self.organisation, document_id, proposal, actor=self.actor))

    def digitize(self, model_id: str, document_id: int) -> dict[str, Any]:
        """Have a model read a document, and return its fields as JSON (`DocumentView`).

        Raises
        ------
        NotFoundError, DocumentProcessingError, DocumentFailedError
            As in `document`, and for a model that is absent.
        ConflictError
            The model is not ready, reads another type, or cannot be run.
        """
        document, fields = self.read_by_model(model_id, document_id)
        return project(document.id, document.doc_type, fields, model=model_id, part=_part(document))

    def read_by_model(self, model_id: str, document_id: int) -> tuple[Document, list[Field]]:
        """Have a model read a document, and return both; the errors are those of `digitize`."""
        from alma.metering import usage  # numpy, which few functions have
        from alma.models import inference

        model = registry.get_ready(self.organisation, model_id)
        document, _ = self.ready(document_id)
        fields = inference.read(model, document, actor=self.actor)
        usage.count_model_run(self.organisation, self.actor)
        return document, fields

    def page_words(self, document_id: int, page: int, *, max_inline: int) -> Exported | ExportLink:
        """Return the words of a page as JSON, or a link where they have more than `max_inline` bytes.

        Raises
        ------
        NotFoundError
            The document or the page is absent, or another organisation's.
        """
        from alma.presentation.exports import Exported, Format

        document = records.get(self.organisation, document_id)
        body = page_as_json(document, page_records.get_page(document, page))
        exported = Exported(body, Format.JSON.media_type, f"p{page}.json")
        return exported if len(body) <= max_inline else self._link(document_id, exported)

    def _page(self, document_id: int, page: int) -> tuple[Document, PageRecord]:
        document = records.get(self.organisation, document_id)
        if document.pages is None:
            # Which pages there are is not known yet, or never will be.
            _check_read(document)
        return document, page_records.get_page(document, page)

    def _link(self, document_id: int, exported: Exported) -> ExportLink:
        """Put a file that is too large for an answer beside the document, and return where to get it."""
        key = objects.export_key(document_id, exported.file_name)
        objects.put(self.organisation, key, exported.body, exported.media_type)
        return self._link_to(key, exported.file_name, exported.media_type)

    def _link_to(self, key: str, file_name: str, media_type: str) -> ExportLink:
        from alma.presentation.exports import ExportLink

        return ExportLink(
            url=objects.download_url(self.organisation, key, file_name=file_name),
            media_type=media_type,
            file_name=file_name,
            expires_in=settings().download_seconds,
        )

    def ready(self, document_id: int) -> tuple[Document, list[Field]]:
        """Return a document that has been read and its fields, missing ones included.

        Raises
        ------
        NotFoundError, DocumentProcessingError, DocumentFailedError
            As in `document`.
        """
        document, fields = records.read(self.organisation, document_id)
        _check_read(document)
        return document, fields

    def _found(self, document_id: int) -> tuple[Document, list[Field]]:
        document, fields = self.ready(document_id)
        return document, [field for field in fields if not field.missing]


def _check_read(document: Document) -> None:
    """Raise what tells that a document has not been read, or could not be."""
    if document.status is DocumentStatus.PROCESSING:
        raise DocumentProcessingError(document)
    if document.status is DocumentStatus.FAILED:
        raise DocumentFailedError(document)


def _part(document: Document) -> FilePart | None:
    """Return where a document stands in its file, if that holds several."""
    if document.page_range is None:
        return None
    first, last = document.page_range
    return FilePart(first, last, document.instance_of, instances.siblings(document))


def _waiting(each: queue.Waiting) -> dict[str, Any]:
    document = each.document
    claimed = {} if document.claimed_by is None else {"claimedBy": document.claimed_by}
    return {
        "documentId": document.id,
        "docType": document.doc_type,
        "fileName": document.file_name,
        **claimed,
        "field": project_field(each.field),
    }


def _claim(document: Document) -> Claim | None:
    """Return who works on a document now."""
    if document.claimed_by is None or document.claimed_until is None:
        return None
    return Claim(document.claimed_by, document.claimed_until)
