"""Matthews correlation coefficient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any  # one share, or many

import numpy as np

from barograph.arrays import Floats, Ints, Number
from barograph.metrics import metric
from barograph.metrics.performance._confusion import PSEUDO_ROWS, multinomial_variance
from barograph.metrics.performance._intervals import bounded_estimate
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes, Undefined, outcome, stack
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable, padded_square


@metric(unit="", bounds=(-1.0, 1.0), better="higher", tolerance=0.05, title="MCC")
def mcc(current: ScoreTable | ClassTables) -> Outcome | Outcomes:
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
    table = current.confusion if isinstance(current, ClassTables) else current
    nothing = [(np.reshape(where, -1), why) for where, why in nothing_labelled(table)]
    tables, sizes = padded_square(table.said, table.agreed)
    lead, n = np.shape(sizes), np.reshape(table.n, -1)
    tables, sizes = tables.reshape(-1, *tables.shape[-2:]), np.reshape(sizes, -1)
    found: list[Outcome] = [NOT_YET] * len(n)
    for size in np.unique(sizes).tolist():  # with rows that are no class, there are more
        at = np.flatnonzero(sizes == size)
        some = _of_squares(tables[at, :size, :size], n[at], [(where[at], why) for where, why in nothing])
        for i, place in enumerate(at.tolist()):
            found[place] = some[i]
    return stack(found) if lead else found[0]


NOT_YET = Undefined("")


def _of_squares(square: Ints, n: Ints, nothing: Sequence[tuple[Number, str]]) -> Outcomes:
    """Return the correlation of many tables of one size."""
    margins = [("predictions", square.sum(axis=-1)), ("labels", square.sum(axis=-2))]
    one = [
        ((margin > 0).sum(axis=-1) < 2, f"all {what} are of one class: a correlation needs two")
        for what, margin in margins
    ]
    unknown = np.logical_or.reduce([where for where, _ in (*nothing, *one)])
    # What has no value is computed from a table without a problem, and not read.
    counts = np.where(unknown[:, None, None], np.eye(square.shape[-1]), square.astype(np.float64))
    value, _ = _correlation(counts)
    smoothed = counts + PSEUDO_ROWS / square.shape[-1] ** 2
    centre, gradient = _correlation(smoothed)
    variance = multinomial_variance(smoothed, gradient, np.maximum(n, 1))
    effective = (1 - centre**2) / variance  # of (1 + MCC) / 2, where the fours cancel
    share: Any = bounded_estimate((1 + value) / 2, n, variance=variance / 4, effective=effective, df=np.maximum(n, 1))
    found = outcome(
        value,
        n=n,
        undefined=[*nothing, *one],
        standard_error=2 * share.standard_error,
        lower=2 * share.lower - 1,
        upper=2 * share.upper - 1,
    )
    assert isinstance(found, Outcomes)
    return found


def _correlation(counts: Floats) -> tuple[Floats, Floats]:
    """Return the coefficients and their derivatives by the share of each cell, predicted × actual."""
    shares = counts / counts.sum(axis=(-2, -1), keepdims=True)
    p, t = shares.sum(axis=-1), shares.sum(axis=-2)
    spread_p, spread_t = 1 - (p * p).sum(axis=-1), 1 - (t * t).sum(axis=-1)
    root = np.sqrt(spread_p * spread_t)
    value = (shares.trace(axis1=-2, axis2=-1) - (p * t).sum(axis=-1)) / root
    by_cell = (np.eye(p.shape[-1]) - t[..., :, None] - p[..., None, :]) / root[..., None, None]
    rise = p[..., :, None] / spread_p[..., None, None] + t[..., None, :] / spread_t[..., None, None]
    return value, by_cell + value[..., None, None] * rise
