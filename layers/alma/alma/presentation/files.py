"""Files that are handed out: in an answer, or as a link where they are too large for one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class File:
    """A finished file."""

    body: bytes
    media_type: str
    """Value of `Content-Type`."""
    file_name: str
    """For `Content-Disposition`."""


@dataclass(frozen=True, slots=True)
class FileLink:
    """A finished file at a presigned URL."""

    url: str
    """Where to get it, without a key."""
    expires_in: int
    """Seconds the URL holds."""
    media_type: str
    file_name: str
