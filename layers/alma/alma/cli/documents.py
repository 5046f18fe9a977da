"""Documents: send, list, read, export, history, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from alma.cli import tables
from alma.cli.command import (
    ArrivedFrom,
    ArrivedTo,
    AsJson,
    CommandGroup,
    DocType,
    DocumentName,
    FileName,
    Limit,
)
from alma.cli.connection import connect, find_document, history_of, list_all
from alma.cli.downloads import Force, To, download
from alma.cli.output import Output
from alma.errors import BadRequestError, ConflictError

commands = CommandGroup()


@commands.command("drop")
def drop(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", parser=Path, show_default=False)],
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Send what is in folders, too, and in those in them.")
    ] = False,
    doc_type: Annotated[
        str | None, typer.Option("--type", help="Type of the documents, if you know it.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Every file is one document: do not divide it.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait, and print the fields.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send files and have them read.

    Of a folder the kinds of files are sent that alma reads, by their names' endings; hidden ones are not.
    """
    from alma.cli import sending

    client, output = connect(), Output(as_json)
    paths, left_out = sending.collect(files, recursive)
    if left_out:
        more = f" and {len(left_out) - 3} more" if len(left_out) > 3 else ""
        output.remark(f"not sent, being of other kinds: {', '.join(map(str, left_out[:3]))}{more}")
    answers = sending.send(client, paths, output, split=not whole, doc_type=doc_type, wait=wait)
    output.show({"documents": answers}, lambda: tables.dropped(answers))
    if any("error" in answer for answer in answers):
        raise typer.Exit(1)


@commands.command("list")
def list_documents(
    status: Annotated[
        Literal["processing", "ready", "failed"] | None,
        typer.Option("--status", help="Only with this status."),
    ] = None,
    doc_type: DocType = None,
    name: FileName = None,
    arrived_from: ArrivedFrom = None,
    arrived_to: ArrivedTo = None,
    review: Annotated[
        Literal["waiting", "escalated", "unreviewed", "missing", "done"] | None,
        typer.Option("--review", help="Only with fields that wait, escalated ones, ...; done: none waits."),
    ] = None,
    confidence_below: Annotated[
        float | None,
        typer.Option(
            "--confidence-below",
            min=0,
            max=1,
            help="Only with a field that waits and is less sure than this.",
        ),
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List documents, newest first."""
    only = {"status": status, "docType": doc_type, "name": name, "from": arrived_from, "to": arrived_to}
    of_fields = {"review": review, "confidenceBelow": confidence_below}
    found = list_all("/documents", "documents", limit, **only, **of_fields)
    Output(as_json).show(found, lambda: tables.listing(found))


@commands.command("get")
def get(
    document: DocumentName,
    tracks: Annotated[
        bool, typer.Option("--tracks", help="Also what every track reads, and why to look.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a document's fields."""
    client = connect()
    document_id = find_document(client, document)
    # People see the file's name and what to call each field by, which come with the tracks only.
    said = None if as_json and not tracks else "all"
    found = client.call("GET", f"/documents/{document_id}", tracks=said)
    shown = found if tracks else tables.without_tracks(found)
    Output(as_json).show(found, lambda: tables.fields(shown, document_id, shown.get("fileName")))


@commands.command("export")
def export(
    document: DocumentName,
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
    file: To = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Save a document's fields as a file."""
    client = connect()
    document_id = find_document(client, document)
    name, path = f"document-{document_id}.{file_format}", f"/export/{document_id}"
    asked = {"format": file_format, "columns": columns, "bom": 1 if bom else None}
    download(client, path, name, file=file, force=force, as_json=as_json, **asked)


@commands.command("file")
def file_of(document: DocumentName, file: To = None, force: Force = False, as_json: AsJson = False) -> None:
    """Save the file that a document was sent as."""
    client = connect()
    document_id = find_document(client, document)
    path = f"/documents/{document_id}/file"
    download(client, path, f"document-{document_id}", file=file, force=force, as_json=as_json)


@commands.command("page")
def page_of(
    document: DocumentName,
    page: Annotated[int, typer.Argument(metavar="PAGE", min=1, help="Its number in the document.")] = 1,
    image: Annotated[bool, typer.Option("--image", help="Save its image, a PNG.")] = False,
    file: To = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Print the text of a page; --json with every word's place, --image saves how it looks."""
    if file is not None and not image:
        raise BadRequestError("-o names the file of --image.")
    client = connect()
    document_id = find_document(client, document)
    path = f"/pages/{document_id}/p{page}"
    if image:
        name = f"document-{document_id}-p{page}.png"
        download(client, f"{path}.png", name, file=file, force=force, as_json=as_json)
        return
    found = client.call("GET", f"{path}.json")
    if "tracks" not in found:
        raise ConflictError(f"Document {document_id} is still being read; ask again in a moment.")
    Output(as_json).show(found, lambda: tables.page_text(found))


@commands.command("delete")
def delete(document: DocumentName, as_json: AsJson = False) -> None:
    """Remove a document with all that was made of it, and the file with the last document of it."""
    client = connect()
    document_id = find_document(client, document)
    client.call("DELETE", f"/documents/{document_id}")
    Output(as_json).show({"documentId": document_id, "deleted": True}, f"document {document_id} is removed")


@commands.command("history")
def history(document: DocumentName, as_json: AsJson = False) -> None:
    """Print what happened to a document."""
    client = connect()
    document_id = find_document(client, document)
    entries = history_of(client, document_id)
    Output(as_json).show(
        {"documentId": document_id, "entries": entries}, lambda: [tables.history_table(entries)]
    )
