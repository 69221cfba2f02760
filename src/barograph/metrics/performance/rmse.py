"""Root mean squared error."""

from __future__ import annotations

from math import inf

from barograph.metrics import metric
from barograph.metrics.performance._intervals import square_root
from barograph.metrics.performance.mse import mse
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.cells import RegressionCells
from barograph.tasks import Task


@metric(
    unit="label",
    bounds=(0.0, inf),
    better="lower",
    relative_tolerance=0.10,
    title="RMSE",
    alerts=(Task.REGRESSION,),
    rank=2,
)
def rmse(current: RegressionCells) -> Outcome | Outcomes:
    r"""Measure the typical difference between prediction and label, with large ones weighing more.

    .. math:: \mathrm{RMSE} = \sqrt{\tfrac1n \sum_i (p_i - y_i)^2}

    In the label's unit; 0 is best. `n`, the failure cases and the interval are those of `mse`, of which this is the
    root; the standard error is ``se(MSE) / (2 RMSE)``, the delta method. A change of 10 % of the reference value is
    material by default.

    >>> cells = RegressionCells.empty([], leaves=1)
    >>> cells.counts[0, 0, 0] = 4  # labelled rows
    >>> cells.sums[0, 0, :4] = (2, 6, 14, 98)  # sums of e, |e|, e² and e⁴ for the errors 1, -2, 0, 3
    >>> rmse(cells).value
    1.870...

    .. [1] A. W. van der Vaart, "Asymptotic Statistics", chapter 3, 1998 (the delta method).
    """
    return square_root(mse(current))
