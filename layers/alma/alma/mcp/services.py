"""What tools reach: the services of one organisation, as the caller's key may use them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from alma.document_types import catalogue
from alma.document_types.catalogue import DocumentType
from alma.documents.service import DocumentService
from alma.models.service import ModelService
from alma.review.service import ReviewService


@dataclass(frozen=True, slots=True)
class Services:
    """The same services that the HTTP functions call."""

    documents: DocumentService
    review: ReviewService
    models: ModelService
    document_types: Callable[[], list[DocumentType]]
    """Lists the organisation's document types."""

    @classmethod
    def of(cls, organisation: str, actor: str) -> Services:
        """Return the services for an organisation; what is done is done with the key `actor`."""
        return cls(
            DocumentService(organisation, actor),
            ReviewService(organisation, actor),
            ModelService(organisation, actor),
            partial(catalogue.list_types, organisation),
        )
