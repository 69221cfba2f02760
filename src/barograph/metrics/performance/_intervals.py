"""Internal: 95 % intervals for shares and for means of rows, and the estimates made of them."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np

from barograph.arrays import Floats, Ints
from barograph.metrics.intervals import wilson
from barograph.outcome import Estimate
from barograph.sketches.histogram import Histogram

# Above this share (and rows) of the rows, in the bins around a quantile, it is a guess between their ends.
CROWDED, BY_CHANCE = 0.01, 10
CONSTANT = 1e-12  # a variance below this share of the mean square is rounding: the rows are all alike


def t_quantile(df: float) -> float:
    """Return the 97.5 % point of Student's t with `df` degrees of freedom (at least one is taken).

    >>> round(t_quantile(10), 3)
    2.228
    """
    from scipy.special import stdtrit

    return float(stdtrit(max(df, 1.0), 0.975))


def share_of(k: float, n: int) -> Estimate:
    """Return the share `k / n` with Wilson's interval.

    The standard error is that of ``(k + 1/2) / (n + 1)``: 0 or 1 in a sample is seldom exactly so in truth.
    """
    share, smoothed = k / n, (k + 0.5) / (n + 1)
    lower, upper = map(float, wilson(share, n))
    return Estimate(value=share, n=n, standard_error=sqrt(smoothed * (1 - smoothed) / n), lower=lower, upper=upper)


def ends(current: Histogram) -> tuple[Floats, Floats]:
    """Return between which values the bins that have rows lie: no further than the smallest and the largest value.

    A bin of a heavy value, up to the next float, is that value.
    """
    low = np.maximum(np.concatenate(([current.minimum], current.edges)), current.minimum)
    high = np.minimum(np.concatenate((current.edges, [current.maximum])), current.maximum)
    low, high = low[current.counts > 0], high[current.counts > 0]
    return low, np.where(high > np.nextafter(low, np.inf), high, low)


def between(low: Floats, high: Floats, rows: Ints, value: float, *, sides: int = 1) -> tuple[float, float]:
    """Return between which values a quantile may be, of too many rows in the bins around it: else `value` itself twice.

    `sides` is 2 where bins on both sides of zero are folded onto one.

    >>> between(np.array([0.0, 2.0]), np.array([2.0, 4.0]), np.array([90, 10]), 1.5)
    (0.0, 2.0)
    """
    around = (low <= value) & (value <= high)
    if rows[around].sum() <= sides * CROWDED * rows.sum() + BY_CHANCE:
        return value, value
    return float(low[around].min()), float(high[around].max())


def bounded_estimate(
    value: float, n: int, *, variance: float, effective: float, df: float, binning_error: float | None = None
) -> Estimate:
    """Return a number in [0, 1] with Wilson's interval for `effective` rows: as many as give a share this `variance`.

    `df` are the degrees of freedom of the variance.
    """
    lower, upper = map(float, wilson(value, effective, quantile=t_quantile(df)))
    error = sqrt(variance)
    return Estimate(value=value, n=n, standard_error=error, lower=lower, upper=upper, binning_error=binning_error)


def mean_of_rows(n: int, total: float, squares: float) -> Estimate:
    """Return the mean of `n` rows with sum `total` and sum of squares `squares`, with Student's interval.

    One row, or rows that are all alike, say nothing about the spread: no standard error and no interval.
    """
    mean = total / n
    variance = squares / n - mean * mean
    if n < 2 or variance <= CONSTANT * squares / n:
        return Estimate(value=mean, n=n)
    error = sqrt(variance / (n - 1))
    half = t_quantile(n - 1) * error
    return Estimate(value=mean, n=n, standard_error=error, lower=mean - half, upper=mean + half)


def mean_loss(n: int, total: float, squares: float) -> Estimate:
    """Return the mean of `n` losses, none below zero, with Student's interval on the scale of the logarithm.

    Losses are skewed to the right, and on that scale the interval covers better than a symmetric one.
    """
    mean = mean_of_rows(n, total, squares)
    if mean.standard_error is None:
        return mean
    factor = exp(t_quantile(n - 1) * mean.standard_error / mean.value)
    return Estimate(
        value=mean.value,
        n=n,
        standard_error=mean.standard_error,
        lower=mean.value / factor,
        upper=mean.value * factor,
    )


def square_root(squared: Estimate) -> Estimate:
    """Return the root of a mean of squares; the standard error is that of the delta method, ``se / (2 root)``."""
    root = sqrt(squared.value)
    if squared.standard_error is None or squared.lower is None or squared.upper is None:
        return Estimate(value=root, n=squared.n)
    return Estimate(
        value=root,
        n=squared.n,
        standard_error=squared.standard_error / (2 * root),
        lower=sqrt(squared.lower),
        upper=sqrt(squared.upper),
    )
