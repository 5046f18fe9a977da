"""Every route of the API, in one table.

The gateway routes by template.yaml, so the code never matches paths: it looks the matched (method, resource)
up here. The roles, the OpenAPI document and the contract tests all read this table; a route without a row
cannot be served.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel

from alma import views
from alma.keys import Role
from alma.projection import DocumentView
from alma.schemas import KEY, SchemaDefinition

READERS = frozenset(Role)
ADMINS = frozenset({Role.ADMIN})
WRITERS = frozenset({Role.ADMIN, Role.REVIEWER})
PUBLIC: frozenset[Role] = frozenset()


#: Model of a JSON body, media types of another, or None for no body.
Answer = type[BaseModel] | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path or query parameter; path parameters are those named in the resource."""

    name: str
    description: str
    schema: dict[str, object]


@dataclass(frozen=True, slots=True)
class Route:
    """A route and what it needs.

    Attributes
    ----------
    method, resource : str
        As the gateway names them.
    function : str
        Folder below functions/ that serves it.
    operation : str
        Its name in the code and in OpenAPI.
    summary : str
        One line for the reader of the API's description.
    roles : frozenset of Role
        Which keys may; empty for a route without authentication.
    body : type or None
        Model of the request body.
    answers : dict
        What may come back, by status.
    parameters : tuple of Parameter
        In the path and in the query.
    """

    method: str
    resource: str
    function: str
    operation: str
    summary: str
    roles: frozenset[Role]
    answers: dict[int, Answer]
    body: type[BaseModel] | None = None
    parameters: tuple[Parameter, ...] = field(default=())


