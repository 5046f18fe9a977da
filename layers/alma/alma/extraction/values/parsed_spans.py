"""A value inside a text, and the characters it was read from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A value read from the characters `text[start:end]`."""

    start: int
    end: int
    value: str
    """Normalised."""
    quality: float = 1.0
    """0..1, how much it looks like its type: 12 may be an amount, $12.00 is one."""
