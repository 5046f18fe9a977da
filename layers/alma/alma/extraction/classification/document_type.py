"""Which document type a document is: what its pages look like, and the phrases that stand on them.

Two sources of evidence. The page model (`page_model`) knows the types it was trained on, and what is none of
them. The phrases of a schema (`keywords`) also tell the types that nobody trained, those people define
themselves: such a type competes with what the model thinks is nothing it knows. The weights of the two were
fitted together, so that the probability of the type that wins is its confidence.

Handwriting, registers, letters and articles come out as None: no type is better than a wrong one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from alma.datamodel.schemas import DocumentSchema
from alma.extraction.classification.page_features import page_features
from alma.extraction.classification.page_model import NONE, facts, judge
from alma.extraction.page.labels import Label, Lexicon
from alma.extraction.page.layout import Layout

#: Pages looked at, and what each counts: what a document is stands at its beginning.
PAGES = 3
_PAGE_WEIGHTS = (1.0, 0.5, 0.25)
#: Phrases beyond this much evidence say nothing new.
ENOUGH = 8.0
#: No page is surer than this, neither way: the model has not seen everything.
_FLOOR = 0.005
#: A confidence is never stated as certain.
_CEILING = 0.999


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each source of evidence counts; fitted by `scripts/train_doctype.py`."""

    pages: float
    """Of the logarithm of the page model's probability."""
    phrases: float
    """Of the phrases of a type it was trained on."""
    nothing: float
    """What speaks for no type before anything is looked at."""
    own_phrases: float
    """Of the phrases of a type it was not trained on."""
    own: float
    """What speaks against such a type before anything is looked at."""

    def as_dict(self) -> dict[str, float]:
        """Return the form stored in the model's metadata."""
        return asdict(self)


@lru_cache(maxsize=1)
def _weights() -> Weights:
    return Weights(**facts()["weights"])


@lru_cache(maxsize=16)
def _lexicon(schemas: tuple[DocumentSchema, ...]) -> tuple[Lexicon, dict[str, int]]:
    phrases: dict[str, list[Label]] = {}
    owners: dict[str, int] = {}
    for schema in schemas:
        for phrase in schema.phrases:
            phrases.setdefault(phrase, []).append(Label(schema.doc_type, 0))
    lexicon = Lexicon.of(phrases)
    for squashed, labels in lexicon.phrases.items():
        owners[squashed] = len({label.key for label in labels})
    return lexicon, owners


def type_scores(layouts: Sequence[Layout], schemas: Mapping[str, DocumentSchema]) -> dict[str, float]:
    """Return the evidence for each document type: distinct phrases found, shared ones counted in part.

    A phrase of more words says more: each counts its number of words, at most three, in half steps.
    """
    lexicon, owners = _lexicon(tuple(schemas.values()))
    scores = dict.fromkeys(schemas, 0.0)
    seen: set[str] = set()
    for layout in layouts[:PAGES]:
        for hit in lexicon.hits(layout):
            words = layout.words[hit.start : hit.end]
            phrase = "".join(lexicon.squash(w.text) for w in words)
            if phrase in seen:
                continue
            seen.add(phrase)
            weight = (0.5 + 0.5 * min(len(words), 3)) / owners.get(phrase, 1)
            for label in hit.labels:
                scores[label.key] += weight * (0.7 if hit.fuzzy else 1.0)
    return scores


def page_evidence(pages: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean logarithm of each class' probability over a document's first pages, the first most."""
    used = list(zip(pages[:PAGES], _PAGE_WEIGHTS, strict=False))
    share = sum(weight for _, weight in used)
    return {
        name: sum(weight * math.log(max(page[name], _FLOOR)) for page, weight in used) / share
        for name in pages[0]
    }


def combine(pages: Mapping[str, float], phrases: Mapping[str, float], weights: Weights) -> dict[str, float]:
    """Return the probability of each type that has phrases, and of `NONE`.

    Parameters
    ----------
    pages : mapping
        What `page_evidence` returns.
    phrases : mapping
        What `type_scores` returns: the types there are.
    weights : Weights
        How much each counts.
    """
    nothing = weights.pages * pages[NONE]
    logits = {NONE: nothing + weights.nothing}
    for name, found in phrases.items():
        evidence = min(found, ENOUGH)
        if name in pages:
            logits[name] = weights.pages * pages[name] + weights.phrases * evidence
        else:
            logits[name] = nothing + weights.own_phrases * evidence - weights.own
    most = max(logits.values())
    shares = {name: math.exp(logit - most) for name, logit in logits.items()}
    whole = sum(shares.values())
    return {name: share / whole for name, share in shares.items()}


def document_type(
    layouts: Sequence[Layout], schemas: Mapping[str, DocumentSchema]
) -> tuple[str | None, float | None]:
    """Return the document type and the probability that it is right, or (None, None) where none fits."""
    first = layouts[:PAGES]
    if not any(layout.words for layout in first) or not schemas:
        return None, None
    judged = judge([page_features(layout) for layout in first])
    evidence = page_evidence([page.types for page in judged])
    probabilities = combine(evidence, type_scores(first, schemas), _weights())
    best = max(probabilities, key=lambda name: probabilities[name])
    if best == NONE:
        return None, None
    return best, round(min(probabilities[best], _CEILING), 3)
