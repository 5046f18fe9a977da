"""Rate limits: how many requests of each class a key, and an address, may send.

A bucket is kept as the time at which its next request would be due if requests came evenly (the generic cell
rate algorithm of ITU-T I.371, there for cells of ATM, as it is known for web services from Brandur Leach's
description): every request moves that time on by `interval`, the time one token takes to come back, from
where it stands or from now, whichever is later; a request that would move it further ahead of now than
`burst * interval` is refused and moves nothing. One number holds a whole bucket, tokens come back by
themselves, and one conditional UpdateItem decides with no read before (see `storage/token_bucket.py`).

The number only grows, and by `interval` for every request let in. So in a span of time at most
`burst + (span + skew) / interval` requests pass, whatever the clocks of several processes say: one that is
ahead gives its lead away once, not with every request.

If the table does not answer, requests pass, but for minting: an outage must not become one of the API, and a
key outlives it. Counts of requests by month stand in the same rows, so counting costs no further write.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from alma import telemetry
from alma.access.authentication import Caller
from alma.access.rate_limit_classes import RateLimitClass
from alma.clock import now
from alma.errors import AlmaError, RateLimitedError, UnavailableError
from alma.settings import settings
from alma.storage import token_bucket
from alma.telemetry import Metric

_log = logging.getLogger(__name__)
_SECOND = 1_000_000
#: Highest rate, and largest burst: several times as much, which an address has, is still a whole microsecond.
_MOST = 10_000_000
#: An address may stand for several people with a key each, so it has several times the limit of a key.
_KEYS_OF_AN_ADDRESS = 4
#: Days that a key's row stays after its last request; it counts the requests of the months before.
_DAYS_COUNTED = 400


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many requests may come: `burst` at once, `per_minute` over time."""

    per_minute: int
    burst: int

    @classmethod
    def parse(cls, text: str) -> Bucket:
        """Return the bucket of `RATE/BURST`.

        Raises
        ------
        ValueError
            The text is malformed or out of range.
        """
        rate, slash, burst = text.partition("/")
        given = slash and rate.isdecimal() and burst.isdecimal() and len(rate) + len(burst) <= 16
        if not given or not 0 < int(rate) <= _MOST or not 0 < int(burst) <= _MOST:
            raise ValueError(
                f"A limit is RATE/BURST, requests a minute and at once, each 1 to {_MOST:,}, not {text!r}."
            )
        return cls(int(rate), int(burst))

    def times(self, factor: int) -> Bucket:
        """Return a bucket of so many times the size and rate."""
        return Bucket(self.per_minute * factor, self.burst * factor)

    @property
    def interval(self) -> int:
        """Microseconds in which one token comes back."""
        return 60 * _SECOND // self.per_minute

    @property
    def tolerance(self) -> int:
        """Microseconds in which all tokens come back."""
        return self.burst * self.interval


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """Where a bucket stands after a request."""

    limit: int
    """Requests that may come at once when the bucket is full."""
    remaining: int
    """Requests that may come at once now."""
    reset: int
    """When it is full again, in seconds since 1970."""
    refusal: AlmaError | None = None
    """Why the request is not let in; None where it is."""

    @property
    def headers(self) -> dict[str, str]:
        """What every answer says of it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


def take(
    limit_class: RateLimitClass, caller: Caller | None, address: str, *, counted: bool = False
) -> RateLimitStatus:
    """Take a token for a request from the buckets of its key and its address; to mint, also of its root key.

    Parameters
    ----------
    limit_class : RateLimitClass
        What the request is.
    caller, address : Caller or None, str
        Who it comes from, and where.
    counted : bool, optional
        Whether the request is counted by another class already.

    Returns
    -------
    RateLimitStatus
        Of the bucket that refuses, else of the one with the least left.
    """
    bucket = limit_of(limit_class)
    statuses = []
    try:
        for each in _buckets(bucket, limit_class, caller, address, counted=counted):
            status = _take(each, limit_class)
            if status.refusal is not None:
                return status
            statuses.append(status)
    except token_bucket.OutOfReachError as error:
        _log.warning("the limiter is out of reach: %r", error.__cause__)
        telemetry.count({Metric.LIMITER_FAILURES: 1})
        refusal = None
        if limit_class is RateLimitClass.MINTING:
            refusal = UnavailableError("Keys cannot be minted at this moment; try again in a few seconds.")
        return RateLimitStatus(bucket.burst, bucket.burst, _microseconds() // _SECOND, refusal)
    return min(statuses, key=lambda status: status.remaining)


@dataclass(frozen=True, slots=True)
class _OwnedBucket:
    """A bucket of a key or an address."""

    bucket: Bucket
    """Its size and rate."""
    partition: str
    """Where it stands."""
    owner: str
    """Whose it is, in the sentence of a refusal."""
    keep: int
    """Seconds that its row stays after it has become idle."""
    counter: str | None = None
    """What counts its requests by month."""


def _buckets(
    bucket: Bucket, limit_class: RateLimitClass, caller: Caller | None, address: str, *, counted: bool
) -> Iterator[_OwnedBucket]:
    """Yield the buckets that a request takes a token of, in this order."""
    if caller is not None:
        own = key_partition(caller.organisation, caller.key_id)
        counter = None if counted else counter_of(now().strftime("%Y-%m"))
        yield _OwnedBucket(bucket, own, "with this key", _DAYS_COUNTED * 86400, counter)
        # Minting keys must not be a way to more keys, and so to more of everything.
        if limit_class is RateLimitClass.MINTING and caller.root_key_id != caller.key_id:
            root = key_partition(caller.organisation, caller.root_key_id)
            yield _OwnedBucket(bucket, root, "by this user", _DAYS_COUNTED * 86400)
    # Who comes without a key takes nothing from those at the same address who have one.
    kind = "anybody" if caller is None else "address"
    shared = bucket.times(_KEYS_OF_AN_ADDRESS)
    keep = 3600 + shared.tolerance // _SECOND
    yield _OwnedBucket(shared, f"limit#{kind}#{_one_client(address)}", "from this address", keep)


def _take(owned: _OwnedBucket, limit_class: RateLimitClass) -> RateLimitStatus:
    at, bucket = _microseconds(), owned.bucket
    let_in, arrival = token_bucket.advance(
        owned.partition,
        limit_class.value,
        now=at,
        interval=bucket.interval,
        tolerance=bucket.tolerance,
        keep=owned.keep,
        counter=owned.counter,
    )
    ahead = max(arrival - at, 0)
    reset = _up(at + ahead)
    if let_in:
        return RateLimitStatus(bucket.burst, (bucket.tolerance - ahead) // bucket.interval, reset)
    wait = max(_up(ahead + bucket.interval - bucket.tolerance), 1)
    sentence = f"Too many requests {owned.owner}; try again in {wait} second{'s' if wait > 1 else ''}."
    return RateLimitStatus(bucket.burst, 0, reset, RateLimitedError(sentence, wait))


def limit_of(limit_class: RateLimitClass) -> Bucket:
    """Return the bucket that a key has for a class of requests."""
    return _parsed(getattr(settings(), f"limit_{limit_class.value}"))


@lru_cache
def _parsed(text: str) -> Bucket:
    return Bucket.parse(text)


def key_partition(organisation: str, key_id: str) -> str:
    """Return the partition of a key's buckets."""
    return f"limit#key#{organisation}#{key_id}"


def counter_of(month: str) -> str:
    """Return the attribute that counts a key's requests of a month, `2026-11`."""
    return f"requests_{month}"


def _one_client(address: str) -> str:
    """Return what one client cannot change of its address: of IPv6, the network."""
    try:
        given = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(given, ipaddress.IPv6Address):
        if given.ipv4_mapped is not None:
            return str(given.ipv4_mapped)
        return str(ipaddress.ip_network((given, 64), strict=False))
    return str(given)


def _microseconds() -> int:
    return time.time_ns() // 1000


def _up(microseconds: int) -> int:
    """Return microseconds as whole seconds, rounded up."""
    return -(-microseconds // _SECOND)
