"""What every command has: its options' spelling, failures as one sentence, exit statuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand

from alma.cli.errors import CliError
from alma.cli.output import Output
from alma.errors import AlmaError

PIPE_CLOSED = 128 + 13
"""Exit status of a program that SIGPIPE ends, as shells count it."""

_NEGATIVE_NUMBER = re.compile(r"-\d+|-\d*\.\d+")
_Function = TypeVar("_Function", bound=Callable[..., Any])

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Stack = Annotated[
    str | None,
    typer.Option("--stack", help="Name of the deployed stack; without it, the alma that runs here."),
]
Limit = Annotated[
    int, typer.Option("--limit", min=1, show_default=False, help="At most so many: 50 without it.")
]
DocumentName = Annotated[
    str,
    typer.Argument(
        metavar="DOCUMENT", show_default=False, help="Number of the document, or the name of its file."
    ),
]


def _name(text: str) -> str:
    from alma.documents import names

    if not names.folded(text):
        raise typer.BadParameter("give a letter or a digit: what stands between words does not matter")
    return text


def _time(text: str) -> str:
    # Pydantic comes with it, which no other command waits for.
    from alma.api.document_filters import ACCEPTED_TIMES, moment

    try:
        moment(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"give {ACCEPTED_TIMES}") from None
    return text


FileName = Annotated[
    str | None,
    typer.Option(
        "--name",
        parser=_name,
        metavar="TEXT",
        help="Only files whose name, or what follows one of its words, begins so.",
    ),
]
ArrivedFrom = Annotated[
    str | None,
    typer.Option(
        "--from",
        parser=_time,
        metavar="TIME",
        help="Only what arrived then or later: 2026-05-14 (UTC), or a time with its zone.",
    ),
]
ArrivedTo = Annotated[
    str | None,
    typer.Option(
        "--to", parser=_time, metavar="TIME", help="Only what arrived then or earlier; a day to its end."
    ),
]
DocType = Annotated[str | None, typer.Option("--type", help="Only this document type.")]


class Command(TyperCommand):
    """A command whose failures are one sentence and exit status 1: the only place where errors are caught."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take negative numbers for values, not for options: the API says what is wrong with them."""
        if any(_NEGATIVE_NUMBER.fullmatch(each) for each in args):
            ctx.ignore_unknown_options = True
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        output = Output(as_json=ctx.params.get("as_json", False))
        try:
            return super().invoke(ctx)
        except typer.Exit:
            raise
        except BrokenPipeError:
            raise typer.Exit(PIPE_CLOSED) from None
        except (AlmaError, CliError) as error:
            output.fail(error.code, str(error))
        except OSError as error:
            output.fail("failed", str(error))
        except Exception as error:
            # Only the operator's commands have reached storage, so only they pay for importing it.
            from alma.storage.failures import unavailable

            if unavailable(error) is None:
                raise
            output.fail("unavailable", f"the table cannot be reached: {error}")
        raise typer.Exit(1)


class CommandGroup(typer.Typer):
    """Commands of `Command`, with plain help and plain tracebacks: a local variable may hold a key."""

    def __init__(self, **settings: Any) -> None:
        plain = {"rich_markup_mode": None, "pretty_exceptions_enable": False, "add_completion": False}
        super().__init__(**(plain | settings))

    def command(self, *names: Any, **settings: Any) -> Callable[[_Function], _Function]:
        """Register a function as a command; its docstring is the help."""
        return super().command(*names, cls=Command, **settings)
