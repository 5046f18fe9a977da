"""The agents' endpoint as routes; what it says is `alma.mcp`."""

from __future__ import annotations

from alma.access.scopes import Scope
from alma.api.operation import Route

ROUTES = (
    Route(
        "POST",
        "/mcp",
        "mcp",
        "mcp",
        "Model Context Protocol: one JSON-RPC 2.0 message.",
        Scope.MCP_READ,
        {
            200: ("application/json",),
            202: None,
            400: ("application/json",),
            404: ("application/json",),
        },
        query=None,
    ),
    Route(
        "GET",
        "/mcp",
        "mcp",
        "mcp_stream",
        "Not offered: this endpoint does not stream.",
        Scope.MCP_READ,
        {405: None},
        query=None,
    ),
    Route(
        "DELETE",
        "/mcp",
        "mcp",
        "mcp_session",
        "Not offered: this endpoint keeps no sessions.",
        Scope.MCP_READ,
        {405: None},
        query=None,
    ),
)
