"""Rates against a level that someone has promised: errors, time-outs, the burn of a service-level objective."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barograph.errors import SpecError
from barograph.rules.baseline import Baseline
from barograph.rules.bets import Floats
from barograph.rules.share import ABOVE, Share

BURNS = ((14.4, 1.0), (6.0, 6.0), (1.0, 72.0))
"""How many times too fast, over how many hours: page, page, ticket (B. Beyer et al., "The Site Reliability Workbook").
"""


def rate(allowed: npt.ArrayLike, *, sizes: Floats, chunk_rows: npt.ArrayLike, excess: npt.ArrayLike = 0.0) -> Share:
    """Watch whether a share of rows is above the level `allowed`, (monitors,), that was stated and not measured.

    With `excess=0` rows count as independent; :attr:`Baseline.excess` of the reference allows for dependence.
    `chunk_rows` is the typical number of rows of a chunk. The evidence works at every volume: at ten requests an hour
    it takes longer.

    >>> from barograph.rules.bets import bet_sizes
    >>> rule = rate(burn_level(0.999, 14.4), sizes=bet_sizes(1000, longest=24), chunk_rows=10)
    >>> bool(rule.log_e([[1]], [10]).max() < np.log(1000))  # one failure in ten requests: a burn of 100, but no alarm
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


def burn_level(objective: float, burn: float = 1.0) -> float:
    """Return the share of failures that uses the error budget of an `objective` (0.999, say) `burn` times too fast.

    >>> round(burn_level(0.999, 14.4), 4)
    0.0144
    """
    if not 0 < objective < 1:
        raise SpecError(f"`objective` is the share of good events, above 0 and below 1. Got {objective!r}.")
    if not 0 < burn < 1 / (1 - objective):
        raise SpecError(
            f"`burn` must be above 0 and below {1 / (1 - objective):g}, which is a failure of everything. Got {burn!r}."
        )
    return burn * (1 - objective)


def _per_monitor(value: npt.ArrayLike, like: Floats) -> Floats:
    return np.broadcast_to(np.asarray(value, np.float64), like.shape)
