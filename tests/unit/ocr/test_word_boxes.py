"""Boxes as tight as a reader would draw them."""

import pytest
from PIL import Image, ImageDraw

from alma.ocr.word_boxes import tight


def line(rule: tuple[int, int] | None = None) -> Image.Image:
    """Return 400 by 60 pixels: four letters in the rows 20 to 39, perhaps a rule in the rows 48 and 49."""
    image = Image.new("L", (400, 60), 255)
    draw = ImageDraw.Draw(image)
    for left in (40, 60, 80, 100):
        draw.rectangle((left, 20, left + 6, 39), fill=0)
    if rule:
        draw.rectangle((rule[0], 48, rule[1], 49), fill=0)
    return image


@pytest.mark.parametrize("rule", [None, (0, 399), (30, 290), (30, 220)], ids=["none", "all", "most", "half"])
def test_a_rule_under_a_line_is_not_its_text(rule: tuple[int, int] | None) -> None:
    (window,) = tight(line(rule), [(0.1, 0.3)])
    left, top, right, bottom = window
    assert top * 60 == pytest.approx(20, abs=2)
    assert bottom * 60 == pytest.approx(40, abs=2)
    if rule is None:
        assert left * 400 == pytest.approx(40, abs=2)
        assert right * 400 == pytest.approx(107, abs=2)
