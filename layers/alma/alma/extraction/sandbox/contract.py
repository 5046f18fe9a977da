"""What an ONNX file must be to be run as a scorer (`alma.extraction.scoring.scorer`, docs/models.md).

Everything here works on the parsed file, before anything of it runs; it belongs into a child process,
because parsing and checking are native code. What the file does when it runs is for
`alma.models.validation` to find out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from alma.extraction.scoring.confidence import SIGNALS, Calibration
from alma.extraction.scoring.features import BUCKETS, DENSE, TOKENS

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, ValueInfoProto

METADATA = "alma"
OPSETS = range(13, 22)
#: Opsets of `ai.onnx.ml`, for tree ensembles.
ML_OPSETS = range(1, 5)
MOST_NODES = 10_000
MOST_FIELDS = 2000
MOST_METADATA = 2**20
MOST_MEMBERS = 16
#: Of a calibration: beyond it a confidence is certain, whatever is known of the value.
MOST_WEIGHT = 1e6

#: What a scorer may be made of. Left out is what decides at run time how long it runs or how much it makes
#: (control flow, sequences, text), what is random, and what reaches outside the file.
OPERATORS = frozenset(
    {
        "Abs", "Add", "And", "ArgMax", "ArgMin", "BatchNormalization", "Cast", "Ceil", "Celu", "Clip",
        "Concat", "Constant", "Cos", "CumSum", "Div", "Elu", "Equal", "Erf", "Exp", "Flatten", "Floor",
        "Gather", "GatherElements", "GatherND", "Gelu", "Gemm", "Greater", "GreaterOrEqual",
        "HardSigmoid", "HardSwish", "Identity", "LayerNormalization", "LeakyRelu", "Less",
        "LessOrEqual", "Log", "LogSoftmax", "MatMul", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg",
        "Not", "Or", "Pow", "PRelu", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum",
        "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
        "ReduceSumSquare", "Relu", "Reshape", "Round", "Selu", "Shape", "Sigmoid", "Sign", "Sin",
        "Size", "Slice", "Softmax", "Softplus", "Softsign", "Split", "Sqrt", "Squeeze", "Sub", "Sum",
        "Tanh", "Transpose", "Unsqueeze", "Where", "Xor",
    }
)  # fmt: skip
ML_OPERATORS = frozenset(
    {
        "ArrayFeatureExtractor", "FeatureVectorizer", "Imputer", "LinearClassifier", "LinearRegressor",
        "Normalizer", "Scaler", "SVMRegressor", "TreeEnsembleClassifier", "TreeEnsembleRegressor",
    }
)  # fmt: skip


class ContractError(Exception):
    """The file is not a scorer."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        """Slug."""
        self.detail = detail
        """One sentence that says what is wrong and what to do."""


def inspect(model: bytes, doc_type: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return what an ONNX file is made of: `opset`, `operators` and `fields`.

    Parameters
    ----------
    model : bytes
        The file.
    doc_type : str
        The type of document it is for.
    keys : sequence of str
        That type's fields.

    Raises
    ------
    ContractError
        It is not a scorer, or not one that may be run; the first reason found.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        parsed = onnx.ModelProto.FromString(model)
    except DecodeError:
        raise ContractError("not_onnx", "The file is no ONNX model; export the model to ONNX anew.") from None
    if not parsed.HasField("graph") or not parsed.opset_import:
        raise ContractError("not_onnx", "The file is no ONNX model; export the model to ONNX anew.")
    # Before the library's own checker, which would look for such files.
    if any(_external(tensor) for tensor in _tensors(parsed.graph)):
        raise ContractError(
            "external_data",
            "The model keeps weights outside its file; save it with all of them inside "
            "(onnx.save_model with save_as_external_data=False).",
        )
    opset = _opsets(parsed)
    operators = _operators(parsed)
    try:
        onnx.checker.check_model(parsed, full_check=True)
    except Exception as error:
        # The checker's own errors, and whatever its native part raises on a broken file.
        first = " ".join(str(error).split())[:200]
        raise ContractError("not_onnx", f"The file is no valid ONNX model: {first}") from None
    _inputs(parsed.graph)
    _outputs(parsed.graph)
    entries = {each.key: each.value for each in parsed.metadata_props}
    about = read_metadata(entries.get(METADATA), doc_type, keys)
    return {"opset": opset, "operators": operators, "fields": about["fields"]}


def read_metadata(text: str | None, doc_type: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return the metadata entry `alma` of a scorer for a document type.

    Raises
    ------
    ContractError
        `wrong_features`: it is absent or says something else.
    """
    if text is None:
        raise _wrong(f"The model has no metadata entry named {METADATA}; docs/models.md says what it holds.")
    try:
        about = json.loads(text) if len(text) <= MOST_METADATA else None
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise _wrong(f"The metadata entry {METADATA} is no JSON object of at most 1 MiB.")
    if about.get("dense") != list(DENSE) or about.get("buckets") != BUCKETS:
        raise _wrong(
            "The model was trained with other features than this alma has; "
            "take `dense` and `buckets` from alma.extraction.scoring.features."
        )
    if about.get("doc_type", doc_type) != doc_type:
        raise _wrong("The model's doc_type is another one than it is registered for.")
    names = about.get("fields")
    if not isinstance(names, list) or not 1 <= len(names) <= MOST_FIELDS:
        raise _wrong(f"`fields` is a list of 1 to {MOST_FIELDS} names TYPE.KEY.")
    known = {f"{doc_type}.{key}" for key in keys}
    for n, name in enumerate(names):
        if not isinstance(name, str) or name not in known:
            raise _wrong(
                f"Entry {n} of `fields` is no field of {doc_type}; they are {', '.join(sorted(known))[:600]}."
            )
    if len(set(names)) != len(names):
        raise _wrong("`fields` names a field twice.")
    _check_calibration(about.get("calibration"))
    return about


