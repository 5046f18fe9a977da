"""POST /mcp: the Model Context Protocol."""

from alma import limits
from alma.archive import Archive
from alma.http.dispatch import serve
from alma.http.message import Request, Response
from alma.limits import Family
from alma.mcp.toolbox import ToolBox
from alma.mcp.transport import handle, internal_error


def mcp(request: Request) -> Response:
    """Answer one message; the transport decides about every method."""

    def admit(family: Family) -> None:
        standing = limits.take(family, request.caller, request.address)
        if standing.refusal is not None:
            raise standing.refusal

    tools = ToolBox(Archive(request.organisation, request.key_id), request.scopes, admit)
    try:
        answer = handle(request.method, request.headers, request.body, tools, host=request.domain)
    finally:
        request.named.update(tools.called)
    return Response(answer.status, answer.body, answer.headers)


def crashed(request: Request) -> Response:
    """Answer in JSON-RPC's own words when something unexpected was raised."""
    answer = internal_error(request.body)
    return Response(answer.status, answer.body, answer.headers)


handler = serve("mcp", {"mcp": mcp, "mcp_stream": mcp, "mcp_session": mcp}, crashed=crashed)
