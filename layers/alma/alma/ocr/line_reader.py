"""What a line says: a CRNN (Shi et al., TPAMI 2017) and greedy CTC decoding (Graves et al., ICML 2006).

Where that leaves a word uncertain, a beam search with a language model decides (`beam_search`).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alma.ocr.alphabet import BLANK, alphabet_of
from alma.ocr.beam_search import search
from alma.ocr.crops import HEIGHT, network_input
from alma.ocr.head import Guesses, Head
from alma.ocr.language_model import shipped_language_model
from alma.onnx_session import model_bytes, open_session

#: Crops of one batch, which one core reads; their widths differ by less than `SPREAD`.
BATCH = 4
#: Widths are padded to a multiple of this.
BUCKET = 32
SPREAD = 1.25
#: Probability of a space between two characters above which it is one, though the blank is likelier: the
#: network drops spaces. Word F1 on 40 receipts: .889 without, .917 at .05 and .06, .915 at .1, .908 at .01.
SPACE = 0.06
#: Confidence of its least certain word below which a western line is searched, and below which it is worth a
#: second reading (`page_reader`).
UNCERTAIN, DOUBTFUL = 0.9, 0.3
#: Characters a line has at least for each of its heights in length (print has about 2): of a script that the
#: alphabet lacks, the network reads next to nothing, and is sure of it.
SPARSE = 0.3
#: The recogniser as `scripts/split_recognizer.py` splits it: all but its last layer, that layer, and the part
#: of it that western lines need.
BODY, HEAD, WESTERN_HEAD = (f"PP-OCRv6_rec_small.{part}.onnx" for part in ("body", "head", "western"))


@dataclass(frozen=True, slots=True)
class RecognizedWord:
    """A word inside a line."""

    text: str
    """Without white space."""
    start: float
    end: float
    """Where it begins and ends, as a share of the line's length."""
    confidence: float
    """Probability that every character is right, 0..1, taking them as independent."""


@dataclass(frozen=True, slots=True)
class RecognizedLine:
    """What a line says."""

    words: tuple[RecognizedWord, ...]
    """Left to right."""
    confidence: float
    """Mean of its characters, 0..1; 0 where there are none, or far fewer than would fit."""

    @property
    def least(self) -> float:
        """Confidence of its least certain word; 1 where there are none."""
        return min((word.confidence for word in self.words), default=1.0)


class _Width(NamedTuple):
    """Width of a line and of the input that it was padded to, in pixels."""

    line: int
    padded: int


