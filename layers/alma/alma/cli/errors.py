"""The base class of what a command reports as one sentence: `TargetError` and `ApiError` derive from it."""

from __future__ import annotations


class CliError(Exception):
    """A command cannot do what it was asked; the text is one sentence that says what to do."""

    code: str = "failed"
    """Name of the error, for programs."""
