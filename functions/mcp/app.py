"""POST /mcp: the Model Context Protocol."""

from alma.access import rate_limits
from alma.access.rate_limit_classes import RateLimitClass
from alma.api.archive import Archive
from alma.api.dispatch import error_response, serve
from alma.api.request import Request, Response
from alma.errors import AlmaError, UnauthorizedError
from alma.mcp.toolbox import ToolBox
from alma.mcp.transport import handle, refusal


def mcp(request: Request) -> Response:
    """Answer one message; the transport decides about every method."""

    def admit(family: RateLimitClass) -> None:
        standing = rate_limits.take(family, request.caller, request.address, counted=True)
        if standing.refusal is not None:
            raise standing.refusal

    tools = ToolBox(Archive(request.organisation, request.key_id), request.scopes, admit)
    try:
        answer = handle(request.method, request.headers, request.body, tools, host=request.domain)
    finally:
        request.named.update(tools.called)
    return Response(answer.status, answer.body, answer.headers)


def refuse(request: Request, error: AlmaError) -> Response:
    """Answer for an error in JSON-RPC's own words."""
    usual = error_response(error, request.request_id)
    if isinstance(error, UnauthorizedError):
        return usual
    told = {"error": error.code, "detail": error.detail, "request_id": request.request_id}
    answer = refusal(request.body, error.status, error.detail, told)
    return Response(answer.status, answer.body, {**usual.headers, **answer.headers})


handler = serve("mcp", {"mcp": mcp, "mcp_stream": mcp, "mcp_session": mcp}, refuse=refuse)
