"""Internal: two rows of counts as shares, and the divergences that are sums over their bins."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from barograph.arrays import Floats, Ints
from barograph.metrics.drift._no_change import RowNoise, Spread, excess, root, root_of_excess
from barograph.metrics.intervals import Z
from barograph.outcome import Estimate, Undefined
from barograph.sketches.histogram import Binned, check_same_bins


class Shares(NamedTuple):
    """Shares of the bins that are empty in neither or in only one of the two, and the numbers of rows."""

    r: Floats
    c: Floats
    m: int  # reference rows
    n: int  # current rows

    @property
    def pooled(self) -> Floats:
        """Return the shares of all rows together: the best guess at both when nothing has changed."""
        return np.asarray((self.m * self.r + self.n * self.c) / (self.m + self.n))

    @property
    def unit(self) -> float:
        """Return the variance of a difference of means of rows with variance one."""
        return 1.0 / self.n + 1.0 / self.m


def shares(reference: Binned, current: Binned) -> Shares | Undefined:
    """Return the shares of both, or that one has no rows; raise MismatchError when the bins differ."""
    check_same_bins(reference, current)
    return shares_of_counts(reference.counts, current.counts)


def shares_of_counts(reference: Ints, current: Ints) -> Shares | Undefined:
    """Return the shares of two rows of counts of the same bins, or that one has no rows."""
    m, n = int(np.add.reduce(reference)), int(np.add.reduce(current))
    if not m or not n:
        return Undefined(f"{'current' if m else 'reference'} has no rows")
    used = (reference + current) > 0
    return Shares(reference[used] / m, current[used] / n, m, n)


def by_chance(noise: RowNoise, both: Shares) -> Spread:
    """Return the moments of a divergence of both when nothing has changed and the shares are those of all rows.

    The deviations of the shares sum to zero, which takes one degree of freedom off.
    """
    p, unit = both.pooled, noise.unit * both.unit
    fewer, more = sorted((both.n, both.m))
    mean, variance = noise(p * fewer, fewer / more)
    total = float(mean @ p)
    spread = float(np.add.reduce(variance)) - 2.0 * float(variance @ p) + 2.0 * total * total
    return Spread(unit * (float(np.add.reduce(mean)) - total), unit * sqrt(max(0.0, spread)))


def divergence(
    both: Shares, raw: float, *, chance: Spread, sampling: float, debias: bool, rooted: bool, most: float
) -> Estimate:
    """Return a divergence, less what chance alone adds to it, with its interval and its moments without a change.

    `sampling` is the variance by the delta method. It goes to zero where the shares are equal; there the variance by
    chance is what is left, and the two are added. `rooted`: the root is taken at the end. `most` is the upper bound.
    """
    half = Z * sqrt(sampling + chance.sd * chance.sd)
    middle = raw - chance.mean
    ends = (max(0.0, middle - half), min(most, max(0.0, middle + half)))
    value = min(most, max(0.0, middle if debias else raw))
    variance = chance.sd * chance.sd
    if rooted:
        value, ends = sqrt(value), (sqrt(ends[0]), sqrt(ends[1]))
        null = root_of_excess(chance.mean, variance) if debias else root(chance.mean, variance)
    else:
        null = excess(chance.mean, variance) if debias else chance
    return Estimate(value=value, n=both.n, lower=ends[0], upper=ends[1], null_mean=null.mean, null_sd=null.sd)


def variance_of_mean(shares: Floats, values: Floats, n: int) -> float:
    """Return the variance of the mean of `n` rows that take `values` with these shares."""
    mean = float(shares @ values)
    return max(0.0, float(shares @ (values * values)) - mean * mean) / n
