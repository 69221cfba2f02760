"""How badly current rows fit the linear relations between the reference's numeric features."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np

from barograph.errors import MismatchError
from barograph.metrics import metric
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.moments import Covariance


@metric(
    unit="reference standard deviations",
    bounds=(0.0, inf),
    better="lower",
    tolerance=0.05,
    title="PCA reconstruction error",
)
def pca_reconstruction(reference: Covariance, current: Covariance, *, explained: float = 0.95) -> Outcome:
    r"""Measure how much of a current row the reference's leading principal components leave over.

    .. math:: \sqrt{\frac1k \, \mathrm{tr}(Q M)}, \qquad Q = I - V V^\top, \qquad
        M = \frac1n \sum_{i=1}^n (z_i - \bar z_r)(z_i - \bar z_r)^\top

    for `k` features `z`, standardised and missing ones set to the reference mean, and `V` the fewest leading
    eigenvectors of the reference's covariance that explain the share `explained` of its variance; at least one
    eigenvector is left over, and eigenvalues that could be equal (closer than :math:`4 \sqrt{k / m}`, relatively)
    are left over together, because their eigenvectors are arbitrary. It is the root mean square over rows and features
    of the reconstruction error, in reference standard deviations, computed from second moments alone. It rises when
    relations between features break, and sees no movement inside the space of `V`.

    `null_mean` is the value of the reference itself, with what fitting `V` to `m` reference rows takes off:
    :math:`\frac2m \sum \lambda_i \lambda_j / (\lambda_j - \lambda_i)` over left-over :math:`\lambda_i` and kept
    :math:`\lambda_j` is added to the trace [1]_. `null_sd` is that of normal features,
    :math:`\sqrt{(1/n + 1/m) \, 2 \sum \lambda_i^2} / 2k` over `null_mean`. Heavier tails make it larger (more than
    twice with Student's t of five degrees of freedom), so a limit should rest on the variability of reference blocks,
    and there is no honest interval. No rows, or fewer than two features, are undefined; one row is a row.

    >>> week = Covariance(names=("a", "b"), n=100, z=np.zeros(2), zz=np.array([[100.0, 90.0], [90.0, 100.0]]))
    >>> today = Covariance(names=("a", "b"), n=50, z=np.zeros(2), zz=np.array([[50.0, 0.0], [0.0, 50.0]]))
    >>> outcome = pca_reconstruction(week, today)
    >>> round(outcome.value, 3), round(outcome.null_mean, 3)
    (0.707, 0.226)

    .. [1] D. N. Lawley, "Tests of significance for the latent roots of covariance and correlation matrices",
       Biometrika 43, 1956.
    """
    if reference.names != current.names:
        raise MismatchError(
            f"Second moments of {reference.names} and {current.names} cannot be compared. "
            "Profile both sets of rows with one reference: reference.profile(frame)."
        )
    if not reference.n or not current.n:
        return Undefined(f"{'current' if reference.n else 'reference'} has no rows")
    k = len(reference.names)
    if k < 2:
        return Undefined("at least two numeric features are needed")

    variances, vectors = np.linalg.eigh(reference.matrix)  # ascending
    variances = np.maximum(variances, 0.0)
    cumulative = np.cumsum(variances)
    left = max(1, int(np.searchsorted(cumulative, (1.0 - explained) * cumulative[-1], side="right")))
    equal = 1.0 + 4.0 * sqrt(k / reference.n)
    while left < k and variances[left] <= equal * variances[left - 1]:
        left += 1
    axes, low, high = vectors[:, :left], variances[:left], variances[left:]

    shift = current.mean - reference.mean
    moment = current.matrix + np.multiply.outer(shift, shift)
    gaps = np.subtract.outer(high, low)
    fitted = 2.0 / reference.n * float(np.sum(np.multiply.outer(high, low) / gaps))
    value = sqrt(max(0.0, float(np.sum(axes * (moment @ axes)))) / k)
    null_mean = sqrt((float(cumulative[left - 1]) + fitted) / k)
    spread = sqrt((1.0 / current.n + 1.0 / reference.n) * 2.0 * float(low @ low)) / k
    # The slope of a root; where the reference is reconstructed without an error, there is nothing that could vary.
    null_sd = spread / (2.0 * null_mean) if null_mean > 0.0 else 0.0
    return Estimate(value=value, n=current.n, null_mean=null_mean, null_sd=null_sd)
