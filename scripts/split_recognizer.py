"""The recogniser without its last layer, and that layer: three ONNX files of one.

A recogniser ends in softmax(x W + b) over 18,710 classes. `alma.ocr.head` computes that layer only where a
character stands, and only its western part everywhere else, so it needs them apart. `scripts/fetch_models.py`
splits the file once, when it is fetched; the parts say together what the whole says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from alma.ocr.alphabet import CLASSES, alphabet_of, is_western

#: What a classifying network ends in. An Identity in between does nothing.
LAST_LAYER = ("MatMul", "Add", "Softmax")
OPSET, IR_VERSION = 11, 8

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SplitNetwork:
    """A network without its last layer, and that layer."""

    body: bytes
    """An ONNX file whose output is the last layer's input; its metadata is the network's."""
    weights: Array
    """Shape (features, classes)."""
    bias: Array
    """Shape (classes,)."""


def parts(model: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the ONNX files of a recogniser's body, of its last layer, and of that layer's western part."""
    network = split_head(model)
    metadata = {entry.key: entry.value for entry in onnx.load_from_string(network.body).metadata_props}
    western = [index for index, character in enumerate(alphabet_of(metadata)) if is_western(character)]
    return (
        network.body,
        linear(network.weights, network.bias),
        linear(network.weights[:, western], network.bias[western], western),
    )


def split_head(model: bytes) -> SplitNetwork:
    """Return a network split before its last layer, softmax(x W + b).

    Raises
    ------
    ValueError
        The network ends in something else.
    """
    loaded = onnx.load_from_string(model)
    graph = loaded.graph
    tail = _last_layer(loaded)
    product, addition = (next(n for n in tail if n.op_type == kind) for kind in ("MatMul", "Add"))
    tensors = {each.name: each for each in graph.initializer}
    weights, bias = tensors[product.input[1]], tensors[addition.input[1]]
    for node in tail:
        graph.node.remove(node)
    for tensor in (weights, bias):
        graph.initializer.remove(tensor)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(product.input[0], TensorProto.FLOAT, None))
    return SplitNetwork(_bytes(loaded), numpy_helper.to_array(weights), numpy_helper.to_array(bias))


def linear(weights: Array, bias: Array, classes: Sequence[int] | None = None) -> bytes:
    """Return an ONNX file of one layer: x (n, features) -> y (n, classes) = x W + b.

    Parameters
    ----------
    weights, bias : ndarray of float32
        Shapes (features, classes) and (classes,).
    classes : sequence of int, optional
        Which classes of a larger layer these are, kept in the metadata.
    """
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "weights", "bias"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.ascontiguousarray(weights), "weights"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    if classes is not None:
        helper.set_model_props(model, {CLASSES: " ".join(map(str, classes))})
    return _bytes(model)


def _last_layer(model: ModelProto) -> list[NodeProto]:
    """Return the nodes of the last layer, from the output upwards, an Identity between them included."""
    makers = {output: node for node in model.graph.node for output in node.output}
    wanted = list(LAST_LAYER)
    found: list[NodeProto] = []
    tensor = model.graph.output[0].name
    while wanted:
        node = makers[tensor]
        if node.op_type == wanted[-1]:
            wanted.pop()
        elif node.op_type != "Identity":
            raise ValueError(f"The network ends in {node.op_type}, not in {', '.join(LAST_LAYER)}.")
        found.append(node)
        tensor = node.input[0]
    return found


def _bytes(model: ModelProto) -> bytes:
    return bytes(model.SerializeToString(deterministic=True))
