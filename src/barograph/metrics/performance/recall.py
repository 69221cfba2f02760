"""Recall: the share of positives that are found."""

from __future__ import annotations

import numpy as np

from barograph.metrics import metric
from barograph.metrics.performance._averages import Average
from barograph.metrics.performance._confusion import ratio_of_classes
from barograph.metrics.performance._intervals import share_of
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import POSITIVE, YES, ScoreTable


@metric(unit="share", bounds=(0.0, 1.0), better="higher", tolerance=0.05)
def recall(current: ScoreTable | ClassTables, *, average: Average = "macro") -> Outcome | Outcomes:
    r"""Measure which share of the positives was predicted positive (sensitivity, true positive rate).

    .. math:: \mathrm{recall} = \frac{\mathrm{TP}}{\mathrm{TP} + \mathrm{FN}}

    From 0 to 1 (best). A prediction that is no class finds nothing. `n` is the number of predictions with a positive
    label, and the interval is Wilson's.
    Undefined with no labelled prediction, and where no label is positive. A change of 0.05 is material by default.

    For several classes it is the mean over the classes: `macro` weighs them alike (this is the balanced accuracy),
    `weighted` by their labelled rows (this is the accuracy); a class without labelled rows is left out. `n` is
    then the number of labelled predictions, and the variance that of the delta method on the whole confusion table,
    with Wilson's interval for as many rows as have it.

    >>> table = ScoreTable.empty([0.5])
    >>> table.counts[0, 0] = (70, 10, 3, 0)  # predicted no, low score: negative, positive, pending
    >>> table.counts[1, 1] = (5, 15, 0, 0)  # predicted yes, high score
    >>> recall(table)
    Estimate(value=0.6, n=25, lower=0.407..., upper=0.765..., ...)

    .. [1] C. J. van Rijsbergen, "Information Retrieval", 2nd edition, chapter 7, 1979.
    """
    if isinstance(current, ClassTables):
        return ratio_of_classes(current.confusion, average, numerator=(1, 0, 0, 0), denominator=(0, 0, 1, 0))
    true_positive, positive = current.said[..., YES, POSITIVE], current.said[..., POSITIVE].sum(axis=-1)
    none = (np.equal(positive, 0), "only negative labels: recall needs positive ones")
    return share_of(true_positive, positive, [*nothing_labelled(current), none])
