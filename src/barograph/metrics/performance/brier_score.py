"""Brier score: the mean squared error of the scores."""

from __future__ import annotations

import numpy as np

from barograph.metrics import metric
from barograph.metrics.performance._averages import average_of_classes
from barograph.metrics.performance._intervals import mean_loss
from barograph.metrics.performance._labelled import nothing_scored
from barograph.metrics.performance._score_bins import score_bins
from barograph.outcome import Estimate, Outcome, Outcomes
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import SQUARED_LOSSES, ScoreTable

SQUARED = SQUARED_LOSSES.index("fourth_power")


@metric(
    unit="",
    bounds=(0.0, 2.0),
    better="lower",
    tolerance=1e-4,
    relative_tolerance=0.10,
    title="Brier score",
    needs="probabilities",
)
def brier_score(current: ScoreTable | ClassTables) -> Outcome | Outcomes:
    r"""Measure the mean squared difference between the score and what came true.

    .. math:: \mathrm{BS} = \frac1n \sum_i (s_i - y_i)^2

    with y = 1 for a positive and 0 for a negative; from 0 (best) to 1. A score that always says the share of
    positives π has π (1 − π). For several classes the squares are summed over the classes as in Brier's paper [1]_,
    from 0 to 2, and the standard error is an upper bound. `n` is the number of rows with a valid score and a label.
    Undefined with none; one row, or squares that are all equal, give no interval. A change of 10 % of the
    reference value is material by default.

    Value and variance are exact, whatever the bins; the interval is Student's on the scale of the logarithm.

    >>> table = ScoreTable.empty([0.5])
    >>> table.counts[0, 0] = (3, 1, 0, 0)  # predicted no, low score: negative, positive, pending
    >>> table.sums[0, 0, :2] = (0.6, 0.12)  # three negatives with score 0.2: sums of s and s²
    >>> table.sums[0, 1, :2] = (0.4, 0.16)  # one positive with score 0.4
    >>> round(brier_score(table).value, 12)
    0.12

    .. [1] G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, 1950.
    """
    if isinstance(current, ClassTables):
        return _sum_over_classes(current)
    bins = score_bins(current)
    label = np.array([0.0, 1.0])  # of the negatives and the positives
    losses = (label - bins.mean) ** 2 + bins.variance
    total, squares = (bins.rows * losses).sum(axis=(-2, -1)), current.losses[..., SQUARED].sum(axis=-1)
    return mean_loss(bins.n, total, squares, nothing_scored(current), most=1.0)


def _sum_over_classes(current: ClassTables) -> Outcome:
    """Return the sum of the scores of the classes, as their mean times their number."""
    mean = average_of_classes(brier_score, current, "macro")
    if not isinstance(mean, Estimate):
        return mean
    k = len(current.classes)
    if mean.standard_error is None or mean.lower is None or mean.upper is None:
        return Estimate(value=k * mean.value, n=mean.n)
    return Estimate(
        value=k * mean.value,
        n=mean.n,
        standard_error=k * mean.standard_error,
        lower=k * mean.lower,
        upper=min(k * mean.upper, 2.0),
    )
