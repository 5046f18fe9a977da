"""GET /v1/export/{documentId}: a document's fields as a file."""

from alma.api.archive import Archive
from alma.api.dispatch import serve
from alma.api.request import Request, Response
from alma.presentation.exports import ExportLink
from alma.settings import settings


def export(request: Request) -> Response:
    """Answer with the file, or with a redirect to it where it is too large for an answer."""
    exported = Archive(request.organisation).export(
        request.document_id("documentId"),
        request.query.get("format", "json"),
        max_inline=settings().max_inline_bytes,
    )
    if isinstance(exported, ExportLink):
        return Response.elsewhere(exported.url)
    return Response(
        200,
        exported.body,
        {
            "Content-Type": exported.media_type,
            "Content-Disposition": f'attachment; filename="{exported.file_name}"',
        },
    )


handler = serve("export", {"export_document": export})
