"""Figures for CloudWatch, written to the log in its embedded metric format.

They stand in the namespace `alma` under the service's name. What AWS measures itself (latency, errors,
durations) is not measured again.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Metric(StrEnum):
    """What is counted."""

    DOCUMENTS = "Documents"
    PAGES = "Pages"
    FAILURES = "Failures"
    RATE_LIMITED = "RateLimited"
    LIMITER_FAILURES = "LimiterFailures"


def count(amounts: Mapping[Metric, int]) -> None:
    """Add to metrics, in one line of the log."""
    # Few requests count anything, so only those pay for the import.
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    line = EphemeralMetrics(namespace="alma")
    for metric, amount in amounts.items():
        line.add_metric(metric.value, MetricUnit.Count, amount)
    line.flush_metrics()
