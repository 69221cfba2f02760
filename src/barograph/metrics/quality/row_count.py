"""Number of rows."""

from __future__ import annotations

from math import inf

from barograph.metrics import metric
from barograph.metrics.broken import Broken
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.counts import Counts


@metric(
    unit="rows", bounds=(0.0, inf), better="neither", relative_tolerance=0.5, counts_rows=True, breaks=Broken.NO_ROWS
)
def row_count(current: Counts) -> Outcome | Outcomes:
    """Count the rows.

    No rows are a count of zero, never undefined: that nothing came is what this metric is for. There is no interval,
    because the rows are all there; how many there should be depends on the time of day and week.

    >>> row_count(Counts(rows=1200, null=3)).value
    1200.0
    """
    return outcome(current.rows, n=current.rows)
