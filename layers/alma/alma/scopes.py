"""What a key may be used for."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """A kind of use."""

    MCP_READ = "mcp:read"
    MCP_WRITE = "mcp:write"
