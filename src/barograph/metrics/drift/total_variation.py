"""Total variation distance."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from barograph.arrays import Floats
from barograph.metrics import metric
from barograph.metrics.drift._bins import shares, total, variance_of_mean
from barograph.metrics.drift._no_change import sum_of_absolutes
from barograph.metrics.intervals import Z
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.histogram import Binned


@metric(
    unit="share",
    bounds=(0.0, 1.0),
    better="lower",
    symmetric=True,
    tolerance=0.08,
    bins="coarse",
    rule="category_share",
    alerts=True,
    rank=2,
)
def total_variation(reference: Binned, current: Binned) -> Outcome | Outcomes:
    r"""Measure the share of rows that would have to change their bin to undo the change.

    .. math:: \mathrm{TV} = \frac12 \sum_i |c_i - r_i|

    for shares :math:`r` of `m` reference rows and :math:`c` of `n` current rows: 0 when they are equal, 1 when they
    have no bin in common. Without a change the differences are about normal with covariances
    :math:`(1/n + 1/m)(p_i 1_{i=j} - p_i p_j)` for the shares `p` of all rows; `null_mean` and `null_sd` are the
    moments of half the sum of their absolute values (a bin adds at most its share, which matters where less than one
    row is expected). The interval is conservative: noise adds between nothing and its own mean to the value, so the
    lower end makes room for all of it. No rows are undefined; one row, or a constant column, is a distribution like
    any other.

    >>> from barograph.sketches.histogram import Histogram
    >>> week = Histogram(edges=(10, 20), counts=(500, 300, 200))
    >>> today = Histogram(edges=(10, 20), counts=(30, 30, 40))
    >>> total_variation(week, today).value
    0.2
    """
    both = shares(reference, current)
    r, c, m, n, *_ = both
    difference = c - r
    value = 0.5 * total(np.abs(difference))
    p, unit = both.pooled, both.unit[..., None]
    variance = p * (1.0 - p) * unit
    null = sum_of_absolutes(np.full(p.shape[-1], 0.5), proportions_covariance(p, both.unit))
    mean = total(np.minimum(sqrt(0.5 / pi) * np.sqrt(variance), p))
    noise = sqrt(0.5 / pi) * total(np.sqrt(c * (1.0 - c) / n + r * (1.0 - r) / m))
    sign = np.sign(difference)
    half = Z * 0.5 * np.sqrt(variance_of_mean(c, sign, n) + variance_of_mean(r, sign, m))
    return outcome(
        np.minimum(1.0, value),
        n=n[..., 0],
        undefined=both.undefined,
        lower=np.maximum(0.0, value - noise - half),
        upper=np.minimum(1.0, value + half),
        null_mean=mean,
        null_sd=null.sd,
    )


def proportions_covariance(p: Floats, unit: Floats) -> Floats:
    """Return the covariances, (..., B, B), of shares `p`, (..., B), of rows with a `unit` variance, (...)."""
    covariance = p[..., :, None] * -p[..., None, :]
    diagonal = np.einsum("...ii->...i", covariance)
    diagonal += p
    return np.asarray(covariance * np.asarray(unit)[..., None, None])
