"""Training an organisation's own model from its verified fields: the work of the `train` function.

The learning itself is `alma.extraction.learning`, which `alma train` runs on a laptop just the same.
"""

from __future__ import annotations

import hashlib
import logging
import time

from alma import catalogue, datasets, models
from alma.confidence import Calibration, shipped_calibration
from alma.errors import AlmaError
from alma.extraction.learning import learn
from alma.extraction.scorer import Scorer, base_model
from alma.models import Model, ModelStatus
from alma.storage import objects

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
    model = models.begin_attempt(organisation, model_id)
    if model is None:
        _log.info("model %s of %s is not waiting to be trained", model_id, organisation)
        return
    if model.attempts > models.MOST_ATTEMPTS:
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
    base, calibration = _base(model)
    learned = learn(
        documents,
        schema,
        base,
        name=model.id,
        base_name=model.base_model,
        calibration=calibration,
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
    objects.put(model.organisation, objects.model_key(model.id), learned.model, "application/octet-stream")
    card = learned.card | {"sha256": hashlib.sha256(learned.model).hexdigest()}
    models.finish(model, ModelStatus.READY, card=card, trained_examples=learned.examples)
    if not models.exists(model.organisation, model.id):
        objects.delete_model(model.organisation, model.id)  # removed while it was trained


def _base(model: Model) -> tuple[bytes, Calibration]:
    """Return the model to start from, and what its confidence rests on."""
    if model.base_model == models.BASE:
        return base_model(), shipped_calibration()
    base = models.get_ready(model.organisation, model.base_model)
    content = objects.get(model.organisation, objects.model_key(base.id))
    return content, Scorer(content).calibration or shipped_calibration()
