"""Training a scorer: a small network over features and tokens, fitted to labelled candidates.

Plain numpy, so that the same code trains the model that ships and an organisation's own, inside a function
that has no room for a training framework. The network, for a candidate with dense features x, tokens t and
field f::

    z = W3 relu(W2 relu(W1 [x, tanh(Σ E[t] / 4), F[f]])) + Σ O[t, f] + S[f]·x + b[f]

`E` is shared by all fields, `O` (hashed) and `S` are a field's own: what is seen often is learnt for the
field, what is seen once is taken from the others. Optimised with Adam (Kingma & Ba 2015), decoupled weight
decay (Loshchilov & Hutter 2019), one cycle of the learning rate (Smith & Topin 2018), dropout of units and of
tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alma.extraction.scoring.features import BUCKETS
from alma.learning.model_file import OWN_BUCKETS, Weights, own_buckets

#: Passes over the data, groups of a step, negatives drawn from a group.
EPOCHS, BATCH, NEGATIVES = 5, 32, 120
#: Sizes: hidden layers, embedding of a token, of a field.
HIDDEN, EMBEDDING, FIELD = 64, 16, 16
#: Learning rate at its highest; decay of the tables of tokens, and of everything else.
RATE, TABLE_DECAY, DECAY = 3e-3, 0.02, 0.01
#: Share of groups trained as a field without a name, so that the model learns what any field looks like.
ANONYMOUS = 0.15
#: Shares of tokens and of hidden units left out in a step.
DROPPED_TOKENS, DROPPED_UNITS = 0.2, 0.2
#: A repeated field counts its candidates one by one; this makes it weigh about as much as another.
REPEATED_WEIGHT = 1 / 3

Floats = NDArray[np.float32]


@dataclass(slots=True)
class Group:
    """The candidates of one field on one track of one document."""

    name: str
    """`TYPE.KEY` of the field."""
    repeated: bool
    """Several candidates can be right."""
    fold: int
    """Part of the data the document belongs to."""
    dense: Floats
    tokens: NDArray[np.int32]
    """Shapes (N, D) and (N, T). As `alma.extraction.scoring.features.matrix` returns them."""
    voted: NDArray[np.bool_]
    """Shape (N,). A rule says something for the candidate."""
    right: NDArray[np.int8]
    """Shape (N,). 2 where value and place are the label's, 1 where only the value is, 0 elsewhere."""


@dataclass(slots=True)
class _Batch:
    x: Floats
    tokens: NDArray[np.int64]
    present: Floats
    own: NDArray[np.int64]
    field: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    right: NDArray[np.bool_]
    lift: Floats
    repeated: NDArray[np.bool_]