_DOCUMENT_ID: dict[str, object] = {"type": "integer", "minimum": 1}
_DOC_TYPE = Parameter("docType", "Name of the document type.", {"type": "string", "pattern": KEY})
_READ: dict[int, Answer] = {
    200: DocumentView,
    202: views.Processing,
    404: views.ErrorView,
    422: views.FailedDocument,
}
_READ_OR_REDIRECT: dict[int, Answer] = {303: None, 400: views.ErrorView, **_READ}
_TRACKS = Parameter(
    "tracks",
    "What every track reads for each field, and why it is escalated, beside the best value.",
    {"type": "string", "enum": ["all"]},
)

ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/digitize",
        "digitize",
        "digitize",
        "Resolve a document into its structured fields; a large answer is a redirect, so follow it.",
        READERS,
        _READ_OR_REDIRECT,
        body=views.DigitizeBody,
        parameters=(_TRACKS,),
    ),
    Route(
        "GET",
        "/v1/documents",
        "documents",
        "list_documents",
        "List documents, newest first.",
        READERS,
        {200: views.DocumentList, 400: views.ErrorView},
        parameters=(
            Parameter(
                "limit",
                "At most this many.",
                {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
            ),
            Parameter("cursor", "nextCursor of the page before.", {"type": "string"}),
            Parameter("docType", "Only documents of this type.", {"type": "string"}),
            Parameter(
                "status",
                "Only documents in this status.",
                {"type": "string", "enum": ["processing", "ready", "failed"]},
            ),
        ),
    ),
    Route(
        "POST",
        "/v1/documents",
        "documents",
        "announce_document",
        "Announce a file and get a URL to upload it to.",
        WRITERS,
        {201: views.Announced, 400: views.ErrorView},
        body=views.AnnounceBody,
    ),
    Route(
        "GET",
        "/v1/documents/{id}",
        "documents",
        "get_document",
        "Fetch a document's fields; a large answer is a redirect, so follow it (curl -L).",
        READERS,
        _READ_OR_REDIRECT,
        parameters=(Parameter("id", "Number of the document.", _DOCUMENT_ID), _TRACKS),
    ),
    Route(
        "DELETE",
        "/v1/documents/{id}",
        "documents",
        "delete_document",
        "Remove a document with everything that was made of it, and the file with the last document of it.",
        WRITERS,
        {204: None, 400: views.ErrorView, 404: views.ErrorView},
        parameters=(Parameter("id", "Number of the document.", _DOCUMENT_ID),),
    ),
    Route(
        "GET",
        "/v1/export/{documentId}",
        "export",
        "export_document",
        "Download a document's fields as a file; a large one is a redirect, so follow it (curl -L).",
        READERS,
        {
            200: (
                "text/csv",
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                "application/xml",
                "application/json",
                "application/x-ndjson",
            ),
            202: views.Processing,
            303: None,
            400: views.ErrorView,
            404: views.ErrorView,
            422: views.FailedDocument,
        },
        parameters=(
            Parameter("documentId", "Number of the document.", _DOCUMENT_ID),
            Parameter(
                "format",
                "What the file is.",
                {
                    "type": "string",
                    "enum": ["csv", "xlsx", "xml", "json", "jsonl"],
                    "default": "json",
                },
            ),
        ),
    ),
    Route(
        "GET",
        "/v1/models",
        "models",
        "list_models",
        "List the fine-tuned models registered to your organisation.",
        READERS,
        {200: views.ModelList},
    ),
    Route(
        "POST",
        "/v1/models/{id}/digitize",
        "models",
        "digitize_with_model",
        "Resolve a document with one of your models.",
        READERS,
        {400: views.ErrorView, 409: views.ErrorView, **_READ},
        body=views.DigitizeBody,
        parameters=(Parameter("id", "Id of the model.", {"type": "string"}),),
    ),
    Route(
        "GET",
        "/v1/schemas",
        "schemas",
        "list_schemas",
        "List the document types: those that come with alma and your organisation's own.",
        READERS,
        {200: views.SchemaList},
    ),
    Route(
        "GET",
        "/v1/schemas/{docType}",
        "schemas",
        "get_schema",
        "Fetch a document type.",
        READERS,
        {200: views.SchemaView, 404: views.ErrorView},
        parameters=(_DOC_TYPE,),
    ),
    Route(
        "PUT",
        "/v1/schemas/{docType}",
        "schemas",
        "put_schema",
        "Make or replace a document type of your own; a shipped type's name takes its place for you alone.",
        ADMINS,
        {200: views.SchemaView, 201: views.SchemaView, 400: views.ErrorView, 409: views.ErrorView},
        body=SchemaDefinition,
        parameters=(_DOC_TYPE,),
    ),
    Route(
        "DELETE",
        "/v1/schemas/{docType}",
        "schemas",
        "delete_schema",
        "Remove a document type of your own; the shipped one of its name is back.",
        ADMINS,
        {204: None, 404: views.ErrorView},
        parameters=(_DOC_TYPE,),
    ),
    Route(
        "GET",
        "/v1/keys",
        "keys",
        "list_keys",
        "List keys, revoked ones included.",
        ADMINS,
        {200: views.KeyList},
    ),
    Route(
        "POST",
        "/v1/keys",
        "keys",
        "create_key",
        "Mint a key; its token is shown this once.",
        ADMINS,
        {201: views.MintedKey, 400: views.ErrorView},
        body=views.CreateKeyBody,
    ),
    Route(
        "DELETE",
        "/v1/keys/{id}",
        "keys",
        "revoke_key",
        "Revoke a key; holds everywhere within 30 seconds.",
        ADMINS,
        {204: None, 404: views.ErrorView},
        parameters=(Parameter("id", "Id of the key.", {"type": "string"}),),
    ),
    Route(
        "POST",
        "/mcp",
        "mcp",
        "mcp",
        "Model Context Protocol: one JSON-RPC 2.0 message.",
        READERS,
        {
            200: ("application/json",),
            202: None,
            400: ("application/json",),
            404: ("application/json",),
        },
    ),
    Route(
        "GET",
        "/mcp",
        "mcp",
        "mcp_stream",
        "Not offered: this endpoint does not stream.",
        READERS,
        {405: None},
    ),
    Route(
        "DELETE",
        "/mcp",
        "mcp",
        "mcp_session",
        "Not offered: this endpoint keeps no sessions.",
        READERS,
        {405: None},
    ),
    Route(
        "GET",
        "/v1/health",
        "portal",
        "health",
        "Tell whether alma answers.",
        PUBLIC,
        {200: views.Health},
    ),
    Route(
        "GET",
        "/v1/openapi.json",
        "portal",
        "openapi",
        "This API's description.",
        PUBLIC,
        {200: ("application/json",)},
    ),
)


def route(method: str, resource: str) -> Route | None:
    """Return the row of a matched route."""
    return _BY_MATCH.get((method, resource))


_BY_MATCH = {(row.method, row.resource): row for row in ROUTES}
