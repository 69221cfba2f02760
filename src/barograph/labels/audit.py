"""Which events to have labelled by hand, and what a few such labels say of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barograph.arrays import Floats, Ints
from barograph.outcome import Estimate, Outcome, Undefined

FLOOR = 0.03  # in the variance c (1 - c): no event is so certain that its label could not surprise
MAX_WEIGHT = 20.0  # of a label, as a multiple of that of a random one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Audit:
    """The events to label (positions in the list that was given), and the probability with which each was chosen.

    Log `propensities` with the labels: without them the labels are a biased sample.
    """

    chosen: Ints
    propensities: Floats


def propose_audit(estimated_loss: Floats, size: int, *, generator: np.random.Generator) -> Audit:
    r"""Choose the events whose labels say most about the mean of a 0/1 loss.

    With the loss :math:`c_i` that is expected of each event (the chance that its prediction is wrong), the
    probabilities are

    .. math:: \pi_i \propto \sqrt{c_i (1 - c_i) + 0.03}, \qquad \sum_i \pi_i = \mathrm{size}

    none above one, and none so small that its label would weigh 20 times a random one; this is Neyman's allocation
    [1]_. Exactly `size` events are drawn, systematically along the events in the order of their expected loss [2]_, so
    that all kinds are in the sample. All events are proposed when there are no more than `size`.

    >>> audit = propose_audit(np.array([0.01] * 50 + [0.5] * 50), 20, generator=np.random.default_rng(1))
    >>> len(audit.chosen), int((audit.chosen >= 50).sum())
    (20, 15)

    .. [1] J. Neyman, "On the two different aspects of the representative method", JRSS 97, 1934.
    .. [2] W. G. Madow, "On the theory of systematic sampling, II", Annals of Mathematical Statistics 20, 1949.
    """
    n = len(estimated_loss)
    if n <= size:
        return Audit(chosen=np.arange(n), propensities=np.ones(n))
    if size <= 0:
        return Audit(chosen=np.empty(0, np.int64), propensities=np.empty(0))
    spread = np.sqrt(np.clip(estimated_loss * (1 - estimated_loss), 0, None) + FLOOR)
    propensities = _scale(spread, size)
    # Ties are broken at random, then one of every 1 / size of the cumulated probabilities is taken.
    order = np.lexsort((generator.random(n), estimated_loss))
    ends = np.cumsum(propensities[order])
    ends *= size / ends[-1]  # rounding
    at = np.minimum(np.searchsorted(ends, generator.random() + np.arange(size), side="right"), n - 1)
    chosen = np.sort(order[at])
    return Audit(chosen=chosen, propensities=propensities[chosen])


def _scale(weights: Floats, size: int) -> Floats:
    """Return probabilities in proportion to `weights` that sum to `size`, each between its bounds."""
    low = min(1.0, size / len(weights) / MAX_WEIGHT)
    factor, probabilities = size / weights.sum(), weights
    for _ in range(50):
        probabilities = np.clip(weights * factor, low, 1.0)
        total = probabilities.sum()
        if abs(total - size) < 1e-9 * size:
            break
        free = (probabilities > low) & (probabilities < 1.0)
        if not free.any():
            break
        factor *= (size - probabilities[~free].sum()) / probabilities[free].sum()
    return np.asarray(probabilities)


def augmented_mean(
    estimated_loss: Floats, labelled: Ints, loss: Floats, propensities: Floats, *, level: float = 0.95
) -> Outcome:
    r"""Estimate the mean loss of all events from the estimates, and from labels of a few with known propensities.

    .. math:: \hat\theta = \frac1n \sum_i \Big(c_i + \frac{S_i}{\pi_i} (\ell_i - c_i)\Big)

    the augmented inverse-propensity estimator (AIPW) [1]_: without bias whatever the estimates `c` are, as long as the
    propensities are right; with small errors where the estimates are good. The residuals' mean is taken over
    :math:`\sum 1/\pi` (Hájek) rather than `n`. Its variance is that of the sampling,
    :math:`\sum S_i (1 - \pi_i)(r_i - \bar r)^2 / \pi_i^2` over the squared sum of weights.

    `estimated_loss` (n,) is for all events; `labelled` (m,) are positions in it, with their `loss` and `propensities`.
    With all events labelled the error is zero. Undefined with no events or no labels; one label gives no interval.

    >>> audited, loss, propensities = np.array([0, 2]), np.array([0.0, 1.0]), np.array([0.5, 0.5])
    >>> augmented_mean(np.array([0.1, 0.1, 0.5, 0.5]), audited, loss, propensities).value
    0.5

    .. [1] J. M. Robins, A. Rotnitzky, L. P. Zhao, "Estimation of regression coefficients when some regressors are not
       always observed", JASA 89, 1994.
    """
    from scipy.special import stdtrit

    n, m = len(estimated_loss), len(labelled)
    if not n or not m:
        return Undefined("there are no labels" if n else "there are no events")
    weights = 1 / propensities
    residuals = loss - estimated_loss[labelled]
    mean = float(weights @ residuals / weights.sum())
    value = float(estimated_loss.mean()) + mean
    if m < 2:
        return Estimate(value=value, n=m)
    variance = float(((1 - propensities) * weights**2) @ (residuals - mean) ** 2) / weights.sum() ** 2 * m / (m - 1)
    error = float(np.sqrt(variance))
    # As many degrees of freedom as labels that matter: large weights make the variance uncertain.
    z = float(stdtrit(max(weights.sum() ** 2 / (weights @ weights) - 1, 1.0), (1 + level) / 2))
    return Estimate(
        value=value, n=m, lower=value - z * error, upper=value + z * error, level=level, standard_error=error
    )
