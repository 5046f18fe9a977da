"""/v1/keys: mint, list and revoke API keys."""

from alma import keys
from alma.http.dispatch import serve
from alma.http.message import Request, Response
from alma.views import CreateKeyBody, KeyList, KeyView, MintedKey


def list_keys(request: Request) -> Response:
    """Answer with the organisation's keys."""
    view = KeyList(keys=[KeyView.of(key) for key in keys.list_keys(request.organisation)])
    return Response(200, view.model_dump(mode="json"))


def create(request: Request) -> Response:
    """Mint a key and answer with its token, this once."""
    body = request.json(CreateKeyBody)
    minted_by = request.caller.key_id if request.caller else None
    key, token = keys.create(request.organisation, body.name, body.role, created_by=minted_by)
    view = MintedKey(**KeyView.of(key).model_dump(), token=token)
    return Response(201, view.model_dump(mode="json"), {"Cache-Control": "no-store"})


def revoke(request: Request) -> Response:
    """Revoke a key."""
    keys.revoke(request.organisation, request.path["id"])
    return Response(204)


handler = serve("keys", {"list_keys": list_keys, "create_key": create, "revoke_key": revoke})
