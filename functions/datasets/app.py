"""/v1/datasets and /v1/pages: what people verified, and the pages it stands on."""

from typing import Any

from alma.api import models, pages
from alma.api.answers import inline_or_redirect
from alma.api.dispatch import serve
from alma.api.document_types import DocTypePath
from alma.api.models import DatasetList, DatasetQuery, DatasetSummary
from alma.api.pages import PagePath
from alma.api.request import Call, Response
from alma.api.request_models import Nothing
from alma.documents.service import DocumentService
from alma.models.datasets import Part
from alma.models.service import ModelService


def list_datasets(call: Call[Nothing, Nothing, None]) -> Response:
    """Answer with the document types that have verified documents."""
    found = [DatasetSummary.model_validate(each) for each in _service(call).list_datasets()]
    return Response.of(DatasetList(datasets=found))


def get_dataset(call: Call[DocTypePath, DatasetQuery, None]) -> Response:
    """Answer with the redirect to the lines of a data set, or with its manifest."""
    part = Part(call.query.cursor, call.query.limit, call.request.deadline)
    if call.query.format == "jsonl":
        return Response.redirect(_service(call).dataset_lines(call.path.doc_type, part).url)
    found = _service(call).dataset_manifest(call.path.doc_type, part)
    return Response(200, found.to_json(), {"Content-Type": "application/json"})


def get_page(call: Call[PagePath, Nothing, None]) -> Response:
    """Answer with the words of a page, or with the redirect to its image."""
    service, where = DocumentService(call.organisation, call.key_id), call.path
    if where.is_image:
        return Response.redirect(service.page_image_link(where.document_id, where.page).url)
    file = service.page_words(where.document_id, where.page)
    response = Response(200, file.body, {"Content-Type": file.media_type})
    return inline_or_redirect(service, where.document_id, file, response)


def _service(call: Call[Any, Any, Any]) -> ModelService:
    return ModelService(call.organisation, call.key_id)


handler = serve(
    "datasets",
    (*models.ROUTES, *pages.ROUTES),
    {"list_datasets": list_datasets, "get_dataset": get_dataset, "get_page": get_page},
)
