"""Usage: what keys used in a month."""

from __future__ import annotations

from typing import Annotated

import typer

from alma.cli import tables
from alma.cli.command import AsJson, CommandGroup
from alma.cli.connection import connect
from alma.cli.output import Output

commands = CommandGroup()


@commands.command("usage")
def usage(
    month: Annotated[str | None, typer.Option("--month", help="2026-11; without, this one (UTC).")] = None,
    as_json: AsJson = False,
) -> None:
    """Print what the organisation's keys used in a month."""
    found = connect().call("GET", "/usage", month=month)
    Output(as_json).show(found, lambda: [tables.usage_table(found)])
