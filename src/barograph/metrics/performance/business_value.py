"""Business value: what a prediction earns or costs in the mean."""

from __future__ import annotations

from math import inf, isfinite

import numpy as np

from barograph.errors import SpecError
from barograph.metrics import metric
from barograph.metrics.intervals import wilson
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes, outcome
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
def business_value(current: ScoreTable, *, values: tuple[float, float, float, float]) -> Outcome | Outcomes:
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
    counts = np.swapaxes(current.confusion, -2, -1).reshape(*current.confusion.shape[:-2], 4)  # TN, FP, FN, TP
    n = counts.sum(axis=-1)
    nothing = (
        np.equal(n, 0) & np.greater(current.n, 0),
        "no labelled prediction is of a class that has a value",
    )
    rows = np.maximum(n, 1)[..., None]
    v = np.asarray(values, np.float64)
    shares = counts / rows
    value = (v * counts).sum(axis=-1) / rows[..., 0]

    # Relative to the most frequent cell, which drops out: adding a constant to all values only shifts the interval.
    relative = v - v[np.argmax(counts, axis=-1)][..., None]
    bounds = relative * np.stack(wilson(shares, rows))
    odds = np.sqrt(shares / np.where(relative == 0, 1.0, np.where(shares == 1, 1.0, 1 - shares))) * np.sign(relative)
    correlation = np.eye(4) - odds[..., :, None] * odds[..., None, :] * (1 - np.eye(4))
    ends = relative * shares - bounds.min(axis=0), bounds.max(axis=0) - relative * shares
    below, above = (np.sqrt(np.maximum(0.0, np.einsum("...i,...ij,...j", x, correlation, x))) for x in ends)

    smoothed = (counts + 0.5) / (rows + 2)
    mean = (smoothed * v).sum(axis=-1, keepdims=True)
    variance = (smoothed * (v - mean) ** 2).sum(axis=-1) / rows[..., 0]
    return outcome(
        value,
        n=n,
        undefined=[nothing, *nothing_labelled(current)],
        standard_error=np.sqrt(variance),
        lower=value - below,
        upper=value + above,
    )
