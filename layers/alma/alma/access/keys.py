"""API keys: minted with a token that is shown once, listed, rotated, and revoked at once.

Nobody can mint more than they have: neither scopes nor time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from alma.access import organisations, tokens
from alma.access import scopes as access_scopes
from alma.access.authentication import Caller
from alma.access.scopes import Role, Scope
from alma.clock import now, timestamp
from alma.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError, UnauthorizedError
from alma.settings import settings
from alma.storage.items.access import KEY_PREFIX, KeyItem, TokenItem, key_key, token_key
from alma.storage.transactions import ConditionFailedError, Transaction, write_transaction
from alma.text import reject_control_characters

__all__ = ["Caller", "Key", "Role", "create", "list_keys", "revoke", "rotate"]

#: Longest time a key may go on beside the one that replaces it.
MAX_OVERLAP = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as an administrator sees it, without its token. All times are ISO 8601."""

    id: str
    """`key_` and the lookup part of its token."""
    name: str
    owner: str | None
    """Who answers for it, in their own words."""
    role: Role
    scopes: frozenset[Scope]
    hint: str
    """The token's beginning, to recognise it by."""
    created_at: str
    created_by: str | None
    """Id of the key that minted it; None for the operator."""
    valid_until: str | None
    revoked_at: str | None
    """None while it is not revoked."""
    revoked_by: str | None
    """Id of the key that revoked it; None for the operator."""
    last_used_at: str | None
    """Exact to some minutes."""
    replaced_by: str | None
    """Id of the key it was rotated into."""


def create(
    organisation: str,
    name: str,
    role: Role,
    *,
    narrowed: Iterable[Scope] | None = None,
    owner: str | None = None,
    expires: datetime | None = None,
    by: Caller | None = None,
) -> tuple[Key, str]:
    """Mint a key and return it with its token, which is shown this once.

    Parameters
    ----------
    name, role : str, Role
        What people call it, and what it is for.
    narrowed : iterable of Scope, optional
        The scopes it has, out of those of its role; without, all of them, also those the role is given later.
    owner : str, optional
        Who answers for it.
    expires : datetime, optional
        When it stops working.
    by : Caller, optional
        Who mints it; None for the operator, whom nothing narrows.

    Raises
    ------
    BadRequestError
        The name is empty or too long, a scope is not of the role, or the expiry has passed.
    ForbiddenError
        The minter does not have what the key would have.
    NotFoundError
        There is no such organisation.
    ConflictError
        It has as many keys as it may have.
    UnauthorizedError
        The minter's key has been revoked meanwhile.
    """
    name, owner = _checked_names(name, owner)
    until = _checked_expiry(expires)
    given = None if narrowed is None else access_scopes.listed(narrowed)
    if given == []:
        raise BadRequestError("Give the key one scope at least, or leave scopes out for those of its role.")
    if given is None and by is not None and by.scopes != access_scopes.of_role(by.role):
        # Who was narrowed hands on what there is now, not what the role may be given later.
        given = access_scopes.listed(access_scopes.of_role(role))
    if excess := access_scopes.listed(access_scopes.parse(given, role) - access_scopes.of_role(role)):
        raise BadRequestError(
            f"A {role.value} has no {', '.join(excess)}; name another role or fewer scopes."
        )
    organisations.get(organisation)
    if by is not None:
        _check_not_above(by, access_scopes.parse(given, role), until)
        _check_room(organisation)
    item, token_item, token = _new_rows(
        organisation,
        name=name,
        role=role.value,
        scopes=given,
        owner=owner,
        valid_until=until,
        created_by=by.key_id if by else None,
        root_key_id=by.root_key_id if by else None,
    )

    def write(transact: Transaction) -> None:
        if by is not None:
            _check_good(transact, by)
        _save(transact, item, token_item)

    try:
        write_transaction(write)
    except ConditionFailedError as error:
        if by is None or not error.failed[0]:
            raise
        raise _not_good(by) from None
    return _from_item(item), token


