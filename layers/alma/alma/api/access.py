"""Keys over the API: what is sent, what is answered, and the routes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, StrictInt, ValidationError, WrapValidator, field_validator

from alma.access.keys import Key
from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Role, Scope, listed
from alma.api.errors import ErrorView
from alma.api.operation import Route
from alma.api.request_models import Body, Path, Query, sentence
from alma.presentation.view import View


def _moment(given: object, validate: Callable[[object], datetime | None]) -> datetime | None:
    """Return the time that is given, or that a day stands for, as `alma key create` takes it."""
    is_day = isinstance(given, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given)
    try:
        return validate(f"{given}T00:00:00Z" if is_day else given)
    except ValidationError:
        raise sentence(
            "expiresAt is a day, 2027-01-31, or a time with its zone, 2027-01-31T09:00:00Z."
        ) from None


class CreateKeyBody(Body):
    """A key to mint."""

    name: str = Field(min_length=1, max_length=100, description="What people call it.")
    role: Role = Role.READER
    scopes: Annotated[list[Scope], Field(min_length=1)] | None = Field(
        default=None, description="Fewer than those of the role; without, all of them."
    )
    owner: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="Who answers for it; an address, say."
    )
    expires_at: Annotated[AwareDatetime | None, WrapValidator(_moment)] = Field(
        default=None,
        description="When it stops working: a time with its zone, or a day, whose midnight (UTC) it is; "
        "without, not by itself.",
    )


class RotateKeyBody(Body):
    """How to replace a key by one with the same rights."""

    overlap_seconds: StrictInt = Field(
        default=86400,
        ge=0,
        le=604800,
        description="How long the old key goes on working beside the new one.",
    )


class KeyPath(Path):
    """`/v1/keys/{id}`."""

    key_id: str = Field(alias="id", description="Id of the key.")


class RevokeKeyQuery(Query):
    """What goes with a key."""

    descendants: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="Whether all keys go too that it minted or was rotated into, and theirs.",
    )


class KeyView(View):
    """A key, without its token."""

    id: str
    name: str
    owner: str | None = Field(description="Who answers for it.")
    role: Role
    scopes: list[Scope] = Field(description="What it may do.")
    hint: str = Field(description="How the token begins.")
    created_at: str
    created_by: str | None = Field(description="Id of the key that minted it; null for the operator.")
    expires_at: str | None = Field(validation_alias="valid_until", description="When it stops working.")
    last_used_at: str | None = Field(description="When it was last used, exact to some minutes.")
    revoked_at: str | None
    revoked_by: str | None = Field(description="Id of the key that revoked it; null for the operator.")
    replaced_by: str | None = Field(description="Id of the key it was rotated into.")

    @field_validator("scopes", mode="before")
    @classmethod
    def _in_order(cls, given: frozenset[Scope]) -> list[str]:
        return listed(given)


class MintedKey(KeyView):
    """A new key with its token, which is shown this once."""

    token: str

    @classmethod
    def of(cls, key: Key, token: str) -> MintedKey:
        """Return the view of a key that was just minted."""
        return cls(**dict(KeyView.model_validate(key)), token=token)


class KeyList(View):
    """The organisation's keys, oldest first."""

    keys: list[KeyView]

    @classmethod
    def of(cls, keys: list[Key]) -> KeyList:
        """Return the view of keys."""
        return cls(keys=[KeyView.model_validate(key) for key in keys])


ROUTES = (
    Route(
        "GET",
        "/v1/keys",
        "keys",
        "list_keys",
        "List keys, revoked ones included.",
        Scope.KEYS_ADMIN,
        {200: KeyList},
    ),
    Route(
        "POST",
        "/v1/keys",
        "keys",
        "create_key",
        "Mint a key; its token is shown this once.",
        Scope.KEYS_ADMIN,
        {201: MintedKey, 400: ErrorView, 503: ErrorView},
        body=CreateKeyBody,
        limited_as=RateLimitClass.MINTING,
        shown_once="token",
    ),
    Route(
        "POST",
        "/v1/keys/{id}/rotate",
        "keys",
        "rotate_key",
        "Replace a key by a new one with the same rights; the old one goes on for a while.",
        Scope.KEYS_ADMIN,
        {201: MintedKey, 400: ErrorView, 404: ErrorView, 409: ErrorView, 503: ErrorView},
        path=KeyPath,
        body=RotateKeyBody,
        limited_as=RateLimitClass.MINTING,
        shown_once="token",
    ),
    Route(
        "DELETE",
        "/v1/keys/{id}",
        "keys",
        "revoke_key",
        "Revoke a key that has no more scopes than yours; holds everywhere within 30 seconds.",
        Scope.KEYS_ADMIN,
        {204: None, 400: ErrorView, 404: ErrorView, 503: ErrorView},
        path=KeyPath,
        query=RevokeKeyQuery,
    ),
)
