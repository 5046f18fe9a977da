"""Send files: which ones a folder has, and what becomes of each (`alma drop`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alma.cli.client import ApiError, Client
from alma.cli.errors import CliError
from alma.cli.output import Output

READ_SUFFIXES = frozenset({".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif"})
"""Endings of the files of a folder that are sent; what a file is, its content tells when it is read."""
_OF_THE_FILE = (400, 413)
"""Statuses that say something of this file, and nothing of the next."""


def collect(named: Sequence[Path], recursive: bool) -> tuple[list[Path], list[Path]]:
    """Return the files to send, those in folders in the order of their paths, and those that are left out.

    Raises
    ------
    CliError
        Something that is named is no file, or there is nothing to send.
    """
    files: list[Path] = []
    left_out: list[Path] = []
    for path in named:
        if path.is_dir() and recursive:
            for each in _files_in(path):
                (files if each.suffix.lower() in READ_SUFFIXES else left_out).append(each)
        elif path.is_dir():
            raise CliError(f"{path} is a folder; -r sends the files in it.")
        elif path.is_file():
            files.append(path)
        else:
            raise CliError(f"{path} is not a file.")
    if not files:
        raise CliError(f"There is nothing to send in {', '.join(map(str, named))}.")
    return files, left_out


def _files_in(folder: Path) -> list[Path]:
    """Return the files in a folder and in those in it, without hidden ones and without following links."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if path.is_file() and not path.is_symlink()]


def send(
    client: Client,
    files: Sequence[Path],
    output: Output,
    *,
    split: bool = True,
    doc_type: str | None = None,
    wait: bool = False,
) -> list[dict[str, Any]]:
    """Send files one by one, and return for each its document, or why there is none.

    A file that is refused or cannot be opened does not stop the others. What would stop them all ends it: the
    documents until then are returned all the same, and that the others were not sent.

    Parameters
    ----------
    client : Client
        To whom.
    files : sequence of Path
        What to send.
    output : Output
        Where progress is shown.
    split : bool
        Whether files may be divided into several documents.
    doc_type : str, optional
        Their type.
    wait : bool
        Wait until they are read, and return their fields, too.

    Raises
    ------
    ApiError
        Nothing can be sent at all.
    """
    from rich.progress import DownloadColumn, TextColumn

    answers: list[dict[str, Any]] = []
    count = TextColumn("{task.percentage:>3.0f} %") if wait else DownloadColumn()
    with output.progress(count) as progress:
        sending = progress.add_task("sending", total=sum(path.stat().st_size for path in files))
        for number, path in enumerate(files, 1):
            try:
                document_id = client.upload(
                    path, lambda size: progress.advance(sending, size), split=split, doc_type=doc_type
                )
            except OSError as error:
                answers.append(_failed(path, "failed", str(error)))
            except ApiError as error:
                if error.status in _OF_THE_FILE:
                    answers.append(_failed(path, error.code, error.detail))
                    continue
                if number == 1:
                    raise
                rest = [_failed(each, "not_sent", "It was not tried.") for each in files[number:]]
                answers += [_failed(path, error.code, error.detail), *rest]
                break
            else:
                answers.append({"documentId": document_id, "fileName": path.name})
        if wait:
            sent = [answer for answer in answers if "documentId" in answer]
            reading = progress.add_task("reading", total=len(sent))
            for answer in sent:
                answer |= _result(client, answer["documentId"])
                progress.advance(reading)
    return answers


def _failed(path: Path, code: str, detail: str) -> dict[str, Any]:
    return {"fileName": path.name, "error": code, "detail": detail}


def _result(client: Client, document_id: int) -> dict[str, Any]:
    """Return a document's fields once it is read, or why it cannot be."""
    try:
        return client.wait(document_id)
    except ApiError as error:
        return {"error": error.code, "detail": error.detail}
