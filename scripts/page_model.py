"""The page model: which document type a page is of, and whether it begins a document.

A softmax regression over the words and the shape of a page; the weights that combine its answer with a
document's phrases; and a network of one hidden layer over neighbouring pages. `scripts.train_doctype` fits
and measures them. The same input gives the same file.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alma.extraction.classification import document_type
from alma.extraction.classification.document_type import Weights
from alma.extraction.classification.page_features import (
    BUCKETS,
    FOLLOWS,
    SHAPE,
    PageFeatures,
    follows,
    matrices,
)
from alma.extraction.classification.page_model import NONE

SEED = 17
#: Pages of a document that teach its type, and how many of its sequences teach where it goes on.
TYPE_PAGES, SEQUENCES = 4, 15
HIDDEN = 24
#: L2 penalty on what the words of a page alone say about where documents begin.
DECAY = 2e-4

Array = NDArray[np.float32]


@dataclass
class Example:
    """A document as features, with its type."""

    id: str
    kind: str
    """A learned type, a type recognised by its phrases, or "none"."""
    group: str
    """Documents of one sender share it."""
    fold: int
    """The fold in which it is held out."""
    made_up: bool
    pages: list[PageFeatures]
    phrases: dict[str, float]
    rows: list[int] = field(default_factory=list)
    """Rows of its pages in the matrices."""

    @property
    def weight(self) -> float:
        """Sample weight: a made-up document counts less than a real one."""
        return 0.3 if self.made_up else 1.0


class Adam:
    """The optimiser of Kingma and Ba (2015), with decay rates of 0.9 and 0.99."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], rate: float) -> None:
        self.rate, self.steps = rate, 0
        self.mean = [np.zeros(shape, np.float32) for shape in shapes]
        self.square = [np.zeros(shape, np.float32) for shape in shapes]

    def step(self, parameters: Sequence[Array], gradients: Sequence[Array]) -> None:
        """Update the parameters in place."""
        self.steps += 1
        for p, g, m, v in zip(parameters, gradients, self.mean, self.square, strict=True):
            m += 0.1 * (g - m)
            v += 0.01 * (g * g - v)
            p -= self.rate * (m / (1 - 0.9**self.steps)) / (np.sqrt(v / (1 - 0.99**self.steps)) + 1e-8)


@dataclass
class Pages:
    """All pages of all documents, one row each, with the matrices they share."""

    words: Array
    shape: Array

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Pages:
        """Assign rows to the pages of the documents and return their matrices."""
        pages: list[PageFeatures] = []
        for each in examples:
            each.rows = list(range(len(pages), len(pages) + len(each.pages)))
            pages += each.pages
        words, shape, _ = matrices(pages)
        return cls(words, shape)


