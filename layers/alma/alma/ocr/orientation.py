"""Which way is up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from alma.ocr.crops import HEIGHT, is_tall, network_input
from alma.ocr.quads import Quad, extent
from alma.onnx_session import model_bytes, open_session

#: Width the classifier was trained on.
WIDTH = 192


def sideways(lines: Sequence[Quad]) -> bool:
    """Tell whether most of the text runs up or down the page, by length: short boxes have no direction."""
    tall = wide = 0.0
    for corners in lines:
        length, breadth = extent(corners)
        if is_tall(corners):
            tall += breadth - length
        else:
            wide += max(0.0, length - breadth)
    return tall > wide


class Classifier:
    """Tells upright lines from lines that stand on their head.

    Parameters
    ----------
    model : Path
        (n, 3, 48, 192) -> (n, 2), probabilities of upright and upside down.
    threads : int
        Threads of the network.
    """

    def __init__(self, model: Path, threads: int) -> None:
        self._session = open_session(model_bytes(model), threads)

    def upside_down(self, crops: Sequence[Image.Image]) -> float:
        """Return the mean probability that the crops (RGB, `HEIGHT` high, at least one) are upside down."""
        inputs = np.zeros((len(crops), 3, HEIGHT, WIDTH), np.float32)
        for row, line in enumerate(crops):
            # The beginning of a long line says as much as all of it squeezed.
            width = min(line.width, WIDTH)
            inputs[row, :, :, :width] = network_input(line.crop((0, 0, width, HEIGHT)))
        return float(self._session.run(None, {"x": inputs})[0][:, 1].mean())
