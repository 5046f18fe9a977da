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
from typing import Any, NamedTuple

from alma.settings import settings

CALIBRATION = "calibration.json"
#: Confidence is rounded to this many places and never stated as certain.
PLACES = 3
CEILING, FLOOR = 0.999, 0.001


class SignalVector(NamedTuple):
    """The features of the logistic model. Names and order are stored in every calibration."""

    logit: float
    probability: float
    margin: float
    spread: float
    support: float
    unclear: float
    least_clear: float
    length: float
    recognised: float
    voted: float
    seconded: float
    company: float
    rule_holds: float
    rule_broken: float
    tracks_agree: float
    tracks_differ: float


#: Their names.
SIGNALS = SignalVector._fields


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known about a chosen value before anybody checked it."""

    probability: float
    """The scorer's, over all values of the field and none."""
    margin: float
    """Log-odds between it and the next best value, or none."""
    spread: float
    """Standard deviation of its score over the members of the scorer."""
    support: int
    """Places at which the same value was found."""
    quality: float = 1.0
    least: float = 1.0
    """Mean and lowest confidence of the recogniser in the words; 1 where the file states them."""
    length: int = 0
    """Characters that had to be recognised right; 0 where the file states them."""
    voted: bool = True
    """A rule of the schema (a label, a pattern, a place) points at it."""
    rules_agree: bool = True
    """It is what the rules alone would have chosen."""
    peer_confidence: float = 1.0
    """Mean probability of the document's other values: how familiar the document is."""
    holds: bool | None = None
    """Whether the rules between fields hold with it; None where none applies."""
    agrees: bool | None = None
    """Whether another track reads the same value; None where there is no other."""
    ambiguous: bool = False
    """It can be read in two ways, and the document does not say which; a reason to ask, no feature."""

    def vector(self) -> SignalVector:
        """Return the features of the logistic model, each of the order of one."""
        # What is shown although the scorer hardly believes it is shown because a rule is plain: two in five
        # of these are right, however little the scorer believes.
        p = min(max(self.probability, 0.05), 1 - 1e-4)
        return SignalVector(
            logit=math.log(p / (1 - p)) / 4.0,
            probability=p,
            margin=min(max(self.margin, -2.0), 8.0) / 4.0,
            spread=min(self.spread, 4.0) / 2.0,
            support=math.log2(1 + min(self.support, 15)) / 4.0,
            unclear=(1 - self.quality) * 5.0,
            least_clear=1 - self.least,
            length=min(self.length, 120) / 60.0,
            recognised=float(self.length > 0),
            voted=float(self.voted),
            seconded=float(self.rules_agree),
            company=self.peer_confidence,
            rule_holds=float(self.holds is True),
            rule_broken=float(self.holds is False),
            tracks_agree=float(self.agrees is True),
            tracks_differ=float(self.agrees is False),
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model with a bias for each field (Platt scaling over several features; Platt 1999)."""

    weights: tuple[float, ...]
    """Of the signals, in the order of `SIGNALS`."""
    biases: Mapping[str, float]
    """`TYPE.KEY` to the bias of that field, `TYPE` to the bias of a field without own data."""

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
            It is malformed, or of other signals.
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
