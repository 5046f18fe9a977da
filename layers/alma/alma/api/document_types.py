"""Document types over the API: what is answered, and the routes. What is sent is a `SchemaDefinition`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from alma.access.scopes import Scope
from alma.api.errors import ErrorView
from alma.api.operation import Route
from alma.api.request_models import Path
from alma.datamodel.schemas import KEY, SchemaDefinition
from alma.document_types.catalogue import DocumentType, TypeOrigin
from alma.presentation.view import View


class DocTypePath(Path):
    """`/v1/schemas/{docType}`; a name that is none is a type that is absent."""

    doc_type: Annotated[
        str, Field(description="Name of the document type.", json_schema_extra={"pattern": KEY})
    ]


class SchemaSummary(View):
    """A document type in a list."""

    doc_type: str
    origin: TypeOrigin = Field(
        description="own: made by your organisation, in place of a shipped one or beside."
    )
    description: str
    fields: list[str] = Field(description="Keys of its fields; those of a group as GROUP.KEY.")
    updated_at: str | None = Field(description="null for a shipped type.")

    @classmethod
    def of(cls, each: DocumentType) -> SchemaSummary:
        """Return the summary of a document type."""
        schema = each.schema
        return cls(
            doc_type=schema.doc_type,
            origin=each.origin,
            description=schema.description,
            fields=[
                *(field.key for field in schema.fields),
                *(group.key_of(column) for group in schema.groups for column in group.fields),
            ],
            updated_at=each.updated_at,
        )


class SchemaList(View):
    """The organisation's document types by name."""

    schemas: list[SchemaSummary]

    @classmethod
    def of(cls, types: list[DocumentType]) -> SchemaList:
        """Return the view of document types."""
        return cls(schemas=[SchemaSummary.of(each) for each in types])


class SchemaView(View):
    """A document type."""

    doc_type: str
    origin: TypeOrigin
    updated_at: str | None = Field(description="null for a shipped type.")
    definition: SchemaDefinition = Field(description="What to PUT to make the same type again.")

    @classmethod
    def of(cls, each: DocumentType) -> SchemaView:
        """Return the view of a document type."""
        return cls(
            doc_type=each.schema.doc_type,
            origin=each.origin,
            updated_at=each.updated_at,
            definition=each.schema.definition,
        )


ROUTES = (
    Route(
        "GET",
        "/v1/schemas",
        "schemas",
        "list_schemas",
        "List the document types: those that come with alma and your organisation's own.",
        Scope.DOCUMENTS_READ,
        {200: SchemaList},
    ),
    Route(
        "GET",
        "/v1/schemas/{docType}",
        "schemas",
        "get_schema",
        "Fetch a document type.",
        Scope.DOCUMENTS_READ,
        {200: SchemaView, 404: ErrorView},
        path=DocTypePath,
    ),
    Route(
        "PUT",
        "/v1/schemas/{docType}",
        "schemas",
        "put_schema",
        "Make or replace a document type of your own; a shipped type's name takes its place for you alone.",
        Scope.MODELS_WRITE,
        {200: SchemaView, 201: SchemaView, 400: ErrorView, 409: ErrorView, 503: ErrorView},
        path=DocTypePath,
        body=SchemaDefinition,
    ),
    Route(
        "DELETE",
        "/v1/schemas/{docType}",
        "schemas",
        "delete_schema",
        "Remove a document type of your own; the shipped one of its name is back.",
        Scope.MODELS_WRITE,
        {204: None, 404: ErrorView},
        path=DocTypePath,
    ),
)
