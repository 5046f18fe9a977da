"""The language model: what is likely to be written, and how a beam search follows it."""

from __future__ import annotations

import numpy as np

from alma.ocr.beam_search import search
from alma.ocr.language_model import LanguageModel, counted, shipped_language_model

ALPHABET = ["", *"JALNMU0123456789 I"]


def seen(*steps: dict[str, float]) -> np.ndarray:
    """Return logarithms of probabilities, a blank after every character."""
    rows = np.full((2 * len(steps), len(ALPHABET)), 1e-6, np.float32)
    rows[1::2, 0] = 1.0
    for row, chances in enumerate(steps):
        for character, chance in chances.items():
            rows[2 * row, ALPHABET.index(character)] = chance
    return np.log(rows)


def found(*steps: dict[str, float]) -> str:
    """Return what a line is read as by a model of one word."""
    chances = seen(*steps)
    model = LanguageModel(counted(["JALAN 5"] * 20))
    columns, _ = search(chances, np.zeros(len(chances), bool), ALPHABET, model)
    return "".join(ALPHABET[column] for column in columns)


def test_a_letter_that_the_network_doubts_is_the_one_that_makes_a_word() -> None:
    assert found({"J": 1}, {"A": 1}, {"L": 1}, {"A": 1}, {"M": 0.55, "N": 0.45}) == "JALAN"


def test_a_letter_that_the_network_is_sure_of_stays() -> None:
    assert found({"J": 1}, {"A": 1}, {"L": 1}, {"A": 1}, {"M": 1}) == "JALAM"


def test_a_digit_behind_a_letter_may_be_a_letter() -> None:
    assert found({"J": 1}, {"A": 1}, {"1": 0.6, "L": 0.4}, {"A": 1}, {"N": 1}) == "JALAN"


def test_digits_are_never_exchanged() -> None:
    assert found({"5": 0.45, "6": 0.55}, {"0": 0.5, "N": 0.45}) == "60"


def test_characters_are_placed_at_the_steps_where_they_begin() -> None:
    chances = seen({"J": 1}, {"A": 1}, {"L": 1})

    assert search(chances, np.zeros(6, bool), ALPHABET, LanguageModel({})) == ([1, 2, 3], [0, 2, 4])


def test_the_shipped_model_knows_addresses_and_prose_whatever_their_case() -> None:
    model = shipped_language_model()

    assert model.log_probability("n", "jala") > model.log_probability("m", "jala") + 2
    assert model.log_probability("N", "JALA") == model.log_probability("n", "jala")
    assert model.log_probability("t", "agreemen") > model.log_probability("l", "agreemen") + 2
