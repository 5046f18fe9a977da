"""The base of everything clients see as JSON: snake_case in the code, camelCase outside."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class View(BaseModel):
    """A JSON object of the API's answers, made from keyword arguments or from an object's attributes.

    OpenAPI and the MCP tools' output schemas come from the same class. Validators are built when they are
    first needed: a function that starts needs few of them.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        from_attributes=True,
        defer_build=True,
    )

    def to_json(self, *, exclude_defaults: bool = False) -> dict[str, Any]:
        """Return the JSON object as clients get it."""
        return self.model_dump(mode="json", exclude_defaults=exclude_defaults)


def is_none(value: object) -> bool:
    """Tell whether a value is left out of an answer (`exclude_if`)."""
    return value is None
