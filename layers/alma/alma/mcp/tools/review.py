"""Tools about review: what waits, and what an agent proposes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StrictInt, StrictStr

from alma.access.scopes import Scope
from alma.api.geometry import EvidenceInput
from alma.api.request_models import DocumentId, VisibleText
from alma.api.review import ReviewFilter, ReviewQueueView, place_of, project_queue
from alma.datamodel.fields import MAX_OCCURRENCES
from alma.mcp.services import Services
from alma.mcp.tool import Outcome, Tool, check_known_type
from alma.presentation.document import FieldView, project_field


class ListReviewQueue(ReviewFilter, Tool):
    """See what waits for a person."""

    name = "review_queue"
    title = "List fields that wait for review"
    description = (
        "List the fields that wait for a person, the most urgent first: escalated ones, then unreviewed ones "
        "by confidence, unknown before low before high. Each comes with its document, id, version, value, "
        "confidence, status, the reasons why it waits, evidence and what each track reads. Use it to find "
        "values worth checking against the page (get_page_text, get_page_image); id and version are what "
        "propose_correction takes. A page may be empty and have a nextCursor: call again with it as cursor "
        "and the same filters."
    )
    scope = Scope.MCP_READ

    limit: StrictInt = Field(default=20, ge=1, le=100, description="At most this many fields.")

    def run(self, services: Services) -> Outcome:
        found = services.review.queue(
            doc_type=self.doc_type,
            key=self.field,
            max_confidence=self.max_confidence,
            status=self.wanted_status,
            of=self.of,
            cursor=self.cursor,
            limit=self.limit,
        )
        if not found.items:
            check_known_type(services, self.doc_type)
        return Outcome(project_queue(found))

    @classmethod
    def result(cls) -> type[BaseModel]:
        return ReviewQueueView


class ProposeCorrection(Tool):
    """Propose what a field is."""

    name = "propose_correction"
    title = "Propose a correction"
    description = (
        "Propose what a field of a document is, for a person to decide: the place it stands at (evidence, "
        "with a box from get_page_text), and the value, which is read there if you leave it out. It never "
        "accepts anything: the field becomes escalated and keeps its value, and your proposal stands beside "
        "it with your comment. Give field and version as review_queue, or get_document_fields with tracks, "
        "has them; for a field that was not found and is not listed, key (list_schemas) instead. Dates as "
        "2026-05-14, amounts as 1234.50. Refused if a person has decided the field, or if it has changed "
        "since (stale_version: look at current, and propose again if it still holds). Your next proposal for "
        "a field replaces the one before. What stands nowhere in the document cannot be proposed: tell the "
        "user instead, as you do where a field has a value and should have none."
    )
    scope = Scope.MCP_WRITE
    idempotent = False

    document_id: DocumentId
    field: StrictStr | None = Field(
        default=None, max_length=200, description="id of the field, such as total or line_items[3].amount."
    )
    version: StrictInt | None = Field(
        default=None, ge=1, le=10**9, description="version of the field that you saw; needed with field."
    )
    key: StrictStr | None = Field(
        default=None,
        max_length=129,
        description="Instead of field and version: key of a field that was not found, GROUP.COLUMN for a "
        "column of a group.",
    )
    row: StrictInt | None = Field(
        default=None,
        ge=0,
        le=MAX_OCCURRENCES - 1,
        description="With the key of a column: row of the group, 0 for the first; a new row without it.",
    )
    value: Annotated[VisibleText, Field(max_length=4000)] | None = Field(
        default=None, description="What the field is; without it, what stands at the place."
    )
    evidence: EvidenceInput = Field(description="Where it stands.")
    comment: VisibleText = Field(
        max_length=2000,
        pattern=r"\S",
        description="Why, for the person who decides: what you compared, and where.",
    )

    def run(self, services: Services) -> Outcome:
        from alma.review.proposals import Proposal  # what parses values takes long to import

        proposal = Proposal(
            self.comment,
            place_of(self.evidence),
            self.field,
            self.version,
            self.key,
            self.row,
            self.value,
        )
        return Outcome(project_field(services.review.propose(self.document_id, proposal)))

    @classmethod
    def result(cls) -> type[BaseModel]:
        return FieldView
