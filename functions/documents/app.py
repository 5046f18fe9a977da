"""/v1/documents: list, announce, read, remove."""

import json
from typing import Any

from alma.api import documents
from alma.api.answers import document_fields
from alma.api.dispatch import serve
from alma.api.documents import AnnounceBody, Announced, DocumentFilter, DocumentList, TracksQuery
from alma.api.request import Call, Response
from alma.api.request_models import DocumentPath, Nothing
from alma.documents.service import DocumentService


def list_documents(call: Call[Nothing, DocumentFilter, None]) -> Response:
    """Answer with a page of the organisation's documents."""
    asked = call.query
    found = _service(call).list_documents(asked.criteria, cursor=asked.cursor, limit=asked.limit)
    return Response.of(DocumentList.of(found))


def announce(call: Call[Nothing, Nothing, AnnounceBody]) -> Response:
    """Make room for a file and answer where to upload it, or take it where it came along."""
    body = call.body
    if call.file is not None:
        document = _service(call).receive(body.file_name, call.file, body.doc_type, whole=not body.split)
        call.log.add(document_id=document.id)
        return Response.of(Announced(document_id=document.id, status=document.status), 201)
    announced = _service(call).announce(body.file_name, body.doc_type, whole=not body.split)
    call.log.add(document_id=announced.document.id)
    return Response.of(Announced.of(announced), 201)


def announce_again(call: Call[Nothing, Nothing, AnnounceBody], first: Response) -> Response:
    """Answer with the document that was announced, and a fresh URL: the first ends with its function."""
    if call.file is not None:
        return first
    announced = json.loads(first.content)
    again = Announced.of(_service(call).announced(announced["documentId"])).to_json()
    return Response(first.status, {**announced, "upload": again["upload"]})


def get(call: Call[DocumentPath, TracksQuery, None]) -> Response:
    """Answer with the document's fields."""
    return document_fields(_service(call), call.path.document_id, call.query.tracks)


def get_file(call: Call[DocumentPath, Nothing, None]) -> Response:
    """Answer where the file is that the document was sent as."""
    return Response.redirect(_service(call).file(call.path.document_id).url)


def delete(call: Call[DocumentPath, Nothing, None]) -> Response:
    """Remove the document."""
    _service(call).delete(call.path.document_id)
    return Response(204)


def _service(call: Call[Any, Any, Any]) -> DocumentService:
    return DocumentService(call.organisation, call.key_id)


handler = serve(
    "documents",
    documents.ROUTES,
    {
        "list_documents": list_documents,
        "announce_document": announce,
        "get_document": get,
        "get_document_file": get_file,
        "delete_document": delete,
    },
    renewals={"announce_document": announce_again},
)
