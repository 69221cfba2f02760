"""Mean squared logarithmic error."""

from __future__ import annotations

from math import inf

import numpy as np

from barograph.metrics import metric
from barograph.metrics.performance._intervals import mean_loss
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.cells import RegressionCells


@metric(unit="", bounds=(0.0, inf), better="lower", tolerance=1e-8, relative_tolerance=0.2, title="MSLE")
def msle(current: RegressionCells) -> Outcome | Outcomes:
    r"""Measure the mean squared difference between the logarithms of prediction and label.

    .. math:: \mathrm{MSLE} = \frac1n \sum_i \big(\ln(1 + p_i) - \ln(1 + y_i)\big)^2

    For counts and amounts, where being wrong by a factor matters; 0 is best. `n` is the number of rows with a
    prediction and a label. Undefined with none, and when one of them is -1 or less: to leave such rows out would
    flatter the model. One row, or squares that are all equal, give no interval. The interval is Student's on the
    scale of the logarithm. A change of 20 % of the reference value is material by default (10 % in `rmsle`).

    >>> cells = RegressionCells.empty([], leaves=1)
    >>> cells.counts[0, 0, 0] = 2  # labelled rows
    >>> cells.sums[0, 0, 9:12] = (2, 0.05, 0.0017)  # both above -1; sums of squares and fourth powers for 0.1 and 0.2
    >>> msle(cells).value
    0.025

    .. [1] C. Tofallis, "A better measure of relative prediction accuracy for model selection and model
       estimation", Journal of the Operational Research Society 66, 2015.
    """
    n, usable = np.asarray(current.n), np.rint(current.total("log_rows")).astype(np.int64)
    reasons = nothing_labelled(current)
    for outside, of in {*zip(np.ravel(n - usable).tolist(), np.ravel(n).tolist(), strict=True)}:
        if outside:
            why = f"{outside} of {of} rows have a prediction or label of -1 or less, which has no ln(1 + x)"
            reasons.append(((n - usable == outside) & (n == of), why))
    sums = current.total("squared_log_error"), current.total("fourth_power_log_error")
    return mean_loss(current.n, *sums, reasons)
