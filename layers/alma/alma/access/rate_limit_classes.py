"""Rate limit classes: requests that cost alike share a bucket (`alma.access.rate_limits`)."""

from __future__ import annotations

from enum import StrEnum


class RateLimitClass(StrEnum):
    """Requests that share a bucket."""

    READING = "reading"
    WRITING = "writing"
    MODELS = "models"
    EXPORT = "export"
    MCP = "mcp"
    MINTING = "minting"
