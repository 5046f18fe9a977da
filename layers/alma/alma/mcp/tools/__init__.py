"""The tools an agent can call, by room; each is written once."""

from alma.mcp.tool import Tool
from alma.mcp.tools.document_types import ListSchemas
from alma.mcp.tools.documents import (
    ExportDocument,
    GetDocumentFields,
    GetPageImage,
    GetPageText,
    ListDocuments,
    SearchDocuments,
)
from alma.mcp.tools.models import DigitizeWithModel, ListModels
from alma.mcp.tools.review import ListReviewQueue, ProposeCorrection

#: In the order in which they are listed.
TOOLS: tuple[type[Tool], ...] = (
    ListDocuments,
    GetDocumentFields,
    ExportDocument,
    SearchDocuments,
    GetPageText,
    GetPageImage,
    ListSchemas,
    ListModels,
    ListReviewQueue,
    DigitizeWithModel,
    ProposeCorrection,
)
