"""Access: organisations and keys, for operators; the stored key, for everybody."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from alma.access.scopes import Role, Scope
from alma.cli import tables, target
from alma.cli.command import AsJson, CommandGroup, Stack
from alma.cli.output import Output, visible
from alma.clock import now
from alma.errors import BadRequestError

if TYPE_CHECKING:
    from alma.access.keys import Key

commands = CommandGroup()
org = CommandGroup(help="Organisations (operator).")
key = CommandGroup(help="API keys (operator).")
commands.add_typer(org, name="org")
commands.add_typer(key, name="key")

Organisation = Annotated[str, typer.Option("--org", help="Whose they are.")]
OrganisationId = Annotated[str, typer.Argument(metavar="ID", show_default=False)]
KeyId = Annotated[str, typer.Argument(metavar="ID", show_default=False)]
Agent = Annotated[bool, typer.Option("--agent", help="The key that `alma mcp --stdio` uses.")]


def _pages(text: str) -> str:
    """Check a number of pages, or `default`."""
    if text != "default":
        try:
            int(text)
        except ValueError:
            raise typer.BadParameter("give a whole number, or default") from None
    return text


def _scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope(name.strip()) for name in text.split(","))
    except ValueError as error:
        known = ", ".join(scope.value for scope in Scope)
        raise typer.BadParameter(f"{error}; scopes are {known}") from None


def _expiry(text: str) -> datetime:
    """Return the time that a number of days from now, or a day, stands for."""
    days = text.removesuffix("d")
    if days != text and days.isdecimal():
        return now() + timedelta(days=int(days))
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter("give days from now, 90d, or a day, 2027-01-31 (UTC)") from None


# The operator's commands import the rooms late: storage reads the table's name when it is imported.


@org.command("create")
def create_organisation(
    organisation: Annotated[
        str, typer.Argument(metavar="ID", show_default=False, help="Lower case letters, digits, hyphens.")
    ],
    name: Annotated[str | None, typer.Option("--name", help="For people.")] = None,
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """Create an organisation."""
    target.use_table(stack)
    from alma.access import organisations

    made = organisations.create(organisation, name)
    Output(as_json).show(asdict(made), lambda: [tables.created(made.id)])


@org.command("quota")
def set_quota(
    organisation: OrganisationId,
    pages: Annotated[
        str,
        typer.Argument(
            metavar="PAGES",
            parser=_pages,
            show_default=False,
            help="A number, 0 for any, or default for the installation's.",
        ),
    ],
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """Set how many pages an organisation may have read in a month."""
    target.use_table(stack)
    from alma.access import organisations

    changed = organisations.set_monthly_pages(organisation, None if pages == "default" else int(pages))
    Output(as_json).show(
        asdict(changed),
        f"{changed.id} has the installation's number of pages a month"
        if changed.monthly_pages is None
        else f"{changed.id} may have {changed.monthly_pages or 'any number of'} pages a month read",
    )


@org.command("reindex")
def reindex(
    organisation: Annotated[str | None, typer.Argument(metavar="ID", show_default=False)] = None,
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """Write what lists find documents by, for those of earlier releases; all organisations without ID.

    Until then they are found all the same, by looking through all documents a page at a time. May be done
    again, and while alma is used.
    """
    target.use_table(stack)
    from alma.access import organisations
    from alma.documents import reindexing

    wanted = [organisation] if organisation else organisations.list_ids()
    counts = {each: reindexing.reindex(each) for each in wanted}
    Output(as_json).show(
        {"organisations": [{"id": each, "documents": count} for each, count in counts.items()]},
        lambda: [f"{each}: {count} documents" for each, count in counts.items()],
    )


@key.command("create")
def create_key(
    organisation: Organisation,
    name: Annotated[str, typer.Option("--name", help="For people.")],
    role: Annotated[
        Role, typer.Option("--role", show_default=False, help="Reader without it.")
    ] = Role.READER,
    scopes: Annotated[
        frozenset[Scope] | None,
        typer.Option("--scopes", parser=_scopes, metavar="A,B", help="Fewer than those of the role: a,b,…"),
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who answers for it.")] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(
            "--expires", parser=_expiry, metavar="WHEN", help="When it stops working: 90d, 2027-01-31."
        ),
    ] = None,
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """Mint a key; its token is shown once."""
    target.use_table(stack)
    from alma.access import keys

    minted = keys.create(organisation, name, role, narrowed=scopes, owner=owner, expires=expires)
    _show_minted(*minted, as_json)


@key.command("list")
def list_keys(organisation: Organisation, stack: Stack = None, as_json: AsJson = False) -> None:
    """List keys."""
    target.use_table(stack)
    from alma.access import keys, organisations
    from alma.api.access import KeyView

    organisations.get(organisation)
    found = [KeyView.model_validate(each).to_json() for each in keys.list_keys(organisation)]
    Output(as_json).show({"keys": found}, lambda: tables.keys(found))


@key.command("revoke")
def revoke_key(
    key_id: KeyId,
    organisation: Organisation,
    descendants: Annotated[
        bool, typer.Option("--descendants", help="Also all keys that it minted or was rotated into.")
    ] = False,
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key."""
    target.use_table(stack)
    from alma.access import keys

    revoked = keys.revoke(organisation, key_id, descendants=descendants)
    Output(as_json).show(
        {"id": key_id, "revoked": True, "keys": revoked},
        lambda: [
            f"{each} is revoked; running authorizers forget it within 30 seconds"
            for each in revoked or [key_id]
        ],
    )


