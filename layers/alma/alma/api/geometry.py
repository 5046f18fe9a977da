"""Boxes as clients draw them: what bodies and the agents' tools take, written once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt

from alma.api.request_models import Body
from alma.datamodel.geometry import Box

#: A share of a page, or a probability, as clients send it.
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
PageNumber = Annotated[StrictInt, Field(ge=1, le=100_000, description="1-based page of the document.")]


class BoxInput(Body):
    """A rectangle on a page: shares of the page's width and height, origin at the top left."""

    x: Share = Field(description="Left edge.")
    y: Share = Field(description="Top edge.")
    w: Share = Field(description="Width.")
    h: Share = Field(description="Height.")

    def box(self) -> Box:
        """Return the box of the data model."""
        return Box(self.x, self.y, self.w, self.h)


class EvidenceInput(Body):
    """Where a value stands."""

    page: PageNumber
    bbox: BoxInput
