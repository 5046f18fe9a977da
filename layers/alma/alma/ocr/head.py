"""Which character stands at each step: the recogniser's last layer, computed where it matters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alma.ocr.surgery import linear
from alma.onnx_session import open_session

#: The class that means no character.
BLANK = 0
#: Probability of a blank among western characters above which a step is one among all of them.
NOTHING = 0.99
#: Steps whose whole alphabet is computed at once: 10 MB.
STEPS = 128


@dataclass(frozen=True, slots=True)
class Guesses:
    """What the network sees at each step of its output.

    Attributes
    ----------
    best, western : ndarray of int, shape (steps,)
        The likeliest character, and the likeliest of a western line.
    probability, western_probability : ndarray of float32, shape (steps,)
        Theirs, among all characters.
    space : ndarray of float32, shape (steps,)
        Probability of a space.
    """

    best: NDArray[np.intp]
    probability: NDArray[np.float32]
    western: NDArray[np.intp]
    western_probability: NDArray[np.float32]
    space: NDArray[np.float32]

    def rows(self, start: int, stop: int) -> Guesses:
        """Return those of some steps."""
        return Guesses(
            self.best[start:stop],
            self.probability[start:stop],
            self.western[start:stop],
            self.western_probability[start:stop],
            self.space[start:stop],
        )


class Head:
    """The last layer of a recogniser.

    The alphabet is mostly Chinese, and all of it at every step is a tenth of the time of reading. Its western
    part says where there is nothing; only where it does not is the rest looked at.

    Parameters
    ----------
    weights : ndarray of float32, shape (features, characters)
    bias : ndarray of float32, shape (characters,)
    western : ndarray of int
        Characters of western lines in rising order, `BLANK` and the space among them.
    space : int
        The space.
    """

    def __init__(
        self,
        weights: NDArray[np.float32],
        bias: NDArray[np.float32],
        western: NDArray[np.intp],
        space: int,
    ) -> None:
        self._western = western
        self._space = int(np.searchsorted(western, space))
        # Layers of onnxruntime, not of numpy, whose threads would be in the way of those that read.
        self._all_layer = open_session(linear(weights, bias), 1)
        self._western_layer = open_session(linear(weights[:, western], bias[western]), 1)

    def guess(self, features: NDArray[np.float32]) -> Guesses:
        """Return what stands at each step.

        Parameters
        ----------
        features : ndarray of float32, shape (steps, features)
        """
        logits = self._western_layer.run(None, {"x": features})[0]
        place = logits.argmax(1)
        western, western_logit = self._western[place], logits[np.arange(len(logits)), place]
        space_logit = logits[:, self._space].copy()
        total = western_logit + _log_sum(logits, western_logit)
        best, best_logit = western.copy(), western_logit.copy()
        something = np.flatnonzero((best != BLANK) | (western_logit - total < math.log(NOTHING)))
        for start in range(0, len(something), STEPS):
            part = something[start : start + STEPS]
            logits = self._all_layer.run(None, {"x": features[part]})[0]
            best[part] = logits.argmax(1)
            best_logit[part] = logits[np.arange(len(part)), best[part]]
            total[part] = best_logit[part] + _log_sum(logits, best_logit[part])
        return Guesses(
            best,
            np.exp(best_logit - total),
            western,
            np.exp(western_logit - total),
            np.exp(space_logit - total),
        )


def _log_sum(logits: NDArray[np.float32], largest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return log(sum(exp(logits - largest))) of each row; overwrites `logits`."""
    logits -= largest[:, None]
    summed: NDArray[np.float32] = np.log(np.exp(logits, out=logits).sum(1))
    return summed
