"""Medians, percentiles and paired ratios."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the ratios, round by round: what disturbed a round disturbed both."""
    return statistics.median(one / other for one, other in zip(values, base, strict=True))


def spread(values: Sequence[float]) -> float:
    """Return the distance of the quartiles as a share of the median."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4)
    return (high - low) / statistics.median(values)
