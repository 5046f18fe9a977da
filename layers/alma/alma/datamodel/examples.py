"""Training examples: what people said of fields, as lines of jsonl and as documents to learn from.

A data set as a folder, as `alma dataset pull` writes it and `read_folder` reads it:

=========================  =============================================
TYPE.jsonl                 the examples, one per line
TYPE.manifest.json         `Manifest`: the type and its documents
pages/ID/pN.json           the words of a page, a `PageText` per track
pages/ID/pN.png            the image of a page that a line names
=========================  =============================================

Nothing here needs a cloud: a model is trained from such a folder on any machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from alma.datamodel.fields import Status
from alma.datamodel.geometry import Box
from alma.datamodel.pages import PageText
from alma.datamodel.schemas import KEY, DocumentSchema, SchemaDefinition
from alma.errors import BadRequestError, NotFoundError
from alma.text import validation_message

# One encoder for all lines: json.dumps with separators makes one per call.
compact_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def image_key(document_id: int, page: int) -> str:
    """Return what a page image is called in lines, below `/v1/` and in the archive."""
    return f"pages/{document_id}/p{page}.png"


@dataclass(frozen=True, slots=True)
class Example:
    """A verified field: a region of a page image and the text a person says stands there."""

    text: str
    """The value, normalised."""
    field_key: str
    """The schema's name of the field; GROUP.COLUMN for a column of a group."""
    doc_type: str | None
    """Type of its document."""
    page_number: int
    """1-based, within the document."""
    bbox: Box
    """Where it stands on that page."""
    image_key: str
    """The page image, relative to the organisation's prefix: `pages/DOCUMENT/pN.png`."""
    status: Status
    """`accepted` or `edited`."""

    @property
    def document_id(self) -> int:
        """Number of its document, as the image's key says it."""
        return int(self.image_key.split("/")[1])

    def to_dict(self) -> dict[str, Any]:
        """Return the keys of a line, in the documented order."""
        return {
            "text": self.text,
            "field_key": self.field_key,
            "doc_type": self.doc_type,
            "page_number": self.page_number,
            "bbox": self.bbox.to_dict(),
            "image_key": self.image_key,
            "status": self.status.value,
        }

    def to_json(self) -> str:
        """Return the line of jsonl, without its end."""
        return compact_json(self.to_dict())

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> Example:
        """Return the example of a line.

        Raises
        ------
        KeyError, TypeError, ValueError
            The line is not an example.
        """
        return cls(
            str(line["text"]),
            str(line["field_key"]),
            line["doc_type"],
            int(line["page_number"]),
            Box.from_dict(line["bbox"]),
            str(line["image_key"]),
            Status(line["status"]),
        )

    @classmethod
    def from_json(cls, line: str | bytes) -> Example:
        """Return the example of a line of jsonl; raises as `from_dict`."""
        return cls.from_dict(json.loads(line))


@dataclass(frozen=True, slots=True)
class LabelledDocument:
    """A document to learn from."""

    id: int
    """Its number."""
    pages: tuple[PageText, ...]
    """Its words, once per track."""
    examples: tuple[Example, ...]
    """Its verified fields that have a place."""
    complete: bool
    """People decided every field it has, so that a field without an example is one it does not have."""
    unplaced: frozenset[str] = frozenset()
    """Keys of verified fields that have no place: nothing can be learnt of them, nor that they are absent."""


_MANIFEST_CONFIG = ConfigDict(
    alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True, defer_build=True
)


class ManifestDocument(BaseModel):
    """A document of a data set."""

    model_config = _MANIFEST_CONFIG

    document_id: int = Field(ge=1, description="Its number.")
    pages: int = Field(ge=0, description="Number of its pages, from 1.")
    complete: bool = Field(
        description="People decided every field outside of tables: what has no example, it does not have."
    )
    examples: int = Field(ge=0, description="Lines of it.")
    unplaced: list[str] = Field(
        default=[],
        description="Fields people verified without saying where they stand; no lines.",
    )


