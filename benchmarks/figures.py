"""Diagrams of accuracy: reliability, coverage against precision, and which types are taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from alma.learning.metrics import calibration_error
from scripts.labelled.metrics import DocumentScore

mpl.use("Agg")
import matplotlib.pyplot as plt  # after the choice of a backend that needs no screen

BINS = 10


def draw(scores: Sequence[DocumentScore], folder: Path) -> None:
    """Write `reliability.png`, `coverage.png` and `types.png` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    judged = [(c, r) for score in scores for c, r in score.judged if c is not None]
    if judged:
        _reliability(judged, folder / "reliability.png")
        _coverage(scores, folder / "coverage.png")
    _types(scores, folder / "types.png")


def draw_flywheel(types: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Draw F1, and coverage at 99 % precision, by the number of corrected documents."""
    figure, panels = plt.subplots(1, 2, figsize=(9, 4), sharex=True)
    for axes, name, label in zip(
        panels, ("micro_f1", "coverage_at_99"), ("micro F1", "coverage at 99 % precision"), strict=True
    ):
        for doc_type, steps in types.items():
            axes.plot([s["corrected"] for s in steps], [s[name] for s in steps], marker="o", label=doc_type)
        axes.set(xlabel="corrected documents", ylabel=label, ylim=(0, 1))
        axes.grid(alpha=0.3)
    panels[0].legend(loc="lower right")
    _save(figure, path)


def _reliability(judged: Sequence[tuple[float, bool]], path: Path) -> None:
    figure, (above, below) = plt.subplots(2, 1, figsize=(5, 6), height_ratios=(3, 1), sharex=True)
    confidence = np.array([c for c, _ in judged])
    right = np.array([r for _, r in judged], float)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    used = [b for b in range(BINS) if (bins == b).any()]
    above.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    above.plot(
        [confidence[bins == b].mean() for b in used], [right[bins == b].mean() for b in used], marker="o"
    )
    above.set(ylabel="share that is right", ylim=(0, 1.02), xlim=(0, 1))
    above.set_title(f"Reliability: ECE {calibration_error(judged):.3f}, {len(judged)} values")
    below.bar((np.arange(BINS) + 0.5) / BINS, np.bincount(bins, minlength=BINS), width=0.9 / BINS)
    below.set(xlabel="confidence", ylabel="values")
    _save(figure, path)


def _coverage(scores: Sequence[DocumentScore], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(6, 4.5))
    types = sorted({s.doc_type for s in scores})
    for name in ["all", *types]:
        each = [s for s in scores if name in ("all", s.doc_type)]
        judged = sorted(((c, r) for s in each for c, r in s.judged if c is not None), key=lambda j: -j[0])
        if len(judged) < 50:
            continue
        right = np.cumsum([r for _, r in judged])
        count = np.arange(1, len(judged) + 1)
        style = {"color": "black", "linewidth": 2} if name == "all" else {"linewidth": 1}
        axes.plot(count / len(judged), right / count, label=name, **style)
    axes.axhline(0.99, color="0.7", linewidth=1)
    axes.set(xlabel="share of values, most confident first", ylabel="precision among them", ylim=(0.6, 1.005))
    axes.set_title("Coverage and precision")
    axes.legend(fontsize=8, loc="lower left")
    _save(figure, path)


def _types(scores: Sequence[DocumentScore], path: Path) -> None:
    labelled = sorted({s.doc_type for s in scores})
    read = sorted({s.read_as or "none" for s in scores} | set(labelled))
    counts = Counter((s.doc_type, s.read_as or "none") for s in scores)
    table = np.array([[counts[a, b] for b in read] for a in labelled])
    figure, axes = plt.subplots(figsize=(1.2 + 0.7 * len(read), 1.2 + 0.5 * len(labelled)))
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, of_row in enumerate(table):
        for column, count in enumerate(of_row):
            if count:
                ink = "white" if share[row, column] > 0.5 else "black"
                axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=ink)
    axes.set_xticks(range(len(read)), read, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(labelled)), labelled, fontsize=8)
    axes.set(xlabel="read as", ylabel="labelled")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
