"""Download data sets: `alma dataset pull`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from pydantic import ValidationError

from alma.cli.client import PARALLEL, ApiError, Client
from alma.cli.downloads import FileExistsAlreadyError, local_name
from alma.concurrency import in_order
from alma.datamodel.examples import Example, Manifest, manifest_path, page_path
from alma.datamodel.schemas import KEY

_PART = 500
"""Documents in one request: few enough for the time an answer may take."""
_MAX_PAGES = 99_999
"""Pages of a document, as far as routes count."""
_ATTEMPTS = 3
"""How often a part is fetched that changes meanwhile."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A data set on disk; its attributes are the keys of `--json`."""

    docType: str
    file: str
    """The file with its examples, TYPE.jsonl."""
    documents: int
    examples: int
    pages: int
    """Pages whose words are beside it."""
    images: int
    """Pages whose image is beside it."""


def pull(
    client: Client,
    folder: Path,
    doc_type: str,
    *,
    images: bool = True,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Pulled:
    """Download a data set as `alma.datamodel.examples.read_folder` reads it.

    The lines are replaced last, so that an earlier pull stays whole until then. Images that are there with
    their size are not fetched again, so a pull that broke off resumes.

    Parameters
    ----------
    client : Client
        Where the data set is.
    folder : Path
        Where to put it.
    doc_type : str
        Which one.
    images : bool
        Also the images of the pages that lines name; learning needs the words only.
    force : bool
        Overwrite lines that no pull wrote; those of an earlier one are brought up to date in any case.
    progress : callable
        Called with the files of pages done, and their total.

    Raises
    ------
    ApiError
        The API refused, what it answers is no data set, or it changed during each of the attempts.
    FileExistsAlreadyError
        There are lines that were not pulled.
    """
    # The type may be one that the server lists.
    if re.fullmatch(KEY, doc_type) is None:
        raise ApiError(0, "bad_request", f"{doc_type} is the name of no document type.")
    lines = folder / local_name(f"{doc_type}.jsonl", "")
    if lines.exists() and not manifest_path(lines).exists() and not force:
        raise FileExistsAlreadyError(
            f"{lines} is there and was not pulled; --force overwrites it, another folder keeps it."
        )
    new_lines = lines.with_name(lines.name + ".new")
    folder.mkdir(parents=True, exist_ok=True)
    with new_lines.open("wb") as file:
        manifest, named = _pull_lines(client, doc_type, lines.with_name(lines.name + ".piece"), file)
    pages = [
        (each["documentId"], page) for each in manifest["documents"] for page in range(1, each["pages"] + 1)
    ]
    if not named <= set(pages):
        raise ApiError(0, "unexpected", f"The data set {doc_type} has lines of pages that it does not have.")
    pictured = sorted(named) if images else []
    wanted = [page_path(lines, *page) for page in pages]
    wanted += [page_path(lines, *page).with_suffix(".png") for page in pictured]

    def fetch(path: Path) -> None:
        # Words may change without changing their size; images never change.
        client.fetch(f"/{path.relative_to(folder).as_posix()}", path, overwrite=path.suffix == ".json")

    for done, _ in enumerate(in_order(fetch, wanted, PARALLEL), 1):
        progress(done, len(wanted))
    new_manifest = new_lines.with_suffix(".manifest")
    new_manifest.write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    new_manifest.replace(manifest_path(lines))
    new_lines.replace(lines)
    return Pulled(
        doc_type, str(lines), len(manifest["documents"]), manifest["examples"], len(pages), len(pictured)
    )


def _pull_lines(
    client: Client, doc_type: str, piece: Path, into: IO[bytes]
) -> tuple[dict[str, Any], set[tuple[int, int]]]:
    """Write all lines of a data set; return its manifest, and documentId and page of every line."""
    manifest = _pull_piece(client, doc_type, piece, None)
    named = _append(piece, into)
    while manifest["nextCursor"] is not None:
        more = _pull_piece(client, doc_type, piece, manifest["nextCursor"])
        named |= _append(piece, into)
        manifest = more | {
            "documents": manifest["documents"] + more["documents"],
            "examples": manifest["examples"] + more["examples"],
        }
    piece.unlink()
    return manifest, named


def _append(piece: Path, into: IO[bytes]) -> set[tuple[int, int]]:
    named = set()
    with piece.open("rb") as stream:
        for line in stream:
            example = _parsed(line)
            named.add((example.document_id, example.page_number))
            into.write(line)
    return named


def _pull_piece(client: Client, doc_type: str, piece: Path, cursor: str | None) -> dict[str, Any]:
    """Fetch the lines of one part, and return the manifest of the same documents."""
    part: dict[str, object] = {"limit": _PART, "cursor": cursor}
    path = f"/datasets/{quote(doc_type, safe='')}"
    for _ in range(_ATTEMPTS):
        client.fetch(path, piece, {"format": "jsonl", **part})
        manifest = _checked(client.call("GET", path, format="json", **part))
        with piece.open("rb") as stream:
            lines = Counter(_parsed(line).document_id for line in stream)
        # These are two requests, and people may review between them.
        if lines == Counter({each["documentId"]: each["examples"] for each in manifest["documents"]}):
            return manifest
    raise ApiError(
        0, "dataset_changed", f"The data set {doc_type} changed while it was pulled; pull it again."
    )


def _parsed(line: bytes) -> Example:
    """Parse a line, with the number of its document."""
    try:
        example = Example.from_json(line)
        example.document_id  # noqa: B018 - raises where the image's key has none
    except (LookupError, TypeError, ValueError):
        raise ApiError(0, "unexpected", "A line of the data set is no example.") from None
    return example


def _checked(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest whose numbers are numbers: paths are made of them."""
    try:
        documents = Manifest.model_validate_json(json.dumps(manifest), strict=True).documents
    except ValidationError:
        documents = None
    if documents is None or any(each.pages > _MAX_PAGES for each in documents):
        raise ApiError(0, "unexpected", "The manifest of the data set is malformed.")
    return manifest
