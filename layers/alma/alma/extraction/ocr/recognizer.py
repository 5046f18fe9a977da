"""The words of a page image."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from alma.evidence import Box, Word
from alma.extraction.ocr.crops import crop, is_tall, standing
from alma.extraction.ocr.detection import Detector
from alma.extraction.ocr.geometry import Quad, extent
from alma.extraction.ocr.image import working_image
from alma.extraction.ocr.layout import lines
from alma.extraction.ocr.orientation import Classifier, sideways
from alma.extraction.ocr.recognition import LineReader, Reading
from alma.pages import PageText, Track

DETECTION = "PP-OCRv6_det_small.onnx"
RECOGNITION = "PP-OCRv6_rec_small.onnx"
ORIENTATION = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"

#: Mean confidence below which a line counts as unreadable rather than as text.
READABLE = 0.5
#: Lines that vote on which way is up.
VOTERS = 12


class Recognizer:
    """Reads page images. Make one per process: opening the networks takes about 0.2 s.

    Parameters
    ----------
    models : Path
        Folder with the ONNX files of `scripts/fetch_models.py`.
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
        self._reader = LineReader(models / RECOGNITION, count)
        self._classifier = Classifier(models / ORIENTATION, count)
        self._side = side

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
        readings = self._reader.read([crop(upright, corners) for corners in quads])
        kept = [index for index, reading in enumerate(readings) if reading.confidence >= READABLE]
        words: list[Word] = []
        for number, members in enumerate(lines([quads[index] for index in kept])):
            for member in members:
                index = kept[member]
                words += _words(quads[index], readings[index], number, upright.size, turned)
        unreadable = len(readings) - len(kept)
        return PageText(page, *given, Track.VISION, tuple(words), turned, unreadable)

    def _upright(self, image: Image.Image) -> tuple[Image.Image, int, list[Quad]]:
        """Return the image turned upright, the degrees clockwise that took, and its lines."""
        turned = 0
        quads = self._detector.find(image)
        if sideways(quads):
            turned = 90
            image = image.transpose(Image.Transpose.ROTATE_270)
            quads = self._detector.find(image)
        voters = sorted(quads, key=lambda corners: -extent(corners)[0])[:VOTERS]
        if voters and self._classifier.upside_down([crop(image, corners) for corners in voters]) > 0.5:
            turned += 180
            image = image.transpose(Image.Transpose.ROTATE_180)
            quads = [np.array(image.size) - corners for corners in quads]
        return image, turned, [standing(corners) if is_tall(corners) else corners for corners in quads]


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _words(corners: Quad, reading: Reading, line: int, size: tuple[int, int], turned: int) -> list[Word]:
    """Return the words of a line, in the unit square of the page before it was turned."""
    along, down = corners[1] - corners[0], corners[3] - corners[0]
    words = []
    for word in reading.words:
        start, end = corners[0] + along * word.start, corners[0] + along * word.end
        outline = np.array([start, end, start + down, end + down])
        (left, top), (right, bottom) = outline.min(0), outline.max(0)
        box = Box.from_pixels(left, top, right, bottom, width=size[0], height=size[1])
        words.append(Word(word.text, box.turned(-turned), line, word.confidence))
    return words
