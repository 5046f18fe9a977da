"""Requests that came with an `Idempotency-Key`, and what was answered to them; both are gone after a day.

===============  ==============================  ======================================================
pk               sk                              item
===============  ==============================  ======================================================
idempotency#ORG  request#KEY#DIGEST              IdempotencyItem: a request of an API key, by the digest
                                                 of its `Idempotency-Key`
idempotency#ORG  answer#000000004012#ATTEMPT     AnswerItem: the body that was answered
idempotency#ORG  answer#mdl_deeds_v1#ATTEMPT     the same, of what made a model
===============  ==============================  ======================================================

A partition of its own, so that a function that only reads documents can be allowed to write these rows alone.
Bodies sort by the document (0 for none) or the model that they are about, because they go with it.
"""

from __future__ import annotations

from pynamodb.attributes import (
    BinaryAttribute,
    JSONAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
)

from alma.storage.table import Item


class IdempotencyItem(Item, discriminator="idempotency"):
    """A request that is being served (`held_until`, seconds since 1970) or was answered (`status`)."""

    fingerprint = UnicodeAttribute()
    attempt = UnicodeAttribute()
    held_until = NumberAttribute(null=True)
    status = NumberAttribute(null=True)
    headers = JSONAttribute(null=True)
    # The document or the model that the answer goes with: a number, or mdl_…
    about = UnicodeAttribute(null=True)
    # Where the body is, if there is one: a row, or an object of the archive for what no row can hold.
    answer_row = UnicodeAttribute(null=True)
    answer_object = UnicodeAttribute(null=True)
    expires_at = TTLAttribute()


class AnswerItem(Item, discriminator="answer"):
    """The body of an answer."""

    body = BinaryAttribute(legacy_encoding=False)
    expires_at = TTLAttribute()


def idempotency_partition(organisation: str) -> str:
    """Return the partition of an organisation's requests and answers."""
    return f"idempotency#{organisation}"


def request_key(key_id: str, digest: str) -> str:
    """Return the sort key of a request; each API key has its own."""
    return f"request#{key_id}#{digest}"


def answer_prefix(about: str) -> str:
    """Return what the sort keys of the answers about a document, or a model, begin with, by its id."""
    return f"answer#{about.zfill(12) if about.isdecimal() else about}#"
