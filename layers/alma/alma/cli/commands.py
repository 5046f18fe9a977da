"""The commands and their options; what they do is one call each."""

from __future__ import annotations

import argparse
import getpass
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from alma import __version__
from alma.access.scopes import Scope
from alma.cli import bridge, tables, target
from alma.cli.client import ApiError, Client
from alma.cli.datasets import Pulled, pull
from alma.clock import now
from alma.errors import AlmaError, BadRequestError, ConflictError, NotFoundError

if TYPE_CHECKING:
    from alma.access.keys import Key

_FORMATS = ("csv", "xlsx", "xml", "json", "jsonl")
_ROLES = ("admin", "reviewer", "reader")
#: Entries in one answer of the API.
_MOST_LISTED = 200

out = Console()
err = Console(stderr=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 refused or not as it should be, 2 wrong usage."""
    options = _parser().parse_args(argv)
    try:
        status: int | None = options.run(options)
    except (ApiError, AlmaError, target.TargetError, OSError) as error:
        code = getattr(error, "error", None) or getattr(error, "code", None) or "failed"
        detail = getattr(error, "detail", None) or str(error)
        if options.json:
            print(json.dumps({"error": code, "detail": detail}))
        else:
            err.print(f"[red]alma:[/] {detail}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # Only the operator's commands have reached storage, so only they pay for importing it.
        from alma.storage.failures import unavailable

        if unavailable(error) is None:
            raise
        err.print(f"[red]alma:[/] the table cannot be reached: {error}", highlight=False, soft_wrap=True)
        return 1
    return status or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alma",
        description="Documents in, fields with evidence out.",
        epilog="The API: ALMA_API_URL and ALMA_API_KEY, else the alma that runs here, else `alma login`.",
    )
    parser.add_argument("--version", action="version", version=f"alma {__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print JSON, for programs")
    operator = argparse.ArgumentParser(add_help=False, parents=[shared])
    operator.add_argument("--stack", help="name of the deployed stack; without it, the alma that runs here")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    org = commands.add_parser("org", help="organisations (operator)").add_subparsers(
        required=True, metavar="COMMAND"
    )
    create = org.add_parser("create", parents=[operator], help="create an organisation")
    create.add_argument("id", help="lower case letters, digits, hyphens")
    create.add_argument("--name", help="for people")
    create.set_defaults(run=_org_create)

    quota = org.add_parser("quota", parents=[operator], help="pages an organisation may have read in a month")
    quota.add_argument("id")
    quota.add_argument("pages", type=_pages, help="a number, 0 for any, or default for the installation's")
    quota.set_defaults(run=_org_quota)

    key = commands.add_parser("key", help="API keys (operator)").add_subparsers(
        required=True, metavar="COMMAND"
    )
    create = key.add_parser("create", parents=[operator], help="mint a key; its token is shown once")
    create.add_argument("--org", required=True)
    create.add_argument("--name", required=True)
    create.add_argument("--role", choices=_ROLES, default="reader", help="reader without it")
    create.add_argument("--scopes", type=_scopes, help="fewer than those of the role: a,b,…")
    create.add_argument("--owner", help="who answers for it")
    create.add_argument("--expires", type=_expiry, help="when it stops working: 90d, 2027-01-31")
    create.set_defaults(run=_key_create)
    listed = key.add_parser("list", parents=[operator], help="list keys")
    listed.add_argument("--org", required=True)
    listed.set_defaults(run=_key_list)
    revoke = key.add_parser("revoke", parents=[operator], help="revoke a key")
    revoke.add_argument("id")
    revoke.add_argument("--org", required=True)
    revoke.add_argument(
        "--descendants", action="store_true", help="also all keys that it minted or was rotated into"
    )
    revoke.set_defaults(run=_key_revoke)

    rotate = key.add_parser("rotate", parents=[operator], help="replace a key by one with the same rights")
    rotate.add_argument("id")
    rotate.add_argument("--org", required=True)
    rotate.add_argument(
        "--overlap", type=int, default=86400, metavar="SECONDS", help="how long the old one goes on: a day"
    )
    rotate.set_defaults(run=_key_rotate)

    login = commands.add_parser(
        "login",
        parents=[shared],
        help="store a key for this user",
        description="Asks for a key, or reads it from standard input, checks it against the API, and stores "
        "it for this user alone, in a file of its own: commands find it from any folder. With --agent it is "
        "what `alma mcp --stdio` uses, wherever it is started.",
    )
    login.add_argument("--url", help="address of the API; without it, the alma that runs here")
    login.set_defaults(run=_login)
    logout = commands.add_parser("logout", parents=[shared], help="forget the stored key")
    logout.set_defaults(run=_logout)
    for each in (login, logout):
        each.add_argument("--agent", action="store_true", help="the key that `alma mcp --stdio` uses")

    usage = commands.add_parser(
        "usage", parents=[shared], help="what the organisation's keys used in a month"
    )
    usage.add_argument("--month", help="2026-11; without, this one (UTC)")
    usage.set_defaults(run=_usage)

    mcp = commands.add_parser(
        "mcp",
        help="the tools for agents, over standard input and output",
        description="Hands the messages of an agent's program to the endpoint. The key is that of "
        "ALMA_API_URL and ALMA_API_KEY, else that of `alma login --agent`, else the one commands use.",
    )
    mcp.add_argument(
        "--stdio", action="store_true", required=True, help="read messages from standard input until it ends"
    )
    mcp.set_defaults(run=_mcp, json=False)
    trail = commands.add_parser("audit", help="audit trails (operator)").add_subparsers(
        required=True, metavar="COMMAND"
    )
    verify = trail.add_parser(
        "verify",
        parents=[operator],
        help="check every trail, and the documents against them",
        description="Checks every entry of every audit trail, and the documents against their trails; exits "
        "1 if anything is not as it was written. Who can rewrite a whole trail and the document's row leaves "
        "no mark in them: only heads that were saved earlier (--save), and kept where that person cannot "
        "write, show it (--against).",
    )
    verify.add_argument("--org", help="one organisation; all of them without it")
    verify.add_argument("--save", type=Path, metavar="FILE", help="write the last digest of every trail")
    verify.add_argument(
        "--against", type=Path, metavar="FILE", help="trails must go through those saved earlier"
    )
    verify.set_defaults(run=_audit_verify)

    drop = commands.add_parser("drop", parents=[shared], help="send files and have them read")
    drop.add_argument("files", nargs="+", type=Path, metavar="FILE")
    drop.add_argument("--type", dest="doc_type", help="type of the documents, if you know it")
    drop.add_argument("--whole", action="store_true", help="every file is one document: do not divide it")
    drop.add_argument("--wait", action="store_true", help="wait, and print the fields")
    drop.set_defaults(run=_drop)

    listing = commands.add_parser("list", parents=[shared], help="list documents, newest first")
    listing.add_argument("--status", choices=("processing", "ready", "failed"))
    listing.add_argument("--type", dest="doc_type")
    listing.add_argument("--limit", type=_limit, default=50, help="at most so many: 50 without it")
    listing.set_defaults(run=_list)

    get = commands.add_parser("get", parents=[shared], help="print a document's fields")
    get.add_argument("id", type=int)
    get.add_argument(
        "--tracks", action="store_const", const="all", help="also what every track reads, and why to look"
    )
    get.set_defaults(run=_get)

    review = commands.add_parser("review", parents=[shared], help="list fields that wait for a person")
    review.add_argument("--type", dest="doc_type")
    review.add_argument("--field", help="its key")
    review.add_argument("--limit", type=_limit, default=50, help="at most so many: 50 without it")
    review.set_defaults(run=_review)
    field = argparse.ArgumentParser(add_help=False, parents=[shared])
    field.add_argument("id", type=int, help="number of the document")
    field.add_argument("field", help="id of the field: party[1], line_items[3].amount")
    field.add_argument("--comment", help="for the document's history")
    for verb, purpose in (
        ("accept", "say that a field's value is right"),
        ("edit", "say what a field's value is, or where it stands"),
        ("reject", "say that nobody should use a field's value"),
    ):
        decide = commands.add_parser(verb, parents=[field], help=purpose)
        decide.set_defaults(run=_decide, action=verb, value=None, page=None, box=None, track=None)
        decide.add_argument(
            "--version",
            type=int,
            help="the one you saw, from `review`: refused if the field has changed since",
        )
        if verb == "accept":
            decide.add_argument("--track", help="whose reading is right, where an agent proposes another")
        if verb == "edit":
            decide.add_argument("--value")
            decide.add_argument("--page", type=int, help="the page it stands on")
            decide.add_argument(
                "--box", type=_box, metavar="X,Y,W,H", help="where on it, as shares of the page"
            )
    history = commands.add_parser("history", parents=[shared], help="print what happened to a document")
    history.add_argument("id", type=int)
    history.set_defaults(run=_history)

    schema = commands.add_parser("schema", help="document types, shipped and your own").add_subparsers(
        required=True, metavar="COMMAND"
    )
    listed = schema.add_parser("list", parents=[shared], help="list document types")
    listed.set_defaults(run=_schema_list)
    got = schema.add_parser("get", parents=[shared], help="print a type's definition, which `put` takes")
    got.add_argument("type")
    got.set_defaults(run=_schema_get)
    put = schema.add_parser("put", parents=[shared], help="make or replace a type of your own")
    put.add_argument("type", help="lower case letters, digits, underscores")
    put.add_argument("file", type=Path, help="its definition as JSON; - for standard input")
    put.set_defaults(run=_schema_put)
    delete = schema.add_parser("delete", parents=[shared], help="remove a type of your own")
    delete.add_argument("type")
    delete.set_defaults(run=_schema_delete)

    dataset = commands.add_parser("dataset", help="verified fields to learn from").add_subparsers(
        required=True, metavar="COMMAND"
    )
    listed = dataset.add_parser("list", parents=[shared], help="list document types with verified fields")
    listed.set_defaults(run=_dataset_list)
    pulled = dataset.add_parser("pull", parents=[shared], help="bring data sets to disk")
    pulled.add_argument("folder", type=Path, metavar="DIR")
    pulled.add_argument("--type", dest="doc_type", help="only this document type")
    pulled.add_argument(
        "--no-images", dest="images", action="store_false", help="without page images: enough to train on"
    )
    pulled.set_defaults(run=_dataset_pull)

    corrected = commands.add_parser(
        "correct", parents=[shared], help="correct documents from a list of values"
    )
    corrected.add_argument(
        "file",
        type=Path,
        help='jsonl, a document a line: {"file": "a.pdf", "fields": [{"key", "value", "page", "bbox"}]}',
    )
    corrected.add_argument(
        "--partial",
        action="store_true",
        help="fields the list does not name are left to a person, not rejected",
    )
    corrected.set_defaults(run=_correct)

    train = commands.add_parser("train", parents=[shared], help="train a model on this machine")
    train.add_argument("file", type=Path, help="TYPE.jsonl of a data set that was pulled")
    train.add_argument("--base", default="alma-base", help="alma-base, or an ONNX file that alma trained")
    train.add_argument("--out", type=Path, default=Path("model.onnx"), help="file to write")
    train.add_argument("--name", help="what the model is called")
    train.set_defaults(run=_train)

    model = commands.add_parser("model", help="models of your own").add_subparsers(
        required=True, metavar="COMMAND"
    )
    listed = model.add_parser("list", parents=[shared], help="list models")
    listed.set_defaults(run=_model_list)
    got = model.add_parser("get", parents=[shared], help="print a model and its card")
    got.add_argument("id")
    got.set_defaults(run=_model_get)
    train = model.add_parser("train", parents=[shared], help="train a model from your verified fields")
    register = model.add_parser("register", parents=[shared], help="register a model you trained yourself")
    register.add_argument("file", type=Path, help="an ONNX file; docs/models.md says what it is")
    for made, run in ((train, _model_train), (register, _model_register)):
        made.add_argument("--name", required=True, help="for people; its id is made of it")
        made.add_argument("--type", dest="doc_type", required=True, help="the document type it reads")
        made.add_argument("--base", default="alma-base", help="what it is tuned from; alma-base unless given")
        made.add_argument("--wait", action="store_true", help="wait until it is ready, or say why it is not")
        made.set_defaults(run=run)
    delete = model.add_parser("delete", parents=[shared], help="remove a model")
    delete.add_argument("id")
    delete.set_defaults(run=_model_delete)
    download = model.add_parser("download", parents=[shared], help="save a model as an ONNX file")
    download.add_argument("id")
    download.add_argument("-o", "--output", type=Path, help="file to write")
    download.set_defaults(run=_model_download)
    digitize = model.add_parser("digitize", parents=[shared], help="print fields as a model reads them")
    digitize.add_argument("id")
    digitize.add_argument("document", type=int)
    digitize.set_defaults(run=_model_digitize)

    export = commands.add_parser("export", parents=[shared], help="save a document's fields as a file")
    export.add_argument("id", type=int)
    export.add_argument("--format", choices=_FORMATS, default="json")
    export.add_argument("-o", "--output", type=Path, help="file to write; - for standard output")
    export.set_defaults(run=_export)
    return parser


def _limit(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError("give a whole number from 1 on")
    return int(text)


def _pages(text: str) -> int | None:
    """Return a number of pages; None for the installation's."""
    return None if text == "default" else int(text)


def _scopes(text: str) -> list[Scope]:
    try:
        return [Scope(name.strip()) for name in text.split(",")]
    except ValueError as error:
        known = ", ".join(scope.value for scope in Scope)
        raise argparse.ArgumentTypeError(f"{error}; scopes are {known}") from None


def _expiry(text: str) -> datetime:
    """Return the time that a number of days from now, or a day, stands for."""
    days = text.removesuffix("d")
    if days != text and days.isdecimal():
        return now() + timedelta(days=int(days))
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError("give days from now, 90d, or a day, 2027-01-31 (UTC)") from None


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


# The operator's commands import the nouns late: these read the table's name when they are imported.


def _org_create(options: argparse.Namespace) -> None:
    target.use_table(options.stack)
    from alma.access import organisations

    made = organisations.create(options.id, options.name)
    if options.json:
        _print_json(asdict(made))
    else:
        out.print(f"organisation [bold]{made.id}[/] created; its drop folder is inbox/{made.id}/")


def _org_quota(options: argparse.Namespace) -> None:
    target.use_table(options.stack)
    from alma.access import organisations

    changed = organisations.set_monthly_pages(options.id, options.pages)
    if options.json:
        _print_json(asdict(changed))
    elif changed.monthly_pages is None:
        out.print(f"{changed.id} has the installation's number of pages a month")
    else:
        out.print(f"{changed.id} may have {changed.monthly_pages or 'any number of'} pages a month read")


def _key_create(options: argparse.Namespace) -> None:
    target.use_table(options.stack)
    from alma.access import keys

    _print_minted(
        options,
        *keys.create(
            options.org,
            options.name,
            keys.Role(options.role),
            narrowed=options.scopes,
            owner=options.owner,
            expires=options.expires,
        ),
    )


def _key_rotate(options: argparse.Namespace) -> None:
    target.use_table(options.stack)
    from alma.access import keys

    _print_minted(options, *keys.rotate(options.org, options.id, timedelta(seconds=options.overlap)))


def _print_minted(options: argparse.Namespace, key: Key, token: str) -> None:
    from alma.api.views import KeyView, MintedKey

    if options.json:
        _print_json(MintedKey(**KeyView.of(key).model_dump(), token=token).model_dump(mode="json"))
    else:
        until = f", good until {key.valid_until}" if key.valid_until else ""
        err.print(f"{key.id} ({key.role.value}{until}); the token is shown this once:")
        print(token)


def _key_list(options: argparse.Namespace) -> None:
    target.use_table(options.stack)
    from alma.access import keys, organisations
    from alma.api.views import KeyView

    organisations.get(options.org)
    found = [KeyView.of(key).model_dump(mode="json") for key in keys.list_keys(options.org)]
    if options.json:
        _print_json({"keys": found})
    else:
        out.print(tables.keys_table(found))


def _key_revoke(options: argparse.Namespace) -> None:
    target.use_table(options.stack)
    from alma.access import keys

    revoked = keys.revoke(options.org, options.id, descendants=options.descendants)
    if options.json:
        _print_json({"id": options.id, "revoked": True, "keys": revoked})
    else:
        for each in revoked or [options.id]:
            out.print(f"{each} is revoked; running authorizers forget it within 30 seconds")


def _audit_verify(options: argparse.Namespace) -> int:
    saved = _heads(options.against) if options.against else {}
    target.use_table(options.stack)
    from alma.access import organisations
    from alma.documents import audit_verification

    wanted = [options.org] if options.org else sorted({*organisations.list_ids(), *saved})
    verdicts = {each: audit_verification.verify(each, saved.get(each)) for each in wanted}
    problems = [problem for verdict in verdicts.values() for problem in verdict.problems]
    documents = sum(verdict.documents for verdict in verdicts.values())
    entries = sum(verdict.entries for verdict in verdicts.values())
    if options.save and problems:
        # Heads of trails that are not whole would vouch for them from then on.
        err.print(f"[red]alma:[/] nothing is saved to {options.save}: there are problems", soft_wrap=True)
    elif options.save:
        heads = {each: verdict.checkpoints for each, verdict in verdicts.items() if verdict.checkpoints}
        options.save.write_text(json.dumps(heads, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if options.json:
        _print_json(
            {"documents": documents, "entries": entries, "problems": [asdict(each) for each in problems]}
        )
    else:
        for each in problems:
            entry = "" if each.entry is None else f", entry {each.entry}"
            document = "" if each.document_id is None else f", document {each.document_id}{entry}"
            line = f"{each.organisation}{document}: {each.what}"
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        out.print(f"{entries} entries of {documents} documents checked, {len(problems)} problems")
    return 1 if problems else 0


def _heads(path: Path) -> dict[str, dict[str, list[Any]]]:
    """Return what `audit verify --save` wrote."""
    try:
        heads = json.loads(path.read_text(encoding="utf-8"))
        return {
            org: {str(int(document)): [int(count), str(digest)] for document, (count, digest) in each.items()}
            for org, each in heads.items()
        }
    except (ValueError, TypeError, AttributeError):
        raise BadRequestError(f"{path} is not what `alma audit verify --save` writes.") from None


def _drop(options: argparse.Namespace) -> int:
    client = Client(target.api())
    for path in options.files:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not a file.")
    answers: list[dict[str, Any]] = []
    count = TextColumn("{task.percentage:>3.0f} %") if options.wait else DownloadColumn()
    with _progress(options, count) as progress:
        total = sum(path.stat().st_size for path in options.files)
        task = progress.add_task("sending", total=total)
        for path in options.files:
            document_id = client.upload(
                path,
                lambda count: progress.advance(task, count),
                split=not options.whole,
                doc_type=options.doc_type,
            )
            answers.append({"documentId": document_id, "fileName": path.name})
        if options.wait:
            waiting = progress.add_task("reading", total=len(answers))
            for answer in answers:
                answer |= _outcome(client, answer["documentId"])
                progress.advance(waiting)
    failed = any("error" in answer for answer in answers)
    if options.json:
        _print_json({"documents": answers})
        return int(failed)
    for answer in answers:
        if "fields" in answer:
            out.print(tables.fields_table(answer, answer["fileName"]))
            if answer.get("instances"):
                further = ", ".join(map(str, answer["instances"]))
                out.print(f"The file holds further documents: {further}")
        elif "error" in answer:
            out.print(
                f"{answer['documentId']}  {answer['fileName']}  [red]{answer['error']}[/]: {answer['detail']}"
            )
        else:
            out.print(f"{answer['documentId']}  {answer['fileName']}")
    return int(failed)


def _outcome(client: Client, document_id: int) -> dict[str, Any]:
    try:
        return client.wait(document_id)
    except ApiError as error:
        return {"error": error.error, "detail": error.detail}


def _list(options: argparse.Namespace) -> None:
    found = _gathered(
        "/documents", "documents", options.limit, status=options.status, docType=options.doc_type
    )
    if options.json:
        _print_json(found)
        return
    out.print(tables.documents_table(found["documents"]))
    if found["nextCursor"] is not None:
        out.print(f"the newest {len(found['documents'])}; there are more (--limit)")


def _gathered(path: str, what: str, limit: int, **query: object) -> dict[str, Any]:
    """Return a list of the API with so many entries, from as many pages as that takes.

    A page may hold fewer than asked for, where filters leave out most of what was looked at.
    """
    client, found = Client(target.api()), dict[str, Any]({what: [], "nextCursor": None})
    while (missing := limit - len(found[what])) > 0:
        at_once, cursor = min(missing, _MOST_LISTED), found["nextCursor"]
        more = client.call("GET", path, limit=at_once, cursor=cursor, **query)
        found = {**more, what: found[what] + more[what]}
        if found["nextCursor"] is None:
            break
    return found


def _get(options: argparse.Namespace) -> None:
    found = Client(target.api()).call("GET", f"/documents/{options.id}", tracks=options.tracks)
    if options.json:
        _print_json(found)
    elif "fields" not in found:
        out.print(f"document {options.id} is still being read; ask again in a moment")
    else:
        out.print(tables.fields_table(found))


def _review(options: argparse.Namespace) -> None:
    found = _gathered("/review-queue", "items", options.limit, docType=options.doc_type, field=options.field)
    if options.json:
        _print_json(found)
    else:
        out.print(tables.queue_table(found["items"]))


def _decide(options: argparse.Namespace) -> None:
    if (options.page is None) != (options.box is None):
        raise BadRequestError("Give --page and --box together.")
    client = Client(target.api())
    document = client.call("GET", f"/documents/{options.id}", tracks="all")
    wanted = options.field.replace("[0]", "")
    there = [each for each in document.get("fields", []) if each["id"].replace("[0]", "") == wanted]
    if not there:
        raise NotFoundError(f"There is no field {options.field} in document {options.id}.")
    body = {"action": options.action, "version": _version(options, there[0])}
    if options.action == "accept":
        body["track"] = _track(options, there[0])
    if options.value is not None:
        body["value"] = options.value
    if options.box is not None:
        body["evidence"] = {"page": options.page, "bbox": options.box}
    if options.comment is not None:
        body["comment"] = options.comment
    field = client.call("PATCH", f"/documents/{options.id}/fields/{quote(there[0]['id'], safe='')}", body)
    if options.json:
        _print_json(field)
    else:
        value = "" if field["value"] is None else f": {field['value']}"
        out.print(f"{field['id']} is {field['status']}{value}", markup=False, highlight=False)


def _version(options: argparse.Namespace, field: dict[str, Any]) -> int:
    """Return the version to decide: the one that was seen, or what it is now where nobody has decided yet."""
    if options.version is None and field["status"] in ("accepted", "edited", "rejected"):
        raise ConflictError(
            f"{field['id']} is {field['status']} by {field['reviewedBy']}; give --version "
            f"{field['version']} to decide it anew."
        )
    return int(field["version"] if options.version is None else options.version)


def _track(options: argparse.Namespace, field: dict[str, Any]) -> str | None:
    """Return whose reading to accept; where there is a proposal beside what was read, that has to be said."""
    tracks = [each["track"] for each in field["tracks"]]
    if options.track is None and len(tracks) > 1 and any(each.startswith("agent:") for each in tracks):
        values = ", ".join(f"--track {each['track']} for {each['value']!r}" for each in field["tracks"])
        raise BadRequestError(f"There is a proposal for {field['id']}; say which is right: {values}.")
    return str(options.track) if options.track is not None else None


def _box(text: str) -> dict[str, float]:
    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("a box is four numbers: x,y,w,h") from None
    return {"x": x, "y": y, "w": w, "h": h}


def _history(options: argparse.Namespace) -> None:
    client = Client(target.api())
    entries: list[dict[str, Any]] = []
    cursor = None
    while True:
        found = client.call("GET", f"/documents/{options.id}/history", limit=100, cursor=cursor)
        entries += found["entries"]
        cursor = found["nextCursor"]
        if cursor is None:
            break
    if options.json:
        _print_json({"documentId": options.id, "entries": entries})
    else:
        out.print(tables.history_table(entries))


def _export(options: argparse.Namespace) -> None:
    body, name = Client(target.api()).download(f"/export/{options.id}", format=options.format)
    if options.output == Path("-"):
        sys.stdout.buffer.write(body)
        return
    path = options.output or Path(name or f"document-{options.id}.{options.format}")
    path.write_bytes(body)
    if options.json:
        _print_json({"file": str(path), "bytes": len(body)})
    else:
        out.print(f"{path} ({len(body)} bytes)")


def _mcp(options: argparse.Namespace) -> None:
    bridge.run(Client(target.api(agent=True)), sys.stdin.buffer, sys.stdout.buffer)


def _login(options: argparse.Namespace) -> None:
    url = options.url or (target.local_file() or {}).get("api_url")
    if url is None:
        raise BadRequestError("Name the API with --url, or start alma here with `make run`.")
    key = (getpass.getpass("key: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not re.fullmatch(r"alma_[0-9A-Za-z]{33}", key):
        raise BadRequestError("A key is alma_ and 33 letters and digits; `alma key create` prints one.")
    given = target.Api(target.base_url(url), key)
    try:
        Client(given).call("GET", "/models")
    except ApiError as error:
        if error.status != 403:  # a good key, which may do other things
            raise
    path = target.store(given, agent=options.agent)
    if options.json:
        _print_json({"url": given.url, "file": str(path)})
    else:
        out.print(f"the key to {given.url} is stored in {path}", highlight=False, soft_wrap=True)


def _logout(options: argparse.Namespace) -> None:
    found = target.forget(agent=options.agent)
    if options.json:
        _print_json({"forgotten": found})
    else:
        out.print(
            "the stored key is forgotten; it stays good until it is revoked" if found else "none is stored"
        )


def _usage(options: argparse.Namespace) -> None:
    found = Client(target.api()).call("GET", "/usage", month=options.month)
    if options.json:
        _print_json(found)
    else:
        out.print(tables.usage_table(found))


def _dataset_list(options: argparse.Namespace) -> None:
    found = Client(target.api()).call("GET", "/datasets")
    if options.json:
        _print_json(found)
    else:
        out.print(tables.datasets_table(found["datasets"]))


def _dataset_pull(options: argparse.Namespace) -> None:
    client = Client(target.api())
    types = (
        [each["docType"] for each in client.call("GET", "/datasets")["datasets"]]
        if options.doc_type is None
        else [options.doc_type]
    )
    pulled: list[Pulled] = []
    with _progress(options, MofNCompleteColumn()) as bar:
        for doc_type in types:
            told = partial(_tell, bar, bar.add_task(doc_type, total=None))
            pulled.append(pull(client, options.folder, doc_type, images=options.images, progress=told))
    if options.json:
        _print_json({"datasets": [asdict(each) for each in pulled]})
        return
    for each in pulled:
        out.print(f"{each.file}: {each.examples} examples of {each.documents} documents", soft_wrap=True)
    if not pulled:
        out.print("nothing is verified yet; accept or edit fields first")


def _tell(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)


def _correct(options: argparse.Namespace) -> None:
    from alma.cli.correct import correct, read_list

    client = Client(target.api())
    rows = read_list(options.file)
    numbers = client.latest({name for name, _ in rows})
    complete: frozenset[str] | None = frozenset() if options.partial else None
    answers = []
    for name, truths in rows:
        number = numbers.get(name)
        if number is None:
            raise BadRequestError(f"There is no document of a file {name}; drop it first.")
        done = correct(client, number, truths, complete=complete)
        answers.append({"documentId": number, "fileName": name, **done})
    if options.json:
        _print_json({"documents": answers})
        return
    for answer in answers:
        what = ", ".join(f"{count} {action}" for action, count in list(answer.items())[2:])
        out.print(f"{answer['documentId']}  {answer['fileName']}  {what}")


def _train(options: argparse.Namespace) -> None:
    from alma.cli.learning import card_table, train

    card = train(options.file, options.base, options.out, options.name, err)
    if options.json:
        _print_json({"file": str(options.out), **card})
        return
    out.print(card_table(card))
    out.print(f"{options.out} and {options.out.with_suffix('.json')} are written")
    if not card["better"]:
        out.print(f"[yellow]It reads no better than {options.base}[/]: verify more documents first.")


def _schema_list(options: argparse.Namespace) -> None:
    found = Client(target.api()).call("GET", "/schemas")
    if options.json:
        _print_json(found)
    else:
        out.print(tables.schemas_table(found["schemas"]))


def _schema_get(options: argparse.Namespace) -> None:
    found = Client(target.api()).call("GET", _schema_path(options.type))
    # The definition alone without --json, so that it can be edited and put back.
    _print_json(found if options.json else found["definition"])


def _schema_put(options: argparse.Namespace) -> None:
    text = sys.stdin.read() if options.file == Path("-") else options.file.read_text(encoding="utf-8")
    try:
        definition = json.loads(text)
    except ValueError as error:
        raise BadRequestError(f"{options.file} is not JSON: {error}.") from None
    kept = Client(target.api()).call("PUT", _schema_path(options.type), definition)
    if options.json:
        _print_json(kept)
    else:
        out.print(f"{kept['docType']} is kept; documents that arrive from now on can be of this type")


def _schema_delete(options: argparse.Namespace) -> None:
    Client(target.api()).call("DELETE", _schema_path(options.type))
    if options.json:
        _print_json({"docType": options.type, "deleted": True})
    else:
        out.print(f"{options.type} is removed; a shipped type of that name is back")


def _schema_path(doc_type: str) -> str:
    return f"/schemas/{quote(doc_type, safe='')}"


def _model_list(options: argparse.Namespace) -> None:
    found = Client(target.api()).call("GET", "/models")
    if options.json:
        _print_json(found)
    else:
        out.print(tables.models_table(found["models"]))


def _model_get(options: argparse.Namespace) -> None:
    _print_json(Client(target.api()).call("GET", _model_path(options.id)))


def _model_train(options: argparse.Namespace) -> None:
    client = Client(target.api())
    _print_model(client, options, client.call("POST", "/models", _model_body(options, "verified_fields")))


def _model_register(options: argparse.Namespace) -> None:
    if not options.file.is_file():
        raise FileNotFoundError(f"{options.file} is not a file.")
    client = Client(target.api())
    with _progress(options, DownloadColumn()) as progress:
        task = progress.add_task("sending", total=options.file.stat().st_size)
        made = client.upload_model(
            options.file, _model_body(options, "upload"), lambda count: progress.advance(task, count)
        )
    _print_model(client, options, made)


def _model_body(options: argparse.Namespace, source: str) -> dict[str, Any]:
    return {
        "name": options.name,
        "docType": options.doc_type,
        "baseModel": options.base,
        "source": source,
    }


def _print_model(client: Client, options: argparse.Namespace, made: dict[str, Any]) -> None:
    found = client.wait_for_model(made["id"]) if options.wait else made
    if options.json:
        _print_json(found)
    else:
        if (found.get("card") or {}).get("after"):
            from alma.cli.learning import card_table

            out.print(card_table(found["card"]))
        out.print(f"{found['id']} is {found['status']}", highlight=False)
        if found.get("detail"):
            out.print(found["detail"], highlight=False)


def _model_delete(options: argparse.Namespace) -> None:
    Client(target.api()).call("DELETE", _model_path(options.id))
    if options.json:
        _print_json({"id": options.id, "deleted": True})
    else:
        out.print(f"{options.id} is removed; what it has read of documents stays", highlight=False)


def _model_download(options: argparse.Namespace) -> None:
    body, name = Client(target.api()).download(f"{_model_path(options.id)}/file")
    path = options.output or Path(name or f"{options.id}.onnx")
    path.write_bytes(body)
    if options.json:
        _print_json({"file": str(path), "bytes": len(body)})
    else:
        out.print(f"{path} ({len(body)} bytes)")


def _model_digitize(options: argparse.Namespace) -> None:
    found = Client(target.api()).call(
        "POST", f"{_model_path(options.id)}/digitize", {"documentId": options.document}
    )
    if options.json:
        _print_json(found)
    elif "fields" not in found:
        out.print(f"document {options.document} is still being read; ask again in a moment")
    else:
        out.print(tables.fields_table(found, options.id))


def _model_path(model: str) -> str:
    return f"/models/{quote(model, safe='')}"


def _progress(options: argparse.Namespace, count: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        count,
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=options.json or not err.is_terminal,
    )
