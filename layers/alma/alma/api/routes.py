"""Every route of the API, in one table.

The gateway routes by template.yaml, so the code never matches paths: it looks the matched (method, resource)
up here. The scopes, the limits, the OpenAPI document and the contract tests all read this table; a route
without a row cannot be served.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel

from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope
from alma.api import views
from alma.datamodel.examples import Manifest
from alma.datamodel.schemas import KEY, SchemaDefinition
from alma.presentation.document import DocumentView, FieldView

#: Instead of a scope: nobody needs a key.
PUBLIC = None


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
    scope : Scope or None
        What a key needs; None for a route without authentication.
    body : type or None
        Model of the request body.
    answers : dict
        What may come back, by status.
    parameters : tuple of Parameter
        In the path and in the query.
    limited_as : Family, optional
        The bucket it shares, where scope and method do not tell.
    """

    method: str
    resource: str
    function: str
    operation: str
    summary: str
    scope: Scope | None
    answers: dict[int, Answer]
    body: type[BaseModel] | None = None
    parameters: tuple[Parameter, ...] = field(default=())
    limited_as: RateLimitClass | None = None

    @property
    def family(self) -> RateLimitClass:
        """The bucket that its requests share."""
        if self.limited_as is not None:
            return self.limited_as
        if self.scope is Scope.EXPORT_READ:
            return RateLimitClass.EXPORT
        if self.scope in (Scope.MCP_READ, Scope.MCP_WRITE):
            return RateLimitClass.MCP
        return RateLimitClass.READING if self.method == "GET" else RateLimitClass.WRITING


_DOCUMENT_ID: dict[str, object] = {"type": "integer", "minimum": 1}
_DOC_TYPE = Parameter("docType", "Name of the document type.", {"type": "string", "pattern": KEY})
_KEY_ID = Parameter("id", "Id of the key.", {"type": "string"})
_READ: dict[int, Answer] = {
    200: DocumentView,
    202: views.Processing,
    404: views.ErrorView,
    422: views.FailedDocument,
}
_READ_OR_REDIRECT: dict[int, Answer] = {303: None, 400: views.ErrorView, **_READ}
_MODEL_ID = Parameter("id", "Id of the model.", {"type": "string"})
_TRACKS = Parameter(
    "tracks",
    "What every track reads for each field, and why it is escalated, beside the best value.",
    {"type": "string", "enum": ["all"]},
)