def _checked_names(name: str, owner: str | None) -> tuple[str, str | None]:
    """Return a key's name and owner as they are stored; raises `BadRequestError`."""
    name, owner = name.strip(), (owner or "").strip() or None
    if not 1 <= len(name) <= 100:
        raise BadRequestError("Give the key a name of 1 to 100 characters.")
    for said in (name, owner or ""):
        try:
            reject_control_characters(said)
        except ValueError as error:
            raise BadRequestError(f"People read a key's name and owner: {error}.") from None
    return name, owner


def _checked_expiry(expires: datetime | None) -> str | None:
    """Return when a key stops working as it is stored; raises `BadRequestError`."""
    if expires is None:
        return None
    if expires <= now():
        raise BadRequestError("The key would have expired already; give a time to come.")
    try:
        return timestamp(expires.astimezone(UTC))
    except OverflowError:
        raise BadRequestError("The expiry is too far away; leave it out for none.") from None


def _check_good(transact: Transaction, by: Caller) -> None:
    """Write only if the key of whoever asks is still good: the authorizer may remember it a little longer.

    Checks come before all writes of a transaction, so this is the first of its conditions.
    """
    transact.condition_check(KeyItem, by.organisation, key_key(by.key_id), condition=_is_good())


def _is_good() -> Any:
    in_time = KeyItem.valid_until.does_not_exist() | (KeyItem.valid_until > timestamp())
    return KeyItem.revoked_at.does_not_exist() & in_time


def _not_good(by: Caller) -> UnauthorizedError:
    return UnauthorizedError(f"{by.key_id} is revoked or has expired.")


def _check_room(organisation: str) -> None:
    """Refuse a key where an organisation has as many good ones as it may."""
    most = settings().max_keys
    good = KeyItem.query(
        organisation,
        KeyItem.sk.startswith(KEY_PREFIX),
        filter_condition=_is_good(),
    )
    if sum(1 for _ in good) >= most:
        raise ConflictError(
            f"There are {most} good keys, which is the most; revoke one first.", code="too_many_keys"
        )


def _check_not_above(by: Caller, wanted: frozenset[Scope], until: str | None) -> None:
    """Refuse a key that would do more, or longer, than the one that mints it."""
    if missing := access_scopes.listed(wanted - by.scopes):
        raise ForbiddenError(f"Your key has no {', '.join(missing)}, so it cannot give that to another.")
    end = _row(by.organisation, by.key_id).valid_until
    if end is not None and (until is None or until > end):
        raise ForbiddenError(f"Your key expires at {end}; let the new one expire by then.")


def _new_rows(organisation: str, **of_key: Any) -> tuple[KeyItem, TokenItem, str]:
    """Return the two rows of a new key, and its token."""
    token = tokens.generate()
    item = KeyItem(
        organisation,
        key_key(token.key_id),
        key_id=token.key_id,
        hint=token.hint,
        created_at=timestamp(),
        **of_key,
    )
    token_item = TokenItem(
        *token_key(item.key_id),
        organisation=organisation,
        key_id=item.key_id,
        root_key_id=item.root_key_id,
        role=item.role,
        scopes=item.scopes,
        valid_until=item.valid_until,
        salt=token.salt,
        digest=token.digest,
    )
    return item, token_item, token.text


def _save(write: Transaction, item: KeyItem, token_item: TokenItem) -> None:
    write.save(item, condition=KeyItem.pk.does_not_exist())
    write.save(token_item, condition=TokenItem.pk.does_not_exist())


