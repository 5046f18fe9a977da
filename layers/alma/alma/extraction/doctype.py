"""Which document type a document is: by the phrases that tell it from the others.

Every schema names its phrases (`keywords`). A document is of the type most of whose phrases stand on its
first pages; phrases that several types share count less, and a document with too few phrases of any type
is of none. Handwriting, registers and photographs come out as None: no type is better than a wrong one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

from alma.extraction.labels import Label, Lexicon
from alma.extraction.layout import Layout
from alma.schemas import DocumentSchema

#: Pages looked at: what a document is stands at its beginning.
PAGES = 3
#: Evidence below which a document is of no type.
THRESHOLD = 2.0


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


def document_type(
    layouts: Sequence[Layout], schemas: Mapping[str, DocumentSchema]
) -> tuple[str | None, float | None]:
    """Return the document type and how sure that is, or (None, None) where no type has enough evidence.

    The confidence is a logistic function of the lead over the second type and over the threshold.
    """
    scores = type_scores(layouts, schemas)
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    if not ranked or ranked[0][1] < THRESHOLD:
        return None, None
    second = ranked[1][1] if len(ranked) > 1 else 0.0
    lead = ranked[0][1] - max(second, THRESHOLD / 2)
    return ranked[0][0], round(1 / (1 + math.exp(-1.5 * lead - 0.5)), 3)
