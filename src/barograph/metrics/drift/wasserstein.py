"""Wasserstein distance in reference standard deviations."""

from __future__ import annotations

from math import inf

import numpy as np

from barograph.metrics import metric
from barograph.metrics.drift._bins import total, variance_of_mean
from barograph.metrics.drift._line import beyond, in_units, line, steps
from barograph.metrics.intervals import Z
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.histogram import Histogram


@metric(
    unit="reference standard deviations",
    bounds=(0.0, inf),
    better="lower",
    tolerance=0.2,
    bins="fine",
    title="Wasserstein distance",
)
def wasserstein(reference: Histogram, current: Histogram, *, scale: float | None = None) -> Outcome | Outcomes:
    r"""Measure how far the average row has moved, in standard deviations of the reference.

    .. math:: W_1 = \frac1\sigma \int |G(x) - F(x)| \, dx

    for the distribution functions `F` of the reference and `G` of the current rows: the least average distance over
    which the rows of one have to be moved to get the other [1]_. :math:`\sigma` is `scale` or, without it, the standard
    deviation of the reference as its bins show it, which is too small or too large where the outer bins are wide
    (heavy tails); pass the exact one if it is known.

    The rows of an inner bin stand at its lower edge, which is exact for heavy values and for columns with few
    different values; movement inside a bin is not seen. The rows of an open bin stand at their mean, so that what
    lies outside the reference's range counts with its full distance. Without a change :math:`G - F` is
    :math:`\sqrt{1/n + 1/m}` times a Brownian bridge at :math:`F`: `null_mean` and `null_sd` are the moments of the
    integral of its absolute value, without what outliers in the open bins add. The interval is conservative: noise
    adds between nothing and its mean to the value. No rows are undefined, and so is a constant reference, which has
    no standard deviation.

    >>> reference = Histogram(edges=(0, 1, 2, 3), counts=(0, 50, 30, 20, 0))
    >>> current = Histogram(edges=(0, 1, 2, 3), counts=(0, 50, 30, 15, 5), above_sum=50.0)  # five rows at 10
    >>> round(wasserstein(reference, current, scale=1.0).value, 3)
    0.4

    .. [1] L. N. Vaserstein, "Markov processes over denumerable products of spaces", Problems of Information
       Transmission 5, 1969.
    """
    both, of = in_units(steps(reference, current), line(reference), scale)
    r, c, widths, ahead, m, n, undefined = both
    value = total(widths * np.abs(ahead))
    root = np.sqrt(both.unit)
    null_mean, null_sd = of.absolute.mean * root, of.absolute.sd * root
    pull = beyond(widths * np.sign(ahead))
    half = Z * np.sqrt(np.maximum(variance_of_mean(c, pull, n) + variance_of_mean(r, pull, m), null_sd * null_sd))
    return outcome(
        value,
        n=n[..., 0],
        undefined=undefined,
        lower=np.maximum(0.0, value - null_mean - half),
        upper=value + half,
        null_mean=null_mean,
        null_sd=null_sd,
    )
