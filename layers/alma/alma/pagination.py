"""Pagination: the position at which the next page of a listing begins, as an opaque cursor."""

from __future__ import annotations

import base64

from alma.errors import BadRequestError

_DIGITS = 12
_OFFSET_DIGITS = 9


def encode(position: str) -> str:
    """Return a position as a cursor."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """Return the position of a cursor.

    Raises
    ------
    BadRequestError
        The cursor is malformed.
    """
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode("ascii")
    except ValueError:
        raise bad_cursor() from None


def number(cursor: str | None) -> int | None:
    """Return the number that is a cursor's position; None without a cursor.

    Raises
    ------
    BadRequestError
        The cursor is malformed.
    """
    if cursor is None:
        return None
    position = decode(cursor)
    if not position.isdigit() or len(position) > _DIGITS:
        raise bad_cursor()
    return int(position)


def offset(cursor: str | None, what: str) -> int:
    """Return the offset that a plain number as a cursor stands for; 0 without one.

    Parameters
    ----------
    cursor : str or None
        What the part before named.
    what : str
        What comes in parts, for the error.

    Raises
    ------
    BadRequestError
        The cursor is malformed.
    """
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _OFFSET_DIGITS):
        raise BadRequestError(f"cursor is nextCursor of the {what} before, or left out.")
    return int(cursor)


def bad_cursor() -> BadRequestError:
    """Return the error to raise for a cursor that is not one of the list."""
    return BadRequestError(
        "cursor is not one of this list; use nextCursor of the page before, or leave it out."
    )
