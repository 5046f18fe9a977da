"""Which character stands at each step: the recogniser's last layer, computed where it matters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from alma.ocr.alphabet import BLANK, CLASSES

#: Probability of a blank among western characters above which a step is one among all of them.
NOTHING = 0.99
#: Steps whose whole alphabet is computed at once: 10 MB.
STEPS = 128


@dataclass(frozen=True, slots=True)
class Guesses:
    """What the network sees at each step of its output: arrays of shape (steps,)."""

    best: NDArray[np.intp]
    """The likeliest character."""
    probability: NDArray[np.float32]
    """Its probability, among all characters."""
    western: NDArray[np.intp]
    """The likeliest character of a western line."""
    western_probability: NDArray[np.float32]
    """Its probability, among all characters."""
    space: NDArray[np.float32]
    """Probability of a space."""

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
    """The last layer of a recogniser, softmax(x W + b), in two parts.

    The alphabet is mostly Chinese, and all of it at every step is a tenth of the time of reading. Its western
    part says where there is nothing; only where it does not is the rest looked at.

    Parameters
    ----------
    layer : onnxruntime.InferenceSession
        The logits of all classes: `x` (n, features) -> (n, classes). A layer of ONNX Runtime, not of numpy,
        whose threads would be in the way of those that read.
    western_layer : onnxruntime.InferenceSession
        The logits of some classes, named by its metadata `CLASSES` in rising order, `BLANK` and the space
        among them.
    space : int
        The class of the space.
    """

    def __init__(
        self,
        layer: onnxruntime.InferenceSession,
        western_layer: onnxruntime.InferenceSession,
        space: int,
    ) -> None:
        self._layer, self._western_layer = layer, western_layer
        listed = western_layer.get_modelmeta().custom_metadata_map[CLASSES]
        self.western = np.array([int(index) for index in listed.split()], np.intp)
        self._space = int(np.searchsorted(self.western, space))

    def guess(self, features: NDArray[np.float32]) -> Guesses:
        """Return what stands at each step.

        Parameters
        ----------
        features : ndarray of float32, shape (steps, features)
        """
        logits = self._western_layer.run(None, {"x": features})[0]
        place = logits.argmax(1)
        western, western_logit = self.western[place], logits[np.arange(len(logits)), place]
        space_logit = logits[:, self._space].copy()
        total = western_logit + _log_sum(logits, western_logit)
        best, best_logit = western.copy(), western_logit.copy()
        something = np.flatnonzero((best != BLANK) | (western_logit - total < math.log(NOTHING)))
        for start in range(0, len(something), STEPS):
            part = something[start : start + STEPS]
            logits = self._layer.run(None, {"x": features[part]})[0]
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

    def western_log_probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logarithm of the probability of each of the western characters (`western`) among them.

        Parameters
        ----------
        features : ndarray of float32, shape (steps, features)
        """
        logits: NDArray[np.float32] = self._western_layer.run(None, {"x": features})[0]
        largest = logits.max(1)
        normalised: NDArray[np.float32] = logits - (largest + _log_sum(logits.copy(), largest))[:, None]
        return normalised


def _log_sum(logits: NDArray[np.float32], largest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return log(sum(exp(logits - largest))) of each row; overwrites `logits`."""
    logits -= largest[:, None]
    summed: NDArray[np.float32] = np.log(np.exp(logits, out=logits).sum(1))
    return summed
