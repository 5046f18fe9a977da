"""A document as the API shows it: the best value of each field, its review status and its evidence.

`project` builds the body; the models describe it once for OpenAPI and for the MCP tools' output schemas.
The body is not made *through* the models: a document may have a hundred thousand fields, and what is built
here needs no validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic

from alma.datamodel.fields import Field, Reading, ReadingWarning, Status, WarningReason, evidence_of
from alma.presentation.view import View

if TYPE_CHECKING:
    from alma.datamodel.schemas import FieldType

#: Decimal places of a confidence in answers; no calibration is finer than that.
CONFIDENCE_PLACES = 4

#: A share or a probability.
Unit = Annotated[float, pydantic.Field(ge=0, le=1)]
_Page = Annotated[int, pydantic.Field(ge=1, description="1-based page of the document.")]

RE_EXTRACTION_DESCRIPTION = (
    "Only given while it waits to be read again (queued), or if that failed; its fields stay as they are "
    "until it is."
)
RE_EXTRACTION_DETAIL_DESCRIPTION = "Why it failed, as a sentence; only given if it did."


WARNING_DESCRIPTION = (
    "What could not be read of it, or why it has no type; only given if there is something to say. What an "
    "older release read has none until it is read again."
)


class WarningView(View):
    """What could not be read of a document, or why nothing was, and what to do."""

    reason: WarningReason = pydantic.Field(
        description="text_not_read: most of what is seen on its images, such as handwriting or letters that "
        "the recogniser does not know; script_not_known: its type, or any type, has no labels in its script; "
        "no_type_fits: too few words of any type stand in it; no_text: no words were seen."
    )
    detail: str = pydantic.Field(description="The same as a sentence, and what to do.")


class BoxView(View):
    """A rectangle on a page: shares of the page's width and height, origin at the top left."""

    x: Unit = pydantic.Field(description="Left edge.")
    y: Unit = pydantic.Field(description="Top edge.")
    w: Unit = pydantic.Field(description="Width.")
    h: Unit = pydantic.Field(description="Height.")


class RegionView(View):
    """One line of a value."""

    page: _Page
    bbox: BoxView


class EvidenceView(View):
    """Where a value stands."""

    page: _Page
    bbox: BoxView = pydantic.Field(description="Holds all lines of the value on that page.")
    regions: list[RegionView] = pydantic.Field(
        default=[], description="The single lines; only given for a value over several lines or pages."
    )


class TrackView(View):
    """What one track reads for a field."""

    track: str = pydantic.Field(
        description="text: the file's own text; vision: recognition on the page image; xml: the data that "
        "an electronic invoice (Factur-X, ZUGFeRD, UBL) carries beside its pages; hosted: a language "
        "model, of whose answers only what stands on a page is kept; agent:KEYID: what an agent proposes; "
        "else the id of a model."
    )
    value: str = pydantic.Field(description="Normalised, as in the field itself.")
    content: str = pydantic.Field(description="The same as it stands on the page.")
    confidence: Unit | None = pydantic.Field(
        description="Probability that the value is right; null where nothing is known."
    )
    evidence: EvidenceView | None = pydantic.Field(description="Where it stands.")
    comment: str | None = pydantic.Field(
        default=None,
        description="Why an agent proposes it, or how the xml differs from what is printed; else not given.",
    )


class FieldView(View):
    """One field: what was read, how sure that is, who looked at it, and where it stands."""

    id: str | None = pydantic.Field(
        default=None,
        description="What to call the field by to decide it: its key, with [N] where it occurs again; "
        "GROUP[ROW].COLUMN for a column of a group. Only given with tracks.",
    )

    key: str = pydantic.Field(
        description="Name of the field in the document type's schema; GROUP.COLUMN for a column of a group."
    )
    group: str | None = pydantic.Field(
        default=None, description="The group that the field is a column of; only given if it is one."
    )
    row: int | None = pydantic.Field(
        default=None, ge=0, description="Row of the group, 0 for the first; only given with group."
    )
    value: str | None = pydantic.Field(
        description="The reviewed value if there is one, else the reading with the highest confidence. "
        "Dates are ISO 8601, amounts plain decimals."
    )
    confidence: Unit | None = pydantic.Field(
        description="Probability that the value is right; null where nothing is known."
    )
    status: Status = pydantic.Field(
        description="Review status. accepted, edited: a person stands behind the value; rejected: a person "
        "said it is wrong; escalated: a person must look; unreviewed: nobody has looked."
    )
    evidence: EvidenceView | None = pydantic.Field(
        description="null for a value that a person entered without a place, or that only the xml says."
    )
    tracks: list[TrackView] = pydantic.Field(
        default=[], description="What each track reads, the best first; only given with tracks."
    )
    reasons: list[str] = pydantic.Field(
        default=[],
        description="Why a person should look, as slugs: low_confidence, confidence_unknown, "
        "tracks_disagree, rule_violated, ambiguous, required_missing, only_hosted, only_xml, xml_differs, "
        "proposed (by an agent); "
        "only given with tracks.",
    )
    version: int | None = pydantic.Field(
        default=None, description="Grows with every change of the field; only given with tracks."
    )
    reviewed_by: str | None = pydantic.Field(
        default=None,
        description="Id of the key that a person last decided or escalated it with; only with tracks, if one "
        "did.",
    )
    reviewed_at: str | None = pydantic.Field(default=None, description="When it was.")
    comment: str | None = pydantic.Field(default=None, description="What that person said of it.")


