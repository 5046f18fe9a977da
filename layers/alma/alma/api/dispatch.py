"""From a gateway event to one call into the package and back; the only place where errors become HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from alma import telemetry
from alma.access import rate_limits
from alma.access.rate_limit_classes import RateLimitClass
from alma.access.rate_limits import RateLimitStatus
from alma.access.scopes import Scope
from alma.api import multipart
from alma.api.errors import error_response
from alma.api.operation import PUBLIC, Route
from alma.api.parameters import form_body, json_body, path_parameters, query_parameters
from alma.api.request import Call, Request, Response, no_key
from alma.api.request_models import Nothing
from alma.errors import AlmaError, ForbiddenError, MethodNotAllowedError, RateLimitedError
from alma.storage.failures import unavailable
from alma.telemetry import Metric

Operation = Callable[[Call[Any, Any, Any]], Response]
Refusal = Callable[[Request, AlmaError], Response]
Renewal = Callable[[Call[Any, Any, Any], Response], Response]

#: No proxy and no browser keeps what is an organisation's; the few routes that anybody may ask can be kept.
_NOT_KEPT = {"Cache-Control": "no-store"}
_FAILED = "Something went wrong on our side; try again, and quote the request_id."


def serve(
    function: str,
    routes: Iterable[Route],
    operations: Mapping[str, Operation],
    *,
    refuse: Refusal | None = None,
    renewals: Mapping[str, Renewal] | None = None,
) -> Handler:
    """Return the Lambda handler of a function behind the API.

    Parameters
    ----------
    function : str
        Its folder; its rows of the route table name the operations it must bring.
    routes : iterable of Route
        Rows of the table, those of other functions among them.
    operations : mapping
        Operation -> what serves it.
    refuse : callable, optional
        What answers for an error, for a door with an error shape of its own.
    renewals : mapping, optional
        Operation -> what makes its first answer useful to a repeat with the same `Idempotency-Key`.

    Raises
    ------
    ValueError
        Operations and rows of the table disagree, or a rate limit is malformed; raised at import, so a
        deployment fails early.
    """
    rows = [row for row in routes if row.function == function]
    expected = {row.operation for row in rows}
    if expected != set(operations):
        raise ValueError(f"{function} serves {sorted(operations)}, the table says {sorted(expected)}")
    for each in RateLimitClass:
        rate_limits.limit_of(each)
    return Handler(function, rows, operations, refuse or _refuse, renewals or {})


class Handler:
    """Lambda handler: limits, authorizes, validates, calls the operation, logs one line for the answer."""

    def __init__(
        self,
        function: str,
        routes: Iterable[Route],
        operations: Mapping[str, Operation],
        refuse: Refusal,
        renewals: Mapping[str, Renewal],
    ) -> None:
        self.operations = operations
        self._routes: dict[str, dict[str, Route]] = {}
        for row in routes:
            self._routes.setdefault(row.resource, {})[row.method] = row
        self._refuse, self._renewals = refuse, renewals
        self._logger = Logger(service=function)

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer a REST API (v1) proxy event."""
        request = Request.from_event(event, context.get_remaining_time_in_millis() / 1000)
        self._logger.structure_logs(
            append=False,
            request_id=request.request_id,
            operation=f"{request.method} {request.resource}",
            organisation=request.caller.organisation if request.caller else None,
            key_id=request.caller.key_id if request.caller else None,
        )
        response = self._answer(request)
        self._logger.info("answered", extra={"status": response.status, **request.log.to_dict()})
        # HEAD's too, with its body: the gateway leaves that out, and says the length that GET has.
        return response.to_event()

    def _answer(self, request: Request) -> Response:
        limit: RateLimitStatus | None = None
        row = self._row(request)
        try:
            limit = rate_limits.take(_rate_limit_class(row, request), request.caller, request.address)
            if limit.refusal is not None:
                raise limit.refusal
            response = self._served(row, request)
        except AlmaError as error:
            request.log.add(error=error.code)
            if isinstance(error, RateLimitedError):
                telemetry.count({Metric.RATE_LIMITED: 1})
            response = self._refuse(request, error)
        except Exception as error:
            # The top level: whatever it is, the caller gets the one error shape and the log the traceback.
            self._logger.exception("failed")
            response = self._refuse(request, unavailable(error) or AlmaError(_FAILED))
        if "Cache-Control" not in response.headers and (row is None or row.scope is not PUBLIC):
            response = response.with_headers(_NOT_KEPT)
        return response.with_headers(limit.headers) if limit else response

    def _row(self, request: Request) -> Route | None:
        """Return the row of a request, HEAD's being GET's; None where no operation takes it."""
        methods = self._routes.get(request.resource, {})
        return methods.get("GET" if request.method == "HEAD" else request.method)

    def _served(self, row: Route | None, request: Request) -> Response:
        if row is None:
            methods = self._routes.get(request.resource)
            if not methods:
                raise ForbiddenError("There is no such route.")
            raise MethodNotAllowedError({*methods, *(["HEAD"] if "GET" in methods else [])})
        _check_scope(request, row.scope)
        path = path_parameters(row.path, request.path if row.path is not Nothing else {})
        query = None if row.query is None else query_parameters(row.query, request.query, request.repeated)
        file: bytes | None = None
        body: BaseModel | None
        if row.body is not None and row.takes_file and request.media_type == "multipart/form-data":
            form = multipart.parse(request.headers["content-type"], request.body)
            file, body = form.file, form_body(row.body, {**form.fields, "fileName": form.file_name})
        else:
            body = None if row.body is None else json_body(row.body, request.body, request.media_type)
        call = Call(request, path, query, body, file)
        if call.document_id is not None:
            request.log.add(document_id=call.document_id)
        operation = self.operations[row.operation]
        if row.takes_idempotency_key and "idempotency-key" in request.headers:
            from alma.api import idempotency  # few requests need it

            return idempotency.once(row, call, operation, self._renewals.get(row.operation))
        response = operation(call)
        return response.conditional(request.headers.get("if-none-match")) if row.conditional else response


def _rate_limit_class(row: Route | None, request: Request) -> RateLimitClass:
    """Return the bucket of a request; one that is going to be refused takes nothing from those who may."""
    allowed = row is not None and (row.scope is None or row.scope in request.scopes)
    return row.rate_limit_class if row is not None and allowed else RateLimitClass.READING


def _refuse(request: Request, error: AlmaError) -> Response:
    return error_response(error, request.request_id)


def _check_scope(request: Request, scope: Scope | None) -> None:
    if scope is None or scope in request.scopes:
        return
    if request.caller is None:
        raise no_key()
    raise ForbiddenError(f"This needs a key with the scope {scope.value}; yours does not have it.")
