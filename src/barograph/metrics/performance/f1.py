"""F1: precision and recall in one number."""

from __future__ import annotations

from typing import Any  # one share, or many

import numpy as np

from barograph.metrics import metric
from barograph.metrics.performance._averages import Average
from barograph.metrics.performance._confusion import ratio_of_classes
from barograph.metrics.performance._intervals import share_of
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import POSITIVE, YES, ScoreTable
from barograph.tasks import Task


@metric(
    unit="",
    bounds=(0.0, 1.0),
    better="higher",
    tolerance=0.05,
    follows_prevalence=True,
    title="F1",
    alerts=(Task.BINARY, Task.MULTICLASS),
    rank=4,
)
def f1(current: ScoreTable | ClassTables, *, average: Average = "macro") -> Outcome | Outcomes:
    r"""Measure the harmonic mean of precision and recall.

    .. math:: F_1 = \frac{2\,\mathrm{TP}}{2\,\mathrm{TP} + \mathrm{FP} + \mathrm{FN}} = \frac{2 J}{1 + J}, \qquad
       J = \frac{\mathrm{TP}}{\mathrm{TP} + \mathrm{FP} + \mathrm{FN}}

    From 0 to 1 (best). Given how many rows are positive by prediction or label, TP is binomial with share J (the
    index of Jaccard), so the interval is Wilson's for J, carried over; the standard error is ``2 / (1 + J)²`` times
    that of J, which is the delta method. `n` is the number of labelled predictions. Undefined with none, and where no
    prediction and no label is positive. A change of 0.05 is material by default.

    For several classes it is the mean over the classes: `macro` weighs them alike, `weighted` by their labelled rows;
    a class that is neither predicted nor true is left out. The variance is then that of the delta method
    on the whole confusion table [1]_, with Wilson's interval for as many rows as have it.

    >>> table = ScoreTable.empty([0.5])
    >>> table.counts[0, 0] = (70, 10, 3, 0)  # predicted no, low score: negative, positive, pending
    >>> table.counts[1, 1] = (5, 15, 0, 0)  # predicted yes, high score
    >>> f1(table)
    Estimate(value=0.666..., n=100, lower=0.497..., upper=0.801..., ...)

    .. [1] K. Takahashi et al., "Confidence interval for micro-averaged F1 and macro-averaged F1 scores", Applied
       Intelligence 52, 2022.
    """
    if isinstance(current, ClassTables):
        return ratio_of_classes(current.confusion, average, numerator=(2, 0, 0, 0), denominator=(0, 1, 1, 0))
    said = current.said
    true_positive = said[..., YES, POSITIVE]
    some_positive = said[..., YES, :].sum(axis=-1) + said[..., POSITIVE].sum(axis=-1) - true_positive
    none = (np.equal(some_positive, 0), "no prediction and no label is positive")
    jaccard: Any = share_of(true_positive, np.maximum(some_positive, 1))
    return outcome(
        2 * true_positive / np.maximum(some_positive + true_positive, 1),
        n=current.n,
        undefined=[*nothing_labelled(current), none],
        standard_error=2 / (1 + jaccard.value) ** 2 * jaccard.standard_error,
        lower=2 * jaccard.lower / (1 + jaccard.lower),
        upper=2 * jaccard.upper / (1 + jaccard.upper),
    )
