"""The commands and their options; what they do is one call each."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from alma import __version__
from alma.cli import tables, target
from alma.cli.client import ApiError, Client
from alma.clock import now
from alma.errors import AlmaError, BadRequestError
from alma.scopes import Scope

if TYPE_CHECKING:
    from alma.keys import Key

_FORMATS = ("csv", "xlsx", "xml", "json", "jsonl")
_ROLES = ("admin", "reviewer", "reader")

out = Console()
err = Console(stderr=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 refused, 2 wrong usage."""
    options = _parser().parse_args(argv)
    try:
        options.run(options)
    except (ApiError, AlmaError, target.TargetError, OSError) as error:
        slug = getattr(error, "error", None) or getattr(error, "slug", None) or "failed"
        detail = getattr(error, "detail", None) or str(error)
        if options.json:
            print(json.dumps({"error": slug, "detail": detail}))
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
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alma",
        description="Documents in, fields with evidence out.",
        epilog="The API is found through ALMA_API_URL and ALMA_API_KEY, or the alma that runs here.",
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
    create.add_argument("--role", choices=_ROLES, default="reader")
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
    revoke.set_defaults(run=_key_revoke)

    rotate = key.add_parser("rotate", parents=[operator], help="replace a key by one with the same rights")
    rotate.add_argument("id")
    rotate.add_argument("--org", required=True)
    rotate.add_argument(
        "--overlap", type=int, default=86400, metavar="SECONDS", help="how long the old one goes on: a day"
    )
    rotate.set_defaults(run=_key_rotate)

    usage = commands.add_parser(
        "usage", parents=[shared], help="what the organisation's keys used in a month"
    )
    usage.add_argument("--month", help="2026-11; without, this one (UTC)")
    usage.set_defaults(run=_usage)

    drop = commands.add_parser("drop", parents=[shared], help="send files and have them read")
    drop.add_argument("files", nargs="+", type=Path, metavar="FILE")
    drop.add_argument("--whole", action="store_true", help="every file is one document: do not divide it")
    drop.add_argument("--wait", action="store_true", help="wait, and print the fields")
    drop.set_defaults(run=_drop)

    listing = commands.add_parser("list", parents=[shared], help="list documents, newest first")
    listing.add_argument("--status", choices=("processing", "ready", "failed"))
    listing.add_argument("--type", dest="doc_type")
    listing.add_argument("--limit", type=int, default=50)
    listing.set_defaults(run=_list)

    get = commands.add_parser("get", parents=[shared], help="print a document's fields")
    get.add_argument("id", type=int)
    get.add_argument(
        "--tracks", action="store_const", const="all", help="also what every track reads, and why to look"
    )
    get.set_defaults(run=_get)

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

    export = commands.add_parser("export", parents=[shared], help="save a document's fields as a file")
    export.add_argument("id", type=int)
    export.add_argument("--format", choices=_FORMATS, default="json")
    export.add_argument("-o", "--output", type=Path, help="file to write; - for standard output")
    export.set_defaults(run=_export)
    return parser


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
    from alma import organisations

    made = organisations.create(options.id, options.name)
    if options.json:
        _print_json(asdict(made))
    else:
        out.print(f"organisation [bold]{made.id}[/] created; its drop folder is inbox/{made.id}/")


def _org_quota(options: argparse.Namespace) -> None:
    target.use_table(options.stack)
    from alma import organisations

    changed = organisations.set_monthly_pages(options.id, options.pages)
    if options.json:
        _print_json(asdict(changed))
    elif changed.monthly_pages is None:
        out.print(f"{changed.id} has the installation's number of pages a month")
    else:
        out.print(f"{changed.id} may have {changed.monthly_pages or 'any number of'} pages a month read")


def _key_create(options: argparse.Namespace) -> None:
    target.use_table(options.stack)
    from alma import keys

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
    from alma import keys

    _print_minted(options, *keys.rotate(options.org, options.id, timedelta(seconds=options.overlap)))


def _print_minted(options: argparse.Namespace, key: Key, token: str) -> None:
    from alma.views import KeyView, MintedKey

    if options.json:
        _print_json(MintedKey(**KeyView.of(key).model_dump(), token=token).model_dump(mode="json"))
    else:
        until = f", good until {key.valid_until}" if key.valid_until else ""
        err.print(f"{key.id} ({key.role.value}{until}); the token is shown this once:")
        print(token)


def _key_list(options: argparse.Namespace) -> None:
    target.use_table(options.stack)
    from alma import keys
    from alma.views import KeyView

    found = [KeyView.of(key).model_dump(mode="json") for key in keys.list_keys(options.org)]
    if options.json:
        _print_json({"keys": found})
    else:
        out.print(tables.keys_table(found))


def _key_revoke(options: argparse.Namespace) -> None:
    target.use_table(options.stack)
    from alma import keys

    keys.revoke(options.org, options.id)
    if options.json:
        _print_json({"id": options.id, "revoked": True})
    else:
        out.print(f"{options.id} is revoked; running authorizers forget it within 30 seconds")


def _drop(options: argparse.Namespace) -> None:
    client = Client(target.api())
    for path in options.files:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not a file.")
    answers: list[dict[str, Any]] = []
    with _progress(options) as progress:
        total = sum(path.stat().st_size for path in options.files)
        task = progress.add_task("sending", total=total)
        for path in options.files:
            document_id = client.upload(
                path, lambda count: progress.advance(task, count), split=not options.whole
            )
            answers.append({"documentId": document_id, "fileName": path.name})
        if options.wait:
            waiting = progress.add_task("reading", total=len(answers))
            for answer in answers:
                answer |= _outcome(client, answer["documentId"])
                progress.advance(waiting)
    if options.json:
        _print_json({"documents": answers})
        return
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


def _outcome(client: Client, document_id: int) -> dict[str, Any]:
    try:
        return client.wait(document_id)
    except ApiError as error:
        return {"error": error.error, "detail": error.detail}


def _list(options: argparse.Namespace) -> None:
    found = Client(target.api()).call(
        "GET", "/documents", limit=options.limit, status=options.status, docType=options.doc_type
    )
    if options.json:
        _print_json(found)
    else:
        out.print(tables.documents_table(found["documents"]))


def _get(options: argparse.Namespace) -> None:
    found = Client(target.api()).call("GET", f"/documents/{options.id}", tracks=options.tracks)
    if options.json:
        _print_json(found)
    elif "fields" not in found:
        out.print(f"document {options.id} is still being read; ask again in a moment")
    else:
        out.print(tables.fields_table(found))


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


def _usage(options: argparse.Namespace) -> None:
    found = Client(target.api()).call("GET", "/usage", month=options.month)
    if options.json:
        _print_json(found)
    else:
        out.print(tables.usage_table(found))


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


def _progress(options: argparse.Namespace) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn() if not options.wait else TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=options.json or not err.is_terminal,
    )
