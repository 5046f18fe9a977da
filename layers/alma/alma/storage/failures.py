"""What the services below say when they are out of reach, as alma says it."""

from __future__ import annotations

from typing import TypeAlias

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException, VerboseClientError

from alma.errors import UnavailableError

#: Whatever goes wrong with a read or a write of the table.
TableError: TypeAlias = PynamoDBException

_TRANSIENT = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottlingError",
        "ThrottlingException",
        "Throttling",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


def unavailable(error: BaseException) -> UnavailableError | None:
    """Return the error to show if a service did not answer or asked to slow down; None for anything else."""
    cause = error.cause if isinstance(error, PynamoDBException) else error
    if isinstance(cause, ClientError):
        answer = cause.response
        code = str(answer.get("Error", {}).get("Code"))
        if isinstance(cause, VerboseClientError) and code == "TransactionCanceledException":
            reasons = {reason.code for reason in cause.cancellation_reasons if reason is not None}
            code = next(iter(reasons & _TRANSIENT), code)
        if code not in _TRANSIENT and answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) < 500:
            return None
    elif not isinstance(cause, BotoCoreError):
        return None
    return UnavailableError("The storage did not answer in time; try again in a few seconds.")
