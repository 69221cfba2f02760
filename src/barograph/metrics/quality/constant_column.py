"""Whether a column has only one value."""

from __future__ import annotations

from barograph.metrics import metric
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.histogram import Binned, Histogram


@metric(unit="", bounds=(0.0, 1.0), better="lower")
def constant_column(current: Binned) -> Outcome:
    """Say whether all present values are the same: 1 if they are, 0 if there are at least two.

    Missing and infinite values do not count. Fewer than two rows are undefined, and so are rows that are all of
    categories which are not counted one by one. There is no interval.

    >>> constant_column(Histogram(edges=(0, 10), counts=(0, 50, 0), minimum=4.0, maximum=4.0)).value
    1.0
    """
    n = current.n
    if n < 2:
        return Undefined("current has fewer than two rows" if n else "current has no rows")
    if isinstance(current, Histogram):
        return Estimate(value=float(current.minimum == current.maximum), n=n)
    if int(current.counts[-2:].max()) == n:
        return Undefined("all rows have categories that are not counted one by one")
    return Estimate(value=float(int(current.counts.max()) == n), n=n)
