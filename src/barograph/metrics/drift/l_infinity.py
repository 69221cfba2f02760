"""Largest change of a share."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np

from barograph.arrays import Floats
from barograph.metrics import metric
from barograph.metrics.drift._bins import shares
from barograph.metrics.drift._no_change import Spread
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.histogram import Binned


@metric(unit="share", bounds=(0.0, 1.0), better="lower", symmetric=True, tolerance=0.04, bins="coarse")
def l_infinity(reference: Binned, current: Binned) -> Outcome:
    r"""Measure the largest change of the share of any one bin or category.

    .. math:: L_\infty = \max_i |c_i - r_i|

    for shares :math:`r` of `m` reference rows and :math:`c` of `n` current rows. `null_mean` and `null_sd` are the
    moments of the largest of normal variables with standard deviations
    :math:`\sigma_i = \sqrt{(1/n + 1/m)\,p_i (1 - p_i)}` for the shares `p` of all rows,

    .. math:: P(L_\infty \le t) \approx \prod_i \mathrm{erf}\Bigl(\frac t{\sqrt2\,\sigma_i}\Bigr)^{1 - \rho_i^2},

    where :math:`\rho_i` is the correlation with the largest bin, 0 for that bin itself; it is exact for two bins. The
    interval is conservative: it covers the changes of all bins at once (Bonferroni). No rows are undefined; one row,
    or a constant column, is a distribution like any other.

    >>> from barograph.sketches.histogram import Histogram
    >>> week = Histogram(edges=(10, 20), counts=(500, 300, 200))
    >>> today = Histogram(edges=(10, 20), counts=(30, 30, 40))
    >>> l_infinity(week, today).value
    0.2
    """
    both = shares(reference, current)
    if isinstance(both, Undefined):
        return both
    r, c, m, n = both
    change = np.abs(c - r)
    p = both.pooled
    # A bin that is empty on one side is not known to have no variance: at least that of the pooled share is taken.
    variance = np.maximum(c * (1.0 - c) / n + r * (1.0 - r) / m, p * (1.0 - p) * both.unit)
    half = _bonferroni(len(r)) * np.sqrt(variance)
    null = _largest(p)
    scale = sqrt(both.unit)
    return Estimate(
        value=float(change.max()),
        n=n,
        lower=max(0.0, float((change - half).max())),
        upper=min(1.0, float((change + half).max())),
        null_mean=null.mean * scale,
        null_sd=null.sd * scale,
    )


def _largest(p: Floats) -> Spread:
    # E[L] = ∫ P(L > t) dt and E[L²] = ∫ 2 t P(L > t) dt, with t in units of √(1/n + 1/m).
    from scipy.special import erf

    sigma = np.sqrt(p * (1.0 - p))
    top = float(sigma.max())
    if top == 0.0:
        return Spread(0.0, 0.0)
    largest = int(p.argmax())
    odds = p / np.maximum(1.0 - p, 1e-12)
    weight = 1.0 - odds * odds[largest]
    weight[largest] = 1.0
    t = _GRID * top
    log_below = weight @ np.log(erf(np.multiply.outer(0.5**0.5 / np.maximum(sigma, 1e-12 * top), t)))
    above = -np.expm1(log_below)
    step = top * _STEP
    first = step * (0.5 + float(np.add.reduce(above)))
    second = 2.0 * step * float(t @ above)
    return Spread(first, sqrt(max(0.0, second - first * first)))


_STEP = 0.2
_GRID = np.arange(1, 31) * _STEP  # six standard deviations of the widest bin


@lru_cache(maxsize=1024)
def _bonferroni(bins: int) -> float:
    from scipy.special import ndtri

    return float(-ndtri(0.025 / bins))
