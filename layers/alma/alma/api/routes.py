"""Every route of the API, in one table: what each room adds.

The gateway routes by template.yaml, so the code never matches paths: a function looks the matched (method,
resource) up in the rows it serves. Scopes, limits, the OpenAPI document and the contract tests read this
table; a route without a row cannot be served. A function imports the rows of its own rooms only.
"""

from __future__ import annotations

from alma.api import access, document_types, documents, mcp, metering, models, pages, portal, review
from alma.api.operation import Route

ROUTES: tuple[Route, ...] = (
    *documents.ROUTES,
    *pages.ROUTES,
    *review.ROUTES,
    *models.ROUTES,
    *document_types.ROUTES,
    *access.ROUTES,
    *metering.ROUTES,
    *mcp.ROUTES,
    *portal.ROUTES,
)
