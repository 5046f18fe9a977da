"""Review of one organisation's documents, as both doors offer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alma.access import keys
from alma.datamodel.fields import Field, Status
from alma.documents import audit, records
from alma.documents.audit import History
from alma.documents.listing import ALL, Criteria
from alma.documents.records import Document
from alma.presentation.document import Claim
from alma.review import claims
from alma.review.queue import Queue

if TYPE_CHECKING:
    from alma.review.corrections import Place
    from alma.review.decisions import Decision
    from alma.review.proposals import Proposal


@dataclass(frozen=True, slots=True)
class ReviewService:
    """What people and agents say of an organisation's fields.

    Every method raises `NotFoundError` for a document that is absent or another organisation's, and
    `ConflictError` for one that another key has claimed or that is not ready.
    """

    organisation: str
    actor: str
    """Id of the key that it is said with."""

    def decide(self, document_id: int, field_id: str, decision: Decision) -> Field:
        """Decide a field and return it as it is then; raises as `decisions.decide`."""
        from alma.review import decisions  # what parses values takes long to import

        return decisions.decide(self.organisation, document_id, field_id, decision, actor=self.actor)

    def add(
        self,
        document_id: int,
        key: str,
        *,
        row: int | None = None,
        value: str | None = None,
        place: Place | None = None,
        comment: str | None = None,
    ) -> Field:
        """Add a field that was missed and return it; raises as `decisions.add`."""
        from alma.review import decisions

        return decisions.add(
            self.organisation,
            document_id,
            key,
            actor=self.actor,
            row_number=row,
            value=value,
            place=place,
            comment=comment,
        )

    def propose(self, document_id: int, proposal: Proposal) -> Field:
        """Propose what a field is, for a person to decide, and return it; raises as `proposals.propose`."""
        from alma.review import proposals

        return proposals.propose(self.organisation, document_id, proposal, actor=self.actor)

    def claim(self, document_id: int, seconds: int) -> Claim:
        """Claim a document for so many seconds, or renew a claim of one's own."""
        return claims.claim(self.organisation, document_id, self.actor, seconds)

    def release(self, document_id: int, *, anybodys: bool = False) -> None:
        """End the claim on a document, one's own or anybody's. Idempotent."""
        claims.release(self.organisation, document_id, self.actor, anybodys=anybodys)

    def queue(
        self,
        *,
        doc_type: str | None = None,
        key: str | None = None,
        max_confidence: float | None = None,
        status: Status | None = None,
        of: Criteria = ALL,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Queue:
        """Return a page of the fields that wait; raises `BadRequestError` for a malformed cursor."""
        from alma.review import queue

        found = queue.waiting(
            self.organisation,
            doc_type=doc_type,
            key=key,
            max_confidence=max_confidence,
            status=status,
            of=of,
            limit=limit,
            cursor=cursor,
        )
        named = records.with_claimants(self.organisation, [each.document for each in found.items])
        items = [replace(each, document=document) for each, document in zip(found.items, named, strict=True)]
        return replace(found, items=items)

    def history(self, document_id: int, *, cursor: str | None = None, limit: int = 50) -> History:
        """Return a page of a document's audit trail; of a deleted one the bare chain."""
        return audit.history(self.organisation, document_id, cursor=cursor, limit=limit)

    def key_names(self, history: History) -> Mapping[str, str]:
        """Return the names that the keys of a history have now, by their ids."""
        return keys.names(self.organisation, (entry.actor for entry in history.entries))

    def split(
        self,
        document_id: int,
        *,
        at: Sequence[int] | None = None,
        ranges: Sequence[tuple[int, int]] | None = None,
    ) -> Document:
        """Have a document split into several, with what people decided; raises as `split_merge.split`."""
        from alma.review import split_merge

        return split_merge.split(self.organisation, document_id, self.actor, at=at, ranges=ranges)

    def merge(self, document_id: int, others: Sequence[int]) -> Document:
        """Have others merged into a document, with what people decided; raises as `split_merge.merge`."""
        from alma.review import split_merge

        return split_merge.merge(self.organisation, document_id, others, self.actor)

    def re_extract(self, document_id: int, doc_type: str | None) -> Document:
        """Have a document's fields resolved anew from its words; what people decided stays.

        Raises
        ------
        BadRequestError
            There is no such document type.
        """
        from alma.review import re_extraction

        return re_extraction.request(self.organisation, document_id, doc_type, actor=self.actor)
