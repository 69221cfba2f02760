"""Share of values of a wrong type."""

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
    tolerance=0.0,
    rule="share",
    part=lambda c: (c.type_errors, c.rows),
    of_labels=True,
    breaks=Broken.TYPE_ERRORS,
)
def type_error_share(current: Counts) -> Outcome | Outcomes:
    """Measure the share of rows whose value cannot be read as the column's type: type errors / rows.

    A text in a numeric column, say. Missing values are no type errors. The interval is Wilson's for independent rows.
    No rows are undefined.

    >>> type_error_share(Counts(rows=100, null=3, type_errors=2)).value
    0.02
    """
    return share(current.type_errors, current.rows)
