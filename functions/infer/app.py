"""POST /v1/models/{id}/digitize: resolve a document with a model of the organisation."""

from alma.api.answers import inline_or_link
from alma.api.archive import Archive
from alma.api.dispatch import serve
from alma.api.request import Request, Response
from alma.api.views import DigitizeBody
from alma.settings import settings


def digitize(request: Request) -> Response:
    """Answer with the fields of the document the body names, as the model reads them."""
    archive, model = Archive(request.organisation, request.key_id), request.path["id"]
    document, fields = archive.read_by_model(model, request.json(DigitizeBody).documentId)
    return inline_or_link(
        archive.answer_of_model(document, fields, model, max_inline=settings().max_inline_bytes)
    )


handler = serve("infer", {"digitize_with_model": digitize})
