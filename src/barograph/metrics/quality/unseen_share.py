"""Share of categories that the reference does not have."""

from __future__ import annotations

from barograph.metrics import metric
from barograph.metrics.broken import Broken
from barograph.metrics.quality._shares import share_of_present
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.counts import Counts


@metric(
    unit="share",
    bounds=(0.0, 1.0),
    better="lower",
    tolerance=0.02,
    rule="share",
    part=lambda c: (c.unseen, c.present),
    of_labels=True,
    breaks=Broken.UNSEEN,
)
def unseen_share(current: Counts) -> Outcome | Outcomes:
    """Measure the share of present values that are categories unknown to the reference: unseen / present.

    Numeric columns have none. The interval is Wilson's for independent rows. No present values are undefined.

    >>> unseen_share(Counts(rows=100, null=20, other=5, unseen=4)).value
    0.05
    """
    return share_of_present(current.unseen, current.present, current.rows)
