"""Recognition: what is drawn on a page is read where it stands, whichever way up the page is."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from alma.datamodel.geometry import Box, enclosing
from alma.datamodel.pages import PageText, Track
from alma.ocr import Recognizer

LINES = ("Deed of conveyance", "between Josiah Greaves", "and Winifred Holder", "for twelve acres")


@pytest.fixture(scope="module")
def recognizer(models_dir: Path) -> Recognizer:
    """One for all tests, as in a function."""
    return Recognizer(models_dir, side=960)


@cache
def page() -> Image.Image:
    """A page with four lines of 28 pixels."""
    image = Image.new("RGB", (800, 1000), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(LINES):
        draw.text((100, 150 + 120 * number), line, "black", ImageFont.load_default(28))
    return image


def said(text: PageText) -> list[str]:
    """Return the lines as text."""
    return [" ".join(word.text for word in line) for line in text.lines()]


def drawn(line: str, row: int) -> Box:
    """Return the place of a line of `page`."""
    left, top, right, bottom = ImageDraw.Draw(page()).textbbox(
        (100, 150 + 120 * row), line, ImageFont.load_default(28)
    )
    return Box.from_pixels(left, top, right, bottom, width=800, height=1000)


def test_lines_are_read_in_order_with_boxes_where_they_stand(recognizer: Recognizer) -> None:
    read = recognizer.read(page(), 3)

    assert said(read) == list(LINES)
    assert (read.page, read.track, read.turned, read.unreadable) == (3, Track.VISION, 0, 0)
    assert (read.width, read.height) == (800, 1000)
    for row, words in enumerate(read.lines()):
        assert enclosing(word.box for word in words).iou(drawn(LINES[row], row)) > 0.6
    assert all(word.confidence is not None and 0.5 < word.confidence <= 1 for word in read.words)


def test_each_word_has_a_box_of_its_own(recognizer: Recognizer) -> None:
    first = recognizer.read(page(), 1).lines()[0]

    assert [word.text for word in first] == ["Deed", "of", "conveyance"]
    for left, right in pairwise(first):
        assert left.box.right <= right.box.x + 0.005


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_turned_page_is_read_and_its_boxes_are_on_the_page_as_given(
    recognizer: Recognizer, turned: int
) -> None:
    given = page().rotate(turned, expand=True)  # counter-clockwise: turning it clockwise makes it upright

    read = recognizer.read(given, 1)

    assert said(read) == list(LINES)
    assert read.turned == turned
    assert (read.width, read.height) == given.size
    first = enclosing(word.box for word in read.lines()[0])
    assert first.turned(turned).iou(drawn(LINES[0], 0)) > 0.6


def test_what_stands_side_by_side_is_one_line(recognizer: Recognizer) -> None:
    image = Image.new("RGB", (800, 400), "white")
    draw = ImageDraw.Draw(image)
    for y, label, amount in ((100, "Net total", "596.65"), (200, "Gross total", "715.98")):
        draw.text((80, y), label, "black", ImageFont.load_default(28))
        draw.text((600, y), amount, "black", ImageFont.load_default(28))

    assert said(recognizer.read(image, 1)) == ["Net total 596.65", "Gross total 715.98"]


def test_a_digit_that_stands_alone_is_read_and_not_laid_on_its_side(recognizer: Recognizer) -> None:
    image = Image.new("RGB", (800, 400), "white")
    draw = ImageDraw.Draw(image)
    draw.text((80, 100), "Quantity", "black", ImageFont.load_default(28))
    draw.text((600, 100), "1", "black", ImageFont.load_default(28))

    assert said(recognizer.read(image, 1)) == ["Quantity 1"]


def test_text_that_runs_up_the_margin_is_read(recognizer: Recognizer) -> None:
    image = page().copy()
    note = Image.new("RGB", (300, 40), "white")
    ImageDraw.Draw(note).text((10, 2), "Recorded in book 4012", "black", ImageFont.load_default(26))
    image.paste(note.rotate(90, expand=True), (700, 600))

    read = recognizer.read(image, 1)

    assert read.turned == 0
    assert "Recorded in book 4012" in said(read)


def test_light_print_on_a_dark_ground_is_boxed_as_tightly_as_dark_print(recognizer: Recognizer) -> None:
    read = recognizer.read(ImageOps.invert(page()), 1)

    assert said(read) == list(LINES)
    assert enclosing(word.box for word in read.lines()[0]).iou(drawn(LINES[0], 0)) > 0.7


def test_a_line_that_cannot_be_read_is_counted_and_not_invented(recognizer: Recognizer) -> None:
    image = Image.new("RGB", (900, 240), "white")
    draw = ImageDraw.Draw(image)
    draw.text((60, 140), "Invoice number 4711", "black", ImageFont.load_default(28))
    for sign in range(20):  # of no script at all
        x = 60 + 24 * sign
        draw.arc((x, 50, x + 22, 78), 37 * sign, 37 * sign + 200, "black", 4)
        draw.line((x, 50 + sign % 5 * 6, x + 20, 78 - sign % 3 * 9), "black", 3)

    read = recognizer.read(image, 1)

    assert said(read) == ["Invoice number 4711"]
    assert read.unreadable == 1


def test_one_core_reads_what_two_read(models_dir: Path) -> None:
    alone, together = (Recognizer(models_dir, threads, side=960).read(page(), 1) for threads in (1, 2))

    assert said(alone) == list(LINES)
    assert [(word.text, word.box) for word in alone.words] == [
        (word.text, word.box) for word in together.words
    ]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "I;16"])
def test_images_of_every_mode_are_read(recognizer: Recognizer, mode: str) -> None:
    if mode == "I;16":
        image = Image.new("I;16", (800, 1000), 65535)
        image.paste(
            0, mask=page().convert("L").point(lambda v: 255 - v).point(lambda v: 255 if v > 127 else 0)
        )
    else:
        image = page().convert(mode)

    assert said(recognizer.read(image, 1)) == list(LINES)


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3), (640, 480)])
def test_a_page_without_text_gives_no_words(recognizer: Recognizer, size: tuple[int, int]) -> None:
    read = recognizer.read(Image.new("RGB", size, "white"), 1)

    assert (read.words, read.unreadable) == ((), 0)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"PP-OCRv6_det_small\.onnx is missing"):
        Recognizer(tmp_path)


def test_a_faint_line_is_read_with_what_is_likely_to_be_written(recognizer: Recognizer) -> None:
    small = page().resize((200, 250), Image.Resampling.BILINEAR)

    assert said(recognizer.read(small.resize((800, 1000)), 1))[0] == "Deed of conveyance"
