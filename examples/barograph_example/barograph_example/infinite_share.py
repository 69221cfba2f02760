"""Share of infinite numbers."""

from __future__ import annotations

from barograph.metrics import metric
from barograph.metrics.intervals import wilson
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.counts import Counts


@metric(unit="share", bounds=(0.0, 1.0), better="lower", tolerance=0.01, title="share of infinite numbers")
def infinite_share(current: Counts) -> Outcome:
    """Measure which share of the present values is infinite, of either sign; undefined without present values.

    >>> infinite_share(Counts(rows=100, null=20, positive_inf=3, negative_inf=1)).value
    0.05
    """
    present = int(current.present)
    if not present:
        return Undefined("current has no present values")
    share = int(current.positive_inf + current.negative_inf) / present
    lower, upper = wilson(share, present)
    return Estimate(value=share, n=present, lower=float(lower), upper=float(upper))
