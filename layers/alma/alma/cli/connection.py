"""How commands reach the API; imported late, since the HTTP client is a fifth of a command's start-up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from alma.cli import target
from alma.errors import BadRequestError, NotFoundError

if TYPE_CHECKING:
    from alma.cli.client import Client

_PAGE_LIMIT = 200
"""Entries that one answer of the API has at most."""
_CANDIDATES = 10
"""Documents of one name that are told apart in a sentence."""
_NUMBER = re.compile(r"-?\d+", re.ASCII)


def connect(*, agent: bool = False) -> Client:
    """Return a client of the installation that is meant, for a person or for an agent."""
    from alma.cli.client import Client

    return Client(target.api(agent=agent))


def list_all(path: str, items: str, limit: int, **query: object) -> dict[str, Any]:
    """Return a listing of the API with up to `limit` entries, gathered page by page.

    A page may hold fewer than asked for, where filters leave out most of what was looked at.
    """
    client, found = connect(), dict[str, Any]({items: [], "nextCursor": None})
    while (missing := limit - len(found[items])) > 0:
        page_limit, cursor = min(missing, _PAGE_LIMIT), found["nextCursor"]
        page = client.call("GET", path, limit=page_limit, cursor=cursor, **query)
        found = {**page, items: found[items] + page[items]}
        if found["nextCursor"] is None:
            break
    return found


def history_of(client: Client, document_id: int) -> list[dict[str, Any]]:
    """Return what happened to a document, oldest first, gathered page by page."""
    entries: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = client.call("GET", f"/documents/{document_id}/history", limit=100, cursor=cursor)
        entries += page["entries"]
        cursor = page["nextCursor"]
        if cursor is None:
            return entries


def find_document(client: Client, named: str) -> int:
    """Return the number of a document that is named by its number or by its file, with or without `.pdf`.

    Raises
    ------
    NotFoundError
        There is none of a file of that name.
    BadRequestError
        There are several.
    """
    if _NUMBER.fullmatch(named):
        return int(named)
    found = client.named(named)
    if not found:
        raise NotFoundError(f"There is no document of a file {named}; `alma list` shows their names.")
    if len(found) > 1:
        shown = ", ".join(map(_described, found[:_CANDIDATES]))
        more = f", and {len(found) - _CANDIDATES} older ones" if len(found) > _CANDIDATES else ""
        raise BadRequestError(f"{named} is the file of several documents; give one's number: {shown}{more}.")
    return int(found[0]["documentId"])


def _described(document: dict[str, Any]) -> str:
    pages = document.get("pageRange")
    part = f", pages {pages['first']} to {pages['last']}" if pages else ""
    return f"{document['documentId']} ({document['status']}, {document['createdAt']}{part})"
