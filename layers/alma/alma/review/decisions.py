"""What people decide of fields: accept, edit, reject, escalate, and add what was not found.

Agents propose: that makes a field wait for a person, beside whose value the proposal then stands.

A decision names the version of the field it is about; if that is no longer the field's, the decision is
refused with what the field is now. It is written together with its entry in the document's audit trail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from alma import clock
from alma.datamodel.fields import AGENT, MAX_OCCURRENCES, Field, Reading, Reason, Status, Verb, parse_id
from alma.datamodel.schemas import ColumnSchema, DocumentSchema, FieldSchema
from alma.document_types import catalogue
from alma.documents import audit, changes, field_rows, records
from alma.documents.audit import Action
from alma.documents.records import Document, DocumentStatus
from alma.errors import BadRequestError, ConflictError, NotFoundError
from alma.presentation.document import project_field
from alma.review import claims
from alma.review.corrections import Place, correction
from alma.storage.table import DocumentItem, FieldItem, field_key, size_of

#: Bytes of a field's row beyond which no agent adds to it: people have room to decide.
MOST_PROPOSED = 200 * 1024


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says of a field.

    Attributes
    ----------
    verb : Verb
        What to do.
    version : int
        The version of the field that the person saw.
    value, place : optional
        What it is instead, and where that stands; for an edit, one of them at least.
    track : str or None
        Whose reading is right, for an acceptance; None for the one shown.
    comment : str or None
        Why.
    """

    verb: Verb
    version: int
    value: str | None = None
    place: Place | None = None
    track: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an agent says that a field is.

    Attributes
    ----------
    comment : str
        Why.
    field, version : optional
        Id of the field and the version of it that the agent saw; None for one that was not found.
    key, row : optional
        Key, and row of its group, of a field that was not found.
    place : Place
        Where it stands: what an agent says can be looked at.
    value : str or None
        What it is; None for what is read there.
    """

    comment: str
    place: Place
    field: str | None = None
    version: int | None = None
    key: str | None = None
    row: int | None = None
    value: str | None = None


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

    def plan(row: DocumentItem) -> changes.Change[Field]:
        document = _open(row, actor)
        field = _field(document, field_id)
        _check_version(field, decision.version)
        after = _said(_decided(document, field, decision), field.version + 1, actor, decision.comment)
        return _change(row, _ACTIONS[decision.verb], field, after, actor)

    return changes.change(organisation, document_id, actor, plan)


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
        document = _open(row, actor)
        column = _known_column(document, key)
        there, vacant = _vacant(document, key, column, row_number)
        reading = correction(document, column, value=value, place=place)
        version = _next_version(row, there)
        after = _said(_verified(vacant, Status.EDITED, reading), version, actor, comment)
        return _change(row, Action.ADDED, there, after, actor)

    return changes.change(organisation, document_id, actor, plan)


def propose(organisation: str, document_id: int, proposal: Proposal, *, actor: str) -> Field:
    """Keep what an agent proposes as a reading of a track of its own, and have a person look at the field.

    The field is escalated, never accepted; what the same key proposed for it before is replaced.

    Parameters
    ----------
    organisation, document_id : str, int
        The document.
    proposal : Proposal
        A field that is there and its version, or the key of one that was not found.
    actor : str
        Id of the agent's key.

    Returns
    -------
    Field
        As it is then.

    Raises
    ------
    NotFoundError
        There is no such document or field.
    BadRequestError
        What is said of the field cannot be.
    ConflictError
        A person has decided the field (`field_decided`), it has changed, another key works on the document,
        or it is not ready.
    """
    if (proposal.field is None) == (proposal.key is None):
        raise BadRequestError("Say field, the id of one that is there, or key, of one that was not found.")
    if proposal.field is not None and proposal.version is None:
        raise BadRequestError("Say the version of the field that you saw, too.")

    def plan(row: DocumentItem) -> changes.Change[Field]:
        document = _open(row, actor)
        there: Field | None
        column: ColumnSchema | None
        if proposal.key is not None:
            column = known_column = _known_column(document, proposal.key)
            there, known = _vacant(document, proposal.key, known_column, proposal.row)
        else:
            there = known = _field(document, proposal.field or "")
            column = _column(_schema(document), known.key)
        if known.status.decided:
            raise ConflictError(
                "A person has decided this field, and a proposal cannot change that; tell the user if you "
                "think that it is wrong.",
                code="field_decided",
                more={"current": project_field(known)},
            )
        if proposal.key is None:
            _check_version(known, proposal.version)
        said = correction(document, column, value=proposal.value, place=proposal.place, former=known)
        reading = field_rows.as_kept(replace(said, track=AGENT + actor, comment=proposal.comment))
        others = tuple(each for each in known.readings if each.track != reading.track)
        after = replace(
            known,
            status=Status.ESCALATED,
            reviewed=None,
            readings=(*others, reading),
            reasons=tuple(dict.fromkeys((*known.reasons, Reason.PROPOSED))),
            version=_next_version(row, there),
        )
        item = field_rows.to_item(row.pk, document.id, row.doc_type, after)
        if size_of(item) > MOST_PROPOSED:
            raise ConflictError(
                "So much is proposed for this field already that it holds no more; tell the user, who has to "
                "decide it.",
                code="too_many_proposals",
                more={"current": {"id": known.id, "version": known.version}},
            )
        return _change(row, Action.PROPOSED, there, after, actor, proposal=reading)

    return changes.change(organisation, document_id, actor, plan)


def _open(row: DocumentItem, actor: str) -> Document:
    """Return the document of a row if its fields can be decided with a key."""
    document = records.ready(row)
    claims.refuse_others(document, actor)
    return document


def _field(document: Document, field_id: str) -> Field:
    named = parse_id(field_id)
    item = None if named is None else FieldItem.find(document.organisation, field_key(document.id, *named))
    if item is None:
        raise NotFoundError(
            f"There is no such field in document {document.id}; its fields with tracks say the id of each."
        )
    return field_rows.from_item(item)


def _check_version(field: Field, version: int | None) -> None:
    if field.version != version:
        raise ConflictError(
            f"This field was changed since version {version}; look at what it is now.",
            code="stale_version",
            more={"current": project_field(field)},
        )


def _next_version(row: DocumentItem, there: Field | None) -> int:
    """Return the version of a field after a change; a new one's is one no field of the document has had."""
    return int(row.audit_count or 0) + 1 if there is None else there.version + 1


