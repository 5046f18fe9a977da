"""`Idempotency-Key`: a POST that comes again is answered as it was the first time, and not done again.

As draft-ietf-httpapi-idempotency-key-header has it, and Stripe's API before it: the client gives each thing
it wants done a key and repeats it with every attempt. A record of the key is claimed by a conditional write
before anything is done, and holds the answer afterwards. Another request with the key is 422, the same one
while the first is still served 409. A request that was not allowed, not valid or came too fast does not get
here, and who is told to come back (5xx, a document that is still read or that somebody works on) must be
able to: neither leaves a record. A process that dies leaves its claim until its time would have been up.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from alma import clock
from alma.api.errors import error_response
from alma.api.operation import Route
from alma.api.request import Call, Response
from alma.documents import records
from alma.errors import AlmaError, BadRequestError, NotFoundError, PassingConflictError
from alma.storage import objects
from alma.storage.items.idempotency import (
    AnswerItem,
    IdempotencyItem,
    answer_prefix,
    idempotency_partition,
    request_key,
)
from alma.storage.transactions import conditional_write

Operation = Callable[[Call[Any, Any, Any]], Response]
#: Makes the first answer useful again, where it holds what expires or was shown once.
Renewal = Callable[[Call[Any, Any, Any], Response], Response]

_log = logging.getLogger(__name__)
_KEPT = timedelta(days=1)
#: Bytes of a body that a row holds beside its keys.
_MOST_IN_A_ROW = 300 * 1024
_REPLAYED = {"Idempotency-Replayed": "true"}
#: Refusals that are an answer; with all others nothing was begun, or it shall be tried again.
_FINAL = frozenset({404, 409, 422})
_BARE = re.compile(r"[ !#-~][ -~]*")
#: A string of structured fields (RFC 9651, 3.3.3).
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')


class IdempotencyKeyReusedError(AlmaError):
    """The key came with another request before."""

    code = "idempotency_key_reused"
    status = 422


class IdempotencyInProgressError(PassingConflictError):
    """The first request with the key is still being served."""

    code = "idempotency_in_progress"
    retry_after = 2


def once(row: Route, call: Call[Any, Any, Any], operation: Operation, renew: Renewal | None) -> Response:
    """Run an operation, or answer what it answered to the same request with the same key before.

    Raises
    ------
    BadRequestError
        The key is none.
    IdempotencyKeyReusedError, IdempotencyInProgressError
        It belongs to another request; or to this one, which is being served.
    AlmaError
        As the operation.
    """
    mine = _record(call, _parse(call.request.headers["idempotency-key"]))
    first = _claim(mine)
    if first is not None:
        call.log.add(replayed=True)
        return _replay(call, _checked(first, mine), renew).with_headers(_REPLAYED)
    try:
        response = operation(call)
    except AlmaError as error:
        if error.status in _FINAL and not error.retryable:
            _keep(mine, row, call, error_response(error, call.request.request_id))
        else:
            _release(mine)
        raise
    except Exception:
        _release(mine)
        raise
    _keep(mine, row, call, response)
    return response


def _parse(header: str) -> str:
    """Return the key of a header: its text, or what the quotes of a structured field hold."""
    text = header.strip()
    quoted = _QUOTED.fullmatch(text)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text
    if not (quoted or _BARE.fullmatch(text)) or not 1 <= len(key) <= 255:
        raise BadRequestError(
            "An Idempotency-Key is 1 to 255 printable ASCII characters, such as a UUID; it may stand in "
            "double quotes."
        )
    return key


def _record(call: Call[Any, Any, Any], key: str) -> IdempotencyItem:
    """Return the record that claims a key for a request, for as long as it may be served."""
    seconds = math.ceil(max(call.request.deadline - time.monotonic(), 0)) + 1
    return IdempotencyItem(
        idempotency_partition(call.organisation),
        request_key(call.key_id, hashlib.sha256(key.encode()).hexdigest()),
        fingerprint=_fingerprint(call),
        attempt=secrets.token_hex(16),
        held_until=int(clock.now().timestamp()) + seconds,
        expires_at=clock.now() + _KEPT,
    )


def _fingerprint(call: Call[Any, Any, Any]) -> str:
    """Return what tells one request from another: what was understood of it, not how it was spelled."""
    request = call.request
    body = None if call.body is None else call.body.model_dump_json(exclude_defaults=True)
    file = None if call.file is None else hashlib.sha256(call.file).hexdigest()
    said = [request.method, request.resource, dict(request.path), dict(request.query), body, file]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _claim(mine: IdempotencyItem) -> IdempotencyItem | None:
    """Conditional write: claim the key; return the record that has it where it is taken."""
    now = clock.now()
    free = (
        IdempotencyItem.pk.does_not_exist()
        | (IdempotencyItem.expires_at <= now)
        | (IdempotencyItem.held_until <= int(now.timestamp()))
    )
    for _ in range(2):
        if conditional_write(lambda: mine.save(free)):
            return None
        known = IdempotencyItem.find(mine.pk, mine.sk)
        if known is not None and known.attempt == mine.attempt:
            return None  # written, and written again by the SDK because its answer was lost
        if known is not None:  # else it was released in this moment
            return known
    raise _in_progress()


def _checked(first: IdempotencyItem, mine: IdempotencyItem) -> IdempotencyItem:
    """Return the record of the first request if this is the same and it was answered."""
    if first.fingerprint != mine.fingerprint:
        raise IdempotencyKeyReusedError(
            "This Idempotency-Key came with another request before; give each request a key of its own, and "
            "the same only when it is repeated."
        )
    if first.status is None:
        raise _in_progress()
    return first


def _in_progress() -> IdempotencyInProgressError:
    return IdempotencyInProgressError(
        "The first request with this Idempotency-Key is still being served; repeat it in a moment."
    )


def _replay(call: Call[Any, Any, Any], first: IdempotencyItem, renew: Renewal | None) -> Response:
    try:
        if first.status != 404 and not _is_there(call.organisation, first.about):
            raise _gone()
        body = _body(call, first)
        response = Response(int(first.status), body, first.headers)
        return renew(call, response) if renew is not None and response.status < 400 else response
    except AlmaError as error:
        call.log.add(error=error.code)
        return error_response(error, call.request.request_id)


def _body(call: Call[Any, Any, Any], first: IdempotencyItem) -> bytes | None:
    """Return the body of the first answer; raises `NotFoundError` where it went with what it is about."""
    if first.answer_object is not None:
        return objects.get(call.organisation, first.answer_object)
    if first.answer_row is None:
        return None
    answer = AnswerItem.find(first.pk, first.answer_row)
    if answer is None:
        raise _gone()
    return bytes(answer.body)


def _gone() -> NotFoundError:
    return NotFoundError("What was answered first is gone: its document, or model, was removed.")


def _keep(mine: IdempotencyItem, row: Route, call: Call[Any, Any, Any], response: Response) -> None:
    """Complete the record with the answer; whoever waits gets the answer even if it cannot be kept."""
    try:
        about = _about(row, call, response)
        _store(mine, about, call.organisation, response.without(row.shown_once))
        # Removed from now on, it takes this along. A 404 says nothing of it, which may never have been there.
        if response.status != 404 and not _is_there(call.organisation, about):
            _remove(mine, call.organisation)
        headers = dict(response.to_event()["headers"])
        if "Location" in headers:
            headers["Location"] = headers["Location"].partition("?")[0]  # without its signature
        conditional_write(
            lambda: mine.update(
                [
                    IdempotencyItem.status.set(response.status),
                    IdempotencyItem.headers.set(headers),
                    IdempotencyItem.held_until.remove(),
                    *([] if about is None else [IdempotencyItem.about.set(about)]),
                    *([IdempotencyItem.answer_row.set(mine.answer_row)] if mine.answer_row else []),
                    *([IdempotencyItem.answer_object.set(mine.answer_object)] if mine.answer_object else []),
                ],
                # Whoever took more time than a function has may have lost it to a repeat.
                IdempotencyItem.attempt == mine.attempt,
            )
        )
    except Exception:
        _log.warning("the answer to an Idempotency-Key was not kept", exc_info=True)


def _about(row: Route, call: Call[Any, Any, Any], response: Response) -> str | None:
    """Return the document or model that an answer goes with: one that the request names, or that it made."""
    made = response.body.get(row.makes) if row.makes and isinstance(response.body, Mapping) else None
    about = made if call.document_id is None else call.document_id
    return None if about is None else str(about)


def _is_there(organisation: str, about: str | None) -> bool:
    """Tell whether what an answer goes with is (still) there."""
    if about is None:
        return True
    if about.isdecimal():
        return records.exists(organisation, int(about))
    from alma.models import registry  # which one function needs

    return registry.exists(organisation, about)


def _store(mine: IdempotencyItem, about: str | None, organisation: str, response: Response) -> None:
    """Store the body of an answer where it goes with what it is about: in a row, or in the archive."""
    body = response.content
    if len(body) > _MOST_IN_A_ROW:
        # Answers about models are not so large.
        mine.answer_object = objects.export_key(int(about or 0), f"answer-{mine.attempt}.json")
        objects.put(organisation, mine.answer_object, body, "application/json", passing=True)
    elif body:
        mine.answer_row = answer_prefix(about or "0") + mine.attempt
        AnswerItem(mine.pk, mine.answer_row, body=body, expires_at=mine.expires_at).save()


def _remove(mine: IdempotencyItem, organisation: str) -> None:
    """Remove the body that was stored: a repeat is told that it is gone."""
    if mine.answer_object is not None:
        objects.delete(organisation, mine.answer_object)
    if mine.answer_row is not None:
        AnswerItem(mine.pk, mine.answer_row).delete()


def _release(mine: IdempotencyItem) -> None:
    """Conditional write: let go of the key, so that a repeat is served."""
    try:
        conditional_write(lambda: mine.delete(IdempotencyItem.attempt == mine.attempt))
    except Exception:
        # What the operation raised says more; the claim ends by itself.
        _log.warning("an Idempotency-Key was not released", exc_info=True)
