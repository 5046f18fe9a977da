"""The file of a scorer: an ensemble's weights written as ONNX, and read back to be trained further.

Needs the package `onnx`, which only the training layer brings: what runs a model
(`alma.extraction.scoring.scorer`) opens the file with ONNX Runtime and has no need of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from alma.extraction.scoring.features import BUCKETS, DENSE, TOKENS

#: Buckets of the weights a field has for itself, and what mixes token and field into one of them.
OWN_BUCKETS = 1 << 17
TOKEN_FACTOR, FIELD_FACTOR = 31, 7919
#: What a member is made of.
WEIGHTS = (
    "mean", "scale", "embedding", "own", "field", "skip", "bias", "w1", "b1", "w2", "b2", "w3", "b3",
)  # fmt: skip
#: Tables of tokens: most of the file, and half precision is enough for them.
HALF_PRECISION = frozenset({"embedding", "own"})
OPSET, IR_VERSION = 17, 8

Weights = dict[str, NDArray[np.float32]]


def own_buckets(tokens: NDArray[np.int64], field: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bucket of a field's own weight for each token: (N, T) tokens and (N,) fields to (N, T)."""
    return (tokens * TOKEN_FACTOR + field[:, None] * FIELD_FACTOR) % OWN_BUCKETS


def write_model(weights: Sequence[Mapping[str, NDArray[np.float32]]], about: Mapping[str, Any]) -> bytes:
    """Return the ONNX file of an ensemble; the same weights give the same bytes.

    Parameters
    ----------
    weights : sequence of mapping
        One a member: `mean`, `scale` (D,), `embedding` (BUCKETS, E), `own` (OWN_BUCKETS, 1), `field` (F, G),
        `skip` (F, D), `bias` (F, 1), and `w1`, `b1`, `w2`, `b2`, `w3`, `b3` of the hidden layers.
    about : mapping
        Metadata: `fields`, and what the model was trained on.
    """
    network = _Network()
    network.node("Concat", [network.member(n, each) for n, each in enumerate(weights)], "logits", axis=1)
    graph = helper.make_graph(
        network.nodes,
        "alma",
        [
            helper.make_tensor_value_info("dense", TensorProto.FLOAT, ["N", len(DENSE)]),
            helper.make_tensor_value_info("tokens", TensorProto.INT64, ["N", TOKENS]),
            helper.make_tensor_value_info("field", TensorProto.INT64, ["N"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(weights)])],
        list(network.constants.values()),
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="alma"
    )
    helper.set_model_props(
        model,
        {
            "alma": json.dumps(
                {**about, "dense": list(DENSE), "tokens": TOKENS, "buckets": BUCKETS}, sort_keys=True
            )
        },
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def read_model(model: bytes) -> tuple[list[Weights], dict[str, Any]]:
    """Return the weights of each member as `write_model` took them, and the metadata.

    There are no members in a network that was built otherwise.

    Raises
    ------
    ValueError
        It is no ONNX file.
    """
    try:
        loaded = onnx.load_from_string(model)
    except DecodeError as error:
        raise ValueError("the model is no ONNX file") from error
    about = json.loads({p.key: p.value for p in loaded.metadata_props}.get("alma", "{}"))
    constants = {each.name: each for each in loaded.graph.initializer}
    members: list[Weights] = []
    while all(f"{name}_{len(members)}" in constants for name in WEIGHTS):
        n = len(members)
        members.append(
            {name: numpy_helper.to_array(constants[f"{name}_{n}"]).astype(np.float32) for name in WEIGHTS}
        )
    return members, about


class _Network:
    """The graph of an ensemble, being built: nodes in order, constants by name.

    Its formula is that of `alma.learning.scorer_training`.
    """

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self._one_axis = self.constant("axis_1", np.array([1], np.int64))
        self._mask = self._present_tokens()
        self._own_bucket = self._own_buckets()

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant; return its name."""
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def member(self, n: int, w: Mapping[str, NDArray[np.float32]]) -> str:
        """Add member number `n`; return its output, logits (N, 1)."""
        node = self.node

        def weight(name: str) -> str:
            kind = np.float16 if name in HALF_PRECISION else np.float32
            return self.constant(f"{name}_{n}", w[name].astype(kind))

        x = node("Mul", [node("Sub", ["dense", weight("mean")], f"c{n}"), weight("scale")], f"s{n}")
        x = node("Clip", [x, self._scalar(f"lo{n}", -5), self._scalar(f"hi{n}", 5)], f"x{n}")
        gathered = self._gather_half(weight("embedding"), "tokens", f"g{n}", f"gf{n}")
        summed = self._sum_present(gathered, f"gm{n}", f"gs{n}")
        text = node("Tanh", [node("Mul", [summed, self._scalar(f"q{n}", 0.25)], f"gq{n}")], f"text{n}")
        single = self._gather_half(weight("own"), self._own_bucket, f"o{n}", f"of{n}")
        own = self._sum_present(single, f"om{n}", f"os{n}")
        h = node("Concat", [x, text, node("Gather", [weight("field"), "field"], f"fe{n}")], f"h{n}", axis=1)
        h = node("Relu", [node("Gemm", [h, weight("w1"), weight("b1")], f"l1{n}", transB=1)], f"r1{n}")
        h = node("Relu", [node("Gemm", [h, weight("w2"), weight("b2")], f"l2{n}", transB=1)], f"r2{n}")
        deep = node("Gemm", [h, weight("w3"), weight("b3")], f"l3{n}", transB=1)
        skip = node(
            "ReduceSum",
            [node("Mul", [node("Gather", [weight("skip"), "field"], f"k{n}"), x], f"kx{n}"), self._one_axis],
            f"ks{n}",
            keepdims=1,
        )
        bias = node("Gather", [weight("bias"), "field"], f"bf{n}")
        return node("Sum", [deep, own, skip, bias], f"logit{n}")

    def _present_tokens(self) -> str:
        """Add the mask of tokens that are there, (N, T, 1)."""
        zero = self.constant("zero", np.array(0, np.int64))
        is_token = self.node("Greater", ["tokens", zero], "is_token")
        present = self.node("Cast", [is_token], "present", to=TensorProto.FLOAT)
        return self.node("Unsqueeze", [present, self.constant("axis_2", np.array([2], np.int64))], "mask")

    def _own_buckets(self) -> str:
        """Add what `own_buckets` computes, (N, T)."""
        column = self.node("Unsqueeze", ["field", self._one_axis], "field_column")
        token = self.node("Mul", ["tokens", self.constant("m1", np.array(TOKEN_FACTOR, np.int64))], "t31")
        field = self.node("Mul", [column, self.constant("m2", np.array(FIELD_FACTOR, np.int64))], "f7919")
        mixed = self.node("Add", [token, field], "mixed_sum")
        buckets = self.constant("own_buckets", np.array(OWN_BUCKETS, np.int64))
        return self.node("Mod", [mixed, buckets], "own_bucket")

    def _scalar(self, name: str, value: float) -> str:
        return self.constant(name, np.array(value, np.float32))

    def _gather_half(self, table: str, ids: str, gathered: str, output: str) -> str:
        """Add the rows of a table in half precision, as floats."""
        return self.node("Cast", [self.node("Gather", [table, ids], gathered)], output, to=TensorProto.FLOAT)

    def _sum_present(self, each: str, masked: str, output: str) -> str:
        """Add the sum over the tokens that are there: (N, T, E) to (N, E)."""
        masked = self.node("Mul", [each, self._mask], masked)
        return self.node("ReduceSum", [masked, self._one_axis], output, keepdims=0)
