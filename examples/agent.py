"""An agent's part in review, through the official MCP client: look at what waits, and propose corrections.

    python -m examples.agent

Over `alma mcp --stdio`, so with ALMA_API_URL and ALMA_API_KEY, the key of `alma login --agent`, or the alma
that runs here; it needs the scopes mcp:read and mcp:write. `judge` is where a language model would stand:
this one knows a single rule, that a form is filed on the day of the stamp and not on that of the signature.
Proposals wait for a person and accept nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from mcp import Client, MCPError, StdioServerParameters
from mcp.types import TextContent

#: The bridge to the endpoint. The client hands few variables on by itself, and none of these.
SERVER = StdioServerParameters(
    command=sys.executable,
    args=["-m", "alma.cli", "mcp", "--stdio"],
    env={name: value for name, value in os.environ.items() if name.startswith(("ALMA_", "XDG_"))},
)

_STAMPED = re.compile(r"[A-Z]{3,9}\.? \d{1,2},? \d{4}")


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
    """Return what to propose for a date of filing from the lines of its page; None for nothing."""
    for above, line in pairwise(lines):
        stamped = _STAMPED.match(line["text"])
        if "RECEIVED" not in above["text"] or stamped is None:
            continue
        boxes = [word["bbox"] for word in line["words"][: len(stamped[0].split())]]
        return {
            "evidence": {"page": field["evidence"]["page"], "bbox": _round(boxes)},
            "comment": f"It was filed when it was received, and the stamp says {stamped[0]}.",
        }
    return None


def _round(boxes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the box round others."""
    x, y = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right, bottom = max(box["x"] + box["w"] for box in boxes), max(box["y"] + box["h"] for box in boxes)
    return {"x": x, "y": y, "w": min(right, 1) - x, "h": min(bottom, 1) - y}


async def review(client: Client, most: int = 3) -> list[dict[str, Any]]:
    """Propose corrections of fields that wait for review, and return those fields as they are then."""
    proposed: list[dict[str, Any]] = []
    cursor = None
    while len(proposed) < most:
        queue = await call(client, "review_queue", docType="registration_form", cursor=cursor)
        for waiting in queue["items"]:
            field, document = waiting["field"], waiting["documentId"]
            if field["key"] != "file_date" or field["evidence"] is None:
                continue
            # Where a proposal waits already, a person is to look, and not one more agent.
            if "proposed" in field["reasons"] or len(proposed) == most:
                continue
            page = await call(
                client, "get_page_text", documentId=document, page=field["evidence"]["page"], words=True
            )
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


async def main() -> int:
    """Review what waits and print the proposals; return the exit status."""
    status = 0
    try:
        async with Client(SERVER) as client:
            print(json.dumps(await review(client), indent=2, ensure_ascii=False))
    except* (MCPError, ToolError) as failed:
        cause: BaseException = failed
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        print(f"The archive cannot be read: {cause}", file=sys.stderr)
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
