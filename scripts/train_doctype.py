"""Fit the page model: which document type a page is of, and whether it begins a document.

    python -m scripts.train_doctype --data DIR [--words DIR] [--out FILE]

DIR holds `labels.jsonl` and the documents, as for `scripts/train_base.py`; the same documents are used,
and the same words are kept. Documents of no shipped type among them, and those of
`scripts/other_documents.py`, are the class "none". Types with documents of fewer than five senders are
not learned: they are told by their phrases, as the types are that people define themselves.

Three things are fitted, in this order: a softmax regression over the words and the shape of a page; the
weights with which its answer and a document's phrases make the document's type; and a small network that
tells whether a page begins a document. Everything printed and kept is out of fold: five folds over
`group`, of the made-up documents over their kind. The same input gives the same file.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track as progress

from alma.datamodel.pages import PageText
from alma.datamodel.schemas import shipped_schemas
from alma.errors import AlmaError
from alma.extraction.classification import boundaries, document_type
from alma.extraction.classification.document_type import Weights
from alma.extraction.classification.page_features import (
    BUCKETS,
    FOLLOWS,
    SHAPE,
    PageFeatures,
    follows,
    matrices,
    page_features,
)
from alma.extraction.classification.page_model import MODEL, NONE
from alma.extraction.page.layout import Layout, arrange
from alma.learning.metrics import calibration_error
from benchmarks import metrics
from benchmarks.labels import FOLDS, fold_of, read_labels, words_of
from scripts import other_documents
from scripts.train_base import MIN_GROUPS, USABLE

OUT = Path(__file__).parent.parent / "layers/alma/alma/data" / MODEL
SEED = 17
#: Documents of each kind that are made up.
EACH = 24
#: Pages of a document that teach its type, and how many of its sequences teach where it goes on.
TYPE_PAGES, SEQUENCES = 4, 15
HIDDEN = 24
#: Penalty on what the words of a page alone say about where documents begin.
DECAY = 2e-4
#: Thresholds tried, in this order.
THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995)
#: Wrong cuts per page that goes on, out of fold, that are allowed when the threshold is chosen.
WRONG_CUTS = 0.001

Array = NDArray[np.float32]


@dataclass
class Example:
    """A document: its pages as numbers, its phrases, and what it is.

    Attributes
    ----------
    kind : str
        A learned type, a type told by phrases, or "none".
    fold : int
        The fold in which it is judged.
    group : str
        Documents of one sender share it.
    """

    id: str
    kind: str
    group: str
    fold: int
    made_up: bool
    pages: list[PageFeatures]
    phrases: dict[str, float]
    rows: list[int] = field(default_factory=list)  # of its pages in the matrices

    @property
    def weight(self) -> float:
        """How much a made-up document counts beside a real one."""
        return 0.3 if self.made_up else 1.0


def example(name: str, kind: str, group: str, pages: Sequence[PageText], made_up: bool) -> Example | None:
    """Return a document as numbers; None where no page of it has words."""
    layouts = best_layouts(pages)
    if not any(layout.words for layout in layouts):
        return None
    return Example(
        name,
        kind,
        group,
        fold_of({"group": group}),
        made_up,
        [page_features(layout) for layout in layouts],
        document_type.type_scores(layouts, shipped_schemas()),
    )


def best_layouts(pages: Sequence[PageText]) -> list[Layout]:
    """Return each page as the track sees it that reads most on it."""
    return [arrange(page) for page in boundaries.best_track(pages)]


def examples_of(data: Path, words: Path, only_kept: bool) -> Iterator[Example]:
    """Yield the labelled documents and the made-up ones."""
    labels = [d for d in read_labels(data) if d["licence_class"] in USABLE]
    if only_kept:
        labels = [d for d in labels if (words / f"{d['id']}.json").exists()]
    for document in progress(labels, "Reading"):
        try:
            text = words_of(document, data, words)
        except AlmaError as error:
            print(f"{document['id']}: {error.detail}", file=sys.stderr)
            continue
        named = document["doc_type"]
        kind = NONE if named in metrics.NO_TYPE else metrics.TYPE_NAMES.get(named, named)
        made = example(document["id"], kind, str(document["group"]), text, made_up=False)
        if made is not None:
            yield made
    for number, (kind, text) in enumerate(other_documents.documents(EACH, SEED)):
        made = example(f"{kind}-{number}", NONE, f"made up {kind}", text, made_up=True)
        if made is not None:
            yield made


class Adam:
    """Gradient steps with momentum and a scale for each parameter."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], rate: float) -> None:
        self.rate, self.steps = rate, 0
        self.mean = [np.zeros(shape, np.float32) for shape in shapes]
        self.square = [np.zeros(shape, np.float32) for shape in shapes]

    def step(self, parameters: Sequence[Array], gradients: Sequence[Array]) -> None:
        """Move the parameters against their gradients, in place."""
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
        """Number the pages of the documents and return their matrices."""
        pages: list[PageFeatures] = []
        for each in examples:
            each.rows = list(range(len(pages), len(pages) + len(each.pages)))
            pages += each.pages
        words, shape, _ = matrices(pages)
        return cls(words, shape)


