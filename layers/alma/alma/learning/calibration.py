"""Fitting the confidence: a logistic regression over what is known of values that were chosen and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alma.extraction.scoring.confidence import SIGNALS, Calibration, Vector

#: Penalties: on weights, on the bias of a type, on the bias of a field.
RIDGE = (0.5, 0.5, 1.0)
#: Penalty on leaving the weights of a calibration that is known, where little data should not outweigh much.
PRIOR_RIDGE = 16.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """One value that was chosen, and whether it is right."""

    doc_type: str
    key: str
    vector: Vector
    right: bool
    fold: int


class Logistic:
    """The logistic regression over samples: design matrix and Newton's method.

    A bias for each type and field is drawn to zero where there is little data (ridge penalty).

    Parameters
    ----------
    samples : sequence of Sample
        Whose types and fields it has biases for.
    prior : Calibration, optional
        What the coefficients are drawn to instead of zero: its weights, and the mean of the biases of its
        types. Samples are few then, and met with doubt: to those of each field one is added that is like them
        and wrong.
    signals : sequence of str
        The names of the signals it weighs.
    ridge : tuple of three floats
        Penalties as in `RIDGE`.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        prior: Calibration | None = None,
        signals: Sequence[str] = SIGNALS,
        ridge: tuple[float, float, float] = RIDGE,
    ) -> None:
        self.signals = tuple(signals)
        self.types = sorted({s.doc_type for s in samples})
        self.keys = sorted({(s.doc_type, s.key) for s in samples})
        self.shared = 1 + len(self.signals)
        penalty = [1e-6, *[ridge[0]] * (self.shared - 1)]
        self.penalty = np.array(penalty + [ridge[1]] * len(self.types) + [ridge[2]] * len(self.keys))
        self.centre = np.zeros(len(self.penalty))
        if prior is not None:
            of_types = [bias for name, bias in prior.biases.items() if "." not in name]
            weights = dict(zip(prior.signals, prior.weights, strict=True))
            self.centre[0] = float(np.mean(of_types)) if of_types else 0.0
            self.centre[1 : self.shared] = [weights.get(name, 0.0) for name in self.signals]
            self.penalty[: self.shared] = PRIOR_RIDGE
        self.doubting = prior is not None

    def matrix(self, samples: Sequence[Sample]) -> Array:
        """Return one row a sample: constant, signals, type, field."""
        x = np.zeros((len(samples), len(self.penalty)))
        for row, s in zip(x, samples, strict=True):
            row[0] = 1.0
            known = s.vector._asdict()
            row[1 : self.shared] = [known[name] for name in self.signals]
            row[self.shared + self.types.index(s.doc_type)] = 1.0
            row[self.shared + len(self.types) + self.keys.index((s.doc_type, s.key))] = 1.0
        return x

    def fit(self, samples: Sequence[Sample]) -> Array:
        """Return the coefficients of the penalised maximum likelihood."""
        x, y = self.matrix(samples), np.array([float(s.right) for s in samples])
        if self.doubting:
            # A wrong value of each field is still to come: what was right every time is not certain.
            of_key = x[:, self.shared + len(self.types) :]
            seen = np.flatnonzero(of_key.any(axis=0))
            x = np.vstack([x, *(x[of_key[:, n] > 0].mean(axis=0, keepdims=True) for n in seen)])
            y = np.concatenate([y, np.zeros(len(seen))])
        w: Array = self.centre.copy()
        for _ in range(50):
            p = 1 / (1 + np.exp(-x @ w))
            gradient = x.T @ (p - y) + self.penalty * (w - self.centre)
            hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(self.penalty)
            step = np.linalg.solve(hessian, gradient)
            w -= step
            if np.abs(step).max() < 1e-8:
                break
        return w

    def as_json(self, w: Array) -> dict[str, Any]:
        """Return the coefficients as `extraction.scoring.confidence.Calibration.from_dict` reads them."""
        own = dict(zip(self.types, w[self.shared : self.shared + len(self.types)], strict=True))
        of_key = dict(zip(self.keys, w[self.shared + len(self.types) :], strict=True))
        biases = {t: round(float(w[0] + b), 4) for t, b in own.items()}
        biases |= {f"{t}.{k}": round(float(w[0] + own[t] + b), 4) for (t, k), b in of_key.items()}
        return {
            "signals": list(self.signals),
            "weights": [round(float(v), 4) for v in w[1 : self.shared]],
            "biases": dict(sorted(biases.items())),
        }


def cross_fitted(
    samples: Sequence[Sample],
    prior: Calibration | None = None,
    signals: Sequence[str] = SIGNALS,
    ridge: tuple[float, float, float] = RIDGE,
) -> tuple[dict[str, Any], dict[int, dict[str, Any]], list[tuple[float, bool]]]:
    """Return the coefficients fitted to all samples, by fold those fitted to the others, and what these say.

    The last is the confidence of each sample out of fold, with whether it is right: what the coefficients are
    judged by. It goes by folds, and within one as the samples do.
    """
    model = Logistic(samples, prior, signals, ridge)
    of_fold: dict[int, dict[str, Any]] = {}
    judged: list[tuple[float, bool]] = []
    for fold in sorted({s.fold for s in samples}):
        of_fold[fold] = model.as_json(model.fit([s for s in samples if s.fold != fold]))
        fitted = Calibration.from_dict(of_fold[fold], model.signals)
        for s in samples:
            if s.fold == fold:
                found = fitted.unrounded(s.doc_type, s.key, s.vector)
                assert found is not None  # noqa: S101 - every type of a sample has a bias
                judged.append((found, s.right))
    return model.as_json(model.fit(samples)), of_fold, judged
