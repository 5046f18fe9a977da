"""The key authorizer: who a request comes from, or a refusal.

Good keys are remembered inside the process for `ALMA_KEY_CACHE_SECONDS`, which bounds how long a revoked
key can still pass; the gateway's own cache is off.
"""

import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools import Logger

from alma.access import authentication, scopes
from alma.access.authentication import Caller
from alma.settings import settings

_CACHE_SIZE = 1000
_seen: OrderedDict[str, tuple[float, Caller]] = OrderedDict()
logger = Logger(service="authorizer")
# What no request waits for. A process that is frozen meanwhile goes on with the next request.
background = ThreadPoolExecutor(max_workers=1)


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return a policy that allows the caller everything (scopes are checked per route) or denies.

    OPTIONS passes without a key, as nobody: browsers ask it without one, and it says nothing but `Allow`.
    """
    caller = _identify(_token(event))
    allowed = caller is not None or event.get("httpMethod") == "OPTIONS"
    return {
        "principalId": caller.key_id if caller else "anonymous",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if allowed else "Deny",
                    "Resource": event["methodArn"],
                }
            ],
        },
        "context": {
            "organisation": caller.organisation,
            "key_id": caller.key_id,
            # Its name on the wire stays: functions of two versions serve while one is deployed.
            "user": caller.root_key_id,
            "role": caller.role.value,
            "scopes": " ".join(scopes.listed(caller.scopes)),
        }
        if caller
        else {},
    }


def _token(event: dict[str, Any]) -> str | None:
    """Return the one token a request comes with, in either header or the same in both."""
    sent = {_bearer(value) for value in _values(event, "authorization")}
    sent |= {value.strip() for value in _values(event, "x-api-key")}
    # None, or several that contradict each other: nobody can tell whose request it is.
    return sent.pop() if len(sent) == 1 else None


def _values(event: dict[str, Any], header: str) -> list[str]:
    return [
        value
        for name, values in (event.get("multiValueHeaders") or {}).items()
        if name.lower() == header
        for value in values or []
    ]


def _bearer(value: str) -> str | None:
    match value.split(None, 1):
        case [scheme, token] if scheme.lower() == "bearer":
            return token.strip()
    return None


def _identify(token: str | None) -> Caller | None:
    if not token:
        return None
    now = time.time()
    until, caller = _seen.get(token, (0.0, None))
    if caller is not None and now < until and not caller.expired:
        return caller
    _seen.pop(token, None)
    caller = authentication.identify(token)
    if caller is not None:
        _seen[token] = (now + settings().key_cache_seconds, caller)
        if len(_seen) > _CACHE_SIZE:
            _seen.popitem(last=False)
        background.submit(_note_use, caller)
    return caller


def _note_use(caller: Caller) -> None:
    try:
        authentication.note_use(caller)
    except Exception:
        # Nobody waits for it, and a key has to work where its use cannot be written down.
        logger.warning("use not recorded", extra={"key_id": caller.key_id}, exc_info=True)
