"""Mean absolute percentage error."""

from __future__ import annotations

from math import inf

import numpy as np

from barograph.metrics import metric
from barograph.metrics.performance._intervals import mean_loss
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.cells import RegressionCells


@metric(unit="ratio", bounds=(0.0, inf), better="lower", tolerance=1e-4, relative_tolerance=0.10, title="MAPE")
def mape(current: RegressionCells) -> Outcome | Outcomes:
    r"""Measure how large errors are beside the labels, on average: 0.1 for ten percent.

    .. math:: \mathrm{MAPE} = \frac1n \sum_{i: y_i \ne 0} \Big|\frac{p_i - y_i}{y_i}\Big|

    A ratio, not a percentage; 0 is best. Rows whose label is 0 have no such ratio and are left out: `n` is the number
    of rows with a prediction and a label other than 0. Undefined with none. One row, or ratios that are all equal,
    give no interval. Labels close to 0 dominate the mean; then look at `mae`. The interval is Student's on the scale of
    the logarithm. A change of 10 % of the reference value is material by default.

    >>> cells = RegressionCells.empty([], leaves=1)
    >>> cells.counts[0, 0, 0] = 3  # labelled rows
    >>> cells.sums[0, 0, 6:9] = (2, 0.3, 0.05)  # two labels are not 0; sums of |e / y| and its square for 0.1 and 0.2
    >>> mape(cells)
    Estimate(value=0.15, n=2, ...)

    .. [1] R. J. Hyndman, A. B. Koehler, "Another look at measures of forecast accuracy", International Journal of
       Forecasting 22, 2006.
    """
    n = np.rint(current.total("percentage_rows")).astype(np.int64)
    none = (np.equal(n, 0), "all labels are 0: an error has no size relative to 0")
    sums = current.total("percentage_error"), current.total("squared_percentage_error")
    return mean_loss(n, *sums, [*nothing_labelled(current), none])