def rotate(
    organisation: str, key_id: str, overlap: timedelta, *, by: Caller | None = None
) -> tuple[Key, str]:
    """Mint a key with the same rights in place of one, which stops working after `overlap`.

    The new key expires when the old one would have: rotation changes the secret, not the rights.

    Raises
    ------
    BadRequestError
        The overlap is negative or longer than seven days.
    ForbiddenError
        The rotator does not have what the key has.
    NotFoundError
        The organisation has no such key.
    ConflictError
        It is revoked, expired or rotated already.
    UnauthorizedError
        The rotator's key has been revoked meanwhile.
    """
    if not timedelta() <= overlap <= MAX_OVERLAP:
        raise BadRequestError(f"The overlap is 0 to {MAX_OVERLAP.days * 86400} seconds.")
    old = _row(organisation, key_id)
    if by is not None:
        _check_not_above(by, access_scopes.parse(old.scopes, Role(old.role)), old.valid_until)
    if old.revoked_at is not None or (old.valid_until is not None and old.valid_until <= timestamp()):
        raise ConflictError(f"{key_id} is not good any more; mint a new key.", code="key_not_good")
    item, token_item, token = _new_rows(
        organisation,
        name=old.name,
        role=old.role,
        scopes=old.scopes,
        owner=old.owner,
        valid_until=old.valid_until,
        created_by=by.key_id if by else None,
        root_key_id=old.root_key_id or old.key_id,
    )
    end = timestamp(now() + overlap)
    end = end if old.valid_until is None else min(end, old.valid_until)

    def write(transact: Transaction) -> None:
        transact.update(
            old,
            actions=[KeyItem.valid_until.set(end), KeyItem.replaced_by.set(item.key_id)],
            condition=KeyItem.replaced_by.does_not_exist() & KeyItem.revoked_at.does_not_exist(),
        )
        transact.update(
            TokenItem(*token_key(key_id)),
            actions=[TokenItem.valid_until.set(end)],
            condition=TokenItem.pk.exists(),
        )
        _save(transact, item, token_item)
        if by is not None and by.key_id != key_id:  # no row is twice in a transaction
            _check_good(transact, by)

    try:
        write_transaction(write)
    except ConditionFailedError as error:
        if by is not None and by.key_id != key_id and error.failed[0]:
            raise _not_good(by) from None
        raise ConflictError(
            f"{key_id} was rotated or revoked already; GET /api/v1/keys shows into which.",
            code="key_not_good",
        ) from None
    return _from_item(item), token


def list_keys(organisation: str) -> list[Key]:
    """Return the organisation's keys, revoked ones included, oldest first."""
    items = list(KeyItem.query(organisation, KeyItem.sk.startswith(KEY_PREFIX), consistent_read=True))
    tokens = TokenItem.batch_get([token_key(item.key_id) for item in items])
    used = {token.key_id: token.last_used_at for token in tokens}
    return sorted(
        (_from_item(item, used.get(item.key_id)) for item in items), key=lambda key: (key.created_at, key.id)
    )


def names(organisation: str, key_ids: Iterable[str | None]) -> dict[str, str]:
    """Return the names of keys by their ids, revoked ones included, in one Query at most.

    What is no key of the organisation's has none.
    """
    wanted = {each for each in key_ids if each is not None and each.startswith("key_")}
    if not wanted:
        return {}
    items = KeyItem.query(
        organisation, KeyItem.sk.startswith(KEY_PREFIX), attributes_to_get=["kind", "key_id", "name"]
    )
    return {item.key_id: item.name for item in items if item.key_id in wanted}


