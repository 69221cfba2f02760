"""Largest change of a share."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats
from barograph.metrics import metric
from barograph.metrics.drift._bins import shares, total
from barograph.metrics.drift._no_change import Spread
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.histogram import Binned


@metric(
    unit="share", bounds=(0.0, 1.0), better="lower", symmetric=True, tolerance=0.04, bins="coarse", title="L∞ distance"
)
def l_infinity(reference: Binned, current: Binned) -> Outcome | Outcomes:
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
    r, c, m, n, used, _ = both
    change = np.abs(c - r)
    p, unit = both.pooled, both.unit[..., None]
    # A bin that is empty on one side is not known to have no variance: at least that of the pooled share is taken.
    variance = np.maximum(c * (1.0 - c) / n + r * (1.0 - r) / m, p * (1.0 - p) * unit)
    half = _bonferroni(np.maximum(total(used), 1.0))[..., None] * np.sqrt(variance)
    null = _largest(p)
    scale = np.sqrt(both.unit)
    return outcome(
        change.max(axis=-1),
        n=n[..., 0],
        undefined=both.undefined,
        lower=np.maximum(0.0, (change - half).max(axis=-1)),
        upper=np.minimum(1.0, (change + half).max(axis=-1)),
        null_mean=null.mean * scale,
        null_sd=null.sd * scale,
    )


def _largest(p: Floats) -> Spread:
    # E[L] = ∫ P(L > t) dt and E[L²] = ∫ 2 t P(L > t) dt, with t in units of √(1/n + 1/m).
    from scipy.special import erf

    sigma = np.sqrt(p * (1.0 - p))
    top = sigma.max(axis=-1)
    some = top > 0.0
    width = np.where(some, top, 1.0)[..., None]
    is_largest = np.arange(p.shape[-1]) == p.argmax(axis=-1)[..., None]
    odds = p / np.maximum(1.0 - p, 1e-12)
    weight = np.where(is_largest, 1.0, 1.0 - odds * np.where(is_largest, odds, 0.0).sum(axis=-1, keepdims=True))
    weight = np.where(sigma > 0.0, weight, 0.0)
    t = _GRID * width
    arguments = (0.5**0.5 / np.where(sigma > 0.0, sigma, width))[..., :, None] * t[..., None, :]
    log_below = (weight[..., :, None] * np.log(erf(arguments))).sum(axis=-2)
    above = -np.expm1(log_below)
    step = width[..., 0] * _STEP
    first = step * (0.5 + total(above))
    second = 2.0 * step * total(t * above)
    return Spread(np.where(some, first, 0.0), np.where(some, np.sqrt(np.maximum(0.0, second - first * first)), 0.0))


_STEP = 0.2
_GRID = np.arange(1, 31) * _STEP  # six standard deviations of the widest bin


def _bonferroni(bins: Floats) -> Floats:
    from scipy.special import ndtri

    return np.asarray(-ndtri(0.025 / bins))
