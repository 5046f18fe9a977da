"""A field of a document: its readings, the best one, and what people said of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from alma.datamodel.geometry import Region, enclosing

#: The model that comes with alma, which others are tuned from.
BASE_MODEL = "alma-base"
#: What the name of a track begins with that an agent proposes on; the id of its key follows.
AGENT = "agent:"
#: Occurrences of a field, and rows of a group: as many as an id counts.
MAX_OCCURRENCES = 100_000


class Verb(StrEnum):
    """What a person can do with a field."""

    ACCEPT = "accept"
    EDIT = "edit"
    REJECT = "reject"
    ESCALATE = "escalate"


class Status(StrEnum):
    """Where a field stands in review; the five words of the API."""

    UNREVIEWED = "unreviewed"
    ACCEPTED = "accepted"
    EDITED = "edited"
    REJECTED = "rejected"
    ESCALATED = "escalated"

    @property
    def verified(self) -> bool:
        """A person stands behind the value."""
        return self in (Status.ACCEPTED, Status.EDITED)

    @property
    def decided(self) -> bool:
        """A person has decided; no extraction may change it."""
        return self.verified or self is Status.REJECTED


class Reason(StrEnum):
    """Why a field is escalated."""

    LOW_CONFIDENCE = "low_confidence"
    """Its confidence is below what the document type asks for."""
    CONFIDENCE_UNKNOWN = "confidence_unknown"
    """Nobody has measured how often such a value is right."""
    TRACKS_DISAGREE = "tracks_disagree"
    RULE_VIOLATED = "rule_violated"
    """Its value does not fit those of other fields, by a rule of the document type."""
    AMBIGUOUS = "ambiguous"
    """It can be read in two ways, and the document does not say which: which of 03/04 is the day."""
    REQUIRED_MISSING = "required_missing"
    """The document type requires it, and nothing was found."""
    ONLY_HOSTED = "only_hosted"
    """The hosted model alone reads it."""
    ONLY_XML = "only_xml"
    """The data that the file carries beside its pages says it, and nothing on the pages says that it is that.
    """
    XML_DIFFERS = "xml_differs"
    """That data says something else than the pages."""
    PROPOSED = "proposed"
    """An agent proposes a value for it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one track makes of one field."""

    track: str
    """`text`, `vision`, `xml`, `hosted` or the id of a model; `agent:` and the id of a key for what an agent
    proposes."""
    value: str
    """Normalised: ISO date, plain decimal, single spaces."""
    content: str
    """The same as it stands on the page."""
    confidence: float | None
    """Calibrated probability that `value` is right; None where nothing is known."""
    regions: tuple[Region, ...]
    """The lines it was cut from, in reading order; at least one for anything alma reads from a page."""
    comment: str | None = None
    """Why an agent proposes it, or how it differs from what is printed; None for what is read."""

    @property
    def proposed(self) -> bool:
        """An agent proposes it: nobody has read it from the page."""
        return self.track.startswith(AGENT)


@dataclass(frozen=True, slots=True)
class DecisionCount:
    """How many of the values that were read of a field people found right, and how many wrong."""

    right: int = 0
    wrong: int = 0

    @property
    def total(self) -> int:
        """Values that people decided."""
        return self.right + self.wrong


def evidence_of(regions: tuple[Region, ...]) -> dict[str, object] | None:
    """Return the API's evidence: `{page, bbox}`, plus `regions` when there is more than one.

    `page` is the first page the value stands on and `bbox` holds all its lines on that page.
    """
    if not regions:
        return None
    page = regions[0].page
    evidence = Region(page, enclosing(r.box for r in regions if r.page == page)).to_dict()
    if len(regions) > 1:
        evidence["regions"] = [r.to_dict() for r in regions]
    return evidence


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one document."""

    key: str
    """The schema's name of the field; for a column of a group GROUP.COLUMN."""
    occurrence: int
    """0 for the first; repeated fields count on. For a column of a group the row, 0 for the first."""
    readings: tuple[Reading, ...]
    """One per track, the best first."""
    status: Status = Status.UNREVIEWED
    """Review status."""
    reviewed: Reading | None = None
    """The value a person accepted or entered, with its evidence; None before review."""
    reasons: tuple[str, ...] = ()
    """Why the field is escalated: `Reason`, or what a later version of alma has stored."""
    version: int = 1
    """Grows with every change."""
    reviewed_by: str | None = None
    """Id of the key that last decided it, and when (ISO 8601); None before review."""
    reviewed_at: str | None = None
    comment: str | None = None
    """What that person said of it."""
    order: int = field(default=0, compare=False)
    """Its place among the document's fields, as stored; no part of what the field says."""

    @property
    def id(self) -> str:
        """What the API calls the field: `party`, `party[1]` for a second one, `line_items[3].amount`."""
        if self.group is None and self.occurrence:
            return f"{self.key}[{self.occurrence}]"
        return self.label

    @property
    def touched(self) -> bool:
        """A person decided it or asked for a look at it, or an agent did: no extraction takes that back."""
        proposed = any(reading.proposed for reading in self.readings)
        return self.status.decided or self.reviewed_by is not None or proposed

    @property
    def group(self) -> str | None:
        """Name of the group the field is a column of, if it is one."""
        return self.key.partition(".")[0] if "." in self.key else None

    @property
    def row(self) -> int | None:
        """Row of the group the field belongs to, 0 for the first; None for a field on its own."""
        return None if self.group is None else self.occurrence

    @property
    def label(self) -> str:
        """The key as tables show it, with the row of a group's: `line_items[3].amount`."""
        group, _, column = self.key.partition(".")
        return f"{group}[{self.occurrence}].{column}" if column else self.key

    @property
    def missing(self) -> bool:
        """Nothing was found for it, nor entered: it is kept so that a person sees that it is missing."""
        return not self.readings and not (self.reviewed is not None and self.status.verified)

    @property
    def wanted(self) -> bool:
        """It is missing, and no person has said that there is none."""
        return self.missing and not self.status.decided

    @property
    def best(self) -> Reading:
        """The reviewed value where there is one, else the reading with the highest confidence.

        Raises
        ------
        ValueError
            The field is missing.
        """
        if self.reviewed is not None and self.status.verified:
            return self.reviewed
        return best_reading(self.readings)

    @property
    def source(self) -> str:
        """What an export names as the origin: the review status if verified, else the track."""
        return self.status.value if self.status.verified else self.best.track


