"""Fine-tuned models of an organisation. Registering and running them comes with training."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alma.errors import ConflictError, NotFoundError
from alma.storage.table import ModelItem

_ID = re.compile(r"mdl_[a-z0-9_]{1,64}")
_SORT_PREFIX = "model#"


@dataclass(frozen=True, slots=True)
class FineTunedModel:
    """A model registered to an organisation.

    Attributes
    ----------
    id, name : str
        Stable id (`mdl_…`) and what people call it.
    base_model : str
        What it was tuned from.
    status : str
        `training`, `ready`, `rejected` or `failed`.
    trained_examples : int
        Size of the data set it was tuned on.
    created_at : str
        ISO 8601.
    """

    id: str
    name: str
    base_model: str
    status: str
    trained_examples: int
    created_at: str


def list_models(organisation: str) -> list[FineTunedModel]:
    """Return the organisation's models, oldest first."""
    items = ModelItem.query(organisation, ModelItem.sk.startswith(_SORT_PREFIX), consistent_read=True)
    return sorted((_from_item(item) for item in items), key=lambda m: (m.created_at, m.id))


def get_ready(organisation: str, model_id: str) -> FineTunedModel:
    """Return a model that can be invoked.

    Raises
    ------
    NotFoundError
        The organisation has no such model.
    ConflictError
        It is not ready.
    """
    try:
        if not _ID.fullmatch(model_id):
            raise ModelItem.DoesNotExist
        model = _from_item(ModelItem.get(organisation, _SORT_PREFIX + model_id, consistent_read=True))
    except ModelItem.DoesNotExist:
        raise NotFoundError(
            f"There is no model {model_id!r} in your organisation; GET /api/v1/models lists them."
        ) from None
    if model.status != "ready":
        raise ConflictError(
            f"The model is {model.status}; only a ready model can be invoked.", code="model_not_ready"
        )
    return model


def _from_item(item: ModelItem) -> FineTunedModel:
    return FineTunedModel(
        item.model_id,
        item.name,
        item.base_model,
        item.status,
        int(item.trained_examples),
        item.created_at,
    )
