"""Review: what waits for a person, decisions field by field, claims, corrections from a list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

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
from alma.cli.output import Output
from alma.errors import BadRequestError, ConflictError, NotFoundError

if TYPE_CHECKING:
    from alma.cli.client import Client

commands = CommandGroup()

_DECIDED = ("accepted", "edited", "rejected")

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


FieldValue = Annotated[str | None, typer.Option("--value", help="What it is.")]
FieldPage = Annotated[int | None, typer.Option("--page", help="The page it stands on.")]
FieldBox = Annotated[
    dict[str, float] | None,
    typer.Option("--box", parser=_box, metavar="X,Y,W,H", help="Where on it, as shares of the page."),
]


@commands.command("review")
def review(
    doc_type: DocType = None,
    field: Annotated[str | None, typer.Option("--field", help="Its key.")] = None,
    status: Annotated[
        Literal["escalated", "unreviewed"] | None, typer.Option("--status", help="Only with this status.")
    ] = None,
    max_confidence: Annotated[
        float | None,
        typer.Option(
            "--max-confidence", min=0, max=1, help="Only fields at most this sure, and of unknown confidence."
        ),
    ] = None,
    name: FileName = None,
    arrived_from: ArrivedFrom = None,
    arrived_to: ArrivedTo = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List fields that wait for a person."""
    only = {"docType": doc_type, "field": field, "status": status, "maxConfidence": max_confidence}
    documents = {"name": name, "from": arrived_from, "to": arrived_to}
    found = list_all("/review-queue", "items", limit, **only, **documents)
    Output(as_json).show(found, lambda: tables.queue(found["items"]))


