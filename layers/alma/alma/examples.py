"""Training examples: what people said of fields, as lines of jsonl and as documents to learn from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alma.evidence import Box
from alma.fields import Status
from alma.pages import PageText


@dataclass(frozen=True, slots=True)
class Example:
    """A verified field: a region of a page image and the text a person says stands there.

    Attributes
    ----------
    text : str
        The value, normalised.
    field_key : str
        The schema's name of the field; GROUP.COLUMN for a column of a group.
    doc_type : str
        Type of its document.
    page_number : int
        1-based, within the document.
    bbox : Box
        Where it stands on that page.
    image_key : str
        The page image, relative to the organisation's prefix: `pages/DOCUMENT/pN.png`.
    status : Status
        `accepted` or `edited`.
    """

    text: str
    field_key: str
    doc_type: str | None
    page_number: int
    bbox: Box
    image_key: str
    status: Status

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

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> Example:
        """Return the example of a line.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is not one.
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
    """A document to learn from.

    Attributes
    ----------
    id : int
        Its number.
    pages : tuple of PageText
        Its words, once per track.
    examples : tuple of Example
        Its verified fields that have a place.
    complete : bool
        People decided every field it has, so that a field without an example is one it does not have.
    """

    id: int
    pages: tuple[PageText, ...]
    examples: tuple[Example, ...]
    complete: bool
