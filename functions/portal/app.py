"""/v1/health and /v1/openapi.json: what anybody may know."""

from functools import cache
from typing import Any

from alma import __version__
from alma.api import portal
from alma.api.dispatch import serve
from alma.api.portal import Health
from alma.api.request import Call, Response


def health(_: Call[Any, Any, None]) -> Response:
    """Answer that alma is here."""
    return Response.of(Health(version=__version__))


@cache
def _description() -> Response:
    from alma.api.openapi import openapi  # the models of every room, which health has no use for

    return Response(200, openapi())


def description(_: Call[Any, Any, None]) -> Response:
    """Answer with the API's description."""
    return _description()


handler = serve("portal", portal.ROUTES, {"health": health, "openapi": description})
