"""Root mean squared logarithmic error."""

from __future__ import annotations

from math import inf

from barograph.metrics import metric
from barograph.metrics.performance._intervals import square_root
from barograph.metrics.performance.msle import msle
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.cells import RegressionCells


@metric(unit="", bounds=(0.0, inf), better="lower", tolerance=1e-4, relative_tolerance=0.10, title="RMSLE")
def rmsle(current: RegressionCells) -> Outcome | Outcomes:
    r"""Measure the typical difference between the logarithms of prediction and label.

    .. math:: \mathrm{RMSLE} = \sqrt{\tfrac1n \sum_i \big(\ln(1 + p_i) - \ln(1 + y_i)\big)^2}

    0 is best; 0.1 is about ten percent off, either way. `n`, the failure cases and the interval are those of `msle`, of
    which this is the root; the standard error is ``se(MSLE) / (2 RMSLE)``, the delta method. A change of 10 % of the
    reference value is material by default.

    >>> cells = RegressionCells.empty([], leaves=1)
    >>> cells.counts[0, 0, 0] = 2  # labelled rows
    >>> cells.sums[0, 0, 9:12] = (2, 0.05, 0.0017)  # both above -1; sums of squares and fourth powers for 0.1 and 0.2
    >>> rmsle(cells).value
    0.158...

    .. [1] A. W. van der Vaart, "Asymptotic Statistics", chapter 3, 1998 (the delta method).
    """
    return square_root(msle(current))
