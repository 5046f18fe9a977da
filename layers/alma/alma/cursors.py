"""Where the next page of a listing begins, as an opaque text."""

from __future__ import annotations

import base64

from alma.errors import BadRequestError

_DIGITS = 12


def encode(position: str) -> str:
    """Return a position as a cursor."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """Return the position of a cursor.

    Raises
    ------
    BadRequestError
        It is none.
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
        It is none.
    """
    if cursor is None:
        return None
    position = decode(cursor)
    if not position.isdigit() or len(position) > _DIGITS:
        raise bad_cursor()
    return int(position)


def bad_cursor() -> BadRequestError:
    """Return the error to raise for a cursor that is not one of the list."""
    return BadRequestError(
        "cursor is not one of this list; use nextCursor of the page before, or leave it out."
    )
