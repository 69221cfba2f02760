"""Kolmogorov–Smirnov distance."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np

from barograph.metrics import metric
from barograph.metrics.drift._no_change import KOLMOGOROV, Spread
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.histogram import Histogram, check_same_bins

KOLMOGOROV_MEAN, KOLMOGOROV_SD = 0.868731, 0.260333  # √(π/2) ln 2, and the root of π²/12 less its square
DISCRETE = 0.5826  # -ζ(1/2) / √(2π): how far a Brownian maximum lies above that of points a unit of time apart
HEAVY = 0.1  # share of a bin above which bridges are simulated
NORMALS = 2**17  # drawn for the bridges of one reference: 512 bridges for 256 bins, more for fewer


@metric(
    unit="share",
    bounds=(0.0, 1.0),
    better="lower",
    symmetric=True,
    tolerance=0.08,
    bins="fine",
    rule="cdf_cut",
    title="Kolmogorov–Smirnov distance",
    alerts=True,
    rank=1,
)
def kolmogorov_smirnov(reference: Histogram, current: Histogram) -> Outcome | Outcomes:
    r"""Measure the largest share of rows that has moved past any one value.

    .. math:: D = \max_k |G(e_k) - F(e_k)|

    for the distribution functions `F` of the reference and `G` of the current rows at the edges :math:`e_k` of the
    bins. It is never above the exact distance, and below it by at most what the two move inside one bin.

    Without a change :math:`D / \sqrt{1/n + 1/m}` is the largest absolute value of a Brownian bridge at the
    reference's shares. For a continuous column its mean is 0.8687 and its standard deviation 0.2603 [1]_; looked at
    between bins with shares :math:`r_i` only, the mean is lower by :math:`0.5826 \sqrt{\sum_i r_i^2}` [2]_.
    Where a bin holds more than a tenth of the reference, `null_mean` and `null_sd` are measured on simulated bridges,
    once for each reference and always on the same ones (to about 1 %). The interval is conservative: value ±
    :math:`1.358 \sqrt{1/n + 1/m}`, which holds at all values at once. No rows are undefined; one row, or a constant
    column, is a distribution like any other.

    >>> week = Histogram(edges=(10, 20), counts=(500, 300, 200))
    >>> today = Histogram(edges=(10, 20), counts=(30, 30, 40))
    >>> kolmogorov_smirnov(week, today).value
    0.2

    .. [1] G. Marsaglia, W. W. Tsang, J. Wang, "Evaluating Kolmogorov's distribution", Journal of Statistical
       Software 8, 2003.
    .. [2] D. Siegmund, "Sequential Analysis", Springer 1985, chapter 10.
    """
    check_same_bins(reference, current)
    m, n = (np.add.reduce(side.counts, axis=-1, keepdims=True) for side in (reference, current))
    ahead = np.add.accumulate(current.counts / np.maximum(n, 1) - reference.counts / np.maximum(m, 1), axis=-1)
    value = np.minimum(1.0, np.abs(ahead[..., :-1]).max(axis=-1, initial=0.0))
    unit = np.sqrt(1.0 / np.maximum(n, 1) + 1.0 / np.maximum(m, 1))[..., 0]
    null = _bridge(reference)
    return outcome(
        value,
        n=n[..., 0],
        undefined=[(m[..., 0] == 0, "reference has no rows"), (n[..., 0] == 0, "current has no rows")],
        lower=np.maximum(0.0, value - KOLMOGOROV * unit),
        upper=np.minimum(1.0, value + KOLMOGOROV * unit),
        null_mean=null.mean * unit,
        null_sd=null.sd * unit,
    )


@lru_cache(maxsize=4096)
def _bridge(reference: Histogram) -> Spread:
    shares = reference.counts[reference.counts > 0] / max(reference.n, 1)
    if len(shares) < 2:
        return Spread(0.0, 0.0)
    if shares.max() <= HEAVY:
        return Spread(KOLMOGOROV_MEAN - DISCRETE * sqrt(float(shares @ shares)), KOLMOGOROV_SD)
    walks = np.random.default_rng(0).standard_normal((len(shares), min(NORMALS // len(shares), 8192)))
    walks *= np.sqrt(shares)[:, None]
    np.add.accumulate(walks, axis=0, out=walks)
    walks -= np.multiply.outer(np.add.accumulate(shares), walks[-1])
    np.abs(walks, out=walks)
    largest = walks[:-1].max(axis=0)
    return Spread(float(largest.mean()), float(largest.std()))
