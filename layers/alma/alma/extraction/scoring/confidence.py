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
from typing import Any, NamedTuple, Protocol

from alma.datamodel.schemas import FieldType
from alma.settings import settings

CALIBRATION = "calibration.json"
#: Confidence is rounded to this many places and never stated as certain.
PLACES = 3
CEILING, FLOOR = 0.999, 0.001


class SignalVector(NamedTuple):
    """The features of the logistic model; every calibration stores the names of those it weighs."""

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
    vote: float
    found: float
    logit_address: float
    logit_amount: float
    logit_date: float
    logit_duration: float
    logit_identifier: float
    logit_name: float
    logit_number: float
    logit_text: float


#: Their names.
SIGNALS = SignalVector._fields
#: Slopes by the type of the field; a type without one, such as a currency, has the common one.
_SLOPES = tuple(name for name in SIGNALS if name.startswith("logit_"))
#: Those that a calibration weighs which does not name them: it comes from a release that had no others.
UNNAMED = SIGNALS[:16]


class Vector(Protocol):
    """Signals by name: a named tuple of numbers."""

    def _asdict(self) -> dict[str, float]: ...


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
    vote: float = 0.0
    """What the rule that says most for it says."""
    found: float = 0.0
    """Share of the type's fields that the document has a value for."""
    kind: FieldType | None = None
    """The type of its field: the scorer's log-odds say more of identifiers than of addresses."""
    ambiguous: bool = False
    """It can be read in two ways, and the document does not say which; a reason to ask, no feature."""

    def vector(self) -> SignalVector:
        """Return the features of the logistic model, each of the order of one."""
        # What is shown although the scorer hardly believes it is shown because a rule is plain: two in five
        # of these are right, however little the scorer believes.
        p = min(max(self.probability, 0.05), 1 - 1e-4)
        logit = math.log(p / (1 - p)) / 4.0
        of_kind = {name: logit if name == f"logit_{self.kind}" else 0.0 for name in _SLOPES}
        return SignalVector(
            logit=logit,
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
            vote=min(self.vote, 4.0) / 4.0,
            found=self.found,
            **of_kind,
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model with a bias for each field (Platt scaling over several features; Platt 1999)."""

    weights: tuple[float, ...]
    """Of the signals, in their order."""
    biases: Mapping[str, float]
    """`TYPE.KEY` to the bias of that field, `TYPE` to the bias of a field without own data."""
    signals: tuple[str, ...] = SIGNALS
    """The names of the signals it weighs: others count for nothing."""

    def probability(self, doc_type: str, key: str, vector: Vector) -> float | None:
        """Return the probability that the value is right, as it is shown, or None where nothing is known.

        Parameters
        ----------
        doc_type, key : str
            Field in question.
        vector : Vector
            What is known about the value.
        """
        found = self.unrounded(doc_type, key, vector)
        return None if found is None else as_shown(found)

    def unrounded(self, doc_type: str, key: str, vector: Vector) -> float | None:
        """Return the probability as `probability` does, as precise as it comes."""
        bias = self.biases.get(f"{doc_type}.{key}", self.biases.get(doc_type))
        return None if bias is None else sigmoid(bias + self.weighed(vector))

    def weighed(self, vector: Vector) -> float:
        """Return what the signals say, in log-odds, before any bias."""
        known = vector._asdict()
        return sum(weight * known[name] for name, weight in zip(self.signals, self.weights, strict=True))

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], known: Sequence[str] = SIGNALS) -> Calibration:
        """Return the calibration that `alma.learning.calibration` fitted.

        Parameters
        ----------
        raw : mapping
            `weights`, `biases` and the names of its `signals`; `UNNAMED` where it names none.
        known : sequence of str
            The signals there are. It may weigh fewer: one of an older release does.

        Raises
        ------
        ValueError
            It is malformed, or of other signals.
        """
        try:
            weights, biases = tuple(map(float, raw["weights"])), dict(raw["biases"])
            biases = {str(name): float(bias) for name, bias in biases.items()}
            signals = tuple(map(str, raw.get("signals", UNNAMED)))
        except (KeyError, TypeError) as error:
            raise ValueError(f"no calibration: {error}") from None
        if len(weights) != len(signals) or len({*signals}) < len(signals) or not {*signals} <= {*known}:
            raise ValueError("the calibration is of other signals")
        return cls(weights, biases, signals)


def sigmoid(logit: float) -> float:
    """Return the probability of log-odds; a model may bring numbers whose exponential would overflow."""
    return 1 / (1 + math.exp(min(max(-logit, -700.0), 700.0)))


def as_shown(probability: float) -> float:
    """Return a probability as a confidence: rounded, and never certain."""
    return round(min(max(probability, FLOOR), CEILING), PLACES)


#: Of a model of which nobody knows how often it is right.
UNKNOWN = Calibration((), {}, ())


def load(text: str | bytes, known: Sequence[str] = SIGNALS) -> Calibration:
    """Return a calibration as the scripts that fit one write it."""
    return Calibration.from_dict(json.loads(text), known)


@lru_cache(maxsize=1)
def shipped_calibration() -> Calibration:
    """Return the calibration that comes with alma, or the one `settings().base_dir` puts in its place."""
    own = settings().base_dir
    return load(
        (Path(own) / CALIBRATION if own else resources.files("alma.data").joinpath(CALIBRATION)).read_bytes()
    )
