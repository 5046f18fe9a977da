"""Rows of a page keep the order in which they are read."""

import pytest

from alma.datamodel.geometry import Box, Word
from alma.datamodel.pages import PageText, Track
from alma.extraction.page.layout import arrange


@pytest.mark.parametrize(
    ("from_left_to_right", "as_read"),
    [
        ("240.00 הכל סך", "סך הכל 240.00"),
        ("Cafe Ltd הנכבד לקוחנו לכבוד", "לכבוד לקוחנו הנכבד Cafe Ltd"),
        ("Cafe 24 Ltd הנכבד לקוחנו לכבוד", "לכבוד לקוחנו הנכבד Cafe 24 Ltd"),
        ("Total المجموع 240.00", "240.00 المجموع Total"),
        ("Invoice כהן דוד paid in full", "Invoice דוד כהן paid in full"),
        ("Total 240.00 EUR", "Total 240.00 EUR"),
    ],
)
def test_a_row_of_another_direction_is_in_the_order_of_reading(from_left_to_right: str, as_read: str) -> None:
    texts = from_left_to_right.split()
    words = tuple(Word(t, Box(0.1 + 0.1 * n, 0.1, 0.08, 0.01), 0) for n, t in enumerate(texts))
    layout = arrange(PageText(1, 600, 800, Track.TEXT, words))
    assert layout.text(*layout.rows[0]) == as_read


def test_words_read_from_right_to_left_stand_as_near_as_they_do() -> None:
    words = (Word("הכל", Box(0.50, 0.1, 0.08, 0.01), 0), Word("סך", Box(0.59, 0.1, 0.05, 0.01), 0))
    layout = arrange(PageText(1, 600, 800, Track.TEXT, words))
    assert layout.gap(0, 1) == pytest.approx(0.75)
    assert len(layout.cells) == 1