def revoke(
    organisation: str, key_id: str, *, by: Caller | None = None, descendants: bool = False
) -> list[str]:
    """Revoke a key: its token's row goes, its own row stays and says when and by whom. Idempotent.

    The last administrator's key goes like any other, for it may be the one in wrong hands; the operator mints
    the next one.

    Parameters
    ----------
    by : Caller, optional
        Who revokes it; None for the operator.
    descendants : bool
        Whether all keys go too that it minted or was rotated into, and theirs: for a key in wrong hands.

    Returns
    -------
    list of str
        Ids of the keys that were good until now.

    Raises
    ------
    ForbiddenError
        The key may do more than the one that revokes it.
    NotFoundError
        The organisation has no such key.
    UnauthorizedError
        The revoker's key has been revoked meanwhile.
    """
    waiting, revoked = [_row(organisation, key_id)], []
    if by is not None:
        _check_still_good(by)
        _check_can_revoke(by, waiting[0])
    while waiting:
        # What is revoked mints no more, so what it has minted by now is all. The revoker's own key, which may
        # be among them, is the last of its generation; the rest of what was asked for is done all the same.
        for item in sorted(waiting, key=lambda each: by is not None and each.key_id == by.key_id):
            asking = None if by is None or by.key_id in revoked else by
            if _revoke(item, by, asking):
                revoked.append(item.key_id)
        if not descendants:
            break
        gone = {item.key_id for item in waiting}
        # Read anew: a key that was rotated on the way knows its heir only by now.
        items = list(KeyItem.query(organisation, KeyItem.sk.startswith(KEY_PREFIX), consistent_read=True))
        heirs = {item.replaced_by for item in items if item.key_id in gone}
        waiting = [item for item in items if item.created_by in gone or item.key_id in heirs]
    return revoked


def _check_still_good(by: Caller) -> None:
    """Refuse what a revoked or expired key asks for, which the authorizer may remember a little longer."""
    own = KeyItem.find(by.organisation, key_key(by.key_id))
    expired = own is not None and own.valid_until is not None and own.valid_until <= timestamp()
    if own is None or own.revoked_at is not None or expired:
        raise _not_good(by)


def _check_can_revoke(by: Caller, item: KeyItem) -> None:
    """Refuse a key that would take away what it could not give."""
    if excess := access_scopes.listed(access_scopes.parse(item.scopes, Role(item.role)) - by.scopes):
        raise ForbiddenError(
            f"{item.key_id} has {', '.join(excess)}, which your key does not have, so it cannot revoke it; "
            "ask somebody whose key has, or the operator."
        )


def _revoke(item: KeyItem, by: Caller | None, asking: Caller | None) -> bool:
    """Revoke a key and tell whether it was not revoked before; only if the key of who asks is good."""
    if item.revoked_at is not None:
        return False
    actions: list[Any] = [KeyItem.revoked_at.set(timestamp())]
    if by is not None:
        actions.append(KeyItem.revoked_by.set(by.key_id))
    token = TokenItem.find(*token_key(item.key_id))
    if token is not None and token.last_used_at is not None:
        actions.append(KeyItem.last_used_at.set(token.last_used_at))
    checked = asking is not None and asking.key_id != item.key_id  # no row is twice in a transaction

    def write(transact: Transaction) -> None:
        if checked and asking is not None:
            _check_good(transact, asking)
        transact.update(item, actions=actions, condition=KeyItem.revoked_at.does_not_exist())
        transact.delete(TokenItem(*token_key(item.key_id)))

    try:
        write_transaction(write)
    except ConditionFailedError as error:
        if checked and asking is not None and error.failed[0]:
            raise _not_good(asking) from None
        return False  # somebody else was at it
    return True


def _row(organisation: str, key_id: str) -> KeyItem:
    item = None if tokens.lookup_of(key_id) is None else KeyItem.find(organisation, key_key(key_id))
    if item is None:
        raise NotFoundError(f"There is no key {key_id!r}; GET /api/v1/keys lists them.")
    return item


def _from_item(item: KeyItem, last_used_at: str | None = None) -> Key:
    role = Role(item.role)
    return Key(
        id=item.key_id,
        name=item.name,
        owner=item.owner,
        role=role,
        scopes=access_scopes.parse(item.scopes, role),
        hint=item.hint,
        created_at=item.created_at,
        created_by=item.created_by,
        valid_until=item.valid_until,
        revoked_at=item.revoked_at,
        revoked_by=item.revoked_by,
        last_used_at=last_used_at or item.last_used_at,
        replaced_by=item.replaced_by,
    )