def softmax(z: Array) -> Array:
    """Return the rows of `z` as probabilities."""
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

    Every page is seen twice, the second time with half of its words, because recognition loses words; and
    some pages with all words replaced by ones that mean nothing: those are of no type.
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
    """A document to tell the type of: what the pages say, what the phrases say, and the truth."""

    name: str
    pages: dict[str, float]
    phrases: dict[str, float]
    truth: str
    weight: float
    fold: int


def case_of(each: Example, model: TypeModel, judged: Array) -> Case:
    """Return a document as the weights see it, its pages judged by `model`."""
    rows = [dict(zip(model.classes, map(float, judged[row]), strict=True)) for row in each.rows]
    return Case(each.id, document_type.page_evidence(rows), each.phrases, each.kind, each.weight, each.fold)


def fit_weights(cases: Sequence[Case]) -> Weights:
    """Return the weights under which the documents' types are most probable, by Nelder and Mead's method."""

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
            further = centre + 2 * (centre - points[-1])
            reached = loss(further)
            tried, found = (further, reached) if reached < found else (tried, found)
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
    """A network of one hidden layer over types and sequence, and a regression over words."""

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
    """Neighbouring pages: rows of both, how the second follows the first, whether it begins a document."""

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
        """Return what the hidden layer takes: types of both pages, how alike those are, the sequence."""
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
    """Fit where documents begin."""
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
    """Write both networks as one ONNX file; what reads them needs to know goes into its metadata."""
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


# --- figures ---------------------------------------------------------------------


