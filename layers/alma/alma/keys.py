"""API keys: minted once, kept as a salted hash, revoked at once.

A token is `alma_` and 33 base62 characters. The first eight of them find the key's row, the other 25 (149
bits) are the secret. With that much entropy one round of HMAC-SHA256 under a salt of its own is as hard to
reverse as a slow hash, and the authorizer runs on every request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from enum import StrEnum

from alma import organisations
from alma.clock import timestamp
from alma.errors import BadRequestError, NotFoundError
from alma.scopes import Scope
from alma.storage.table import KeyItem, TokenItem, transaction

PREFIX = "alma_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_LENGTH, _LOOKUP = 33, 8
_TOKEN = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{_LENGTH}}})")
_KEY_ID = re.compile(rf"key_[0-9A-Za-z]{{{_LOOKUP}}}")
_SORT_PREFIX = "key#"


class Role(StrEnum):
    """What a key may do; each role may do what the ones after it may."""

    ADMIN = "admin"
    REVIEWER = "reviewer"
    READER = "reader"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as an administrator sees it; never the token.

    Attributes
    ----------
    id, name : str
        `key_…` and what people call it.
    role : Role
        What it may do.
    hint : str
        The token's beginning, to recognise it by.
    created_at, revoked_at : str
        ISO 8601; `revoked_at` is None while the key is good.
    """

    id: str
    name: str
    role: Role
    hint: str
    created_at: str
    created_by: str | None = None
    revoked_at: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request comes from."""

    organisation: str
    key_id: str
    role: Role

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the key may be used for; it follows from the role."""
        return frozenset({Scope.MCP_READ}) if self.role is Role.READER else frozenset(Scope)


def create(organisation: str, name: str, role: Role, *, created_by: str | None = None) -> tuple[Key, str]:
    """Mint a key and return it with its token, which is shown this once.

    Raises
    ------
    BadRequestError
        The name is empty or longer than 100 characters.
    NotFoundError
        There is no such organisation.
    """
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise BadRequestError("Give the key a name of 1 to 100 characters.")
    organisations.get(organisation)
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    token, lookup = PREFIX + secret, secret[:_LOOKUP]
    salt = secrets.token_hex(16)
    item = KeyItem(
        organisation,
        _SORT_PREFIX + lookup,
        key_id=f"key_{lookup}",
        name=name,
        role=role.value,
        hint=f"{PREFIX}{lookup}…",
        created_at=timestamp(),
        created_by=created_by,
    )
    with transaction() as write:
        write.save(item, condition=KeyItem.pk.does_not_exist())
        write.save(
            TokenItem(
                _token_partition(lookup),
                "token",
                organisation=organisation,
                key_id=item.key_id,
                role=role.value,
                salt=salt,
                digest=_digest(salt, token),
            ),
            condition=TokenItem.pk.does_not_exist(),
        )
    return _from_item(item), token


def list_keys(organisation: str) -> list[Key]:
    """Return the organisation's keys, revoked ones included, oldest first."""
    items = KeyItem.query(organisation, KeyItem.sk.startswith(_SORT_PREFIX), consistent_read=True)
    return sorted((_from_item(item) for item in items), key=lambda key: (key.created_at, key.id))


def revoke(organisation: str, key_id: str) -> None:
    """Revoke a key: its token's row goes, its own row stays and says when. Twice is fine.

    Raises
    ------
    NotFoundError
        The organisation has no such key.
    """
    lookup = key_id.removeprefix("key_") if _KEY_ID.fullmatch(key_id) else ""
    try:
        item = KeyItem.get(organisation, _SORT_PREFIX + lookup, consistent_read=True)
    except KeyItem.DoesNotExist:
        raise NotFoundError(f"There is no key {key_id!r}; GET /api/v1/keys lists them.") from None
    if item.revoked_at is not None:
        return
    with transaction() as write:
        write.delete(TokenItem(_token_partition(lookup), "token"))
        write.update(item, actions=[KeyItem.revoked_at.set(timestamp())])


def identify(token: str) -> Caller | None:
    """Return who a token belongs to, or None: malformed, unknown or revoked."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    try:
        item = TokenItem.get(_token_partition(match[1][:_LOOKUP]), "token", consistent_read=True)
    except TokenItem.DoesNotExist:
        return None
    if not hmac.compare_digest(item.digest, _digest(item.salt, token)):
        return None
    return Caller(item.organisation, item.key_id, Role(item.role))


def _digest(salt: str, token: str) -> str:
    return hmac.new(bytes.fromhex(salt), token.encode(), hashlib.sha256).hexdigest()


def _token_partition(lookup: str) -> str:
    return f"token#{lookup}"


def _from_item(item: KeyItem) -> Key:
    return Key(
        item.key_id,
        item.name,
        Role(item.role),
        item.hint,
        item.created_at,
        item.created_by,
        item.revoked_at,
    )
