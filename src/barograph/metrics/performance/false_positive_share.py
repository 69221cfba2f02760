"""False positive share: one cell of the confusion table."""

from __future__ import annotations

from barograph.metrics import metric
from barograph.metrics.performance._intervals import share_of
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.scores import ScoreTable


@metric(
    unit="share",
    bounds=(0.0, 1.0),
    better="lower",
    tolerance=0.02,
    rule="none",
    no_limits="a part of the confusion table; accuracy, precision and recall are judged",
)
def false_positive_share(current: ScoreTable) -> Outcome | Outcomes:
    r"""Measure which share of the labelled predictions was predicted positive but is negative (a false alarm).

    .. math:: \frac{\mathrm{FP}}{\mathrm{TN} + \mathrm{FP} + \mathrm{FN} + \mathrm{TP}}

    0 is best. Unlike 1 - specificity it counts all labelled rows below the line: what false alarms cost per prediction.
    `n` is the number of rows with a prediction and a label, so ``value * n`` is the count of the cell; undefined with
    no such row. From 0 to 1, with Wilson's interval [1]_. A change of 0.02 is material by default.

    >>> table = ScoreTable.empty([0.5])
    >>> table.counts[0, 0] = (70, 10, 3, 0)  # predicted no, low score: negative, positive, pending
    >>> table.counts[1, 1] = (5, 15, 0, 0)  # predicted yes, high score
    >>> false_positive_share(table)
    Estimate(value=0.05, n=100, lower=0.021..., upper=0.111..., ...)

    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    return share_of(current.confusion[..., 1, 0], current.n, nothing_labelled(current))
