"""Documents: send, list, read, export, history."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alma.cli import tables
from alma.cli.command import AsJson, CommandGroup, DocType, DocumentId, Limit
from alma.cli.connection import connect, list_all
from alma.cli.output import Output

if TYPE_CHECKING:
    from alma.cli.client import Client

commands = CommandGroup()


@commands.command("drop")
def drop(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", parser=Path, show_default=False)],
    doc_type: Annotated[
        str | None, typer.Option("--type", help="Type of the documents, if you know it.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Every file is one document: do not divide it.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait, and print the fields.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send files and have them read."""
    from rich.progress import DownloadColumn, TextColumn

    client, output = connect(), Output(as_json)
    for path in files:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not a file.")
    answers: list[dict[str, Any]] = []
    count = TextColumn("{task.percentage:>3.0f} %") if wait else DownloadColumn()
    with output.progress(count) as progress:
        total = sum(path.stat().st_size for path in files)
        sending = progress.add_task("sending", total=total)
        for path in files:
            document_id = client.upload(
                path, lambda size: progress.advance(sending, size), split=not whole, doc_type=doc_type
            )
            answers.append({"documentId": document_id, "fileName": path.name})
        if wait:
            reading = progress.add_task("reading", total=len(answers))
            for answer in answers:
                answer |= _result(client, answer["documentId"])
                progress.advance(reading)
    output.show({"documents": answers}, lambda: tables.dropped(answers))
    if any("error" in answer for answer in answers):
        raise typer.Exit(1)


def _result(client: Client, document_id: int) -> dict[str, Any]:
    """Return a document's fields once it is read, or why it cannot be."""
    from alma.cli.client import ApiError

    try:
        return client.wait(document_id)
    except ApiError as error:
        return {"error": error.code, "detail": error.detail}


@commands.command("list")
def list_documents(
    status: Annotated[
        Literal["processing", "ready", "failed"] | None,
        typer.Option("--status", help="Only with this status."),
    ] = None,
    doc_type: DocType = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List documents, newest first."""
    found = list_all("/documents", "documents", limit, status=status, docType=doc_type)
    Output(as_json).show(found, lambda: tables.listing(found))


@commands.command("get")
def get(
    document_id: DocumentId,
    tracks: Annotated[
        bool, typer.Option("--tracks", help="Also what every track reads, and why to look.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a document's fields."""
    found = connect().call("GET", f"/documents/{document_id}", tracks="all" if tracks else None)
    Output(as_json).show(found, lambda: tables.fields(found, document_id))


@commands.command("export")
def export(
    document_id: DocumentId,
    file_format: Annotated[
        Literal["csv", "xlsx", "xml", "json", "jsonl"], typer.Option("--format", help="Kind of file.")
    ] = "json",
    columns: Annotated[
        Literal["all"] | None,
        typer.Option("--columns", help="all: status, reasons, content and version too (csv, xlsx, xml)."),
    ] = None,
    bom: Annotated[
        bool, typer.Option("--bom", help="Begin a csv with a byte order mark, by which Excel sees UTF-8.")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option("-o", "--output", parser=Path, help="File to write; - for standard output."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Save a document's fields as a file."""
    body, name = connect().download(
        f"/export/{document_id}", format=file_format, columns=columns, bom=1 if bom else None
    )
    if file == Path("-"):
        sys.stdout.buffer.write(body)
        return
    save(body, file or Path(name or f"document-{document_id}.{file_format}"), as_json)


def save(body: bytes, path: Path, as_json: bool) -> None:
    """Write a file that was downloaded, and say where it is."""
    path.write_bytes(body)
    Output(as_json).show({"file": str(path), "bytes": len(body)}, f"{path} ({len(body)} bytes)")


@commands.command("history")
def history(document_id: DocumentId, as_json: AsJson = False) -> None:
    """Print what happened to a document."""
    client = connect()
    entries: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = client.call("GET", f"/documents/{document_id}/history", limit=100, cursor=cursor)
        entries += page["entries"]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    Output(as_json).show(
        {"documentId": document_id, "entries": entries}, lambda: [tables.history_table(entries)]
    )
