"""The OpenAPI 3.1 document, made from the route table and the models it names."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from alma import __version__, views
from alma.http.routes import ROUTES, Answer, Route

_SCHEMAS = "#/components/schemas/{model}"
_MEANING = {
    200: "As asked.",
    201: "Made.",
    202: "Taken in; there is nothing more to say yet.",
    204: "Done.",
    303: "What was asked for is large and waits at Location; get it without a key.",
    400: "The request is not one; the detail says why.",
    401: "The token is missing, malformed or revoked.",
    403: "The key's role does not allow this.",
    404: "Absent, or another organisation's.",
    405: "Not offered.",
    409: "Not in a state to serve this.",
    422: "The document could not be read; error and detail say why.",
    500: "Something went wrong on our side.",
    503: "Too much for the time an answer may take; the detail says how to ask for less.",
}


def openapi(server_url: str = "/api") -> dict[str, Any]:
    """Return the description of the API as it is served at `server_url`."""
    models: set[type[BaseModel]] = {model for row in ROUTES for model in _models(row)} | {
        views.ErrorView,
        views.Unauthorized,
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
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "A token alma_…"}},
        },
    }


def _models(row: Route) -> list[type[BaseModel]]:
    found = [answer for answer in row.answers.values() if isinstance(answer, type)]
    return [*found, row.body] if row.body else found


def _operation(row: Route) -> dict[str, Any]:
    answers: dict[int, Answer] = dict(row.answers)
    answers[500] = views.ErrorView
    if row.roles:
        answers |= {401: views.Unauthorized, 403: views.ErrorView}
    operation: dict[str, Any] = {
        "operationId": row.operation,
        "summary": row.summary,
        "security": [{"key": []}] if row.roles else [],
        "responses": {str(status): _answer(status, answers[status]) for status in sorted(answers)},
    }
    if row.roles:
        operation["description"] = "Roles: " + ", ".join(sorted(role.value for role in row.roles)) + "."
    if row.parameters:
        in_path = set(re.findall(r"\{(\w+)\}", row.resource))
        operation["parameters"] = [
            {
                "name": p.name,
                "in": "path" if p.name in in_path else "query",
                "required": p.name in in_path,
                "description": p.description,
                "schema": p.schema,
            }
            for p in row.parameters
        ]
    if row.body:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _ref(row.body)}}},
        }
    elif row.operation == "mcp":
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    return operation


def _answer(status: int, answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": _MEANING[status]}
    if isinstance(answer, tuple):
        described["content"] = {media_type: {} for media_type in answer}
    elif answer is not None:
        described["content"] = {"application/json": {"schema": {"$ref": _ref(answer)}}}
    if status == 303:
        described["headers"] = {"Location": {"schema": {"type": "string", "format": "uri"}}}
    if status == 202:
        described["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return described


def _ref(model: type[BaseModel]) -> str:
    return _SCHEMAS.format(model=model.__name__)
