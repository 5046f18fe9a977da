"""The scorer: an ONNX model that says how well a candidate fits a field.

The contract of such a model, `alma-base` and an organisation's own alike:

============  ================  ==========================================================================
input         type, shape       meaning
============  ================  ==========================================================================
`dense`       float32 (N, D)    `alma.extraction.scoring.features.DENSE`, as they are; the model scales them
`tokens`      int64 (N, T)      hashed words in and around the candidate, 0 where there is none
`field`       int64 (N,)        number of the field in the model's own list; 0 for a field it never saw
`logits`      float32 (N, M)    output: log-odds against "the document has no such value", of M members
============  ================  ==========================================================================

Members are trained from different seeds: their mean is the score, their spread says how far it depends on
chance. The metadata entry `alma` (JSON) names the fields and the features the model was trained with; a model
trained with other features is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alma.extraction.scoring.confidence import Calibration
from alma.extraction.scoring.features import BUCKETS, DENSE
from alma.settings import settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BASE = "alma-base.onnx"


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says of the N candidates of a field."""

    logits: NDArray[np.float32]
    """Shape (N,). Mean over the members."""
    spread: NDArray[np.float32]
    """Shape (N,). Standard deviation over the members."""


class Scorer:
    """A loaded model; safe to use from several threads.

    Parameters
    ----------
    model : bytes
        An ONNX file.

    Raises
    ------
    ValueError
        It is not a scorer, or was trained with other features or signals.
    """

    def __init__(self, model: bytes) -> None:
        from alma.onnx_session import open_session  # only `extract` has ONNX Runtime

        self._session = open_session(model, threads=1)
        self._describe(self._session.get_modelmeta().custom_metadata_map.get("alma"))

    def _describe(self, about: str | None) -> None:
        """Take over what the model's metadata says of it."""
        if about is None:
            raise ValueError("the model has no metadata entry named alma")
        self.about: dict[str, Any] = json.loads(about)
        if self.about["dense"] != list(DENSE) or self.about["buckets"] != BUCKETS:
            raise ValueError("the model was trained with other features")
        self._fields = {name: n for n, name in enumerate(self.about["fields"], start=1)}
        self.doc_type: str | None = self.about.get("doc_type")
        """The only type it reads; None where it knows several."""
        own = self.about.get("calibration")
        self.calibration: Calibration | None = None if own is None else Calibration.from_dict(own)
        """What its scores say about being right; None where that is not known."""

    def knows(self, doc_type: str, key: str) -> bool:
        """Return whether the model was trained on a field."""
        return f"{doc_type}.{key}" in self._fields

    def knows_type(self, doc_type: str) -> bool:
        """Return whether the model was trained on any field of a document type."""
        return any(name.startswith(f"{doc_type}.") for name in self._fields)

    def score(
        self,
        doc_type: str,
        found: Mapping[str, tuple[NDArray[np.float32], NDArray[np.int32]]],
    ) -> dict[str, Scores]:
        """Return the scores of all candidates of a document, by field.

        Parameters
        ----------
        doc_type : str
            The document's type.
        found : mapping
            By key of the field: dense features (N, D) and tokens (N, T) of its candidates.
        """
        import numpy as np

        filled = {key: pair for key, pair in found.items() if len(pair[0])}
        empty = np.zeros(0, np.float32)
        scores = {key: Scores(empty, empty) for key in found}
        if not filled:
            return scores
        logits = self._logits(
            np.concatenate([dense for dense, _ in filled.values()]),
            np.concatenate([tokens for _, tokens in filled.values()]),
            np.concatenate(
                [
                    np.full(len(dense), self._fields.get(f"{doc_type}.{key}", 0), np.int64)
                    for key, (dense, _) in filled.items()
                ]
            ),
        )
        at = 0
        for key, (dense, _) in filled.items():
            own = logits[at : at + len(dense)]
            scores[key] = Scores(own.mean(axis=1), own.std(axis=1))
            at += len(dense)
        return scores

    def _logits(
        self, dense: NDArray[np.float32], tokens: NDArray[np.int32], field: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Run the model: the (N, M) logits of N candidates."""
        inputs = {"dense": dense, "tokens": tokens.astype("int64"), "field": field}
        logits: NDArray[np.float32] = self._session.run(["logits"], inputs)[0]
        return logits


def base_model() -> bytes:
    """Return the model that comes with alma, or the one that `settings().base_dir` puts in its place."""
    own = settings().base_dir
    return (Path(own) / BASE if own else resources.files("alma.data").joinpath(BASE)).read_bytes()


@lru_cache(maxsize=1)
def base_scorer() -> Scorer:
    """Return the model every organisation begins with, loaded once per process."""
    return Scorer(base_model())
