"""Splitting: documents torn and seams missed, on labelled documents left whole and joined.

    python -m benchmarks.splitting --data DIR --words DIR [--cross-validated] [--folds 0,1,2,3] [--seed N]

DIR is a labelled folder, as for `scripts/train_base.py`; only documents whose words are kept under --words
(in the format of `scripts/train_doctype.py`) are used. Every document of several pages is a file that must
stay whole. Files of two and of ten documents are joined at random, of one group (a sender, a template), of
one type, and of all; a group with fewer documents than that gives smaller files. How files are divided is
`alma.extraction.classification.boundaries`, as in use.

`--cross-validated` fits the page model anew for each fold, so that no document is judged by a model that
has seen its group; without it, it is the model that comes with alma, which has seen the documents it was
fitted on. `--folds` names the folds that are measured, `--misses` prints what went wrong.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rich.progress import track as progress

from alma.extraction.classification import boundaries
from alma.extraction.classification.boundaries import Page
from alma.extraction.classification.page_model import NONE, PageJudgement, facts, judge
from alma.extraction.classification.page_signs import PageSigns, page_signs
from alma.extraction.page.layout import arrange
from scripts import other_documents
from scripts.labelled.labels import FOLDS, read_labels, words_of
from scripts.labelled.metrics import NO_TYPE, TYPE_NAMES
from scripts.page_model import SEED, Example, Pages, Pairs, fit_begins, fit_types, pairs_of
from scripts.train_doctype import EACH, example, learned_types

#: Joined files of each kind and fold, and their documents.
FILES, SIZES = 40, (2, 10)


@dataclass(frozen=True, slots=True)
class Paper:
    """A labelled document: what `boundaries` looks at, page by page."""

    example: Example
    signs: list[PageSigns]

    @property
    def begins(self) -> int:
        """Its first page that says something, 0 for the first."""
        return next(at for at, sign in enumerate(self.signs) if sign.speaks)


#: Returns what the page model says of the pages of a file that say something.
Judge = Callable[[Sequence[tuple[Paper, int]]], list[PageJudgement]]


def shipped(pages: Sequence[tuple[Paper, int]]) -> list[PageJudgement]:
    """Judge by the model that comes with alma."""
    return judge([paper.example.pages[at] for paper, at in pages])


def cross_validated(examples: Sequence[Example], measured: Sequence[int]) -> dict[int, Judge]:
    """Return by fold a judge that has seen nothing of it."""
    pages = Pages.of(examples)
    classes = [*learned_types(examples), NONE]

    def fitted(fold: int) -> Judge:
        others = [each for each in examples if each.fold != fold]
        types = fit_types([each for each in others if each.kind in classes], pages, classes)(pages)
        begins = fit_begins(pages, pairs_of(others, fold), types)

        def judge_file(file: Sequence[tuple[Paper, int]]) -> list[PageJudgement]:
            own = [(paper.example, at) for paper, at in file]
            rows = [dict(zip(classes, map(float, types[each.rows[at]]), strict=True)) for each, at in own]
            pairs = Pairs()
            for (a, at), (b, to) in pairwise(own):
                pairs.add(a, at, b, to, begins=False)
            chances = [float(each) for each in begins(pages, pairs, types)] if len(own) > 1 else []
            return [PageJudgement(row, p) for row, p in zip(rows, [0.0, *chances], strict=True)]

        return judge_file

    return {fold: fitted(fold) for fold in progress(measured, "Fitting")}


def papers(data: Path, words: Path) -> Iterator[Paper]:
    """Yield the labelled documents whose words are kept."""
    rows = [row for row in read_labels(data) if (words / f"{row['id']}.json").exists()]
    for row in progress(rows, "Reading"):
        pages, named = words_of(row, data, words), row["doc_type"]
        kind = NONE if named in NO_TYPE else TYPE_NAMES.get(named, named)
        made = example(row["id"], kind, str(row["group"]), pages, made_up=False)
        signs = [page_signs(arrange(page)) for page in boundaries.best_track(pages)]
        if made is not None and any(sign.speaks for sign in signs):
            yield Paper(made, signs)


def made_up() -> Iterator[Example]:
    """Yield documents of no type, to learn from."""
    for number, (kind, pages) in enumerate(other_documents.documents(EACH, SEED)):
        made = example(f"{kind}-{number}", NONE, f"made up {kind}", pages, made_up=True)
        if made is not None:
            yield made


def divided(file: Sequence[Paper], judged_by: Judge) -> set[tuple[int, int]]:
    """Return where `boundaries` cuts a file: (document, page) of the pages after a cut."""
    pages = [(paper, at) for paper in file for at in range(len(paper.signs))]
    judged = iter(judged_by([(paper, at) for paper, at in pages if paper.signs[at].speaks]))
    seen = [
        Page(
            paper.example.pages[at],
            paper.signs[at],
            next(judged) if paper.signs[at].speaks else PageJudgement({}, 0.0),
        )
        for paper, at in pages
    ]
    where = [(number, at) for number, paper in enumerate(file) for at in range(len(paper.signs))]
    return {where[at] for at in boundaries.cuts(seen, float(facts()["cut_above"]))}


def joined(own: Sequence[Paper], size: int, chance: random.Random) -> Iterator[tuple[str, list[Paper]]]:
    """Yield files of several documents, with what they have in common."""
    for name, key in (("of one group", "group"), ("of one type", "kind"), ("of all", "")):
        for _ in range(FILES):
            first = chance.choice(own)
            pool = [
                each for each in own if not key or getattr(each.example, key) == getattr(first.example, key)
            ]
            if len(pool) > 1:
                yield name, chance.sample(pool, min(len(pool), size))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--cross-validated", action="store_true")
    parser.add_argument("--folds", default=",".join(map(str, range(FOLDS))))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    measured = [int(fold) for fold in options.folds.split(",")]
    found = list(papers(options.data, options.words))
    judges: dict[int, Judge] = dict.fromkeys(measured, shipped)
    if options.cross_validated:
        judges = cross_validated([*(paper.example for paper in found), *made_up()], measured)
    report(found, judges, options.seed, options.misses)
    return 0


def report(found: Sequence[Paper], judges: dict[int, Judge], seed: int, misses: bool) -> None:
    """Print the figures: documents torn by type, seams missed by what the joined documents have in common."""
    whole: Counter[str] = Counter()
    torn: Counter[str] = Counter()
    seams: Counter[tuple[str, int]] = Counter()
    missed: Counter[tuple[str, int]] = Counter()
    kinds: Counter[tuple[str, bool]] = Counter()
    inside = 0
    for fold, judged_by in judges.items():
        own = [paper for paper in found if paper.example.fold == fold]
        for paper in own:
            if len(paper.signs) > 1:
                cut = divided([paper], judged_by)
                whole[paper.example.kind] += 1
                torn[paper.example.kind] += bool(cut)
                if cut and misses:
                    pages = sorted(at + 1 for _, at in cut)
                    print(f"torn {paper.example.kind} {paper.example.id} before pages {pages}")
        chance = random.Random(seed + fold)  # a draw, no secret
        for size in SIZES:
            for name, file in joined(own, size, chance):
                cut = divided(file, judged_by)
                right = {(number, paper.begins) for number, paper in enumerate(file) if number}
                seams[name, size] += len(right)
                missed[name, size] += len(right - cut)
                inside += len(cut - right)
                for number, at in right:
                    kinds[file[number].example.kind, (number, at) in cut] += 1
    total = sum(whole.values())
    print(f"torn: {sum(torn.values())} of {total} documents of several pages", dict(torn))
    for (name, size), count in sorted(seams.items()):
        print(f"missed, files of up to {size} {name}: {missed[name, size]} of {count} seams")
    print(f"missed in all: {sum(missed.values())} of {sum(seams.values())} seams")
    print(f"cut elsewhere in joined files: {inside}")
    for kind in sorted({kind for kind, _ in kinds}):
        print(f"  before {kind}: {kinds[kind, False]} of {kinds[kind, False] + kinds[kind, True]} missed")


if __name__ == "__main__":
    sys.exit(main())