def softmax(z: Array) -> Array:
    """Return the softmax of each row of `z`."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True), np.float32)


@dataclass
class TypeModel:
    """Softmax regression over the words and the shape of a page."""

    classes: list[str]
    words: Array
    shape: Array
    bias: Array

    def __call__(self, pages: Pages) -> Array:
        """Return the probability of each class for each page."""
        return softmax(pages.words @ self.words + pages.shape @ self.shape + self.bias)


def fit_types(examples: Sequence[Example], pages: Pages, classes: list[str]) -> TypeModel:
    """Fit the types on the first pages of `examples`.

    Data augmentation: every page a second time with half of its words, because recognition loses words, and
    some pages with random words, which are of no type.
    """
    chance = np.random.default_rng(SEED)
    rows, targets, weights = [], [], []
    counts = Counter(e.kind for e in examples if not e.made_up)
    for each in examples:
        for row in each.rows[:TYPE_PAGES]:
            rows.append(row)
            targets.append(classes.index(each.kind))
            balance = 1.0 if each.kind == NONE else (100 / counts[each.kind]) ** 0.5
            weights.append(each.weight * balance / min(len(each.rows), TYPE_PAGES))
    x, shape = pages.words[rows], pages.shape[rows]
    thinned = x * (chance.random(x.shape) < 0.5)
    thinned /= np.maximum(np.linalg.norm(thinned, axis=1, keepdims=True), 1e-6)
    strange = list(range(0, len(rows), 6))
    nonsense = np.zeros((len(strange), BUCKETS), np.float32)
    for at, source in enumerate(strange):
        filled = int(np.count_nonzero(x[source]))
        nonsense[at, chance.choice(BUCKETS, filled, replace=False)] = 1 / max(filled, 1) ** 0.5
    x = np.concatenate([x, thinned, nonsense])
    shape = np.concatenate([shape, shape, shape[strange]])
    target = np.zeros((len(x), len(classes)), np.float32)
    target[np.arange(len(x)), [*targets, *targets, *[classes.index(NONE)] * len(strange)]] = 1
    weight = np.array([*weights, *weights, *[0.1] * len(strange)], np.float32)[:, None]
    weight /= weight.sum()
    model = TypeModel(
        classes,
        np.zeros((BUCKETS, len(classes)), np.float32),
        np.zeros((SHAPE, len(classes)), np.float32),
        np.zeros(len(classes), np.float32),
    )
    parameters = [model.words, model.shape, model.bias]
    adam = Adam([p.shape for p in parameters], 0.05)
    for _ in range(150):
        error = (softmax(x @ model.words + shape @ model.shape + model.bias) - target) * weight
        adam.step(
            parameters,
            [
                x.T @ error + 2e-6 * model.words,
                shape.T @ error + 2e-4 * model.shape,
                error.sum(axis=0),
            ],
        )
    return model


# --- from pages to the document's type ------------------------------------------


@dataclass(frozen=True)
class Case:
    """A document to classify: evidence of the pages, evidence of the phrases, and the truth."""

    name: str
    pages: dict[str, float]
    phrases: dict[str, float]
    truth: str
    weight: float
    fold: int


def case_of(each: Example, model: TypeModel, judged: Array) -> Case:
    """Return a document with the evidence of its pages by `model`."""
    rows = [dict(zip(model.classes, map(float, judged[row]), strict=True)) for row in each.rows]
    return Case(each.id, document_type.page_evidence(rows), each.phrases, each.kind, each.weight, each.fold)


def fit_weights(cases: Sequence[Case]) -> Weights:
    """Fit the weights by maximum likelihood with the simplex method of Nelder and Mead (1965)."""

    def loss(values: NDArray[np.float64]) -> float:
        weights = Weights(*map(float, values))
        total = 0.0
        for case in cases:
            probabilities = document_type.combine(case.pages, case.phrases, weights)
            total -= case.weight * float(np.log(max(probabilities.get(case.truth, 0.0), 1e-9)))
        return total / len(cases) + 1e-3 * float(values @ values)

    points = [np.array([0.8, 0.8, 1.0, 1.0, 0.5])]
    points += [points[0] + 0.4 * np.eye(5)[i] for i in range(5)]
    values = [loss(p) for p in points]
    for _ in range(120):
        order = np.argsort(values, kind="stable")
        points, values = [points[i] for i in order], [values[i] for i in order]
        centre = np.mean(points[:-1], axis=0)
        tried = centre + (centre - points[-1])
        found = loss(tried)
        if found < values[0]:
            expanded = centre + 2 * (centre - points[-1])
            expanded_loss = loss(expanded)
            if expanded_loss < found:
                tried, found = expanded, expanded_loss
        elif found >= values[-2]:
            tried = centre + 0.5 * (points[-1] - centre)
            found = loss(tried)
            if found >= values[-1]:
                points = [points[0], *[points[0] + 0.5 * (p - points[0]) for p in points[1:]]]
                values = [values[0], *[loss(p) for p in points[1:]]]
                continue
        points[-1], values[-1] = tried, found
    best = points[int(np.argmin(values))]
    return Weights(*(round(float(v), 4) for v in best))


# --- where documents begin -------------------------------------------------------


@dataclass
class BeginModel:
    """A network of one hidden layer over types and sequence, plus a logistic regression over words."""

    words: Array
    hidden: Array
    hidden_bias: Array
    out: Array
    bias: Array
    scale: Array

    def __call__(self, pages: Pages, pairs: Pairs, types: Array) -> Array:
        """Return for each pair the probability that its second page begins a document."""
        h = np.tanh(pairs.inputs(types) * self.scale @ self.hidden + self.hidden_bias)
        z = (pages.words @ self.words)[pairs.page] + h @ self.out + self.bias
        return np.asarray(1 / (1 + np.exp(-z)), np.float32)


@dataclass
class Pairs:
    """Pairs of neighbouring pages: rows, features of the sequence, whether the second begins a document."""

    before: list[int] = field(default_factory=list)
    page: list[int] = field(default_factory=list)
    follows: list[tuple[float, ...]] = field(default_factory=list)
    begins: list[float] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)

    def add(self, a: Example, at: int, b: Example, to: int, begins: bool, weight: float = 1.0) -> None:
        """Add page `to` of `b` after page `at` of `a`."""
        self.before.append(a.rows[at])
        self.page.append(b.rows[to])
        self.follows.append(follows(a.pages[at], b.pages[to]))
        self.begins.append(float(begins))
        self.weight.append(weight)

    def inputs(self, types: Array) -> Array:
        """Return the inputs of the hidden layer: types of both pages, their dot product, the sequence."""
        mine, theirs = types[self.page], types[self.before]
        alike = (mine * theirs).sum(axis=1, keepdims=True)
        return np.concatenate([mine, theirs, alike, np.array(self.follows, np.float32)], axis=1)


def pairs_of(examples: Sequence[Example], seed: int) -> Pairs:
    """Return the sequences inside the documents, and random ones across them.

    A batch that somebody scans is of one kind more often than not: two thirds of the seams are between
    documents of one type, half of those of one sender where it has several.
    """
    chance = random.Random(seed)
    pairs = Pairs()
    for each in examples:
        inside = list(range(1, len(each.pages)))
        for at in inside if len(inside) <= SEQUENCES else sorted(chance.sample(inside, SEQUENCES)):
            pairs.add(each, at - 1, each, at, False, 3.0 if not each.made_up else 1.0)
    by_kind: dict[str, list[Example]] = {}
    by_group: dict[str, list[Example]] = {}
    for each in examples:
        by_kind.setdefault(each.kind, []).append(each)
        by_group.setdefault(each.group, []).append(each)
    for each in examples:
        for _ in range(3):
            roll = chance.random()
            pool = examples if roll < 0.33 else by_kind[each.kind] if roll < 0.67 else by_group[each.group]
            other = pool[chance.randrange(len(pool))]
            if other is not each:
                pairs.add(other, -1, each, 0, True, each.weight)
    return pairs


def fit_begins(pages: Pages, pairs: Pairs, types: Array) -> BeginModel:
    """Fit the network that finds where documents begin."""
    chance = np.random.default_rng(SEED)
    x = pairs.inputs(types)
    scale = (1 / np.maximum(x.std(axis=0), 0.1)).astype(np.float32)
    x = x * scale
    model = BeginModel(
        np.zeros(BUCKETS, np.float32),
        (chance.standard_normal((x.shape[1], HIDDEN)) * 0.2).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        np.zeros(HIDDEN, np.float32),
        np.zeros(1, np.float32),
        scale,
    )
    words = pages.words[pairs.page]
    target = np.array(pairs.begins, np.float32)
    weight = np.array(pairs.weight, np.float32)
    weight /= weight.sum()
    parameters = [model.words, model.hidden, model.hidden_bias, model.out, model.bias]
    adam = Adam([p.shape for p in parameters], 0.02)
    for _ in range(250):
        h = np.tanh(x @ model.hidden + model.hidden_bias)
        p = 1 / (1 + np.exp(-(words @ model.words + h @ model.out + model.bias)))
        error = ((p - target) * weight).astype(np.float32)
        back = np.outer(error, model.out) * (1 - h * h)
        adam.step(
            parameters,
            [
                words.T @ error + DECAY * model.words,
                x.T @ back + 1e-4 * model.hidden,
                back.sum(axis=0),
                h.T @ error + 1e-4 * model.out,
                error.sum(keepdims=True),
            ],
        )
    return model


# --- the file --------------------------------------------------------------------


def write_onnx(path: Path, types: TypeModel, begins: BeginModel, facts: dict[str, Any]) -> None:
    """Write both networks as one ONNX file; `facts` become its metadata."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, value: Array, kind: type = np.float32) -> Any:
        return numpy_helper.from_array(np.ascontiguousarray(value, dtype=kind), name)

    node = helper.make_node
    size = len(types.classes)
    graph = helper.make_graph(
        [
            node("Cast", ["words.types.half"], ["words.types"], to=TensorProto.FLOAT),
            node("MatMul", ["words", "words.types"], ["z.words"]),
            node("MatMul", ["shape", "shape.types"], ["z.shape"]),
            node("Sum", ["z.words", "z.shape", "bias.types"], ["z"]),
            node("Softmax", ["z"], ["types"], axis=1),
            # The page before each page; the first page has itself before it, and nobody looks at its answer.
            node("Slice", ["types", "zero", "one", "zero"], ["types.first"]),
            node("Slice", ["types", "zero", "last", "zero"], ["types.rest"]),
            node("Concat", ["types.first", "types.rest"], ["types.before"], axis=0),
            node("Mul", ["types", "types.before"], ["types.shared"]),
            node("ReduceSum", ["types.shared", "one"], ["types.alike"], keepdims=1),
            node("Concat", ["types", "types.before", "types.alike", "follows"], ["x"], axis=1),
            node("Mul", ["x", "scale"], ["x.scaled"]),
            node("MatMul", ["x.scaled", "hidden"], ["h.raw"]),
            node("Add", ["h.raw", "hidden.bias"], ["h.biased"]),
            node("Tanh", ["h.biased"], ["h"]),
            node("MatMul", ["h", "out"], ["b.hidden"]),
            node("Cast", ["words.begins.half"], ["words.begins"], to=TensorProto.FLOAT),
            node("MatMul", ["words", "words.begins"], ["b.words"]),
            node("Sum", ["b.hidden", "b.words", "bias.begins"], ["b"]),
            node("Sigmoid", ["b"], ["begins"]),
        ],
        "page",
        [
            helper.make_tensor_value_info("words", TensorProto.FLOAT, ["pages", BUCKETS]),
            helper.make_tensor_value_info("shape", TensorProto.FLOAT, ["pages", SHAPE]),
            helper.make_tensor_value_info("follows", TensorProto.FLOAT, ["pages", FOLLOWS]),
        ],
        [
            helper.make_tensor_value_info("types", TensorProto.FLOAT, ["pages", size]),
            helper.make_tensor_value_info("begins", TensorProto.FLOAT, ["pages", 1]),
        ],
        [
            constant("words.types.half", types.words, np.float16),
            constant("shape.types", types.shape),
            constant("bias.types", types.bias),
            constant("scale", begins.scale),
            constant("hidden", begins.hidden),
            constant("hidden.bias", begins.hidden_bias),
            constant("out", begins.out[:, None]),
            constant("words.begins.half", begins.words[:, None], np.float16),
            constant("bias.begins", begins.bias),
            constant("zero", np.array([0]), np.int64),
            constant("one", np.array([1]), np.int64),
            constant("last", np.array([-1]), np.int64),
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="alma", ir_version=8
    )
    helper.set_model_props(model, {name: json.dumps(value) for name, value in facts.items()})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
