"""The last layer of a recogniser, of which only a part is computed, says what all of it would say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from alma.ocr.head import Head
from alma.onnx_session import open_session
from scripts.split_recognizer import linear

#: Blank, A, B, two ideographs and the space; each is what one feature points at.
ALPHABET = ("", "A", "B", "\u4e2d", "\u56fd", " ")
WESTERN = np.array([0, 1, 2, 5])


@pytest.fixture(scope="module")
def head() -> Head:
    """A layer that passes its features on."""
    weights, bias = np.eye(6, dtype=np.float32), np.zeros(6, np.float32)
    western = linear(weights[:, WESTERN], bias[WESTERN], WESTERN.tolist())
    return Head(open_session(linear(weights, bias), 1), open_session(western, 1), 5)


def steps(*logits: tuple[float, ...]) -> NDArray[np.float32]:
    """Return steps with the given logits of the alphabet."""
    return np.array(logits, np.float32)


def test_the_likeliest_character_of_each_step_is_found_whatever_its_script(head: Head) -> None:
    guesses = head.guess(
        steps((0, 9, 0, 1, 0, 0), (1, 0, 0, 8, 0, 0), (9, 0, 0, 0, 1, 0), (0, 0, 3, 0, 7, 0))
    )

    assert [ALPHABET[index] for index in guesses.best] == ["A", "\u4e2d", "", "\u56fd"]
    assert [ALPHABET[index] for index in guesses.western] == ["A", "", "", "B"]


def test_probabilities_are_among_all_characters(head: Head) -> None:
    logits = steps((0, 4, 1, 3, 0, 2), (3, 0, 0, 2, 0, 2))

    guesses = head.guess(logits)

    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(guesses.probability, [shares[0, 1], shares[1, 0]], rtol=1e-5)
    np.testing.assert_allclose(guesses.western_probability, [shares[0, 1], shares[1, 0]], rtol=1e-5)
    np.testing.assert_allclose(guesses.space, shares[:, 5], rtol=1e-5)


def test_a_clear_blank_is_not_looked_at_a_second_time(head: Head) -> None:
    guesses = head.guess(steps((20, 0, 0, 5, 0, 0)))

    assert ALPHABET[guesses.best[0]] == ""
    assert guesses.probability[0] == pytest.approx(1.0)


def test_more_steps_than_are_computed_at_once_are_all_looked_at(head: Head) -> None:
    logits = np.zeros((1000, 6), np.float32)
    logits[np.arange(1000), np.arange(1000) % 6] = 9.0

    guesses = head.guess(logits)

    assert guesses.best.tolist() == [step % 6 for step in range(1000)]
