"""Share of missing values."""

from __future__ import annotations

from barograph.metrics import metric
from barograph.metrics.broken import Broken
from barograph.metrics.quality._shares import share
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.counts import Counts


@metric(
    unit="share",
    bounds=(0.0, 1.0),
    better="lower",
    tolerance=0.02,
    rule="share",
    part=lambda c: (c.missing, c.rows),
    breaks=Broken.MISSING,
)
def missing_share(current: Counts) -> Outcome | Outcomes:
    """Measure the share of rows in which the column is null or NaN: (null + NaN) / rows.

    The interval is Wilson's for independent rows. No rows are undefined.

    >>> missing_share(Counts(rows=100, null=3, nan=2)).value
    0.05
    """
    return share(current.missing, current.rows)
