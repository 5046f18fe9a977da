"""Data sets: what people verified of all documents of a type.

A data set is made when it is asked for, from the fields as they are then. Nothing else keeps what it says:
a removed document is gone from it, and files of it are removed with any document and after a day.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from alma.concurrency import in_order
from alma.datamodel.examples import Example, LabelledDocument, Manifest, ManifestDocument
from alma.document_types import catalogue
from alma.documents import listing, page_records, records
from alma.documents.page_words import read_words
from alma.documents.records import Document
from alma.errors import AlmaError, BadRequestError, NotFoundError
from alma.presentation.exports import Format
from alma.presentation.exports.json import examples_of, lines_of
from alma.presentation.exports.rows import rows_of
from alma.presentation.files import FileLink
from alma.settings import settings
from alma.storage import objects

#: Documents that can be asked for at once by a limit; without one, all of them are.
MAX_LIMIT = 10_000
#: Seconds that are kept back for what is left to do after the last document.
_MARGIN = 4.0


class DatasetTooLargeError(AlmaError):
    """The time does not suffice for so many documents at once."""

    code = "dataset_too_large"
    status = 503


@dataclass(frozen=True, slots=True)
class Summary:
    """How much of a type is verified."""

    doc_type: str
    documents: int
    """Documents with verified fields."""
    fields: int
    """Verified fields of them; those without a place on a page are no examples."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which documents of a data set are asked for, and until when they have to be there."""

    cursor: str | None
    """`nextCursor` of the manifest of the part before."""
    limit: int | None
    """At most this many documents; None for all."""
    deadline: float
    """As `time.monotonic` counts. Telling twenty fields with three readings each takes 3 ms of a
    processor, asking for them about as much: an estimated 100 documents a second, 2,500 in an answer's
    time."""


@dataclass(frozen=True, slots=True)
class _Verified:
    """A document with verified fields."""

    document: Document
    examples: tuple[Example, ...]
    complete: bool
    unplaced: frozenset[str]


def list_datasets(organisation: str) -> list[Summary]:
    """Return the document types that have verified documents, by name."""
    counts = listing.count_verified(organisation)
    known = catalogue.schemas_of(organisation)
    return [Summary(name, *counts[name]) for name in sorted(counts) if name in known]


def manifest(organisation: str, doc_type: str, part: Part) -> Manifest:
    """Return what a data set is but for its lines.

    Raises
    ------
    NotFoundError
        There is no such document type.
    BadRequestError
        The limit is out of range or the cursor malformed.
    DatasetTooLargeError
        It cannot be read in time.
    """
    schema = catalogue.get(organisation, doc_type).schema
    numbers, next_cursor = _numbers(organisation, doc_type, part)
    found = [
        ManifestDocument(
            document_id=each.document.id,
            pages=each.document.pages or 0,
            complete=each.complete,
            examples=len(each.examples),
            unplaced=sorted(each.unplaced),
        )
        for each in _in_time(organisation, doc_type, numbers, part)
    ]
    return Manifest(
        doc_type=doc_type,
        schema=schema.definition,
        documents=found,
        examples=sum(each.examples for each in found),
        next_cursor=next_cursor,
    )


def export(organisation: str, doc_type: str, part: Part) -> FileLink:
    """Put the examples of a data set into the archive, a line for each, and return where to get them.

    They are ordered by document, then as the schema orders fields. Memory does not grow with their number.

    Raises
    ------
    NotFoundError, BadRequestError, DatasetTooLargeError
        As in `manifest`; nothing is kept then.
    """
    catalogue.get(organisation, doc_type)
    numbers, _ = _numbers(organisation, doc_type, part)
    file_name = f"{doc_type}.jsonl"
    # Each part has its file, so that two that are asked for at once do not meet.
    key = objects.dataset_key(doc_type, f"{numbers[0]}-{numbers[-1]}.jsonl" if numbers else "empty.jsonl")
    lines = (lines_of(each.examples) for each in _in_time(organisation, doc_type, numbers, part))
    objects.put_stream(organisation, key, lines, Format.JSONL.media_type)
    return FileLink(
        url=objects.download_url(organisation, key, file_name=file_name),
        media_type=Format.JSONL.media_type,
        file_name=file_name,
        expires_in=settings().download_seconds,
    )


def documents_of(organisation: str, doc_type: str) -> Iterator[LabelledDocument]:
    """Yield the verified documents of a type with their words, by their numbers.

    What `alma.datamodel.examples.read_folder` finds in a folder that was pulled at the same time.
    """

    def load(number: int) -> LabelledDocument | None:
        found = _verified(organisation, doc_type, number)
        if found is None:
            return None
        try:
            # One after the other: documents are what is read in parallel here.
            words = read_words(found.document, page_records.list_pages(found.document), workers=1)
        except NotFoundError:
            if records.exists(organisation, number):
                raise
            return None
        return LabelledDocument(number, tuple(words), found.examples, found.complete, found.unplaced)

    numbers, _ = listing.list_verified(organisation, doc_type)
    for document in in_order(load, numbers, objects.PARALLEL):
        if document is not None:
            yield document


def _numbers(organisation: str, doc_type: str, part: Part) -> tuple[list[int], str | None]:
    if part.limit is not None and not 1 <= part.limit <= MAX_LIMIT:
        raise BadRequestError(f"limit is a whole number from 1 to {MAX_LIMIT}.")
    return listing.list_verified(organisation, doc_type, cursor=part.cursor, limit=part.limit)


def _in_time(organisation: str, doc_type: str, numbers: list[int], part: Part) -> Iterator[_Verified]:
    """Yield documents as long as there is time."""
    load = partial(_verified, organisation, doc_type)
    with closing(in_order(load, numbers, objects.PARALLEL)) as verified:
        for read, found in enumerate(verified, 1):
            if found is not None:
                yield found
            if time.monotonic() > part.deadline - _MARGIN and read < len(numbers):
                raise DatasetTooLargeError(
                    f"{read} of {len(numbers)} documents could be read in time; ask for fewer with limit, "
                    "and for the next ones with the nextCursor of format=json. `alma dataset pull` does so."
                )


def _verified(organisation: str, doc_type: str, number: int) -> _Verified | None:
    """Return a document, or None where it is gone or of another type by now."""
    try:
        document, fields = records.read(organisation, number)
    except NotFoundError:
        return None
    if document.doc_type != doc_type:
        return None
    present = [field for field in fields if not field.missing]
    plain = [field for field in fields if field.group is None]
    return _Verified(
        document,
        examples_of(rows_of(present), document_id=number, doc_type=doc_type),
        # One of which only cells of tables are there says nothing of its other fields.
        bool(plain) and all(field.status.decided for field in plain),
        frozenset(field.key for field in plain if field.status.verified and not field.best.regions),
    )
