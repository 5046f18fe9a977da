"""The revisions of the protocol that alma speaks."""

from __future__ import annotations

from enum import StrEnum


class Version(StrEnum):
    """A revision, oldest first.

    Revisions are an enumeration and never compared as strings: nothing promises that names stay dates.
    """

    V2025_06_18 = "2025-06-18"
    V2025_11_25 = "2025-11-25"
    V2026_07_28 = "2026-07-28"


#: Agreed on by `initialize`, then named in a header at most.
HANDSHAKE = (Version.V2025_06_18, Version.V2025_11_25)
#: Named in every request, which says about its client all there is to know.
STATELESS = (Version.V2026_07_28,)


def handshake(name: str) -> Version | None:
    """Return the handshake revision of that name; None if alma does not speak it."""
    return next((version for version in HANDSHAKE if version == name), None)


def stateless(name: str) -> Version | None:
    """Return the stateless revision of that name; None if alma does not speak it."""
    return next((version for version in STATELESS if version == name), None)


def negotiate(requested: str) -> Version:
    """Return the revision to answer `initialize` with.

    The requested one if alma speaks it, else the latest that has this handshake: the client then decides
    whether it can (2025-11-25, Lifecycle, "Version Negotiation").
    """
    return handshake(requested) or HANDSHAKE[-1]


def offered() -> list[str]:
    """Return the names of all revisions, newest first, as clients that can choose are told them."""
    return [version.value for version in reversed(Version)]