_ID = Parameter("id", "Number of the document.", _DOCUMENT_ID)
_CURSOR = Parameter("cursor", "nextCursor of the page before.", {"type": "string"})
_DECIDED: dict[int, Answer] = {400: views.ErrorView, 404: views.ErrorView, 409: views.ReviewConflict}

ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/digitize",
        "digitize",
        "digitize",
        "Resolve a document into its structured fields; a large answer is a redirect, so follow it.",
        Scope.DOCUMENTS_READ,
        _READ_OR_REDIRECT,
        body=views.DigitizeBody,
        parameters=(_TRACKS,),
        limited_as=RateLimitClass.READING,
    ),
    Route(
        "GET",
        "/v1/documents",
        "documents",
        "list_documents",
        "List documents, newest first.",
        Scope.DOCUMENTS_READ,
        {200: views.DocumentList, 400: views.ErrorView},
        parameters=(
            Parameter(
                "limit",
                "At most this many.",
                {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
            ),
            _CURSOR,
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
        Scope.DOCUMENTS_WRITE,
        {201: views.Announced, 400: views.ErrorView},
        body=views.AnnounceBody,
    ),
    Route(
        "GET",
        "/v1/documents/{id}",
        "documents",
        "get_document",
        "Fetch a document's fields; a large answer is a redirect, so follow it (curl -L).",
        Scope.DOCUMENTS_READ,
        _READ_OR_REDIRECT,
        parameters=(_ID, _TRACKS),
    ),
    Route(
        "DELETE",
        "/v1/documents/{id}",
        "documents",
        "delete_document",
        "Remove a document with everything that was made of it, and the file with the last document of it.",
        Scope.DOCUMENTS_WRITE,
        {204: None, 400: views.ErrorView, 404: views.ErrorView},
        parameters=(_ID,),
    ),
    Route(
        "PATCH",
        "/v1/documents/{id}/fields/{field}",
        "reviews",
        "decide_field",
        "Accept, edit, reject or escalate a field.",
        Scope.REVIEW_WRITE,
        _DECIDED | {200: FieldView},
        body=views.DecideBody,
        parameters=(
            _ID,
            Parameter(
                "field", "Id of the field, such as party[1] or line_items[3].amount.", {"type": "string"}
            ),
        ),
    ),
    Route(
        "POST",
        "/v1/documents/{id}/fields",
        "reviews",
        "add_field",
        "Add a field that was not found.",
        Scope.REVIEW_WRITE,
        _DECIDED | {201: FieldView},
        body=views.AddFieldBody,
        parameters=(_ID,),
    ),
    Route(
        "POST",
        "/v1/documents/{id}/claim",
        "reviews",
        "claim_document",
        "Claim a document for a while, or go on with a claim: nobody else can decide its fields meanwhile.",
        Scope.REVIEW_WRITE,
        _DECIDED | {200: views.Claimed},
        body=views.ClaimBody,
        parameters=(_ID,),
    ),
    Route(
        "POST",
        "/v1/documents/{id}/release",
        "reviews",
        "release_document",
        "End a claim: your own, or with the role admin anybody's.",
        Scope.REVIEW_WRITE,
        _DECIDED | {204: None},
        parameters=(_ID,),
    ),
    Route(
        "POST",
        "/v1/documents/{id}/extract",
        "reviews",
        "extract_again",
        "Read a document again, as one of another type if you say so; what people decided stays.",
        Scope.DOCUMENTS_WRITE,
        {202: views.Queued, 400: views.ErrorView, 404: views.ErrorView, 409: views.ErrorView},
        body=views.ExtractBody,
        parameters=(_ID,),
        limited_as=RateLimitClass.MODELS,
    ),
    Route(
        "GET",
        "/v1/documents/{id}/history",
        "reviews",
        "document_history",
        "What happened to a document and its fields, oldest first; of a removed one the bare chain.",
        Scope.DOCUMENTS_READ,
        {200: views.HistoryView, 400: views.ErrorView, 404: views.ErrorView},
        parameters=(
            _ID,
            Parameter(
                "limit",
                "At most this many.",
                {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
            ),
            _CURSOR,
        ),
    ),
    Route(
        "GET",
        "/v1/review-queue",
        "reviews",
        "review_queue",
        "Fields that wait for a person: escalated ones first, then by confidence, unknown before low.",
        Scope.DOCUMENTS_READ,
        {200: views.ReviewQueue, 400: views.ErrorView},
        parameters=(
            Parameter("docType", "Only fields of documents of this type.", {"type": "string"}),
            Parameter("field", "Only fields of this key.", {"type": "string"}),
            Parameter(
                "maxConfidence",
                "Only fields at most this sure; those of unknown confidence are among them.",
                {"type": "number", "minimum": 0, "maximum": 1},
            ),
            Parameter(
                "status",
                "Only fields of this status.",
                {"type": "string", "enum": ["escalated", "unreviewed"]},
            ),
            Parameter(
                "limit",
                "At most this many.",
                {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
            ),
            _CURSOR,
        ),
    ),
    Route(
        "GET",
        "/v1/export/{documentId}",
        "export",
        "export_document",
        "Download a document's fields as a file; a large one is a redirect, so follow it (curl -L).",
        Scope.EXPORT_READ,
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
        "/v1/datasets",
        "datasets",
        "list_datasets",
        "List the document types with verified fields, and how many.",
        Scope.EXPORT_READ,
        {200: views.DatasetList},
    ),
    Route(
        "GET",
        "/v1/datasets/{docType}",
        "datasets",
        "get_dataset",
        "Download the verified fields of all documents of a type as training examples: jsonl redirects to "
        "the lines (curl -L), json is the manifest.",
        Scope.EXPORT_READ,
        {
            200: Manifest,
            303: None,
            400: views.ErrorView,
            404: views.ErrorView,
            503: views.ErrorView,
        },
        parameters=(
            _DOC_TYPE,
            Parameter(
                "format",
                "The lines, or what they belong to.",
                {"type": "string", "enum": ["jsonl", "json"], "default": "jsonl"},
            ),
            Parameter(
                "limit",
                "At most this many documents; all without it.",
                {"type": "integer", "minimum": 1, "maximum": 10_000},
            ),
            Parameter(
                "cursor",
                "nextCursor of the manifest of the documents before; the same for both formats.",
                {"type": "string"},
            ),
        ),
    ),
    Route(
        "GET",
        "/v1/pages/{documentId}/{file}",
        "datasets",
        "get_page",
        "Download the image of a page (p1.png, a redirect) or its words (p1.json): /v1/ and an image_key.",
        Scope.DOCUMENTS_READ,
        {
            200: views.PageWords,
            303: None,
            400: views.ErrorView,
            404: views.ErrorView,
        },
        parameters=(
            Parameter("documentId", "Number of the document.", _DOCUMENT_ID),
            Parameter(
                "file",
                "The page, counted from 1 in its document, and what of it.",
                {"type": "string", "pattern": views.PAGE_FILE},
            ),
        ),
    ),
    Route(
        "GET",
        "/v1/models",
        "models",
        "list_models",
        "List the fine-tuned models registered to your organisation.",
        Scope.MODELS_READ,
        {200: views.ModelList},
    ),
    Route(
        "POST",
        "/v1/models",
        "models",
        "create_model",
        "Train a model from your verified fields (202), or register one (201, with a URL to upload it to).",
        Scope.MODELS_WRITE,
        {201: views.AnnouncedModel, 202: views.ModelView, 400: views.ErrorView, 409: views.ErrorView},
        body=views.ModelBody,
        limited_as=RateLimitClass.MODELS,
    ),
    Route(
        "GET",
        "/v1/models/{id}",
        "models",
        "get_model",
        "Fetch a model: how far it is, what it was made of and how good it is.",
        Scope.MODELS_READ,
        {200: views.ModelView, 404: views.ErrorView},
        parameters=(_MODEL_ID,),
    ),
    Route(
        "DELETE",
        "/v1/models/{id}",
        "models",
        "delete_model",
        "Remove a model and its file; what it has read of documents stays.",
        Scope.MODELS_WRITE,
        {204: None, 404: views.ErrorView},
        parameters=(_MODEL_ID,),
    ),
    Route(
        "GET",
        "/v1/models/{id}/file",
        "models",
        "get_model_file",
        "Download a model as an ONNX file: it is yours; a redirect, so follow it (curl -L).",
        Scope.MODELS_READ,
        {303: None, 404: views.ErrorView, 409: views.ErrorView},
        parameters=(_MODEL_ID,),
    ),
    Route(
        "POST",
        "/v1/models/{id}/digitize",
        "infer",
        "digitize_with_model",
        "Resolve a document with one of your models; a large answer is a redirect, so follow it.",
        Scope.DOCUMENTS_READ,
        {409: views.ErrorView, **_READ_OR_REDIRECT},
        body=views.DigitizeBody,
        parameters=(_MODEL_ID,),
        limited_as=RateLimitClass.MODELS,
    ),
    Route(
        "GET",
        "/v1/schemas",
        "schemas",
        "list_schemas",
        "List the document types: those that come with alma and your organisation's own.",
        Scope.DOCUMENTS_READ,
        {200: views.SchemaList},
    ),
    Route(
        "GET",
        "/v1/schemas/{docType}",
        "schemas",
        "get_schema",
        "Fetch a document type.",
        Scope.DOCUMENTS_READ,
        {200: views.SchemaView, 404: views.ErrorView},
        parameters=(_DOC_TYPE,),
    ),
    Route(
        "PUT",
        "/v1/schemas/{docType}",
        "schemas",
        "put_schema",
        "Make or replace a document type of your own; a shipped type's name takes its place for you alone.",
        Scope.MODELS_WRITE,
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
        Scope.MODELS_WRITE,
        {204: None, 404: views.ErrorView},
        parameters=(_DOC_TYPE,),
    ),
    Route(
        "GET",
        "/v1/keys",
        "keys",
        "list_keys",
        "List keys, revoked ones included.",
        Scope.KEYS_ADMIN,
        {200: views.KeyList},
    ),
    Route(
        "POST",
        "/v1/keys",
        "keys",
        "create_key",
        "Mint a key; its token is shown this once.",
        Scope.KEYS_ADMIN,
        {201: views.MintedKey, 400: views.ErrorView, 503: views.ErrorView},
        body=views.CreateKeyBody,
        limited_as=RateLimitClass.MINTING,
    ),
    Route(
        "POST",
        "/v1/keys/{id}/rotate",
        "keys",
        "rotate_key",
        "Replace a key by a new one with the same rights; the old one goes on for a while.",
        Scope.KEYS_ADMIN,
        {
            201: views.MintedKey,
            400: views.ErrorView,
            404: views.ErrorView,
            409: views.ErrorView,
            503: views.ErrorView,
        },
        body=views.RotateKeyBody,
        parameters=(_KEY_ID,),
        limited_as=RateLimitClass.MINTING,
    ),
    Route(
        "DELETE",
        "/v1/keys/{id}",
        "keys",
        "revoke_key",
        "Revoke a key; holds everywhere within 30 seconds.",
        Scope.KEYS_ADMIN,
        {204: None, 400: views.ErrorView, 404: views.ErrorView},
        parameters=(
            _KEY_ID,
            Parameter(
                "descendants",
                "Whether all keys go too that it minted or was rotated into, and theirs.",
                {"type": "string", "enum": ["true", "false"], "default": "false"},
            ),
        ),
    ),
    Route(
        "GET",
        "/v1/usage",
        "keys",
        "get_usage",
        "What the organisation's keys used in a month, and how much of its quota is left.",
        Scope.KEYS_ADMIN,
        {200: views.UsageView, 400: views.ErrorView},
        parameters=(
            Parameter(
                "month",
                "2026-11; without, this month (UTC).",
                {"type": "string", "pattern": r"^\d{4}-\d{2}$"},
            ),
        ),
    ),
    Route(
        "POST",
        "/mcp",
        "mcp",
        "mcp",
        "Model Context Protocol: one JSON-RPC 2.0 message.",
        Scope.MCP_READ,
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
        Scope.MCP_READ,
        {405: None},
    ),
    Route(
        "DELETE",
        "/mcp",
        "mcp",
        "mcp_session",
        "Not offered: this endpoint keeps no sessions.",
        Scope.MCP_READ,
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
