"""Document types: `alma schema`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from alma.cli import tables
from alma.cli.command import AsJson, CommandGroup
from alma.cli.connection import connect
from alma.cli.output import Output, print_json
from alma.errors import BadRequestError

commands = CommandGroup()
schema = CommandGroup(help="Document types, shipped and your own.")
commands.add_typer(schema, name="schema")

TypeName = Annotated[str, typer.Argument(metavar="TYPE", show_default=False)]


@schema.command("list")
def list_types(as_json: AsJson = False) -> None:
    """List document types."""
    found = connect().call("GET", "/schemas")
    Output(as_json).show(found, lambda: [tables.schemas_table(found["schemas"])])


@schema.command("get")
def get(doc_type: TypeName, as_json: AsJson = False) -> None:
    """Print a type's definition, which `put` takes."""
    found = connect().call("GET", _path(doc_type))
    # The definition alone without --json, so that it can be edited and put back.
    print_json(found if as_json else found["definition"])


@schema.command("put")
def put(
    doc_type: Annotated[
        str,
        typer.Argument(metavar="TYPE", show_default=False, help="Lower case letters, digits, underscores."),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            parser=Path,
            show_default=False,
            help="Its definition as JSON; - for standard input.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Make or replace a type of your own."""
    text = sys.stdin.read() if file == Path("-") else file.read_text(encoding="utf-8")
    try:
        definition = json.loads(text)
    except ValueError as error:
        raise BadRequestError(f"{file} is not JSON: {error}.") from None
    stored = connect().call("PUT", _path(doc_type), definition)
    Output(as_json).show(
        stored, f"{stored['docType']} is kept; documents that arrive from now on can be of this type"
    )


@schema.command("delete")
def delete(doc_type: TypeName, as_json: AsJson = False) -> None:
    """Remove a type of your own."""
    connect().call("DELETE", _path(doc_type))
    Output(as_json).show(
        {"docType": doc_type, "deleted": True}, f"{doc_type} is removed; a shipped type of that name is back"
    )


def _path(doc_type: str) -> str:
    return f"/schemas/{quote(doc_type, safe='')}"
