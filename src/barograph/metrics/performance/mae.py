"""Mean absolute error."""

from __future__ import annotations

from math import inf

from barograph.metrics import metric
from barograph.metrics.performance._intervals import mean_loss
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.cells import RegressionCells
from barograph.tasks import Task


@metric(
    unit="label",
    bounds=(0.0, inf),
    better="lower",
    relative_tolerance=0.10,
    title="MAE",
    alerts=(Task.REGRESSION,),
    harm_in=(Task.REGRESSION,),
    rank=1,
)
def mae(current: RegressionCells) -> Outcome | Outcomes:
    r"""Measure how far predictions are from labels, on average and in the label's unit.

    .. math:: \mathrm{MAE} = \frac1n \sum_i |p_i - y_i|

    0 is best. `n` is the number of rows with a prediction and a label; undefined with none. One row, or errors of one
    size, give no interval. The interval is Student's on the scale of the logarithm, with the variance of the
    absolute errors from the sum of squared errors. A change of 10 % of the reference value is material by default.

    >>> cells = RegressionCells.empty([], leaves=1)
    >>> cells.counts[0, 0, 0] = 4  # labelled rows
    >>> cells.sums[0, 0, :3] = (2, 6, 14)  # sums of e, |e| and e² for the errors 1, -2, 0, 3
    >>> mae(cells)
    Estimate(value=1.5, n=4, lower=0.38..., upper=5.90..., ...)

    .. [1] C. J. Willmott, K. Matsuura, "Advantages of the mean absolute error (MAE) over the root mean square error
       (RMSE) in assessing average model performance", Climate Research 30, 2005.
    """
    sums = current.total("absolute_error"), current.total("squared_error")
    return mean_loss(current.n, *sums, nothing_labelled(current))