@key.command("rotate")
def rotate_key(
    key_id: KeyId,
    organisation: Organisation,
    overlap: Annotated[
        int,
        typer.Option(
            "--overlap", metavar="SECONDS", show_default=False, help="How long the old one goes on: a day."
        ),
    ] = 86400,
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key by one with the same rights."""
    target.use_table(stack)
    from alma.access import keys

    _show_minted(*keys.rotate(organisation, key_id, timedelta(seconds=overlap)), as_json)


def _show_minted(minted: Key, token: str, as_json: bool) -> None:
    """Print a new key: the token alone on standard output, so that it can be handed on."""
    from alma.api.access import MintedKey

    output = Output(as_json)
    until = f", good until {minted.valid_until}" if minted.valid_until else ""
    output.remark(f"{minted.id} ({minted.role.value}{until}); the token is shown this once:")
    output.show(MintedKey.of(minted, token).to_json(), token)


@commands.command("login")
def login(
    url: Annotated[
        str | None, typer.Option("--url", help="Address of the API; without it, the alma that runs here.")
    ] = None,
    agent: Agent = False,
    as_json: AsJson = False,
) -> None:
    """Store a key for this user.

    Asks for a key, or reads it from standard input, checks it against the API, and stores it for this user
    alone, in a file of its own: commands find it from any folder. With --agent it is what `alma mcp --stdio`
    uses, wherever it is started.
    """
    from alma.cli.client import ApiError, Client

    address = url or (target.local_file() or {}).get("api_url")
    if address is None:
        raise BadRequestError("Name the API with --url, or start alma here with `make run`.")
    address = target.base_url(address)
    token = _ask_for_key(address)
    if not re.fullmatch(r"alma_[0-9A-Za-z]{33}", token):
        raise BadRequestError("A key is alma_ and 33 letters and digits; `alma key create` prints one.")
    given = target.Api(address, token)
    try:
        Client(given).call("GET", "/models")
    except ApiError as error:
        if error.status != 403:  # a good key, which may do other things
            raise
    path = target.store(given, agent=agent)
    Output(as_json).show({"url": given.url, "file": str(path)}, f"the key to {given.url} is stored in {path}")


def _ask_for_key(url: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    from getpass import getpass

    return getpass(visible(f"key to {url}: ")).strip()


@commands.command("logout")
def logout(agent: Agent = False, as_json: AsJson = False) -> None:
    """Forget the stored key."""
    found = target.forget(agent=agent)
    Output(as_json).show(
        {"forgotten": found},
        "the stored key is forgotten; it stays good until it is revoked" if found else "none is stored",
    )
