"""The key authorizer: who a request comes from, or a refusal.

Good keys are remembered inside the process for `ALMA_KEY_CACHE_SECONDS`, which bounds how long a revoked
key can still pass; the gateway's own cache is off.
"""

import time
from collections import OrderedDict
from typing import Any

from alma import keys
from alma.keys import Caller
from alma.settings import settings

_CACHE_SIZE = 1000
_seen: OrderedDict[str, tuple[float, Caller]] = OrderedDict()


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return a policy that allows the caller everything (roles are checked per route) or denies."""
    caller = _identify(_bearer(event))
    return {
        "principalId": caller.key_id if caller else "anonymous",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if caller else "Deny",
                    "Resource": event["methodArn"],
                }
            ],
        },
        "context": {
            "organisation": caller.organisation,
            "key_id": caller.key_id,
            "role": caller.role.value,
        }
        if caller
        else {},
    }


def _bearer(event: dict[str, Any]) -> str | None:
    sent = [
        value
        for name, values in (event.get("multiValueHeaders") or {}).items()
        if name.lower() == "authorization"
        for value in values
    ]
    if len(sent) != 1:  # none, or several that may contradict each other
        return None
    scheme, *token = sent[0].split(None, 1)
    return token[0].strip() if token and scheme.lower() == "bearer" else None


def _identify(token: str | None) -> Caller | None:
    if not token:
        return None
    now = time.time()
    until, caller = _seen.get(token, (0.0, None))
    if caller is not None and now < until:
        return caller
    _seen.pop(token, None)
    caller = keys.identify(token)
    if caller is not None:
        _seen[token] = (now + settings().key_cache_seconds, caller)
        if len(_seen) > _CACHE_SIZE:
            _seen.popitem(last=False)
    return caller
