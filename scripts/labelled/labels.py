"""Labelled folders: `labels.jsonl` with one document a line, and the files it names."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from alma.datamodel.pages import PageText
from alma.files.isolation import read_file
from alma.settings import Settings

MODELS = Path(__file__).parents[2] / "layers/vision/models"
#: Parts labelled documents are divided into, so that what is judged was never learnt from.
FOLDS = 5
#: Of so many groups of a type one is held out.
HELD_OUT = 10
#: Groups of documents (templates, senders) a type needs before it is trained on and its confidence stated.
MIN_GROUPS = 5
#: Pages of a document whose words are read.
PAGES = 40


def fold_of(document: Mapping[str, Any]) -> int:
    """Return the fold of a document: all of a `group` (a template, a sender) are in one."""
    return zlib.crc32(str(document["group"]).encode()) % FOLDS


@dataclass(frozen=True, slots=True)
class LabelledFolder:
    """A folder of labelled documents, and where their words are cached."""

    data: Path
    words: Path
    documents: list[dict[str, Any]]
    held_out: frozenset[str]
    """Ids of the documents that are set aside (`held_out`)."""


def labelled_folders(data: Sequence[Path], words: Path) -> list[LabelledFolder]:
    """Return labelled folders; the words of each are cached under `words`, in a folder of its name.

    Raises
    ------
    SystemExit
        A folder has no labels, or a line is not one; the message says which.
    """
    found = []
    for each in data:
        documents = read_labels(each)
        found.append(LabelledFolder(each, words / each.resolve().name, documents, held_out(documents)))
    return found


def held_out(documents: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the ids of the documents that are set aside: never trained nor tuned on, looked at last.

    Of the groups of each type and licence class a tenth, rounded up, those whose hash is the smallest.
    Types of fewer than `MIN_GROUPS` groups, which nothing is trained on, have none.
    """
    groups: dict[tuple[str, str], set[str]] = {}
    for d in documents:
        groups.setdefault((str(d["doc_type"]), str(d.get("licence_class"))), set()).add(str(d["group"]))
    of_type = Counter(name for (name, _), each in groups.items() for _ in each)
    aside = {
        (name, licence, group)
        for (name, licence), each in groups.items()
        if of_type[name] >= MIN_GROUPS
        for group in sorted(each, key=_hash_of_group)[: -(-len(each) // HELD_OUT)]
    }
    return frozenset(
        str(d["id"])
        for d in documents
        if (str(d["doc_type"]), str(d.get("licence_class")), str(d["group"])) in aside
    )


def _hash_of_group(group: str) -> int:
    return zlib.crc32(f"held out: {group}".encode())


def words_of(document: Mapping[str, Any], data: Path, cache: Path) -> list[PageText]:
    """Return the words of a labelled document, cached in a folder.

    Raises
    ------
    alma.errors.UnreadableFileError
        The file is none of the kinds alma reads, or damaged.
    """
    path = cache / f"{document['id']}.json"
    if path.exists():
        return [PageText.from_json(json.dumps(page)) for page in json.loads(path.read_text())]
    from alma.ocr import Recognizer
    from alma.ocr.completion import with_pictures

    found: list[PageText] = []
    recognizer: Recognizer | None = None
    with read_file(data / document["file"], Settings()) as file:
        for page in file:
            if page.number > PAGES or page.error is not None:
                continue
            text = page.text
            if page.needs_vision:
                recognizer = recognizer or Recognizer(MODELS)
                with Image.open(page.image) as image:
                    if text is not None and text.pictures:
                        text = with_pictures(recognizer, image, text)
                    else:
                        found.append(recognizer.read(image, page.number))
            if text is not None:
                found.append(text)
    cache.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([json.loads(page.to_json()) for page in found]))
    return found


def read_labels(data: Path) -> list[dict[str, Any]]:
    """Return the rows of a labelled folder.

    Each has `id`, `file` (relative to the folder), `doc_type` and `fields`: a list of `key`, `value`,
    `normalized`?, `page`, `bbox`, `also_at`?, `weak`?.

    Raises
    ------
    SystemExit
        The folder has no labels, or a line is not one; the message says which.
    """
    path = data / "labels.jsonl"
    if not path.is_file():
        raise SystemExit(f"{path} does not exist: --data names a folder with labels.jsonl in it.")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            missing = {"id", "file", "doc_type", "fields"} - row.keys()
        except (ValueError, AttributeError) as error:
            raise SystemExit(f"{path}, line {number}: {error}") from None
        if missing:
            raise SystemExit(f"{path}, line {number}: lacks {', '.join(sorted(missing))}")
        if not (data / row["file"]).is_file():
            raise SystemExit(f"{path}, line {number}: {row['file']} is not there")
        rows.append(row)
    return rows
