"""An archive in memory for the tests of the MCP endpoint."""

from dataclasses import asdict, dataclass, field
from typing import Any

from alma.access.scopes import Scope
from alma.datamodel.fields import Field, Reading, Status
from alma.datamodel.geometry import Box, Region
from alma.errors import BadRequestError, ConflictError, NotFoundError
from alma.mcp.tool import Archive
from alma.mcp.toolbox import ToolBox
from alma.presentation.document import project, project_field
from alma.presentation.exports import Exported, ExportLink, export
from alma.presentation.page_images import PageImage
from alma.review.decisions import Proposal

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
    "fields": DEED_BODY["fields"][:1],
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


@dataclass
class MemoryArchive:
    """Document 4012 is read, 4013 is being read, all others are absent."""

    asked: list[dict[str, Any]] = field(default_factory=list)

    def list_documents(
        self, *, cursor: str | None, limit: int, doc_type: str | None, status: str | None
    ) -> dict[str, Any]:
        self.asked.append({"cursor": cursor, "limit": limit, "doc_type": doc_type, "status": status})
        if cursor is not None:
            raise BadRequestError("The cursor is not one that a listing gave.")
        return {"documents": [SUMMARY], "nextCursor": None}

    def document(self, document_id: int, *, tracks: bool) -> dict[str, Any]:
        return project(document_id, "deed_of_conveyance", self._fields(document_id), tracks=tracks)

    def export(self, document_id: int, format: str, *, max_inline: int) -> Exported | ExportLink:  # noqa: A002
        file = export(document_id, "deed_of_conveyance", self._fields(document_id), format)
        if len(file.body) > max_inline:
            return ExportLink("https://archive.test/file", 300, file.media_type, file.file_name)
        return file

    def search(self, text: str, *, cursor: str | None, limit: int, doc_type: str | None) -> dict[str, Any]:
        self.asked.append({"text": text, "cursor": cursor, "limit": limit, "doc_type": doc_type})
        return {"documents": [HIT], "searched": 1, "nextCursor": None}

    def page_text(
        self, document_id: int, page: int, *, track: str | None, words: bool, cursor: str | None, limit: int
    ) -> dict[str, Any]:
        self._fields(document_id)
        self.asked.append({"page": page, "track": track, "words": words, "cursor": cursor, "limit": limit})
        return PAGE_TEXT

    def page_image(self, document_id: int, page: int, *, part: Box | None, max_bytes: int) -> PageImage:
        self._fields(document_id)
        self.asked.append({"page": page, "part": part})
        if len(PNG) <= max_bytes and part is None:
            return PageImage(PNG, "image/png", 850, 1100, Box(0.0, 0.0, 1.0, 1.0))
        original = ExportLink(
            "https://archive.test/page", 300, "image/png", f"document-{document_id}-p{page}.png"
        )
        return PageImage(b"a jpeg", "image/jpeg", 85, 110, part or Box(0.0, 0.0, 1.0, 1.0), original)

    def schemas(self) -> dict[str, Any]:
        return SCHEMAS

    def models(self) -> dict[str, Any]:
        return MODELS

    def review_queue(
        self,
        *,
        doc_type: str | None,
        key: str | None,
        max_confidence: float | None,
        status: str | None,
        cursor: str | None,
        limit: int,
    ) -> dict[str, Any]:
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
        return QUEUE

    def propose(self, document_id: int, proposal: Proposal) -> dict[str, Any]:
        self._fields(document_id)
        self.asked.append(asdict(proposal))
        return project_field(DEED[1])

    def digitize(self, model_id: str, document_id: int) -> dict[str, Any]:
        return project(document_id, "deed_of_conveyance", self._fields(document_id), model=model_id)

    def _fields(self, document_id: int) -> tuple[Field, ...]:
        if document_id == 4013:
            raise ConflictError("Document 4013 is still being read; ask again.", code="still_processing")
        if document_id != 4012:
            raise NotFoundError(f"There is no document {document_id}.")
        return DEED


# mypy compares the two here.
_: type[Archive] = MemoryArchive


def toolbox() -> ToolBox:
    """Return the tools of a key that may do everything, over such an archive."""
    return ToolBox(MemoryArchive(), frozenset(Scope))
