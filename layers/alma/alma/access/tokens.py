"""Tokens of API keys: `alma_` and 33 base62 characters, stored as a salted hash.

The first eight characters find the key's row, the other 25 (149 bits) are the secret. With that much entropy
one round of HMAC-SHA256 under a salt of its own is as hard to reverse as a slow hash, and the authorizer
computes it on every request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass

PREFIX = "alma_"
_ID_PREFIX = "key_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_LENGTH, _LOOKUP = 33, 8
_TOKEN = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{_LENGTH}}})")
_KEY_ID = re.compile(rf"{_ID_PREFIX}([0-9A-Za-z]{{{_LOOKUP}}})")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made, with what is stored of it."""

    text: str
    """The token itself, which is stored nowhere."""
    key_id: str
    hint: str
    """Its beginning, to recognise it by."""
    salt: str
    digest: str


def generate() -> NewToken:
    """Return a random token."""
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    token, lookup, salt = PREFIX + secret, secret[:_LOOKUP], secrets.token_hex(16)
    return NewToken(token, _ID_PREFIX + lookup, f"{PREFIX}{lookup}…", salt, _digest(salt, token))


def key_id_of(token: str) -> str | None:
    """Return the id of the key that a token names; None where it is malformed."""
    match = _TOKEN.fullmatch(token)
    return None if match is None else _ID_PREFIX + match[1][:_LOOKUP]


def lookup_of(key_id: str) -> str | None:
    """Return the part of a key's id that its rows are found by; None where the id is malformed."""
    match = _KEY_ID.fullmatch(key_id)
    return None if match is None else match[1]


def matches(token: str, salt: str, digest: str) -> bool:
    """Tell in constant time whether a token is the one that was stored as a digest."""
    return hmac.compare_digest(digest, _digest(salt, token))


def _digest(salt: str, token: str) -> str:
    return hmac.new(bytes.fromhex(salt), token.encode(), hashlib.sha256).hexdigest()