#: Names as long as schemas allow: longer ones would make a key that the table refuses.
_ID = re.compile(
    r"(?P<name>[a-z][a-z0-9_]{0,63})(?:\[(?P<number>\d{1,5})\])?(?P<column>\.[a-z][a-z0-9_]{0,63})?"
)


def parse_id(text: str) -> tuple[str, int] | None:
    """Return the key and the occurrence of a field's id, or None if it is none; `[0]` may be left out."""
    match = _ID.fullmatch(text) if text.isascii() else None
    if match is None:
        return None
    return match["name"] + (match["column"] or ""), int(match["number"] or 0)


def doubt(confidence: float | None, review_below: float) -> Reason | None:
    """Return why a person should look at a value, by its confidence alone; None where it is sure enough.

    A document type whose `review_below` is 0 asks for no look for the sake of confidence.
    """
    if review_below <= 0:
        return None
    if confidence is None:
        return Reason.CONFIDENCE_UNKNOWN
    return Reason.LOW_CONFIDENCE if confidence < review_below else None


def precedence(reading: Reading) -> tuple[bool, float]:
    """Return a sort key of readings: the most confident first, then unknown confidence, then proposals."""
    return reading.proposed, 1.0 if reading.confidence is None else -reading.confidence


def ranked(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """Return readings by `precedence`, the best first; ties keep their order."""
    return tuple(sorted(readings, key=precedence))


def best_reading(readings: Iterable[Reading]) -> Reading:
    """Return the first reading by `precedence`."""
    return min(readings, key=precedence)


class WarningReason(StrEnum):
    """Why a document has no type, or fields of its type may be missing."""

    TEXT_NOT_READ = "text_not_read"
    """Most of what is seen on its images: handwriting, or letters that the recogniser does not know."""
    SCRIPT_NOT_KNOWN = "script_not_known"
    """Its type, or any type, has no labels in its letters."""
    NO_TYPE_FITS = "no_type_fits"
    """Too few words of any type stand in it."""
    NO_TEXT = "no_text"
    """Nothing was seen on its pages."""


@dataclass(frozen=True, slots=True)
class ReadingWarning:
    """What could not be read of a document, or why nothing was."""

    reason: WarningReason
    detail: str
    """A sentence: what is seen, and what to do."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What reading a document gave."""

    doc_type: str | None
    """Key of the schema that fits best; None when none does."""
    doc_type_confidence: float | None = None
    """Probability that it is right; None where nothing is known."""
    fields: list[Field] = field(default_factory=list)
    """In the schema's order, then by place in the document."""
    warning: ReadingWarning | None = None
    """What could not be read, or why nothing was."""
