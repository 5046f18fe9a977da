"""Time as alma writes it."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, in UTC, without fractions of a second."""
    return datetime.now(UTC).replace(microsecond=0)


def timestamp(moment: datetime | None = None) -> str:
    """Return a time in the API's form, `2026-05-14T09:21:00Z`."""
    return (moment or now()).strftime("%Y-%m-%dT%H:%M:%SZ")


def parsed(written: str) -> datetime:
    """Return the time that `timestamp` wrote."""
    return datetime.strptime(written, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
