"""Mean squared error."""

from __future__ import annotations

from math import inf

from barograph.metrics import metric
from barograph.metrics.performance._intervals import mean_loss
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.cells import RegressionCells


@metric(unit="label²", bounds=(0.0, inf), better="lower", relative_tolerance=0.2, title="MSE")
def mse(current: RegressionCells) -> Outcome | Outcomes:
    r"""Measure the mean squared difference between prediction and label.

    .. math:: \mathrm{MSE} = \frac1n \sum_i (p_i - y_i)^2

    In the label's unit squared; 0 is best. `n` is the number of rows with a prediction and a label; undefined with
    none. One row, or errors of one size, give no interval. The interval is Student's on the scale of the logarithm,
    with the variance of the squared errors from the sum of fourth powers. A few huge errors make both value and
    interval unsteady: where the fourth moment hardly exists, the interval covers less often than 95 %.
    A change of 20 % of the reference value is material by default (10 % in `rmse`).

    >>> cells = RegressionCells.empty([], leaves=1)
    >>> cells.counts[0, 0, 0] = 4  # labelled rows
    >>> cells.sums[0, 0, :4] = (2, 6, 14, 98)  # sums of e, |e|, e² and e⁴ for the errors 1, -2, 0, 3
    >>> mse(cells).value
    3.5

    .. [1] E. L. Lehmann, G. Casella, "Theory of Point Estimation", 2nd edition, chapter 1, 1998.
    """
    sums = current.total("squared_error"), current.total("fourth_power_error")
    return mean_loss(current.n, *sums, nothing_labelled(current))
