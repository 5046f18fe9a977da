"""A model of your own, trained on your machine: from a pulled data set to an ONNX file to register.

    alma dataset pull data --type receipt --no-images
    python -m examples.own_model data/receipt.jsonl receipts.onnx
    alma model register receipts.onnx --name "Our receipts" --type receipt --wait

The model is as simple as a scorer can be: logistic regression on the dense features, with weights that all
fields share and some for each field. Put anything in its place that computes `logits` from the same inputs;
what such a file must be is in docs/models.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from alma.datamodel.examples import LabelledDocument, read_folder
from alma.datamodel.schemas import DocumentSchema
from alma.extraction.resolve import layouts_by_track
from alma.extraction.scoring.features import BUCKETS, DENSE, TOKENS
from alma.extraction.scoring.track_candidates import candidates_by_track
from alma.extraction.values.names import value_of
from alma.extraction.values.text import comparison_key

Floats = NDArray[np.float32]

STEPS = 200
RATE = 0.05
#: How strongly weights are held at zero: shared ones, and those of a field.
DECAY, OWN_DECAY = 1e-3, 1e-2


def samples(
    schema: DocumentSchema, documents: Sequence[LabelledDocument]
) -> Iterator[tuple[Floats, int, NDArray[np.bool_]]]:
    """Yield, by document, track and field: features of its candidates, its number, which are right."""
    for document in documents:
        for track in candidates_by_track(layouts_by_track(document.pages), schema).values():
            for number, field in enumerate(schema.fields, 1):
                said = {comparison_key(e.text) for e in document.examples if e.field_key == field.key}
                found = track.by_field[field.key]
                # Where nobody said what the field is, no candidate is known to be wrong.
                if found and (said or document.complete):
                    right = [comparison_key(value_of(field, each.value)) in said for each in found]
                    yield track.features(field)[0], number, np.array(right)


def train(schema: DocumentSchema, documents: Sequence[LabelledDocument]) -> bytes:
    """Return the ONNX file of a scorer.

    Raises
    ------
    ValueError
        No candidate of any document is right: there is nothing to learn.
    """
    known = list(samples(schema, documents))
    if not any(right.any() for _, _, right in known):
        raise ValueError("None of the labelled values is a candidate on its page.")
    dense = np.concatenate([each for each, _, _ in known])
    field = np.concatenate([np.full(len(each), number) for each, number, _ in known])
    right = np.concatenate([each for _, _, each in known]).astype(np.float32)
    # Each field of each document counts the same, and so do its right and its wrong candidates.
    share = np.concatenate(
        [np.where(r, 1 / max(r.sum(), 1), 1 / max((~r).sum(), 1)) for _, _, r in known]
    ).astype(np.float32) / len(known)
    mean, scale = dense.mean(axis=0), 1 / np.maximum(dense.std(axis=0), 0.05)
    x = np.clip((dense - mean) * scale, -5, 5)
    fields = len(schema.fields) + 1
    is_field = np.eye(fields, dtype=np.float32)[field]
    weights: list[Floats] = [
        np.zeros(size, np.float32) for size in ((1, len(DENSE)), (fields, len(DENSE)), (fields, 1))
    ]
    first, second = ([np.zeros_like(w) for w in weights] for _ in range(2))
    for step in range(1, STEPS + 1):
        together, own, bias = weights
        logits = (x * (together + own[field])).sum(axis=1) + bias[field, 0]
        slope = share * (1 / (1 + np.exp(-logits)) - right)
        per_field = is_field.T @ (slope[:, None] * x)
        slopes = (
            per_field.sum(axis=0, keepdims=True) + DECAY * together,
            per_field + OWN_DECAY * own,
            is_field.T @ slope[:, None],
        )
        for n, each in enumerate(slopes):  # Adam
            first[n] += 0.1 * (each - first[n])
            second[n] += 0.01 * (each**2 - second[n])
            moved = first[n] / (1 - 0.9**step)
            weights[n] = weights[n] - RATE * moved / (np.sqrt(second[n] / (1 - 0.99**step)) + 1e-8)
    together, own, bias = weights
    return write(schema, mean, scale, together + own, bias)


def write(schema: DocumentSchema, mean: Floats, scale: Floats, weights: Floats, bias: Floats) -> bytes:
    """Return `sum(clip((dense - mean) * scale) * weights[field]) + bias[field]` as an ONNX file."""
    nodes = [
        helper.make_node("Sub", ["dense", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["x"]),
        helper.make_node("Gather", ["weights", "field"], ["w"]),
        helper.make_node("Mul", ["x", "w"], ["products"]),
        helper.make_node("ReduceSum", ["products", "columns"], ["sum"], keepdims=1),
        helper.make_node("Gather", ["bias", "field"], ["b"]),
        helper.make_node("Add", ["sum", "b"], ["logits"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "mean": mean,
        "scale": scale.astype(np.float32),
        "low": np.array(-5, np.float32),
        "high": np.array(5, np.float32),
        "weights": weights,
        "bias": bias,
        "columns": np.array([1], np.int64),
    }
    graph = helper.make_graph(
        nodes,
        "own_model",
        [
            helper.make_tensor_value_info("dense", TensorProto.FLOAT, ["N", len(DENSE)]),
            helper.make_tensor_value_info("tokens", TensorProto.INT64, ["N", TOKENS]),
            helper.make_tensor_value_info("field", TensorProto.INT64, ["N"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    about = {
        "name": "own model",
        "doc_type": schema.doc_type,
        "fields": [f"{schema.doc_type}.{field.key}" for field in schema.fields],
        "dense": DENSE,
        "tokens": TOKENS,
        "buckets": BUCKETS,
    }
    helper.set_model_props(model, {"alma": json.dumps(about)})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def main() -> None:
    """Train a model on a pulled data set."""
    parser = argparse.ArgumentParser(description="Train a scorer on a pulled data set.")
    parser.add_argument("lines", type=Path, help="the TYPE.jsonl that `alma dataset pull` wrote")
    parser.add_argument("model", type=Path, help="the ONNX file to write")
    asked = parser.parse_args()
    schema, documents = read_folder(asked.lines)
    asked.model.write_bytes(train(schema, documents))
    print(f"{asked.model}: {len(documents)} documents of the type {schema.doc_type}")


if __name__ == "__main__":
    main()
