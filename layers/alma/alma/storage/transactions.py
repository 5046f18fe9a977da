"""Conditional writes and transactions: what their failures mean, and the one policy of trying again.

A write fails in two ways that are no fault. Its *condition* may not hold: somebody came first, which is for
the caller to judge. Or it *conflicts* with a transaction that holds one of its rows at that moment: then
nothing is known of its condition, and it is tried again here, because botocore does not.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from pynamodb.exceptions import DeleteError, PutError, TransactWriteError, UpdateError
from pynamodb.transactions import TransactWrite

from alma.errors import UnavailableError
from alma.storage.table import Item

#: Times a write is tried before it is given up, because others are faster each time.
ATTEMPTS = 10
#: Seconds of the first wait at most, and of any: exponential backoff with full jitter.
_FIRST_WAIT, _LONGEST_WAIT = 0.025, 0.8

_T = TypeVar("_T")
Transaction: TypeAlias = TransactWrite
_WriteError: TypeAlias = PutError | UpdateError | DeleteError | TransactWriteError


class ConditionFailedError(Exception):
    """A condition of a transaction did not hold, and nothing of it was written."""

    failed: tuple[bool, ...]
    """For each write of the transaction, in order (checks before all others): its condition did not hold."""

    def __init__(self, failed: tuple[bool, ...]) -> None:
        super().__init__("the condition of a transaction did not hold")
        self.failed = failed


def transaction() -> Transaction:
    """Return a context in which up to 100 writes happen together or not at all."""
    return TransactWrite(connection=Item._get_connection().connection)


def write_transaction(write: Callable[[Transaction], None]) -> None:
    """Transaction: run writes together or not at all, again while another one holds one of their rows.

    Raises
    ------
    ConditionFailedError
        One of their conditions did not hold.
    UnavailableError
        Others held the rows each time.
    """

    def attempt() -> None:
        try:
            with transaction() as transact:
                write(transact)
        except TransactWriteError as error:
            if condition_failed(error):
                raise ConditionFailedError(_failed_conditions(error)) from error
            raise

    retry(attempt, lost=write_conflict)


def conditional_write(write: Callable[[], object]) -> bool:
    """Conditional write: run it, and tell whether its condition held.

    Raises
    ------
    UnavailableError
        Transactions held its row each time.
    """

    def attempt() -> bool:
        try:
            write()
        except (PutError, UpdateError, DeleteError) as error:
            if condition_failed(error):
                return False
            raise
        return True

    return retry(attempt, lost=write_conflict)


def overtaken(error: _WriteError) -> bool:
    """Tell whether a write lost against another one: one that came first, or one at the same moment."""
    return condition_failed(error) or write_conflict(error)


def retry(attempt: Callable[[], _T], *, lost: Callable[[_WriteError], bool] = overtaken) -> _T:
    """Optimistic locking: read, plan and write until no other write is faster; return what that returns.

    Parameters
    ----------
    attempt : callable
        Reads what it needs and writes on the condition that it is still so.
    lost : callable
        Which failures of a write are tried again; all others are raised.

    Raises
    ------
    UnavailableError
        Others were faster each time.
    """
    for number in range(ATTEMPTS):
        if number:
            longest = min(_FIRST_WAIT * 2 ** (number - 1), _LONGEST_WAIT)
            time.sleep(random.uniform(0, longest))  # noqa: S311  # no secret
        try:
            return attempt()
        except (PutError, UpdateError, DeleteError, TransactWriteError) as error:
            if not lost(error):
                raise
    raise UnavailableError("Others are changing the same at this moment; try again in a few seconds.")


def condition_failed(error: _WriteError) -> bool:
    """Tell whether a write failed because its condition did not hold."""
    if isinstance(error, TransactWriteError):
        return any(_failed_conditions(error))
    return error.cause_response_code == "ConditionalCheckFailedException"


def write_conflict(error: _WriteError) -> bool:
    """Tell whether a write failed because a transaction held one of its rows at the same moment."""
    if isinstance(error, TransactWriteError):
        reasons = error.cancellation_reasons
        return any(reason is not None and reason.code == "TransactionConflict" for reason in reasons)
    return error.cause_response_code == "TransactionConflictException"


def _failed_conditions(error: TransactWriteError) -> tuple[bool, ...]:
    return tuple(
        reason is not None and reason.code == "ConditionalCheckFailed"
        for reason in error.cancellation_reasons
    )
