"""Document types as data: which fields a type has and what stands beside them on a page.

Organisations bring types of their own (see `alma.document_types.catalogue`), so everything here is checked
as what strangers send: sizes are bounded, and patterns looked at for what is plainly wrong with them. Before
a type is kept, the engine that runs its patterns tries them (`alma.extraction.values.pattern_trial`); how
long they may search is bounded where they are used (`alma.extraction.values.patterns`).
"""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from enum import StrEnum
from functools import cached_property, lru_cache
from importlib import resources
from math import prod
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

#: Fields of a document type, those of its groups included.
MAX_FIELDS = 200
#: Labels of one field, patterns of one field, phrases of one type.
MAX_ALIASES, MAX_PATTERNS, MAX_PHRASES = 200, 20, 300
#: What the least counts of a pattern's repeats may come to together: compiling takes memory by that.
MAX_REPEATS = 10_000
#: What may stand in braces in a pattern, for a value of that kind.
PLACEHOLDERS = frozenset({"NAME", "COMPANY", "DATE", "AMOUNT", "NUMBER", "DURATION", "PLACE"})
#: Placeholders in one pattern: each is a long expression.
MAX_PLACEHOLDERS = 8

#: What the name of a type, of a field and of a group looks like.
KEY = r"^[a-z][a-z0-9_]{0,63}$"
_PLACEHOLDER = re.compile(r"\{([A-Z]+)\}")
_VERBOSE = re.compile(r"\(\?[a-zA-Z]*x")
_LEAST = re.compile(r"\{(\d*)(?:,\d*)?\}")

_Phrase = Annotated[str, StringConstraints(min_length=1, max_length=80)]
_Pattern = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_Description = Annotated[str, StringConstraints(max_length=1000)]


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
    CURRENCY = "currency"


class ColumnSchema(BaseModel):
    """A value with a label: a column of a table, and what a field on its own has in common with one."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    key: str = Field(pattern=KEY, description="Name of the field in every answer.")
    description: _Description = Field(default="", description="What the field is, for people and agents.")
    aliases: tuple[_Phrase, ...] = Field(
        default=(),
        max_length=MAX_ALIASES,
        description="Labels that stand beside the value on a page, or over a column; the surest first.",
    )
    synonyms: tuple[_Phrase, ...] = Field(
        default=(),
        max_length=MAX_ALIASES,
        description="More labels, in other languages: none is surer than another.",
    )
    type: FieldType = Field(default=FieldType.TEXT, description="How the value is parsed and normalised.")
    required: bool = Field(
        default=False, description="A document of this type always has it; a row without it is no row."
    )


class FieldSchema(ColumnSchema):
    """One field of a document type."""

    repeated: bool = Field(default=False, description="It can occur more than once.")
    nth: int = Field(default=0, description="Which of several values beside one label: 0 first, -1 last.")
    patterns: tuple[_Pattern, ...] = Field(
        default=(),
        max_length=MAX_PATTERNS,
        description="Regular expressions with a group `value`, for values that stand in a sentence. {NAME}, "
        "{COMPANY}, {DATE}, {AMOUNT}, {NUMBER}, {DURATION} and {PLACE} stand for such a value.",
    )
    rejects: tuple[_Pattern, ...] = Field(
        default=(),
        max_length=MAX_PATTERNS,
        description="Regular expressions of what a pattern may match and is never a value.",
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
    format: Literal["iban"] | None = Field(
        default=None,
        description="What its values are, where nothing else may be one; `iban`: by length and country.",
    )
    under: str | None = Field(
        default=None,
        pattern=KEY,
        description="Key of a name under which its lines stand: the address of who is billed.",
    )
    outside: str | None = Field(
        default=None,
        pattern=KEY,
        description="Key of a name in whose block of lines its value does not stand: what is printed under "
        "the buyer's name is the buyer's.",
    )
    prefer: Literal["first", "last", "largest"] = Field(
        default="first", description="Which of equally good values is taken."
    )

    @field_validator("patterns", "rejects")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for pattern in patterns:
            _check_pattern(pattern)
            if info.field_name == "patterns" and "(?P<value>" not in pattern:
                raise ValueError(f"{pattern!r} has no group named value")
        return patterns


class Rule(BaseModel):
    """Something the values of several fields have to do with each other."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    kind: Literal["sum", "order"] = Field(
        description="`sum`: all but the last add up to the last. `order`: none is later than the next."
    )
    keys: tuple[str, ...] = Field(
        min_length=2, max_length=8, description="Keys of the fields, in this order."
    )


def _check_pattern(pattern: str) -> None:
    placeholders = _PLACEHOLDER.findall(pattern)
    unknown = sorted(set(placeholders) - PLACEHOLDERS)
    if unknown:
        raise ValueError(f"{pattern!r} has {{{unknown[0]}}}, which stands for nothing")
    if len(placeholders) > MAX_PLACEHOLDERS:
        raise ValueError(f"{pattern!r} has more than {MAX_PLACEHOLDERS} of {{NAME}}, {{DATE}}, …")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(_PLACEHOLDER.sub("x", pattern))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    # A repeat of at least n is written out n times when it is compiled, and nested ones multiply. The engine
    # reads counts with blanks in them where a pattern is verbose.
    plain = "".join(pattern.split()) if _VERBOSE.search(pattern) else pattern
    least = prod(max(int(count or 0), 1) for count in _LEAST.findall(plain))
    if least * max(100 * len(placeholders), 1) > MAX_REPEATS:
        raise ValueError(f"{pattern!r} repeats too often; use * or + instead of large counts")


