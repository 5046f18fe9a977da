"""The tools for agents, over standard input and output: `alma mcp --stdio`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from alma.cli.command import CommandGroup
from alma.cli.connection import connect
from alma.cli.output import Output

commands = CommandGroup()


@commands.command("mcp")
def mcp(
    stdio: Annotated[bool, typer.Option("--stdio", help="Read messages from standard input until it ends.")],
) -> None:
    """Serve the tools for agents, over standard input and output.

    Hands the messages of an agent's program to the endpoint. The key is that of ALMA_API_URL and
    ALMA_API_KEY, else that of `alma login --agent`, else the one commands use.
    """
    from alma.cli import bridge

    dropped = bridge.run(connect(agent=True), sys.stdin.buffer, sys.stdout.buffer)
    if dropped:
        Output(as_json=False).warn(
            f"the input has ended, and {dropped} of its requests got no answer in time"
        )
        raise typer.Exit(1)
