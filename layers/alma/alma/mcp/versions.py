"""The revisions of the protocol that alma speaks."""

from __future__ import annotations

from enum import StrEnum


class Version(StrEnum):
    """A revision, oldest first.

    Revisions are an enumeration and never compared as strings: nothing promises that names stay dates.
    """

    V2025_06_18 = "2025-06-18"


LATEST = list(Version)[-1]


def supported(name: str) -> Version | None:
    """Return the revision of that name; None if alma does not speak it."""
    try:
        return Version(name)
    except ValueError:
        return None


def negotiate(requested: str) -> Version:
    """Return the revision to answer `initialize` with.

    The requested one if alma speaks it, else the latest: the client then decides whether it can (2025-06-18,
    Lifecycle, "Version Negotiation").
    """
    return supported(requested) or LATEST
