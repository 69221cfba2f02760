"""Business value: what a prediction earns or costs in the mean."""

from __future__ import annotations

from math import inf, isfinite, sqrt

import numpy as np

from barograph.errors import SpecError
from barograph.metrics import metric
from barograph.metrics.intervals import wilson
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.scores import ScoreTable
from barograph.tasks import Task


@metric(
    unit="value per prediction",
    bounds=(-inf, inf),
    better="higher",
    relative_tolerance=0.10,
    alerts=(Task.BINARY,),
    rank=3,
)
def business_value(current: ScoreTable, *, values: tuple[float, float, float, float]) -> Outcome:
    r"""Measure the mean value of a labelled prediction, from what each kind of hit and mistake is worth.

    .. math:: V = \frac1n (v_{TN}\,\mathrm{TN} + v_{FP}\,\mathrm{FP} + v_{FN}\,\mathrm{FN} + v_{TP}\,\mathrm{TP})

    `values` are :math:`v_{TN}, v_{FP}, v_{FN}, v_{TP}` in this order and in any unit (costs below zero); they must be
    said, as nobody else can know them. `n` is the number of rows with a prediction and a label of the two classes: what
    is of neither class has no value that anybody has said. Undefined with none.
    Higher is better. A change of 10 % of the reference value is material by default.

    The interval joins Wilson's intervals of the four shares (MOVER [1]_): unlike a symmetric one it still covers when a
    costly mistake is rare. The standard error is that of the four counts with half a row added to each.

    >>> table = ScoreTable.empty([0.5])
    >>> table.counts[0, 0] = (70, 10, 3, 0)  # predicted no, low score: negative, positive, pending
    >>> table.counts[1, 1] = (5, 15, 0, 0)  # predicted yes, high score
    >>> business_value(table, values=(0, -1, -20, 8))
    Estimate(value=-0.85, n=100, lower=-2.4..., upper=0.3..., ...)

    .. [1] G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures: a general approach",
       Statistics in Medicine 27, 2008.
    """
    if len(values) != 4 or not all(isfinite(v) for v in values):
        raise SpecError(f"values must be four finite numbers: of a TN, FP, FN and TP. Got {values!r} instead.")
    counts = current.confusion.T.ravel()  # TN, FP, FN, TP
    n = int(counts.sum())
    if not n:
        return (
            Undefined("no labelled prediction is of a class that has a value")
            if current.n
            else nothing_labelled(current)
        )
    v = np.asarray(values, np.float64)
    shares = counts / n
    value = float(v @ counts) / n

    # Relative to the most frequent cell, which drops out: adding a constant to all values only shifts the interval.
    relative = v - v[np.argmax(counts)]
    bounds = relative[:, None] * np.array([wilson(float(share), n) for share in shares])
    odds = np.sqrt(shares / np.where(relative == 0, 1.0, 1 - shares)) * np.sign(relative)
    correlation = np.eye(4) - np.outer(odds, odds) * (1 - np.eye(4))
    below = relative * shares - bounds.min(axis=1)
    above = bounds.max(axis=1) - relative * shares

    smoothed = (counts + 0.5) / (n + 2)
    variance = float(smoothed @ (v - smoothed @ v) ** 2) / n
    return Estimate(
        value=value,
        n=n,
        standard_error=sqrt(variance),
        lower=value - sqrt(max(0.0, float(below @ correlation @ below))),
        upper=value + sqrt(max(0.0, float(above @ correlation @ above))),
    )
