"""What there is to say of a document that has no fields: it is being read, or could not be."""

from __future__ import annotations

from alma.errors import AlmaError


class DocumentProcessingError(AlmaError):
    """The document is still being read; asking again later helps."""

    code = "still_processing"
    status = 202

    def __init__(
        self,
        document_id: int,
        doc_type: str | None,
        pages: int | None,
        pages_read: int,
        upload_until: str | None = None,
    ) -> None:
        read = f"{pages_read} of {pages} pages read" if pages else "not begun"
        super().__init__(
            f"Document {document_id} is still being read ({read}); ask again in a moment."
            if upload_until is None
            else f"The file of document {document_id} has not arrived yet; send it until {upload_until}."
        )
        self.document_id, self.doc_type = document_id, doc_type
        self.pages, self.pages_read, self.upload_until = pages, pages_read, upload_until


class DocumentFailedError(AlmaError):
    """The document could not be read; the code and the sentence are the document's own."""

    status = 422

    def __init__(self, document_id: int, code: str | None, detail: str | None) -> None:
        super().__init__(detail or "The document could not be read.", code=code)
        self.document_id = document_id
