"""A document read by a model of its organisation: the work of the `infer` function."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

from alma.datamodel.fields import Field, Status, doubt
from alma.document_types import catalogue
from alma.documents import page_records
from alma.documents.page_words import read_words
from alma.documents.records import Document
from alma.errors import ConflictError, NotFoundError, PassingConflictError
from alma.extraction.resolve import layouts_by_track, plain_fields
from alma.extraction.sandbox.guarded import GuardedScorer, ModelFailedError
from alma.extraction.scoring.confidence import UNKNOWN
from alma.models import registry
from alma.models.registry import Model
from alma.review.re_extraction import merge_readings
from alma.settings import settings

#: Models whose processes are kept; each may take `settings().model_memory_mb`.
MOST_WARM = 3
#: Time to start such a process: a request has 29 seconds, and its calls need some of them.
START_SECONDS = 12

_log = logging.getLogger(__name__)


class WarmModels:
    """Processes of the models that were asked last; one is never used for another organisation."""

    def __init__(self, most: int = MOST_WARM) -> None:
        self._most = most
        # By content too: an id may come again after its model was removed.
        self._scorers: OrderedDict[tuple[str, str, str], GuardedScorer] = OrderedDict()

    def get(self, model: Model) -> GuardedScorer:
        """Return a running scorer, started if need be; the one asked longest ago makes room for it.

        Raises
        ------
        ModelFailedError
            It cannot be started, or its file is not what was checked.
        """
        key = (model.organisation, model.id, str((model.card or {}).get("sha256")))
        scorer = self._scorers.pop(key, None)
        if scorer is not None and not scorer.alive:
            scorer.close()
            scorer = None
        if scorer is None:
            while len(self._scorers) >= self._most:
                self._scorers.popitem(last=False)[1].close()
            scorer = _started(model)
        self._scorers[key] = scorer
        return scorer

    def close(self) -> None:
        """End all processes."""
        while self._scorers:
            self._scorers.popitem()[1].close()


warm = WarmModels()


def read(model: Model, document: Document, *, actor: str = "alma") -> list[Field]:
    """Have a model read a document, keep its readings with it, and return the fields to show.

    A field that people decided is shown as they decided it, any other with the model's reading alone; what
    only other tracks read is left out. Rows of groups are not read by models.

    Parameters
    ----------
    model : Model
        A ready one.
    document : Document
        One that has been read.
    actor : str
        Who asked: the id of a key.

    Raises
    ------
    ConflictError
        The document is of another type (`wrong_doc_type`), or the model cannot be run (`model_failed`).
    """
    schema = catalogue.schemas_of(model.organisation).get(model.doc_type or "")
    if schema is None or document.doc_type != schema.doc_type:
        raise ConflictError(
            f"{model.id} reads documents of the type {model.doc_type}, and document {document.id} is of "
            f"{document.doc_type or 'no known type'}; use a model for that, or digitize it without one.",
            code="wrong_doc_type",
        )
    words = read_words(document, page_records.list_pages(document))
    try:
        scorer = warm.get(model)
        read = plain_fields(layouts_by_track(words), schema, scorer, scorer.calibration or UNKNOWN)
    except ModelFailedError as failure:
        _log.warning("model %s of %s failed with %s", model.id, model.organisation, failure.code)
        raise PassingConflictError(
            f"{model.id} could not be run ({failure.code}); ask again, and if it stays, train or register it "
            "anew. Digitizing without it goes on.",
            code="model_failed",
        ) from None
    kept = merge_readings(
        model.organisation,
        document.id,
        [_on_one_track(field, model.id) for field in read],
        model.id,
        actor=actor,
        review_below=schema.review_below,
    )
    return list(shown(kept, model.id, schema.review_below))


def shown(fields: Iterable[Field], model_id: str, review_below: float) -> Iterable[Field]:
    """Yield the fields of a document as a model's answer shows them.

    What nobody knows of the model's reading is flagged, though another track may know the field.
    """
    for field in fields:
        own = tuple(reading for reading in field.readings if reading.track == model_id)
        if field.status.decided and not field.missing:
            yield field
        elif own:
            unsure = doubt(own[0].confidence, review_below)
            if unsure is not None and unsure not in field.reasons:
                reasons = (unsure, *field.reasons)
                yield replace(field, readings=own, status=Status.ESCALATED, reasons=reasons)
            else:
                yield replace(field, readings=own)


def _on_one_track(field: Field, model_id: str) -> Field:
    best = replace(field.readings[0], track=model_id)
    return replace(field, readings=(best,))


def _started(model: Model) -> GuardedScorer:
    try:
        content = registry.content(model)
    except NotFoundError as error:
        _log.error("the file of model %s of %s is not what was kept", model.id, model.organisation)
        raise ModelFailedError("model_damaged", error.detail) from None
    return GuardedScorer(content, settings(), start_seconds=START_SECONDS)
