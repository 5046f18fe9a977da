"""The words of a page image."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from alma.datamodel.geometry import Box, Word
from alma.datamodel.pages import PageText, Track
from alma.ocr.crops import crop, ways
from alma.ocr.detection import Detector
from alma.ocr.image import working_image
from alma.ocr.line_order import lines
from alma.ocr.line_reader import DOUBTFUL, LineReader, RecognizedLine
from alma.ocr.orientation import Classifier, sideways
from alma.ocr.quads import Quad, extent
from alma.ocr.spelling import mend
from alma.ocr.word_boxes import Window, tight

DETECTION = "PP-OCRv6_det_small.onnx"
ORIENTATION = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"

#: Mean confidence below which a line counts as unreadable rather than as text.
READABLE = 0.5
#: Lines that vote on which way is up.
VOTERS = 12
#: Pixels of each that are looked at.
HEAD = 320
#: Probability of being upside down below which the classifier alone is believed.
DOUBT = 0.2
#: White around a line whose box is known, in heights of its ink.
MARGIN = 0.25
#: Width, over what a line's height would make it, at which doubtful ones are read once more; and what is
#: left of the confidence of a word that only one of the two readings has.
AGAIN, ALONE = 1.0, 0.5
#: How much more confident the recogniser must be the other way round.
MORE_CONFIDENT = 0.02
#: Pictures whose words are remembered.
REMEMBERED = 16


class Recognizer:
    """Reads page images. Make one per process: opening the networks takes about 0.2 s.

    Parameters
    ----------
    models : Path
        Folder with the ONNX files that `scripts/fetch_models.py` makes.
    threads : int, optional
        Threads of the networks; by default one per processor this process may use.
    side : int
        Longer side, in pixels, at which lines are looked for.

    Raises
    ------
    FileNotFoundError
        A model is missing.
    """

    def __init__(self, models: Path, threads: int | None = None, *, side: int = 1600) -> None:
        count = threads or _processors()
        self._detector = Detector(models / DETECTION, count, side)
        self._reader = LineReader(models, count)
        self._classifier = Classifier(models / ORIENTATION, count)
        self._side = side
        self._pictures: dict[tuple[str, tuple[int, int], bytes], PageText] = {}

    def read(self, image: Image.Image, page: int) -> PageText:
        """Return the words of a page.

        Parameters
        ----------
        image : PIL.Image.Image
            The page as displayed, in any mode and size.
        page : int
            1-based number within the document.

        Returns
        -------
        PageText
            Of the vision track. Boxes are on the image as given, also where `turned` is not 0.
        """
        given = image.size
        upright, turned, quads = self._upright(working_image(image, 2 * self._side))
        quads, crops, readings = self._read_lines(upright, quads)
        readable = [index for index, reading in enumerate(readings) if reading.confidence >= READABLE]
        words: list[Word] = []
        for number, members in enumerate(lines([quads[index] for index in readable])):
            for index in (readable[member] for member in members):
                spans = readings[index].words
                windows = tight(crops[index], [(span.start, span.end) for span in spans])
                for span, window in zip(spans, windows, strict=True):
                    box = _box(quads[index], window, upright.size).turned(-turned)
                    words.append(Word(span.text, box, number, span.confidence))
        return PageText(page, *given, Track.VISION, mend(words), turned, len(readings) - len(readable))

    def read_picture(self, image: Image.Image) -> PageText:
        """Return the words of a picture on a page; one that stands on every page of a file is read once."""
        key = image.mode, image.size, hashlib.sha256(image.tobytes()).digest()
        found = self._pictures.pop(key, None) or self.read(image, 1)
        self._pictures[key] = found
        if len(self._pictures) > REMEMBERED:
            del self._pictures[next(iter(self._pictures))]
        return found

    def read_lines(self, image: Image.Image, boxes: Sequence[Box]) -> list[list[Word]]:
        """Return the words of lines that run left to right in known boxes; none where a line cannot be read.

        Parameters
        ----------
        image : PIL.Image.Image
            The page, upright.
        boxes : sequence of Box
            One around the ink of each line.
        """
        if not boxes:
            return []
        working = working_image(image, 2 * self._side)
        quads = [_quad(box, working.size) for box in boxes]
        crops = [crop(working, corners) for corners in quads]
        found: list[list[Word]] = []
        for corners, line, reading in zip(quads, crops, self._reader.read(crops), strict=True):
            spans = reading.words if reading.confidence >= READABLE else ()
            windows = tight(line, [(span.start, span.end) for span in spans]) if spans else []
            words = [
                Word(span.text, _box(corners, window, working.size), 0, span.confidence)
                for span, window in zip(spans, windows, strict=True)
            ]
            found.append(list(mend(words)))
        return found

    def _upright(self, image: Image.Image) -> tuple[Image.Image, int, list[Quad]]:
        """Return the image turned upright, the degrees clockwise that took, and its lines."""
        turned = 0
        quads = self._detector.find(image)
        if sideways(quads):
            turned = 90
            image = image.transpose(Image.Transpose.ROTATE_270)
            quads = self._detector.find(image)
        if self._upside_down(image, quads):
            turned += 180
            image = image.transpose(Image.Transpose.ROTATE_180)
            # What was the last corner but one comes first now.
            quads = [np.roll(np.array(image.size) - corners, 2, axis=0) for corners in quads]
        return image, turned, quads

    def _read_lines(
        self, image: Image.Image, quads: list[Quad]
    ) -> tuple[list[Quad], list[Image.Image], list[RecognizedLine]]:
        """Return the lines the way each can be read best, their crops and their readings."""
        tried = [(line, way) for line, corners in enumerate(quads) for way in ways(corners)]
        crops = [crop(image, way) for _, way in tried]
        readings = self._reader.read(crops)
        best: dict[int, int] = {}
        for index, (line, _) in enumerate(tried):
            if line not in best or readings[index].confidence > readings[best[line]].confidence:
                best[line] = index
        chosen = list(best.values())
        quads = [tried[i][1] for i in chosen]
        return quads, [crops[i] for i in chosen], self._again(image, quads, [readings[i] for i in chosen])

    def _again(
        self, image: Image.Image, quads: Sequence[Quad], readings: Sequence[RecognizedLine]
    ) -> list[RecognizedLine]:
        """Return readings, of doubtful lines the better of two: the second is of a wider crop."""
        found = list(readings)
        doubtful = [n for n, line in enumerate(readings) if line.least < DOUBTFUL]
        second = self._reader.read([crop(image, quads[n], AGAIN) for n in doubtful])
        for n, other in zip(doubtful, second, strict=True):
            better, worse = (other, found[n]) if other.confidence > found[n].confidence else (found[n], other)
            said = {word.text for word in worse.words}
            words = [
                word if word.text in said else replace(word, confidence=ALONE * word.confidence)
                for word in better.words
            ]
            found[n] = replace(better, words=tuple(words))
        return found

    def _upside_down(self, image: Image.Image, quads: list[Quad]) -> bool:
        """Tell whether lines that run left to right stand on their head."""
        voters = sorted(quads, key=lambda corners: -extent(corners)[0])[:VOTERS]
        heads = [crop(image, corners) for corners in voters]
        heads = [head.crop((0, 0, min(head.width, HEAD), head.height)) for head in heads]
        if not heads or self._classifier.upside_down(heads) < DOUBT:
            return False
        # The classifier is wrong on one form in twenty. What can be read the other way round is the proof.
        as_given = self._reader.read(heads)
        on_head = self._reader.read([head.transpose(Image.Transpose.ROTATE_180) for head in heads])
        return sum(r.confidence for r in on_head) > sum(
            r.confidence for r in as_given
        ) + MORE_CONFIDENT * len(heads)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quad(box: Box, size: tuple[int, int]) -> Quad:
    """Return the corners, in pixels, of a line whose ink stands in a box, with the white that the networks
    expect."""
    margin = MARGIN * box.h * size[1]
    left, right = box.x * size[0] - margin, box.right * size[0] + margin
    top, bottom = box.y * size[1] - margin, box.bottom * size[1] + margin
    left, right = max(0.0, left), min(float(size[0]), right)
    top, bottom = max(0.0, top), min(float(size[1]), bottom)
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


def _box(corners: Quad, window: Window, size: tuple[int, int]) -> Box:
    """Return the upright box of a part of a line, in the unit square of an image of the given size."""
    left, top, right, bottom = window
    along, down = corners[1] - corners[0], corners[3] - corners[0]
    outline = np.array([corners[0] + along * x + down * y for x in (left, right) for y in (top, bottom)])
    (x0, y0), (x1, y1) = outline.min(0).tolist(), outline.max(0).tolist()
    return Box.from_pixels(x0, y0, x1, y1, width=size[0], height=size[1])