@dataclass(frozen=True, slots=True)
class FilePart:
    """Where a document stands in a file that holds several."""

    first: int
    """Its first page in the file."""
    last: int
    instance_of: int | None
    """The first document of the file; None for itself."""
    instances: Sequence[int] = ()
    """On the first document: the others that are still there."""

    def body(self) -> dict[str, Any]:
        """Return the keys of an answer."""
        place: dict[str, Any] = {"pageRange": {"first": self.first, "last": self.last}}
        if self.instance_of is None:
            return place | {"instances": list(self.instances)}
        return place | {"instanceOf": self.instance_of}


@dataclass(frozen=True, slots=True)
class Claim:
    """Who works on a document."""

    by: str
    """Id of the key."""
    until: str
    """When it ends by itself (ISO 8601)."""
    name: str | None = None
    """Name of the key, where it is known."""

    def body(self) -> dict[str, Any]:
        """Return the keys of an answer."""
        name = {} if self.name is None else {"claimedByName": self.name}
        return {"claimedBy": self.by, **name, "claimedUntil": self.until}


@dataclass(frozen=True, slots=True)
class ReExtraction:
    """A document that waits to be read again, or for which that failed."""

    state: Literal["queued", "failed"]
    detail: str | None = None
    """Why it failed, as a sentence."""

    def body(self) -> dict[str, Any]:
        """Return the keys of an answer."""
        detail = {} if self.detail is None else {"reExtractionDetail": self.detail}
        return {"reExtraction": self.state, **detail}


class PageRangeView(View):
    """Pages of a file, both included."""

    first: int = pydantic.Field(ge=1)
    last: int = pydantic.Field(ge=1)


class DocumentView(View):
    """A document with its fields."""

    document_id: int = pydantic.Field(ge=1)
    doc_type: str | None = pydantic.Field(description="null if no document type fits.")
    model: str | None = pydantic.Field(
        default=None, description="Id of the fine-tuned model that was asked; only given if one was."
    )
    page_range: PageRangeView | None = pydantic.Field(
        default=None,
        description="Pages of the document in its file; only given if the file holds several documents. "
        "Evidence counts pages within the document.",
    )
    instances: list[int] | None = pydantic.Field(
        default=None, description="Numbers of the other documents of the file; only given on its first."
    )
    instance_of: int | None = pydantic.Field(
        default=None, description="Number of the first document of the file; only given on the others."
    )
    re_extraction: Literal["queued", "failed"] | None = pydantic.Field(
        default=None, description=RE_EXTRACTION_DESCRIPTION
    )
    re_extraction_detail: str | None = pydantic.Field(
        default=None, description=RE_EXTRACTION_DETAIL_DESCRIPTION
    )
    warning: WarningView | None = pydantic.Field(default=None, description=WARNING_DESCRIPTION)
    read_attachments: list[str] = pydantic.Field(
        default=[],
        description="Names of files attached to its file (a PDF portfolio, an e-mail) that were read: each "
        "became a document of its own. Only given on the first document of a file, if there are any.",
    )
    unread_attachments: list[str] = pydantic.Field(
        default=[],
        description="Names of files that are attached to its file and are none that alma reads; (text of the "
        "e-mail) stands for what an e-mail says itself. Only given if there are any.",
    )
    file_name: str | None = pydantic.Field(default=None, description="Name of its file; only with tracks.")
    claimed_by: str | None = pydantic.Field(
        default=None, description="Id of the key that works on it now; only with tracks, if one does."
    )
    claimed_by_name: str | None = pydantic.Field(default=None, description="Name of that key.")
    claimed_until: str | None = pydantic.Field(default=None, description="When that ends by itself.")
    fields: list[FieldView] = pydantic.Field(description="A repeated field has one entry for each value.")
    missing: list[str] = pydantic.Field(
        default=[],
        description="Fields that the type requires and that were not found; only given if there are any and "
        "without tracks, which show them among the fields.",
    )


