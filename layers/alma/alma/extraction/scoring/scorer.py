"""The scorer: an ONNX model that says how well a candidate fits a field.

The contract of such a model, `alma-base` and an organisation's own alike:

============  ================  ==========================================================================
input         type, shape       meaning
============  ================  ==========================================================================
`dense`       float32 (N, D)    `alma.extraction.scoring.features.DENSE`, as they are; the model scales them
`tokens`      int64 (N, T)      hashed words in and around the candidate, 0 where there is none
`field`       int64 (N,)        number of the field in the model's own list; 0 for a field it never saw
`logits`      float32 (N, M)    output: log-odds against "the document has no such value", of M members
============  ================  ==========================================================================

Members are trained from different seeds: their mean is the score, their spread says how far it depends on
chance. The metadata entry `alma` (JSON) names the fields and the features the model was trained with; a model
trained with other features is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alma.extraction.scoring.confidence import Calibration
from alma.extraction.scoring.features import BUCKETS, DENSE, TOKENS
from alma.settings import settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BASE = "alma-base.onnx"
#: Buckets of the weights a field has for itself, and what mixes token and field into one of them.
OWN_BUCKETS = 1 << 17
TOKEN_FACTOR, FIELD_FACTOR = 31, 7919
#: What a member is made of.
WEIGHTS = (
    "mean", "scale", "embedding", "own", "field", "skip", "bias", "w1", "b1", "w2", "b2", "w3", "b3",
)  # fmt: skip


def own_buckets(tokens: NDArray[np.int64], field: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where a field's own weight of each token is kept: (N, T) tokens and (N,) fields to (N, T)."""
    return (tokens * TOKEN_FACTOR + field[:, None] * FIELD_FACTOR) % OWN_BUCKETS


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says of the N candidates of a field.

    Attributes
    ----------
    logits : array of float32, shape (N,)
        Mean over the members.
    spread : array of float32, shape (N,)
        Standard deviation over the members.
    """

    logits: NDArray[np.float32]
    spread: NDArray[np.float32]


class Scorer:
    """A loaded model; safe to use from several threads.

    Parameters
    ----------
    model : bytes
        An ONNX file.

    Raises
    ------
    ValueError
        It is not a scorer, or was trained with other features or signals.
    """

    def __init__(self, model: bytes) -> None:
        from alma.onnx_session import open_session  # only `extract` has ONNX Runtime

        self._session = open_session(model, threads=1)
        self._describe(self._session.get_modelmeta().custom_metadata_map.get("alma"))

    def _describe(self, about: str | None) -> None:
        """Take over what the model's metadata says of it."""
        if about is None:
            raise ValueError("the model has no metadata entry named alma")
        self.about: dict[str, Any] = json.loads(about)
        if self.about["dense"] != list(DENSE) or self.about["buckets"] != BUCKETS:
            raise ValueError("the model was trained with other features")
        self._fields = {name: n for n, name in enumerate(self.about["fields"], start=1)}
        self.doc_type: str | None = self.about.get("doc_type")
        """The only type it reads; None where it knows several."""
        own = self.about.get("calibration")
        self.calibration: Calibration | None = None if own is None else Calibration.from_dict(own)
        """What its scores say about being right; None where that is not known."""

    def knows(self, doc_type: str, key: str) -> bool:
        """Return whether the model was trained on a field."""
        return f"{doc_type}.{key}" in self._fields

    def score(
        self,
        doc_type: str,
        found: Mapping[str, tuple[NDArray[np.float32], NDArray[np.int32]]],
    ) -> dict[str, Scores]:
        """Return the scores of all candidates of a document, by field.

        Parameters
        ----------
        doc_type : str
            The document's type.
        found : mapping
            By key of the field: dense features (N, D) and tokens (N, T) of its candidates.
        """
        import numpy as np

        filled = {key: pair for key, pair in found.items() if len(pair[0])}
        empty = np.zeros(0, np.float32)
        scores = {key: Scores(empty, empty) for key in found}
        if not filled:
            return scores
        logits = self._logits(
            np.concatenate([dense for dense, _ in filled.values()]),
            np.concatenate([tokens for _, tokens in filled.values()]),
            np.concatenate(
                [
                    np.full(len(dense), self._fields.get(f"{doc_type}.{key}", 0), np.int64)
                    for key, (dense, _) in filled.items()
                ]
            ),
        )
        at = 0
        for key, (dense, _) in filled.items():
            own = logits[at : at + len(dense)]
            scores[key] = Scores(own.mean(axis=1), own.std(axis=1))
            at += len(dense)
        return scores

    def _logits(
        self, dense: NDArray[np.float32], tokens: NDArray[np.int32], field: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Run the model: the (N, M) logits of N candidates."""
        inputs = {"dense": dense, "tokens": tokens.astype("int64"), "field": field}
        logits: NDArray[np.float32] = self._session.run(["logits"], inputs)[0]
        return logits


def write_model(weights: Sequence[Mapping[str, NDArray[np.float32]]], about: Mapping[str, Any]) -> bytes:
    """Return the ONNX file of an ensemble; needs the `onnx` package, which training brings.

    Parameters
    ----------
    weights : sequence of mapping
        One a member: `mean`, `scale` (D,), `embedding` (BUCKETS, E), `own` (OWN_BUCKETS, 1), `field` (F, G),
        `skip` (F, D), `bias` (F, 1), and `w1`, `b1`, `w2`, `b2`, `w3`, `b3` of the hidden layers.
    about : mapping
        Metadata: `fields`, and what the model was trained on.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: dict[str, Any] = {}

    def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(name: str, value: NDArray[Any]) -> str:
        constants[name] = numpy_helper.from_array(value, name)
        return name

    one_axis = constant("axis_1", np.array([1], np.int64))
    zero = constant("zero", np.array(0, np.int64))
    present = node("Cast", [node("Greater", ["tokens", zero], "is_token")], "present", to=TensorProto.FLOAT)
    mask = node("Unsqueeze", [present, constant("axis_2", np.array([2], np.int64))], "mask")
    column = node("Unsqueeze", ["field", one_axis], "field_column")
    mixed = node(
        "Mod",
        [
            node(
                "Add",
                [
                    node("Mul", ["tokens", constant("m1", np.array(TOKEN_FACTOR, np.int64))], "t31"),
                    node("Mul", [column, constant("m2", np.array(FIELD_FACTOR, np.int64))], "f7919"),
                ],
                "mixed_sum",
            ),
            constant("own_buckets", np.array(OWN_BUCKETS, np.int64)),
        ],
        "own_bucket",
    )
    outputs = []
    for n, w in enumerate(weights):

        def weight(name: str, n: int = n, w: Mapping[str, Any] = w) -> str:
            # The tables of tokens are most of the file; half precision is enough for them.
            kind = np.float16 if name in ("embedding", "own") else np.float32
            return constant(f"{name}_{n}", w[name].astype(kind))

        x = node("Mul", [node("Sub", ["dense", weight("mean")], f"c{n}"), weight("scale")], f"s{n}")
        x = node(
            "Clip",
            [x, constant(f"lo{n}", np.array(-5, np.float32)), constant(f"hi{n}", np.array(5, np.float32))],
            f"x{n}",
        )
        gathered = node(
            "Cast", [node("Gather", [weight("embedding"), "tokens"], f"g{n}")], f"gf{n}", to=TensorProto.FLOAT
        )
        summed = node("ReduceSum", [node("Mul", [gathered, mask], f"gm{n}"), one_axis], f"gs{n}", keepdims=0)
        text = node(
            "Tanh",
            [node("Mul", [summed, constant(f"q{n}", np.array(0.25, np.float32))], f"gq{n}")],
            f"text{n}",
        )
        single = node(
            "Cast", [node("Gather", [weight("own"), mixed], f"o{n}")], f"of{n}", to=TensorProto.FLOAT
        )
        own = node("ReduceSum", [node("Mul", [single, mask], f"om{n}"), one_axis], f"os{n}", keepdims=0)
        h = node("Concat", [x, text, node("Gather", [weight("field"), "field"], f"fe{n}")], f"h{n}", axis=1)
        h = node("Relu", [node("Gemm", [h, weight("w1"), weight("b1")], f"l1{n}", transB=1)], f"r1{n}")
        h = node("Relu", [node("Gemm", [h, weight("w2"), weight("b2")], f"l2{n}", transB=1)], f"r2{n}")
        deep = node("Gemm", [h, weight("w3"), weight("b3")], f"l3{n}", transB=1)
        skip = node(
            "ReduceSum",
            [node("Mul", [node("Gather", [weight("skip"), "field"], f"k{n}"), x], f"kx{n}"), one_axis],
            f"ks{n}",
            keepdims=1,
        )
        bias = node("Gather", [weight("bias"), "field"], f"bf{n}")
        outputs.append(node("Sum", [deep, own, skip, bias], f"logit{n}"))
    node("Concat", outputs, "logits", axis=1)
    graph = helper.make_graph(
        nodes,
        "alma",
        [
            helper.make_tensor_value_info("dense", TensorProto.FLOAT, ["N", len(DENSE)]),
            helper.make_tensor_value_info("tokens", TensorProto.INT64, ["N", TOKENS]),
            helper.make_tensor_value_info("field", TensorProto.INT64, ["N"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(weights)])],
        list(constants.values()),
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="alma"
    )
    helper.set_model_props(
        model,
        {"alma": json.dumps({**about, "dense": list(DENSE), "buckets": BUCKETS}, sort_keys=True)},
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def read_model(model: bytes) -> tuple[list[dict[str, NDArray[np.float32]]], dict[str, Any]]:
    """Return the weights of each member as `write_model` took them, and the metadata.

    There are no members in a network that was built otherwise. Needs the `onnx` package, as `write_model`
    does.

    Raises
    ------
    ValueError
        It is no ONNX file.
    """
    import numpy as np
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import numpy_helper

    try:
        loaded = onnx.load_from_string(model)
    except DecodeError as error:
        raise ValueError("the model is no ONNX file") from error
    about = json.loads({p.key: p.value for p in loaded.metadata_props}.get("alma", "{}"))
    constants = {each.name: each for each in loaded.graph.initializer}
    members: list[dict[str, NDArray[np.float32]]] = []
    while all(f"{name}_{len(members)}" in constants for name in WEIGHTS):
        n = len(members)
        members.append(
            {name: numpy_helper.to_array(constants[f"{name}_{n}"]).astype(np.float32) for name in WEIGHTS}
        )
    return members, about


def base_model() -> bytes:
    """Return the model that comes with alma, or the one that `settings().base_dir` puts in its place."""
    own = settings().base_dir
    return (Path(own) / BASE if own else resources.files("alma.data").joinpath(BASE)).read_bytes()


@lru_cache(maxsize=1)
def base_scorer() -> Scorer:
    """Return the model every organisation begins with, loaded once per process."""
    return Scorer(base_model())
