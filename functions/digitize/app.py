"""POST /v1/digitize: resolve a document into its fields."""

from alma.api import documents
from alma.api.answers import document_fields, redirect_again
from alma.api.dispatch import serve
from alma.api.documents import DigitizeBody, TracksQuery
from alma.api.request import Call, Response
from alma.api.request_models import Nothing
from alma.documents.service import DocumentService


def digitize(call: Call[Nothing, TracksQuery, DigitizeBody]) -> Response:
    """Answer with the fields of the document the body names."""
    service = DocumentService(call.organisation, call.key_id)
    return document_fields(service, call.body.document_id, call.query.tracks)


handler = serve("digitize", documents.ROUTES, {"digitize": digitize}, renewals={"digitize": redirect_again})
