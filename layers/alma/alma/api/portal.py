"""What anybody may know: that alma answers, and the API's description."""

from __future__ import annotations

from typing import Literal

from alma.api.operation import PUBLIC, Route
from alma.presentation.view import View


class Health(View):
    """alma answers."""

    status: Literal["ok"] = "ok"
    version: str


ROUTES = (
    Route(
        "GET",
        "/v1/health",
        "portal",
        "health",
        "Tell whether alma answers.",
        PUBLIC,
        {200: Health},
    ),
    Route(
        "GET",
        "/v1/openapi.json",
        "portal",
        "openapi",
        "This API's description.",
        PUBLIC,
        {200: ("application/json",)},
    ),
)
