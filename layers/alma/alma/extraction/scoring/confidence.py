"""Calibrated confidence: from a candidate's score to the probability that its value is right.

`scripts/train_base.py` fits the numbers on labelled documents, `data/calibration.json` carries them and says
what they were fitted on. Where a document type has no data, the confidence is unknown (None).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from alma.settings import settings

CALIBRATION = "calibration.json"
#: Confidence is rounded to this many places and never stated as certain.
PLACES = 3
CEILING, FLOOR = 0.999, 0.001
#: The features of the logistic model, in the order of `Signals.vector`.
SIGNALS = (
    "logit", "probability", "margin", "spread", "support", "unclear", "least_clear", "length", "recognised",
    "voted", "seconded", "company", "rule_holds", "rule_broken", "tracks_agree", "tracks_differ",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known about a chosen value before anybody checked it.

    Attributes
    ----------
    probability : float
        The scorer's, over all values of the field and none.
    margin : float
        Log-odds between it and the next best value, or none.
    spread : float
        Standard deviation of its score over the members of the scorer.
    support : int
        Places at which the same value was found.
    quality, least : float
        Mean and lowest confidence of the recogniser in the words; 1 where the file states them.
    length : int
        Characters that had to be recognised right; 0 where the file states them.
    voted : bool
        A rule of the schema (a label, a pattern, a place) points at it.
    seconded : bool
        It is what the rules alone would have chosen.
    company : float
        Mean probability of the document's other values: how familiar the document is.
    holds : bool or None
        Whether the rules between fields hold with it; None where none applies.
    agrees : bool or None
        Whether another track reads the same value; None where there is no other.
    """

    probability: float
    margin: float
    spread: float
    support: int
    quality: float = 1.0
    least: float = 1.0
    length: int = 0
    voted: bool = True
    seconded: bool = True
    company: float = 1.0
    holds: bool | None = None
    agrees: bool | None = None

    def vector(self) -> tuple[float, ...]:
        """Return the features of the logistic model (`SIGNALS`), each of the order of one."""
        # What is shown although the scorer hardly believes it is shown because a rule is plain: two in five
        # of these are right, however little the scorer believes.
        p = min(max(self.probability, 0.05), 1 - 1e-4)
        return (
            math.log(p / (1 - p)) / 4.0,
            p,
            min(max(self.margin, -2.0), 8.0) / 4.0,
            min(self.spread, 4.0) / 2.0,
            math.log2(1 + min(self.support, 15)) / 4.0,
            (1 - self.quality) * 5.0,
            1 - self.least,
            min(self.length, 120) / 60.0,
            float(self.length > 0),
            float(self.voted),
            float(self.seconded),
            self.company,
            float(self.holds is True),
            float(self.holds is False),
            float(self.agrees is True),
            float(self.agrees is False),
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
    """

    weights: tuple[float, ...]
    biases: Mapping[str, float]

    def probability(self, doc_type: str, key: str, signals: Signals) -> float | None:
        """Return the probability that the value is right, or None where nothing is known.

        Parameters
        ----------
        doc_type, key : str
            Field in question.
        signals : Signals
            What is known about the value.
        """
        found = self.unrounded(doc_type, key, signals.vector())
        return None if found is None else round(min(max(found, FLOOR), CEILING), PLACES)

    def unrounded(self, doc_type: str, key: str, vector: Sequence[float]) -> float | None:
        """Return the probability as `probability` does, of a vector of signals and as precise as it comes."""
        bias = self.biases.get(f"{doc_type}.{key}", self.biases.get(doc_type))
        if bias is None:
            return None
        logit = bias + sum(w * x for w, x in zip(self.weights, vector, strict=True))
        # A model may bring numbers of its own, and their exponential must not overflow.
        return 1 / (1 + math.exp(min(max(-logit, -700.0), 700.0)))

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Calibration:
        """Return the calibration that `alma.learning.calibration` fitted.

        Raises
        ------
        ValueError
            It is none, or of other signals.
        """
        try:
            weights, biases = tuple(map(float, raw["weights"])), dict(raw["biases"])
            biases = {str(name): float(bias) for name, bias in biases.items()}
        except (KeyError, TypeError) as error:
            raise ValueError(f"no calibration: {error}") from None
        if len(weights) != len(SIGNALS) or raw.get("signals", list(SIGNALS)) != list(SIGNALS):
            raise ValueError("the calibration is of other signals")
        return cls(weights, biases)


#: Of a model of which nobody knows how often it is right.
UNKNOWN = Calibration((0.0,) * len(SIGNALS), {})


def load(text: str | bytes) -> Calibration:
    """Return the calibration written by `scripts/train_base.py`."""
    return Calibration.from_dict(json.loads(text))


@lru_cache(maxsize=1)
def shipped_calibration() -> Calibration:
    """Return the calibration that comes with alma, or the one `settings().base_dir` puts in its place."""
    own = settings().base_dir
    return load(
        (Path(own) / CALIBRATION if own else resources.files("alma.data").joinpath(CALIBRATION)).read_bytes()
    )
