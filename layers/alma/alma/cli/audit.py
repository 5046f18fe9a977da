"""Audit trails: `alma audit verify`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alma.cli import target
from alma.cli.command import AsJson, CommandGroup, Stack
from alma.cli.downloads import Force, check_absent, write
from alma.cli.output import Output
from alma.errors import BadRequestError

if TYPE_CHECKING:
    from alma.documents.audit_verification import Problem

commands = CommandGroup()
audit = CommandGroup(help="Audit trails (operator).")
commands.add_typer(audit, name="audit")


@audit.command("verify")
def verify(
    organisation: Annotated[
        str | None, typer.Option("--org", help="One organisation; all of them without it.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", parser=Path, metavar="FILE", help="Write the last digest of every trail."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", parser=Path, metavar="FILE", help="Trails must go through those saved earlier."
        ),
    ] = None,
    force: Force = False,
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """Check every trail, and the documents against them.

    Checks every entry of every audit trail, and the documents against their trails; exits 1 if anything is
    not as it was written. Who can rewrite a whole trail and the document's row leaves no mark in them: only
    checkpoints that were saved earlier (--save), and kept where that person cannot write, show it
    (--against).
    """
    checkpoints = _read_checkpoints(against) if against else {}
    if save:
        check_absent(save, force)
    target.use_table(stack)
    from alma.access import organisations
    from alma.documents import audit_verification

    wanted = [organisation] if organisation else sorted({*organisations.list_ids(), *checkpoints})
    verdicts = {each: audit_verification.verify(each, checkpoints.get(each)) for each in wanted}
    problems = [problem for verdict in verdicts.values() for problem in verdict.problems]
    documents = sum(verdict.documents for verdict in verdicts.values())
    entries = sum(verdict.entries for verdict in verdicts.values())
    output = Output(as_json)
    if save and problems:
        # Checkpoints of trails that are not whole would vouch for them from then on.
        output.warn(f"nothing is saved to {save}: there are problems")
    elif save:
        saved = {each: verdict.checkpoints for each, verdict in verdicts.items() if verdict.checkpoints}
        write(save, [(json.dumps(saved, indent=2, sort_keys=True) + "\n").encode()], force=force)
    output.show(
        {"documents": documents, "entries": entries, "problems": [asdict(each) for each in problems]},
        lambda: [
            *_lines(problems),
            f"{entries} entries of {documents} documents checked, {len(problems)} problems",
        ],
    )
    if problems:
        raise typer.Exit(1)


def _lines(problems: list[Problem]) -> Iterator[str]:
    for each in problems:
        entry = "" if each.entry is None else f", entry {each.entry}"
        document = "" if each.document_id is None else f", document {each.document_id}{entry}"
        yield f"{each.organisation}{document}: {each.what}"


def _read_checkpoints(path: Path) -> dict[str, dict[str, list[Any]]]:
    """Return what `audit verify --save` wrote: by organisation and document, count of entries and digest."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return {
            org: {str(int(document)): [int(count), str(digest)] for document, (count, digest) in each.items()}
            for org, each in saved.items()
        }
    except (ValueError, TypeError, AttributeError):
        raise BadRequestError(f"{path} is not what `alma audit verify --save` writes.") from None
