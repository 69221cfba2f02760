"""Population stability index."""

from __future__ import annotations

from functools import cache
from math import inf

import numpy as np

from barograph.arrays import Floats
from barograph.metrics import metric
from barograph.metrics.drift._bins import Shares, by_chance, divergence, shares, total, variance_of_mean
from barograph.metrics.drift._no_change import RowNoise, Spread
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.histogram import Binned


@metric(
    unit="nats", bounds=(0.0, inf), better="lower", symmetric=True, tolerance=0.04, bins="coarse", title="PSI", rank=4
)
def psi(reference: Binned, current: Binned, *, smoothing: float = 0.5, debias: bool = True) -> Outcome | Outcomes:
    r"""Measure how far the current shares have moved from the reference shares, with weight on rare bins.

    .. math:: \mathrm{PSI} = \max\Bigl(0, \sum_i (c_i - r_i) \ln\frac{c_i}{r_i} - b\Bigr), \qquad
        b \approx (B - 1) \Bigl(\frac1n + \frac1m\Bigr)

    for shares :math:`r` of `m` reference rows and :math:`c` of `n` current rows in `B` bins. Without a change the
    sum is about :math:`(1/n + 1/m)\,\chi^2_{B-1}` [1]_; its mean `b` is taken off, so that small chunks can be compared
    with large ones, and `null_mean` and `null_sd` are those of what is left. `debias=False` leaves `b` in.

    Before that, each share is raised by `smoothing` rows of the smaller of the two sets, so that an empty bin gives a
    large finite value. It is the same share on both sides: were it the same number of rows, a bin that is rare in
    both would look like a change. A bin that is empty in both is left out, and one in which less than about five
    rows are expected counts as the part of a degree of freedom that it has. No rows are undefined; one row, or a
    constant column, is a distribution like any other. The interval is that of the delta method; it is too low for large
    changes in chunks so small that whole bins are empty.

    >>> from barograph.sketches.histogram import Histogram
    >>> week = Histogram(edges=(10, 20), counts=(500, 300, 200))
    >>> today = Histogram(edges=(10, 20), counts=(30, 30, 40))
    >>> psi(week, today).value
    0.211...

    .. [1] B. Yurdakul, "Statistical properties of population stability index",
       PhD thesis, Western Michigan University, 2018.
    """
    return psi_of_shares(shares(reference, current), smoothing=smoothing, debias=debias)


def psi_of_shares(both: Shares, *, smoothing: float = 0.5, debias: bool = True) -> Outcome | Outcomes:
    """Return the PSI of shares that are already there."""
    if not smoothing > 0.0:
        raise ValueError(f"`smoothing` must be above 0, got {smoothing!r}: an empty bin would make PSI infinite.")
    r, c, m, n, used, _ = both
    added = smoothing / np.minimum(n, m)
    whole = 1.0 + added * total(used)[..., None]
    p, q = np.where(used, c + added, 0.5) / whole, np.where(used, r + added, 0.5) / whole
    ratio = p / q
    log_ratio = np.log(ratio)
    chance = by_chance(_noise(smoothing), both)
    sampling = variance_of_mean(c, log_ratio - 1.0 / ratio, n) + variance_of_mean(r, log_ratio + ratio, m)
    return divergence(
        both,
        total((p - q) * log_ratio),
        chance=Spread(chance.mean / whole[..., 0], chance.sd / whole[..., 0]),
        sampling=sampling,
        debias=debias,
        rooted=False,
        most=inf,
    )


@cache
def _noise(smoothing: float) -> RowNoise:
    def contribution(x: Floats, y: Floats) -> Floats:
        return np.asarray((x - y) * np.log((x + smoothing) / (y + smoothing)))

    return RowNoise(contribution, 1.0)
