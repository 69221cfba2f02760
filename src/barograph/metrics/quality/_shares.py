"""Internal: shares of rows, with their intervals."""

from __future__ import annotations

from math import sqrt

from barograph.metrics.intervals import wilson
from barograph.outcome import Estimate


def share(part: int, n: int, *, rows_per_fact: float = 1.0) -> Estimate:
    """Return the share `part / n` with Wilson's 95 % interval.

    The standard error is that of ``(part + 1/2) / (n + 1)``: a share of 0 or 1 in a sample is not known to be exactly
    that. `rows_per_fact` is above one where rows come in groups that tell the same: `n` counts for less by it.

    >>> estimate = share(2, 100)
    >>> estimate.value, round(estimate.lower, 4), round(estimate.upper, 4), round(estimate.standard_error, 4)
    (0.02, 0.0055, 0.07, 0.0155)
    """
    value, facts = part / n, n / rows_per_fact
    smoothed = (value * facts + 0.5) / (facts + 1.0)
    lower, upper = wilson(value, facts)
    return Estimate(
        value=value, n=n, lower=lower, upper=upper, standard_error=sqrt(smoothed * (1.0 - smoothed) / facts)
    )
