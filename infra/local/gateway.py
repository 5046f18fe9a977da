"""API Gateway's REST API (v1) in front of the functions, read from the translated template.

`Gateway.admit` takes a request as it came over the wire and behaves as the service does: routing, authorizer,
and once the body is there proxy events, gateway responses, binary bodies, limits.
"""

from __future__ import annotations

import base64
import fnmatch
import json
import re
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from werkzeug.datastructures import Headers, MultiDict

from infra.local.functions import PAYLOAD_LIMIT, Function, Functions
from infra.local.httpd import Answer, Request, Response
from infra.local.template import ACCOUNT, REGION, Stack
from infra.local.welcome import welcome

REQUEST_LIMIT = 10 * 2**20
INTEGRATION_SECONDS = 29.0
#: Gateway responses: status, message, and the name in `x-amzn-ErrorType`.
_DEFAULTS: dict[str, tuple[int, str | None, str]] = {
    "UNAUTHORIZED": (401, "Unauthorized", "UnauthorizedException"),
    "ACCESS_DENIED": (403, "User is not authorized to access this resource", "AccessDeniedException"),
    "MISSING_AUTHENTICATION_TOKEN": (
        403,
        "Missing Authentication Token",
        "MissingAuthenticationTokenException",
    ),
    "REQUEST_TOO_LARGE": (413, "Request Too Long", "RequestTooLargeException"),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, None, "AuthorizerConfigurationException"),
    "AUTHORIZER_FAILURE": (500, None, "AuthorizerFailureException"),
    "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out", "GatewayTimeoutException"),
    "DEFAULT_5XX": (502, "Internal server error", "InternalServerErrorException"),
}
_NOT_FORWARDED = {
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
}
#: What `ANY` stands for; a request with another method has no route.
_ANY = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
#: Response headers of a function that API Gateway renames, since it sets them itself.
_REMAPPED = {
    "connection",
    "content-length",
    "date",
    "server",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
}
_PROXY_KEYS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}


@dataclass(frozen=True, slots=True)
class _Authorizer:
    function: Function
    kind: str
    seconds: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Route:
    resource: str
    methods: set[str]
    pattern: re.Pattern[str]
    function: Function | None
    mock: dict[str, Any] | None
    authorizer: _Authorizer | None


