"""/v1/models: the organisation's fine-tuned models."""

from alma import models
from alma.archive import Archive
from alma.errors import ConflictError
from alma.http.dispatch import serve
from alma.http.message import Request, Response
from alma.views import DigitizeBody, ModelList, ModelView


def list_models(request: Request) -> Response:
    """Answer with the organisation's models."""
    view = ModelList(models=[ModelView.of(model) for model in models.list_models(request.organisation)])
    return Response(200, view.model_dump(mode="json"))


def digitize(request: Request) -> Response:
    """Resolve a document with a model of the organisation."""
    model = models.get_ready(request.organisation, request.path["id"])
    Archive(request.organisation).document(request.json(DigitizeBody).documentId)
    raise ConflictError(
        f"{model.id} cannot be run by this version of alma; use POST /api/v1/digitize.",
        code="model_not_ready",
    )


handler = serve("models", {"list_models": list_models, "digitize_with_model": digitize})
