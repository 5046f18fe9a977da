"""/v1/keys and /v1/usage: mint, list, rotate and revoke API keys, and what they used."""

import re
from datetime import timedelta

from alma.access import keys
from alma.access.keys import Key
from alma.api.dispatch import serve
from alma.api.request import Request, Response
from alma.api.views import CreateKeyBody, KeyList, KeyView, MintedKey, RotateKeyBody, UsageView
from alma.clock import now
from alma.errors import BadRequestError
from alma.metering import quotas, usage

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)


def list_keys(request: Request) -> Response:
    """Answer with the organisation's keys."""
    view = KeyList(keys=[KeyView.of(key) for key in keys.list_keys(request.organisation)])
    return Response(200, view.model_dump(mode="json"))


def create(request: Request) -> Response:
    """Mint a key and answer with its token, this once."""
    body = request.json(CreateKeyBody)
    return _minted(
        request,
        *keys.create(
            request.organisation,
            body.name,
            body.role,
            narrowed=body.scopes,
            owner=body.owner,
            expires=body.expiresAt,
            by=request.caller,
        ),
    )


def rotate(request: Request) -> Response:
    """Mint a key in place of another and answer with its token, this once."""
    overlap = timedelta(seconds=request.json(RotateKeyBody).overlapSeconds)
    rotated = request.named["rotated"] = request.path["id"]
    return _minted(request, *keys.rotate(request.organisation, rotated, overlap, by=request.caller))


def _minted(request: Request, key: Key, token: str) -> Response:
    request.named["minted"] = key.id
    view = MintedKey(**KeyView.of(key).model_dump(), token=token)
    return Response(201, view.model_dump(mode="json"), {"Cache-Control": "no-store"})


def revoke(request: Request) -> Response:
    """Revoke a key, with `descendants=true` also those that it made."""
    asked = request.query.get("descendants", "false")
    if asked not in ("true", "false"):
        raise BadRequestError("descendants is true, to revoke the keys that it made too, or false.")
    request.named["revoked"] = keys.revoke(
        request.organisation, request.path["id"], by=request.caller, descendants=asked == "true"
    )
    return Response(204)


def get_usage(request: Request) -> Response:
    """Answer with what the organisation's keys used in a month."""
    month = request.query.get("month") or now().strftime("%Y-%m")
    if not _MONTH.fullmatch(month):
        raise BadRequestError("month is a year and a month, such as 2026-11.")
    organisation = request.organisation
    view = UsageView.of(month, quotas.get(organisation, month), usage.of_month(organisation, month))
    return Response(200, view.model_dump(mode="json"))


handler = serve(
    "keys",
    {
        "list_keys": list_keys,
        "create_key": create,
        "rotate_key": rotate,
        "revoke_key": revoke,
        "get_usage": get_usage,
    },
)
