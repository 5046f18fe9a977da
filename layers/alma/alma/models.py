"""Models of an organisation's own: what is kept of them.

A model is *trained* here from verified fields (`alma.training`) or *registered*: trained elsewhere, uploaded
and checked (`alma.modelcheck`). Either way it ends as `ready`, `rejected` (it reads no better than its base)
or `failed` with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from alma.clock import timestamp
from alma.errors import ConflictError, NotFoundError
from alma.storage.table import ModelItem, unless_refused

_ID = re.compile(r"mdl_[a-z0-9_]{1,64}")
_SORT_PREFIX = "model#"


class ModelStatus(StrEnum):
    """How far a model is."""

    UPLOADING = "uploading"
    """Registered; its file is expected."""
    CHECKING = "checking"
    """Its file is being checked."""
    TRAINING = "training"
    READY = "ready"
    REJECTED = "rejected"
    """Trained, and no better than its base on documents it has not seen."""
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        """Nothing more is going to happen to it."""
        return self in (ModelStatus.READY, ModelStatus.REJECTED, ModelStatus.FAILED)


class Origin(StrEnum):
    """Where a model comes from."""

    TRAINED = "trained"
    REGISTERED = "registered"


@dataclass(frozen=True, slots=True)
class Model:
    """A model of an organisation.

    Attributes
    ----------
    organisation, id, name : str
        Whose; its stable id (`mdl_…`); what people call it.
    base_model : str
        What it was tuned from.
    doc_type : str or None
        The type of document it reads.
    origin : Origin
        Where it comes from.
    status : ModelStatus
        How far it is.
    trained_examples : int
        Verified fields it was tuned on.
    attempts : int
        How often its training was begun.
    error, detail : str or None
        Slug and sentence of a failure or a rejection.
    card : dict or None
        What it was made of and how good it is; see docs/models.md.
    created_at, created_by, finished_at : str or None
        When (ISO 8601) and with which key.
    """

    organisation: str
    id: str
    name: str
    base_model: str
    doc_type: str | None
    origin: Origin
    status: ModelStatus
    trained_examples: int
    attempts: int
    error: str | None
    detail: str | None
    card: dict[str, Any] | None
    created_at: str
    created_by: str | None
    finished_at: str | None


def list_models(organisation: str) -> list[Model]:
    """Return the organisation's models, oldest first."""
    items = ModelItem.query(organisation, ModelItem.sk.startswith(_SORT_PREFIX), consistent_read=True)
    return sorted((_from_item(item) for item in items), key=lambda m: (m.created_at, m.id))


def get(organisation: str, model_id: str) -> Model:
    """Return a model.

    Raises
    ------
    NotFoundError
        The organisation has no such model.
    """
    try:
        if not _ID.fullmatch(model_id):
            raise ModelItem.DoesNotExist
        return _from_item(ModelItem.get(organisation, _SORT_PREFIX + model_id, consistent_read=True))
    except ModelItem.DoesNotExist:
        raise NotFoundError(
            f"There is no model {model_id!r} in your organisation; GET /api/v1/models lists them."
        ) from None


def get_ready(organisation: str, model_id: str) -> Model:
    """Return a model that can be invoked.

    Raises
    ------
    NotFoundError
        The organisation has no such model.
    ConflictError
        It is not ready.
    """
    model = get(organisation, model_id)
    if model.status is not ModelStatus.READY:
        raise ConflictError(
            f"The model is {model.status}; only a ready model can be invoked.", code="model_not_ready"
        )
    return model


def exists(organisation: str, model_id: str) -> bool:
    """Tell whether the organisation has such a model."""
    try:
        get(organisation, model_id)
    except NotFoundError:
        return False
    return True


def begin(organisation: str, model_id: str) -> Model | None:
    """Count that a training begins; None where the model is gone or not waiting for one."""
    item = ModelItem(organisation, _SORT_PREFIX + model_id)
    begun = unless_refused(
        lambda: item.update(
            actions=[ModelItem.attempts.add(1)],
            condition=ModelItem.status == ModelStatus.TRAINING.value,
        )
    )
    return None if begun is None else _from_item(item)


def finish(
    model: Model,
    status: ModelStatus,
    *,
    card: dict[str, Any] | None = None,
    trained_examples: int | None = None,
    error: str | None = None,
    detail: str | None = None,
) -> bool:
    """Record how a model ended, unless it has ended or was removed; tell whether it was recorded."""
    item = ModelItem(model.organisation, _SORT_PREFIX + model.id)
    actions: list[Any] = [ModelItem.status.set(status.value), ModelItem.finished_at.set(timestamp())]
    told: tuple[tuple[Any, object], ...] = (
        (ModelItem.card, card),
        (ModelItem.trained_examples, trained_examples),
        (ModelItem.error, error),
        (ModelItem.detail, detail),
    )
    actions += [attribute.set(value) for attribute, value in told if value is not None]
    done = unless_refused(
        lambda: item.update(actions=actions, condition=ModelItem.status == model.status.value)
    )
    return done is not None


def _from_item(item: ModelItem) -> Model:
    return Model(
        organisation=item.pk,
        id=item.model_id,
        name=item.name,
        base_model=item.base_model,
        doc_type=item.doc_type,
        origin=Origin(item.origin or Origin.TRAINED),
        status=ModelStatus(item.status),
        trained_examples=int(item.trained_examples),
        attempts=int(item.attempts or 0),
        error=item.error,
        detail=item.detail,
        card=item.card,
        created_at=item.created_at,
        created_by=item.created_by,
        finished_at=item.finished_at,
    )
