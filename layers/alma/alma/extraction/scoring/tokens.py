"""Tokens: words as the scorer knows them, hashed into buckets (Weinberger et al. 2009, feature hashing)."""

from __future__ import annotations

import zlib
from functools import lru_cache

from alma.extraction.candidates.typed_spans import shape
from alma.extraction.page.labels import squash

#: Tokens of what stands beside a candidate on the page; the rest is left out, which is rare.
PAGE_TOKENS = 40
#: Tokens of what stands beside it in its sentence.
SENTENCE_TOKENS = 27
#: Tokens of one candidate, those of the page first: models of older releases see these alone.
TOKENS = PAGE_TOKENS + SENTENCE_TOKENS
#: Buckets the tokens are hashed into; 0 is no token.
BUCKETS = 1 << 15


@lru_cache(maxsize=1 << 16)
def token(text: str) -> int:
    """Return the bucket of a token: stable over versions and machines."""
    return zlib.crc32(text.encode()) % (BUCKETS - 1) + 1


def squash_shape(text: str) -> str:
    """Return a word as a token: squashed as labels are, a number by its shape."""
    if any(c.isdigit() for c in text):
        return shape(text)
    return squash(text) or text[:3]
