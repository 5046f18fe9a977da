"""Tokens: words as the scorer knows them, hashed into buckets (Weinberger et al. 2009, feature hashing)."""

from __future__ import annotations

import zlib
from functools import lru_cache

from alma.extraction.candidates.typed_spans import shape
from alma.extraction.page.labels import squash

#: Tokens of one candidate; the rest is left out, which is rare.
TOKENS = 40
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
