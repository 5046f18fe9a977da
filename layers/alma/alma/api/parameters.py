"""Path, query and body against the models that an operation names; what is wrong becomes one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from alma.api.request_models import SENTENCE
from alma.errors import BadRequestError

_M = TypeVar("_M", bound=BaseModel)
#: Digits of a number in a query that are looked at.
_MOST_DIGITS = 12
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)
_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}
_FORM = (
    "The body is a form ({}) and this route takes JSON: send a JSON object with Content-Type: "
    "application/json. A file is announced with POST /api/v1/documents and sent with PUT to the URL in the "
    "answer."
)


def path_parameters(model: type[_M], given: Mapping[str, str]) -> _M:
    """Validate path parameters, decoded by the gateway.

    Raises
    ------
    BadRequestError
        One of them is malformed; the sentence says which and what it should be.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        raise BadRequestError(_parameter_sentence(model, _first(error))) from None


def query_parameters(model: type[_M], given: Mapping[str, str]) -> _M:
    """Validate query parameters; numbers and truth values are read from their text first.

    Raises
    ------
    BadRequestError
        One of them is unknown or malformed; the sentence says which, and what there is.
    """
    kinds = _kinds(model)
    try:
        return model.model_validate({name: _typed(text, kinds.get(name)) for name, text in given.items()})
    except ValidationError as error:
        raise BadRequestError(_parameter_sentence(model, _first(error))) from None


def json_body(model: type[_M], body: bytes, media_type: str = "") -> _M:
    """Validate a JSON body, whatever it is said to be: curl says that all it sends is a form.

    None at all is taken for an empty object.

    Raises
    ------
    BadRequestError
        It is not JSON, or not of that shape; the sentence names the first thing wrong.
    """
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        first = _first(error)
        if first["type"] == "json_invalid" and media_type in _FORMS:
            raise BadRequestError(_FORM.format(media_type)) from None
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise BadRequestError(
            f"The body is not what this route takes: {f'{where}: ' if where else ''}{what}."
        ) from None


def form_body(model: type[_M], given: Mapping[str, str]) -> _M:
    """Validate the fields of a form, truth values and numbers read from their text; raises as `json_body`."""
    kinds = _kinds(model)
    typed = {name: _typed(text, kinds.get(name)) for name, text in given.items()}
    return json_body(model, json.dumps(typed).encode())


def _first(error: ValidationError) -> ErrorDetails:
    return error.errors(include_url=False, include_input=False)[0]


@cache
def _kinds(model: type[BaseModel]) -> dict[str, type]:
    """Return the JSON kind of each parameter that is more than text, by its name outside."""
    return {
        info.alias or name: kind
        for name, info in model.model_fields.items()
        if (kind := _kind(info.annotation)) is not str
    }


def _kind(annotation: Any) -> type:
    if annotation in (bool, int, float):
        return annotation  # type: ignore[no-any-return]
    kinds = {_kind(each) for each in get_args(annotation) if isinstance(each, type) or get_args(each)}
    return next((kind for kind in (bool, int, float) if kind in kinds), str)


def _typed(text: str, kind: type | None) -> object:
    """Return a parameter as JSON would say it; what is not of its kind stays text, and is refused."""
    if kind is bool and text in ("true", "false"):
        return text == "true"
    if kind is int and text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text)
    if kind is float and _NUMBER.fullmatch(text):
        return float(text)
    return text


def _parameter_sentence(model: type[BaseModel], error: ErrorDetails) -> str:
    if error["type"] == SENTENCE:
        return error["msg"]
    name = str(error["loc"][0])[:100] if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        known = [info.alias or each for each, info in model.model_fields.items()]
        takes = f"takes {_listed(known)}" if known else "takes no query parameters"
        return f"There is no query parameter {name}; this route {takes}."
    if error["type"] == "missing":
        return f"The parameter {name} is missing."
    properties = model.model_json_schema().get("properties", {})
    return f"{name} is {_expected(properties.get(name, {}), error)}."


def _expected(schema: dict[str, Any], error: ErrorDetails) -> str:
    """Return what a parameter should be, in words, from its JSON Schema."""
    [schema, *_] = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"] or [schema]
    bounds = ""
    if "minimum" in schema and "maximum" in schema:
        bounds = f" from {schema['minimum']:g} to {schema['maximum']:,g}".replace(",", "")
    if "enum" in schema:
        return f"one of {_listed(schema['enum'])}"
    if "const" in schema:
        return str(schema["const"])
    match schema.get("type"):
        case "integer":
            return f"a whole number{bounds}"
        case "number":
            return f"a number{bounds}"
        case "boolean":
            return "true or false"
    return f"not well formed: {error['msg'].removeprefix('Value error, ')}"


def _listed(names: list[str]) -> str:
    *most, last = map(str, names)
    return f"{', '.join(most)} and {last}" if most else last
