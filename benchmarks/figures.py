"""Compute medians, percentiles and spreads, and ratios of values that were measured in pairs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def median(values: Sequence[float]) -> float:
    """Return the median of the values."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile of the values, for example the 99th percentile for a `share` of 0.99."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """Divide each value by the base value of the same round, and return the median of the ratios.

    Both values of a round are measured together, so other load on the machine affects both.
    """
    return statistics.median(value / other for value, other in zip(values, base, strict=True))


def spread(values: Sequence[float]) -> float:
    """Return the interquartile range divided by the median."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4)
    return (high - low) / statistics.median(values)
