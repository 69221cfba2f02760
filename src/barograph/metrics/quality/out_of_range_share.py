"""Share of numbers outside the reference's range."""

from __future__ import annotations

from barograph.arrays import Number
from barograph.metrics import metric
from barograph.metrics.broken import Broken
from barograph.metrics.quality._shares import share_of_present
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.counts import Counts


def _outside(counts: Counts) -> tuple[Number, Number]:
    return counts.below + counts.above + counts.negative_inf + counts.positive_inf, counts.present


@metric(
    unit="share",
    bounds=(0.0, 1.0),
    better="lower",
    tolerance=0.02,
    rule="share",
    part=_outside,
    title="out-of-range share",
    breaks=Broken.OUT_OF_RANGE,
)
def out_of_range_share(current: Counts) -> Outcome | Outcomes:
    """Measure the share of present numbers below or above the reference's range: (below + above + ±inf) / present.

    Categorical columns have none. With nothing changed, a row lies beyond the smallest or the largest of `m` reference
    values with a probability of about 2 / `m`. The interval is Wilson's for independent rows. No present values are
    undefined.

    >>> out_of_range_share(Counts(rows=100, nan=20, below=1, above=2, positive_inf=1)).value
    0.05
    """
    return share_of_present(*_outside(current), current.rows)
