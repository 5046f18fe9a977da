"""One exception for each outcome that a caller can meet.

::

    AlmaError                   500 internal_error
     ├─ BadRequestError         400 bad_request
     ├─ UnauthorizedError       401 unauthorized
     ├─ ForbiddenError          403 forbidden
     ├─ NotFoundError           404 not_found
     ├─ MethodNotAllowedError   405 method_not_allowed
     ├─ ConflictError           409 conflict
     │   └─ PassingConflictError              retryable
     ├─ UnreadableFileError     422 damaged_file
     ├─ RateLimitedError        429 rate_limited, retryable
     └─ UnavailableError        503 unavailable, retryable

A class fixes the HTTP status and a code; whoever raises it may give a more precise code (`error` in the one
shape of an answer) and says in one sentence what to do (`detail`). The doors translate it:
`alma.api.dispatch`, `alma.mcp.toolbox`, the commands. Rooms define subclasses where they need them.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar


class AlmaError(Exception):
    """Something the caller can be told about.

    Parameters
    ----------
    detail : str
        One sentence that says what is wrong and what to do. Never a secret, never a field value.
    code : str, optional
        A more precise code than the class's own.
    more : mapping, optional
        What a program needs to go on, beside the sentence.
    """

    code: str = "internal_error"
    """What went wrong, for programs: `error` of an answer."""
    status: ClassVar[int] = 500
    """HTTP status of the answer."""
    retryable: ClassVar[bool] = False
    """The same request may succeed later."""
    retry_after: int | None = None
    """Seconds after which trying again makes sense, where it does."""

    def __init__(
        self, detail: str, *, code: str | None = None, more: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.more = dict(more or {})


class BadRequestError(AlmaError):
    """The request cannot be understood; sending it again will not help."""

    code = "bad_request"
    status = 400


class UnauthorizedError(AlmaError):
    """No valid key came with the request."""

    code = "unauthorized"
    status = 401


class ForbiddenError(AlmaError):
    """The key is valid and does not allow this."""

    code = "forbidden"
    status = 403


class NotFoundError(AlmaError):
    """Absent, or another organisation's: the caller cannot tell which."""

    code = "not_found"
    status = 404


class MethodNotAllowedError(AlmaError):
    """The route exists and does not take this method."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, allowed: Iterable[str]) -> None:
        #: Value of the `Allow` header.
        self.allow = ", ".join(sorted(allowed))
        super().__init__(f"This route takes {self.allow}.")


class ConflictError(AlmaError):
    """The request is fine and the thing is not in a state to serve it."""

    code = "conflict"
    status = 409


class PassingConflictError(ConflictError):
    """A conflict that ends by itself: the thing is being read, trained or worked on."""

    retryable = True


class UnreadableFileError(AlmaError):
    """The file's content cannot be read, now or later: recorded on the document, never retried.

    The codes in use: `unsupported_type`, `empty_file`, `file_too_large`, `too_many_pages`,
    `image_too_large`, `password_protected`, `damaged_file`, `no_pages`, `too_complex`, `quota_exceeded`.
    """

    code = "damaged_file"
    status = 422


class RateLimitedError(AlmaError):
    """Too many requests in too short a time."""

    code = "rate_limited"
    status = 429
    retryable = True

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class UnavailableError(AlmaError):
    """A service alma depends on did not answer; trying again later helps."""

    code = "unavailable"
    status = 503
    retryable = True
    retry_after = 5
