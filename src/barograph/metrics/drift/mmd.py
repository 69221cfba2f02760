"""Squared maximum mean discrepancy of sampled rows."""

from __future__ import annotations

from math import sqrt

import numpy as np

from barograph.arrays import Codes, Floats
from barograph.metrics import metric
from barograph.metrics.drift._no_change import excess
from barograph.metrics.drift._rows import undefined_rows
from barograph.metrics.intervals import Z
from barograph.outcome import Estimate, Outcome
from barograph.sketches.sample import Sample

FREQUENCIES = 128


@metric(unit="", bounds=(0.0, 2.0), better="lower", tolerance=0.002, title="MMD")
def mmd(reference: Sample, current: Sample, *, seed: int = 0) -> Outcome:
    r"""Measure how far the features together have moved, as rows that look less alike than among themselves.

    .. math:: \max\bigl(0,\; E\,k(x, x') + E\,k(y, y') - 2\,E\,k(x, y)\bigr), \qquad
        k(x, y) = e^{-|x - y|^2 / 2 h^2}

    the unbiased estimate, cut at zero, of the squared discrepancy [1]_ over pairs of different rows. Each feature is
    the rank of its code among the reference rows, from 0 to 1 and ties in their middle, so that units and tails do
    not matter; codes of categories and of missing values are ranked like bins. `h` is the median distance between
    neighbours in the (random) order of the reference sample. The kernel is replaced by 128 random frequencies [2]_,
    drawn with `seed`, which makes it linear in the rows.

    Without a change the uncut estimate is a sum of centred chi-squared variables with the variance
    :math:`2 (1/n + 1/m)^2\,\mathrm{tr}(C C)`, `C` being the covariance of the random features; `null_mean` and
    `null_sd` are those of a gamma variable less its mean, cut at zero. The interval is that of the delta method.
    Fewer than two rows on either side are undefined; constant features give 0.

    >>> codes = np.arange(200, dtype=np.uint16)[:, None]
    >>> def rows(codes):
    ...     return Sample.of(np.arange(len(codes), dtype=np.uint64), codes, np.zeros((len(codes), 3)), k=1000)
    >>> mmd(rows(codes), rows(codes)).value, round(mmd(rows(codes), rows(codes + 100)).value, 2)
    (0.0, 0.24)

    .. [1] A. Gretton et al., "A kernel two-sample test", Journal of Machine Learning Research 13, 2012.
    .. [2] A. Rahimi, B. Recht, "Random features for large-scale kernel machines", NeurIPS 2007.
    """
    if (reason := undefined_rows(reference, current, fewest=2)) is not None:
        return reason
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # so few rows that threads would wait for each other most of the time
        return _discrepancy(reference, current, seed)


def _discrepancy(reference: Sample, current: Sample, seed: int) -> Estimate:
    m, n = reference.n, current.n
    x, y = _ranks(reference.codes, reference.codes), _ranks(reference.codes, current.codes)
    width = float(np.median(np.sqrt(np.sum((x[1:] - x[:-1]) ** 2, axis=1)))) or 1.0
    frequencies = np.random.default_rng(seed).standard_normal((x.shape[1], FREQUENCIES)) / width
    f, g = _features(x, frequencies), _features(y, frequencies)
    mean_f, mean_g = f.mean(axis=0), g.mean(axis=0)

    within = (m * float(mean_f @ mean_f) - 1.0) / (m - 1) + (n * float(mean_g @ mean_g) - 1.0) / (n - 1)
    estimate = within - 2.0 * float(mean_f @ mean_g)

    # The squared norm of a covariance estimated from m + n rows is too large by its squared trace over m + n.
    centred = f.T @ f + g.T @ g - m * np.outer(mean_f, mean_f) - n * np.outer(mean_g, mean_g)
    covariance = centred / (m + n)
    trace = float(np.trace(covariance))
    squared_norm = max(0.0, float(np.sum(covariance**2)) - trace * trace / (m + n))
    unit = 1.0 / n + 1.0 / m
    variance = 2.0 * unit * unit * squared_norm
    null = excess(unit * trace, variance)

    witness = mean_g - mean_f
    sampling = 4.0 * (float((g @ witness).var()) / n + float((f @ witness).var()) / m)
    half = Z * sqrt(sampling + variance)
    return Estimate(
        value=min(2.0, max(0.0, estimate)),
        n=n,
        lower=max(0.0, estimate - half),
        upper=min(2.0, max(0.0, estimate + half)),
        null_mean=null.mean,
        null_sd=null.sd,
    )


def _ranks(reference: Codes, rows: Codes) -> Floats:
    """Return the rank of each code of `rows` among the reference rows, from 0 to 1."""
    ranks = np.empty(rows.shape)
    for j in range(rows.shape[1]):
        top = int(max(reference[:, j].max(), rows[:, j].max())) + 1
        counts = np.bincount(reference[:, j], minlength=top)
        ranks[:, j] = ((np.cumsum(counts) - 0.5 * counts) / len(reference))[rows[:, j]]
    return ranks


def _features(x: Floats, frequencies: Floats) -> Floats:
    phases = x @ frequencies
    return np.concatenate((np.cos(phases), np.sin(phases)), axis=1) / sqrt(FREQUENCIES)
