"""State of review of a document: how many of its fields wait, how sure the least sure of these is.

The counts stand on the document's row and are written with every change to its fields. A row that is ready
also stands in the `review` index, in the partition of its state, where listings find it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from alma.datamodel.fields import Field, Status
from alma.documents import field_rows
from alma.storage.items.documents import DocumentItem, listed_key


class ReviewState(StrEnum):
    """What of a document is left to review, as people ask for it."""

    WAITING = "waiting"
    """A field is escalated or unreviewed."""
    ESCALATED = "escalated"
    UNREVIEWED = "unreviewed"
    MISSING = "missing"
    DONE = "done"
    """It is ready and no field waits."""


@dataclass(frozen=True, slots=True)
class ReviewSummary:
    """What of a document is left to review."""

    escalated: int
    unreviewed: int
    missing: int
    least_confidence: float | None
    """Of the fields that wait; None where none waits or nothing is known of them."""

    @property
    def partition(self) -> ReviewState:
        """The partition of the index that its document is in: the most urgent state of its fields."""
        if self.escalated:
            return ReviewState.ESCALATED
        return ReviewState.UNREVIEWED if self.unreviewed else ReviewState.DONE

    def is_in(self, state: ReviewState) -> bool:
        """Tell whether its document is in a state."""
        match state:
            case ReviewState.WAITING:
                return self.escalated + self.unreviewed > 0
            case ReviewState.DONE:
                return self.escalated + self.unreviewed == 0
            case ReviewState.ESCALATED:
                return self.escalated > 0
            case ReviewState.UNREVIEWED:
                return self.unreviewed > 0
            case ReviewState.MISSING:
                return self.missing > 0

    def is_below(self, confidence: float) -> bool:
        """Tell whether a field that waits is less sure than this."""
        return self.least_confidence is not None and self.least_confidence < round(confidence, 6)

    def changed(self, before: Iterable[Field], after: Iterable[Field]) -> ReviewSummary | None:
        """Return what it is after some fields changed; None where that takes a look at all of them."""
        gone, come = of_fields(before), of_fields(after)
        least = self.least_confidence
        if least is not None and gone.least_confidence is not None and gone.least_confidence <= least:
            return None
        known = [each for each in (least, come.least_confidence) if each is not None]
        return ReviewSummary(
            self.escalated - gone.escalated + come.escalated,
            self.unreviewed - gone.unreviewed + come.unreviewed,
            self.missing - gone.missing + come.missing,
            min(known, default=None),
        )


#: The partitions in which documents of a state are found; those of some hold others, too.
PARTITIONS = {
    ReviewState.WAITING: (ReviewState.ESCALATED, ReviewState.UNREVIEWED),
    ReviewState.ESCALATED: (ReviewState.ESCALATED,),
    ReviewState.UNREVIEWED: (ReviewState.ESCALATED, ReviewState.UNREVIEWED),
    ReviewState.MISSING: (ReviewState.ESCALATED,),
    ReviewState.DONE: (ReviewState.DONE,),
}


def of_fields(fields: Iterable[Field]) -> ReviewSummary:
    """Return what of a document with these fields is left to review."""
    escalated = unreviewed = missing = 0
    least: float | None = None
    for field in fields:
        escalated += field.status is Status.ESCALATED
        unreviewed += field.status is Status.UNREVIEWED
        missing += field.wanted
        sure = field_rows.waiting_confidence(field)
        if sure is not None and (least is None or sure < least):
            least = sure
    return ReviewSummary(escalated, unreviewed, missing, least)


def of_row(row: DocumentItem) -> ReviewSummary | None:
    """Return what a document's row says; None where it is not ready, or older than these attributes."""
    if row.review_key is None or row.escalated is None:
        return None
    least = row.least_confidence
    return ReviewSummary(
        int(row.escalated or 0),
        int(row.unreviewed or 0),
        int(row.missing or 0),
        None if least is None else float(least),
    )


def partition_key(organisation: str, state: ReviewState) -> str:
    """Return the partition of the `review` index with an organisation's documents of a state."""
    return f"{organisation}#{state.value}"


def actions(row: DocumentItem, summary: ReviewSummary) -> list[Any]:
    """Return the actions that make a document's row say what is left to review."""
    least = summary.least_confidence
    return [
        DocumentItem.escalated.set(summary.escalated),
        DocumentItem.unreviewed.set(summary.unreviewed),
        DocumentItem.missing.set(summary.missing),
        DocumentItem.least_confidence.remove() if least is None else DocumentItem.least_confidence.set(least),
        DocumentItem.review_key.set(partition_key(row.pk, summary.partition)),
        DocumentItem.review_rank.set(listed_key(int(row.document_id))),
    ]
