"""/v1/health and /v1/openapi.json: what anybody may know."""

from functools import cache

from alma import __version__
from alma.api.dispatch import serve
from alma.api.openapi import openapi
from alma.api.request import Request, Response
from alma.api.views import Health


def health(_: Request) -> Response:
    """Answer that alma is here."""
    return Response(200, Health(version=__version__).model_dump())


@cache
def _description() -> Response:
    return Response(200, openapi())


def description(_: Request) -> Response:
    """Answer with the API's description."""
    return _description()


handler = serve("portal", {"health": health, "openapi": description})
