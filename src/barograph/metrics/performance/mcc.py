"""Matthews correlation coefficient."""

from __future__ import annotations

from math import sqrt

import numpy as np

from barograph.arrays import Floats
from barograph.metrics import metric
from barograph.metrics.performance._confusion import PSEUDO_ROWS, multinomial_variance
from barograph.metrics.performance._intervals import bounded_estimate
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable


@metric(unit="", bounds=(-1.0, 1.0), better="higher", tolerance=0.05, title="MCC")
def mcc(current: ScoreTable | ClassTables) -> Outcome:
    r"""Measure the correlation of predictions and labels, which stays honest when one class is rare.

    With shares of the labelled rows: :math:`c` on the diagonal of the confusion table, :math:`p_k` predicted as class
    k, and :math:`t_k` of class k [1]_,

    .. math:: \mathrm{MCC} = \frac{c - \sum_k p_k t_k}{\sqrt{(1 - \sum_k p_k^2)(1 - \sum_k t_k^2)}}

    which for two classes is (TP·TN − FP·FN) over the root of the product of the four margins. 1 is best, 0 is a guess
    that knows nothing, −1 (with two classes) always wrong. Undefined with no labelled prediction, and where all
    predictions or all labels are of one class. `n` is the number of labelled predictions. The variance is that of the
    delta method on the whole table with two pseudo-rows, the interval Wilson's for (1 + MCC) / 2 and as many
    rows as have it. A change of 0.05 is material by default.

    >>> table = ScoreTable.empty([0.5])
    >>> table.counts[0, 0] = (70, 10, 3, 0)  # predicted no, low score: negative, positive, pending
    >>> table.counts[1, 1] = (5, 15, 0, 0)  # predicted yes, high score
    >>> mcc(table)
    Estimate(value=0.577..., n=100, lower=0.359..., upper=0.735..., ...)

    .. [1] J. Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient",
       Computational Biology and Chemistry 28, 2004.
    """
    square = current.confusion.square if isinstance(current, ClassTables) else current.square
    counts = square.astype(np.float64)
    n = int(square.sum())
    if not n:
        return nothing_labelled(current.confusion if isinstance(current, ClassTables) else current)
    for what, margin in (("predictions", counts.sum(axis=1)), ("labels", counts.sum(axis=0))):
        if np.count_nonzero(margin) < 2:
            return Undefined(f"all {what} are of one class: a correlation needs two")
    value, _ = _correlation(counts)
    smoothed = counts + PSEUDO_ROWS / counts.size
    centre, gradient = _correlation(smoothed)
    variance = multinomial_variance(smoothed, gradient, n)
    effective = (1 - centre**2) / variance  # of (1 + MCC) / 2, where the fours cancel
    share = bounded_estimate((1 + value) / 2, n, variance=variance / 4, effective=effective, df=n)
    assert share.standard_error is not None  # a share always has its interval
    assert share.lower is not None
    assert share.upper is not None
    return Estimate(
        value=value,
        n=n,
        standard_error=2 * share.standard_error,
        lower=2 * share.lower - 1,
        upper=2 * share.upper - 1,
    )


def _correlation(counts: Floats) -> tuple[float, Floats]:
    """Return the coefficient and its derivative by the share of each cell, predicted × actual."""
    shares = counts / counts.sum()
    p, t = shares.sum(axis=1), shares.sum(axis=0)
    spread_p, spread_t = 1 - float(p @ p), 1 - float(t @ t)
    root = sqrt(spread_p * spread_t)
    value = (float(shares.trace()) - float(p @ t)) / root
    by_cell = (np.eye(len(p)) - t[:, None] - p[None, :]) / root
    return value, by_cell + value * (p[:, None] / spread_p + t[None, :] / spread_t)