@dataclass
class Cuts:
    """Seams found and missed in files."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def figures(self) -> dict[str, float | int]:
        """Return precision and recall."""
        return {
            "right": self.right,
            "wrong": self.wrong,
            "missed": self.missed,
            "precision": round(self.right / max(1, self.right + self.wrong), 4),
            "recall": round(self.right / max(1, self.right + self.missed), 4),
        }


def joined(examples: Sequence[Example], files: int) -> list[list[Example]]:
    """Return random files of two to six documents: of one sender, of one type, and of any."""
    chance = random.Random(SEED)
    made = []
    for number in range(files):
        first = chance.choice(examples)
        pool = [
            [e for e in examples if e.group == first.group],
            [e for e in examples if e.kind == first.kind],
            list(examples),
        ][number % 3]
        if len(pool) >= 2:
            made.append(chance.sample(pool, min(len(pool), chance.randint(2, 6))))
    return made


def pairs_in(file: Sequence[Example]) -> Pairs:
    """Return the sequence of pages of a file of several documents."""
    pairs = Pairs()
    pages = [(each, at) for each in file for at in range(len(each.pages))]
    for (a, at), (b, to) in pairwise(pages):
        pairs.add(a, at, b, to, a is not b)
    return pairs


def cuts_in(pairs: Pairs, chances: Array, features: Sequence[PageFeatures], above: float) -> Cuts:
    """Return how the cuts of `boundaries` in a file compare with its seams."""
    pages = [features[pairs.before[0]], *[features[row] for row in pairs.page]]
    found = set(boundaries.cuts(pages, [0.0, *map(float, chances)], above))
    cuts = Cuts()
    for index, begins in enumerate(pairs.begins, start=1):
        cuts.right += bool(begins) and index in found
        cuts.missed += bool(begins) and index not in found
        cuts.wrong += not begins and index in found
    return cuts


def total(each: Sequence[Cuts]) -> Cuts:
    """Return the sum."""
    return Cuts(sum(c.right for c in each), sum(c.wrong for c in each), sum(c.missed for c in each))


@dataclass(frozen=True)
class FoldModels:
    """The models of the folds: each has seen nothing of the groups it judges."""

    types: list[Array]
    """By fold, the probability of each class for every page, shape (pages, classes)."""
    begins: list[BeginModel]
    """By fold, the model of where documents begin."""
    cases: list[Case]
    """Every document as it is judged out of fold."""


def learned_types(examples: Sequence[Example]) -> list[str]:
    """Return the types with enough groups to learn them."""
    groups: dict[str, set[str]] = {}
    for each in examples:
        groups.setdefault(each.kind, set()).add(each.group)
    return sorted(k for k in groups if k != NONE and len(groups[k]) >= MIN_GROUPS)


def fit_folds(
    examples: Sequence[Example], teaching: Sequence[Example], pages: Pages, classes: list[str]
) -> FoldModels:
    """Return the models of the folds, and every document judged by the one that did not learn from it."""
    fitted = FoldModels([], [], [])
    for fold in range(FOLDS):
        model = fit_types([e for e in teaching if e.fold != fold], pages, classes)
        probabilities = model(pages)
        fitted.cases.extend(case_of(each, model, probabilities) for each in examples if each.fold == fold)
        fitted.types.append(probabilities)
        pairs = pairs_of([e for e in examples if e.fold != fold], fold)
        fitted.begins.append(fit_begins(pages, pairs, probabilities))
        print(f"fold {fold} fitted", flush=True)
    return fitted


def untrained_cases(
    examples: Sequence[Example], teaching: Sequence[Example], pages: Pages, classes: Sequence[str]
) -> list[Case]:
    """Return the documents of each learned type as judged where nobody trained it: by phrases alone."""
    found: list[Case] = []
    for missing in classes:
        if missing == NONE:
            continue
        rest = [name for name in classes if name != missing]
        model = fit_types([e for e in teaching if e.kind != missing], pages, rest)
        probabilities = model(pages)
        found += [case_of(e, model, probabilities) for e in examples if e.kind == missing]
        print(f"without {missing} fitted", flush=True)
    return found


def splitting_figures(examples: Sequence[Example], pages: Pages, models: FoldModels) -> dict[str, Any]:
    """Return the threshold of a cut, the lowest that cuts few enough single documents, and its figures."""
    features = [page for each in examples for page in each.pages]
    real = [e for e in examples if not e.made_up]

    def judge(chosen: Sequence[Example], fold: int) -> tuple[Pairs, Array]:
        pairs = pairs_in(chosen)
        return pairs, models.begins[fold](pages, pairs, models.types[fold])

    single = [judge([e], e.fold) for e in real if len(e.pages) > 1]
    files = [
        judge(file, fold) for fold in range(FOLDS) for file in joined([e for e in real if e.fold == fold], 60)
    ]
    sequences = sum(len(p.begins) for p, _ in single)
    above = 0.5
    for above in THRESHOLDS:
        wrong = total([cuts_in(p, c, features, above) for p, c in single]).wrong
        alone = total([cuts_in(p, c, features, above) for p, c in files])
        print(f"cut above {above}: {wrong} wrong in {sequences} sequences;", alone.figures())
        if wrong <= WRONG_CUTS * sequences:
            break
    return {
        "cut_above": above,
        "single_documents": {
            "documents": len(single),
            "sequences": sequences,
            "wrong_cuts": total([cuts_in(p, c, features, above) for p, c in single]).wrong,
        },
        "joined": total([cuts_in(p, c, features, above) for p, c in files]).figures(),
    }


def main() -> int:
    """Read, fit, report and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--words", type=Path, default=Path(tempfile.gettempdir()) / "alma-words")
    parser.add_argument("--only-kept", action="store_true", help="use the words under --words, read no more")
    parser.add_argument("--folds", type=Path, default=Path(tempfile.gettempdir()) / "alma-folds")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()

    examples = list(examples_of(asked.data, asked.words, asked.only_kept))
    learned = learned_types(examples)
    classes = [*learned, NONE]
    pages = Pages.of(examples)
    teaching = [e for e in examples if e.kind in classes]
    count = sum(len(each.pages) for each in examples)
    print(f"{len(examples)} documents, {count} pages, learned: {', '.join(learned)}")

    models = fit_folds(examples, teaching, pages, classes)
    untrained = untrained_cases(examples, teaching, pages, classes)

    def weights_for(fold: int | None) -> Weights:
        return fit_weights([c for c in [*models.cases, *untrained] if c.fold != fold])

    by_fold = [weights_for(fold) for fold in range(FOLDS)]
    measures = type_figures(models.cases, untrained, by_fold)
    asked.folds.mkdir(parents=True, exist_ok=True)
    out_of_fold = {case.name: judged_type(case, by_fold) for case in models.cases if case.weight == 1.0}
    (asked.folds / "types.json").write_text(json.dumps(out_of_fold, indent=1) + "\n")
    measures["splitting"] = splitting_figures(examples, pages, models)
    print(json.dumps(measures, indent=2))

    types = fit_types(teaching, pages, classes)
    begins = fit_begins(pages, pairs_of(examples, FOLDS), types(pages))
    facts = {
        "classes": classes,
        "weights": weights_for(None).as_dict(),
        "cut_above": measures["splitting"]["cut_above"],
        "out_of_fold": measures,
        "fitted_on": {
            "documents": Counter(sorted(e.kind for e in examples if not e.made_up)),
            "made_up": sum(e.made_up for e in examples),
        },
    }
    write_onnx(asked.out, types, begins, facts)
    print(f"wrote {asked.out}, {asked.out.stat().st_size} bytes")
    return 0


