"""Path, query and body against the models that an operation names; what is wrong becomes one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from alma.api.request_models import SENTENCE
from alma.errors import BadRequestError
from alma.text import validation_message

_M = TypeVar("_M", bound=BaseModel)
#: Digits of a number in a query that are looked at.
_MOST_DIGITS = 12
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)
_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}
#: What JSON is sent as; what is anything else, and no JSON, was meant as a file.
_TEXTS = {"", "application/json", "text/json", "text/plain"}
_NO_JSON = (
    "The body is a {} ({}) and this route takes JSON: send a JSON object with Content-Type: "
    "application/json. A file is sent with POST /api/v1/documents: as a form (curl -F file=@deed.pdf, up to "
    "about 4.4 MB), or announced there and then sent with PUT to the URL in the answer."
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


def query_parameters(model: type[_M], given: Mapping[str, str], repeated: Collection[str] = ()) -> _M:
    """Validate query parameters; numbers and truth values are read from their text first.

    Raises
    ------
    BadRequestError
        One of them is unknown, malformed or `repeated`; the sentence says which, and what there is.
    """
    if repeated:
        raise BadRequestError(f"The query parameter {min(repeated)[:100]} is given twice; give it once.")
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
        if first["type"] == "json_invalid" and media_type not in _TEXTS and not media_type.endswith("+json"):
            kind = "form" if media_type in _FORMS else "file"
            raise BadRequestError(_NO_JSON.format(kind, media_type[:100])) from None
        raise BadRequestError(_body_sentence(model, first)) from None


def form_body(model: type[_M], given: Mapping[str, str]) -> _M:
    """Validate the fields of a form, truth values and numbers read from their text; raises as `json_body`."""
    kinds = _kinds(model)
    typed = {name: _typed(text, kinds.get(name)) for name, text in given.items()}
    return json_body(model, json.dumps(typed).encode())


def _body_sentence(model: type[BaseModel], error: ErrorDetails) -> str:
    if error["type"] == SENTENCE:
        return error["msg"]
    where = ".".join(str(part) for part in error["loc"])
    what = validation_message(error["msg"])
    if error["type"] == "extra_forbidden" and (part := _part(model, error["loc"][:-1])) is not None:
        known = [info.alias or each for each, info in part.model_fields.items()]
        inside = where.rpartition(".")[0]
        return f"There is no key {where[:100]}; {inside or 'the body'} takes {_listed(known) or 'no keys'}."
    return f"The body is not what this route takes: {f'{where}: ' if where else ''}{what}."


def _part(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Return the model of a part of a body, or None where its annotation does not tell."""
    for name in path:
        if isinstance(name, int):
            continue  # an item of a list is of the model that its annotation names
        fields = {info.alias or each: info.annotation for each, info in model.model_fields.items()}
        models = list(_models(fields.get(name)))
        if len(models) != 1:
            return None
        [model] = models
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


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
    return f"not well formed: {validation_message(error['msg'])}"


def _listed(names: list[str]) -> str:
    if not names:
        return ""
    *most, last = map(str, names)
    return f"{', '.join(most)} and {last}" if most else last
