"""Training an organisation's own model from its verified fields: the work of the `train` function.

The learning itself is `alma.extraction.learning`, which `alma train` runs on a laptop just the same.
"""

from __future__ import annotations

import logging
import time

from alma import catalogue, datasets, models
from alma.errors import AlmaError
from alma.extraction.learning import learn
from alma.extraction.scorer import BASE_NAME, base_model
from alma.models import Model, ModelStatus
from alma.storage import objects

#: Times a training may be begun: a function that dies of memory or time leaves no other trace.
MAX_ATTEMPTS = 2

_log = logging.getLogger(__name__)


def train(organisation: str, model_id: str, *, seconds: float) -> None:
    """Train a model and record how it ended. Doing it twice changes nothing.

    Parameters
    ----------
    organisation, model_id : str
        The model; nothing happens where it is gone, or not waiting to be trained.
    seconds : float
        How long it may take; what cannot be done in that time is refused with the reason.
    """
    began = time.monotonic()
    model = models.begin(organisation, model_id)
    if model is None:
        _log.info("model %s of %s is not waiting to be trained", model_id, organisation)
        return
    if model.attempts > MAX_ATTEMPTS:
        _log.error("training of %s is given up", model_id)
        models.finish(
            model,
            ModelStatus.FAILED,
            error="training_crashed",
            detail="The training stopped twice without a reason; train with `alma train` and register the "
            "file.",
        )
        return
    try:
        _train(model, began + seconds)
    except AlmaError as error:
        if error.retryable:
            raise
        models.finish(model, ModelStatus.FAILED, error=error.slug, detail=error.detail)


def _train(model: Model, deadline: float) -> None:
    schema = catalogue.get(model.organisation, model.doc_type or "").schema
    documents = list(datasets.documents_of(model.organisation, schema.doc_type))
    learned = learn(
        documents,
        schema,
        _base(model),
        name=model.id,
        base_name=model.base_model,
        deadline=deadline,
    )
    if not learned.better:
        before, after = (learned.card[when]["micro_f1"] for when in ("before", "after"))
        models.finish(
            model,
            ModelStatus.REJECTED,
            card=learned.card,
            trained_examples=learned.examples,
            error="not_better",
            detail=f"On documents it had not seen its F1 was {after:.3f} and that of {model.base_model} "
            f"{before:.3f}; verify more documents and train again.",
        )
        return
    key = objects.model_key(model.id)
    objects.put(model.organisation, key, learned.model, "application/octet-stream")
    if not models.finish(
        model, ModelStatus.READY, card=learned.card, trained_examples=learned.examples
    ) and not models.exists(model.organisation, model.id):
        objects.delete(model.organisation, key)  # removed while it was trained


def _base(model: Model) -> bytes:
    if model.base_model == BASE_NAME:
        return base_model()
    return models.file_of(models.get_ready(model.organisation, model.base_model))
