"""The expected calibration error of rows without labels."""

from __future__ import annotations

from functools import cache
from math import pi, sqrt

import numpy as np

from barograph.arrays import Floats
from barograph.estimation.binary import Expected
from barograph.estimation.experience import Expectation
from barograph.metrics.performance.expected_calibration_error import MAX_GROUPS, ROWS_PER_GROUP

POINTS = 15  # of the Gauss-Hermite quadrature


@cache
def _quadrature() -> tuple[Floats, Floats]:
    """Return points of the standard normal and their probabilities."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(POINTS)
    return nodes, weights / weights.sum()


def calibration_error(expected: Expected) -> Expectation:
    r"""Return the mean and standard deviation of the expected calibration error that labels will show.

    The metric of `performance` takes off what chance adds to the distances :math:`|d_g|` of its groups, though not
    all of it where the score is well calibrated. To be comparable, this is the mean of that metric over labels to come:
    :math:`D_g` is normal around the distance that the reference expects, and its scatter is that of the group's
    positives. NaN with no scored rows.
    """
    from scipy.special import ndtr

    table = expected.table
    P, Q = (counts[..., 0, :] for counts in table.by_score)
    lead = P.shape[:-1]
    P, Q = P.reshape(-1, P.shape[-1]), Q.reshape(-1, P.shape[-1])
    rows = np.rint(P + Q)  # whole rows: else rounding would tell on which side of a border of groups a bin is
    n = rows.sum(axis=-1)
    some = np.maximum(n, 1.0)[:, None]
    groups = np.clip(n.astype(np.int64) // ROWS_PER_GROUP, 1, MAX_GROUPS)[:, None]
    group = np.minimum((groups * (np.cumsum(rows, axis=-1) - rows / 2) / some).astype(np.int64), groups - 1)
    at = (group + MAX_GROUPS * np.arange(len(n))[:, None]).ravel()
    chance = np.divide(P * Q, rows, out=np.zeros_like(P), where=rows > 0)
    # What the reference's limits add to the scatter is known for the cells' score bins only: take its mean share.
    tiny = np.finfo(np.float64).tiny
    variance = expected.variance[..., :-1].sum(axis=(-2, -1)).reshape(-1)
    added = np.maximum(variance / np.maximum(chance.sum(axis=-1), tiny) - 1, 0.0)[:, None]
    scores = rows * table.means[..., 0].reshape(P.shape)
    rows_g, p_g, s_g, v_g = (
        np.bincount(at, x.ravel(), len(n) * MAX_GROUPS).reshape(-1, MAX_GROUPS) for x in (rows, P, scores, chance)
    )
    n_g = np.where(rows_g > 0, rows_g, 1.0)

    nodes, weights = _quadrature()
    # The distance as the reference knows it is itself off by chance, so the true one is nearer to zero.
    near = np.sqrt(np.maximum((s_g - p_g) ** 2 - added * v_g, 0)) * np.sign(s_g - p_g)
    d = (near / n_g)[..., None] + (np.sqrt(v_g) / n_g)[..., None] * nodes
    share = np.clip((s_g / n_g)[..., None] - d, 0, 1)
    share = (share * n_g[..., None] + (s_g / n_g)[..., None]) / (n_g[..., None] + 1)
    sigma = np.maximum(np.sqrt(share * (1 - share) / n_g[..., None]), 1e-12)
    z = np.abs(d) / sigma
    excess = sigma * (sqrt(2 / pi) * np.exp(-(z**2) / 2) - 2 * z * ndtr(-z))
    debiased = np.abs(d) - excess
    mean = (debiased * weights).sum(axis=-1)
    scatter = np.maximum((debiased**2 * weights).sum(axis=-1) - mean**2, 0)
    share_g = rows_g / some
    doubt = added * v_g / n_g**2
    found = (
        np.where(n > 0, np.clip((share_g * mean).sum(axis=-1), 0.0, 1.0), np.nan),
        np.sqrt((share_g**2 * (scatter + doubt)).sum(axis=-1)),
        np.sqrt((share_g**2 * scatter).sum(axis=-1)),
    )
    return Expectation(*(x.reshape(lead)[()] for x in found))
