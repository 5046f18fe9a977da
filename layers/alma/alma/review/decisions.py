"""What people decide of fields: accept, edit, reject, escalate, and add what was not found.

A decision names the version of the field it is about; if that is no longer the field's, the decision is
refused with what the field is now. It is written together with its entry in the document's audit trail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from alma import clock
from alma.datamodel.fields import Field, Reading, Status, Verb, best_reading
from alma.datamodel.pages import Track
from alma.document_types import decision_counts
from alma.documents import changes, field_rows
from alma.documents.audit import Action
from alma.documents.records import Document
from alma.errors import BadRequestError, ConflictError
from alma.extraction.values.text import comparison_key
from alma.review import targets
from alma.review.corrections import Place, correction
from alma.storage.items.documents import DocumentItem


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says of a field."""

    verb: Verb
    version: int
    """The version of the field that the person saw."""
    value: str | None = None
    """What the field is instead; for an edit, this or its place or both."""
    place: Place | None = None
    """Where that stands."""
    track: str | None = None
    """Whose reading is right, for an acceptance; None for the one shown."""
    comment: str | None = None


def decide(organisation: str, document_id: int, field_id: str, decision: Decision, *, actor: str) -> Field:
    """Decide a field, and return it as it is then.

    Parameters
    ----------
    organisation, document_id, field_id : str, int, str
        The field.
    decision : Decision
        What to do with it.
    actor : str
        Id of the key it is done with.

    Raises
    ------
    NotFoundError
        There is no such document or field.
    BadRequestError
        What is said of the field cannot be.
    ConflictError
        The field has changed, another key works on the document, or it is not ready.
    """

    decided: list[tuple[str | None, Field]] = []

    def plan(row: DocumentItem) -> changes.Change[Field]:
        document = targets.open_document(row, actor)
        field = targets.find_field(document, field_id)
        targets.check_version(field, decision.version)
        after = _said(_decided(document, field, decision), field.version + 1, actor, decision.comment)
        decided[:] = [(row.doc_type, field)]
        return targets.change_of(row, _ACTIONS[decision.verb], field, after, actor)

    after = changes.change(organisation, document_id, actor, plan)
    ((doc_type, before),) = decided
    right = _found_right(before, after)
    if doc_type is not None and right is not None:
        decision_counts.count(organisation, doc_type, before.key, right=right)
    return after


def _found_right(before: Field, after: Field) -> bool | None:
    """Tell whether what was read of a field turned out right; None where nothing was, or it was decided.

    Only the first that a person says of a field counts. Another place with the same value is no error.
    """
    read = [reading for reading in before.readings if reading.track in _READ]
    if not read or before.reviewed_by is not None or not after.status.decided:
        return None
    value = comparison_key(best_reading(read).value)
    return after.status.verified and comparison_key(after.best.value) == value


def add(
    organisation: str,
    document_id: int,
    key: str,
    *,
    actor: str,
    row_number: int | None = None,
    value: str | None = None,
    place: Place | None = None,
    comment: str | None = None,
) -> Field:
    """Add a field that was not found, and return it.

    Parameters
    ----------
    organisation, document_id : str, int
        The document.
    key : str
        Key of the field in the document's type; GROUP.COLUMN for a column of a group.
    actor : str
        Id of the key it is done with.
    row_number : int, optional
        Row of the group, 0 for the first; a new row without it.
    value, place : optional
        What it is and where that stands; one of them at least.
    comment : str, optional
        Why.

    Raises
    ------
    NotFoundError
        There is no such document.
    BadRequestError
        The document's type has no such field, or what is said of it cannot be.
    ConflictError
        The field is there, another key works on the document, or it is not ready.
    """

    def plan(row: DocumentItem) -> changes.Change[Field]:
        document = targets.open_document(row, actor)
        column = targets.known_column(document, key)
        there, vacant = targets.vacant_field(document, key, column, row_number)
        reading = correction(document, column, value=value, place=place)
        version = targets.next_version(row, there)
        after = _said(_verified(vacant, Status.EDITED, reading), version, actor, comment)
        return targets.change_of(row, Action.ADDED, there, after, actor)

    return changes.change(organisation, document_id, actor, plan)


#: Tracks whose readings are counted: models of one's own are measured when they are trained, and data that
#: a file carries is not read.
_READ = frozenset({Track.TEXT.value, Track.VISION.value})

_ACTIONS = {
    Verb.ACCEPT: Action.ACCEPTED,
    Verb.EDIT: Action.EDITED,
    Verb.REJECT: Action.REJECTED,
    Verb.ESCALATE: Action.ESCALATED,
}


def _decided(document: Document, field: Field, decision: Decision) -> Field:
    given = decision.value is not None or decision.place is not None
    if given and decision.verb is not Verb.EDIT:
        raise BadRequestError(f"{decision.verb.value} takes no value and no evidence; edit does.")
    if decision.track is not None and decision.verb is not Verb.ACCEPT:
        raise BadRequestError(f"{decision.verb.value} takes no track; accept does.")
    match decision.verb:
        case Verb.ACCEPT:
            if field.missing:
                raise ConflictError(
                    "There is nothing to accept: no value was found; edit the field, or reject it if the "
                    "document has none.",
                    code="field_missing",
                )
            return _verified(field, Status.ACCEPTED, _reading(field, decision.track))
        case Verb.EDIT:
            column = targets.column_of(document, field.key)
            reading = correction(document, column, value=decision.value, place=decision.place, former=field)
            return _verified(field, Status.EDITED, reading)
        case Verb.REJECT:
            return replace(field, status=Status.REJECTED, reviewed=None, reasons=())
        case Verb.ESCALATE:
            return replace(field, status=Status.ESCALATED, reviewed=None)


def _reading(field: Field, track: str | None) -> Reading:
    if track is None:
        return field.best
    found = next((reading for reading in field.readings if reading.track == track), None)
    if found is None:
        tracks = ", ".join(reading.track for reading in field.readings) or "none"
        raise BadRequestError(f"No such track has read this field; those that have: {tracks}.")
    return found


def _verified(field: Field, status: Status, reading: Reading) -> Field:
    """Return a field that a person stands behind."""
    return replace(field, status=status, reviewed=field_rows.reading_as_stored(reading), reasons=())


def _said(field: Field, version: int, actor: str, comment: str | None) -> Field:
    """Return a field with who decided it, when and why."""
    return replace(
        field, version=version, reviewed_by=actor, reviewed_at=clock.timestamp(), comment=comment or None
    )
