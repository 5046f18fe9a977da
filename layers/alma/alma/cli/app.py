"""The root of the commands, and the process's exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
import typer.main

from alma import __version__
from alma.cli import access, audit, document_types, documents, installation, mcp, models, review, usage
from alma.cli.command import PIPE_CLOSED, CommandGroup

app = CommandGroup(
    epilog="The API: ALMA_API_URL and ALMA_API_KEY, else that of `alma login`, else the alma that runs here; "
    "`alma whoami` says which.",
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for each in (documents, review, document_types, models, access, usage, audit, installation, mcp):
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
        status = _run(arguments)
        print(end="", flush=True)
    except OSError as error:
        # Standard output cannot be written. Discard its buffer, which the interpreter would try once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return PIPE_CLOSED
        if status == 0:
            print(f"alma: {error}", file=sys.stderr)
        return 1
    return status


def _run(arguments: list[str]) -> int:
    try:
        typer.main.get_command(app).main(args=arguments, prog_name="alma")
    except SystemExit as ended:
        if ended.code == 2:
            raise
        return int(ended.code or 0)
    return 0
