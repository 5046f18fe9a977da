"""/v1/datasets and /v1/pages: what people verified, and the pages it stands on."""

import re

from alma.api.archive import Archive
from alma.api.dispatch import serve
from alma.api.request import Request, Response
from alma.api.views import PAGE_FILE, DatasetList, DatasetSummary
from alma.errors import BadRequestError
from alma.models import datasets
from alma.presentation.exports import ExportLink
from alma.settings import settings


def list_datasets(request: Request) -> Response:
    """Answer with the document types that have verified documents."""
    view = DatasetList(
        datasets=[
            DatasetSummary(docType=each.doc_type, documents=each.documents, examples=each.fields)
            for each in datasets.list_datasets(request.organisation)
        ]
    )
    return Response(200, view.model_dump(mode="json"))


def get_dataset(request: Request) -> Response:
    """Answer with the redirect to the lines of a data set, or with its manifest."""
    doc_type = request.path["docType"]
    limit = request.limit(datasets.MAX_LIMIT) if "limit" in request.query else None
    part = datasets.Part(request.query.get("cursor"), limit, request.deadline)
    match request.query.get("format", "jsonl"):
        case "jsonl":
            return Response.elsewhere(datasets.export(request.organisation, doc_type, part).url)
        case "json":
            found = datasets.manifest(request.organisation, doc_type, part)
            return Response(200, found.to_json(), {"Content-Type": "application/json"})
        case _:
            raise BadRequestError("format is jsonl, for the lines, or json, for the manifest.")


def get_page(request: Request) -> Response:
    """Answer with the words of a page, or with the redirect to its image."""
    document_id = request.document_id("documentId")
    named = re.fullmatch(PAGE_FILE, request.path["file"])
    if named is None:
        raise BadRequestError("A page is called p1.png for its image, p1.json for its words.")
    page = int(named[1])
    archive = Archive(request.organisation)
    found = (
        archive.page_image_link(document_id, page)
        if named[2] == "png"
        else archive.page_words(document_id, page, max_inline=settings().max_inline_bytes)
    )
    if isinstance(found, ExportLink):
        return Response.elsewhere(found.url)
    return Response(200, found.body, {"Content-Type": found.media_type})


handler = serve(
    "datasets", {"list_datasets": list_datasets, "get_dataset": get_dataset, "get_page": get_page}
)
