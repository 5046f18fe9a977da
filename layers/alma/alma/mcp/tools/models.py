"""Tools about the organisation's models."""

from __future__ import annotations

from pydantic import BaseModel, Field, StrictStr

from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope
from alma.api.documents import DigitizeBody
from alma.api.models import ModelList
from alma.mcp.services import Services
from alma.mcp.tool import Outcome, Tool
from alma.presentation.document import DocumentView, project


class ListModels(Tool):
    """See which models the organisation has."""

    name = "list_models"
    title = "List models"
    description = (
        "List the models that were tuned on this organisation's verified fields, with their status and the "
        "number of examples behind each. Only a model with status ready can read documents; alma's own "
        "model, which reads them otherwise, is not in the list. The list is complete."
    )
    scope = Scope.MCP_READ

    def run(self, services: Services) -> Outcome:
        return Outcome(ModelList.of(services.models.list_models()).to_json())

    @classmethod
    def result(cls) -> type[BaseModel]:
        return ModelList


class DigitizeWithModel(DigitizeBody, Tool):
    """Have a document read by a model."""

    name = "digitize_with_model"
    title = "Read a document with a model"
    description = (
        "Have one of the organisation's own models (list_models, status ready) read a document of the type "
        "it was trained on, and get the fields as it reads them. Its readings are kept beside those of the "
        "other tracks, where people see them; what people decided stays and is shown as they decided it. "
        "Calling it again gives the same. Use it if a document of such a type was read poorly."
    )
    scope = Scope.MCP_WRITE
    uses = frozenset({Scope.MODELS_READ})
    limited_as = RateLimitClass.MODELS

    model_id: StrictStr = Field(
        min_length=1, max_length=128, description="id of the model, as list_models gives it."
    )

    def run(self, services: Services) -> Outcome:
        return Outcome(project(services.models.digitize(self.model_id, self.document_id)))

    @classmethod
    def result(cls) -> type[BaseModel]:
        return DocumentView