class LineReader:
    """Reads crops of single lines.

    Parameters
    ----------
    models : Path
        Folder with the parts of the recogniser: `BODY` (n, 3, 48, w) -> (n, w / 8, features), its alphabet in
        its metadata, and the last layer, see `alma.ocr.head.Head`.
    threads : int
        Batches read at once.
    """

    def __init__(self, models: Path, threads: int) -> None:
        # A core for each batch, not all cores for one: they never wait for each other inside a layer.
        self._body, layer, western_layer = (
            open_session(model_bytes(models / name), 1) for name in (BODY, HEAD, WESTERN_HEAD)
        )
        self._pool = ThreadPoolExecutor(threads, "read")
        self._alphabet = alphabet_of(self._body.get_modelmeta().custom_metadata_map)
        self._head = Head(layer, western_layer, len(self._alphabet) - 1)

    def read(self, crops: Sequence[Image.Image]) -> list[RecognizedLine]:
        """Return the reading of every crop (RGB, `HEIGHT` high), in their order."""
        readings: dict[int, RecognizedLine] = {}
        groups = batches([image.width for image in crops])
        # Longest first: nobody waits for a long line that began last.
        for group, read in zip(
            groups[::-1],
            self._pool.map(lambda group: self._read([crops[index] for index in group]), groups[::-1]),
            strict=True,
        ):
            readings.update(zip(group, read, strict=True))
        return [readings[index] for index in range(len(crops))]

    def _read(self, crops: Sequence[Image.Image]) -> list[RecognizedLine]:
        """Return the readings of crops of similar width."""
        width = -(-max(image.width for image in crops) // BUCKET) * BUCKET
        inputs = np.zeros((len(crops), 3, HEIGHT, width), np.float32)
        for row, image in enumerate(crops):
            inputs[row, :, :, : image.width] = network_input(image)
        features = self._body.run(None, {"x": inputs})[0]
        guesses = self._head.guess(features.reshape(-1, features.shape[-1]))
        steps = features.shape[1]
        return [
            self._decode(
                guesses.rows(row * steps, (row + 1) * steps), features[row], _Width(image.width, width)
            )
            for row, image in enumerate(crops)
        ]

    def _decode(self, guesses: Guesses, features: NDArray[np.float32], width: _Width) -> RecognizedLine:
        """Return the reading of a line.

        Parameters
        ----------
        guesses : Guesses
            Its steps.
        features : ndarray of float32, shape (steps, features)
            What the guesses were made from.
        width : _Width
            Of the line.
        """
        best, probabilities = guesses.best, guesses.probability
        starts = emissions(best)
        # A smear in a western line would be read as an ideograph or an arrow.
        western = 2 * int(np.isin(best[starts], self._head.western).sum()) > len(starts)
        if western:
            best, probabilities = guesses.western, guesses.western_probability
            starts = emissions(best)
        line = self._line(best[starts], starts, probabilities[starts], guesses.space, width)
        if not western or line.least >= UNCERTAIN:
            return line
        return self._line(*self._searched(guesses, features), guesses.space, width)

    def _searched(
        self, guesses: Guesses, features: NDArray[np.float32]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Return the characters of a western line that a beam search finds, their steps and probabilities."""
        chances = self._head.western_log_probabilities(features)
        nothing = np.isin(guesses.western, (BLANK, len(self._alphabet) - 1))
        columns, steps = search(
            chances,
            nothing & (guesses.space > SPACE),
            [self._alphabet[index] for index in self._head.western],
            shipped_language_model(),
        )
        found = np.array(columns, np.intp)
        return self._head.western[found], np.array(steps, np.intp), np.exp(chances[steps, found])

    def _line(
        self,
        characters: NDArray[np.intp],
        starts: NDArray[np.intp],
        certainties: NDArray[np.float32],
        spaces: NDArray[np.float32],
        width: _Width,
    ) -> RecognizedLine:
        """Return a line of characters, divided where there are spaces.

        Parameters
        ----------
        characters, starts, certainties : ndarray, shape (characters,)
            Its characters, the steps at which they begin and their probabilities.
        spaces : ndarray of float32, shape (steps,)
            Probability of a space at every step.
        width : _Width
            Of the line.
        """
        if not len(starts):
            return RecognizedLine((), 0.0)
        steps = len(spaces)
        centres = (starts + 0.5) * width.padded / (width.line * steps)
        half = 0.5 / len(starts)
        words: list[RecognizedWord] = []
        letters: list[int] = []
        previous = 0
        for place, start in enumerate([*starts.tolist(), steps]):
            character = self._alphabet[characters[place]] if start < steps else " "
            dropped = bool(letters) and float(spaces[previous + 1 : start].max(initial=0.0)) > SPACE
            if letters and (dropped or character == " "):
                words.append(
                    RecognizedWord(
                        "".join(self._alphabet[characters[letter]] for letter in letters),
                        max(0.0, float(centres[letters[0]]) - half),
                        min(1.0, float(centres[letters[-1]]) + half),
                        float(certainties[letters].prod()),
                    )
                )
                letters = []
            if character != " ":
                letters.append(place)
            previous = start
        printed = characters != len(self._alphabet) - 1
        if printed.sum() < SPARSE * width.line / HEIGHT:
            return RecognizedLine(tuple(words), 0.0)
        return RecognizedLine(tuple(words), float(certainties[printed].mean()))


def emissions(best: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the steps at which a character begins: repeats are one character, blanks are none."""
    return np.flatnonzero((best != BLANK) & (np.diff(best, prepend=BLANK) != 0))


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
