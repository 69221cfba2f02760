"""Internal: shares of rows, with their intervals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barograph.metrics.intervals import wilson
from barograph.outcome import Outcome, Outcomes, outcome

Undefined = tuple[npt.ArrayLike, str]


def share(
    part: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    undefined: tuple[Undefined, ...] = (),
    rows_per_fact: npt.ArrayLike = 1.0,
) -> Outcome | Outcomes:
    """Return the share `part / n` with Wilson's 95 % interval; undefined where `n` is zero.

    The standard error is that of ``(part + 1/2) / (n + 1)``: a share of 0 or 1 in a sample is not known to be exactly
    that. `rows_per_fact` is above one where rows come in groups that tell the same: `n` counts for less by it.
    `undefined` are reasons that come before there being no rows.

    >>> estimate = share(2, 100)
    >>> estimate.value, round(estimate.lower, 4), round(estimate.upper, 4), round(estimate.standard_error, 4)
    (0.02, 0.0055, 0.07, 0.0155)
    """
    rows = np.asarray(n)
    some = np.maximum(rows, 1)
    value, facts = part / some, some / np.asarray(rows_per_fact)
    smoothed = (value * facts + 0.5) / (facts + 1.0)
    lower, upper = wilson(value, facts)
    return outcome(
        value,
        n=rows,
        undefined=(*undefined, (rows == 0, "current has no rows")),
        lower=lower,
        upper=upper,
        standard_error=np.sqrt(smoothed * (1.0 - smoothed) / facts),
    )


def share_of_present(part: npt.ArrayLike, present: npt.ArrayLike, rows: npt.ArrayLike) -> Outcome | Outcomes:
    """Return the share of the present values; undefined, with different reasons, without rows or present values."""
    nothing = np.asarray(rows) == 0, np.asarray(present) == 0
    return share(
        part,
        present,
        undefined=((nothing[0], "current has no rows"), (nothing[1], "current has no present values")),
    )
