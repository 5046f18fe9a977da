"""Answers that several functions give: inline, or a redirect where they are too large for one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from alma.api.request import Call, Response
from alma.documents.service import DocumentService
from alma.presentation.document import DocumentContent
from alma.presentation.files import File
from alma.settings import settings


def document_fields(service: DocumentService, document_id: int, tracks: str | None) -> Response:
    """Answer with a document's fields, with `tracks` all there is to decide by; raises as `content`."""
    content = service.content(document_id, missing=tracks is not None)
    return content_response(service, content, tracks=tracks is not None)


def content_response(service: DocumentService, content: DocumentContent, *, tracks: bool = False) -> Response:
    """Answer with the JSON of a document's content, or a redirect to it."""
    from alma.presentation.exports import json

    suffix = "-tracks" if tracks else f"-{content.model}" if content.model else ""
    file = File(
        json.write(content, tracks=tracks),
        "application/json",
        f"document-{content.document_id}{suffix}.json",
    )
    return json_response(service, content.document_id, file)


def json_response(service: DocumentService, document_id: int, file: File) -> Response:
    """Answer with a JSON file as text, or a redirect to it."""
    # The body is a string in the function's own JSON: quotes and backslashes travel escaped once more.
    escapes = file.body.count(b'"') + file.body.count(b"\\")
    response = Response(200, file.body.decode(), {"Content-Type": file.media_type})
    return inline_or_redirect(service, document_id, file, response, size=len(file.body) + escapes)


def file_response(service: DocumentService, document_id: int, file: File) -> Response:
    """Answer with a file to save, or a redirect to it."""
    headers = {
        "Content-Type": file.media_type,
        "Content-Disposition": f'attachment; filename="{file.file_name}"',
    }
    return inline_or_redirect(service, document_id, file, Response(200, file.body, headers))


def redirect_again(call: Call[Any, Any, Any], first: Response) -> Response:
    """Answer as the first time, a redirect by a fresh URL: the first one's has expired soon."""
    if first.status != 303:
        return first
    service, document_id = DocumentService(call.organisation, call.key_id), call.body.document_id
    file_name = urlsplit(first.headers["Location"]).path.rpartition("/")[2]
    return Response.redirect(service.published(document_id, file_name, "application/json").url)


def inline_or_redirect(
    service: DocumentService, document_id: int, file: File, response: Response, *, size: int | None = None
) -> Response:
    """Answer with a response, or store its file and redirect to that where it has more bytes than may be."""
    if (len(file.body) if size is None else size) > settings().max_inline_bytes:
        return Response.redirect(service.publish(document_id, file).url)
    return response
