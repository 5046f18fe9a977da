"""The OpenAPI 3.1 document, made from the route table and the models it names."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from alma import __version__
from alma.access.rate_limits import limit_of
from alma.api.errors import ErrorView, Unauthorized
from alma.api.operation import Answer, Route
from alma.api.routes import ROUTES

_SCHEMAS = "#/components/schemas/{model}"
#: Both headers take the same token; one of them is enough.
_SECURITY_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer alma_…"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "X-API-Key: alma_…"},
}
_RATE_LIMIT_HEADERS: dict[str, Any] = {
    "X-RateLimit-Limit": {
        "description": "Requests of this kind that may come at once from a rested key.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Remaining": {
        "description": "Requests of this kind that may come at once now.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Reset": {
        "description": "When that is the limit again, in seconds since 1970.",
        "schema": {"type": "integer"},
    },
}
_ETAG: dict[str, Any] = {
    "ETag": {"description": "Names the answer as it is, for If-None-Match.", "schema": {"type": "string"}}
}
_IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETags of answers that you have, with commas, or *; 304 if one is still right.",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names what is to be done, in 1 to 255 printable ASCII characters, a UUID for one; double "
    "quotes around them are not part of it. The same request with it, by the same API key within a day, is "
    "not done again: it gets the first answer, with Idempotency-Replayed.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 512},
}
_REPLAYED: dict[str, Any] = {
    "Idempotency-Replayed": {
        "description": "true where this is what the first request with the Idempotency-Key was answered.",
        "schema": {"type": "string", "const": "true"},
    }
}
_RETRY_AFTER: dict[str, Any] = {"Retry-After": {"schema": {"type": "integer"}}}
_MEANING = {
    200: "As asked.",
    201: "Made.",
    202: "Taken in; there is nothing more to say yet.",
    204: "Done.",
    303: "What was asked for is large and waits at Location; get it without a key.",
    304: "It is as If-None-Match names it.",
    400: "The request is not one; the detail says why.",
    401: "The token is missing, malformed, expired or revoked, or two headers name different ones.",
    403: "The key lacks the scope; the detail names it.",
    404: "Absent, or another organisation's.",
    405: "Not offered.",
    409: "Not in a state to serve this.",
    422: "The document could not be read; error and detail say why.",
    429: "Too many requests; try again after Retry-After seconds.",
    500: "Something went wrong on our side.",
    503: "Not possible at this moment, or not in the time an answer may take; the detail says what to do.",
}
#: What these say, too, where a request can have an Idempotency-Key.
_MEANING_WITH_KEY = {
    409: "The first request with this Idempotency-Key is still being served; see Retry-After.",
    422: "The Idempotency-Key came with another request before.",
}


def openapi(server_url: str = "/api") -> dict[str, Any]:
    """Return the description of the API as it is served at `server_url`."""
    models: set[type[BaseModel]] = {model for row in ROUTES for model in _models(row)} | {
        ErrorView,
        Unauthorized,
    }
    _, definitions = models_json_schema(
        [(model, "serialization") for model in sorted(models, key=lambda m: m.__name__)],
        ref_template=_SCHEMAS,
    )
    paths: dict[str, dict[str, Any]] = {}
    for row in ROUTES:
        paths.setdefault(row.resource, {})[row.method.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "alma",
            "version": __version__,
            "summary": "Documents in, fields with evidence out.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server_url}],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": _SECURITY_SCHEMES,
            "headers": _RATE_LIMIT_HEADERS,
        },
    }


def _models(row: Route) -> list[type[BaseModel]]:
    found = [answer for answer in row.answers.values() if isinstance(answer, type)]
    return [*found, row.body] if row.body else found


def _operation(row: Route) -> dict[str, Any]:
    answers: dict[int, Answer] = dict(row.answers)
    answers |= {429: ErrorView, 500: ErrorView}
    if row.scope:
        answers |= {401: Unauthorized, 403: ErrorView}
    if row.takes_idempotency_key:
        answers = {400: ErrorView, 404: ErrorView, 409: ErrorView, 422: ErrorView} | answers
    operation: dict[str, Any] = {
        "operationId": row.operation,
        "summary": row.summary,
        "security": [{scheme: [row.scope.value]} for scheme in _SECURITY_SCHEMES] if row.scope else [],
        "responses": {str(status): _answer(status, answers[status], row) for status in sorted(answers)},
    }
    if row.scope:
        bucket = limit_of(row.rate_limit_class)
        operation["description"] = (
            f"Scope: {row.scope.value}. Limit: {row.rate_limit_class.value}, {bucket.per_minute} requests a "
            f"minute and {bucket.burst} at once for a key."
        )
    parameters = [*_parameters(row.path, "path"), *_parameters(row.query, "query")]
    if row.conditional:
        parameters.append(_IF_NONE_MATCH)
    if row.takes_idempotency_key:
        parameters.append(_IDEMPOTENCY_KEY)
    if parameters:
        operation["parameters"] = parameters
    if row.body:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _ref(row.body)}}, **_form(row)},
        }
    elif row.operation == "mcp":
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    return operation


def _parameters(model: type[BaseModel] | None, place: str) -> list[dict[str, Any]]:
    """Return the parameters that a model declares, as OpenAPI has them."""
    if model is None:
        return []
    schema = model.model_json_schema(ref_template=_SCHEMAS)
    found = []
    for name, described in schema.get("properties", {}).items():
        [plain, *_] = [each for each in described.get("anyOf", [described]) if each.get("type") != "null"]
        found.append(
            {
                "name": name,
                "in": place,
                "required": name in schema.get("required", []),
                "description": described.get("description", ""),
                "schema": {
                    key: value
                    for key, value in ({"default": described.get("default")} | plain).items()
                    if key not in ("title", "description") and value is not None
                },
            }
        )
    return found


def _answer(status: int, answer: Answer, row: Route) -> dict[str, Any]:
    meaning = _MEANING[status]
    keyed = row.takes_idempotency_key
    if keyed and status in _MEANING_WITH_KEY:
        more = _MEANING_WITH_KEY[status]
        meaning = f"{meaning} Or: {more}" if status in row.answers else more
    described: dict[str, Any] = {"description": meaning}
    if isinstance(answer, tuple):
        described["content"] = {media_type: {} for media_type in answer}
    elif answer is not None:
        schema: dict[str, Any] = {"$ref": _ref(answer)}
        if keyed and status == 422 and answer is not ErrorView:
            schema = {"anyOf": [schema, {"$ref": _ref(ErrorView)}]}
        described["content"] = {"application/json": {"schema": schema}}
    headers: dict[str, Any] = {}
    if status != 401:  # most of which the gateway answers, before anything is counted
        headers |= {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_LIMIT_HEADERS}
    if row.conditional and status in (200, 304):
        headers |= _ETAG
    if status == 303:
        headers["Location"] = {"schema": {"type": "string", "format": "uri"}}
    if status in (202, 429, 503) or (keyed and status == 409):
        headers |= _RETRY_AFTER
    if keyed and (status < 400 or status in (404, 409, 422)):
        headers |= _REPLAYED
    if headers:
        described["headers"] = headers
    return described


def _ref(model: type[BaseModel]) -> str:
    return _SCHEMAS.format(model=model.__name__)


def _form(row: Route) -> dict[str, Any]:
    """Return the form that a route takes instead of JSON, where it does."""
    if not row.takes_file or row.body is None:
        return {}
    fields = {
        (info.alias or name): {"type": "boolean" if info.annotation is bool else "string"}
        for name, info in row.body.model_fields.items()
        if name != "file_name"
    }
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema = {"type": "object", "required": ["file"], "properties": {"file": file, **fields}}
    return {"multipart/form-data": {"schema": schema}}
