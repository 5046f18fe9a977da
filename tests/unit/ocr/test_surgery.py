"""A network without its last layer, and that layer, say together what the network says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alma.ocr.recognizer import DETECTION, RECOGNITION
from alma.ocr.surgery import behead, linear
from alma.onnx_session import model_bytes, open_session


def test_a_recogniser_in_two_parts_gives_the_probabilities_of_the_whole(models_dir: Path) -> None:
    whole = model_bytes(models_dir / RECOGNITION)
    inputs = np.random.default_rng(4).uniform(-1, 1, (2, 3, 48, 96)).astype(np.float32)

    network = behead(whole)
    features = open_session(network.body, 1).run(None, {"x": inputs})[0]
    layer = open_session(linear(network.weights, network.bias), 1)
    logits = layer.run(None, {"x": features.reshape(-1, features.shape[-1])})[0]

    expected = open_session(whole, 1).run(None, {"x": inputs})[0]
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    assert expected.shape == (2, 12, 18710)
    assert network.weights.shape == (120, 18710)
    np.testing.assert_allclose(shares.reshape(expected.shape), expected, atol=1e-4)


def test_the_alphabet_of_a_recogniser_stays_with_its_body(models_dir: Path) -> None:
    network = behead(model_bytes(models_dir / RECOGNITION))

    kept = open_session(network.body, 1).get_modelmeta().custom_metadata_map["character"].split("\n")

    assert {"A", "z", "9", "€", "中"} <= set(kept)


def test_a_network_that_ends_in_something_else_is_refused(models_dir: Path) -> None:
    with pytest.raises(ValueError, match="ends in Sigmoid, not in MatMul, Add, Softmax"):
        behead(model_bytes(models_dir / DETECTION))
