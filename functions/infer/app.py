"""POST /v1/models/{id}/digitize: resolve a document with a model of the organisation."""

from alma.api import models
from alma.api.answers import content_response, redirect_again
from alma.api.dispatch import serve
from alma.api.documents import DigitizeBody
from alma.api.models import ModelPath
from alma.api.request import Call, Response
from alma.api.request_models import Nothing
from alma.documents.service import DocumentService
from alma.models.service import ModelService


def digitize(call: Call[ModelPath, Nothing, DigitizeBody]) -> Response:
    """Answer with the fields of the document the body names, as the model reads them."""
    service = ModelService(call.organisation, call.key_id)
    content = service.digitize(call.path.model_id, call.body.document_id)
    return content_response(DocumentService(call.organisation, call.key_id), content)


handler = serve(
    "infer",
    models.ROUTES,
    {"digitize_with_model": digitize},
    renewals={"digitize_with_model": redirect_again},
)
