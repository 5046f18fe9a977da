"""How commands reach the API; imported late, since the HTTP client is a fifth of a command's start-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alma.cli import target

if TYPE_CHECKING:
    from alma.cli.client import Client

_PAGE_LIMIT = 200
"""Entries that one answer of the API has at most."""


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
