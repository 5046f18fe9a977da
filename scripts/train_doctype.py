"""Fit the page model: which document type a page is of, and whether it begins a document.

    python -m scripts.train_doctype --data DIR [--words DIR] [--out FILE]

DIR holds `labels.jsonl` and the documents, as for `scripts/train_base.py`; the same documents are used,
and the same cache of words. Documents of no shipped type among them, and those of
`scripts/other_documents.py`, are the class "none". Types with documents of fewer than five senders are
not learned: they are recognised by their phrases, as the types are that people define themselves.

What is fitted: `scripts.page_model`. All figures are out of fold: five folds over `group`, of the made-up
documents over their kind.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.progress import track as progress

from alma.datamodel.pages import PageText
from alma.datamodel.schemas import shipped_schemas
from alma.errors import AlmaError
from alma.extraction.classification import boundaries, document_type
from alma.extraction.classification.boundaries import Page
from alma.extraction.classification.document_type import Weights
from alma.extraction.classification.page_features import PageFeatures, page_features
from alma.extraction.classification.page_model import MODEL, NONE, PageJudgement
from alma.extraction.classification.page_signs import NO_SIGNS
from alma.extraction.page.layout import Layout, arrange
from alma.learning.metrics import calibration_error
from scripts import other_documents
from scripts.labelled import metrics
from scripts.labelled.labels import FOLDS, fold_of, read_labels, words_of
from scripts.page_model import (
    SEED,
    Array,
    BeginModel,
    Case,
    Example,
    Pages,
    Pairs,
    case_of,
    fit_begins,
    fit_types,
    fit_weights,
    pairs_of,
    write_onnx,
)
from scripts.train_base import MIN_GROUPS, USABLE

OUT = Path(__file__).parent.parent / "layers/alma/alma/data" / MODEL
#: Documents of each kind that are made up.
EACH = 24
#: Thresholds tried, in this order.
THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995)
#: Wrong cuts per page that goes on, out of fold, that are allowed when the threshold is chosen.
WRONG_CUTS = 0.001


def example(name: str, kind: str, group: str, pages: Sequence[PageText], made_up: bool) -> Example | None:
    """Return a document as features; None where no page of it has words."""
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
    """Return the layout of each page by the track that reads most on it."""
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


# --- figures ---------------------------------------------------------------------


@dataclass
class Cuts:
    """Counts of cuts between the documents of files."""

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
    """Compare the cuts of `boundaries` in a file with where its documents begin."""
    rows = [pairs.before[0], *pairs.page]
    pages = [
        Page(features[row], NO_SIGNS, PageJudgement({}, chance))
        for row, chance in zip(rows, [0.0, *map(float, chances)], strict=True)
    ]
    found = set(boundaries.cuts(pages, above))
    cuts = Cuts()
    for index, begins in enumerate(pairs.begins, start=1):
        cuts.right += bool(begins) and index in found
        cuts.missed += bool(begins) and index not in found
        cuts.wrong += not begins and index in found
    return cuts


def total(each: Sequence[Cuts]) -> Cuts:
    """Return the sum."""
    return Cuts(sum(c.right for c in each), sum(c.wrong for c in each), sum(c.missed for c in each))


@dataclass(frozen=True, slots=True)
class Folds:
    """Out of fold: for each fold the models that have seen nothing of its groups, and what they say.

    Attributes
    ----------
    types : list of array
        What the page types' model of a fold makes of every page.
    begins : list of BeginModel
        Where documents begin, fitted without the fold.
    cases : list of Case
        Every document, judged by the models of its own fold.
    """

    types: list[Array]
    begins: list[BeginModel]
    cases: list[Case]


def fit_folds(examples: Sequence[Example], pages: Pages, classes: list[str]) -> Folds:
    """Fit types and beginnings without each fold, and judge its documents."""
    folds = Folds([], [], [])
    for fold in range(FOLDS):
        others = [e for e in examples if e.fold != fold]
        model = fit_types([e for e in others if e.kind in classes], pages, classes)
        probabilities = model(pages)
        folds.cases.extend(case_of(e, model, probabilities) for e in examples if e.fold == fold)
        folds.types.append(probabilities)
        folds.begins.append(fit_begins(pages, pairs_of(others, fold), probabilities))
        print(f"fold {fold} fitted", flush=True)
    return folds


def untrained_cases(examples: Sequence[Example], pages: Pages, classes: list[str]) -> list[Case]:
    """Return the documents of each type as a model sees them that was never taught it: by phrases alone."""
    cases = []
    for missing in classes:
        if missing == NONE:
            continue
        rest = [name for name in classes if name != missing]
        model = fit_types([e for e in examples if e.kind in rest], pages, rest)
        probabilities = model(pages)
        cases += [case_of(e, model, probabilities) for e in examples if e.kind == missing]
        print(f"without {missing} fitted", flush=True)
    return cases


def choose_threshold(
    examples: Sequence[Example], pages: Pages, features: Sequence[PageFeatures], folds: Folds
) -> tuple[float, dict[str, Any]]:
    """Return the first threshold that cuts few enough single documents, and how files are split with it."""

    def judge(file: Sequence[Example], fold: int) -> tuple[Pairs, Array]:
        pairs = pairs_in(file)
        return pairs, folds.begins[fold](pages, pairs, folds.types[fold])

    def cut(judged: Sequence[tuple[Pairs, Array]], above: float) -> Cuts:
        return total([cuts_in(pairs, chances, features, above) for pairs, chances in judged])

    real = [e for e in examples if not e.made_up]
    single = [judge([e], e.fold) for e in real if len(e.pages) > 1]
    files = [
        judge(file, fold) for fold in range(FOLDS) for file in joined([e for e in real if e.fold == fold], 60)
    ]
    sequences = sum(len(p.begins) for p, _ in single)
    above = 0.5
    for above in THRESHOLDS:
        wrong = cut(single, above).wrong
        print(f"cut above {above}: {wrong} wrong in {sequences} sequences;", cut(files, above).figures())
        if wrong <= WRONG_CUTS * sequences:
            break
    return above, {
        "cut_above": above,
        "single_documents": {
            "documents": len(single),
            "sequences": sequences,
            "wrong_cuts": cut(single, above).wrong,
        },
        "joined": cut(files, above).figures(),
    }


def learned_types(examples: Sequence[Example]) -> list[str]:
    """Return the types with documents of enough senders."""
    groups: dict[str, set[str]] = {}
    for each in examples:
        groups.setdefault(each.kind, set()).add(each.group)
    return sorted(kind for kind in groups if kind != NONE and len(groups[kind]) >= MIN_GROUPS)


def main() -> int:
    """Read, fit, report and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--words", type=Path, default=Path(tempfile.gettempdir()) / "alma-words")
    parser.add_argument("--only-kept", action="store_true", help="use the words under --words, read no more")
    parser.add_argument("--folds", type=Path, default=Path(tempfile.gettempdir()) / "alma-folds")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()

    examples = list(examples_of(options.data, options.words, options.only_kept))
    learned = learned_types(examples)
    classes = [*learned, NONE]
    pages = Pages.of(examples)
    features = [page for each in examples for page in each.pages]
    print(f"{len(examples)} documents, {len(features)} pages, learned: {', '.join(learned)}")

    folds = fit_folds(examples, pages, classes)
    untrained = untrained_cases(examples, pages, classes)

    def weights_for(fold: int | None) -> Weights:
        return fit_weights([c for c in [*folds.cases, *untrained] if c.fold != fold])

    by_fold = [weights_for(fold) for fold in range(FOLDS)]
    measures = type_figures(folds.cases, untrained, by_fold)
    options.folds.mkdir(parents=True, exist_ok=True)
    out_of_fold = {case.name: classified(case, by_fold) for case in folds.cases if case.weight == 1.0}
    (options.folds / "types.json").write_text(json.dumps(out_of_fold, indent=1) + "\n")

    above, measures["splitting"] = choose_threshold(examples, pages, features, folds)
    print(json.dumps(measures, indent=2))

    types = fit_types([e for e in examples if e.kind in classes], pages, classes)
    begins = fit_begins(pages, pairs_of(examples, FOLDS), types(pages))
    facts = {
        "classes": classes,
        "weights": weights_for(None).as_dict(),
        "cut_above": above,
        "out_of_fold": measures,
        "fitted_on": {
            "documents": Counter(sorted(e.kind for e in examples if not e.made_up)),
            "made_up": sum(e.made_up for e in examples),
        },
    }
    write_onnx(options.out, types, begins, facts)
    print(f"wrote {options.out}, {options.out.stat().st_size} bytes")
    return 0


def classified(case: Case, weights: Sequence[Weights]) -> tuple[str, float]:
    """Return the type of a document and its probability, by the models that did not learn from it."""
    probabilities = document_type.combine(case.pages, case.phrases, weights[case.fold])
    best = max(probabilities, key=lambda name: probabilities[name])
    return best, probabilities[best]


def type_figures(
    cases: Sequence[Case], untrained: Sequence[Case], weights: Sequence[Weights]
) -> dict[str, Any]:
    """Return the figures of classification, and print the confusion matrix."""
    real = [(c, *classified(c, weights)) for c in cases if c.weight == 1.0]
    made_up = [(c, *classified(c, weights)) for c in cases if c.weight < 1.0]
    alone = [(c, *classified(c, weights)) for c in untrained]
    confused = Counter((c.truth, got) for c, got, _ in [*real, *made_up])
    names = sorted({name for pair in confused for name in pair})
    print("\ntruth \\ found".ljust(24) + " ".join(name[:10].rjust(10) for name in names))
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
