"""/v1/schemas: the document types that come with alma and the organisation's own."""

from typing import Any

from alma.api.dispatch import serve
from alma.api.request import Request, Response
from alma.api.views import SchemaList, SchemaSummary, SchemaView
from alma.datamodel.schemas import SchemaDefinition
from alma.document_types import catalogue
from alma.document_types.catalogue import DocumentType


def list_schemas(request: Request) -> Response:
    """Answer with the organisation's document types."""
    types = catalogue.list_types(request.organisation)
    view = SchemaList(schemas=[SchemaSummary.of(each) for each in types])
    return Response(200, view.model_dump(mode="json"))


def get(request: Request) -> Response:
    """Answer with a document type."""
    found = catalogue.get(request.organisation, request.path["docType"])
    return Response(200, _view(found))


def put(request: Request) -> Response:
    """Make or replace a document type of the organisation's own."""
    definition = request.json(SchemaDefinition)
    kept, new = catalogue.put(request.organisation, request.path["docType"], definition)
    return Response(201 if new else 200, _view(kept))


def delete(request: Request) -> Response:
    """Remove a document type of the organisation's own."""
    catalogue.delete(request.organisation, request.path["docType"])
    return Response(204)


def _view(found: DocumentType) -> dict[str, Any]:
    # What is as usual is left out: a definition comes back as short as it was sent.
    return SchemaView.of(found).model_dump(mode="json", exclude_defaults=True)


handler = serve(
    "schemas",
    {"list_schemas": list_schemas, "get_schema": get, "put_schema": put, "delete_schema": delete},
)