def train_member(
    groups: Sequence[Group],
    fields: Sequence[str],
    seed: int,
    epochs: int = EPOCHS,
    *,
    start: Weights | None = None,
    batch: int = BATCH,
    rate: float = RATE,
    anonymous: float = ANONYMOUS,
) -> Weights:
    """Return the weights of one member, as `alma.learning.model_file.write_model` takes them.

    The loss of a field that occurs once is the cross-entropy of a softmax over its candidates and "no such
    value"; of a repeated one, the binary cross-entropy of each candidate. Of a long list of candidates some
    are drawn; those stand for the others (their term is multiplied by how many each stands for).

    Parameters
    ----------
    groups : sequence of Group
        What to learn from; none without candidates.
    fields : sequence of str
        Names of the fields the model is to know.
    seed : int
        Of everything drawn: the same groups and seed give the same weights.
    epochs : int
        Passes over the groups.
    start : weights, optional
        What to begin with instead of chance: of a model of these fields, as
        `alma.learning.model_file.read_model` returns them. The features stay scaled as they were there.
    batch : int
        Groups of a step: with few of them, small steps learn more.
    rate : float
        Learning rate at its highest.
    anonymous : float
        Share of groups trained as a field without a name.
    """
    rng = np.random.default_rng(seed)
    number = {name: n for n, name in enumerate(fields, start=1)}
    if start is None:
        mean, scale = _scaling(groups)
        w = _initial(len(mean), len(fields) + 1, rng)
    else:
        w = {name: value.copy() for name, value in start.items()}
        mean, scale = w.pop("mean"), w.pop("scale")
    optimiser = _Adam(w)
    per_epoch = -(-len(groups) // batch)
    for epoch in range(epochs):
        order = rng.permutation(len(groups))
        for n in range(per_epoch):
            chosen = [groups[i] for i in order[n * batch : (n + 1) * batch]]
            drawn = _batch(chosen, number, mean, scale, anonymous, rng)
            done = (epoch * per_epoch + n) / (epochs * per_epoch)
            optimiser.step(w, _gradients(w, drawn, rng), rate * _cycle(done))
    return {"mean": mean, "scale": scale, **w}


def _scaling(groups: Sequence[Group]) -> tuple[Floats, Floats]:
    """Return the mean of each feature and the factor that makes its deviation one."""
    count = sum(len(g.dense) for g in groups)
    mean = (sum(g.dense.sum(0, dtype=np.float64) for g in groups) / count).astype(np.float32)
    square = sum(((g.dense - mean) ** 2).sum(0, dtype=np.float64) for g in groups) / count
    return mean, (1.0 / (np.sqrt(square) + 1e-3)).astype(np.float32)


def _initial(width: int, fields: int, rng: np.random.Generator) -> Weights:
    def normal(*shape: int, std: float) -> Floats:
        return np.asarray(rng.standard_normal(shape) * std, np.float32)

    def uniform(out: int, into: int) -> Floats:
        return np.asarray(rng.uniform(-1, 1, (out, into)) / np.sqrt(into), np.float32)

    wide = width + EMBEDDING + FIELD
    return {
        "embedding": normal(BUCKETS, EMBEDDING, std=0.05),
        "own": np.zeros((OWN_BUCKETS, 1), np.float32),
        "field": normal(fields, FIELD, std=0.1),
        "skip": np.zeros((fields, width), np.float32),
        "bias": np.zeros((fields, 1), np.float32),
        "w1": uniform(HIDDEN, wide), "b1": np.zeros(HIDDEN, np.float32),
        "w2": uniform(HIDDEN // 2, HIDDEN), "b2": np.zeros(HIDDEN // 2, np.float32),
        "w3": uniform(1, HIDDEN // 2), "b3": np.zeros(1, np.float32),
    }  # fmt: skip


def _cycle(done: float) -> float:
    """Return the share of the learning rate at a share of the training: up for three tenths, then down."""
    if done < 0.3:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / 0.3)) / 2
    return (1 + math.cos(math.pi * (done - 0.3) / 0.7)) / 2 + 1e-6 / RATE


def _batch(
    chosen: Sequence[Group],
    number: dict[str, int],
    mean: Floats,
    scale: Floats,
    anonymous: float,
    rng: np.random.Generator,
) -> _Batch:
    rows: dict[str, list[Any]] = {k: [] for k in ("x", "tokens", "field", "right", "lift", "sizes")}
    for group in chosen:
        positive = group.right == max(int(group.right.max()), 1)
        usable = ~((group.right > 0) & ~positive)  # the value at another place: neither right nor wrong
        certain = usable & (positive | group.voted)
        others = np.flatnonzero(usable & ~certain)
        drawn = rng.choice(others, min(NEGATIVES, len(others)), replace=False)
        at = np.concatenate([np.flatnonzero(certain), drawn])
        name = 0 if rng.random() < anonymous else number[group.name]
        stands = float(np.log(max(len(others), 1) / max(len(drawn), 1)))
        rows["x"].append(group.dense[at])
        rows["tokens"].append(group.tokens[at])
        rows["field"].append(np.full(len(at), name))
        rows["right"].append(positive[at])
        rows["lift"].append(np.where(certain[at], 0.0, stands))
        rows["sizes"].append(len(at))
    tokens = np.concatenate(rows["tokens"]).astype(np.int64)
    field = np.concatenate(rows["field"]).astype(np.int64)
    sizes = np.array(rows["sizes"], np.int64)
    present = (tokens > 0) & (rng.random(tokens.shape, dtype=np.float32) > DROPPED_TOKENS)
    return _Batch(
        np.clip((np.concatenate(rows["x"]) - mean) * scale, -5, 5).astype(np.float32),
        tokens,
        present.astype(np.float32),
        own_buckets(tokens, field),
        field,
        np.concatenate([[0], np.cumsum(sizes)[:-1]]),
        sizes,
        np.concatenate(rows["right"]),
        np.concatenate(rows["lift"]).astype(np.float32),
        np.array([g.repeated for g in chosen]),
    )


def _bag(table: Floats, ids: NDArray[np.int64], present: Floats) -> Floats:
    """Return the sum of the table's rows for each row of ids: (N, T) to (N, E)."""
    summed = np.zeros((len(ids), table.shape[1]), np.float32)
    for column in range(ids.shape[1]):
        summed += table[ids[:, column]] * present[:, column, None]
    return summed


def _unbag(ids: NDArray[np.int64], present: Floats, gradient: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return the rows of a table that were used, and the gradient of each."""
    at = np.flatnonzero(present.ravel())
    flat = ids.ravel()[at]
    order = np.argsort(flat, kind="stable")
    flat = flat[order]
    rows = gradient[(at // ids.shape[1])[order]]
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    return flat[starts], np.add.reduceat(rows, starts, axis=0)


def _loss_gradient(z: Floats, b: _Batch) -> Floats:
    """Return the derivative of the loss by each score."""
    owner = np.repeat(np.arange(len(b.sizes)), b.sizes)
    lifted = z + b.lift
    top = np.maximum(np.maximum.reduceat(lifted, b.starts), 0.0)
    odds = np.exp(lifted - top[owner])
    whole = np.exp(-top) + np.add.reduceat(odds, b.starts)
    gold = np.where(b.right, odds, 0.0)
    of_gold = np.add.reduceat(gold, b.starts)
    once = odds / whole[owner] - gold / np.maximum(of_gold, 1e-12)[owner]
    each = (1 / (1 + np.exp(-np.clip(z, -30, 30))) - b.right) * np.exp(b.lift) * REPEATED_WEIGHT
    return (np.where(b.repeated[owner], each, once) / len(b.sizes)).astype(np.float32)


def _gradients(w: Weights, b: _Batch, rng: np.random.Generator) -> dict[str, Any]:
    """Return the gradient of every weight; of a table, the rows that were used and theirs."""
    width = b.x.shape[1]
    text = np.tanh(_bag(w["embedding"], b.tokens, b.present) * np.float32(0.25))
    h0 = np.concatenate([b.x, text, w["field"][b.field]], axis=1)

    def hidden(h: Floats, layer: int) -> tuple[Floats, Floats]:
        """Return the output of a hidden layer, and by what each unit was multiplied."""
        out = h @ w[f"w{layer}"].T + w[f"b{layer}"]
        open_ = (out > 0) & (rng.random(out.shape, dtype=np.float32) > DROPPED_UNITS)
        gate = open_.astype(np.float32) / np.float32(1 - DROPPED_UNITS)
        return out * gate, gate

    h1, gate1 = hidden(h0, 1)
    h2, gate2 = hidden(h1, 2)
    own = (w["own"][b.own, 0] * b.present).sum(1)
    z = (h2 @ w["w3"].T + w["b3"])[:, 0] + own + (w["skip"][b.field] * b.x).sum(1) + w["bias"][b.field, 0]

    dz = _loss_gradient(z, b)[:, None]
    d2 = dz * w["w3"] * gate2
    d1 = (d2 @ w["w2"]) * gate1
    d0 = d1 @ w["w1"]
    of_text = d0[:, width : width + EMBEDDING] * (1 - text**2) * np.float32(0.25)
    names = b.field[b.starts]
    small = {name: np.zeros_like(w[name]) for name in ("field", "skip", "bias")}
    np.add.at(small["field"], names, np.add.reduceat(d0[:, width + EMBEDDING :], b.starts, axis=0))
    np.add.at(small["skip"], names, np.add.reduceat(dz * b.x, b.starts, axis=0))
    np.add.at(small["bias"], names, np.add.reduceat(dz, b.starts, axis=0))
    return {
        "embedding": _unbag(b.tokens, b.present, of_text),
        "own": _unbag(b.own, b.present, dz),
        **small,
        "w1": d1.T @ h0, "b1": d1.sum(0), "w2": d2.T @ h1, "b2": d2.sum(0), "w3": dz.T @ h2, "b3": dz.sum(0),
    }  # fmt: skip


class _Adam:
    """Adam with decoupled weight decay; of a table, only the rows that were used move."""

    def __init__(self, w: Weights) -> None:
        self.moments = {name: (np.zeros_like(v), np.zeros_like(v)) for name, v in w.items()}
        self.steps = 0

    def step(self, w: Weights, gradients: dict[str, Any], rate: float) -> None:
        self.steps += 1
        bias1, bias2 = 1 - 0.9**self.steps, 1 - 0.999**self.steps
        for name, gradient in gradients.items():
            first, second = self.moments[name]
            table = isinstance(gradient, tuple)
            rows, g = gradient if table else (slice(None), gradient)
            first[rows] = 0.9 * first[rows] + 0.1 * g
            second[rows] = 0.999 * second[rows] + 0.001 * g * g
            moved = (first[rows] / bias1) / (np.sqrt(second[rows] / bias2) + 1e-8)
            decay = TABLE_DECAY if table or name == "skip" else DECAY
            w[name][rows] -= (rate * (moved + decay * w[name][rows])).astype(np.float32)
