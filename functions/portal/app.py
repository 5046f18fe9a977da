"""/v1/health and /v1/openapi.json: what anybody may know."""

from functools import cache

from alma import __version__
from alma.http.dispatch import serve
from alma.http.message import Request, Response
from alma.http.openapi import openapi
from alma.views import Health


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
