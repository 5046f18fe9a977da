"""Usage over the API: what is sent, what is answered, and the route."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from alma.access.scopes import Scope
from alma.api.errors import ErrorView
from alma.api.operation import Route
from alma.api.request_models import Query, sentence
from alma.metering.quotas import Quota
from alma.metering.usage import Amounts, KeyUsage, total
from alma.presentation.view import View

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)


def _month(given: str | None) -> str | None:
    if given is not None and not _MONTH.fullmatch(given):
        raise sentence("month is a year and a month, such as 2026-11.")
    return given


class UsageQuery(Query):
    """Of which month."""

    month: Annotated[
        Annotated[str, Field(json_schema_extra={"pattern": r"^\d{4}-\d{2}$"})] | None,
        Field(description="2026-11; without, this month (UTC)."),
        AfterValidator(_month),
    ] = None


class AmountsView(View):
    """What was used."""

    requests: int = Field(description="Requests that were let in.")
    pages: int = Field(description="Pages of files that were begun.")
    fields: int = Field(description="Fields that were found in documents that came to their end.")
    model_runs: int = Field(description="Runs of a model of your own, or of a hosted one, over a document.")
    bytes: int = Field(description="Size of the files.")

    @classmethod
    def of(cls, amounts: Amounts) -> AmountsView:
        """Return the view of amounts."""
        return cls.model_validate(amounts)


class KeyUsageView(AmountsView):
    """What one key used."""

    key_id: str | None = Field(description="null for files that were dropped into the inbox.")
    name: str | None


class QuotaView(View):
    """Pages of the month: they count when a file arrives."""

    used: int
    limit: int | None = Field(description="null for any number.")


class UsageView(View):
    """What the organisation used in a month (UTC)."""

    month: str = Field(description="2026-11")
    quota: QuotaView
    total: AmountsView
    keys: list[KeyUsageView]

    @classmethod
    def of(cls, month: str, quota: Quota, used: list[KeyUsage]) -> UsageView:
        """Return the view of a month's usage."""
        return cls(
            month=month,
            quota=QuotaView(used=quota.used, limit=quota.limit),
            total=AmountsView.of(total(used)),
            keys=[
                KeyUsageView(**dict(AmountsView.of(each.amounts)), key_id=each.key_id, name=each.name)
                for each in used
            ],
        )


ROUTES = (
    Route(
        "GET",
        "/v1/usage",
        "keys",
        "get_usage",
        "What the organisation's keys used in a month, and how much of its quota is left.",
        Scope.KEYS_ADMIN,
        {200: UsageView, 400: ErrorView},
        query=UsageQuery,
    ),
)
