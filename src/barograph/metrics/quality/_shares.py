"""Internal: shares of rows, with their intervals."""

from __future__ import annotations

from math import sqrt

from barograph.outcome import Estimate

Z = 1.959963984540054  # the 97.5 % point of the normal distribution


def share(part: int, n: int, *, rows_per_fact: float = 1.0) -> Estimate:
    """Return the share `part / n` with Wilson's 95 % interval [1]_.

    The standard error is that of ``(part + 1/2) / (n + 1)``: a share of 0 or 1 in a sample is not known to be exactly
    that. `rows_per_fact` is above one where rows come in groups that tell the same: `n` counts for less by it.

    >>> estimate = share(2, 100)
    >>> estimate.value, round(estimate.lower, 4), round(estimate.upper, 4), round(estimate.standard_error, 4)
    (0.02, 0.0055, 0.07, 0.0155)

    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    value, facts = part / n, n / rows_per_fact
    smoothed = (value * facts + 0.5) / (facts + 1.0)
    z2 = Z * Z
    centre = (value + z2 / (2.0 * facts)) / (1.0 + z2 / facts)
    half = Z / (1.0 + z2 / facts) * sqrt(value * (1.0 - value) / facts + z2 / (4.0 * facts * facts))
    return Estimate(
        value=value,
        n=n,
        lower=min(value, max(0.0, centre - half)),  # a bound at the value itself can miss it by rounding
        upper=max(value, min(1.0, centre + half)),
        standard_error=sqrt(smoothed * (1.0 - smoothed) / facts),
    )
