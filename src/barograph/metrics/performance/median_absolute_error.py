"""Median absolute error: what half of the predictions are nearer than."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np

from barograph.metrics import metric
from barograph.metrics.intervals import Z
from barograph.metrics.performance._intervals import between, ends
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.histogram import Histogram


@metric(unit="label", bounds=(0.0, inf), better="lower", relative_tolerance=0.10)
def median_absolute_error(current: Histogram) -> Outcome:
    r"""Measure the distance from their labels that half of the predictions stay below, in the label's unit.

    .. math:: \inf \{x : F(x) \ge \tfrac12\}, \qquad F(x) = \tfrac1n \#\{i: |p_i - y_i| \le x\}

    `current` holds the errors, prediction less label; within a bin they are taken as evenly spread, in the open bins up
    to the smallest and largest error. 0 is best. A few predictions that are far off do not move it, other than `mae`.
    `n` is the number of errors; undefined with none. A change of 10 % of the reference value is material by default.

    Where more than a fiftieth of the errors are of one bin, as when they are smaller by far than those of the
    reference, the value is somewhere in it; the interval is as wide, and `binning_error` says so.

    The interval lies between the order statistics of ranks ``n / 2 ± 1.96 √n / 2`` [1]_, and is absent with fewer than
    six rows. The standard error is its width over 2 · 1.96.

    >>> median_absolute_error(Histogram((-1, 0, 1), (10, 40, 40, 10), minimum=-3, maximum=3))
    Estimate(value=0.625, n=100, lower=0.0, upper=1.0, ..., binning_error=0.625)

    .. [1] W. J. Conover, "Practical Nonparametric Statistics", 3rd edition, section 3.2, 1999.
    """
    n = current.n
    if not n:
        return Undefined("no row has both a prediction and a label")
    half = Z * sqrt(n) / 2
    starts, stops = ends(current)
    value, lower, upper = _sizes_at(current, np.clip((n / 2, n / 2 - half, n / 2 + half), 0, n))
    near = np.where(starts * stops < 0, 0.0, np.minimum(np.abs(starts), np.abs(stops)))
    far, rows = np.maximum(np.abs(starts), np.abs(stops)), current.counts[current.counts > 0]
    least, most = between(near, far, rows, value, sides=2)
    off = max(value - least, most - value) or None
    if 2 * 0.5**n > 0.05:  # the smallest and the largest error do not enclose the median with 95 %
        return Estimate(value=value, n=n, binning_error=off)
    lower, upper = min(lower, least), max(upper, most)
    error = (upper - lower) / (2 * Z) if upper > lower else None
    return Estimate(value=value, n=n, standard_error=error, lower=lower, upper=upper, binning_error=off)


def _sizes_at(current: Histogram, ranks: np.ndarray) -> list[float]:
    """Return the sizes of error below which so many rows lie: both sides of zero folded onto one."""
    (low, high), rows = ends(current), current.counts[current.counts > 0].astype(np.float64)
    borders = np.unique(np.abs(np.concatenate((low, high, [0.0]))))
    # Of the errors of a bin, those of at most the size x are the part of the bin within [-x, x].
    width = high - low
    inside = np.minimum(high, borders[:, None]) - np.maximum(low, -borders[:, None])
    spread = np.where(width > 0, np.clip(inside / np.where(width > 0, width, 1.0), 0.0, 1.0), 0.0) @ rows
    point = np.where(width > 0, 0.0, rows)  # all errors of the bin are one value
    before = np.maximum.accumulate(spread + (np.abs(low) < borders[:, None]) @ point)
    upto = np.maximum.accumulate(spread + (np.abs(low) <= borders[:, None]) @ point)
    at = np.minimum(np.searchsorted(upto, ranks * (1 - 1e-12)), len(borders) - 1)
    last = np.maximum(at - 1, 0)
    rise = before[at] - upto[last]
    part = np.where(rise > 0, np.clip((ranks - upto[last]) / np.where(rise > 0, rise, 1.0), 0.0, 1.0), 1.0)
    found: list[float] = (borders[last] + part * (borders[at] - borders[last])).tolist()
    return found
