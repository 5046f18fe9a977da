"""ONNX files of scorers, good and hostile, as an organisation might upload them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from alma.extraction.scoring.features import BUCKETS, DENSE, TOKENS

FIELDS = ("receipt.company", "receipt.address", "receipt.date", "receipt.total")


def votes_for_rules(members: int = 2) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return weights that believe what the rules say."""
    weights = np.zeros((len(DENSE), members), np.float32)
    weights[DENSE.index("score_best")] = 4.0
    weights[DENSE.index("score_lead")] = 2.0
    return weights


def nodes_and_weights(
    weights: np.ndarray[Any, Any] | None = None,
) -> tuple[list[NodeProto], list[TensorProto]]:
    """Return a linear scorer: `logits = dense @ w - 3`."""
    nodes = [helper.make_node("Gemm", ["dense", "w", "b"], ["logits"])]
    w = votes_for_rules() if weights is None else weights
    bias = np.full(w.shape[1], -3, np.float32)
    return nodes, [numpy_helper.from_array(w, "w"), numpy_helper.from_array(bias, "b")]


def scorer(
    nodes: Sequence[NodeProto] | None = None,
    constants: Sequence[TensorProto] = (),
    *,
    inputs: Sequence[Any] | None = None,
    outputs: Sequence[Any] | None = None,
    opset: int = 17,
    domains: Sequence[Any] = (),
    about: dict[str, Any] | None = None,
    metadata: str | None = "",
    functions: Sequence[Any] = (),
    producer: str | None = None,
) -> bytes:
    """Return a scorer that meets the contract but for what is given."""
    if nodes is None:
        nodes, constants = nodes_and_weights()
    graph = helper.make_graph(
        list(nodes),
        "scorer",
        inputs
        or [
            helper.make_tensor_value_info("dense", TensorProto.FLOAT, ["N", len(DENSE)]),
            helper.make_tensor_value_info("tokens", TensorProto.INT64, ["N", TOKENS]),
            helper.make_tensor_value_info("field", TensorProto.INT64, ["N"]),
        ],
        outputs or [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", None])],
        list(constants),
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset), *domains],
        ir_version=8,
        functions=list(functions),
        **({} if producer is None else {"producer_name": producer}),
    )
    described = {
        "doc_type": "receipt",
        "fields": FIELDS,
        "dense": DENSE,
        "tokens": TOKENS,
        "buckets": BUCKETS,
        **(about or {}),
    }
    if metadata is not None:
        helper.set_model_props(model, {"alma": metadata or json.dumps(described)})
    return bytes(model.SerializeToString())


