"""Rates against a level that someone has promised: errors, time-outs, the burn of a service-level objective."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.errors import SpecError
from barograph.rules import Context, Feed, Setting, rule
from barograph.rules import settings as read
from barograph.rules.baseline import Baseline
from barograph.rules.share import ABOVE, Share


def rate(allowed: npt.ArrayLike, *, sizes: Floats, chunk_rows: npt.ArrayLike, excess: npt.ArrayLike = 0.0) -> Share:
    """Watch whether a share of rows is above the level `allowed`, (monitors,), that was stated and not measured.

    With `excess=0` rows count as independent; :attr:`Baseline.excess` of the reference allows for dependence.
    `chunk_rows` is the typical number of rows of a chunk. The evidence works at every volume: at ten requests an hour
    it takes longer.

    >>> from barograph.rules.bets import bet_sizes
    >>> rule = rate(0.0144, sizes=bet_sizes(1000, longest=24), chunk_rows=10)
    >>> bool(rule.log_e([[1]], [10]).max() < np.log(1000))  # one failure in ten requests is no alarm yet
    True
    """
    level = np.atleast_1d(np.asarray(allowed, np.float64))
    if not np.all((level > 0) & (level < 1)):
        raise SpecError(f"`allowed` is a share of the rows, above 0 and below 1. Got {allowed!r}.")
    bound = level[None, :, None]
    unbounded = _per_monitor(np.inf, level)
    baseline = Baseline(
        bound, np.zeros_like(bound), bound, _per_monitor(excess, level), _per_monitor(chunk_rows, level), unbounded
    )
    return Share.build(baseline, tolerance=0.0, sides=ABOVE, sizes=sizes)


@rule(
    takes="parts",
    unit=" of the rows",
    useful=0.5,
    learns=False,
    options={"allowed": Setting(read=read.share, meaning="the share of rows that was promised as the most")},
)
def learn(reference: Feed, context: Context) -> Share:
    """Return the rule for the stated level; the reference's rows say nothing of it."""
    allowed = np.full(len(context.arl), context.options["allowed"])
    return rate(allowed, sizes=context.sizes, chunk_rows=context.rows)


def _per_monitor(value: npt.ArrayLike, like: Floats) -> Floats:
    return np.broadcast_to(np.asarray(value, np.float64), like.shape)
