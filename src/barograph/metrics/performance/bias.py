"""Bias: whether predictions are too high or too low on average."""

from __future__ import annotations

from math import inf

from barograph.metrics import metric
from barograph.metrics.performance._intervals import mean_of_rows
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.cells import RegressionCells


@metric(unit="label", bounds=(-inf, inf), better="zero")
def bias(current: RegressionCells) -> Outcome | Outcomes:
    r"""Measure by how much predictions exceed labels on average, in the label's unit.

    .. math:: \mathrm{bias} = \frac1n \sum_i (p_i - y_i)

    0 is best; above, predictions are too high. `n` is the number of rows with a prediction and a label; undefined with
    none. One row, or errors that are all equal, give no interval; otherwise it is Student's.

    No change is material by default in the label's unit, which may be anything, nor as a share of a reference bias that
    should be 0: a rule judges the bias in units of the reference's mean absolute error.

    >>> cells = RegressionCells.empty([], leaves=1)
    >>> cells.counts[0, 0, 0] = 4  # labelled rows
    >>> cells.sums[0, 0, :3] = (2, 6, 14)  # sums of e, |e| and e² for the errors 1, -2, 0, 3
    >>> bias(cells)
    Estimate(value=0.5, n=4, lower=-2.81..., upper=3.81..., ...)

    .. [1] Student, "The probable error of a mean", Biometrika 6, 1908.
    """
    sums = current.total("error"), current.total("squared_error")
    return mean_of_rows(current.n, *sums, nothing_labelled(current))
