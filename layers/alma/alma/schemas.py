"""Document types as data: which fields a type has and what stands beside them on a page."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class FieldType(StrEnum):
    """How a value is parsed and normalised."""

    TEXT = "text"
    NAME = "name"
    ADDRESS = "address"
    DATE = "date"
    AMOUNT = "amount"
    NUMBER = "number"
    IDENTIFIER = "identifier"
    DURATION = "duration"


class FieldSchema(BaseModel):
    """One field of a document type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="Name of the field in every answer.")
    description: str = Field(default="", description="What the field is, for people and agents.")
    aliases: tuple[str, ...] = Field(default=(), description="Labels that stand beside the value on a page.")
    type: FieldType = Field(default=FieldType.TEXT, description="How the value is parsed and normalised.")
    required: bool = Field(default=False, description="A document of this type always has it.")
    repeated: bool = Field(default=False, description="It can occur more than once.")
    nth: int = Field(default=0, description="Which of several values beside one label: 0 first, -1 last.")
    patterns: tuple[str, ...] = Field(
        default=(),
        description="Regular expressions with a group `value`, for values that stand in a sentence. {NAME}, "
        "{DATE}, {AMOUNT}, {DURATION} and {PLACE} stand for such a value.",
    )
    rejects: tuple[str, ...] = Field(
        default=(), description="Regular expressions of what a pattern may match and is never a value."
    )
    pages: Literal["any", "first"] = Field(
        default="any", description="Where patterns are tried: every page, or the first two."
    )
    position: Literal["labelled", "above", "top", "below_top", "addressee"] = Field(
        default="labelled",
        description="Where else than right of or below a label: above it; or without a label at the head of "
        "the first page, in the lines below the head, in the first line of the block a letter is sent to.",
    )
    name_order: Literal["as_written", "last_first"] = Field(
        default="as_written", description="A person's name on a form that asks for the last name first."
    )
    prefer: Literal["first", "last", "largest"] = Field(
        default="first", description="Which of equally good values is taken."
    )

    @field_validator("patterns", "rejects")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(re.sub(r"\{[A-Z]+\}", "x", pattern))
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
            if info.field_name == "patterns" and "(?P<value>" not in pattern:
                raise ValueError(f"{pattern!r} has no group named value")
        return patterns


class Rule(BaseModel):
    """Something the values of several fields have to do with each other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sum", "order"] = Field(
        description="`sum`: all but the last add up to the last. `order`: none is later than the next."
    )
    keys: tuple[str, ...] = Field(min_length=2, max_length=8, description="The fields, in this order.")


class DocumentSchema(BaseModel):
    """One document type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    doc_type: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    description: str = ""
    keywords: tuple[str, ...] = Field(
        default=(), description="Phrases that tell a page of this type from others."
    )
    other_labels: tuple[str, ...] = Field(
        default=(), description="Labels of things that are not read: they end the value of another label."
    )
    closing_labels: tuple[str, ...] = Field(
        default=(),
        description="Labels of a closing part that repeats values in another sense (a tax summary).",
    )
    rules: tuple[Rule, ...] = Field(
        default=(), description="What the values of several fields have to do with each other."
    )
    fields: tuple[FieldSchema, ...]

    def field(self, key: str) -> FieldSchema | None:
        """Return the field named `key`, or None."""
        return next((f for f in self.fields if f.key == key), None)


@lru_cache(maxsize=1)
def shipped_schemas() -> dict[str, DocumentSchema]:
    """Return the document types that come with alma, by name."""
    found = {}
    for entry in sorted(resources.files("alma.data.schemas").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".json"):
            schema = DocumentSchema.model_validate(json.loads(entry.read_text(encoding="utf-8")))
            found[schema.doc_type] = schema
    return found
