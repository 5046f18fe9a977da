"""Registry of an organisation's own models: their states, their cards and their files.

A model is *trained* here from verified fields (`alma.models.training_job`) or *registered*: trained
elsewhere, uploaded and checked (`alma.models.validation`). Either way it ends as `ready`, `rejected` (it
reads no better than its base) or `failed` with the reason.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from alma.clock import now, parsed, timestamp
from alma.datamodel.fields import BASE_MODEL
from alma.document_types import catalogue
from alma.documents import listing
from alma.errors import BadRequestError, ConflictError, NotFoundError, PassingConflictError
from alma.settings import settings
from alma.storage import objects, queue
from alma.storage.items.idempotency import AnswerItem, answer_prefix, idempotency_partition
from alma.storage.items.models import CounterItem, ModelItem
from alma.storage.transactions import conditional_write

#: Models of one organisation.
MOST_MODELS = 50
#: Seconds after which a training that has not ended does not keep the next one waiting.
TRAINING_SECONDS = 3600
#: Times a training, or the check of an uploaded file, may be begun: a function that dies of memory or time
#: leaves no other trace.
MOST_ATTEMPTS = 2

# An upload that has begun while its URL held may arrive somewhat later.
_UPLOAD_GRACE = timedelta(minutes=5)
# Deliveries end long before; what is left then is in the queue of dead letters.
_GIVEN_UP = timedelta(days=1)
_SLUG = 40
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


class ModelOrigin(StrEnum):
    """Where a model comes from."""

    TRAINED = "trained"
    REGISTERED = "registered"


@dataclass(frozen=True, slots=True)
class Model:
    """A model of an organisation."""

    organisation: str
    id: str
    """Stable: `mdl_…`."""
    name: str
    base_model: str
    """What it was tuned from."""
    doc_type: str | None
    """The type of document it reads."""
    origin: ModelOrigin
    status: ModelStatus
    trained_examples: int
    """Verified fields it was tuned on."""
    error_code: str | None
    """Why it failed or was rejected, for programs."""
    detail: str | None
    """The same as a sentence."""
    card: dict[str, Any] | None
    """What it was made of and how good it is; see docs/models.md."""
    created_at: str
    """ISO 8601, as are all times."""
    created_by: str | None
    """Id of the key that asked for it."""
    finished_at: str | None
    attempts: int = 0
    """Times its training or its check was begun."""


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
    item = ModelItem.find(organisation, _SORT_PREFIX + model_id) if _ID.fullmatch(model_id) else None
    if item is None:
        raise NotFoundError(
            f"There is no model {model_id!r} in your organisation; list the models to see those there are."
        )
    return _from_item(item)


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
        raise (ConflictError if model.status.finished else PassingConflictError)(
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


def begin_attempt(organisation: str, model_id: str) -> Model | None:
    """Count that a training begins; None where the model is gone or not waiting for one."""
    item = ModelItem(organisation, _SORT_PREFIX + model_id)
    begun = conditional_write(
        lambda: item.update(
            actions=[ModelItem.attempts.add(1)],
            condition=ModelItem.status == ModelStatus.TRAINING.value,
        )
    )
    return _from_item(item) if begun else None


def begin_training(
    organisation: str,
    name: str,
    doc_type: str,
    base_model: str = BASE_MODEL,
    *,
    created_by: str | None = None,
) -> Model:
    """Make a model and have it trained from the verified fields of a type's documents.

    Raises
    ------
    BadRequestError
        There is no such document type or base model.
    ConflictError
        There is nothing to learn from (`no_examples`), such a training is under way (`already_training`), or
        there are too many models (`too_many_models`).
    """
    others = _check(organisation, doc_type, base_model)
    if any(other.id == base_model and other.origin is ModelOrigin.REGISTERED for other in others):
        raise BadRequestError(
            "A registered model cannot be trained further: only alma-base and models trained here can be."
        )
    since = timestamp(now() - timedelta(seconds=TRAINING_SECONDS))
    # Two that are asked for at once can both begin; that wastes a training and harms nothing.
    for other in others:
        if other.status is ModelStatus.TRAINING and other.doc_type == doc_type and other.created_at > since:
            raise PassingConflictError(
                f"{other.id} is being trained for {doc_type}; wait until GET /api/v1/models/{other.id} shows "
                "that it has ended.",
                code="already_training",
            )
    if not listing.list_verified(organisation, doc_type, limit=1)[0]:
        raise ConflictError(
            f"No field of a document of the type {doc_type} is accepted or edited yet; review some documents "
            "first, five of different senders at least.",
            code="no_examples",
        )
    model = _create(organisation, name, doc_type, base_model, ModelOrigin.TRAINED, created_by)
    try:
        queue.send_model(organisation, model.id)
    except BaseException:
        # Nobody would ever train it.
        ModelItem(organisation, _SORT_PREFIX + model.id).delete()
        raise
    return model


def announce(
    organisation: str,
    name: str,
    doc_type: str,
    base_model: str = BASE_MODEL,
    *,
    created_by: str | None = None,
) -> Model:
    """Make a model whose file will be uploaded to `objects.model_upload_key` within `upload_seconds`.

    Raises
    ------
    BadRequestError, ConflictError
        As `begin_training`, but for what only a training needs.
    """
    _check(organisation, doc_type, base_model)
    return _create(organisation, name, doc_type, base_model, ModelOrigin.REGISTERED, created_by)


def begin_check(organisation: str, model_id: str, etag: str) -> Model | None:
    """Return a model whose uploaded file is to be checked; None if it is gone or has ended.

    Only the first upload counts: None for another content that comes while that is checked.
    """
    item = ModelItem(organisation, _SORT_PREFIX + model_id)
    again = (ModelItem.status == ModelStatus.CHECKING.value) & (ModelItem.etag == etag)
    begun = conditional_write(
        lambda: item.update(
            actions=[
                ModelItem.status.set(ModelStatus.CHECKING.value),
                ModelItem.etag.set(etag),
                ModelItem.attempts.add(1),
            ],
            condition=(ModelItem.status == ModelStatus.UPLOADING.value) | again,
        )
    )
    return _from_item(item) if begun else None


def delete(organisation: str, model_id: str) -> None:
    """Remove a model and its file; what it has read of documents stays with them.

    Raises
    ------
    NotFoundError
        The organisation has no such model.
    """
    get(organisation, model_id)
    # The row first: without it nobody can ask for the file, and whoever is making it removes it.
    ModelItem(organisation, _SORT_PREFIX + model_id).delete()
    objects.delete_model(organisation, model_id)
    for answer in AnswerItem.query(
        idempotency_partition(organisation),
        AnswerItem.sk.startswith(answer_prefix(model_id)),
        consistent_read=True,
        attributes_to_get=["pk", "sk", "kind"],
    ):
        answer.delete()


def file_key(model: Model) -> str:
    """Return the key of the file of a model that is ready."""
    return objects.model_key(model.id, str((model.card or {}).get("sha256")))


def content(model: Model) -> bytes:
    """Return the file of a model that is ready.

    Raises
    ------
    NotFoundError
        It is gone, or not what its card says.
    """
    found = objects.get(model.organisation, file_key(model))
    if hashlib.sha256(found).hexdigest() != (model.card or {}).get("sha256"):
        raise NotFoundError(f"The file of {model.id} is not what was kept; train or register it anew.")
    return found


def finish(
    model: Model,
    status: ModelStatus,
    *,
    card: dict[str, Any] | None = None,
    trained_examples: int | None = None,
    error_code: str | None = None,
    detail: str | None = None,
) -> bool:
    """Record how a model ended; tell whether that was recorded.

    It is not where the model has ended, was removed, or was begun once more since.
    """
    item = ModelItem(model.organisation, _SORT_PREFIX + model.id)
    actions: list[Any] = [ModelItem.status.set(status.value), ModelItem.finished_at.set(timestamp())]
    facts: tuple[tuple[Any, object], ...] = (
        (ModelItem.card, card),
        (ModelItem.trained_examples, trained_examples),
        (ModelItem.error_code, error_code),
        (ModelItem.detail, detail),
    )
    actions += [attribute.set(value) for attribute, value in facts if value is not None]
    return conditional_write(
        lambda: item.update(
            actions=actions,
            condition=(ModelItem.status == model.status.value) & (ModelItem.attempts == model.attempts),
        )
    )


def _check(organisation: str, doc_type: str, base_model: str) -> list[Model]:
    """Return the organisation's models if one more may be made of that type and that base."""
    catalogue.check(organisation, doc_type)
    others = list_models(organisation)
    if base_model != BASE_MODEL and not any(
        other.id == base_model and other.status is ModelStatus.READY and other.doc_type == doc_type
        for other in others
    ):
        raise BadRequestError(
            f"baseModel is {BASE_MODEL}, or the id of a ready model of yours for {doc_type}."
        )
    if len(others) >= MOST_MODELS:
        raise ConflictError(
            f"Your organisation has {MOST_MODELS} models; remove one first.", code="too_many_models"
        )
    return others


