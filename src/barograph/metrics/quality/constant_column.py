"""Whether a column has only one value."""

from __future__ import annotations

import numpy as np

from barograph.metrics import metric
from barograph.metrics.broken import Broken
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.histogram import Binned, Histogram


@metric(unit="", bounds=(0.0, 1.0), better="lower", breaks=Broken.CONSTANT)
def constant_column(current: Binned) -> Outcome | Outcomes:
    """Say whether all present values are the same: 1 if they are, 0 if there are at least two.

    Missing and infinite values do not count. Fewer than two rows are undefined, and so are rows that are all of
    categories which are not counted one by one. There is no interval.

    >>> constant_column(Histogram(edges=(0, 10), counts=(0, 50, 0), minimum=4.0, maximum=4.0)).value
    1.0
    """
    n = current.counts.sum(axis=-1)
    undefined = [(n == 0, "current has no rows"), (n < 2, "current has fewer than two rows")]
    if isinstance(current, Histogram):
        return outcome(np.equal(current.minimum, current.maximum), n=n, undefined=undefined)
    uncounted = (n > 0) & (current.counts[..., -2:].max(axis=-1) == n)
    undefined.append((uncounted, "all rows have categories that are not counted one by one"))
    return outcome(current.counts.max(axis=-1) == n, n=n, undefined=undefined)