def _wrong(detail: str) -> ContractError:
    return ContractError("wrong_features", detail)


def _check_calibration(raw: object) -> None:
    if raw is None:
        return
    try:
        own = Calibration.from_dict(raw) if isinstance(raw, dict) else None
    except (ValueError, TypeError, OverflowError):
        own = None
    if own is None or not all(abs(n) < MOST_WEIGHT for n in (*own.weights, *own.biases.values())):
        raise _wrong(
            "`calibration` is {'signals': [names], 'weights': [a number for each], 'biases': "
            "{'TYPE.KEY': number}}, all of them finite; or leave it out. "
            f"Signals are {', '.join(SIGNALS)}."
        )


def _opsets(model: ModelProto) -> int:
    """Return the opset of the default domain."""
    default = 0
    for each in model.opset_import:
        if each.domain in ("", "ai.onnx"):
            default, allowed = each.version, OPSETS
        elif each.domain == "ai.onnx.ml":
            allowed = ML_OPSETS
        else:
            raise ContractError(
                "unsupported_operator",
                f"The model uses operators of the domain {each.domain[:80]!r}; "
                "only those of ONNX itself and of ai.onnx.ml can be run.",
            )
        if each.version not in allowed:
            raise ContractError(
                "unsupported_operator",
                f"The model needs opset {each.version} of {each.domain or 'ai.onnx'}; "
                f"export it for one of {allowed.start} to {allowed.stop - 1}.",
            )
    if not default:
        raise ContractError("not_onnx", "The model names no opset of ONNX; export the model to ONNX anew.")
    return default


def _operators(model: ModelProto) -> list[str]:
    """Return the operators of a model by name."""
    if model.functions or model.training_info:
        raise ContractError(
            "unsupported_operator",
            "The model defines functions or training steps of its own; export it for inference, inlined.",
        )
    if len(model.graph.node) > MOST_NODES:
        raise ContractError(
            "unsupported_operator", f"The model has more than {MOST_NODES} operators; make it smaller."
        )
    found = set()
    for node in model.graph.node:
        allowed = ML_OPERATORS if node.domain == "ai.onnx.ml" else OPERATORS
        if node.domain not in ("", "ai.onnx", "ai.onnx.ml") or node.op_type not in allowed:
            name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            raise ContractError(
                "unsupported_operator",
                f"The operator {name[:80]} is not one a scorer may have; docs/models.md lists those.",
            )
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ContractError(
                "unsupported_operator", f"The operator {node.op_type} carries a graph of its own; inline it."
            )
        found.add(node.op_type)
    return sorted(found)


def _inputs(graph: GraphProto) -> None:
    from onnx import TensorProto

    initial = {tensor.name for tensor in graph.initializer}
    declared = {each.name: each for each in graph.input if each.name not in initial}
    wanted: dict[str, tuple[int, list[str | int | None]]] = {
        "dense": (TensorProto.FLOAT, ["N", len(DENSE)]),
        "tokens": (TensorProto.INT64, ["N", TOKENS]),
        "field": (TensorProto.INT64, ["N"]),
    }
    right = declared.keys() == wanted.keys() and all(
        _fits(declared[name], kind, shape) for name, (kind, shape) in wanted.items()
    )
    if not right:
        raise ContractError(
            "wrong_inputs",
            f"A scorer takes exactly dense float32 (N, {len(DENSE)}), tokens int64 (N, {TOKENS}) and "
            "field int64 (N,), with N left open.",
        )


def _outputs(graph: GraphProto) -> None:
    from onnx import TensorProto

    members = [d.dim_value for each in graph.output for d in each.type.tensor_type.shape.dim[1:2]]
    right = (
        [each.name for each in graph.output] == ["logits"]
        and _fits(graph.output[0], TensorProto.FLOAT, ["N", None])
        and members[0] <= MOST_MEMBERS
    )
    if not right:
        raise wrong_outputs()


def wrong_outputs() -> ContractError:
    """Return the refusal of a model that answers something else."""
    return ContractError(
        "wrong_outputs",
        f"A scorer gives exactly logits float32 (N, M), M from 1 to {MOST_MEMBERS}, all of them finite.",
    )


def _fits(declared: ValueInfoProto, kind: int, shape: Sequence[str | int | None]) -> bool:
    """Tell whether a declared tensor is of a kind and a shape: a size, an open one (text), or either."""
    tensor = declared.type.tensor_type
    if tensor.elem_type != kind or len(tensor.shape.dim) != len(shape):
        return False
    return all(
        wanted is None
        or (dim.dim_value == wanted if isinstance(wanted, int) else not dim.HasField("dim_value"))
        for dim, wanted in zip(tensor.shape.dim, shape, strict=True)
    )


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield every tensor of a graph, those in attributes and in graphs inside it included."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from _of_attribute(attribute)


def _of_attribute(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    for sparse in (
        *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else ()),
        *attribute.sparse_tensors,
    ):
        yield from (sparse.values, sparse.indices)
    for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
        yield from _tensors(graph)


def _external(tensor: TensorProto) -> bool:
    return tensor.data_location == type(tensor).EXTERNAL or len(tensor.external_data) > 0
