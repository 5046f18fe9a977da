"""Organisations and their API keys.

=============  ============  ==================================================
pk             sk            item
=============  ============  ==================================================
ORG            organisation  OrganisationItem
ORG            key#LOOKUP    KeyItem (never the token)
token#LOOKUP   token         TokenItem (salted hash of the token)
=============  ============  ==================================================
"""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute, UnicodeSetAttribute

from alma.storage.table import Item


class OrganisationItem(Item, discriminator="organisation"):
    """An organisation and its document counter."""

    name = UnicodeAttribute()
    created_at = UnicodeAttribute()
    last_document_id = NumberAttribute(default=0)
    monthly_pages = NumberAttribute(null=True)
    # All its documents have lookups and a state of review; absent where some may be older than these.
    documents_indexed = BooleanAttribute(null=True)


class KeyItem(Item, discriminator="key"):
    """What an administrator sees of a key."""

    key_id = UnicodeAttribute()
    name = UnicodeAttribute()
    role = UnicodeAttribute()
    hint = UnicodeAttribute()
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute(null=True)
    # The operator's key that it descends from; absent where it is that one.
    root_key_id = UnicodeAttribute(null=True, attr_name="line")
    owner = UnicodeAttribute(null=True)
    # Narrower than its role; absent where the role decides.
    scopes = UnicodeSetAttribute(null=True)
    valid_until = UnicodeAttribute(null=True)
    revoked_at = UnicodeAttribute(null=True)
    revoked_by = UnicodeAttribute(null=True)
    replaced_by = UnicodeAttribute(null=True)
    # Of a revoked key; while it is good, on its token's row.
    last_used_at = UnicodeAttribute(null=True)


class TokenItem(Item, discriminator="token"):
    """What the authorizer needs of a key."""

    organisation = UnicodeAttribute()
    key_id = UnicodeAttribute()
    root_key_id = UnicodeAttribute(null=True, attr_name="line")
    role = UnicodeAttribute()
    scopes = UnicodeSetAttribute(null=True)
    valid_until = UnicodeAttribute(null=True)
    last_used_at = UnicodeAttribute(null=True)
    salt = UnicodeAttribute()
    digest = UnicodeAttribute()


#: What the sort keys of an organisation's API keys begin with.
KEY_PREFIX = "key#"


def key_key(key_id: str) -> str:
    """Return the sort key of an API key."""
    return KEY_PREFIX + key_id.removeprefix("key_")


def token_key(key_id: str) -> tuple[str, str]:
    """Return partition and sort key of the row that an API key's token is checked against."""
    return f"token#{key_id.removeprefix('key_')}", "token"