def _vacant(
    document: Document, key: str, column: ColumnSchema, row_number: int | None
) -> tuple[Field | None, Field]:
    """Return the field to fill in where one was not found: as it is kept, if it is, and as it begins.

    Raises
    ------
    ConflictError
        There is something of it already (`field_exists`).
    """
    _, fields = records.read(document.organisation, document.id)
    occurrence, order = _free_place(fields, key, column, row_number)
    there = next((f for f in fields if (f.key, f.occurrence) == (key, occurrence)), None)
    if there is not None and _settled(there):
        raise ConflictError(
            f"There is {there.id} already; decide that one.",
            code="field_exists",
            more={"current": project_field(there)},
        )
    return there, there or Field(key, occurrence, (), order=order)


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
            column = _column(_schema(document), field.key)
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
    return replace(field, status=status, reviewed=field_rows.as_kept(reading), reasons=())


def _said(field: Field, version: int, actor: str, comment: str | None) -> Field:
    return replace(
        field, version=version, reviewed_by=actor, reviewed_at=clock.timestamp(), comment=comment or None
    )


def _change(
    row: DocumentItem,
    action: Action,
    before: Field | None,
    after: Field,
    actor: str,
    *,
    proposal: Reading | None = None,
) -> changes.Change[Field]:
    """Return the change of one field, which it results in."""
    condition: Any = (DocumentItem.status == DocumentStatus.READY.value) & claims.free_for(actor)
    became = audit.state_of(after) or {}
    comment, at = after.comment, after.reviewed_at
    if proposal is not None:
        became["proposal"] = audit.state_of_reading(proposal)
        became["said"] = [after.reviewed_by, after.reviewed_at, after.comment]
        comment, at = proposal.comment, None
    event = audit.Event(action, after.id, audit.state_of(before), became, comment, at=at or clock.timestamp())
    steps = [changes.FieldChange(before, after)]
    return changes.Change(event, steps, row.doc_type, after, condition=condition)


def _schema(document: Document) -> DocumentSchema | None:
    try:
        return catalogue.get(document.organisation, document.doc_type or "").schema
    except NotFoundError:
        return None  # the organisation has removed the type since, or the document is of none


def _column(schema: DocumentSchema | None, key: str) -> ColumnSchema | None:
    return None if schema is None else _columns(schema).get(key)


def _columns(schema: DocumentSchema) -> dict[str, ColumnSchema]:
    cells = {group.key_of(column): column for group in schema.groups for column in group.fields}
    return {field.key: field for field in schema.fields} | cells


def _settled(field: Field) -> bool:
    """Tell whether there is anything of a field already: a value, or a decision that there is none."""
    return not field.missing or field.status.decided


def _known_column(document: Document, key: str) -> ColumnSchema:
    schema = _schema(document)
    if schema is None:
        raise BadRequestError(
            "This document is of no known type, so it has no fields to add; "
            "have it read again as the docType that it is of."
        )
    column = _column(schema, key)
    if column is None:
        raise BadRequestError(f"key is one of {', '.join(_columns(schema))}.")
    return column


def _free_place(
    fields: list[Field], key: str, column: ColumnSchema, row_number: int | None
) -> tuple[int, int]:
    """Return the occurrence and the order of a field that is added; one that is missing is filled in."""
    own = [field for field in fields if field.key == key]
    group = key.partition(".")[0] if "." in key else None
    if group is None and row_number is not None:
        raise BadRequestError(f"{key} is no column of a group, so it has no row; leave row out.")
    last = max((field.order for field in fields), default=-1)
    if group is not None:
        cells = [field for field in fields if field.group == group]
        following = max((cell.occurrence for cell in cells), default=-1) + 1
        number = following if row_number is None else row_number
        if number > following:
            raise BadRequestError(
                f"{group} has {following} rows; row is 0 to {following}, {following} a new one."
            )
        beside = [cell.order for cell in cells if cell.occurrence <= number]
        order = max(beside, default=last + 1)
    else:
        filled = [field for field in own if _settled(field)]
        repeated = isinstance(column, FieldSchema) and column.repeated
        number = max((field.occurrence for field in filled), default=-1) + 1 if repeated else 0
        order = own[0].order if own else last + 1
    if number >= MAX_OCCURRENCES:
        raise ConflictError(
            f"{key} is there {MAX_OCCURRENCES} times, which is the most.", code="too_many_fields"
        )
    return number, order
