"""Authentication: from the token of a request to its caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from alma.access import scopes as access_scopes
from alma.access import tokens
from alma.access.scopes import Role, Scope
from alma.clock import now, timestamp
from alma.storage.items.access import TokenItem, token_key
from alma.storage.transactions import conditional_write

#: How exact the time of the last use is; a write for every request would cost more than it tells.
_USE_INTERVAL = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request comes from, and what their key may do."""

    organisation: str
    key_id: str
    root_key_id: str
    """Id of the operator's key that this one descends from by minting or rotation, or its own: it stands for
    whoever was given that key, who cannot become another one with keys of their own making."""
    role: Role
    scopes: frozenset[Scope]
    valid_until: str | None = None
    """When the key stops working (ISO 8601)."""
    last_used_at: str | None = None
    """When it was last used (ISO 8601), exact to some minutes."""

    @property
    def expired(self) -> bool:
        """Whether the key's time is over."""
        return self.valid_until is not None and self.valid_until <= timestamp()


def identify(token: str) -> Caller | None:
    """Return the caller whose token it is; None where it is malformed, unknown, expired or revoked."""
    key_id = tokens.key_id_of(token)
    item = None if key_id is None else TokenItem.find(*token_key(key_id))
    if item is None or not tokens.matches(token, item.salt, item.digest):
        return None
    role = Role(item.role)
    caller = Caller(
        item.organisation,
        item.key_id,
        item.root_key_id or item.key_id,
        role,
        access_scopes.parse(item.scopes, role),
        item.valid_until,
        item.last_used_at,
    )
    return None if caller.expired else caller


def note_use(caller: Caller) -> None:
    """Record that a key is in use, unless that was done in the last minutes or the key is gone."""
    before = timestamp(now() - _USE_INTERVAL)
    if caller.last_used_at is not None and caller.last_used_at > before:
        return
    stale = TokenItem.last_used_at.does_not_exist() | (TokenItem.last_used_at <= before)
    item = TokenItem(*token_key(caller.key_id))
    conditional_write(
        lambda: item.update(
            actions=[TokenItem.last_used_at.set(timestamp())], condition=TokenItem.pk.exists() & stale
        )
    )
