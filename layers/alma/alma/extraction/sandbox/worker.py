"""The process of an organisation's model: `python -m alma.extraction.sandbox.worker`.

A model is a stranger's program; here it takes nothing else with it. The protocol is lines of JSON, some with
bytes behind them:

==================================================  ==================================================
in                                                  out
==================================================  ==================================================
`{"memory", "seconds", "bytes", "contract"}`        `{"about", "card"}`: the metadata entry `alma`, and
+ the ONNX file                                     what the file is made of where `contract` is given
`{"rows": N, "dense": D, "tokens": T}` + dense      `{"members": M}` + logits (N, M) float32; M = 0 for
(N, D) float32 + tokens (N, T) int32 + field (N,)   an output of another kind or shape
int64
==================================================  ==================================================

`{"error": {"code", "detail"}}` in place of either answer. The process ends with its input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import IO, Any

from alma import sandbox

Answer = tuple[dict[str, Any], bytes]


def main() -> None:
    """Serve one model until the input ends."""
    out, source = sandbox.answers(), sys.stdin.buffer
    order = json.loads(source.readline())
    sandbox.confine(order["memory"])
    sandbox.end_after(2 * order["seconds"])
    model = source.read(order["bytes"])
    opened: list[Any] = []

    _answer(out, partial(_open, order, model, opened))
    while opened and (line := source.readline()):
        sandbox.end_after(2 * order["seconds"])
        shape = json.loads(line)
        rows = shape["rows"]
        widths = (4 * shape["dense"], 4 * shape["tokens"], 8)
        inputs = [source.read(rows * width) for width in widths]
        _answer(out, partial(_run, opened[0], rows, *inputs))
        sandbox.end_after(0)


def _open(order: dict[str, Any], model: bytes, opened: list[Any]) -> Answer:
    card = None
    if order["contract"] is not None:
        from alma.extraction.sandbox.contract import inspect

        card = inspect(model, **order["contract"])
    from alma.onnx_session import open_session

    session = open_session(model, threads=1)
    opened.append(session)
    return {"about": session.get_modelmeta().custom_metadata_map.get("alma"), "card": card}, b""


def _run(session: Any, rows: int, dense: bytes, tokens: bytes, field: bytes) -> Answer:
    import numpy as np

    logits = session.run(
        ["logits"],
        {
            "dense": np.frombuffer(dense, np.float32).reshape(rows, -1),
            "tokens": np.frombuffer(tokens, np.int32).reshape(rows, -1).astype(np.int64),
            "field": np.frombuffer(field, np.int64),
        },
    )[0]
    shape: tuple[int, ...] = np.shape(logits)
    if len(shape) != 2 or shape[0] != rows or logits.dtype != np.float32:
        return {"members": 0}, b""
    return {"members": shape[1]}, logits.tobytes()


def _answer(out: IO[bytes], work: Callable[[], Answer]) -> None:
    """Write the work's answer, or its failure as one: this is the top level of the process."""
    data = b""
    try:
        content, data = work()
    except Exception as error:
        # Whatever the runtime raises on a model is the model's fault.
        content = {"error": _failure(error)}
    out.write(json.dumps(content).encode() + b"\n")
    out.write(data)
    out.flush()


def _failure(error: Exception) -> dict[str, str]:
    code, detail = getattr(error, "code", None), getattr(error, "detail", None)
    if code and detail:
        return {"code": code, "detail": detail}
    said = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "alloc" in said:
        return {"code": "model_too_large_in_memory", "detail": ""}
    return {"code": "model_crashed", "detail": f"ONNX Runtime cannot run it: {said[:200]}"}


if __name__ == "__main__":
    main()
