"""What keys may do: roles, and the scopes they stand for.

A route and a tool name one scope each; a key carries a set of them. A role is a usual set; scopes given to
a key of its own only narrow its role down.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    """What a key is for; each role may do what the ones after it may."""

    ADMIN = "admin"
    REVIEWER = "reviewer"
    READER = "reader"


class Scope(StrEnum):
    """One thing a key may be allowed to do."""

    DOCUMENTS_READ = "documents:read"
    DOCUMENTS_WRITE = "documents:write"
    REVIEW_WRITE = "review:write"
    REVIEW_ADMIN = "review:admin"
    """Release a claim that another key holds."""
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    EXPORT_READ = "export:read"
    KEYS_ADMIN = "keys:admin"
    MCP_READ = "mcp:read"
    MCP_WRITE = "mcp:write"


_READER = frozenset({Scope.DOCUMENTS_READ, Scope.MODELS_READ, Scope.EXPORT_READ, Scope.MCP_READ})
_REVIEWER = _READER | {Scope.DOCUMENTS_WRITE, Scope.REVIEW_WRITE, Scope.MCP_WRITE}
_OF_ROLE = {Role.READER: _READER, Role.REVIEWER: _REVIEWER, Role.ADMIN: frozenset(Scope)}


def of_role(role: Role) -> frozenset[Scope]:
    """Return what a role may do."""
    return _OF_ROLE[role]


def parse(names: Iterable[str] | None, role: Role) -> frozenset[Scope]:
    """Return the scopes that were kept for a key; None stands for those of its role.

    Names of a later version of alma are left out: what is not known allows nothing.
    """
    if names is None:
        return of_role(role)
    known = {scope.value for scope in Scope}
    return frozenset(Scope(name) for name in names if name in known)


def listed(scopes: Iterable[Scope]) -> list[str]:
    """Return the names of scopes in the order they are defined in."""
    given = set(scopes)
    return [scope.value for scope in Scope if scope in given]
