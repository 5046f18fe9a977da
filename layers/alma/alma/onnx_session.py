"""How a network is opened."""

from __future__ import annotations

from pathlib import Path

import onnxruntime


def model_bytes(path: Path) -> bytes:
    """Return the content of a model file.

    Raises
    ------
    FileNotFoundError
        There is no such model; says how to get it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `make setup`")
    return path.read_bytes()


def open_session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Return a session on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The arena reuses memory within a run instead of asking the system for fresh pages. Patterns would keep a
    # block for every shape of input, and every page has another: on a few large pages the detector peaks at
    # 860 MB with them, at 490 without them, at 790 without an arena.
    options.enable_mem_pattern = False
    # Threads that wait actively take the core from those that compute.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # What was checked as ONNX is opened as ONNX: left to itself, ONNX Runtime takes a file whose bytes 4 to 8
    # say so for its own format, whatever else it is.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
