"""From a gateway event to one call into the package and back; the only place where errors become HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from alma import telemetry
from alma.access import rate_limits
from alma.access.rate_limit_classes import RateLimitClass
from alma.access.rate_limits import RateLimitStatus
from alma.access.scopes import Scope
from alma.api.archive import DocumentFailedError, DocumentProcessingError
from alma.api.request import Request, Response
from alma.api.routes import ROUTES, Route, route
from alma.api.views import Processing
from alma.errors import AlmaError, ForbiddenError, RateLimitedError, UnauthorizedError
from alma.storage.failures import unavailable
from alma.telemetry import Metric

Operation = Callable[[Request], Response]
Refusal = Callable[[Request, AlmaError], Response]
Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


def serve(function: str, operations: Mapping[str, Operation], *, refuse: Refusal | None = None) -> Handler:
    """Return the Lambda handler of a function behind the API.

    Parameters
    ----------
    function : str
        Its folder; its rows of the route table name the operations it must bring.
    operations : mapping
        Operation -> what serves it.
    refuse : callable, optional
        What answers for an error, for a door with an error shape of its own.

    Raises
    ------
    ValueError
        Operations and rows of the table disagree, or a limit is none; raised at import, so a deployment
        fails early.
    """
    expected = {row.operation for row in ROUTES if row.function == function}
    if expected != set(operations):
        raise ValueError(f"{function} serves {sorted(operations)}, the table says {sorted(expected)}")
    for family in RateLimitClass:
        rate_limits.limit_of(family)  # a limit that is none is told now, not with every request
    logger = Logger(service=function)
    refused = refuse or _refused

    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        request = Request.from_event(event, context.get_remaining_time_in_millis() / 1000)
        logger.structure_logs(
            append=False,
            request_id=request.request_id,
            operation=f"{request.method} {request.resource}",
            organisation=request.caller.organisation if request.caller else None,
            key_id=request.caller.key_id if request.caller else None,
        )
        standing: RateLimitStatus | None = None
        outcome: dict[str, object] = {}
        try:
            row = route(request.method, request.resource)
            standing = rate_limits.take(_family(row, request), request.caller, request.address)
            if standing.refusal is not None:
                raise standing.refusal
            if row is None:
                raise ForbiddenError("There is no such route.")
            _check_scope(request, row.scope)
            response = operations[row.operation](request)
        except DocumentProcessingError as error:
            response = _processing_response(error)
        except DocumentFailedError as error:
            response = error_response(
                error, request.request_id, documentId=error.document.id, status="failed"
            )
        except AlmaError as error:
            outcome["error"] = error.code
            if isinstance(error, RateLimitedError):
                telemetry.count({Metric.RATE_LIMITED: 1})
            response = refused(request, error)
        except Exception as error:
            # The top level: whatever it is, the caller gets the one error shape and the log the traceback.
            logger.exception("failed")
            response = refused(request, unavailable(error) or AlmaError(_FAILED))
        logger.info("answered", extra={"status": response.status, **outcome, **request.named})
        return (response.with_headers(standing.headers) if standing else response).to_event()

    return handler


def _family(row: Route | None, request: Request) -> RateLimitClass:
    """Return the bucket of a request; one that is going to be refused takes nothing from those who may."""
    return row.family if row is not None and _allows(row.scope, request) else RateLimitClass.READING


def _allows(scope: Scope | None, request: Request) -> bool:
    return scope is None or scope in request.scopes


_FAILED = "Something went wrong on our side; try again, and quote the request_id."


def _refused(request: Request, error: AlmaError) -> Response:
    return error_response(error, request.request_id, **error.more)


def error_response(error: AlmaError, request_id: str, **more: object) -> Response:
    """Return the one error shape; 401 is exactly `{"error": "unauthorized"}`."""
    if isinstance(error, UnauthorizedError):
        return Response(error.status, {"error": "unauthorized"})
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return Response(
        error.status,
        {"error": error.code, "detail": error.detail, "request_id": request_id, **more},
        headers,
    )


def _processing_response(error: DocumentProcessingError) -> Response:
    document = error.document
    view = Processing(
        documentId=document.id,
        docType=document.doc_type,
        pages=document.pages,
        pagesRead=document.pages_read,
    )
    return Response(error.status, view.model_dump(mode="json"), {"Retry-After": "2"})


def _check_scope(request: Request, scope: Scope | None) -> None:
    if scope is None or _allows(scope, request):
        return
    if request.caller is None:
        raise UnauthorizedError("Send a key: Authorization: Bearer alma_… or X-API-Key: alma_…")
    raise ForbiddenError(f"This needs a key with the scope {scope.value}; yours does not have it.")
