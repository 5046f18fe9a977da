"""A network without its last layer, and that layer, say together what the network says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alma.ocr.line_reader import BODY, HEAD, WESTERN_HEAD
from alma.ocr.page_reader import DETECTION
from alma.onnx_session import model_bytes, open_session
from scripts.fetch_models import RECOGNIZER
from scripts.split_recognizer import parts, split_head


def test_a_recogniser_in_two_parts_gives_the_probabilities_of_the_whole(models_dir: Path) -> None:
    whole = model_bytes(models_dir / RECOGNIZER)
    inputs = np.random.default_rng(4).uniform(-1, 1, (2, 3, 48, 96)).astype(np.float32)

    body, layer, western_layer = (
        open_session(model_bytes(models_dir / name), 1) for name in (BODY, HEAD, WESTERN_HEAD)
    )
    features = body.run(None, {"x": inputs})[0]
    flat = features.reshape(-1, features.shape[-1])
    logits = layer.run(None, {"x": flat})[0]

    expected = open_session(whole, 1).run(None, {"x": inputs})[0]
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    assert expected.shape == (2, 12, 18710)
    assert split_head(whole).weights.shape == (120, 18710)
    np.testing.assert_allclose(shares.reshape(expected.shape), expected, atol=1e-4)

    classes = [int(n) for n in western_layer.get_modelmeta().custom_metadata_map["classes"].split()]
    np.testing.assert_allclose(western_layer.run(None, {"x": flat})[0], logits[:, classes], atol=1e-4)


def test_the_alphabet_of_a_recogniser_stays_with_its_body(models_dir: Path) -> None:
    network = split_head(model_bytes(models_dir / RECOGNIZER))

    kept = open_session(network.body, 1).get_modelmeta().custom_metadata_map["character"].split("\n")

    assert {"A", "z", "9", "€", "中"} <= set(kept)


def test_a_network_that_ends_in_something_else_is_refused(models_dir: Path) -> None:
    with pytest.raises(ValueError, match="ends in Sigmoid, not in MatMul, Add, Softmax"):
        split_head(model_bytes(models_dir / DETECTION))


def test_the_same_recogniser_splits_into_the_same_files(models_dir: Path) -> None:
    whole = model_bytes(models_dir / RECOGNIZER)

    assert parts(whole) == tuple(model_bytes(models_dir / name) for name in (BODY, HEAD, WESTERN_HEAD))
