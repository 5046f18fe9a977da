"""GET /v1/export/{documentId}: a document's fields as a file."""

from alma.api import documents
from alma.api.answers import file_response
from alma.api.dispatch import serve
from alma.api.documents import ExportPath, ExportQuery
from alma.api.request import Call, Response
from alma.documents.service import DocumentService


def export(call: Call[ExportPath, ExportQuery, None]) -> Response:
    """Answer with the file, or with a redirect to it where it is too large for an answer."""
    service, query = DocumentService(call.organisation, call.key_id), call.query
    document_id = call.path.document_id
    file = service.export(document_id, query.format, all_columns=query.columns == "all", bom=query.bom == "1")
    return file_response(service, document_id, file)


handler = serve("export", documents.ROUTES, {"export_document": export})
