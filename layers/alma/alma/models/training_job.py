"""Training an organisation's own model from its verified fields: the work of the `train` function.

The learning itself is `alma.learning.training`, which `alma train` runs on a laptop just the same.
"""

from __future__ import annotations

import hashlib
import logging
import time

from alma.datamodel.fields import BASE_MODEL
from alma.document_types import catalogue
from alma.errors import AlmaError, ConflictError
from alma.extraction.scoring.confidence import Calibration, shipped_calibration
from alma.extraction.scoring.scorer import Scorer, base_model
from alma.learning.training import learn
from alma.models import datasets, registry
from alma.models.registry import Model, ModelOrigin, ModelStatus
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
    model = registry.begin_attempt(organisation, model_id)
    if model is None:
        _log.info("model %s of %s is not waiting to be trained", model_id, organisation)
        return
    if model.attempts > registry.MOST_ATTEMPTS:
        _log.error("training of %s is given up", model_id)
        registry.finish(
            model,
            ModelStatus.FAILED,
            error_code="training_crashed",
            detail="The training stopped twice without a reason; train with `alma train` and register the "
            "file.",
        )
        return
    try:
        _train(model, began + seconds)
    except AlmaError as error:
        if error.retryable:
            raise
        registry.finish(model, ModelStatus.FAILED, error_code=error.code, detail=error.detail)


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
        registry.finish(
            model,
            ModelStatus.REJECTED,
            card=learned.card,
            trained_examples=learned.examples,
            error_code="not_better",
            detail=f"On documents it had not seen its F1 was {after:.3f} and that of {model.base_model} "
            f"{before:.3f}; verify more documents and train again.",
        )
        return
    card = learned.card | {"sha256": hashlib.sha256(learned.model).hexdigest()}
    key = objects.model_key(model.id, card["sha256"])
    objects.put(model.organisation, key, learned.model, "application/octet-stream")
    registry.finish(model, ModelStatus.READY, card=card, trained_examples=learned.examples)
    if not registry.exists(model.organisation, model.id):
        objects.delete_model(model.organisation, model.id)  # removed while it was trained


def _base(model: Model) -> tuple[bytes, Calibration]:
    """Return the model to start from, and what its confidence rests on."""
    if model.base_model == BASE_MODEL:
        return base_model(), shipped_calibration()
    try:
        base = registry.get_ready(model.organisation, model.base_model)
        content = registry.content(base)
    except AlmaError as error:
        if error.retryable:
            raise
        raise ConflictError(
            f"{model.base_model}, which the model was to be tuned from, is gone; train from another.",
            code="base_missing",
        ) from None
    if base.origin is not ModelOrigin.TRAINED or base.doc_type != model.doc_type:
        # A stranger's file is not opened here.
        raise ConflictError(
            f"{base.id} cannot be trained further: only alma-base and models trained here can be.",
            code="wrong_base",
        )
    return content, Scorer(content).calibration or shipped_calibration()
