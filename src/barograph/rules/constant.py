"""A fixed limit: compared, not weighed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barograph.errors import SpecError
from barograph.rules import Decision


def constant(
    values: npt.ArrayLike, *, lower: npt.ArrayLike | None = None, upper: npt.ArrayLike | None = None
) -> Decision:
    """Decide that values below `lower` or above `upper` are in breach, at once and with no promise on false alarms.

    For numbers that have no sampling error (a schema difference, the hours since the last event) or for a limit that
    must hold to the letter. A share or a metric is better watched with evidence: `rate`, `summary`. A value of NaN is
    unknown: neither in breach nor calm.

    >>> constant([0.2, 0.7, np.nan], upper=0.5).breach.tolist()
    [False, True, False]
    """
    if lower is None and upper is None:
        raise SpecError("A constant rule needs `lower`, `upper` or both.")
    v = np.asarray(values, np.float64)
    low = np.broadcast_to(np.asarray(-np.inf if lower is None else lower, np.float64), v.shape)
    high = np.broadcast_to(np.asarray(np.inf if upper is None else upper, np.float64), v.shape)
    if np.any(low > high):
        at = int(np.flatnonzero(low > high)[0])
        raise SpecError(f"`lower` must not be above `upper`, got {float(low.flat[at])!r} and {float(high.flat[at])!r}.")
    direction = np.where(v > high, 1, np.where(v < low, -1, 0))
    breach = direction != 0
    return Decision(
        state=None,
        log_evidence=None,
        log_threshold=None,
        breach=breach,
        calm=~np.isnan(v) & ~breach,
        direction=direction,
        group=np.zeros(v.shape, np.int64),
    )
