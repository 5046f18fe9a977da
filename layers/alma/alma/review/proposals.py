"""Proposals: what an agent says that a field is, as a reading of a track of its own beside the others.

A proposal makes the field wait for a person and never decides it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from alma.datamodel.fields import AGENT, Field, Reason, Status
from alma.datamodel.schemas import ColumnSchema
from alma.documents import changes, field_rows
from alma.documents.audit import Action
from alma.errors import BadRequestError, ConflictError
from alma.presentation.document import project_field
from alma.review import targets
from alma.review.corrections import Place, correction
from alma.storage.items.documents import DocumentItem
from alma.storage.table import size_of

#: Bytes of a field's row beyond which no agent adds to it: people have room to decide.
MOST_PROPOSED = 200 * 1024


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an agent says that a field is."""

    comment: str
    """Why."""
    place: Place
    """Where it stands, so that a person can look."""
    field: str | None = None
    """Id of the field; None for one that was not found."""
    version: int | None = None
    """The version of it that the agent saw."""
    key: str | None = None
    """Key of a field that was not found."""
    row: int | None = None
    """Row of its group."""
    value: str | None = None
    """What it is; None for what is read there."""


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
        document = targets.open_document(row, actor)
        there: Field | None
        column: ColumnSchema | None
        if proposal.key is not None:
            column = known_column = targets.known_column(document, proposal.key)
            there, known = targets.vacant_field(document, proposal.key, known_column, proposal.row)
        else:
            there = known = targets.find_field(document, proposal.field or "")
            column = targets.column_of(document, known.key)
        if known.status.decided:
            raise ConflictError(
                "A person has decided this field, and a proposal cannot change that; tell the user if you "
                "think that it is wrong.",
                code="field_decided",
                more={"current": project_field(known)},
            )
        if proposal.key is None:
            targets.check_version(known, proposal.version)
        said = correction(document, column, value=proposal.value, place=proposal.place, former=known)
        reading = field_rows.reading_as_stored(replace(said, track=AGENT + actor, comment=proposal.comment))
        others = tuple(each for each in known.readings if each.track != reading.track)
        after = replace(
            known,
            status=Status.ESCALATED,
            reviewed=None,
            readings=(*others, reading),
            reasons=tuple(dict.fromkeys((*known.reasons, Reason.PROPOSED))),
            version=targets.next_version(row, there),
        )
        item = field_rows.to_item(row.pk, document.id, row.doc_type, after)
        if size_of(item) > MOST_PROPOSED:
            raise ConflictError(
                "So much is proposed for this field already that it holds no more; tell the user, who has to "
                "decide it.",
                code="too_many_proposals",
                more={"current": {"id": known.id, "version": known.version}},
            )
        return targets.change_of(row, Action.PROPOSED, there, after, actor, proposal=reading)

    return changes.change(organisation, document_id, actor, plan)
