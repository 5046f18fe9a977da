"""A network taken off its last layer, on the bytes of its ONNX file.

An ONNX file is a protocol buffer: fields of a number and bytes, the graph one of them. Only a dozen fields
are touched here, and the package that knows them all is larger than both networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Numbers of fields, from onnx.proto.
IR_VERSION, GRAPH, OPSET = 1, 7, 8
NODE, INITIALIZER, INPUT, OUTPUT = 1, 5, 11, 12
NODE_INPUT, NODE_OUTPUT, NODE_TYPE = 1, 2, 4
DIMENSIONS, DATA_TYPE, TENSOR_NAME, RAW_DATA = 1, 2, 8, 9
VALUE_NAME, VALUE_TYPE, TENSOR_TYPE, ELEMENT_TYPE = 1, 2, 1, 1
OPSET_VERSION = 2
#: The number of float32 among the types of elements.
FLOAT = 1
#: What a classifying network ends in. An Identity in between does nothing.
LAST_LAYER = ("MatMul", "Add", "Softmax")


@dataclass(frozen=True, slots=True)
class Network:
    """A network without its last layer, and that layer.

    Attributes
    ----------
    body : bytes
        An ONNX file whose output is the last layer's input.
    weights : ndarray of float32, shape (features, classes)
    bias : ndarray of float32, shape (classes,)
    """

    body: bytes
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


def behead(model: bytes) -> Network:
    """Return a network taken off its last layer, softmax(x W + b).

    Raises
    ------
    ValueError
        The network ends in something else.
    """
    graph = list(_fields(next(body for number, _, body in _fields(memoryview(model)) if number == GRAPH)))
    nodes = [place for place, (number, _, _) in enumerate(graph) if number == NODE]
    dropped: list[int] = []
    inputs: dict[str, list[str]] = {}
    for place in reversed(nodes):
        node = list(_fields(graph[place][2]))
        kind = next(_text(body) for number, _, body in node if number == NODE_TYPE)
        if kind != "Identity":
            if kind != LAST_LAYER[-1 - len(inputs)]:
                raise ValueError(f"The network ends in {kind}, not in {', '.join(LAST_LAYER)}.")
            inputs[kind] = [_text(body) for number, _, body in node if number == NODE_INPUT]
        dropped.append(place)
        if kind == LAST_LAYER[0]:
            break
    features, weights = inputs["MatMul"]
    bias = inputs["Add"][1]
    tensors: dict[str, NDArray[np.float32]] = {}
    kept: list[bytes] = []
    for place, (number, raw, body) in enumerate(graph):
        if number == INITIALIZER:
            name = next(_text(part) for field, _, part in _fields(body) if field == TENSOR_NAME)
            if name in (weights, bias):
                tensors[name] = _tensor(body)
                continue
        if number != OUTPUT and place not in dropped:
            kept.append(bytes(raw))
    kept.append(_bytes(OUTPUT, _value(features)))
    outside = [bytes(raw) for number, raw, _ in _fields(memoryview(model)) if number != GRAPH]
    return Network(b"".join([*outside, _bytes(GRAPH, b"".join(kept))]), tensors[weights], tensors[bias])


def linear(weights: NDArray[np.float32], bias: NDArray[np.float32]) -> bytes:
    """Return an ONNX file of one layer: x (n, features) -> y (n, classes) = x W + b."""
    node = b"".join(
        [
            *(_bytes(NODE_INPUT, name) for name in (b"x", b"weights", b"bias")),
            _bytes(NODE_OUTPUT, b"y"),
            _bytes(NODE_TYPE, b"Gemm"),
        ]
    )
    graph = b"".join(
        [
            _bytes(NODE, node),
            _bytes(INITIALIZER, _initializer("weights", weights)),
            _bytes(INITIALIZER, _initializer("bias", bias)),
            _bytes(INPUT, _value("x")),
            _bytes(OUTPUT, _value("y")),
        ]
    )
    return _number(IR_VERSION, 8) + _bytes(OPSET, _number(OPSET_VERSION, 11)) + _bytes(GRAPH, graph)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yield number, raw bytes and content of every field of a message; numbers have no content."""
    at = 0
    while at < len(message):
        start = at
        key, at = _varint(message, at)
        length = 0
        if key & 7 == 2:
            length, at = _varint(message, at)
        elif key & 7 == 0:
            _, at = _varint(message, at)
        else:
            at += 8 if key & 7 == 1 else 4
        yield key >> 3, message[start : at + length], message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the number of variable length that begins at a place, and the place after it."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _tensor(message: memoryview) -> NDArray[np.float32]:
    shape = [_varint(raw, 1)[0] for number, raw, _ in _fields(message) if number == DIMENSIONS]
    data = next(body for number, _, body in _fields(message) if number == RAW_DATA)
    return np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)


def _text(content: memoryview) -> str:
    return bytes(content).decode()


def _encoded(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def _number(field: int, value: int) -> bytes:
    return _encoded(field << 3) + _encoded(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _encoded(field << 3 | 2) + _encoded(len(content)) + content


def _value(name: str) -> bytes:
    """Return the description of an input or output of floats, of whatever shape."""
    kind = _bytes(TENSOR_TYPE, _number(ELEMENT_TYPE, FLOAT))
    return _bytes(VALUE_NAME, name.encode()) + _bytes(VALUE_TYPE, kind)


def _initializer(name: str, values: NDArray[np.float32]) -> bytes:
    shape = b"".join(_number(DIMENSIONS, size) for size in values.shape)
    data = np.ascontiguousarray(values, "<f4").tobytes()
    return shape + _number(DATA_TYPE, FLOAT) + _bytes(TENSOR_NAME, name.encode()) + _bytes(RAW_DATA, data)
