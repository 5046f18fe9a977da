"""POST /mcp: the Model Context Protocol."""

from alma.archive import Archive
from alma.http.dispatch import serve
from alma.http.message import Request, Response
from alma.mcp.toolbox import ToolBox
from alma.mcp.transport import handle, internal_error


def mcp(request: Request) -> Response:
    """Answer one message; the transport decides about every method."""
    tools = ToolBox(Archive(request.organisation, request.key_id), request.scopes)
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
