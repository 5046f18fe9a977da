"""Conditional writes and transactions, and what their failures mean: condition failed, write conflict."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pynamodb.exceptions import DeleteError, PutError, TransactWriteError, UpdateError
from pynamodb.transactions import TransactWrite

from alma.storage.table import Item

if TYPE_CHECKING:
    pass

#: Times a transaction is tried while others hold its rows, as when many files are dropped at once.
_CONFLICTS = 8


_T = TypeVar("_T")
_Failure = PutError | UpdateError | DeleteError | TransactWriteError


def transaction() -> TransactWrite:
    """Return a context in which up to 100 writes happen together or not at all."""
    return TransactWrite(connection=Item._get_connection().connection)


def write_together(write: Callable[[TransactWrite], None]) -> None:
    """Run writes in one transaction, once more where another transaction held a row of it at that moment.

    Raises
    ------
    TransactWriteError
        A condition did not hold, or something else went wrong.
    """
    for attempt in range(_CONFLICTS):
        try:
            with transaction() as transact:
                write(transact)
            return
        except TransactWriteError as error:
            if condition_failed(error) or not write_conflict(error) or attempt == _CONFLICTS - 1:
                raise
            time.sleep(secrets.randbelow(50 * 2**attempt) / 1000)


def conditional_write(write: Callable[[], _T]) -> _T | None:
    """Run a conditional write; return None where its condition did not hold.

    Raises
    ------
    PutError, UpdateError, DeleteError, TransactWriteError
        Anything else that went wrong.
    """
    return _unless(condition_failed, write)


def optimistic_write(write: Callable[[], _T]) -> _T | None:
    """Run a conditional write; return None where its condition did not hold or another write was under way.

    Raises
    ------
    PutError, UpdateError, DeleteError, TransactWriteError
        Anything else that went wrong.
    """
    return _unless(write_conflict, write)


def _unless(lost: Callable[[_Failure], bool], write: Callable[[], _T]) -> _T | None:
    try:
        return write()
    except (PutError, UpdateError, DeleteError, TransactWriteError) as error:
        if lost(error):
            return None
        raise


def condition_failed(error: _Failure) -> bool:
    """Tell whether a write failed because its condition did not hold."""
    if isinstance(error, TransactWriteError):
        return any(failed_conditions(error))
    return error.cause_response_code == "ConditionalCheckFailedException"


def failed_conditions(error: TransactWriteError) -> list[bool]:
    """Tell for each write of a transaction, in order, whether its condition did not hold."""
    return [
        reason is not None and reason.code == "ConditionalCheckFailed"
        for reason in error.cancellation_reasons
    ]


def write_conflict(error: _Failure) -> bool:
    """Tell whether a write lost against another one: one that came first, or one at the same moment."""
    if isinstance(error, TransactWriteError):
        reasons = error.cancellation_reasons
        conflict = any(reason is not None and reason.code == "TransactionConflict" for reason in reasons)
    else:
        conflict = error.cause_response_code == "TransactionConflictException"
    return conflict or condition_failed(error)
