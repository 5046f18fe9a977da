"""Confidence of fields that no model was trained on: what rules say, and what people found of such values.

A field of a type of one's own is read from its labels. How often that is right differs from type to type, so
nothing is known of it before people have decided some values of the type. From the first decision on, the
confidence is the posterior mean of a beta-binomial model (empirical Bayes; Gelman et al., Bayesian Data
Analysis, ch. 5). Its prior is a logistic model of the rules' signals, fitted on labelled types that were read
in the same way, and moved by how much more or less often the values of this type turned out right; the
decisions on the field update it. The strengths of both are fitted too, leaving one type out each time
(`scripts/calibrate_rules.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from alma.datamodel.fields import DecisionCount
from alma.extraction.scoring.confidence import Calibration, Vector, as_shown, sigmoid

CALIBRATION = "rules.json"
#: The name of the one bias that all types share.
ANY = "any"


@dataclass(frozen=True, slots=True)
class RuleCalibration:
    """What is known of values read by rules alone, before anybody decided one of their type."""

    model: Calibration
    """With the bias of `ANY`."""
    rate: float
    """Share of such values that are right, over the labelled types."""
    of_type: float
    of_field: float
    """Strengths of the priors, in decisions: of a type's rate around `rate`, of a field's around what the
    signals say."""

    def probability(self, key: str, vector: Vector, decided: Mapping[str, DecisionCount]) -> float | None:
        """Return the probability that a value is right, as it is shown; None before the first decision.

        Parameters
        ----------
        key : str
            The field.
        vector : Vector
            What is known of the value.
        decided : mapping
            How often values of the type's fields turned out right, by key.
        """
        found = self.unrounded(key, vector, decided)
        return None if found is None else as_shown(found)

    def unrounded(self, key: str, vector: Vector, decided: Mapping[str, DecisionCount]) -> float | None:
        """Return the probability as `probability` does, as precise as it comes."""
        right, total = sum(c.right for c in decided.values()), sum(c.total for c in decided.values())
        if not total:
            return None
        of_type = (self.of_type * self.rate + right) / (self.of_type + total)
        moved = _logit(of_type) - _logit(self.rate)
        prior = sigmoid(self.model.biases[ANY] + self.model.weighed(vector) + moved)
        own = decided.get(key, DecisionCount())
        return (self.of_field * prior + own.right) / (self.of_field + own.total)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> RuleCalibration:
        """Return the calibration that `scripts/calibrate_rules.py` fitted."""
        strengths = raw["strengths"]
        return cls(Calibration.from_dict(raw), raw["rate"], strengths["type"], strengths["field"])


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


@lru_cache(maxsize=1)
def shipped_rule_calibration() -> RuleCalibration:
    """Return the calibration of rules that comes with alma."""
    return RuleCalibration.from_dict(
        json.loads(resources.files("alma.data").joinpath(CALIBRATION).read_bytes())
    )
