"""The page model: an ONNX network that says what a page is and whether it begins a document.

It comes with the package and is opened once per process, on first use: only `extract` has ONNX Runtime.
`scripts/train_doctype.py` makes it and stores in its metadata what its answers mean and how good it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from alma.extraction.classification.page_features import PageFeatures, matrices

if TYPE_CHECKING:
    import onnxruntime

#: File below `alma/data`.
MODEL = "pages.onnx"
#: The class of pages that are of none of the types.
NONE = "none"


@dataclass(frozen=True, slots=True)
class PageJudgement:
    """What the model says of a page."""

    types: dict[str, float]
    """Probability of each type it was trained on, and of `NONE`."""
    begins: float
    """Probability that the page begins a document, given the page before it; undefined for a first page."""


@lru_cache(maxsize=1)
def _session() -> onnxruntime.InferenceSession:
    from alma.onnx_session import open_session  # only `extract` has ONNX Runtime

    # Milliseconds of work: more threads would only be in each other's way.
    return open_session(resources.files("alma.data").joinpath(MODEL).read_bytes(), threads=1)


@lru_cache(maxsize=1)
def facts() -> dict[str, Any]:
    """Return the model's metadata: classes, weights, threshold, what it was fitted on and how good it is."""
    stored = _session().get_modelmeta().custom_metadata_map
    return {name: json.loads(value) for name, value in stored.items()}


def judge(pages: Sequence[PageFeatures]) -> list[PageJudgement]:
    """Return what the model says of consecutive pages of one file."""
    if not pages:
        return []
    words, shape, follows = matrices(pages)
    types, begins = _session().run(["types", "begins"], {"words": words, "shape": shape, "follows": follows})
    classes = facts()["classes"]
    return [
        PageJudgement(dict(zip(classes, map(float, row), strict=True)), float(begin[0]))
        for row, begin in zip(types, begins, strict=True)
    ]
