"""Errors as HTTP: the one shape, its models for OpenAPI, and how an exception becomes it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from alma.api.request import Response
from alma.documents.errors import DocumentFailedError, DocumentProcessingError
from alma.errors import AlmaError, MethodNotAllowedError, UnauthorizedError
from alma.presentation.view import View, is_none


class ErrorView(View):
    """The one shape of every error but 401, which is exactly `{"error": "unauthorized"}`."""

    error: str = Field(description="Code for programs.")
    detail: str = Field(description="One sentence for people: what to do.")
    request_id: str = Field(alias="request_id")


class FailedDocument(ErrorView):
    """A document that could not be read."""

    document_id: int
    status: Literal["failed"] = "failed"


class Processing(View):
    """A document that is still being read: ask again after `Retry-After` seconds."""

    document_id: int
    doc_type: str | None
    status: Literal["processing"] = "processing"
    pages: int | None
    pages_read: int
    upload_until: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="Until when its file can be sent; only given as long as it is announced and has none.",
    )


class Unauthorized(View):
    """The token is missing, malformed or revoked."""

    error: Literal["unauthorized"] = "unauthorized"


def error_response(error: AlmaError, request_id: str) -> Response:
    """Return the answer that an error is."""
    if isinstance(error, UnauthorizedError):
        return Response(error.status, {"error": "unauthorized"})
    if isinstance(error, DocumentProcessingError):
        view = Processing(
            document_id=error.document_id,
            doc_type=error.doc_type,
            pages=error.pages,
            pages_read=error.pages_read,
            upload_until=error.upload_until,
        )
        return Response.of(view, error.status, {"Retry-After": "2"})
    more = dict(error.more)
    if isinstance(error, DocumentFailedError):
        more |= {"documentId": error.document_id, "status": "failed"}
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if isinstance(error, MethodNotAllowedError):
        headers["Allow"] = error.allow
    return Response(
        error.status,
        {"error": error.code, "detail": error.detail, "request_id": request_id, **more},
        headers,
    )