@commands.command("accept")
def accept(
    document: DocumentName,
    field: FieldId,
    comment: Comment = None,
    version: Version = None,
    track: Annotated[
        str | None, typer.Option("--track", help="Whose reading is right, where an agent proposes another.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say that a field's value is right."""
    _decide("accept", document, field, version, comment, as_json, lambda now: {"track": _track(track, now)})


@commands.command("edit")
def edit(
    document: DocumentName,
    field: FieldId,
    comment: Comment = None,
    version: Version = None,
    value: FieldValue = None,
    page: FieldPage = None,
    box: FieldBox = None,
    as_json: AsJson = False,
) -> None:
    """Say what a field's value is, or where it stands."""
    changes = _correction(value, page, box)
    _decide("edit", document, field, version, comment, as_json, lambda _: changes)


@commands.command("reject")
def reject(
    document: DocumentName,
    field: FieldId,
    comment: Comment = None,
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Say that nobody should use a field's value."""
    _decide("reject", document, field, version, comment, as_json)


@commands.command("escalate")
def escalate(
    document: DocumentName,
    field: FieldId,
    comment: Comment = None,
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Say that a person must look at a field."""
    _decide("escalate", document, field, version, comment, as_json)


@commands.command("add")
def add(
    document: DocumentName,
    key: Annotated[
        str,
        typer.Argument(metavar="KEY", show_default=False, help="Which field of its type; GROUP.COLUMN, too."),
    ],
    value: FieldValue = None,
    page: FieldPage = None,
    box: FieldBox = None,
    row: Annotated[
        int | None, typer.Option("--row", help="Row of the group, 0 for the first; without it, a new one.")
    ] = None,
    comment: Comment = None,
    as_json: AsJson = False,
) -> None:
    """Add a field that was not found; of a box alone the value is read."""
    given = {"key": key, "row": row, "comment": comment} | _correction(value, page, box)
    body = {name: each for name, each in given.items() if each is not None}
    client = connect()
    added = client.call("POST", f"/documents/{find_document(client, document)}/fields", body)
    Output(as_json).show(added, _decided(added))


@commands.command("claim")
def claim(
    document: DocumentName,
    seconds: Annotated[
        int, typer.Option("--seconds", show_default=False, help="For how long; ten minutes without it.")
    ] = 600,
    as_json: AsJson = False,
) -> None:
    """Work on a document alone for a while, or go on with it."""
    client = connect()
    document_id = find_document(client, document)
    found = client.call("POST", f"/documents/{document_id}/claim", {"seconds": seconds})
    Output(as_json).show(found, f"document {document_id} is yours until {found['expiresAt']}")


@commands.command("release")
def release(document: DocumentName, as_json: AsJson = False) -> None:
    """End a claim: your own, or with the scope review:admin anybody's."""
    client = connect()
    document_id = find_document(client, document)
    client.call("POST", f"/documents/{document_id}/release")
    Output(as_json).show({"documentId": document_id, "released": True}, f"document {document_id} is released")


@commands.command("extract")
def extract(
    document: DocumentName,
    doc_type: Annotated[
        str | None, typer.Option("--type", help="The type it is; the one it has now without it.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is, and print the fields.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read a document again, by today's types; what people decided stays."""
    client = connect()
    document_id = find_document(client, document)
    body = {} if doc_type is None else {"docType": doc_type}
    found = client.call("POST", f"/documents/{document_id}/extract", body)
    if wait:
        found = client.wait_for_re_extraction(document_id)
        Output(as_json).show(found, lambda: tables.fields(found, document_id))
        return
    Output(as_json).show(found, f"document {document_id} will be read again; it stays as it is until then")


def _page_range(text: str) -> dict[str, int]:
    first, dash, last = text.partition("-")
    try:
        return {"first": int(first), "last": int(last if dash else first)}
    except ValueError:
        raise typer.BadParameter("pages are 3 or 1-2") from None


@commands.command("split")
def split(
    document: DocumentName,
    at: Annotated[
        list[int] | None,
        typer.Option("--at", metavar="PAGE", help="A page on which a further document begins; repeatable."),
    ] = None,
    pages: Annotated[
        list[str] | None,
        typer.Option(
            "--pages",
            metavar="FIRST-LAST",
            help="Pages of a document, instead of --at; repeatable. Pages of none go.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Split a document by pages; what people decided goes with its page, all else is read anew."""
    if bool(at) == bool(pages):
        raise BadRequestError("Say where: --at once or more, or --pages.")
    client = connect()
    document_id = find_document(client, document)
    body: dict[str, Any] = {"at": at} if at else {"parts": [_page_range(each) for each in pages or ()]}
    found = client.call("POST", f"/documents/{document_id}/split", body)
    numbers = ", ".join(str(each["documentId"]) for each in found["documents"])
    Output(as_json).show(found, f"document {document_id} becomes {numbers}; they are read anew")


@commands.command("merge")
def merge(
    document: DocumentName,
    others: Annotated[
        list[str], typer.Argument(metavar="OTHER…", show_default=False, help="Documents, in this order.")
    ],
    as_json: AsJson = False,
) -> None:
    """Merge documents into the first one; what people decided stays, all else is read anew."""
    client = connect()
    document_id, *numbers = [find_document(client, each) for each in (document, *others)]
    found = client.call("POST", f"/documents/{document_id}/merge", {"documents": numbers})
    Output(as_json).show(
        found, f"{', '.join(map(str, numbers))} become pages of document {document_id}; it is read anew"
    )


def _correction(value: str | None, page: int | None, box: dict[str, float] | None) -> dict[str, Any]:
    """Return what a person says of a field: its value, its place, or both."""
    if (page is None) != (box is None):
        raise BadRequestError("Give --page and --box together.")
    said: dict[str, Any] = {} if value is None else {"value": value}
    return said if box is None else said | {"evidence": {"page": page, "bbox": box}}


def _decided(field: dict[str, Any]) -> str:
    value = "" if field["value"] is None else f": {field['value']}"
    return f"{field['id']} is {field['status']}{value}"


def _decide(
    action: str,
    document: str,
    field: str,
    version: int | None,
    comment: str | None,
    as_json: bool,
    more: Callable[[dict[str, Any]], dict[str, Any]] = lambda _: {},
) -> None:
    """Decide a field; `more` returns what the decision says beside action, version and comment."""
    client = connect()
    document_id = find_document(client, document)
    now = _find(client.call("GET", f"/documents/{document_id}", tracks="all"), document_id, field)
    if version is None and now["status"] in _DECIDED:
        who = _name_of(client, document_id, now["reviewedBy"])
        raise ConflictError(
            f"{now['id']} is {now['status']} by {who}; give --version {now['version']} to decide it anew."
        )
    body = {"action": action, "version": now["version"] if version is None else version, **more(now)}
    if comment is not None:
        body["comment"] = comment
    decided = client.call("PATCH", f"/documents/{document_id}/fields/{quote(now['id'], safe='')}", body)
    Output(as_json).show(decided, _decided(decided))


def _find(document: dict[str, Any], document_id: int, field: str) -> dict[str, Any]:
    """Return a document's field; `party[0]` and `party` are the same."""
    wanted = field.replace("[0]", "")
    for each in document.get("fields", []):
        if each["id"].replace("[0]", "") == wanted:
            return dict[str, Any](each)
    raise NotFoundError(f"There is no field {field} in document {document_id}.")


def _name_of(client: Client, document_id: int, key_id: str) -> str:
    """Return the name of a key that did something to a document, as its history has it."""
    entries = reversed(history_of(client, document_id))
    return next((each["byName"] for each in entries if each["by"] == key_id and each.get("byName")), key_id)


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
