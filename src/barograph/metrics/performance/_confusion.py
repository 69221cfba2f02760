"""Internal: ratios of the counts of a confusion table, with the delta method on all its cells at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Number
from barograph.metrics.performance._averages import Average, check_average
from barograph.metrics.performance._intervals import bounded_estimate
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Estimate, Outcome, Outcomes, Undefined, outcome
from barograph.sketches.confusion import Confusion

Terms = tuple[int, int, int, int]
PSEUDO_ROWS = 2.0  # spread over all cells before a variance is taken, so that a perfect table has one too


def ratio_of_classes(
    current: Confusion, average: Average, *, numerator: Terms, denominator: Terms
) -> Outcome | Outcomes:
    """Return the mean over the classes of a ratio of counts, with the delta method on the whole confusion table.

    Numerator and denominator are given by their whole-number coefficients of: rows of the class that are predicted so,
    rows predicted as the class, rows of the class, all rows. Classes with a zero denominator are left out. What is no
    class of the reference, as a prediction or as a label, is one class more.
    """
    check_average(average)
    n = current.n
    if not n:
        return outcome(np.nan, n=0, undefined=nothing_labelled(current))
    counts = current.square.astype(np.float64)
    over, under = np.array(numerator, np.float64), np.array(denominator, np.float64)
    defined = _terms(counts) @ under > 0
    defined[len(current.classes) :] &= (counts.sum(axis=0) + counts.sum(axis=1))[len(current.classes) :] > 0
    if average == "weighted":
        defined &= counts.sum(axis=0) > 0
    if not defined.any():
        return Undefined("no class has a row that counts")
    value, _ = _mean_ratio(counts, over, under, defined, average)
    smoothed = counts + PSEUDO_ROWS / counts.size
    centre, gradient = _mean_ratio(smoothed / smoothed.sum(), over, under, defined, average)
    variance = float(multinomial_variance(smoothed, gradient, n))
    if not variance:  # one class alone
        return Estimate(value=value, n=n)
    return bounded_estimate(value, n, variance=variance, effective=centre * (1 - centre) / variance, df=n)


def _terms(counts: Floats) -> Floats:
    """Return, for each class, the four counts that `ratio_of_classes` names."""
    total = np.full(len(counts), counts.sum())
    return np.stack((counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0), total), axis=1)


def _mean_ratio(
    counts: Floats, over: Floats, under: Floats, defined: npt.NDArray[np.bool_], average: Average
) -> tuple[float, Floats]:
    """Return the mean of the ratios of the defined classes, and its derivative by each cell of `counts`."""
    terms = _terms(counts)
    below = np.where(defined, terms @ under, 1.0)
    ratios = np.where(defined, terms @ over / below, 0.0)
    rows = np.where(defined, terms[:, 2] if average == "weighted" else 1.0, 0.0)
    value = float(rows @ ratios / rows.sum())
    # d ratio / d cell = (d numerator - ratio · d denominator) / denominator; "all rows" shifts all cells alike.
    each = (rows / rows.sum() / below)[:, None] * (over - ratios[:, None] * under)
    by_actual = each[:, 2]
    if average == "weighted":
        by_actual = by_actual + np.where(defined, ratios - value, 0.0) / rows.sum()
    return value, np.diag(each[:, 0]) + each[:, 1][:, None] + by_actual[None, :]


def multinomial_variance(counts: Floats, gradient: Floats, n: Number) -> Number:
    """Return the variance, by the delta method, of a function of the shares of `n` rows in the cells of a table."""
    shares = counts / counts.sum(axis=(-2, -1), keepdims=True)
    mean = (shares * gradient).sum(axis=(-2, -1))
    return np.maximum(0.0, (shares * gradient**2).sum(axis=(-2, -1)) - mean * mean) / n
