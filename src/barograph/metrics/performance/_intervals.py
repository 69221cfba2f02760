"""Internal: 95 % intervals for shares and for means of rows, and the estimates made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any  # bounds of several kinds

import numpy as np

from barograph.arrays import Floats, Ints, Number
from barograph.metrics.intervals import wilson
from barograph.outcome import Estimate, Outcome, Outcomes, Undefined, outcome
from barograph.sketches.histogram import Histogram

# Above this share (and rows) of the rows, in the bins around a quantile, it is a guess between their ends.
CROWDED, BY_CHANCE = 0.01, 10
CONSTANT = 1e-12  # a variance below this share of the mean square is rounding: the rows are all alike


Reasons = Sequence[tuple[Number, str]]


def t_quantile(df: Number) -> Number:
    """Return the 97.5 % point of Student's t with `df` degrees of freedom (at least one is taken).

    >>> round(float(t_quantile(10)), 3)
    2.228
    """
    from scipy.special import stdtrit

    return stdtrit(np.maximum(df, 1.0), 0.975)


def share_of(k: Number, n: Number, undefined: Reasons = ()) -> Outcome | Outcomes:
    """Return the share `k / n` with Wilson's interval, of one pair of counts or of many.

    The standard error is that of ``(k + 1/2) / (n + 1)``: 0 or 1 in a sample is seldom exactly so in truth.
    """
    rows = np.maximum(n, 1)
    share, smoothed = k / rows, (k + 0.5) / (rows + 1)
    lower, upper = wilson(share, rows)
    error = np.sqrt(smoothed * (1 - smoothed) / rows)
    return outcome(share, n=n, undefined=undefined, standard_error=error, lower=lower, upper=upper)


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
    value: Number,
    n: Number,
    *,
    variance: Number,
    effective: Number,
    df: Number,
    binning_error: Number | None = None,
    undefined: Reasons = (),
) -> Outcome | Outcomes:
    """Return a number in [0, 1] with Wilson's interval for `effective` rows: as many as give a share this `variance`.

    `df` are the degrees of freedom of the variance.
    """
    lower, upper = wilson(value, effective, quantile=t_quantile(df))
    error = np.sqrt(variance)
    bounds: dict[str, Number] = {
        "standard_error": error,
        "lower": lower,
        "upper": upper,
        "binning_error": binning_error,
    }
    return outcome(value, n=n, undefined=undefined, **bounds)


def mean_of_rows(n: Number, total: Number, squares: Number, undefined: Reasons = ()) -> Outcome | Outcomes:
    """Return the mean of `n` rows with sum `total` and sum of squares `squares`, with Student's interval.

    One row, or rows that are all alike, say nothing about the spread: no standard error and no interval.
    """
    mean, error = _mean(n, total, squares)
    half = t_quantile(np.asarray(n) - 1) * error
    return outcome(mean, n=n, undefined=undefined, standard_error=error, lower=mean - half, upper=mean + half)


def mean_loss(
    n: Number, total: Number, squares: Number, undefined: Reasons = (), *, most: float = inf
) -> Outcome | Outcomes:
    """Return the mean of `n` losses, none below zero, with Student's interval on the scale of the logarithm.

    Losses are skewed to the right, and on that scale the interval covers better than a symmetric one. No mean is above
    `most`.
    """
    mean, error = _mean(n, total, squares)
    factor = np.exp(t_quantile(np.asarray(n) - 1) * error / np.where(np.isnan(error), 1.0, mean))
    bounds = {"standard_error": error, "lower": mean / factor, "upper": np.minimum(mean * factor, most)}
    return outcome(mean, n=n, undefined=undefined, **bounds)


def _mean(n: Number, total: Number, squares: Number) -> tuple[Floats, Floats]:
    """Return the mean of rows and its standard error; NaN where that is not known."""
    rows = np.maximum(n, 1)
    mean = np.asarray(total / rows)
    variance = squares / rows - mean * mean
    alike = np.less(n, 2) | (variance <= CONSTANT * squares / rows)
    error = np.sqrt(np.where(alike, 0.0, variance) / np.maximum(rows - 1, 1))
    return mean, np.where(alike, np.nan, error)


def square_root(squared: Outcome | Outcomes) -> Outcome | Outcomes:
    """Return the root of means of squares; the standard error is that of the delta method, ``se / (2 root)``."""
    if isinstance(squared, Undefined):
        return squared
    root = np.sqrt(squared.value)
    error = squared.standard_error
    if error is not None:
        error = np.divide(error, 2 * root, out=np.full(np.shape(root), np.nan), where=np.greater(root, 0))
    bounds = {name: None if (end := getattr(squared, name)) is None else np.sqrt(end) for name in ("lower", "upper")}
    found: dict[str, Any] = {"value": root, "standard_error": error, **bounds}
    if isinstance(squared, Estimate):
        single = {name: float(x) for name, x in found.items() if x is not None}
        return Estimate(n=squared.n, level=squared.level, **single)
    return replace(squared, **found)
