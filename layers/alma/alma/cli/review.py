"""Review: what waits for a person, decisions field by field, corrections from a list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from alma.cli import tables
from alma.cli.command import AsJson, CommandGroup, DocType, DocumentId, Limit
from alma.cli.connection import connect, list_all
from alma.cli.output import Output
from alma.errors import BadRequestError, ConflictError, NotFoundError

commands = CommandGroup()

FieldId = Annotated[
    str,
    typer.Argument(
        metavar="FIELD", show_default=False, help="Id of the field: party[1], line_items[3].amount."
    ),
]
Comment = Annotated[str | None, typer.Option("--comment", help="For the document's history.")]
Version = Annotated[
    int | None,
    typer.Option("--version", help="The one you saw, from `review`: refused if the field has changed since."),
]


def _box(text: str) -> dict[str, float]:
    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter("a box is four numbers: x,y,w,h") from None
    return {"x": x, "y": y, "w": w, "h": h}


@commands.command("review")
def review(
    doc_type: DocType = None,
    field: Annotated[str | None, typer.Option("--field", help="Its key.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List fields that wait for a person."""
    found = list_all("/review-queue", "items", limit, docType=doc_type, field=field)
    Output(as_json).show(found, lambda: [tables.queue_table(found["items"])])


@commands.command("accept")
def accept(
    document_id: DocumentId,
    field: FieldId,
    comment: Comment = None,
    version: Version = None,
    track: Annotated[
        str | None, typer.Option("--track", help="Whose reading is right, where an agent proposes another.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say that a field's value is right."""
    _decide(
        "accept", document_id, field, version, comment, as_json, lambda now: {"track": _track(track, now)}
    )


@commands.command("edit")
def edit(
    document_id: DocumentId,
    field: FieldId,
    comment: Comment = None,
    version: Version = None,
    value: Annotated[str | None, typer.Option("--value", help="What it is.")] = None,
    page: Annotated[int | None, typer.Option("--page", help="The page it stands on.")] = None,
    box: Annotated[
        dict[str, float] | None,
        typer.Option("--box", parser=_box, metavar="X,Y,W,H", help="Where on it, as shares of the page."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a field's value is, or where it stands."""
    if (page is None) != (box is None):
        raise BadRequestError("Give --page and --box together.")
    changes: dict[str, Any] = {} if value is None else {"value": value}
    if box is not None:
        changes["evidence"] = {"page": page, "bbox": box}
    _decide("edit", document_id, field, version, comment, as_json, lambda _: changes)


@commands.command("reject")
def reject(
    document_id: DocumentId,
    field: FieldId,
    comment: Comment = None,
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Say that nobody should use a field's value."""
    _decide("reject", document_id, field, version, comment, as_json)


def _decide(
    action: str,
    document_id: int,
    field: str,
    version: int | None,
    comment: str | None,
    as_json: bool,
    more: Callable[[dict[str, Any]], dict[str, Any]] = lambda _: {},
) -> None:
    """Decide a field; `more` returns what the decision says beside action, version and comment."""
    client = connect()
    now = _find(client.call("GET", f"/documents/{document_id}", tracks="all"), document_id, field)
    body = {"action": action, "version": _version(version, now), **more(now)}
    if comment is not None:
        body["comment"] = comment
    decided = client.call("PATCH", f"/documents/{document_id}/fields/{quote(now['id'], safe='')}", body)
    value = "" if decided["value"] is None else f": {decided['value']}"
    Output(as_json).show(decided, f"{decided['id']} is {decided['status']}{value}")


def _find(document: dict[str, Any], document_id: int, field: str) -> dict[str, Any]:
    """Return a document's field; `party[0]` and `party` are the same."""
    wanted = field.replace("[0]", "")
    for each in document.get("fields", []):
        if each["id"].replace("[0]", "") == wanted:
            return dict[str, Any](each)
    raise NotFoundError(f"There is no field {field} in document {document_id}.")


def _version(version: int | None, field: dict[str, Any]) -> int:
    """Return the version to decide: the one that was seen, or what it is now where nobody has decided yet."""
    if version is None and field["status"] in ("accepted", "edited", "rejected"):
        raise ConflictError(
            f"{field['id']} is {field['status']} by {field['reviewedBy']}; give --version "
            f"{field['version']} to decide it anew."
        )
    return int(field["version"] if version is None else version)


def _track(track: str | None, field: dict[str, Any]) -> str | None:
    """Return whose reading to accept; where there is a proposal beside what was read, that has to be said."""
    tracks = [each["track"] for each in field["tracks"]]
    if track is None and len(tracks) > 1 and any(each.startswith("agent:") for each in tracks):
        values = ", ".join(f"--track {each['track']} for {each['value']!r}" for each in field["tracks"])
        raise BadRequestError(f"There is a proposal for {field['id']}; say which is right: {values}.")
    return track


@commands.command("correct")
def correct(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            parser=Path,
            show_default=False,
            help='jsonl, a document a line: {"file": "a.pdf", "fields": [{"key", "value", "page", "bbox"}]}.',
        ),
    ],
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Fields the list does not name are left to a person, not rejected."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Correct documents from a list of values."""
    from alma.cli.correct import correct, read_list

    client = connect()
    rows = read_list(file)
    numbers = client.latest({name for name, _ in rows})
    complete: frozenset[str] | None = frozenset() if partial else None
    answers = []
    for name, truths in rows:
        number = numbers.get(name)
        if number is None:
            raise BadRequestError(f"There is no document of a file {name}; drop it first.")
        counts = correct(client, number, truths, complete=complete)
        answers.append({"documentId": number, "fileName": name, **counts})
    Output(as_json).show({"documents": answers}, lambda: tables.corrected(answers))