def _create(
    organisation: str,
    name: str,
    doc_type: str,
    base_model: str,
    origin: ModelOrigin,
    created_by: str | None,
) -> Model:
    stem = f"mdl_{_slug(name) or doc_type[:_SLUG]}_v"
    # Counted, not found among those that are there: an id never comes again, whatever is still under way for
    # a model that was removed, or was read by it.
    counter = CounterItem(organisation, f"modelversions#{stem}")
    counter.update(actions=[CounterItem.kind.set(CounterItem), CounterItem.last.add(1)])
    number = int(counter.last)
    item = ModelItem(
        organisation,
        f"{_SORT_PREFIX}{stem}{number}",
        model_id=f"{stem}{number}",
        name=name,
        base_model=base_model,
        doc_type=doc_type,
        origin=origin.value,
        status=(ModelStatus.TRAINING if origin is ModelOrigin.TRAINED else ModelStatus.UPLOADING).value,
        created_at=timestamp(),
        due_at=timestamp(now() + _GIVEN_UP),
        created_by=created_by,
    )
    item.save(ModelItem.pk.does_not_exist())
    return _from_item(item)


def _slug(name: str) -> str:
    """Return a name as it stands in an id: `Barbados deeds v2` as `barbados_deeds`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    if len(words) > 1 and re.fullmatch(r"v\d+", words[-1]):
        words.pop()
    return "_".join(words)[:_SLUG].strip("_")


def _from_item(item: ModelItem) -> Model:
    status, code, detail = ModelStatus(item.status), item.error_code, item.detail
    if status is ModelStatus.UPLOADING:
        expires = parsed(item.created_at) + timedelta(seconds=settings().upload_seconds) + _UPLOAD_GRACE
        if now() > expires:
            status, code = ModelStatus.FAILED, "upload_missing"
            detail = "The upload URL expired before a file came; register it again with POST /api/v1/models."
    elif not status.finished and item.due_at is not None and now() > parsed(item.due_at):
        status, code = ModelStatus.FAILED, "given_up"
        detail = "It did not come to an end within a day; ask for it again."
    return Model(
        organisation=item.pk,
        id=item.model_id,
        name=item.name,
        base_model=item.base_model,
        doc_type=item.doc_type,
        origin=ModelOrigin(item.origin or ModelOrigin.TRAINED),
        status=status,
        trained_examples=int(item.trained_examples),
        error_code=code,
        detail=detail,
        card=item.card,
        created_at=item.created_at,
        created_by=item.created_by,
        finished_at=item.finished_at,
        attempts=int(item.attempts or 0),
    )