class Gateway:
    """The REST API of a stack; there is one. `address` is where it is served on this machine."""

    def __init__(self, stack: Stack, functions: Functions, address: str) -> None:
        self._address = address
        ((_, resource),) = stack.of("AWS::ApiGateway::RestApi")
        self.api = resource.reference
        stages = [r.properties["StageName"] for _, r in stack.of("AWS::ApiGateway::Stage")]
        self.stage = stages[0]
        body = resource.properties["Body"]
        types = resource.properties.get("BinaryMediaTypes") or body.get(
            "x-amazon-apigateway-binary-media-types", []
        )
        self._binary = [each.replace("~1", "/") for each in types]
        self._responses: dict[str, Any] = body.get("x-amazon-apigateway-gateway-responses", {})
        schemes = body.get("components", {}).get("securitySchemes") or body.get("securityDefinitions", {})
        authorizers = {
            name: _authorizer(scheme["x-amazon-apigateway-authorizer"], functions)
            for name, scheme in schemes.items()
            if "x-amazon-apigateway-authorizer" in scheme
        }
        self._routes = sorted(
            (
                _route(path, method, operation, functions, authorizers)
                for path, methods in body["paths"].items()
                for method, operation in methods.items()
                if "x-amazon-apigateway-integration" in operation
            ),
            key=_precedence,
        )
        self._policies: dict[tuple[str, ...], tuple[float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    # ------------------------------------------------------------ one request

    def admit(self, request: Request) -> Response | Answer:
        """Match and authorize a request, whose body is not there yet, as API Gateway would.

        Returns
        -------
        Response or callable
            The refusal, or what answers the whole request.
        """
        call = _Call(request, self.stage, self.api)
        if not request.names_this_machine:
            return _told(call, _foreign_host(call))
        route, parameters = self._match(call)
        if route is None:
            page = welcome(call.request, self._address)
            return page or _told(call, self._gateway_response("MISSING_AUTHENTICATION_TOKEN", call))
        call.resource, call.parameters = route.resource, parameters
        if route.authorizer is not None and (refused := self._authorize(route.authorizer, call)):
            return _told(call, self._gateway_response(refused, call))

        def answer(whole: Request) -> Response:
            call.request = whole
            return _told(call, self._answer(call, route))

        return answer

    def _answer(self, call: _Call, route: _Route) -> Response:
        if call.request.body is None:
            return self._gateway_response("REQUEST_TOO_LARGE", call)
        if route.function is None:
            return _mock_response(route.mock or {})
        event = json.dumps(call.event(self._binary)).encode()
        if len(event) > PAYLOAD_LIMIT:
            return self._gateway_response("REQUEST_TOO_LARGE", call)
        result = route.function.invoke(event, INTEGRATION_SECONDS)
        if result.error == "Sandbox.Timedout" and route.function.timeout >= INTEGRATION_SECONDS:
            return self._gateway_response("INTEGRATION_TIMEOUT", call)
        response = None if result.error else self._proxy_response(result.payload, call)
        return response or self._gateway_response("DEFAULT_5XX", call)

    def _match(self, call: _Call) -> tuple[_Route | None, dict[str, str]]:
        for route in self._routes:
            if call.request.method in route.methods and (found := route.pattern.fullmatch(call.path)):
                names = re.findall(r"\{(\w+)\+?\}", route.resource)
                return route, {
                    name: unquote(value) for name, value in zip(names, found.groups(), strict=True)
                }
        return None, {}

    # ------------------------------------------------------------ authorizer

    def _authorize(self, authorizer: _Authorizer, call: _Call) -> str | None:
        """Call the authorizer, or use its cached policy; return the type of the gateway response, or None."""
        identity = tuple(call.source(each) or "" for each in authorizer.sources)
        if not all(identity):
            return "UNAUTHORIZED"
        key = (authorizer.function.name, *identity)
        with self._lock:
            until, policy = self._policies.get(key, (0.0, {}))
        if until <= time.monotonic():
            result = authorizer.function.invoke(json.dumps(call.authorizer_event(authorizer.kind)).encode())
            if result.error:
                message = json.loads(result.payload or b"{}").get("errorMessage")
                return "UNAUTHORIZED" if message == "Unauthorized" else "AUTHORIZER_CONFIGURATION_ERROR"
            policy = json.loads(result.payload)
            if authorizer.seconds:
                with self._lock:
                    self._policies[key] = (time.monotonic() + authorizer.seconds, policy)
        try:
            allowed = _allows(policy["policyDocument"], call.arn)
            context = {
                "principalId": str(policy["principalId"]),
                **{name: _as_text(value) for name, value in (policy.get("context") or {}).items()},
            }
        except (TypeError, KeyError, AttributeError):
            return "AUTHORIZER_CONFIGURATION_ERROR"
        call.context["authorizer"] = context
        return None if allowed else "ACCESS_DENIED"

    # ------------------------------------------------------------ answers

    def _proxy_response(self, payload: bytes, call: _Call) -> Response | None:
        """Return a function's result as HTTP, or None where it is no valid proxy response."""
        answer = json.loads(payload)
        if not isinstance(answer, dict) or not answer.keys() <= _PROXY_KEYS:
            return None
        body = answer.get("body")
        body = "" if body is None else body
        try:
            status = int(answer.get("statusCode") or 200)
            headers = _merged(answer.get("headers") or {}, answer.get("multiValueHeaders") or {})
        except (TypeError, ValueError, AttributeError):
            return None
        if not isinstance(body, str) or not 100 <= status <= 599:
            return None
        headers.setdefault("Content-Type", "application/json")
        accepted = (call.request.header("accept") or "*/*").split(",")[0].split(";")[0].strip()
        if answer.get("isBase64Encoded") and self._is_binary(accepted):
            try:
                return Response(base64.b64decode(body, validate=True), status, headers)
            except ValueError:
                return None
        return Response(body, status, headers)

    def _is_binary(self, media_type: str) -> bool:
        return any(fnmatch.fnmatch(media_type, each) for each in self._binary)

    def _gateway_response(self, kind: str, call: _Call) -> Response:
        """Return a gateway response: the template's for its type, or its DEFAULT_, or the service's own."""
        status, message, name = _DEFAULTS[kind]
        own = self._responses.get(kind, {})
        family = self._responses.get("DEFAULT_4XX" if status < 500 else "DEFAULT_5XX", {})
        chosen = own or family
        status = int(chosen.get("statusCode") or status)
        template = (chosen.get("responseTemplates") or {}).get(
            "application/json", '{"message":$context.error.messageString}'
        )
        values = {
            "error.messageString": json.dumps(message),
            "error.message": message or "",
            "error.responseType": kind,
            "requestId": call.id,
            "extendedRequestId": call.id[:16],
            "httpMethod": call.request.method,
            "resourcePath": call.resource or "",
            "identity.sourceIp": call.request.client,
            "stage": self.stage,
        }
        body = re.sub(
            r"\$context\.([\w.]*\w)", lambda found: str(values.get(found[1], "")), template.replace("${", "$")
        )
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", name)]
        for target, value in (chosen.get("responseParameters") or {}).items():
            if target.startswith("gatewayresponse.header."):
                headers.append((target.removeprefix("gatewayresponse.header."), value.strip("'")))
        return Response(body, status, headers)


def _told(call: _Call, response: Response) -> Response:
    """Return a response with the ids of its request."""
    response.headers.extend([("x-amzn-RequestId", call.id), ("x-amz-apigw-id", call.id[:16])])
    return response


def _foreign_host(call: _Call) -> Response:
    error = {
        "error": "forbidden",
        "detail": "This machine answers for 127.0.0.1 and localhost only.",
        "request_id": call.id,
    }
    return Response(json.dumps(error), 403, content_type="application/json")


class _Call:
    """A request and what the gateway has found out about it."""

    def __init__(self, request: Request, stage: str, api: str) -> None:
        self.request, self.stage, self.api = request, stage, api
        self.id = str(uuid.uuid4())
        raw, _, query = request.target.partition("?")
        self.full_path = raw
        #: Path below the stage, still encoded. The stage's name may be left out, as behind a domain of one's
        #: own whose base path is empty.
        below = raw.removeprefix(f"/{stage}") if f"{raw}/".startswith(f"/{stage}/") else raw
        self.path = below.rstrip("/") or "/"
        self.query = parse_qsl(query, keep_blank_values=True)
        self.resource: str | None = None
        self.parameters: dict[str, str] = {}
        self.context: dict[str, Any] = {}

    @property
    def arn(self) -> str:
        """Method ARN: the resource of an authorizer's policy."""
        return (
            f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self.api}/{self.stage}/{self.request.method}{self.path}"
        )

    def source(self, expression: str) -> str | None:
        """Return the value of an identity source, such as `method.request.header.Authorization`."""
        kind, _, name = expression.removeprefix("method.request.").partition(".")
        match kind:
            case "header":
                return self.request.header(name) or None
            case "querystring":
                return dict(self.query).get(name)
            case "context":
                found: Any = self.request_context()
                for part in name.split("."):
                    found = found.get(part) if isinstance(found, dict) else None
                return None if found is None else str(found)
        return None

    def request_context(self) -> dict[str, Any]:
        """Return `requestContext`."""
        now = datetime.now(UTC)
        return {
            "accountId": ACCOUNT,
            "apiId": self.api,
            # Never the Host header, which the client chooses; in the cloud another host would not get here.
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "extendedRequestId": self.id[:16],
            "httpMethod": self.request.method,
            "identity": {
                "accessKey": None,
                "accountId": None,
                "caller": None,
                "sourceIp": self.request.client,
                "user": None,
                "userAgent": self.request.header("user-agent") or None,
                "userArn": None,
            },
            "path": self.full_path,
            "protocol": "HTTP/1.1",
            "requestId": self.id,
            "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "requestTimeEpoch": int(now.timestamp() * 1000),
            "resourceId": self.resource,
            "resourcePath": self.resource,
            "stage": self.stage,
            **self.context,
        }

    def common(self) -> dict[str, Any]:
        """Return the members that the events of function and authorizer share."""
        headers = [
            (name, value) for name, value in self.request.headers if name.lower() not in _NOT_FORWARDED
        ]
        headers += [
            ("X-Forwarded-For", self.request.client),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Port", self.request.header("host").rpartition(":")[2]),
        ]
        return {
            "resource": self.resource,
            "path": self.path,
            "httpMethod": self.request.method,
            "headers": dict(headers),
            "multiValueHeaders": MultiDict(headers).to_dict(flat=False),
            "queryStringParameters": dict(self.query) or None,
            "multiValueQueryStringParameters": MultiDict(self.query).to_dict(flat=False) or None,
            "pathParameters": self.parameters or None,
            "stageVariables": None,
            "requestContext": self.request_context(),
        }

    def event(self, binary: list[str]) -> dict[str, Any]:
        """Return the event of a proxy integration."""
        body = self.request.body or b""
        media_type = (self.request.header("content-type") or "application/json").partition(";")[0].strip()
        encoded = bool(body) and any(fnmatch.fnmatch(media_type, each) for each in binary)
        text = base64.b64encode(body).decode() if encoded else body.decode("utf-8", "replace")
        return {**self.common(), "body": text or None, "isBase64Encoded": encoded}

    def authorizer_event(self, kind: str) -> dict[str, Any]:
        """Return the event of a Lambda authorizer."""
        if kind == "TOKEN":
            return {
                "type": "TOKEN",
                "methodArn": self.arn,
                "authorizationToken": self.request.header("authorization"),
            }
        return {"type": "REQUEST", "methodArn": self.arn, **self.common()}


def _route(
    path: str, method: str, operation: Any, functions: Functions, authorizers: dict[str, _Authorizer]
) -> _Route:
    integration = operation["x-amazon-apigateway-integration"]
    pattern = "".join(
        "(.+)" if part.endswith("+}") else "([^/]+)" if part.startswith("{") else re.escape(part)
        for part in re.split(r"(\{\w+\+?\})", path)
    )
    names = [name for each in operation.get("security", []) for name in each if name in authorizers]
    mock = integration if integration["type"].lower() == "mock" else None
    return _Route(
        resource=path,
        methods=_ANY if "any-method" in method else {method.upper()},
        pattern=re.compile(pattern),
        function=None if mock else functions.of(integration["uri"]),
        mock=mock,
        authorizer=authorizers[names[0]] if names else None,
    )


def _precedence(route: _Route) -> tuple[bool, int, int, bool]:
    """Sort key: literal segments before parameters, those before greedy ones, a method before ANY."""
    return ("+}" in route.resource, route.resource.count("{"), -len(route.resource), route.methods == _ANY)


def _authorizer(definition: dict[str, Any], functions: Functions) -> _Authorizer:
    kind = definition["type"].upper()
    source = definition.get("identitySource", "")
    return _Authorizer(
        function=functions.of(definition["authorizerUri"]),
        kind=kind,
        seconds=int(definition.get("authorizerResultTtlInSeconds", 300)),
        sources=tuple(each.strip() for each in source.split(",") if each.strip())
        or (("method.request.header.Authorization",) if kind == "TOKEN" else ()),
    )


def _allows(document: dict[str, Any], arn: str) -> bool:
    allowed = False
    for statement in document["Statement"]:
        actions, resources = statement["Action"], statement["Resource"]
        if not any(
            fnmatch.fnmatchcase("execute-api:Invoke", each)
            for each in ([actions] if isinstance(actions, str) else actions)
        ):
            continue
        if any(
            # IAM knows * and ? alone: brackets, as in the path of a field, stand for themselves.
            fnmatch.fnmatchcase(arn, each.replace("[", "[[]"))
            for each in ([resources] if isinstance(resources, str) else resources)
        ):
            if statement["Effect"] == "Deny":
                return False
            allowed = True
    return allowed


def _as_text(value: Any) -> str:
    """Return a value of an authorizer's context, or of a header, as a string."""
    if isinstance(value, (dict, list)):
        raise TypeError("a context holds strings, numbers and booleans")
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)


def _merged(single: dict[str, Any], several: dict[str, list[Any]]) -> Headers:
    """Merge `headers` and `multiValueHeaders` of a proxy response; reserved names are remapped."""
    headers = Headers()
    for name, values in [*((name, [value]) for name, value in single.items()), *several.items()]:
        target = f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name
        headers.setlist(target, [_as_text(value) for value in values])
    return headers


def _mock_response(integration: dict[str, Any]) -> Response:
    """Return the response of a mock integration, such as a CORS preflight."""
    answer = (integration.get("responses") or {}).get("default", {})
    headers = [("Content-Type", "application/json")]
    for target, value in (answer.get("responseParameters") or {}).items():
        headers.append((target.removeprefix("method.response.header."), value.strip("'")))
    body = (answer.get("responseTemplates") or {}).get("application/json", "")
    return Response(body.strip(), int(answer.get("statusCode", 200)), headers)
