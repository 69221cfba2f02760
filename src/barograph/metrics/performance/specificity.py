"""Specificity: the share of negatives that are left alone."""

from __future__ import annotations

import numpy as np

from barograph.metrics import metric
from barograph.metrics.performance._averages import Average
from barograph.metrics.performance._confusion import ratio_of_classes
from barograph.metrics.performance._intervals import share_of
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import NEGATIVE, NO, ScoreTable


@metric(unit="share", bounds=(0.0, 1.0), better="higher", tolerance=0.05)
def specificity(current: ScoreTable | ClassTables, *, average: Average = "macro") -> Outcome | Outcomes:
    r"""Measure which share of the negatives was predicted negative (true negative rate).

    .. math:: \mathrm{specificity} = \frac{\mathrm{TN}}{\mathrm{TN} + \mathrm{FP}}

    From 0 to 1 (best). A prediction that is no class does not leave alone. `n` is the number of predictions with a
    negative label, and the interval is Wilson's.
    Undefined with no labelled prediction, and where no label is negative. A change of 0.05 is material by default.

    For several classes it is the mean over the classes, where the rows of all other classes are the negatives:
    `macro` weighs the classes alike, `weighted` by their labelled rows; a class to which all labelled rows
    belong is left out. `n` is then the number of labelled predictions, and the variance that of the delta method on the
    whole confusion table, with Wilson's interval for as many rows as have it.

    >>> table = ScoreTable.empty([0.5])
    >>> table.counts[0, 0] = (70, 10, 3, 0)  # predicted no, low score: negative, positive, pending
    >>> table.counts[1, 1] = (5, 15, 0, 0)  # predicted yes, high score
    >>> specificity(table)
    Estimate(value=0.933..., n=75, lower=0.853..., upper=0.971..., ...)

    .. [1] J. Yerushalmy, "Statistical problems in assessing methods of medical diagnosis", Public Health
       Reports 62, 1947.
    """
    if isinstance(current, ClassTables):
        return ratio_of_classes(current.confusion, average, numerator=(1, -1, -1, 1), denominator=(0, 0, -1, 1))
    true_negative, negative = current.said[..., NO, NEGATIVE], current.said[..., NEGATIVE].sum(axis=-1)
    none = (np.equal(negative, 0), "only positive labels: specificity needs negative ones")
    return share_of(true_negative, negative, [*nothing_labelled(current), none])