class Manifest(BaseModel):
    """A data set without its lines: the document type, and the documents that have verified fields."""

    model_config = _MANIFEST_CONFIG

    doc_type: str = Field(pattern=KEY)
    definition: SchemaDefinition = Field(
        alias="schema", description="The document type as PUT /api/v1/schemas/{docType} takes it."
    )
    documents: list[ManifestDocument] = Field(description="Oldest first.")
    examples: int = Field(ge=0, description="Lines of all of them.")
    next_cursor: str | None = Field(description="Send it as cursor for the next documents; null on the last.")

    def to_json(self) -> str:
        """Return the manifest as answers and folders hold it; what is as usual is left out of the schema."""
        return self.model_dump_json(exclude_defaults=True)


def manifest_path(lines: Path) -> Path:
    """Return where the manifest of a file of lines is."""
    return lines.with_suffix(".manifest.json")


def page_path(lines: Path, document_id: int, page: int) -> Path:
    """Return where the words of a page of a file of lines are; its image ends in `.png`."""
    return lines.parent / "pages" / str(document_id) / f"p{page}.json"


def read_folder(lines: Path) -> tuple[DocumentSchema, list[LabelledDocument]]:
    """Return the document type and the documents of a data set on disk, by their numbers.

    Lines and documents may have been taken out by hand; what is there has to fit together.

    Parameters
    ----------
    lines : Path
        The `TYPE.jsonl`; manifest and pages are beside it.

    Raises
    ------
    NotFoundError
        A file is missing.
    BadRequestError
        A file is not what it should be; the sentence says which, and which line.
    """
    manifest = _read_manifest(manifest_path(lines))
    documents = {document.document_id: document for document in manifest.documents}
    if len(documents) < len(manifest.documents):
        raise BadRequestError(f"{manifest_path(lines)} names a document twice; pull the data set again.")
    examples: dict[int, dict[Example, int]] = {number: {} for number in documents}
    for number, example in _read_lines(lines, manifest.doc_type):
        of_document = examples.get(example.document_id)
        if of_document is None or example.page_number > documents[example.document_id].pages:
            raise BadRequestError(
                f"{lines}, line {number}: its manifest knows no page {example.image_key}; "
                "pull the data set again."
            )
        if example in of_document:
            raise BadRequestError(f"{lines}, line {number} is line {of_document[example]} again; remove one.")
        of_document[example] = number
    return manifest.definition.named(manifest.doc_type), [
        LabelledDocument(
            document.document_id,
            tuple(
                text
                for page in range(1, document.pages + 1)
                for text in _read_page(page_path(lines, document.document_id, page), page)
            ),
            tuple(examples[document.document_id]),
            document.complete,
            frozenset(document.unplaced),
        )
        for document in sorted(manifest.documents, key=lambda each: each.document_id)
    ]


def _read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(_read(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where, told = ".".join(map(str, first["loc"])) or "the file", validation_message(first["msg"])
        raise BadRequestError(f"{path} is no manifest of a data set: {where}: {told}.") from None


def _read_lines(path: Path, doc_type: str) -> Iterator[tuple[int, Example]]:
    """Yield the examples of a file with the numbers of their lines."""
    for number, line in enumerate(_read(path).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            example = Example.from_json(line)
            fits = _is_sound(example)
        except (KeyError, TypeError, ValueError, IndexError):
            fits = False
        if not fits:
            raise BadRequestError(
                f"{path}, line {number} is no verified example; docs/datasets.md says what is."
            )
        if example.doc_type != doc_type:
            raise BadRequestError(f"{path}, line {number} is of another document type than {doc_type}.")
        yield number, example


def _is_sound(example: Example) -> bool:
    box = example.bbox
    return (
        example.status.verified
        and example.image_key == image_key(example.document_id, example.page_number)
        # Comparisons that are false for what is no number.
        and min(box.x, box.y, box.w, box.h) >= 0
        and max(box.x, box.y, box.w, box.h) <= 1
    )


def _read_page(path: Path, page: int) -> list[PageText]:
    try:
        found = [PageText.from_dict(track) for track in json.loads(_read(path))["tracks"]]
    except (KeyError, TypeError, ValueError):
        found = None
    if found is None or any(text.page != page for text in found):
        raise BadRequestError(f"{path} does not hold the words of page {page}; pull the data set again.")
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"{path} is missing; `alma dataset pull` writes it.") from None