class GroupSchema(BaseModel):
    """Fields that belong together and come several times: a table with a row for each time.

    Its values are called `GROUP.COLUMN` and counted by row.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    key: str = Field(pattern=KEY, description="Name of the group in every answer.")
    description: _Description = Field(default="", description="What a row is, for people and agents.")
    fields: tuple[ColumnSchema, ...] = Field(min_length=1, max_length=MAX_FIELDS, description="Its columns.")
    header: Literal["required", "optional"] = Field(
        default="required",
        description="Whether rows are read only below labels of columns, or also as lines of a text and an "
        "amount at the right edge that add up to an amount printed below them, as on till receipts.",
    )
    carried_labels: tuple[_Phrase, ...] = Field(
        default=(),
        max_length=MAX_ALIASES,
        description="Labels of lines between rows that are no rows: a sum carried over to the next page.",
    )

    def key_of(self, column: ColumnSchema) -> str:
        """Return the name of a column's values, `GROUP.COLUMN`."""
        return f"{self.key}.{column.key}"


class SchemaDefinition(BaseModel):
    """What a document type is, without its name."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    description: _Description = Field(default="", description="What the type is, for people and agents.")
    keywords: tuple[_Phrase, ...] = Field(
        default=(),
        max_length=MAX_PHRASES,
        description="Phrases that tell a page of this type from others; without any, its name and labels do.",
    )
    other_labels: tuple[_Phrase, ...] = Field(
        default=(),
        max_length=MAX_PHRASES,
        description="Labels of things that are not read: they end the value of another label.",
    )
    closing_labels: tuple[_Phrase, ...] = Field(
        default=(),
        max_length=MAX_PHRASES,
        description="Labels of a closing part that repeats values in another sense (a tax summary).",
    )
    rules: tuple[Rule, ...] = Field(
        default=(), max_length=50, description="What the values of several fields have to do with each other."
    )
    fields: tuple[FieldSchema, ...] = Field(default=(), max_length=MAX_FIELDS, description="What is read.")
    groups: tuple[GroupSchema, ...] = Field(
        default=(), max_length=20, description="What is read row by row: the lines of an invoice."
    )
    review_below: float = Field(
        default=0.5, ge=0, le=1, description="A field less sure than this goes to a person first."
    )

    def named(self, doc_type: str) -> DocumentSchema:
        """Return the document type of this definition and a name."""
        return DocumentSchema.model_validate({**self.model_dump(), "doc_type": doc_type})

    @model_validator(mode="after")
    def _names_are_unique_and_not_too_many(self) -> SchemaDefinition:
        columns = sum(len(group.fields) for group in self.groups)
        if not 1 <= len(self.fields) + columns <= MAX_FIELDS:
            raise ValueError(f"a document type has 1 to {MAX_FIELDS} fields, those of its groups included")
        keys = {"fields and groups": [*(f.key for f in self.fields), *(g.key for g in self.groups)]}
        keys |= {group.key: [column.key for column in group.fields] for group in self.groups}
        for place, each in keys.items():
            twice = next((key for key, count in Counter(each).items() if count > 1), None)
            if twice is not None:
                raise ValueError(f"{place}: the key {twice!r} is there twice")
        once = {f.key for f in self.fields if not f.repeated}
        for rule in self.rules:
            unknown = next((key for key in rule.keys if key not in once), None)
            if unknown is not None:
                raise ValueError(f"rules: {unknown!r} is no field that occurs once")
        return self


class DocumentSchema(SchemaDefinition):
    """One document type."""

    doc_type: str = Field(pattern=KEY, description="Its name.")

    @property
    def definition(self) -> SchemaDefinition:
        """What it is, without its name."""
        return SchemaDefinition.model_construct(
            **{name: getattr(self, name) for name in SchemaDefinition.model_fields}
        )

    def field(self, key: str) -> FieldSchema | None:
        """Return the field named `key`, or None."""
        return next((f for f in self.fields if f.key == key), None)

    @property
    def field_types(self) -> dict[str, FieldType]:
        """The type of each field and column by its key (`GROUP.COLUMN`), in the schema's order."""
        columns = {group.key_of(column): column.type for group in self.groups for column in group.fields}
        return {field.key: field.type for field in self.fields} | columns

    @cached_property
    def phrases(self) -> tuple[str, ...]:
        """Phrases that tell the type: its keywords, or its name and the labels of its fields."""
        if self.keywords:
            return self.keywords
        parts = [*self.fields, *(column for group in self.groups for column in group.fields)]
        labels = [label for part in parts for label in (part.aliases or (part.key.replace("_", " "),))]
        return tuple(dict.fromkeys((self.doc_type.replace("_", " "), *labels)))[:MAX_PHRASES]


@lru_cache(maxsize=1)
def shipped_schemas() -> dict[str, DocumentSchema]:
    """Return the document types that come with alma, by name."""
    found = {}
    for entry in sorted(resources.files("alma.data.schemas").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".json"):
            schema = DocumentSchema.model_validate(json.loads(entry.read_text(encoding="utf-8")))
            found[schema.doc_type] = schema
    return found