def judged_type(case: Case, weights: Sequence[Weights]) -> tuple[str, float]:
    """Return the type of a document and its probability, told by the models that did not learn from it."""
    probabilities = document_type.combine(case.pages, case.phrases, weights[case.fold])
    best = max(probabilities, key=lambda name: probabilities[name])
    return best, probabilities[best]


def type_figures(
    cases: Sequence[Case], untrained: Sequence[Case], weights: Sequence[Weights]
) -> dict[str, Any]:
    """Return how well types are told, and print what is taken for what."""
    real = [(c, *judged_type(c, weights)) for c in cases if c.weight == 1.0]
    made_up = [(c, *judged_type(c, weights)) for c in cases if c.weight < 1.0]
    alone = [(c, *judged_type(c, weights)) for c in untrained]
    confused = Counter((c.truth, got) for c, got, _ in [*real, *made_up])
    names = sorted({name for pair in confused for name in pair})
    print("\ntruth \\ told".ljust(24) + " ".join(name[:10].rjust(10) for name in names))
    for truth in names:
        print(truth.ljust(23) + " ".join(str(confused[truth, got]).rjust(10) for got in names))
    nothing = [(c, got) for c, got, _ in real if c.truth == NONE]
    return {
        "documents": len(real),
        "accuracy": _share([c.truth == got for c, got, _ in real]),
        "ece": round(calibration_error([(p, c.truth == got) for c, got, p in real]) or 0.0, 4),
        "none_recall": _share([got == NONE for _, got in nothing]),
        "none_documents": len(nothing),
        "made_up_none_recall": _share([got == NONE for _, got, _ in made_up]),
        "untrained_types": {
            "accuracy": _share([c.truth == got for c, got, _ in alone]),
            "taken_for_another": _share([got not in (c.truth, NONE) for c, got, _ in alone]),
        },
    }


def _share(right: Sequence[bool]) -> float:
    return round(sum(right) / max(1, len(right)), 4)


if __name__ == "__main__":
    sys.exit(main())
