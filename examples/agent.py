"""An agent's part in review, through the official MCP client: look at what waits, and propose corrections.

    python -m examples.agent

Over `alma mcp --stdio`, so with the key of the alma that runs here, or ALMA_API_URL and ALMA_API_KEY; it
needs the scopes mcp:read and mcp:write. `judge` is where a language model would stand: this one knows a
single rule, that a value which is part of a line may have been cut short. Proposals wait for a person and
accept nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.types import TextContent

#: The bridge to the endpoint.
SERVER = StdioServerParameters(command=sys.executable, args=["-m", "alma.cli", "mcp", "--stdio"])


class ToolError(Exception):
    """A tool could not do it; the text is for the model that called it."""


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """Call a tool and return what it gives.

    Raises
    ------
    ToolError
        It could not do it.
    """
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        told = [json.loads(each.text) for each in result.content if isinstance(each, TextContent)]
        raise ToolError(told[0]["detail"])
    return dict(result.structured_content or {})


def judge(field: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what to propose for a field from the lines of its page; None for nothing."""
    content = field["tracks"][0]["content"]
    line = next((each for each in lines if content in each["text"] and content != each["text"]), None)
    if line is None:
        return None
    return {
        "evidence": {"page": field["evidence"]["page"], "bbox": line["bbox"]},
        "comment": f"The line goes on: {line['text']}",
    }


async def review(client: Client, most: int = 3) -> list[dict[str, Any]]:
    """Propose corrections of escalated fields, and return those fields as they are then."""
    proposed: list[dict[str, Any]] = []
    cursor = None
    while len(proposed) < most:
        queue = await call(client, "review_queue", status="escalated", cursor=cursor)
        for waiting in queue["items"]:
            field, document = waiting["field"], waiting["documentId"]
            if field["evidence"] is None or not field["tracks"] or len(proposed) == most:
                continue
            page = await call(client, "get_page_text", documentId=document, page=field["evidence"]["page"])
            proposal = judge(field, page["lines"])
            if proposal is None:
                continue
            named = {"documentId": document, "field": field["id"], "version": field["version"]}
            try:
                after = await call(client, "propose_correction", **named, **proposal)
            except ToolError as error:
                print(f"{field['id']}: {error}", file=sys.stderr)
                continue
            proposed.append({"documentId": document, "field": after})
        cursor = queue["nextCursor"]
        if cursor is None:
            break
    return proposed


async def main() -> None:
    """Review what waits and print the proposals."""
    async with Client(SERVER) as client:
        print(json.dumps(await review(client), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    asyncio.run(main())