def rounded(confidence: float | None) -> float | None:
    """Return a confidence as answers show it."""
    return None if confidence is None else round(confidence, CONFIDENCE_PLACES)


@dataclass(frozen=True, slots=True)
class DocumentContent:
    """What an answer about a document, or an export of it, is made of."""

    document_id: int
    doc_type: str | None
    fields: Sequence[Field]
    """In the order to show them."""
    model: str | None = None
    """Id of the fine-tuned model that was asked, if one was."""
    part: FilePart | None = None
    """Where it stands in a file of several documents."""
    claim: Claim | None = None
    """Who works on it."""
    missing: Sequence[str] = ()
    """Ids of required fields that were not found, where `fields` has them not."""
    re_extraction: ReExtraction | None = None
    """Set while it waits to be re-extracted, and after that failed."""
    warning: ReadingWarning | None = None
    """What could not be read of it, or why nothing was."""
    read_attachments: Sequence[str] = ()
    """Names of files attached to its file that became documents."""
    unread_attachments: Sequence[str] = ()
    """Names of those that did not."""
    file_name: str | None = None
    """Name of its file, where it is known."""
    types: Mapping[str, FieldType] = field(default_factory=dict)
    """The type of each field and column by its key, in the schema's order; for exports that have types."""


def project(content: DocumentContent, *, tracks: bool = False) -> dict[str, Any]:
    """Serialise a document: the body of `GET /api/v1/documents/{id}`, keys in the documented order.

    Returns
    -------
    dict
        `documentId`, `docType`, `model`, the keys of the file part and of a re-extraction and `warning`
        if given, and `fields`, each with `key`, `value`, `confidence`, `status` and `evidence` (None for a
        value without a place); `group` and `row` for a group's column; `missing` if any are; with
        `tracks` also the file's name, the claim and what `project_field` adds.
    """
    head: dict[str, Any] = {"documentId": content.document_id, "docType": content.doc_type}
    if content.model is not None:
        head["model"] = content.model
    if content.part is not None:
        head |= content.part.body()
    if content.re_extraction is not None:
        head |= content.re_extraction.body()
    if content.warning is not None:
        head["warning"] = {"reason": content.warning.reason.value, "detail": content.warning.detail}
    if content.read_attachments:
        head["readAttachments"] = list(content.read_attachments)
    if content.unread_attachments:
        head["unreadAttachments"] = list(content.unread_attachments)
    if content.file_name is not None and tracks:
        head["fileName"] = content.file_name
    if content.claim is not None and tracks:
        head |= content.claim.body()
    show = project_field if tracks else _field
    body = head | {"fields": [show(field) for field in content.fields]}
    return body | {"missing": list(content.missing)} if content.missing else body


def _field(field: Field) -> dict[str, Any]:
    best = None if field.missing else field.best
    place = {} if field.group is None else {"group": field.group, "row": field.row}
    return {
        "key": field.key,
        **place,
        "value": best and best.value,
        "confidence": rounded(best.confidence) if best else None,
        "status": field.status.value,
        "evidence": evidence_of(best.regions) if best else None,
    }


def project_field(field: Field) -> dict[str, Any]:
    """Return a field as who decides it needs it: with its id and version, what every track reads, and why
    to look; `reviewedBy`, `reviewedAt` and `comment` where a person has.
    """
    said = {"reviewedBy": field.reviewed_by, "reviewedAt": field.reviewed_at, "comment": field.comment}
    return {
        "id": field.id,
        **_field(field),
        "tracks": [_track(reading) for reading in field.readings],
        "reasons": list(field.reasons),
        "version": field.version,
        **{name: value for name, value in said.items() if value is not None},
    }


def _track(reading: Reading) -> dict[str, Any]:
    shown = {
        "track": reading.track,
        "value": reading.value,
        "content": reading.content,
        "confidence": rounded(reading.confidence),
        "evidence": evidence_of(reading.regions),
    }
    return shown if reading.comment is None else shown | {"comment": reading.comment}
