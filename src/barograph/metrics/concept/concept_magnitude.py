"""Concept magnitude: how far the rates of positives have moved, cell by cell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barograph.errors import MismatchError
from barograph.metrics import metric
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.cells import BinaryCells
from barograph.sketches.scores import PENDING, POSITIVE

Floats = npt.NDArray[np.float64]
SCORE_GROUPS = 5


@metric(unit="probability", bounds=(0.0, 1.0), better="lower")
def concept_magnitude(reference: BinaryCells, current: BinaryCells) -> Outcome:
    r"""Measure the mean distance between today's rate of positives and the reference's, over the reference's rows.

    .. math:: \frac{\sum_j q_j |k_j / n_j - K_j / m_j|}{\sum_j q_j}

    over the cells `j` (leaf × about five score groups) with labelled rows in both windows: `k` positives of `n` today,
    `K` of `m` in the reference, :math:`q_j` the reference's share. Noise alone makes it positive [1]_: `null_mean`
    and `null_sd` are its mean and standard deviation when nothing has changed, with the mean absolute deviation of the
    binomial from De Moivre's formula [2]_. Compare with them, never with zero. There is no interval.

    Undefined when no cell has labels in both windows.

    >>> cells = BinaryCells(predicted=np.array([True]), order=np.array([0]), first_fine=np.array([0, 1]),
    ...                     counts=np.array([[[1000, 9000, 0]]]))
    >>> today = BinaryCells(predicted=np.array([True]), order=np.array([0]), first_fine=np.array([0, 1]),
    ...                     counts=np.array([[[30, 70, 500]]]))
    >>> round(concept_magnitude(cells, today).value, 3)
    0.2

    .. [1] Reverse concept drift estimation, docs.nannyml.com, measures the same with a model re-fitted on the
       chunk, and without its null.
    .. [2] P. Diaconis, S. Zabell, "Closed form summation for classical distributions", Statistical Science 6, 1991.
    """
    if reference.counts.shape != current.counts.shape:
        raise MismatchError("Cells of different partitions cannot be compared: profile both with one reference.")
    (K, m), (k, n) = _pool(reference), _pool(current)
    both = (m > 0) & (n > 0)
    if not both.any():
        return Undefined("no cell has labels in both windows")
    K, m, k, n = K[both], m[both], k[both], n[both]
    q = m / m.sum()
    value = float((q * np.abs(k / n - K / m)).sum())
    rate = (k + K + 0.5) / (n + m + 1)
    deviation = _mean_absolute_deviation(rate, 1 / (1 / n + 1 / m))
    spread = rate * (1 - rate) * (1 / n + 1 / m) - deviation**2
    return Estimate(
        value=value,
        n=int(n.sum()),
        null_mean=float((q * deviation).sum()),
        null_sd=float(np.sqrt((q**2 * np.maximum(spread, 0)).sum())),
    )


def _pool(cells: BinaryCells) -> tuple[Floats, Floats]:
    """Return the positives and the labelled rows by leaf and score group."""
    group = cells.order * SCORE_GROUPS // (len(cells.first_fine) - 1)
    member = (group[:, None] == np.arange(SCORE_GROUPS)).astype(np.float64)
    labelled = cells.counts[:, :, :PENDING].sum(axis=2)
    return (cells.counts[:, :, POSITIVE] @ member).ravel(), (labelled @ member).ravel()


def _mean_absolute_deviation(p: Floats, n: Floats) -> Floats:
    """Return E|X/n - p| of a binomial X: 2 (v / n) C(n, v) p^v (1 - p)^(n - v + 1), with v = floor(np) + 1."""
    from scipy.special import gammaln

    v = np.floor(n * p) + 1
    log_choose = gammaln(n + 1) - gammaln(v + 1) - gammaln(np.maximum(n - v, 0) + 1)
    exact = 2 * v / n * np.exp(log_choose + v * np.log(p) + (n - v + 1) * np.log1p(-p))
    # n is the harmonic sum of two sizes, so below one row the formula has no meaning: the normal's value bounds it.
    return np.where(n >= v, exact, np.sqrt(2 / np.pi * p * (1 - p) / n))
