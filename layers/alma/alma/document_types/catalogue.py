"""The document types an organisation's documents can be: those that come with alma and its own.

An own type of a shipped type's name takes its place for that organisation alone, and removing it brings the
shipped one back. Documents that are read already keep what they are.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from pydantic import ValidationError

from alma.clock import timestamp
from alma.datamodel.schemas import KEY, DocumentSchema, FieldType, SchemaDefinition, shipped_schemas
from alma.document_types import decision_counts
from alma.errors import BadRequestError, ConflictError, NotFoundError
from alma.storage.items.document_types import SchemaItem
from alma.storage.transactions import conditional_write

#: Own types of one organisation: every document is compared with all of them.
MAX_TYPES = 100
#: Size of one type as it is kept; a row of the table holds 400 KB.
MAX_BYTES = 64 * 1024

_log = logging.getLogger(__name__)
_NAME = re.compile(KEY)
_SORT_PREFIX = "schema#"


class TypeOrigin(StrEnum):
    """Whose a document type is."""

    SHIPPED = "shipped"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class DocumentType:
    """A document type of an organisation."""

    schema: DocumentSchema
    origin: TypeOrigin
    updated_at: str | None = None
    """When the organisation last changed it (ISO 8601); None for a shipped one."""


def list_types(organisation: str) -> list[DocumentType]:
    """Return the document types of an organisation by name, its own in place of shipped ones."""
    types = {name: DocumentType(schema, TypeOrigin.SHIPPED) for name, schema in shipped_schemas().items()}
    for item in SchemaItem.query(organisation, SchemaItem.sk.startswith(_SORT_PREFIX), consistent_read=True):
        try:
            types[item.doc_type] = _from_item(item)
        except ValidationError:
            # Kept by a version that allowed more. Its documents are read as of another type or of none, which
            # is better than reading none of the organisation's documents.
            _log.exception("the document type %s of %s cannot be used", item.doc_type, organisation)
    return [types[name] for name in sorted(types)]


def schemas_of(organisation: str) -> dict[str, DocumentSchema]:
    """Return what the types of an organisation are, by name, for `alma.extraction`."""
    return {each.schema.doc_type: each.schema for each in list_types(organisation)}


def knows(organisation: str, doc_type: str) -> bool:
    """Tell whether an organisation's documents can be of a type."""
    return doc_type in shipped_schemas() or _own(organisation, doc_type) is not None


def check(organisation: str, doc_type: str | None, *, optional: bool = False) -> None:
    """Refuse a type that an organisation's documents cannot be of; None passes where it is `optional`.

    Raises
    ------
    BadRequestError
        There is none of that name; the sentence names those there are.
    """
    if optional and doc_type is None:
        return
    if doc_type is None or not knows(organisation, doc_type):
        known = ", ".join(schemas_of(organisation))
        raise BadRequestError(f"docType is one of {known}{', or leave it out' if optional else ''}.")


def get(organisation: str, doc_type: str) -> DocumentType:
    """Return a document type.

    Raises
    ------
    NotFoundError
        There is none of that name.
    """
    item = _own(organisation, doc_type)
    if item is not None:
        return _from_item(item)
    shipped = shipped_schemas().get(doc_type)
    if shipped is None:
        raise NotFoundError(f"There is no document type {doc_type!r}; list the types to see those there are.")
    return DocumentType(shipped, TypeOrigin.SHIPPED)


def field_types(organisation: str, doc_type: str | None) -> dict[str, FieldType]:
    """Return the types of a document type's fields by key; none where it is unknown, removed or unusable."""
    if doc_type is None:
        return {}
    try:
        return get(organisation, doc_type).schema.field_types
    except (NotFoundError, ValidationError):
        return {}


def put(organisation: str, doc_type: str, definition: SchemaDefinition) -> tuple[DocumentType, bool]:
    """Keep a document type of an organisation's own; return it and whether it is new.

    Raises
    ------
    BadRequestError
        The name is malformed, the type is too large, or a pattern would fail or exhaust where it is used.
    ConflictError
        The organisation has as many types as it may have.
    """
    if not _NAME.fullmatch(doc_type):
        raise BadRequestError(
            "A docType is 1 to 64 lower case letters, digits and underscores and starts with a letter."
        )
    body = definition.model_dump_json(exclude_defaults=True)
    if len(body.encode()) > MAX_BYTES:
        raise BadRequestError(f"A document type has at most {MAX_BYTES // 1024} KB; this one has more.")
    _try_patterns(definition)
    item = SchemaItem(
        organisation, _SORT_PREFIX + doc_type, doc_type=doc_type, definition=body, updated_at=timestamp()
    )
    if _own(organisation, doc_type) is None:
        # Two that are made at once can both be the last; the limit is there against runaways.
        if SchemaItem.count(organisation, SchemaItem.sk.startswith(_SORT_PREFIX)) >= MAX_TYPES:
            raise ConflictError(
                f"Your organisation has {MAX_TYPES} document types of its own; remove one first.",
                code="too_many_schemas",
            )
        if conditional_write(lambda: item.save(SchemaItem.pk.does_not_exist())):
            return _from_item(item), True
    item.save()
    return _from_item(item), False


def _try_patterns(definition: SchemaDefinition) -> None:
    patterns = dict.fromkeys(
        pattern for field in definition.fields for pattern in (*field.patterns, *field.rejects)
    )
    if patterns:
        from alma.extraction.values import pattern_trial  # most requests, and most types, need no process

        pattern_trial.check(list(patterns))


def delete(organisation: str, doc_type: str) -> None:
    """Remove a document type of the organisation's own; the shipped one of its name, if any, is back.

    Raises
    ------
    NotFoundError
        The organisation has none of its own of that name.
    """
    item = _own(organisation, doc_type)
    if item is None:
        raise NotFoundError(
            f"Your organisation has no document type {doc_type!r} of its own; shipped types stay."
        )
    item.delete()
    # A type of this name that comes later is another one.
    decision_counts.delete(organisation, doc_type)


def _own(organisation: str, doc_type: str) -> SchemaItem | None:
    if not _NAME.fullmatch(doc_type):
        return None
    return SchemaItem.find(organisation, _SORT_PREFIX + doc_type)


def _from_item(item: SchemaItem) -> DocumentType:
    return DocumentType(_schema(item.doc_type, item.definition), TypeOrigin.OWN, item.updated_at)


@lru_cache(maxsize=256)
def _schema(doc_type: str, definition: str) -> DocumentSchema:
    """Return a kept type; the same text is the same object, with what others have remembered of it."""
    return SchemaDefinition.model_validate_json(definition).named(doc_type)
