"""Files that commands write: where, and that nothing of this user's is overwritten.

Whoever answers chooses the name that comes with a file. All such names go through `local_name`.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote

import typer

from alma.cli.errors import CliError
from alma.cli.output import Output

if TYPE_CHECKING:
    from alma.cli.client import Client

To = Annotated[
    Path | None,
    typer.Option("-o", "--output", parser=Path, metavar="FILE", help="File to write; - for standard output."),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")]

_LONGEST = 200
"""Bytes of a name; file systems take 255, and `.part` is appended."""
_QUOTED = re.compile(r'filename\s*=\s*"((?:\\.|[^"\\])*)"', re.IGNORECASE)
_BARE = re.compile(r'filename\s*=\s*([^\s";]+)', re.IGNORECASE)
_EXTENDED = re.compile(r"filename\*\s*=\s*utf-8'[^']*'([^\s;]+)", re.IGNORECASE)


class FileExistsAlreadyError(CliError):
    """A file would be overwritten."""

    code = "file_exists"


def local_name(given: str | None, otherwise: str) -> str:
    """Return the name under which a file may be written: the last component of the one that a server gave.

    It is in no other folder, not hidden, no option of a command that meets it, and has no characters that
    nobody sees.
    """
    last = re.split(r"[/\\]", given or "")[-1]
    shown = "".join(c for c in last if unicodedata.category(c)[0] != "C")
    short = shown.encode()[-_LONGEST:].decode(errors="ignore")
    return short.lstrip(".- ").rstrip(". ") or otherwise


def name_in(disposition: str) -> str | None:
    """Return the file's name in a `Content-Disposition` header (RFC 6266); None where there is none."""
    if extended := _EXTENDED.search(disposition):
        return unquote(extended[1])
    if quoted := _QUOTED.search(disposition):
        return re.sub(r"\\(.)", r"\1", quoted[1])
    bare = _BARE.search(disposition)
    return None if bare is None else bare[1]


def download(
    client: Client,
    path: str,
    otherwise: str,
    *,
    file: Path | None,
    force: bool,
    as_json: bool,
    **query: object,
) -> None:
    """Write what a route answers into a file, and say where it is.

    Parameters
    ----------
    client : Client
        Whom to ask.
    path : str
        The route.
    otherwise : str
        Name of the file where the server says none.
    file : Path, optional
        Where to write it, `-` for standard output; by the server's name, in this folder, without it.
    force : bool
        Overwrite what is there.
    as_json : bool
        Say it as JSON.

    Raises
    ------
    FileExistsAlreadyError
        There is such a file.
    ApiError
        The API refused.
    """
    if file is not None and file != Path("-"):
        check_absent(file, force)  # before anything is asked for
    with client.stream(path, query) as (headers, blocks):
        if file == Path("-"):
            _print(blocks)
            return
        named = local_name(name_in(headers.get("Content-Disposition", "")), local_name(otherwise, "download"))
        into = file or Path(named)
        size = write(into, blocks, force=force)
    Output(as_json).show({"file": str(into), "bytes": size}, f"{into} ({size} bytes)")


def check_absent(path: Path, force: bool) -> None:
    """Check that writing a file overwrites nothing that was not meant.

    Raises
    ------
    FileExistsAlreadyError
        It would.
    CliError
        There is no such folder.
    """
    if not path.parent.is_dir():
        raise CliError(f"There is no folder {path.parent}; make it first.")
    if path.is_dir():
        raise FileExistsAlreadyError(f"{path} is a folder; name a file.")
    if os.path.lexists(path) and not _is_device(path) and not force:
        raise _exists(path)


def write(path: Path, blocks: Iterable[bytes], *, force: bool) -> int:
    """Write a file whole or not at all, and return its size.

    Raises
    ------
    FileExistsAlreadyError
        There is one, and `force` was not said.
    """
    check_absent(path, force)
    if _is_device(path):
        return _write(path, "wb", blocks)
    target = path.with_name(f"{path.name}.part") if force else path
    if force:
        target.unlink(missing_ok=True)
    try:
        # Exclusively: not through a link, and not onto what somebody else made meanwhile.
        size = _write(target, "xb", blocks)
    except FileExistsError:
        raise _exists(target) from None
    if force:
        target.replace(path)
    return size


def _write(path: Path, mode: str, blocks: Iterable[bytes]) -> int:
    size = 0
    with path.open(mode) as file:
        try:
            for block in blocks:
                size += file.write(block)
        except BaseException:
            if mode == "xb":
                with contextlib.suppress(OSError):
                    path.unlink()
            raise
    return size


def _is_device(path: Path) -> bool:
    """Tell whether a path is there and is neither file nor folder, so that nothing in it can be lost."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _exists(path: Path) -> FileExistsAlreadyError:
    return FileExistsAlreadyError(f"{path} is there already; --force overwrites it, another name keeps it.")


def _print(blocks: Iterator[bytes]) -> None:
    """Copy a file to standard output; a terminal is shown its text alone."""
    if not sys.stdout.isatty():
        for block in blocks:
            sys.stdout.buffer.write(block)
        return
    body = b"".join(blocks)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise CliError("It is no text, and would garble the terminal; name a file.")
    Output(as_json=False).show({}, text)
