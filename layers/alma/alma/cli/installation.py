"""The installation itself: which one commands talk to, whether it answers, what it offers."""

from __future__ import annotations

from typing import Annotated

import typer

from alma.cli import target
from alma.cli.command import AsJson, CommandGroup
from alma.cli.connection import connect
from alma.cli.output import Output, print_json

commands = CommandGroup()

_HINT = 13
"""How much of a key says which one it is: `alma_` and what its id has."""


@commands.command("whoami")
def whoami(
    agent: Annotated[bool, typer.Option("--agent", help="What `alma mcp --stdio` talks to.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print which API commands talk to, with which key, and where that is from."""
    found = target.api(agent=agent)
    hint = f"{found.key[:_HINT]}…"
    Output(as_json).show(
        {"url": found.url, "key": hint, "source": found.source},
        f"{found.url} with the key {hint}, from {found.source}",
    )


@commands.command("health")
def health(as_json: AsJson = False) -> None:
    """Ask whether the API answers."""
    client = connect()
    found = client.call("GET", "/health")
    Output(as_json).show(found, f"{client.url} answers, version {found['version']}")


@commands.command("openapi")
def openapi(as_json: AsJson = False) -> None:
    """Print the API's description, OpenAPI as JSON."""
    print_json(connect().call("GET", "/openapi.json"))
