"""A model that was trained elsewhere and arrives as an ONNX file: checked, tried, and kept or refused.

Nothing of the file is parsed or run in this process (`alma.extraction.sandbox.guarded`); it is refused by
its size before it is fetched at all.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from typing import Any

from alma.document_types import catalogue
from alma.errors import NotFoundError
from alma.extraction.sandbox.guarded import GuardedScorer, ModelFailedError
from alma.models import registry
from alma.models.registry import Model, ModelStatus
from alma.settings import settings
from alma.storage import objects

#: Made-up candidates a model is tried on: one, few, and as many as a full document has.
TRIALS = (1, 7, 1000, 5000)
#: Seconds the last of these may take; a document has them once per track.
MOST_SECONDS = 2.0
#: Characters of what the checking process says of a file; a row of the table has to hold it.
MOST_CARD = 100_000

_UPLOAD = re.compile(
    re.escape(objects.MODEL_INBOX) + r"(?P<organisation>[^/]+)/(?P<model>mdl_[a-z0-9_]+)\.onnx"
)
_log = logging.getLogger(__name__)


def arrive(key: str, etag: str) -> Model | None:
    """Check a model file that landed in the inbox, and return how its model ended; None if nothing was to do.

    The file leaves the inbox either way. Delivered twice, or for a model that is removed or finished, nothing
    happens.

    Parameters
    ----------
    key, etag : str
        Name and content of the object.
    """
    where = _UPLOAD.fullmatch(key)
    model = None if where is None else registry.begin_check(where["organisation"], where["model"], etag)
    if model is None:
        objects.delete_inbox(key, etag)
        return None
    try:
        found = _fetched(key, etag)
        card = _checked(model, found)
    except ModelFailedError as refusal:
        registry.finish(model, ModelStatus.FAILED, error_code=refusal.code, detail=refusal.detail)
    else:
        kept = objects.model_key(model.id, card["sha256"])
        objects.put(model.organisation, kept, found, "application/octet-stream")
        registry.finish(model, ModelStatus.READY, card=card)
    objects.delete_inbox(key, etag)
    try:
        return registry.get(model.organisation, model.id)
    except NotFoundError:
        _log.info("model %s of %s was removed while it was checked", model.id, model.organisation)
        objects.delete_model(model.organisation, model.id)
        return None


def _fetched(key: str, etag: str) -> bytes:
    limit = settings().max_model_bytes
    size = objects.inbox_size(key, etag)
    found = objects.read_inbox(key, etag) if size is not None and size <= limit else None
    if size is not None and size > limit:
        raise ModelFailedError(
            "model_too_large",
            f"The file has {size / 2**20:.1f} MiB and the limit is {limit / 2**20:.0f}; "
            "make the model smaller, or keep its tables in half precision.",
        )
    if found is None:
        # After a delivery that came twice this is not recorded: the other one has ended the model.
        raise ModelFailedError(
            "upload_replaced", "The file was replaced or taken away before it was checked; register it again."
        )
    return found


def _checked(model: Model, content: bytes) -> dict[str, Any]:
    """Return the card of a model that may be used.

    Raises
    ------
    ModelFailedError
        It may not.
    """
    if model.attempts > registry.MOST_ATTEMPTS:
        raise ModelFailedError("model_crashed", "It brought its check down several times; make it smaller.")
    schema = catalogue.schemas_of(model.organisation).get(model.doc_type or "")
    if schema is None:
        raise ModelFailedError("wrong_features", f"There is no document type {model.doc_type} any more.")
    contract = {"doc_type": schema.doc_type, "keys": [field.key for field in schema.fields]}
    scorer = GuardedScorer(content, settings(), contract=contract)
    try:
        seconds = {rows: _tried(scorer, rows) for rows in TRIALS}
    finally:
        scorer.close()
    if seconds[TRIALS[-1]] > MOST_SECONDS:
        raise ModelFailedError(
            "model_too_slow",
            f"It takes {seconds[TRIALS[-1]]:.1f} s for {TRIALS[-1]} candidates and may take "
            f"{MOST_SECONDS:.0f}; make it smaller.",
        )
    if len(json.dumps(scorer.card)) > MOST_CARD:
        raise ModelFailedError("wrong_features", "What the file says of itself is too long to keep.")
    # First what the process says of the file: what is known without it is not its to say.
    return {
        **(scorer.card or {}),
        "origin": model.origin.value,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "secondsPer1000": round(seconds[1000], 4),
        "peakMemory": scorer.peak_memory,
    }


def _tried(scorer: GuardedScorer, rows: int) -> float:
    """Return the seconds a model takes for made-up candidates."""
    begun = time.monotonic()
    scorer.try_out(rows)
    return time.monotonic() - begun
