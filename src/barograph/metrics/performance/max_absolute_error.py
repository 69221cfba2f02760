"""Maximum absolute error: the worst prediction."""

from __future__ import annotations

from math import inf

from barograph.metrics import metric
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.histogram import Histogram


@metric(
    unit="label",
    bounds=(0.0, inf),
    better="lower",
    relative_tolerance=0.10,
    no_limits="it grows with the number of rows",
)
def max_absolute_error(current: Histogram) -> Outcome:
    r"""Measure the largest distance of a prediction from its label, in the label's unit.

    .. math:: \max_i |p_i - y_i|

    `current` holds the errors, prediction less label. 0 is best. The value is exact. It grows with the number of rows,
    so chunks of different size cannot be compared by it: it is shown and has no limits. `n` is the number of errors;
    undefined with none. There is no interval: how far the next error goes, those before it do not tell.

    >>> max_absolute_error(Histogram((-1, 0, 1), (10, 40, 40, 10), minimum=-3, maximum=2))
    Estimate(value=3.0, n=100, lower=None, upper=None, ...)

    .. [1] S. Coles, "An Introduction to Statistical Modeling of Extreme Values", chapter 3, 2001.
    """
    if not current.n:
        return Undefined("no row has both a prediction and a label")
    return Estimate(value=float(max(abs(current.minimum), abs(current.maximum))), n=current.n)
