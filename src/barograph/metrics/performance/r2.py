"""Coefficient of determination."""

from __future__ import annotations

from math import inf

import numpy as np

from barograph.metrics import metric
from barograph.metrics.performance._intervals import CONSTANT, t_quantile
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.cells import REGRESSION_SUMS, RegressionCells

SUMS = [
    REGRESSION_SUMS.index(name) for name in ("error", "squared_error", "fourth_power_error", "label", "squared_label")
]


@metric(unit="", bounds=(-inf, 1.0), better="higher", tolerance=0.05, title="R²")
def r2(current: RegressionCells) -> Outcome | Outcomes:
    r"""Measure which share of the variance of the labels the predictions explain.

    .. math:: R^2 = 1 - \frac{\sum_i (p_i - y_i)^2}{\sum_i (y_i - \bar y)^2}

    1 is best; 0 is what the mean label as the only prediction gives; below 0 is worse than that. It falls when the
    labels of a chunk vary less, with the errors unchanged: look at `mae` and `rmse` as well. `n` is the number of rows
    with a prediction and a label. Undefined with none, with one, and where the labels are constant (their variance is
    below 1e-12 of their mean squared distance from the reference's mean label). A change of 0.05 is material by
    default.

    The standard error is that of the delta method for the ratio ``r = 1 - R²``, whose influence is
    :math:`(e^2 - r (y - \bar y)^2) / \mathrm{var}(y)`. Its variance between the cells (leaf × prediction bin) is exact.
    Within a cell, where y = p - e, errors and predictions are taken as independent and without skewness, the
    predictions with what variance the labels have beyond the errors; with wide cells that is rough. The interval is
    Student's for ln r.

    >>> cells = RegressionCells.empty([], leaves=1)
    >>> cells.counts[0, 0, 0] = 4  # labelled rows
    >>> cells.sums[0, 0, :6] = (0, 2, 1, 0.25, 10, 30)  # e = ±0.5, labels 1 to 4: sums of e, |e|, e², e⁴, y, y²
    >>> r2(cells).value
    0.8

    .. [1] A. W. van der Vaart, "Asymptotic Statistics", chapter 3, 1998 (the delta method).
    """
    n = np.asarray(current.n)
    known = np.maximum(n, 2)
    rows = current.counts[..., 0].astype(np.float64)
    e, e2, e4, y, y2 = (current.sums[..., i] / np.maximum(rows, 1) for i in SUMS)
    share = rows / known[..., None, None]
    mean = (share * y).sum(axis=(-2, -1))
    squared_error, squared_label = (share * e2).sum(axis=(-2, -1)), (share * y2).sum(axis=(-2, -1))
    variance = squared_label - mean * mean
    constant = variance <= CONSTANT * squared_label
    variance = np.where(constant, 1.0, variance)
    ratio = squared_error / variance

    m, r = mean[..., None, None], ratio[..., None, None]
    between = e2 - r * (y2 - 2 * m * y + m * m)
    of_e = np.maximum(e2 - e**2, 0)
    of_p = np.maximum(y2 - y**2 - of_e, 0)
    slope = 2 * r * (y + e - m)  # y + e is the mean prediction of the cell
    within = (1 - r) ** 2 * np.maximum(e4 - e2**2, 0) + slope * (slope + 4 * (1 - r) * e) * of_e
    within += 4 * r**2 * of_p * ((y - m) ** 2 + of_e)
    spread = (share * (between**2 + np.maximum(within, 0))).sum(axis=(-2, -1))
    alike = (ratio == 0) | (spread <= CONSTANT * variance**2)
    error = np.where(alike, np.nan, np.sqrt(spread / (known - 1)) / variance)
    factor = np.exp(np.minimum(t_quantile(known - 1) * error / np.where(alike, 1.0, ratio), 700.0))
    few = (n == 1, "R² needs two rows with a label, there is one")
    nothing = (constant, "the labels are constant: there is no variance to explain")
    return outcome(
        1 - ratio,
        n=n,
        undefined=[*nothing_labelled(current), few, nothing],
        standard_error=error,
        lower=1 - ratio * factor,
        upper=1 - ratio / factor,
    )
