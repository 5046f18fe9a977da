"""/v1/schemas: the document types that come with alma and the organisation's own."""

from alma.api import document_types
from alma.api.dispatch import serve
from alma.api.document_types import DocTypePath, SchemaList, SchemaView
from alma.api.request import Call, Response
from alma.api.request_models import Nothing
from alma.datamodel.schemas import SchemaDefinition
from alma.document_types import catalogue
from alma.document_types.catalogue import DocumentType


def list_schemas(call: Call[Nothing, Nothing, None]) -> Response:
    """Answer with the organisation's document types."""
    return Response.of(SchemaList.of(catalogue.list_types(call.organisation)))


def get(call: Call[DocTypePath, Nothing, None]) -> Response:
    """Answer with a document type."""
    return _answer(catalogue.get(call.organisation, call.path.doc_type))


def put(call: Call[DocTypePath, Nothing, SchemaDefinition]) -> Response:
    """Make or replace a document type of the organisation's own."""
    stored, new = catalogue.put(call.organisation, call.path.doc_type, call.body)
    return _answer(stored, 201 if new else 200)


def delete(call: Call[DocTypePath, Nothing, None]) -> Response:
    """Remove a document type of the organisation's own."""
    catalogue.delete(call.organisation, call.path.doc_type)
    return Response(204)


def _answer(found: DocumentType, status: int = 200) -> Response:
    # What is as usual is left out: a definition comes back as short as it was sent.
    return Response(status, SchemaView.of(found).to_json(exclude_defaults=True))


handler = serve(
    "schemas",
    document_types.ROUTES,
    {"list_schemas": list_schemas, "get_schema": get, "put_schema": put, "delete_schema": delete},
)