def loop() -> bytes:
    """Return a scorer that repeats itself for ever."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Identity", ["x"], ["y"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", len(DENSE)]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", len(DENSE)]),
        ],
    )
    nodes, constants = nodes_and_weights()
    nodes[0].input[0] = "looped"
    turn = helper.make_node("Loop", ["", "true", "dense"], ["looped"], body=body)
    return scorer([turn, *nodes], [*constants, numpy_helper.from_array(np.array(True), "true")])


def external() -> bytes:
    """Return a scorer whose weights are in a file of the machine that runs it."""
    model = onnx.ModelProto.FromString(scorer())
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../../proc/self/environ")
    return bytes(model.SerializeToString())


def of_a_domain_of_its_own() -> bytes:
    """Return a scorer of operators nobody else has."""
    nodes = [helper.make_node("Steal", ["dense"], ["logits"], domain="com.example")]
    return scorer(nodes, domains=[helper.make_opsetid("com.example", 1)])


def bloated() -> bytes:
    """Return a small scorer that asks for 64 GB when it runs."""
    first = np.ones((1, 1, 1 << 17), np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["dense"], ["mean"], axes=[0, 1], keepdims=1),
        helper.make_node("Add", ["long", "mean"], ["row"]),
        helper.make_node("Transpose", ["row"], ["column"], perm=[2, 1, 0]),
        helper.make_node("Mul", ["row", "column"], ["square"]),
        helper.make_node("ReduceMax", ["square"], ["top"], keepdims=0),
        helper.make_node("Mul", ["dense", "top"], ["scaled"]),
        helper.make_node("Gemm", ["scaled", "w"], ["logits"]),
    ]
    return scorer(
        nodes, [numpy_helper.from_array(first, "long"), numpy_helper.from_array(votes_for_rules(), "w")]
    )


def bloated_when_opened() -> bytes:
    """Return a small scorer whose constants alone make 64 GB."""
    nodes = [
        helper.make_node("Transpose", ["row"], ["column"]),
        helper.make_node("Mul", ["row", "column"], ["square"]),
        helper.make_node("ReduceMax", ["square"], ["top"], keepdims=0),
        helper.make_node("Mul", ["dense", "top"], ["scaled"]),
        helper.make_node("Gemm", ["scaled", "w"], ["logits"]),
    ]
    long = numpy_helper.from_array(np.ones((1, 1 << 17), np.float32), "row")
    return scorer(nodes, [long, numpy_helper.from_array(votes_for_rules(), "w")])


def out_of_range() -> bytes:
    """Return a scorer that knows fewer fields than it says."""
    nodes = [helper.make_node("Gather", ["w", "field"], ["logits"])]
    return scorer(nodes, [numpy_helper.from_array(np.zeros((2, 2), np.float32), "w")])


def slow(seconds: float = 8) -> bytes:
    """Return a scorer that multiplies matrices for about so long, for many candidates."""
    side = 512
    first = np.full((len(DENSE), side), 1e-3, np.float32)
    square = np.full((side, side), 1e-3, np.float32)
    last = np.full((side, 2), 1e-3, np.float32)
    nodes = [helper.make_node("MatMul", ["dense", "first"], ["x0"])]
    # 5,000 rows times this matrix are 2.6 GFLOP.
    turns = int(60 * seconds)
    for n in range(turns):
        nodes.append(helper.make_node("MatMul", [f"x{n}", "square"], [f"m{n}"]))
        nodes.append(helper.make_node("Tanh", [f"m{n}"], [f"x{n + 1}"]))
    nodes.append(helper.make_node("MatMul", [f"x{turns}", "last"], ["logits"]))
    constants = [
        numpy_helper.from_array(v, n) for n, v in (("first", first), ("square", square), ("last", last))
    ]
    return scorer(nodes, constants)


def not_a_number() -> bytes:
    """Return a scorer that divides by zero."""
    nodes = [
        helper.make_node("Gemm", ["dense", "w"], ["g"]),
        helper.make_node("Sub", ["g", "g"], ["zero"]),
        helper.make_node("Div", ["zero", "zero"], ["logits"]),
    ]
    return scorer(nodes, [numpy_helper.from_array(votes_for_rules(), "w")])


def of_trees() -> bytes:
    """Return a scorer that is one tree: sure where a rule is."""
    nodes = [
        helper.make_node(
            "TreeEnsembleRegressor",
            ["dense"],
            ["logits"],
            domain="ai.onnx.ml",
            n_targets=1,
            nodes_treeids=[0, 0, 0],
            nodes_nodeids=[0, 1, 2],
            nodes_featureids=[DENSE.index("score_best"), 0, 0],
            nodes_values=[1.0, 0.0, 0.0],
            nodes_modes=["BRANCH_GT", "LEAF", "LEAF"],
            nodes_truenodeids=[1, 0, 0],
            nodes_falsenodeids=[2, 0, 0],
            nodes_missing_value_tracks_true=[0, 0, 0],
            nodes_hitrates=[1.0, 1.0, 1.0],
            target_treeids=[0, 0],
            target_nodeids=[1, 2],
            target_ids=[0, 0],
            target_weights=[3.0, -3.0],
        )
    ]
    return scorer(nodes, domains=[helper.make_opsetid("ai.onnx.ml", 3)])
