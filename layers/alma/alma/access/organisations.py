"""Organisations: the owners of documents, keys and models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from alma.clock import timestamp
from alma.errors import BadRequestError, ConflictError, NotFoundError
from alma.storage.items.access import OrganisationItem
from alma.storage.transactions import conditional_write

_ID = re.compile(r"[a-z][a-z0-9-]{1,62}")
_SORT_KEY = "organisation"


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation."""

    id: str
    """Lower case letters, digits and hyphens: the partition of everything it owns, and its folder in S3."""
    name: str
    created_at: str
    """ISO 8601."""
    monthly_pages: int | None = None
    """Pages it may have read in a month, 0 for any number; None where the installation's setting holds."""


def check_id(organisation: str) -> str:
    """Return a well-formed id of an organisation, unchanged.

    Raises
    ------
    BadRequestError
        It is malformed.
    """
    if not _ID.fullmatch(organisation):
        raise BadRequestError(
            "An organisation's id is 2 to 63 lower case letters, digits and hyphens and starts with a letter."
        )
    return organisation


def create(organisation: str, name: str | None = None) -> Organisation:
    """Create an organisation.

    Raises
    ------
    BadRequestError
        The id is malformed.
    ConflictError
        It exists already.
    """
    item = OrganisationItem(
        check_id(organisation),
        _SORT_KEY,
        name=name or organisation,
        created_at=timestamp(),
        documents_indexed=True,
    )
    if not conditional_write(lambda: item.save(OrganisationItem.pk.does_not_exist())):
        raise ConflictError(f"There is already an organisation {organisation!r}.")
    return _from_item(item)


def get(organisation: str) -> Organisation:
    """Return an organisation.

    Raises
    ------
    NotFoundError
        There is none of that id.
    """
    item = OrganisationItem.find(organisation, _SORT_KEY)
    if item is None:
        raise _unknown(organisation)
    return _from_item(item)


def set_monthly_pages(organisation: str, pages: int | None) -> Organisation:
    """Give an organisation a number of pages a month of its own; None takes it away again.

    Raises
    ------
    BadRequestError
        The number is negative.
    NotFoundError
        There is no such organisation.
    """
    if pages is not None and pages < 0:
        raise BadRequestError("A quota is a number of pages, or 0 for any number.")
    own = OrganisationItem.monthly_pages
    return _from_item(_updated(organisation, own.remove() if pages is None else own.set(pages)))


def list_ids() -> list[str]:
    """Return the ids of all organisations, for the operator: reads the whole table."""
    return sorted(item.pk for item in OrganisationItem.scan(OrganisationItem.sk == _SORT_KEY))


def next_document_id(organisation: str, count: int = 1) -> int:
    """Atomic counter: take `count` ids that no document of the organisation has had; return the first.

    Raises
    ------
    NotFoundError
        There is no such organisation.
    """
    item = _updated(organisation, OrganisationItem.last_document_id.add(count))
    return int(item.last_document_id) - count + 1


def documents_indexed(organisation: str) -> bool:
    """Tell whether all documents of an organisation are in the indexes of names, arrival and review."""
    item = OrganisationItem.find(organisation, _SORT_KEY)
    return item is not None and bool(item.documents_indexed)


def set_documents_indexed(organisation: str) -> None:
    """Record that all documents of an organisation are in the indexes. Idempotent.

    Raises
    ------
    NotFoundError
        There is no such organisation.
    """
    _updated(organisation, OrganisationItem.documents_indexed.set(True))


def _updated(organisation: str, action: Any) -> OrganisationItem:
    """Conditional write: update the row of an organisation that is there, and return it."""
    item = OrganisationItem(organisation, _SORT_KEY)
    if not conditional_write(lambda: item.update([action], condition=OrganisationItem.pk.exists())):
        raise _unknown(organisation)
    return item


def _unknown(organisation: str) -> NotFoundError:
    return NotFoundError(f"There is no organisation {organisation!r}; create it with `alma org create`.")


def _from_item(item: OrganisationItem) -> Organisation:
    pages = item.monthly_pages
    return Organisation(item.pk, item.name, item.created_at, None if pages is None else int(pages))
