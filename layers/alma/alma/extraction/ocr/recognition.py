"""What a line says: CRNN-style recognition with CTC decoding (Graves et al., ICML 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alma.extraction.ocr.crops import HEIGHT
from alma.extraction.ocr.session import open_session

#: Crops of one batch; their widths differ by less than `SPREAD`.
BATCH = 8
#: Widths are padded to a multiple of this.
BUCKET = 32
SPREAD = 1.25
BLANK = 0


@dataclass(frozen=True, slots=True)
class Span:
    """A word inside a line.

    Attributes
    ----------
    text : str
        Without white space.
    start, end : float
        Where it begins and ends, as a share of the line's length.
    confidence : float
        0..1.
    """

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a line says: its words, and the mean confidence of its characters (0 where there are none)."""

    words: tuple[Span, ...]
    confidence: float


class LineReader:
    """Reads crops of single lines.

    Parameters
    ----------
    model : Path
        Recogniser: (n, 3, 48, w) -> (n, w / 8, characters), its alphabet in the metadata `character`.
    threads : int
        Threads of the network.
    """

    def __init__(self, model: Path, threads: int) -> None:
        self._session = open_session(model, threads)
        listed = self._session.get_modelmeta().custom_metadata_map["character"].split("\n")
        if listed[-1] == "":
            listed.pop()
        self._alphabet = ["", *listed, " "]

    def read(self, crops: Sequence[Image.Image]) -> list[Reading]:
        """Return the reading of every crop (RGB, `HEIGHT` high), in their order."""
        readings: list[Reading | None] = [None] * len(crops)
        for batch in batches([image.width for image in crops]):
            width = -(-max(crops[index].width for index in batch) // BUCKET) * BUCKET
            inputs = np.zeros((len(batch), 3, HEIGHT, width), np.float32)
            pixels = [np.asarray(crops[index]) for index in batch]
            for row, line in enumerate(pixels):
                inputs[row, :, :, : line.shape[1]] = line[:, :, ::-1].transpose(2, 0, 1) / np.float32(127.5) - 1
            probabilities = self._session.run(None, {"x": inputs})[0]
            best, certainty = probabilities.argmax(2), probabilities.max(2)
            for row, index in enumerate(batch):
                readings[index] = self._decode(best[row], certainty[row], width / crops[index].width)
        return [reading for reading in readings if reading is not None]

    def _decode(self, best: NDArray[np.int64], certainty: NDArray[np.float32], stretch: float) -> Reading:
        """Return the reading of one row of the network's output.

        Parameters
        ----------
        best, certainty : ndarray, shape (steps,)
            The likeliest character at every step and its probability.
        stretch : float
            Width of the padded input over the width of the line.
        """
        starts = np.flatnonzero((best != BLANK) & (np.diff(best, prepend=BLANK) != 0))
        if not len(starts):
            return Reading((), 0.0)
        characters = [self._alphabet[index] for index in best[starts]]
        centres = (starts + 0.5) * stretch / len(best)
        certainties = certainty[starts]
        half = 0.5 / len(characters)
        words: list[Span] = []
        letters: list[int] = []
        for place, character in enumerate([*characters, " "]):
            if not character.isspace():
                letters.append(place)
            elif letters:
                words.append(
                    Span(
                        "".join(characters[letter] for letter in letters),
                        max(0.0, float(centres[letters[0]]) - half),
                        min(1.0, float(centres[letters[-1]]) + half),
                        float(certainties[letters].mean()),
                    )
                )
                letters = []
        return Reading(tuple(words), float(certainties.mean()))


def batches(widths: Sequence[int]) -> list[list[int]]:
    """Return the indices of `widths` in groups of similar width: padding is computed like text."""
    groups: list[list[int]] = []
    for index in sorted(range(len(widths)), key=widths.__getitem__):
        if groups and len(groups[-1]) < BATCH:
            narrowest = max(widths[groups[-1][0]], HEIGHT)
            if widths[index] <= max(narrowest * SPREAD, narrowest + BUCKET):
                groups[-1].append(index)
                continue
        groups.append([index])
    return groups
