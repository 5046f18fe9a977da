"""Calibrated confidence: from a candidate's score to the probability that its value is right.

`scripts/calibrate.py` fits the numbers on labelled documents, `data/calibration.json` carries them and says
what they were fitted on. Where a document type has no data, the confidence is unknown (None).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

#: Confidence is rounded to this many places and never stated as certain.
PLACES = 3
CEILING, FLOOR = 0.999, 0.001


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known about a chosen value before anybody checked it.

    Attributes
    ----------
    score : float
        Score of the candidate.
    margin : float
        Lead over the best candidate with another value; large where there is none.
    support : int
        Places at which the same value was found.
    quality : float
        Mean confidence of the recogniser in the words, 1 where the file states them.
    """

    score: float
    margin: float
    support: int
    quality: float = 1.0

    def vector(self) -> tuple[float, ...]:
        """Return the features of the logistic model, each of the order of one."""
        return (
            self.score / 3.0,
            min(self.margin, 3.0) / 3.0,
            math.log2(1 + min(self.support, 15)) / 4.0,
            self.quality,
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model with a bias for each field.

    Attributes
    ----------
    weights : tuple of float
        Of `Signals.vector`.
    biases : mapping
        `TYPE.KEY` to the bias of that field, `TYPE` to the bias of a field without own data.
    agreement : tuple of float
        Added where a second track reads the same value, and where it reads another.
    """

    weights: tuple[float, ...]
    biases: Mapping[str, float]
    agreement: tuple[float, float]

    def probability(self, doc_type: str, key: str, signals: Signals, agrees: bool | None) -> float | None:
        """Return the probability that the value is right, or None where nothing is known.

        Parameters
        ----------
        doc_type, key : str
            Field in question.
        signals : Signals
            What is known about the value.
        agrees : bool or None
            Whether another track reads the same value; None where there is no other.
        """
        bias = self.biases.get(f"{doc_type}.{key}", self.biases.get(doc_type))
        if bias is None:
            return None
        logit = bias + sum(w * x for w, x in zip(self.weights, signals.vector(), strict=True))
        if agrees is not None:
            logit += self.agreement[0] if agrees else self.agreement[1]
        return round(min(max(1 / (1 + math.exp(-logit)), FLOOR), CEILING), PLACES)


def load(text: str | bytes) -> Calibration:
    """Return the calibration written by `scripts/calibrate.py`."""
    raw = json.loads(text)
    return Calibration(
        weights=tuple(raw["weights"]),
        biases=dict(raw["biases"]),
        agreement=(raw["agreement"]["same"], raw["agreement"]["other"]),
    )


@lru_cache(maxsize=1)
def shipped_calibration() -> Calibration:
    """Return the calibration that comes with alma."""
    return load(resources.files("alma.data").joinpath("calibration.json").read_bytes())
