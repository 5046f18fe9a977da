"""/v1/documents: list, announce, read, remove."""

from alma.api.answers import document_fields
from alma.api.archive import Archive
from alma.api.dispatch import serve
from alma.api.request import Request, Response
from alma.api.views import AnnounceBody, Announced, Upload
from alma.documents import deletion, intake, listing
from alma.settings import settings
from alma.storage import objects


def list_documents(request: Request) -> Response:
    """Answer with a page of the organisation's documents."""
    query = request.query
    return Response(
        200,
        Archive(request.organisation).list_documents(
            cursor=query.get("cursor"),
            limit=request.limit(listing.MAX_LIMIT),
            doc_type=query.get("docType"),
            status=query.get("status"),
        ),
    )


def announce(request: Request) -> Response:
    """Make room for a file and answer where to upload it."""
    body = request.json(AnnounceBody)
    document = intake.announce(
        request.organisation,
        body.fileName,
        body.docType,
        whole=not body.split,
        announced_by=request.caller.key_id if request.caller else None,
    )
    request.named["document_id"] = document.id
    view = Announced(
        documentId=document.id,
        status=document.status,
        upload=Upload(url=objects.upload_url(document.object_key), expiresIn=settings().upload_seconds),
    )
    return Response(201, view.model_dump(mode="json"))


def get(request: Request) -> Response:
    """Answer with the document's fields."""
    return document_fields(request, request.document_id("id"))


def delete(request: Request) -> Response:
    """Remove the document."""
    deletion.delete(request.organisation, request.document_id("id"), actor=request.key_id)
    return Response(204)


handler = serve(
    "documents",
    {
        "list_documents": list_documents,
        "announce_document": announce,
        "get_document": get,
        "delete_document": delete,
    },
)
