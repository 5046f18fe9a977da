"""An organisation's services in memory for the tests of the MCP endpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from alma.access.scopes import Scope
from alma.datamodel.fields import Field, Reading, Status
from alma.datamodel.geometry import Box, Region, Word
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import FieldSchema, FieldType, SchemaDefinition
from alma.document_types.catalogue import DocumentType, TypeOrigin
from alma.documents.listing import ALL, Criteria, Listing
from alma.documents.records import Document, DocumentStatus
from alma.documents.service import DocumentService, PageReading
from alma.documents.text_search import Passage, SearchHit, SearchPage
from alma.errors import BadRequestError, ConflictError, NotFoundError
from alma.mcp.services import Services
from alma.mcp.toolbox import ToolBox
from alma.models import registry
from alma.models.registry import Model, ModelStatus
from alma.models.service import ModelService
from alma.presentation.document import DocumentContent, project_field
from alma.presentation.files import File, FileLink
from alma.presentation.page_images import PageImage
from alma.review.proposals import Proposal
from alma.review.queue import Queue, Waiting
from alma.review.service import ReviewService

DEED = (
    Field(
        "grantor_name",
        0,
        (
            Reading(
                "vision",
                "Josiah A. Greaves",
                "Josiah A. Greaves",
                0.973,
                (Region(1, Box(0.142, 0.331, 0.268, 0.041)),),
            ),
        ),
        Status.UNREVIEWED,
    ),
    Field(
        "parcel_acreage",
        0,
        (Reading("vision", "12.5", "12.5", 0.61, (Region(2, Box(0.557, 0.214, 0.083, 0.029)),)),),
        Status.ESCALATED,
    ),
)

DEED_BODY: dict[str, Any] = {
    "documentId": 4012,
    "docType": "deed_of_conveyance",
    "fields": [
        {
            "key": "grantor_name",
            "value": "Josiah A. Greaves",
            "confidence": 0.973,
            "status": "unreviewed",
            "evidence": {"page": 1, "bbox": {"x": 0.142, "y": 0.331, "w": 0.268, "h": 0.041}},
        },
        {
            "key": "parcel_acreage",
            "value": "12.5",
            "confidence": 0.61,
            "status": "escalated",
            "evidence": {"page": 2, "bbox": {"x": 0.557, "y": 0.214, "w": 0.083, "h": 0.029}},
        },
    ],
}

SUMMARY: dict[str, Any] = {
    "documentId": 4012,
    "docType": "deed_of_conveyance",
    "status": "ready",
    "fileName": "deed.pdf",
    "pages": 2,
    "pagesRead": 2,
    "unreadLines": 0,
    "createdAt": "2026-05-14T09:21:00Z",
    "finishedAt": "2026-05-14T09:21:07Z",
    "error": None,
    "detail": None,
}


_BOX = {"x": 0.142, "y": 0.331, "w": 0.268, "h": 0.041}

HIT: dict[str, Any] = {
    "documentId": 4012,
    "docType": "deed_of_conveyance",
    "fileName": "deed.pdf",
    "fields": [
        DEED_BODY["fields"][0]
        | {"evidence": {"page": 1, "bbox": _BOX, "regions": []}}
        | {"id": None, "group": None, "row": None, "tracks": [], "reasons": [], "version": None}
        | {"reviewedBy": None, "reviewedAt": None, "comment": None}
    ],
    "passages": [{"text": "to Josiah A. Greaves", "evidence": {"page": 1, "bbox": _BOX, "regions": []}}],
    "places": 1,
}

PAGE_TEXT: dict[str, Any] = {
    "documentId": 4012,
    "page": 1,
    "pages": 2,
    "track": "vision",
    "tracks": ["vision"],
    "turned": 0,
    "unreadLines": 0,
    "lines": [{"text": "to Josiah A. Greaves", "bbox": _BOX}],
    "nextCursor": None,
}

SCHEMAS: dict[str, Any] = {
    "schemas": [
        {
            "docType": "deed_of_conveyance",
            "origin": "shipped",
            "description": "A deed.",
            "fields": ["grantor_name", "parcel_acreage"],
            "updatedAt": None,
        }
    ]
}

MODELS: dict[str, Any] = {
    "models": [
        {
            "id": "mdl_barbados_deeds_v3",
            "name": "Barbados deeds",
            "baseModel": "alma-base",
            "status": "ready",
            "trainedExamples": 4821,
            "createdAt": "2026-05-14T09:21:00Z",
        }
    ]
}

QUEUE: dict[str, Any] = {
    "items": [
        {
            "documentId": 4012,
            "docType": "deed_of_conveyance",
            "fileName": "deed.pdf",
            "field": project_field(DEED[1]),
        }
    ],
    "nextCursor": None,
}

PNG = b"\x89PNG of a page"


DOCUMENT = Document(
    organisation="greaves",
    id=4012,
    status=DocumentStatus.READY,
    doc_type="deed_of_conveyance",
    requested_type=None,
    file_name="deed.pdf",
    object_key="inbox/greaves/deed.pdf",
    etag=None,
    file_key=None,
    media_type="application/pdf",
    whole=False,
    page_range=None,
    instance_of=None,
    instances=(),
    pending_parts=frozenset(),
    pages=2,
    pending=frozenset(),
    attempts=1,
    unread_lines=0,
    error_code=None,
    detail=None,
    created_at="2026-05-14T09:21:00Z",
    finished_at="2026-05-14T09:21:07Z",
)
LINE = Word("to Josiah A. Greaves", Box(0.142, 0.331, 0.268, 0.041), 0, 0.9)


class MemoryDocuments(DocumentService):
    """Document 4012 is read, 4013 is being read, all others are absent."""

    def __init__(self, asked: list[dict[str, Any]]) -> None:
        super().__init__("greaves", "key_agent")
        object.__setattr__(self, "asked", asked)

    asked: list[dict[str, Any]]

    def list_documents(
        self, wanted: Criteria = ALL, *, cursor: str | None = None, limit: int = 50
    ) -> Listing:
        self.asked.append({"wanted": wanted, "cursor": cursor, "limit": limit})
        if cursor is not None:
            raise BadRequestError("The cursor is not one that a listing gave.")
        return Listing([DOCUMENT], None)

    def content(self, document_id: int, *, missing: bool = False) -> DocumentContent:
        return DocumentContent(document_id, "deed_of_conveyance", fields_of(document_id))

    def field_types(self, doc_type: str | None) -> Mapping[str, FieldType]:
        return {}

    def publish(self, document_id: int, file: File) -> FileLink:
        return FileLink("https://archive.test/file", 300, file.media_type, file.file_name)

    def search(
        self, text: str, *, cursor: str | None = None, limit: int = 10, doc_type: str | None = None
    ) -> SearchPage:
        self.asked.append({"text": text, "cursor": cursor, "limit": limit, "doc_type": doc_type})
        passage = Passage("to Josiah A. Greaves", DEED[0].best.regions)
        return SearchPage([SearchHit(DOCUMENT, DEED[:1], (passage,), 1, 0)], 1, None)

    def page_lines(self, document_id: int, page: int, *, track: Track | None = None) -> PageReading:
        fields_of(document_id)
        self.asked.append({"page": page, "track": track})
        return PageReading(DOCUMENT, PageText(page, 850, 1100, Track.VISION, (LINE,)), [Track.VISION])

    def page_image(self, document_id: int, page: int, *, part: Box | None, max_bytes: int) -> PageImage:
        fields_of(document_id)
        self.asked.append({"page": page, "part": part})
        if len(PNG) <= max_bytes and part is None:
            return PageImage(PNG, "image/png", 850, 1100, Box(0.0, 0.0, 1.0, 1.0))
        original = FileLink(
            "https://archive.test/page", 300, "image/png", f"document-{document_id}-p{page}.png"
        )
        return PageImage(b"a jpeg", "image/jpeg", 85, 110, part or Box(0.0, 0.0, 1.0, 1.0), original)


class MemoryReview(ReviewService):
    """A queue of one field."""

    def __init__(self, asked: list[dict[str, Any]]) -> None:
        super().__init__("greaves", "key_agent")
        object.__setattr__(self, "asked", asked)

    asked: list[dict[str, Any]]

    def queue(
        self,
        *,
        doc_type: str | None = None,
        key: str | None = None,
        max_confidence: float | None = None,
        status: Status | None = None,
        of: Criteria = ALL,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Queue:
        self.asked.append(
            {
                "doc_type": doc_type,
                "key": key,
                "max_confidence": max_confidence,
                "status": status,
                "cursor": cursor,
                "limit": limit,
            }
        )
        return Queue([Waiting(DOCUMENT, DEED[1])], None)

    def propose(self, document_id: int, proposal: Proposal) -> Field:
        fields_of(document_id)
        self.asked.append(asdict(proposal))
        return DEED[1]


class MemoryModels(ModelService):
    """A model that is ready."""

    def list_models(self) -> list[Model]:
        return [
            Model(
                organisation="greaves",
                id="mdl_barbados_deeds_v3",
                name="Barbados deeds",
                base_model="alma-base",
                doc_type=None,
                origin=registry.ModelOrigin.TRAINED,
                status=ModelStatus.READY,
                trained_examples=4821,
                error_code=None,
                detail=None,
                card=None,
                created_at="2026-05-14T09:21:00Z",
                created_by=None,
                finished_at=None,
            )
        ]

    def digitize(self, model_id: str, document_id: int) -> DocumentContent:
        return DocumentContent(document_id, "deed_of_conveyance", fields_of(document_id), model=model_id)


def fields_of(document_id: int) -> Sequence[Field]:
    """Return the fields of the one document there is."""
    if document_id == 4013:
        raise ConflictError("Document 4013 is still being read; ask again.", code="still_processing")
    if document_id != 4012:
        raise NotFoundError(f"There is no document {document_id}.")
    return DEED


def types() -> list[DocumentType]:
    """Return the one document type there is."""
    keys = ("grantor_name", "parcel_acreage")
    fields = tuple(FieldSchema(key=key) for key in keys)
    definition = SchemaDefinition(description="A deed.", fields=fields)
    return [DocumentType(definition.named("deed_of_conveyance"), TypeOrigin.SHIPPED)]


def services(asked: list[dict[str, Any]] | None = None) -> Services:
    """Return the services; what they are asked is added to the list."""
    given = [] if asked is None else asked
    return Services(MemoryDocuments(given), MemoryReview(given), MemoryModels("greaves", "key_agent"), types)


def toolbox() -> ToolBox:
    """Return the tools of a key that may do everything, over such services."""
    return ToolBox(services(), frozenset(Scope))
