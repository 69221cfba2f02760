"""Coefficient of determination."""

from __future__ import annotations

from math import exp, inf, sqrt

import numpy as np

from barograph.metrics import metric
from barograph.metrics.performance._intervals import CONSTANT, t_quantile
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.cells import REGRESSION_SUMS, RegressionCells

SUMS = [REGRESSION_SUMS.index(name) for name in ("error", "squared_error", "fourth_power_error", "label")]
SQUARED_LABEL = REGRESSION_SUMS.index("squared_label")


@metric(unit="", bounds=(-inf, 1.0), better="higher", tolerance=0.05, title="R²")
def r2(current: RegressionCells) -> Outcome:
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
    n = current.n
    if n < 2:
        return Undefined("R² needs two rows with a label, there is one") if n else nothing_labelled(current)
    filled = current.counts[:, :, 0] > 0
    rows = current.counts[:, :, 0][filled].astype(np.float64)
    sums = current.sums[filled]
    e, e2, e4, y = sums[:, SUMS].T / rows
    y2 = sums[:, SQUARED_LABEL] / rows
    share = rows / n
    mean = float(share @ y)
    squared_error, squared_label = float(share @ e2), float(share @ y2)
    variance = squared_label - mean * mean
    if variance <= CONSTANT * squared_label:
        return Undefined("the labels are constant: there is no variance to explain")
    ratio = squared_error / variance

    between = e2 - ratio * (y2 - 2 * mean * y + mean * mean)
    of_e = np.maximum(e2 - e**2, 0)
    of_p = np.maximum(y2 - y**2 - of_e, 0)
    slope = 2 * ratio * (y + e - mean)  # y + e is the mean prediction of the cell
    within = (1 - ratio) ** 2 * np.maximum(e4 - e2**2, 0) + slope * (slope + 4 * (1 - ratio) * e) * of_e
    within += 4 * ratio**2 * of_p * ((y - mean) ** 2 + of_e)
    spread = float(share @ (between**2 + np.maximum(within, 0)))
    if not ratio or spread <= CONSTANT * variance**2:
        return Estimate(value=1 - ratio, n=n)
    error = sqrt(spread / (n - 1)) / variance
    factor = exp(min(t_quantile(n - 1) * error / ratio, 700.0))
    return Estimate(value=1 - ratio, n=n, standard_error=error, lower=1 - ratio * factor, upper=1 - ratio / factor)
