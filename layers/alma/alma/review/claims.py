"""Claims: who works on a document, for a while, so that two people do not do the same work.

A claim is two attributes of the document's row, written if nobody else's holds. It ends by itself: whether
one holds is a comparison of times, in the conditions as in what is shown.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from alma import clock
from alma.access import keys
from alma.documents import records
from alma.documents.records import Document
from alma.errors import PassingConflictError
from alma.presentation.document import Claim
from alma.storage.items.documents import DocumentItem, document_key
from alma.storage.transactions import retry


def claim(organisation: str, document_id: int, key_id: str, seconds: int) -> Claim:
    """Claim a document for a key, or go on with a claim of its own.

    Raises
    ------
    NotFoundError
        The organisation has no such document.
    ConflictError
        Another key's claim holds.
    """

    def attempt() -> Claim:
        refuse_others(records.get(organisation, document_id), key_id)
        until = clock.now() + timedelta(seconds=seconds)
        DocumentItem(organisation, document_key(document_id)).update(
            actions=[
                DocumentItem.claimed_by.set(key_id),
                DocumentItem.claimed_until.set(int(until.timestamp())),
            ],
            condition=DocumentItem.pk.exists() & free_for(key_id),
        )
        return Claim(key_id, clock.timestamp(until), keys.names(organisation, [key_id]).get(key_id))

    return retry(attempt)


def release(organisation: str, document_id: int, key_id: str, *, anybodys: bool = False) -> None:
    """End the claim on a document. Idempotent.

    Parameters
    ----------
    organisation, document_id : str, int
        The document.
    key_id : str
        Whose claim it is.
    anybodys : bool
        End it whosever it is: for keys with the scope `review:admin`.

    Raises
    ------
    NotFoundError
        The organisation has no such document.
    ConflictError
        Another key's claim holds.
    """

    def attempt() -> None:
        document = records.get(organisation, document_id)
        condition: Any = DocumentItem.pk.exists()
        if not anybodys:
            refuse_others(document, key_id)
            condition = condition & free_for(key_id)
        DocumentItem(organisation, document_key(document_id)).update(
            actions=[DocumentItem.claimed_by.remove(), DocumentItem.claimed_until.remove()],
            condition=condition,
        )

    retry(attempt)


def refuse_others(document: Document, key_id: str) -> None:
    """Raise the error for a document that another key works on.

    Raises
    ------
    ConflictError
        Another key's claim holds.
    """
    holder = document.claimed_by
    if holder is not None and holder != key_id:
        name = keys.names(document.organisation, [holder]).get(holder)
        who = holder if name is None else f"{name} ({holder})"
        raise PassingConflictError(
            f"{who} works on this document until {document.claimed_until}; wait for that, or ask for it to "
            "be released.",
            code="claimed",
            more={"claimedBy": holder, "claimedByName": name, "expiresAt": document.claimed_until},
        )


def free_for(key_id: str) -> Any:
    """Return the condition that no other key's claim holds now."""
    return (
        DocumentItem.claimed_by.does_not_exist()
        | (DocumentItem.claimed_by == key_id)
        | (DocumentItem.claimed_until <= int(clock.now().timestamp()))
    )
