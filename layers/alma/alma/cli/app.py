"""The root of the commands, and the process's exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
import typer.main

from alma import __version__
from alma.cli import access, audit, document_types, documents, mcp, models, review, usage
from alma.cli.command import PIPE_CLOSED, CommandGroup

app = CommandGroup(
    epilog="The API: ALMA_API_URL and ALMA_API_KEY, else the alma that runs here, else `alma login`.",
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for each in (documents, review, document_types, models, access, usage, audit, mcp):
    app.add_typer(each.commands)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"alma {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Documents in, fields with evidence out."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    0 done; 1 refused, failed or not as it should be; 130 interrupted; 141 nobody reads the output any more.

    Raises
    ------
    SystemExit
        2, wrong usage.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    status = 0
    try:
        typer.main.get_command(app).main(args=arguments, prog_name="alma")
    except SystemExit as ended:
        if ended.code == 2:
            raise
        status = int(ended.code or 0)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer goes nowhere; otherwise the interpreter complains of it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return status
