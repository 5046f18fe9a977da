"""POST /mcp: the Model Context Protocol."""

from alma.access import rate_limits
from alma.access.rate_limit_classes import RateLimitClass
from alma.api import mcp as api_mcp
from alma.api.dispatch import serve
from alma.api.errors import error_response
from alma.api.request import Call, Request, Response
from alma.api.request_models import Nothing
from alma.errors import AlmaError, UnauthorizedError
from alma.mcp.services import Services
from alma.mcp.toolbox import ToolBox
from alma.mcp.transport import handle, refusal


def mcp(call: Call[Nothing, None, None]) -> Response:
    """Answer one message; the transport decides about every method."""
    request = call.request

    def admit(limited_as: RateLimitClass) -> None:
        status = rate_limits.take(limited_as, request.caller, request.address, counted=True)
        if status.refusal is not None:
            raise status.refusal

    tools = ToolBox(Services.of(call.organisation, call.key_id), request.scopes, admit)
    try:
        answer = handle(request.method, request.headers, request.body, tools, host=request.domain)
    finally:
        call.log.add(**tools.called)
    return Response(answer.status, answer.body, answer.headers)


def refuse(request: Request, error: AlmaError) -> Response:
    """Answer for an error in JSON-RPC's own words."""
    usual = error_response(error, request.request_id)
    if isinstance(error, UnauthorizedError):
        return usual
    told = {"error": error.code, "detail": error.detail, "request_id": request.request_id}
    answer = refusal(request.body, error.status, error.detail, told)
    return Response(answer.status, answer.body, {**usual.headers, **answer.headers})


handler = serve("mcp", api_mcp.ROUTES, {"mcp": mcp, "mcp_stream": mcp, "mcp_session": mcp}, refuse=refuse)
