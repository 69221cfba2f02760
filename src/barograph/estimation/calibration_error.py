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

    P, Q = (counts[0] for counts in expected.table.by_score)
    rows = P + Q
    n = float(rows.sum())
    if not n:
        return Expectation(float("nan"), 0.0, 0.0)
    groups = min(MAX_GROUPS, max(1, int(n) // ROWS_PER_GROUP))
    group = np.minimum((groups * (np.cumsum(rows) - rows / 2) / n).astype(np.int64), groups - 1)
    chance = np.divide(P * Q, rows, out=np.zeros_like(P), where=rows > 0)
    # What the reference's limits add to the scatter is known for the cells' score bins only: take its mean share.
    added = max(float(expected.variance[:, :-1].sum()) / max(float(chance.sum()), np.finfo(np.float64).tiny) - 1, 0.0)
    n_g, p_g, s_g, v_g = (np.bincount(group, x, groups) for x in (rows, P, rows * expected.table.means[:, 0], chance))
    n_g, p_g, s_g, v_g = (x[n_g > 0] for x in (n_g, p_g, s_g, v_g))

    nodes, weights = _quadrature()
    # The distance as the reference knows it is itself off by chance, so the true one is nearer to zero.
    near = np.sqrt(np.maximum((s_g - p_g) ** 2 - added * v_g, 0)) * np.sign(s_g - p_g)
    d = (near / n_g)[:, None] + np.sqrt(v_g)[:, None] / n_g[:, None] * nodes
    share = np.clip((s_g / n_g)[:, None] - d, 0, 1)
    share = (share * n_g[:, None] + (s_g / n_g)[:, None]) / (n_g[:, None] + 1)
    sigma = np.maximum(np.sqrt(share * (1 - share) / n_g[:, None]), 1e-12)
    z = np.abs(d) / sigma
    excess = sigma * (sqrt(2 / pi) * np.exp(-(z**2) / 2) - 2 * z * ndtr(-z))
    debiased = np.abs(d) - excess
    mean = debiased @ weights
    variance = np.maximum((debiased**2) @ weights - mean**2, 0)
    share_g = n_g / n
    doubt = added * v_g / n_g**2
    return Expectation(
        mean=min(max(0.0, float(share_g @ mean)), 1.0),
        sd=float(np.sqrt(share_g**2 @ (variance + doubt))),
        chance=float(np.sqrt(share_g**2 @ variance)),
    )
