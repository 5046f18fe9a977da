"""POST /v1/digitize: resolve a document into its fields."""

from alma.api.answers import document_fields
from alma.api.dispatch import serve
from alma.api.request import Request, Response
from alma.api.views import DigitizeBody


def digitize(request: Request) -> Response:
    """Answer with the fields of the document the body names."""
    return document_fields(request, request.json(DigitizeBody).documentId)


handler = serve("digitize", {"digitize": digitize})
