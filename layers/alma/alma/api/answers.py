"""Answers that several functions give."""

from __future__ import annotations

from alma.api.archive import Archive
from alma.api.request import Request, Response
from alma.presentation.exports import Exported, ExportLink
from alma.settings import settings


def document_fields(request: Request, document_id: int) -> Response:
    """Return a document's fields with what `tracks` asks for, or a redirect where they are too large.

    Raises
    ------
    AlmaError
        There is no such document, it has no fields (yet), or `tracks` is not one.
    """
    return inline_or_link(
        Archive(request.organisation).answer(
            document_id, tracks=request.query.get("tracks"), max_inline=settings().max_inline_bytes
        )
    )


def inline_or_link(answer: Exported | ExportLink) -> Response:
    """Return the response of an answer that may have been too large for one."""
    if isinstance(answer, ExportLink):
        return Response.elsewhere(answer.url)
    return Response(200, answer.body.decode(), {"Content-Type": answer.media_type})
