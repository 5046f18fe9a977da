"""Filters of documents by their file's name and by when they arrived, which several lists take."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StrictStr, model_validator

from alma.api.request_models import Query, sentence
from alma.clock import timestamp
from alma.documents import names

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
ACCEPTED_TIMES = "a day, 2026-05-14, or a time with its zone, 2026-05-14T09:21:00Z"
#: A zone whose + stood in a URL as it is, where it is a space.
_LOST_PLUS = re.compile(r".*T[\d:.]+ \d\d:\d\d", re.ASCII)
_LAST_SECOND = timedelta(hours=23, minutes=59, seconds=59)


def moment(given: str) -> datetime:
    """Return the time that is meant, in UTC; of a day its midnight.

    Raises
    ------
    ValueError, OverflowError
        It is neither a day nor a time with its zone, or not in the years 1 to 9999.
    """
    if _DAY.fullmatch(given):
        return datetime.fromisoformat(given).replace(tzinfo=UTC)
    if _TIME.fullmatch(given):
        return datetime.fromisoformat(given).astimezone(UTC)
    raise ValueError


def _first_second(given: str) -> str:
    """Return the first second not before a time, as `clock.timestamp` writes it; raises as `moment`."""
    meant = moment(given)
    return _written(meant + timedelta(seconds=1) if meant.microsecond else meant)


def _last_second(given: str) -> str:
    """Return the last second that is not after a time, or of a day; raises as `moment`."""
    meant = moment(given)
    return _written(meant + _LAST_SECOND if _DAY.fullmatch(given) else meant)


def _from(given: str | None) -> str | None:
    return _checked(given, "from", _first_second)


def _to(given: str | None) -> str | None:
    return _checked(given, "to", _last_second)


def _checked(given: str | None, name: str, second: Callable[[str], str]) -> str | None:
    try:
        if given is not None:
            second(given)
    except (ValueError, OverflowError):
        lost = " (a + is %2B in a URL)" if given is not None and _LOST_PLUS.fullmatch(given) else ""
        raise sentence(f"{name} is {ACCEPTED_TIMES}{lost}.") from None
    return given


def _with_words(given: str | None) -> str | None:
    if given is not None and not names.folded(given):
        raise sentence("name has a letter or a digit: what stands between words does not matter.")
    return given


class DocumentsNamed(Query):
    """Which documents, by their file's name and by when they arrived."""

    file_name: Annotated[
        Annotated[StrictStr, Field(max_length=255)] | None,
        Field(
            alias="name",
            description="Only of files whose name begins so, or goes on so from one of its first 20 words: "
            "`deed 20` finds Old_Deed-2024.pdf. Case, accents and what stands between words do not matter.",
        ),
        AfterValidator(_with_words),
    ] = None
    arrived_from: Annotated[
        Annotated[StrictStr, Field(max_length=40)] | None,
        Field(
            alias="from",
            description="Only documents that arrived then or later (createdAt): a day (UTC) or a time, "
            "2026-05-14 or 2026-05-14T09:21:00Z.",
        ),
        AfterValidator(_from),
    ] = None
    arrived_to: Annotated[
        Annotated[StrictStr, Field(max_length=40)] | None,
        Field(alias="to", description="Only documents that arrived then or earlier; a day to its end."),
        AfterValidator(_to),
    ] = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        first, last = self.first_second, self.last_second
        if first is not None and last is not None and first > last:
            raise sentence("from is later than to: no document arrived between them.")
        return self

    @property
    def folded_name(self) -> str | None:
        """The name as it is compared."""
        return None if self.file_name is None else names.folded(self.file_name)

    @property
    def first_second(self) -> str | None:
        """The first second in which a document may have arrived, as `clock.timestamp` writes it."""
        return None if self.arrived_from is None else _first_second(self.arrived_from)

    @property
    def last_second(self) -> str | None:
        """The last one."""
        return None if self.arrived_to is None else _last_second(self.arrived_to)


def _written(moment: datetime) -> str:
    # `strftime` leaves out the zeros that years before 1000 begin with.
    return timestamp(moment).rjust(20, "0")
