"""POST /v1/models/{id}/digitize: resolve a document with a model of the organisation."""

from alma import inference, models, usage
from alma.archive import Archive
from alma.http.answers import inline_or_link
from alma.http.dispatch import serve
from alma.http.message import Request, Response
from alma.settings import settings
from alma.views import DigitizeBody


def digitize(request: Request) -> Response:
    """Answer with the fields of the document the body names, as the model reads them."""
    model = models.get_ready(request.organisation, request.path["id"])
    archive = Archive(request.organisation)
    document, _ = archive.ready(request.json(DigitizeBody).documentId)
    fields = inference.read(model, document, actor=request.key_id)
    usage.count_model_run(request.organisation, request.key_id)
    return inline_or_link(
        archive.answer_of_model(document, fields, model.id, max_inline=settings().max_inline_bytes)
    )


handler = serve("infer", {"digitize_with_model": digitize})
