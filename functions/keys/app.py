"""/v1/keys and /v1/usage: mint, list, rotate and revoke API keys, and what they used."""

import json
from datetime import timedelta
from typing import Any

from alma.access import keys
from alma.access.keys import Key
from alma.api import access, metering
from alma.api.access import CreateKeyBody, KeyList, KeyPath, MintedKey, RevokeKeyQuery, RotateKeyBody
from alma.api.dispatch import serve
from alma.api.metering import UsageQuery, UsageView
from alma.api.request import Call, Response
from alma.api.request_models import Nothing
from alma.clock import now
from alma.errors import ConflictError
from alma.metering import quotas, usage


def list_keys(call: Call[Nothing, Nothing, None]) -> Response:
    """Answer with the organisation's keys."""
    return Response.of(KeyList.of(keys.list_keys(call.organisation)))


def create(call: Call[Nothing, Nothing, CreateKeyBody]) -> Response:
    """Mint a key and answer with its token, this once."""
    body = call.body
    key, token = keys.create(
        call.organisation,
        body.name,
        body.role,
        narrowed=body.scopes,
        owner=body.owner,
        expires=body.expires_at,
        by=call.caller,
    )
    return _minted(call, key, token)


def rotate(call: Call[KeyPath, Nothing, RotateKeyBody]) -> Response:
    """Mint a key in place of another and answer with its token, this once."""
    overlap = timedelta(seconds=call.body.overlap_seconds)
    call.log.add(rotated=call.path.key_id)
    return _minted(call, *keys.rotate(call.organisation, call.path.key_id, overlap, by=call.caller))


def minted_before(_: Call[Any, Any, Any], first: Response) -> Response:
    """Refuse to mint again, and name the key: its token was in the first answer and is kept nowhere."""
    key_id = json.loads(first.content)["id"]
    raise ConflictError(
        f"The first request with this Idempotency-Key made the key {key_id}, whose token was in that answer "
        "only. If it was lost, rotate that key, or revoke it, with another Idempotency-Key.",
        code="token_shown_once",
        more={"keyId": key_id},
    )


def _minted(call: Call[Any, Any, Any], key: Key, token: str) -> Response:
    call.log.add(minted=key.id)
    return Response.of(MintedKey.of(key, token), 201)


def revoke(call: Call[KeyPath, RevokeKeyQuery, None]) -> Response:
    """Revoke a key, with `descendants=true` also those that it made."""
    revoked = keys.revoke(
        call.organisation, call.path.key_id, by=call.caller, descendants=call.query.descendants
    )
    call.log.add(revoked=revoked)
    return Response(204)


def get_usage(call: Call[Nothing, UsageQuery, None]) -> Response:
    """Answer with what the organisation's keys used in a month."""
    organisation, month = call.organisation, call.query.month or now().strftime("%Y-%m")
    used = usage.of_month(organisation, month)
    return Response.of(UsageView.of(month, quotas.get(organisation, month), used))


handler = serve(
    "keys",
    (*access.ROUTES, *metering.ROUTES),
    {
        "list_keys": list_keys,
        "create_key": create,
        "rotate_key": rotate,
        "revoke_key": revoke,
        "get_usage": get_usage,
    },
    renewals={"create_key": minted_before, "rotate_key": minted_before},
)
