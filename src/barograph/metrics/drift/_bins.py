"""Internal: two rows of counts as shares, and the divergences that are sums over their bins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from barograph.arrays import Bools, Floats, Ints, Number
from barograph.metrics.drift._no_change import RowNoise, Spread, excess, root, root_of_excess
from barograph.metrics.intervals import Z
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.histogram import Binned, check_same_bins


class Shares(NamedTuple):
    """Shares over the last axis, bins, with leading axes as the counts have them, and the numbers of rows.

    A bin that is empty in both is in neither: its shares are zero, and `used` says so. `undefined` says where a side
    has no rows; what is computed there means nothing.
    """

    r: Floats
    c: Floats
    m: Floats  # reference rows, as (..., 1)
    n: Floats  # current rows, as (..., 1)
    used: Bools
    undefined: tuple[tuple[npt.ArrayLike, str], ...]

    @property
    def pooled(self) -> Floats:
        """Return the shares of all rows together: the best guess at both when nothing has changed."""
        return np.asarray((self.m * self.r + self.n * self.c) / (self.m + self.n))

    @property
    def unit(self) -> Floats:
        """Return the variance of a difference of means of rows with variance one."""
        return total(1.0 / self.n + 1.0 / self.m)


def total(values: Number) -> Floats:
    """Return the sum over the last axis."""
    return np.asarray(np.add.reduce(values, axis=-1))


def shares(reference: Binned, current: Binned) -> Shares:
    """Return the shares of both; raise MismatchError when the bins differ."""
    check_same_bins(reference, current)
    return shares_of_counts(reference.counts, current.counts)


def shares_of_counts(reference: Ints, current: Ints) -> Shares:
    """Return the shares of counts of the same bins."""
    m, n = (np.add.reduce(counts, axis=-1, keepdims=True) for counts in (reference, current))
    undefined = ((m[..., 0] == 0, "reference has no rows"), (n[..., 0] == 0, "current has no rows"))
    m, n = np.maximum(m, 1).astype(np.float64), np.maximum(n, 1).astype(np.float64)
    return Shares(reference / m, current / n, m, n, (reference + current) > 0, undefined)


def by_chance(noise: RowNoise, both: Shares) -> Spread:
    """Return the moments of a divergence of both when nothing has changed and the shares are those of all rows.

    The deviations of the shares sum to zero, which takes one degree of freedom off.
    """
    p, unit = both.pooled, noise.unit * both.unit
    fewer, more = np.minimum(both.n, both.m), np.maximum(both.n, both.m)
    mean, variance = noise(p * fewer, fewer / more)
    mean_share = total(mean * p)
    spread = total(variance) - 2.0 * total(variance * p) + 2.0 * mean_share * mean_share
    return Spread(unit * (total(mean) - mean_share), unit * np.sqrt(np.maximum(0.0, spread)))


def divergence(
    both: Shares, raw: Floats, *, chance: Spread, sampling: Floats, debias: bool, rooted: bool, most: float
) -> Outcome | Outcomes:
    """Return a divergence, less what chance alone adds to it, with its interval and its moments without a change.

    `sampling` is the variance by the delta method. It goes to zero where the shares are equal; there the variance by
    chance is what is left, and the two are added. `rooted`: the root is taken at the end. `most` is the upper bound.
    """
    half = Z * np.sqrt(sampling + chance.sd * chance.sd)
    middle = raw - chance.mean
    lower, upper = np.maximum(0.0, middle - half), np.clip(middle + half, 0.0, most)
    value = np.clip(middle if debias else raw, 0.0, most)
    variance = chance.sd * chance.sd
    if rooted:
        value, lower, upper = np.sqrt(value), np.sqrt(lower), np.sqrt(upper)
        null = root_of_excess(chance.mean, variance) if debias else root(chance.mean, variance)
    else:
        null = excess(chance.mean, variance) if debias else chance
    return outcome(
        value,
        n=both.n[..., 0],
        undefined=both.undefined,
        lower=lower,
        upper=upper,
        null_mean=null.mean,
        null_sd=null.sd,
    )


def variance_of_mean(shares: Floats, values: Floats, n: Floats) -> Floats:
    """Return the variance of the mean of `n` rows, as (..., 1), that take `values` with these shares."""
    mean = total(shares * values)
    return np.asarray(np.maximum(0.0, total(shares * (values * values)) - mean * mean) / n[..., 0])
